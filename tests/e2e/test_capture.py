"""The board's own capture and the bench's levers, on the real image. Told times against the emulator's own log.

A look every 2 clocks (16 ns): an edge is told with the look that found it, so all differences between told and true
time lie within one look of each other, whatever the wire. Legs move on the emulator's clock (8 ns). Simulated time.
"""

import pytest
from dut import BASE, MS, NUMBERS, Dut, Refusal, here
from rheobase.bench import own
from rheobase.emulator import cpu, rawrepl
from rheobase.emulator.snapshot import in_child
from rheocore import messages

LOOK_NS = 16
DMA, PIO1 = 0x50000000, 0x50300000
MULTI_TRIGGER = 0x430
NOT_OURS = (3, 8, 9, 10, 11)  # channels of the DMA that neither the leases nor the cutoff use
BENCH = {"bench": True, "amplitude_ua": 0, "duration_ms": 1000}
THREE = here({1: {**BENCH, "period_us": 5_000}, 2: {**BENCH, "period_us": 3_001, "width_us": 250}, 3: BENCH})
PULSES = here({1: 200, 2: 333, 3: 100})


class Board:
    """What rheobase.bench.own asks of a board, in simulated time."""

    emulated = True

    def __init__(self, dut):
        self.dut = dut
        self.info = dut.greet()

    def call(self, method, params=None, **options):
        return self.dut.call(method, **(params or {}))


@pytest.fixture(scope="module")
def booted(board_image):
    """A board before hello: each test goes on from here in a process of its own."""
    return Dut(board_image)


def begin(dut, channels, capture=(), **options):
    """Configure, capture, arm, start. Returns the Board."""
    board = Board(dut)
    dut.call("configure", channels={str(n): {**BASE, **change} for n, change in channels.items()}, new=1)
    if capture:
        own.arm(board, capture, **options)
    dut.token = dut.call("arm")["token"]
    return board


def truth(dut):
    """{name: [ns of each edge]} by the emulator."""
    found = {}
    for t_ns, name, _ in dut.board.edges:
        found.setdefault(name, []).append(t_ns)
    return found


def differences(capture, true):
    """Told minus true time of every edge, in ns; asserts that there are as many of both."""
    seen = []
    for name, signal in capture.signals.items():
        told, there = list(signal.edges_ps // 1000), true.get(name, [])
        assert len(told) == len(there), name
        seen += [a - b for a, b in zip(told, there, strict=True)]
    return seen


# -- what is told ----------------------------------------------------------------------------------------------------


def three(dut, capture):
    board = begin(dut, THREE, capture)
    dut.board.edges.clear()
    dut.start()
    result = dut.run_to_end()
    return (own.fetch(board) if capture else None), truth(dut), result


@pytest.fixture(scope="module")
def captured(booted):
    return in_child(three, booted, [1, 2])


def test_every_edge_of_four_legs_is_told_while_three_channels_run(captured):
    capture, true, result = captured
    assert sorted(capture.signals) == ["CH1_A", "CH1_B", "CH2_A", "CH2_B"]
    assert [len(s.edges_ps) for s in capture.signals.values()] == [400, 400, 666, 666]
    assert all(result["channels"][str(n)]["pulses"] == pulses for n, pulses in PULSES.items())
    late = differences(capture, true)
    assert max(late) - min(late) < LOOK_NS
    assert capture.resolution_ps == LOOK_NS * 1000
    assert (capture.own_clock, capture.torn, capture.start_ps) == (True, None, 0)
    assert capture.end_ps > max(s.edges_ps[-1] for s in capture.signals.values())


@pytest.mark.req("REQ-122")
def test_the_pulses_are_the_same_with_a_capture_as_without(booted, captured):
    """To the nanosecond, from the first edge on, on every leg of the three channels."""

    def relative(true):
        legs = {name: times for name, times in true.items() if name.startswith("CH")}
        first = min(times[0] for times in legs.values())
        return {name: [t - first for t in times] for name, times in legs.items()}

    assert len(relative(captured[1])) == 2 * len(NUMBERS)
    assert relative(captured[1]) == relative(in_child(three, booted, [])[1])


def cut(dut, delay_ns):
    board = begin(dut, {1: {**BENCH, "period_us": 5_000}}, [1], interlock=True)
    dut.board.edges.clear()
    dut.start()
    assert dut.board.run_until(lambda: len(dut.board.edges) == 41, 500 * MS)
    dut.board.at(dut.board.now_ns + delay_ns, lambda: dut.board.set_interlock(False))
    dut.run_ms(50)
    return own.fetch(board), truth(dut), dut.call("status")["fault"]


@pytest.mark.parametrize("delay_ns", [8, 24, 40_003, 99_990])
def test_an_interlock_that_opens_in_a_phase_is_told_with_its_latency(booted, delay_ns):
    capture, true, fault = in_child(cut, booted, delay_ns)
    assert fault == "interlock_open"
    late = differences(capture, true)
    assert max(late) - min(late) < 2 * LOOK_NS  # of a switch that knows no clock: it may fall between two of them
    interlock, leg = capture.signals["INTERLOCK"], capture.signals["CH1_A"]
    assert (interlock.initial, len(interlock.edges_ps)) == (1, 1)
    opened, fell = int(interlock.edges_ps[0]), int(leg.edges_ps[-1])
    assert -LOOK_NS * 1000 < fell - opened <= (5 * 8 + LOOK_NS) * 1000  # the guard's 5 clocks, and one look
    assert len(leg.edges_ps) % 2 == 0 and all(signal.edges_ps[-1] <= fell for signal in capture.signals.values())


# -- its limits ------------------------------------------------------------------------------------------------------


def overfull(dut):
    board = begin(dut, {1: {**BENCH, "period_us": 5_000}}, [1], edges=10)
    dut.board.edges.clear()
    dut.start()
    dut.run_ms(100)
    dut.call("stop")
    return own.fetch(board), truth(dut)


def test_a_capture_that_ran_full_tells_its_first_edges_and_when_it_was_full(booted):
    capture, true = in_child(overfull, booted)
    a, b = (capture.signals[name].edges_ps // 1000 for name in ("CH1_A", "CH1_B"))
    late = [t - there for t, there in zip(a, true["CH1_A"][:10], strict=True)]
    assert max(late) - min(late) < LOOK_NS
    assert capture.end_ps == a[-1] * 1000  # from here on CH1_A is not known: nothing later is told of either
    assert len(b) == 8 and capture.torn == f"room for CH1_A was full at {a[-1] / 1e6:.3f} ms: later edges are missing"


def refusals(dut):
    board = Board(dut)
    found = []

    def ask(method, **params):
        try:
            found.append(dut.call(method, **params))
        except Refusal as refusal:
            found.append(refusal.args)

    ask("captured")
    for wires in ([], ["CH4_A"], ["CH1_A", "CH1_A"], [1], ["CH1_A", "CH1_B", "CH2_A", "CH2_B", "INTERLOCK"]):
        ask("capture", wires=wires)
    ask("capture", wires=["CH1_A"], edges=0)
    ask("capture", wires=["CH1_A", "CH1_B"], edges=1_000_000)
    most = found[-1][1]["most"]
    ask("capture", wires=["CH1_A", "CH1_B"], edges=most)
    ask("captured", wire="CH2_A")
    ask("captured", wire="CH1_A", **{"from": 1})
    begin(dut, {1: BENCH})
    ask("capture", wires=["CH1_A"])
    ask("captured")
    dut.start()
    ask("capture", wires=["CH1_A"])
    ask("captured")
    dut.run_to_end()
    own.arm(board, [1])
    running = not still(dut.board)
    dut.greet()  # a new dialogue: the memory of the last one's capture is given back
    ask("captured")
    return found, most, running and still(dut.board)


def test_what_cannot_be_captured_is_refused_with_a_sentence(booted):
    found, most, halted = in_child(refusals, booted)
    assert halted
    names = [reply[0] if isinstance(reply, tuple) else "taken" for reply in found]
    assert names == ["no_capture"] + ["invalid_params"] * 6 + ["no_room", "taken"] + ["invalid_params"] * 2 + [
        "wrong_state"] * 4 + ["no_capture"]  # fmt: skip
    assert 5_000 < most < 30_000
    assert "CH4_A" in found[2][1]["why"] and "at least 1" in found[6][1]["why"]


def sessions(dut):
    """A capture with almost all the memory that it may have, and a session of three channels."""
    board = Board(dut)
    with pytest.raises(Refusal) as refusal:
        dut.call("capture", wires=["CH1_A"], edges=1_000_000)
    most = refusal.value.args[1]["most"]
    dut.call("configure", channels={str(n): {**BASE, **change} for n, change in THREE.items()}, new=1)
    dut.call("capture", wires=["CH1_A"], edges=most)
    dut.token = dut.call("arm")["token"]
    dut.start()
    result = dut.run_to_end()
    return result["stop_reason"], [row["pulses"] for _, row in sorted(result["channels"].items())], own.fetch(board)


def test_a_session_has_memory_enough_beside_the_largest_capture(booted):
    reason, pulses, capture = in_child(sessions, booted)
    assert (reason, pulses) == ("time_over", list(PULSES.values()))
    assert len(capture.signals["CH1_A"].edges_ps) == 400


# -- nothing writes into memory once the app is left -----------------------------------------------------------------


def still(board):
    return board.peek(PIO1) & 0xF == 0 and not any(board.peek(DMA + 0x40 * n + 0xC) & (1 | 1 << 24) for n in NOT_OURS)


def broken(dut):
    begin(dut, {1: BENCH}, [1], interlock=True)
    dut.start()
    dut.run_ms(100)
    before, dut.alive = still(dut.board), False
    rawrepl.enter(dut.board)
    return before, still(dut.board)


@pytest.mark.req("REQ-033")
def test_ctrl_c_in_a_captured_session_stops_the_capture_before_the_repl(booted):
    assert in_child(broken, booted) == (False, True)


FILL = """
import gc
gc.collect()
mine = [bytearray(b"\\xa5" * 1024) for _ in range(150)]
import time
time.sleep_ms(30)
print(sum(block != b"\\xa5" * 1024 for block in mine))
"""
CAPTURE = """
import gc
from rheo_board import BOARD
from rheorp2.capture import Capture
c = Capture(BOARD)
print(c.start(["INTERLOCK"], 20000))
"""


def reset(dut):
    """A capture set up at the REPL, with nobody who would halt it; the wire goes on moving through a soft reset."""
    board = dut.board
    rawrepl.enter(board)
    assert rawrepl.finish(board, rawrepl.start(board, CAPTURE)) == "None\r\n"
    level = [True]

    def toggle():
        level[0] = not level[0]
        board.set_interlock(level[0])
        board.at(board.now_ns + 20_000, toggle)

    toggle()
    dut.run_ms(5)
    running = not still(board)
    rawrepl.soft_reset(board)
    return running, still(board), rawrepl.finish(board, rawrepl.start(board, FILL))


@pytest.mark.req("REQ-033")
def test_a_soft_reset_leaves_no_dma_that_writes_into_the_heap(booted):
    assert in_child(reset, booted) == (True, True, "0\r\n")


HALT = """
import micropython
micropython.heap_lock()
c.halt()
micropython.heap_unlock()
print("halted")
"""


def halted(dut):
    rawrepl.enter(dut.board)
    rawrepl.finish(dut.board, rawrepl.start(dut.board, CAPTURE))
    return rawrepl.finish(dut.board, rawrepl.start(dut.board, HALT)), still(dut.board)


def test_halting_a_capture_allocates_nothing(booted):
    assert in_child(halted, booted) == ("halted\r\n", True)


# -- levers of the bench ---------------------------------------------------------------------------------------------


def stalled(dut, ms):
    board = begin(dut, {1: {**BENCH, "period_us": 5_000}}, [1])
    dut.start()
    dut.run_ms(100)
    dut.board.edges.clear()
    dut.call("stall", token=dut.token, ms=ms)
    dut.run_ms(1_000)
    (event,) = [e for e in dut.events if e[2] == "stall"]
    return own.fetch(board), dut.trains(), event, dut.call("result"), board.call("captured")["began_ms"]


def test_a_stall_starves_the_lease_and_nothing_comes_back(booted):
    capture, trains, event, result, began_ms = in_child(stalled, booted, 700)
    assert result["fault"] in ("starved", "underrun")
    assert not any(train.truncated or train.overlaps for train in trains.values())
    last_ms = max(int(s.edges_ps[-1]) for s in capture.signals.values()) / 1e9
    begun_ms = event[1] / 1000 - began_ms  # in the capture's time, to 1 ms
    assert event[3] == 700
    assert 20 < last_ms - begun_ms <= 200 + 1


def test_a_short_stall_is_outlived(booted):
    _, trains, _, result, _ = in_child(stalled, booted, 40)
    assert (result["fault"], result["stop_reason"]) == (None, "time_over")
    assert max(trains[1].periods_ns) - min(trains[1].periods_ns) < 200


def sooner(dut, ms):
    begin(dut, {1: {**BENCH, "period_us": 5_000, "duration_ms": 2_000}})
    dut.call("start", token=dut.token, cutoff_ms=ms)
    dut.run_to_end()
    return dut.leg_edges(), dut.trains()[1], dut.call("result")


def test_a_cutoff_brought_nearer_ends_the_session_by_itself(booted):
    edges, train, result = in_child(sooner, booted, 400)
    assert (result["state"], result["fault"]) == ("fault", "cutoff")
    assert not train.truncated and result["channels"]["1"]["pulses"] == len(train.pulses)
    # the hold comes 400 ms after the first item's start: the pulse of 395 ms is the last
    assert len(train.pulses) == 80
    assert edges[-1][0] - edges[0][0] < 400 * MS


def late(dut, cutoff_ms, delay_ms):
    begin(dut, {1: {**BENCH, "width_us": 400}})
    write, pokes = dut.board.mcu.dma.write_uint32, []

    def watched(offset, value):
        write(offset, value)
        if offset == MULTI_TRIGGER:  # the cutoff counts from here on; the CPU goes on late
            pokes.append(value)
            dut.board.at(dut.board.now_ns + 40_000, lambda: cpu.hang(dut.board, delay_ms))

    dut.board.mcu.dma.write_uint32 = watched
    dut.board.edges.clear()
    dut.call("start", token=dut.token, cutoff_ms=cutoff_ms)
    dut.run_ms(100)
    return len(pokes), len(dut.leg_edges()), dut.call("status")["fault"]


@pytest.mark.req("REQ-016")
@pytest.mark.parametrize("delay_ms", [3, 5.3, 5.6, 20])
def test_a_cutoff_that_comes_before_the_first_item_is_not_taken_back(booted, delay_ms):
    """A collection at the wrong moment: its hold stands, and no pulse begins that the latch would cut."""
    assert in_child(late, booted, 1, delay_ms) == (1, 0, "cutoff")


def levers(dut):
    found = []

    def ask(method, **params):
        try:
            found.append((dut.call(method, **params), None))
        except Refusal as refusal:
            found.append(refusal.args)

    begin(dut, {1: BENCH, 2: {"amplitude_ua": 0}})  # one of them is no bench protocol
    ask("start", token=dut.token, cutoff_ms=100)
    ask("stall", token=dut.token, ms=10)
    dut.call("stop")
    begin(dut, {1: {**BENCH, "duration_ms": 2000}})
    ask("start", token=dut.token + 1, cutoff_ms=100)
    ask("stall", token=dut.token + 1, ms=10)
    ask("stall", token=dut.token, ms=messages.STALL_MS + 1)
    ask("stall", token=dut.token, ms=0)
    for ms in (2000 + messages.CUTOFF_MARGIN_MS + 1, 0, -1, 1 << 29):
        ask("start", token=dut.token, cutoff_ms=ms)
    state = dut.state()
    dut.start()
    ask("start", token=dut.token, cutoff_ms=100)
    dut.call("stop")
    ask("stall", token=dut.token, ms=10)
    dut.run_ms(100)
    return found, state, [e for e in dut.events if e[2] == "stall"], dut.leg_edges()


@pytest.mark.req("REQ-122")
def test_levers_are_for_bench_protocols_their_owner_and_the_near_side_only(booted):
    found, state, stalls, edges = in_child(levers, booted)
    assert [name for name, _ in found] == ["bench_only"] * 2 + ["bad_token"] * 2 + ["invalid_params"] * 2 + [
        "refused"] * 4 + ["wrong_state", "bad_token"]  # fmt: skip
    assert found[6][1] == {"field": "cutoff_ms", "value": 2251, "why": "too_high", "bound": 2250}
    assert state == "armed" and not stalls
    assert not edges or edges[-1][2] == 0
