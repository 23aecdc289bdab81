"""Every edge of the pulse program falls on its tick on the emulated board, whatever the CPU does meanwhile.

Margins: width and gap error 0; mean period error <= 0.05 us; jitter of any edge within an item <= 0.2 us.
"""

import pytest
from emulator import device_scripts as dev
from rheobase.emulator import rawrepl
from rheobase.measure import trains

JITTER_NS = 200
MEAN_NS = 50


def play(board, channels, seconds, share=4):
    """Play {channel: (period_us, width_us, gap_us)} for `seconds` while the CPU naps and works; {channel: Train}."""
    script, mask = "", 0
    for n, (period_us, width_us, gap_us) in channels.items():
        count = int(seconds * 1e6 / period_us)
        script += f"feed({n - 1}, {dev.period_words(period_us, width_us, gap_us)!r} * {count})\n"
        mask |= 1 << (n - 1)
    script += f"go({mask})\n" + dev.NAPS.format(ms=int(seconds * 1000) + 20, share=share)
    begin = rawrepl.start(board, script)
    naps = int(rawrepl.finish(board, begin, timeout_ns=int(seconds * 3e9)))
    return naps, trains(board.edges)


RATES = [
    pytest.param({1: (1_000_000, 250, 50), 2: (500_000, 200, 50), 3: (250_000, 500, 100)}, 2.0, id="1-2-4Hz"),
    pytest.param({1: (66_667, 1000, 250), 2: (20_000, 50, 10), 3: (10_000, 100, 50)}, 0.6, id="15-50-100Hz"),
    pytest.param({1: (4_000, 10, 3), 2: (2_500, 500, 100), 3: (10_000, 1, 50)}, 0.4, id="250-400-100Hz"),
]


@pytest.mark.parametrize(("channels", "seconds"), RATES)
def test_widths_gaps_and_periods_are_exact_while_the_cpu_naps_and_works(pulses, channels, seconds):
    naps, found = pulses(play, channels, seconds)
    assert naps > 10
    for n, (period_us, width_us, gap_us) in channels.items():
        train = found[n]
        assert len(train.pulses) == int(seconds * 1e6 / period_us)
        assert not train.truncated and not train.overlaps
        assert {p.a_ns for p in train.pulses} == {width_us * 1000}
        assert {p.b_ns for p in train.pulses} == {width_us * 1000}
        assert {p.gap_ns for p in train.pulses} == {gap_us * 1000}
        periods = train.periods_ns
        assert abs(sum(periods) / len(periods) - period_us * 1000) <= MEAN_NS
        assert max(abs(p - period_us * 1000) for p in periods) <= JITTER_NS


@pytest.mark.parametrize(
    ("width_us", "gap_us"), [(1, 3), (10, 10), (50, 50), (100, 100), (250, 250), (500, 3), (1000, 250)]
)
def test_every_width_and_gap_of_the_issue_is_exact_with_a_busy_cpu(pulses, width_us, gap_us):
    _, found = pulses(play, {2: (10_000, width_us, gap_us)}, 0.05, 1)
    assert [(p.a_ns, p.gap_ns, p.b_ns) for p in found[2].pulses] == [
        (width_us * 1000, gap_us * 1000, width_us * 1000)
    ] * 5


def test_channels_started_by_one_write_rise_in_the_same_cycle(pulses):
    _, found = pulses(play, {1: (10_000, 100, 50), 2: (5_000, 200, 50), 3: (20_000, 300, 50)}, 0.04)
    assert len({train.pulses[0].t_ns for train in found.values()}) == 1


def open_interlock(board, reclose_ns):
    """Open the interlock 37 us into the third phase A; returns (time of opening, edges of legs)."""
    script = f"feed(0, {dev.period_words(10_000, 200)!r} * 8)\ngo(1)\ntime.sleep_ms(90)\n"
    begin = rawrepl.start(board, script)
    rises = lambda: [e for e in board.edges if e[1:] == ("CH1_A", 1)]  # noqa: E731
    assert board.run_until(lambda: len(rises()) == 3, int(1e8))
    at = rises()[2][0] + 37_013
    board.at(at, lambda: board.set_interlock(False))
    if reclose_ns:
        board.at(at + reclose_ns, lambda: board.set_interlock(True))
    rawrepl.finish(board, begin)
    return at, [e for e in board.edges if e[1].startswith("CH")]


@pytest.mark.parametrize("reclose_ns", [0, 10_000_000])
def test_interlock_open_mid_phase_drops_the_leg_within_5_clocks_and_no_pulse_follows(pulses, reclose_ns):
    at, edges = pulses(open_interlock, reclose_ns)
    assert edges[-1][1:] == ("CH1_A", 0)
    # Two clocks of synchroniser, then the jump not taken, the flag, the write.
    assert 4 * 8 <= edges[-1][0] - at <= 5 * 8
    assert len(edges) == 2 * 4 + 2


def force_the_latch(board):
    """Write `irq 4` then the latch into the guard while leg A is high; then raise the leg by force."""
    begin = rawrepl.start(board, f"feed(0, {dev.period_words(10_000, 500)!r})\ngo(1)\ntime.sleep_ms(8)\n")
    assert board.run_until(lambda: board.level("CH1_A") == 1, int(1e8))
    board.run_for(100_000)
    guard, channel = board.mcu.pio[0].machines[3], 0x50200000 + 0xC8 + 0x10
    t_ns = board.now_ns
    board.poke(0x50200000 + 0xC8 + 3 * 0x18 + 0x10, guard.wrap_bottom)  # jmp latch
    board.run_for(1_000)
    level = board.peek(0x50200000 + 0x3C) & 0xFC  # DBG_PADOUT
    board.poke(channel, 0xA842)  # side 1
    board.run_for(1_000)
    forced = board.peek(0x50200000 + 0x3C) & 0xFC
    rawrepl.finish(board, begin)
    return t_ns, level, forced, [e for e in board.edges if e[1].startswith("CH")]


def test_a_latched_guard_wins_against_every_write_without_a_glitch(pulses):
    t_ns, level, forced, edges = pulses(force_the_latch)
    assert (level, forced) == (0, 0)
    assert [e[1:] for e in edges] == [("CH1_A", 1), ("CH1_A", 0)]
    assert 0 < edges[-1][0] - t_ns <= 5 * 8
