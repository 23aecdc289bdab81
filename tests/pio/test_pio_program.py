"""The biphasic program, cycle by cycle: for every word both phases last alike and commanded = delivered to the tick."""

import random

import pytest
from pio.player import BIPHASIC, FOREVER, PULL, SECOND_WAIT, WAIT, play
from rheocore import items

REST_MAX = items.REST_MAX_US
RATE_CAP_HZ = 725


def raw(width, gap_field, rest):
    """A word from its three fields, put together here on purpose without items.py."""
    return width | gap_field << 10 | rest << 18


def prove(words, **options):
    """Play the words and hold every claim about an item against every item. Returns the trace."""
    trace = play(words, **options)
    assert len(trace.taken) == len(words)
    assert trace.stalls == {(PULL, 0)}, "stalled elsewhere than at the empty FIFO with both legs low"
    assert all(legs != 3 for _, legs in trace.edges), "both legs high"
    pulses = iter(trace.pulses())
    for word, start, following in zip(words, trace.starts[:-1], trace.starts[1:], strict=True):
        width, gap_field, rest = word & 0x3FF, word >> 10 & 0xFF, word >> 18
        assert following - start == items.duration_us(word), f"{word:#010x}: duration"
        if width == 0:
            assert following - start == rest + items.REST_FIXED_US
            continue
        rise, phase_a, dead, phase_b = next(pulses)
        assert (rise - start, phase_a, dead, phase_b) == (items.LEAD_US, width, gap_field + 3, width), f"{word:#010x}"
        assert rise + 2 * width + gap_field + 3 < following, "the pulse does not end within its item"
        assert RATE_CAP_HZ * (following - start) >= 1_000_000, f"{word:#010x}: above {RATE_CAP_HZ} Hz"
    assert next(pulses, None) is None, "a pulse that no word asked for"
    return trace


# -- every width, every gap, the ends ----------------------------------------------------------------------------


@pytest.mark.req("REQ-001")
@pytest.mark.parametrize("gap_us", [items.GAP_MIN_US, items.GAP_MAX_US])
def test_every_width_has_two_equal_phases_and_its_exact_duration(gap_us):
    prove([raw(width, gap_us - 3, 0) for width in range(1, 1024)])


@pytest.mark.req("REQ-002")
@pytest.mark.parametrize("width", [1, 100])
def test_every_gap_is_the_dead_time_to_the_tick(width):
    prove([raw(width, field, 0) for field in range(256)])


def test_all_fields_at_their_ends_together():
    ends = [
        raw(width, field, rest)
        for width in (1, 2, 1022, 1023)
        for field in (0, 1, 252, 255)
        for rest in (0, 1, REST_MAX - 1, REST_MAX)
    ]
    prove(ends)


@pytest.mark.parametrize("rest", [0, 1, 2, REST_MAX - 1, REST_MAX])
def test_rests_at_their_ends_with_every_tick_executed(rest):
    prove([raw(0, 0, rest), raw(1, 0, rest), raw(0, 255, rest)], hurry=False)


def test_every_rest_item_has_its_exact_duration_and_no_edge():
    trace = prove([raw(0, rest & 0xFF, rest) for rest in range(0, REST_MAX + 1, 7)])
    assert trace.edges == []


@pytest.mark.req("REQ-001")
def test_a_thousand_random_words_keep_every_claim():
    rng = random.Random(20250)
    prove([rng.getrandbits(32) for _ in range(1000)])


def test_items_word_and_decode_say_what_the_program_plays():
    rng = random.Random(4)
    for _ in range(50):
        width, gap, rest = rng.randint(1, 1023), rng.randint(3, 255), rng.randint(0, REST_MAX)
        word = items.word(width, gap, rest)
        assert word == raw(width, gap - 3, rest)
        assert items.decode(word) == (width, gap - 3, rest)
        trace = prove([word])
        assert trace.pulses() == [(items.LEAD_US, width, gap, width)]


# -- stalls and the hold flag ------------------------------------------------------------------------------------


def can_stall(opcode):
    """Whether the instruction can wait: `wait`, blocking `pull` or `push`, `irq wait`. (`out` cannot: no autopull.)"""
    kind = opcode >> 13
    return kind == 1 or (kind == 4 and opcode & 1 << 5) or (kind == 6 and opcode & 1 << 5)


@pytest.mark.req("REQ-004")
def test_only_wait_and_pull_can_stall_and_all_drive_the_legs_low():
    assert not BIPHASIC.autopull
    stalling = [address for address, opcode in enumerate(BIPHASIC.opcodes) if can_stall(opcode)]
    assert stalling == [WAIT, PULL, SECOND_WAIT]
    assert [BIPHASIC.opcodes[address] >> 11 & 3 for address in stalling] == [0, 0, 0]


@pytest.mark.parametrize("address", [WAIT, SECOND_WAIT])
def test_hold_asks_irq_flag_4_absolute_polarity_0_without_delay(address):
    """What lets pin 4 of the PIO emulator stand for the flag: nothing is cleared by the wait, nothing is relative."""
    assert BIPHASIC.opcodes[address] == 0x2044


@pytest.mark.req("REQ-002")
def test_no_instruction_drives_both_legs():
    assert {opcode >> 11 & 3 for opcode in BIPHASIC.opcodes} == {0, 1, 2}
    assert [a for a, opcode in enumerate(BIPHASIC.opcodes) if opcode >> 11 & 3] == [
        BIPHASIC.labels["a"],
        BIPHASIC.labels["b"],
    ]


@pytest.mark.req("REQ-004")
@pytest.mark.parametrize("word", [raw(1, 0, 0), raw(1023, 255, REST_MAX), raw(0, 0, 9)])
def test_empty_fifo_stalls_with_both_legs_low(word):
    trace = prove([word], linger=2000)
    assert trace.end - trace.starts[-1] > 2000
    assert trace.edges == [] or trace.edges[-1][1] == 0


def test_a_word_that_comes_late_is_played_whole():
    late = raw(7, 2, 5)
    trace = play([raw(3, 0, 0)], refill=[(5000, late)])
    assert trace.stalls == {(PULL, 0)}
    assert [pulse[1:] for pulse in trace.pulses()] == [(3, 3, 3), (7, 5, 7)]
    assert trace.taken[1] == 5000
    assert trace.pulses()[1][0] == 5000 + items.LEAD_US - 1


WIDTH, FIELD, REST = 6, 4, 11
HELD = raw(WIDTH, FIELD, REST)
HELD_US = items.duration_us(HELD)
PULSE = (WIDTH, FIELD + 3, WIDTH)
ASKED_US = items.LEAD_US + 2 * WIDTH + FIELD + 3  # from the item's start to its second wait
# Every tick from the first instruction to past the second wait, then the end; the fixed part in steps.
HOLD_TICKS = [*range(0, 40), *range(40, HELD_US - 30, 61), *range(HELD_US - 30, HELD_US + 1)]


def shapes(trace):
    return [pulse[1:] for pulse in trace.pulses()]


@pytest.mark.parametrize("ticks", [HOLD_TICKS[i::4] for i in range(4)])
def test_hold_set_at_any_tick_lets_the_pulse_complete_and_stops_the_next(ticks):
    for tick in ticks:
        trace = play([HELD, HELD, HELD], hold=[(tick, FOREVER)], linger=3000)
        assert shapes(trace) == ([PULSE] if tick else []), f"hold at tick {tick}"
        assert len(trace.taken) == (1 if tick else 0), f"hold at tick {tick}"


def test_where_a_held_machine_stands_tells_whether_the_hold_met_a_pulse():
    """At the second wait: the hold came before it in the item. At the first: between pulses. Never elsewhere."""
    for tick in HOLD_TICKS:
        stands = SECOND_WAIT if 0 < tick <= ASKED_US else WAIT
        assert play([HELD, HELD], hold=[(tick, FOREVER)]).stalls == {(stands, 0)}, f"hold at tick {tick}"


@pytest.mark.parametrize("tick", [1, 500, 900])
def test_a_hold_in_a_rest_item_stops_the_next_item(tick):
    trace = play([raw(0, 0, 900), HELD], hold=[(tick, FOREVER)], linger=3000)
    assert (trace.edges, trace.stalls) == ([], {(WAIT, 0)})


@pytest.mark.parametrize("released", [HELD_US + 1, 2000, 4321])
def test_after_a_hold_between_pulses_the_next_item_starts_at_once_and_whole(released):
    trace = play([HELD, HELD], hold=[(ASKED_US + 1, released)])
    assert shapes(trace) == [PULSE, PULSE]
    assert trace.pulses()[1][0] == released + items.LEAD_US
    assert trace.stalls == {(WAIT, 0), (PULL, 0)}


@pytest.mark.parametrize("released", [ASKED_US + 1, 700, 4321])
def test_after_a_hold_in_a_pulse_the_fixed_part_still_follows_whole(released):
    """The rate cap holds across a release: from the second wait to the next item, ticks are what they always are."""
    trace = play([HELD, HELD], hold=[(10, released)])
    assert shapes(trace) == [PULSE, PULSE]
    assert trace.pulses()[1][0] == released + HELD_US - ASKED_US + items.LEAD_US
    assert trace.stalls == {(SECOND_WAIT, 0), (PULL, 0)}


@pytest.mark.parametrize("span", [(1, ASKED_US), (ASKED_US + 1, HELD_US)])
def test_a_hold_that_comes_and_goes_between_two_askings_changes_nothing(span):
    assert play([HELD, HELD], hold=[span]).edges == play([HELD, HELD]).edges
