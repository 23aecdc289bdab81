"""The hardware session cutoff: to 1 ms or 10 ppm, balanced, then latched; CPU dead or alive. Simulated time.

Measured at the hold flag, which ends output; from the first item's start, which is the session's. With the CPU dead
the image is unmodified and the leases replay for ever, so that nothing else is left to end the session.
"""

import disable
import pytest
from dut import MS, NUMBERS, Dut
from rheobase.emulator import cpu, rawrepl
from rheobase.emulator.snapshot import in_child
from rheocore import items, messages

PLAYED = {"period_us": 1_000_000, "width_us": 1_000}
LATCHED = 22  # program counter of the guard's latch: it stands 5 ms after the hold
GUARD_COUNTER = 0x502000C8 + 3 * 0x18 + 0xC
WAIT = 0x50000000 + 0x40 * 4  # the chain's first stage: DMA channel 4


@pytest.fixture(scope="module")
def booted(board_image):
    """A board before hello: each test goes on from here in a process of its own."""
    return Dut(board_image)


def run(dut, channels, numbers=None):
    """Load and start (numbers: only these); run to past the first item. Returns the ns at which the cutoff is due."""
    dut.load(channels)
    dut.start(numbers)
    dut.run_ms(50)
    started_ns = dut.leg_edges()[0][0] - items.LEAD_US * 1000
    return started_ns + (max(c["duration_ms"] for c in channels.values()) + messages.CUTOFF_MARGIN_MS) * MS


def at_the_hold(dut, due_ns):
    """Run over the moment of the hold. (its error in ms, last edge after it in ms, whole, guard's counter)."""
    dut.board.run_for(due_ns - 20 * MS - dut.board.now_ns)
    assert not disable.held(dut.board)
    assert dut.board.engine.run_to(due_ns + 20 * MS, until=lambda: disable.held(dut.board), poll_ns=20_000)
    held_ns = dut.board.now_ns
    assert held_ns - max(t for t, *_ in dut.leg_edges()) < 1_100 * MS, "output had ended before"
    dut.run_ms(500)
    trains = dut.trains().values()
    whole = not any(train.truncated or train.overlaps for train in trains)
    last_ms = (max(train.last_fall_ns for train in trains) - held_ns) / MS
    return (held_ns - due_ns) / MS, last_ms, whole, dut.board.peek(GUARD_COUNTER)


def kill(dut, channels, due_ns):
    """The CPU dies 0.1 s on, leases then replay for ever, and no watchdog bites."""
    dut.run_ms(100)
    dut.alive = False
    cpu.die(dut.board)
    assert dut.board.run_until(lambda: cpu.stopped(dut.board), 1 * MS)
    disable.lease(dut.board, channels)
    disable.watchdog(dut.board)
    return at_the_hold(dut, due_ns)


def dead(dut, channels):
    return kill(dut, channels, run(dut, channels))


def judge(seen, duration_ms):
    ended(seen, duration_ms)
    assert seen[3] == LATCHED


def ended(seen, duration_ms):
    error_ms, last_ms, whole, _ = seen
    assert abs(error_ms) <= max(1, duration_ms * 10e-6)
    assert last_ms <= 3  # the pulse in play: two phases and a gap at most
    assert whole


@pytest.mark.req("REQ-015")
@pytest.mark.parametrize("duration_ms", [1_000, 10_000, 60_000, 300_000])
def test_the_cutoff_ends_a_session_with_the_cpu_dead(booted, duration_ms):
    judge(in_child(dead, booted, {1: {**PLAYED, "duration_ms": duration_ms}}), duration_ms)


def test_the_cutoff_is_as_exact_where_three_full_leases_are_lent_at_the_start(booted):
    """Lending 35 items takes the CPU some ms: none of them may be missing at the end."""
    busy = {"duration_ms": 1_000, "period_us": 2_500}
    judge(in_child(dead, booted, dict.fromkeys(NUMBERS, busy)), 1_000)


def again(dut):
    """Paused after some 20 periods of 3001 us and resumed: the cutoff is loaded with what is left."""
    channels = {1: {"duration_ms": 1_500, "period_us": 3_001}}
    due_ns = run(dut, channels)
    dut.call("pause")
    dut.run_ms(20)
    before = dut.leg_edges()
    due_ns -= before[0][0] + len(before) // 4 * 3_001_000  # four edges a pulse
    dut.call("resume", token=dut.token)
    dut.run_ms(50)
    due_ns += dut.leg_edges()[len(before)][0]
    return kill(dut, channels, due_ns)


def joined(dut):
    """A second channel starts, for a shorter time, while the first one plays."""
    channels = {1: {"duration_ms": 1_500, "period_us": 50_000}, 2: {"duration_ms": 1_000, "period_us": 2_500}}
    due_ns = run(dut, channels, [1])
    dut.start([2])
    return kill(dut, channels, due_ns)


def outlasted(dut):
    """A second channel starts, for a longer time: the cutoff moves to its end."""
    channels = {1: {"duration_ms": 1_000, "period_us": 50_000}, 2: {"duration_ms": 1_500, "period_us": 2_500}}
    run(dut, channels, [1])
    dut.start([2])
    dut.run_ms(50)
    began_ns = next(t for t, signal, *_ in dut.leg_edges() if signal.startswith("CH2"))
    return kill(dut, channels, began_ns + (1_500 + messages.CUTOFF_MARGIN_MS) * MS - items.LEAD_US * 1000)


@pytest.mark.req("REQ-015")
@pytest.mark.parametrize("story", [again, joined, outlasted])
def test_the_cutoff_is_as_exact_after_a_pause_and_where_a_channel_joins_later(booted, story):
    judge(in_child(story, booted), 1_500)


# Every plan is made 3 s longer than its session, so that the session's own end does not come.
LONGER_PLANS = """
from rheocore import channel
plan = channel.Plan
channel.Plan = lambda cfg, left_us: plan(cfg, left_us + 3_000_000)
from rheorp2 import app
app.main()
"""


def alive(dut):
    rawrepl.enter(dut.board)
    rawrepl.start(dut.board, LONGER_PLANS)
    dut.run_ms(200)
    seen = at_the_hold(dut, run(dut, {1: {"duration_ms": 1_000}, 2: {"duration_ms": 1_000, "period_us": 500_000}}))
    pulses = {n: len(train.pulses) for n, train in dut.trains().items()}
    return seen, dut.call("result"), pulses, disable.gated(dut.board)


def test_the_cutoff_ends_a_session_with_the_cpu_alive_and_is_named(booted):
    seen, result, pulses, gated = in_child(alive, booted)
    ended(seen, 1_000)  # the guard latches 5 ms after the hold, if no pass of the loop has closed the gate by then
    assert gated
    assert (result["state"], result["fault"]) == ("fault", "cutoff")
    assert {int(n): channel["pulses"] for n, channel in result["channels"].items()} == pulses
    assert not any(channel["truncated"] for channel in result["channels"].values())


def spoilt(dut, stage, count):
    channels = {1: {"duration_ms": 1_500}}
    due_ns = run(dut, channels)
    dut.board.poke(WAIT + 0x40 * stage + 8, count)
    dut.run_ms(50)
    return kill(dut, channels, due_ns)


@pytest.mark.req("REQ-016")
@pytest.mark.parametrize(("stage", "count"), [(1, 0), (2, 0x7FFF_FFFF), (3, 0)])
def test_a_count_of_a_later_stage_that_was_overwritten_is_written_anew(booted, stage, count):
    judge(in_child(spoilt, booted, stage, count), 1_500)


def postponed(dut, bit):
    run(dut, {1: {"duration_ms": 1_500}})
    ctrl = dut.board.peek(WAIT + 0x10)
    disable.cutoff(dut.board)
    dut.board.poke(WAIT + 8, dut.board.peek(WAIT + 8) | 1 << bit)
    dut.board.poke(WAIT + 0xC, ctrl)
    dut.run_ms(50)
    return dut.call("result")["fault"]


@pytest.mark.req("REQ-016")
@pytest.mark.parametrize("bit", [29, 30, 31])
def test_a_wait_that_became_days_is_found_by_the_next_pass(booted, bit):
    assert in_child(postponed, booted, bit) == "internal"


def registers(dut, duration_ms):
    due_ns = run(dut, {1: {**PLAYED, "duration_ms": duration_ms}})
    ticks = dut.board.peek(WAIT + 8)
    wanted = 2 * (due_ns - dut.board.now_ns) / MS
    rate = dut.board.peek(0x50000420)
    dut.call("stop")
    return ticks - wanted, rate, dut.board.peek(WAIT + 0xC) & 1


@pytest.mark.req("REQ-015", "REQ-064")
@pytest.mark.parametrize("duration_ms", [600_000, 1_800_000, 3_600_000])
def test_longer_cutoffs_stand_in_the_registers(booted, duration_ms):
    """Ticks of 0.5 ms left in the chain's first stage, against the time left to when it is due."""
    over, rate, enabled = in_child(registers, booted, duration_ms)
    assert rate == 1 << 16 | 62_500  # 2 kHz of 125 MHz, exact
    assert -2 <= over <= 2  # 1 ms
    assert not enabled  # taken down with the session
