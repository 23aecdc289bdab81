"""Each of the five ends of output ends it alone, the other four out of action; with the fifth out as well, none does.

Ends: session state machine, lease, guard, hardware cutoff, watchdog. The core dies for the first (not an instruction
more, no interrupt); the others go by register writes (disable.py). Three channels at 100, 400 and 2 Hz play at once,
on the unmodified image, but where the session is the one that is left. Simulated time.
"""

import disable
import pytest
from dut import MS, Dut, here
from rheobase.emulator import cpu, rawrepl
from rheobase.emulator.snapshot import in_child
from rheocore import items, messages

DURATION_MS = 1_600
CHANNELS = here(
    {
        1: {"duration_ms": DURATION_MS, "width_us": 500},
        2: {"duration_ms": DURATION_MS, "period_us": 2_500, "width_us": 400},
        3: {"duration_ms": DURATION_MS, "period_us": 500_000, "width_us": 1_000},
    }
)
LIVE_MS = 300  # into the session when the faults come
LEASE_MS = 200  # from the last pass of the loop to the last falling edge
GUARD_NS = 40  # from the interlock's opening: 5 clocks
CUTOFF_ERROR_MS = 1
WATCHDOG_MS = 2_000 + 50  # from the last feed
STOP_MS, HOST_LOST_MS, PASS_MS = 10, 1_200, 20 + 5
BEYOND_MS = 500  # how much longer than its bound each is watched

LEASE, GUARD, CUTOFF, WATCHDOG = disable.lease, disable.guard, disable.cutoff, disable.watchdog
ALL = (LEASE, GUARD, CUTOFF, WATCHDOG)


def live(dut, channels=CHANNELS):
    """Start the session and run it LIVE_MS. The Dut then knows start_ns, renewed_ns, fed_ns: first item, last lease of
    any channel, last feed of the watchdog."""
    dut.load(channels)
    board = dut.board
    dma, dog = board.mcu.dma, board.mcu.watchdog
    write_dma, write_dog = dma.write_uint32, dog.write_uint32

    def on_dma(offset, value):
        if offset in (0x0C, 0x4C, 0x8C):  # CTRL_TRIG of the channels' DMA
            dut.renewed_ns = board.now_ns
        write_dma(offset, value)

    def on_dog(offset, value):
        if offset == 4:  # LOAD
            dut.fed_ns = board.now_ns
        write_dog(offset, value)

    dma.write_uint32, dog.write_uint32 = on_dma, on_dog
    dut.start()
    dut.run_ms(LIVE_MS)
    dut.start_ns = dut.leg_edges()[0][0] - items.LEAD_US * 1000
    return dut


@pytest.fixture(scope="module")
def unmodified(board_image):
    return live(Dut(board_image))


def run_to(dut, t_ns):
    dut.board.run_for(t_ns - dut.board.now_ns)


def rise(dut, name):
    """Run to the next rising edge of a leg."""
    seen = len(dut.board.edges)
    assert dut.board.run_until(lambda: any(e[1:] == (name, 1) for e in dut.board.edges[seen:]), 600 * MS)


def die(dut, faults, after_us=100):
    """The core dies `after_us` after a rise of leg A of channel 1, and these ends are out of action."""
    rise(dut, "CH1_A")
    dut.board.run_for(after_us * 1000)
    dut.alive = False
    cpu.die(dut.board)
    assert dut.board.run_until(lambda: cpu.stopped(dut.board), 1 * MS)
    for fault in faults:
        fault(dut.board)


def last_ns(dut):
    """Time of the last edge on any leg."""
    return dut.leg_edges()[-1][0]


def goes_on(dut):
    """True if the channels at 100 and 400 Hz have pulsed up to now."""
    lasts = {name: t_ns for t_ns, name, _ in dut.leg_edges()}
    return all(dut.board.now_ns - lasts[f"CH{n}_{leg}"] < 25 * MS for n in (1, 2) for leg in "AB")


def whole(dut):
    """True if every pulse is complete and balanced, and every leg low."""
    trains = dut.trains().values()
    low = not any(dut.board.level(f"CH{n}_{leg}") for n in CHANNELS for leg in "AB")
    return low and not any(train.truncated or train.overlaps for train in trains)


# -- each story: the faults, what calls for the end, and what came of it ---------------------------------------------


def of_the_lease(dut, faults, after_us=100):
    """ms from the last pass to the last edge."""
    die(dut, faults, after_us)
    pass_ns = dut.renewed_ns
    run_to(dut, pass_ns + (LEASE_MS + BEYOND_MS) * MS)
    return (last_ns(dut) - pass_ns) / MS, goes_on(dut), whole(dut)


def of_the_guard(dut, faults):
    """ns from the interlock's opening, for 10 ms in a phase of leg A at 400 Hz, to the last edge."""
    die(dut, faults)
    rise(dut, "CH2_A")
    dut.board.run_for(100_000)
    opened_ns = dut.board.now_ns
    assert dut.board.level("CH2_A") == 1
    dut.board.set_interlock(False)
    dut.board.at(opened_ns + 10 * MS, lambda: dut.board.set_interlock(True))
    dut.run_ms(BEYOND_MS)
    return last_ns(dut) - opened_ns, goes_on(dut), whole(dut)


def of_the_cutoff(dut, faults):
    """ms from when the cutoff is due, 250 ms after the session's own end, to the hold (None: not set)."""
    die(dut, faults)
    due_ns = dut.start_ns + (DURATION_MS + messages.CUTOFF_MARGIN_MS) * MS
    run_to(dut, due_ns - 20 * MS)
    held = dut.board.engine.run_to(due_ns + 20 * MS, until=lambda: disable.held(dut.board), poll_ns=20_000)
    held_ns = dut.board.now_ns
    run_to(dut, due_ns + BEYOND_MS * MS)
    last_pulse_ms = (last_ns(dut) - held_ns) / MS
    return (held_ns - due_ns) / MS if held else None, goes_on(dut), whole(dut), last_pulse_ms


def of_the_watchdog(dut, faults):
    """ms from the last feed to the reset (None: none), and from there to the last edge."""
    die(dut, faults)
    fed_ns, resets = dut.fed_ns, dut.board.engine.resets
    bound_ns = fed_ns + WATCHDOG_MS * MS
    reset = dut.board.engine.run_to(bound_ns, until=lambda: dut.board.engine.resets > resets, poll_ns=20_000)
    reset_ns = dut.board.now_ns
    run_to(dut, bound_ns + BEYOND_MS * MS)
    return (reset_ns - fed_ns) / MS if reset else None, goes_on(dut), (last_ns(dut) - reset_ns) / MS


# -- four ends that need no CPU --------------------------------------------------------------------------------------


@pytest.mark.req("REQ-014", "REQ-025")
@pytest.mark.parametrize("after_us", [100, 520, 3_000], ids=["leg A high", "gap", "rest"])
def test_the_lease_alone_ends_output_200_ms_after_the_last_pass_last_pulse_complete(unmodified, after_us):
    end_ms, on, complete = in_child(of_the_lease, unmodified, (GUARD, CUTOFF, WATCHDOG), after_us)
    assert 0 < end_ms <= LEASE_MS
    assert complete and not on


@pytest.mark.req("REQ-010", "REQ-025")
def test_the_guard_alone_takes_the_legs_low_within_100_ns_for_good(unmodified):
    end_ns, on, _ = in_child(of_the_guard, unmodified, (LEASE, CUTOFF, WATCHDOG))
    assert 0 <= end_ns <= GUARD_NS
    assert not on


@pytest.mark.req("REQ-015", "REQ-025")
def test_the_cutoff_alone_ends_output_250_ms_after_the_session_balanced(unmodified):
    error_ms, on, complete, end_ms = in_child(of_the_cutoff, unmodified, (LEASE, GUARD, WATCHDOG))
    assert error_ms is not None and abs(error_ms) <= CUTOFF_ERROR_MS
    assert end_ms <= 3  # the pulse in play, two phases and a gap at most
    assert complete and not on


@pytest.mark.req("REQ-017", "REQ-025")
def test_the_watchdog_alone_resets_the_chip_and_the_legs_stay_low(unmodified):
    reset_ms, on, end_ms = in_child(of_the_watchdog, unmodified, (LEASE, GUARD, CUTOFF))
    assert reset_ms is not None and reset_ms <= WATCHDOG_MS
    assert end_ms <= 0
    assert not on


@pytest.mark.req("REQ-025", "REQ-132")
@pytest.mark.parametrize("story", [of_the_lease, of_the_guard, of_the_cutoff, of_the_watchdog])
def test_with_that_end_out_of_action_as_well_output_goes_on_past_its_bound(unmodified, story):
    """So each test above has shown the one end that was left."""
    end, on, *_ = in_child(story, unmodified, ALL)
    assert on
    assert end is None or end > 0


# -- the session state machine ---------------------------------------------------------------------------------------

# It needs the CPU, which would renew finite leases and see what is done to the hardware.
PATCHES = """
from rheorp2 import app, engine, hw
run = hw.run_dma
hw.run_dma = lambda n, at, count, ctrl: run(n, at, 0x0fffffff, ctrl)
hw.feed_dma = lambda n, base, made, ctrl: True
engine.Engine.guard_fault = lambda self: None
app.main()
"""


@pytest.fixture(scope="module")
def patched(board_image):
    dut = Dut(board_image)
    rawrepl.enter(dut.board)
    rawrepl.start(dut.board, PATCHES)
    dut.run_ms(200)
    return live(dut, {n: CHANNELS[n] for n in (1, 2)})


def of_the_session(dut, call, bound_ms, dead):
    """ms from the call for an end to the last edge, and the session's own word for it."""
    for fault in (GUARD, CUTOFF, WATCHDOG):
        fault(dut.board)
    if dead:
        die(dut, (LEASE,))
    called_ns = call(dut)
    run_to(dut, called_ns + round((bound_ms + BEYOND_MS) * MS))
    on, end_ms, complete = goes_on(dut), (last_ns(dut) - called_ns) / MS, whole(dut)
    return on, end_ms, complete, None if dead else dut.call("result")["stop_reason"]


def stop(dut):
    dut.post("stop")
    return dut.board.now_ns


def silence(dut):
    dut.alive = False
    return dut.board.now_ns


def time_over(dut):
    return dut.start_ns + DURATION_MS * MS


CALLS = [(stop, STOP_MS, "stop_command"), (silence, HOST_LOST_MS, "host_lost"), (time_over, PASS_MS, "internal")]


@pytest.mark.req("REQ-020", "REQ-021", "REQ-022", "REQ-025")
@pytest.mark.parametrize(("call", "bound_ms", "reason"), CALLS)
def test_the_session_alone_ends_output_by_stop_host_lost_and_time_over(patched, call, bound_ms, reason):
    """A plan's end is the end of its last lease. Where leases never end, the session sees words that nobody made as
    soon as the FIFO takes them: up to 5 items of 16 ms before the time is over, and never later than a pass after it.
    """
    on, end_ms, complete, said = in_child(of_the_session, patched, call, bound_ms, False)
    assert (-5 * items.ITEM_MAX_US / 1000 if call is time_over else 0) <= end_ms <= bound_ms
    assert not on
    assert said == reason
    assert complete or said == "internal"  # which ends at once


@pytest.mark.req("REQ-025")
@pytest.mark.parametrize(("call", "bound_ms", "reason"), CALLS)
def test_with_the_session_dead_as_well_output_goes_on(patched, call, bound_ms, reason):
    on, end_ms, *_ = in_child(of_the_session, patched, call, bound_ms, True)
    assert on and end_ms > bound_ms
