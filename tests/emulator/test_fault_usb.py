"""Faults of the USB link: a host that does not read, that dies, and a cable that is pulled. Simulated time."""

from dut import MS
from emulator.fault_session import BOARD, begun, last_edge_ms
from rheobase.emulator import faults, rawrepl

SOF_RD, INTR, INTE = 0x50110048, 0x5011008C, 0x50110090


def draining_is_not_reading(dut):
    """A host that stops and starts reading of its own accord does not end a fault."""
    begun(dut, {"after_ms": 10, "draining": False}, {"after_ms": 150, "draining": True}, ms=12)
    dut.board.stop_reading(True)
    dut.board.stop_reading(False)
    before = len(dut.board.received)
    dut.run_ms(137)
    during = len(dut.board.received) - before
    dut.run_ms(10)
    return during, len(dut.board.received) - before, dut.board.usb.cdc.dtr


def test_what_is_not_drained_comes_later_whatever_the_hosts_program_does(armed):
    during, after, dtr = armed(draining_is_not_reading)
    assert during == 0
    assert after > 100  # at least one telemetry
    assert dtr


def program_dies(dut):
    """The host's program dies and is back 140 ms later: heard meanwhile and after, DTR, and whether it was heard."""
    begun(dut, {"after_ms": 10, "usb": "closed"}, {"after_ms": 150, "usb": "opened"}, ms=12)
    before, lost = len(dut.board.received), dut.post("status")
    dut.run_ms(137)
    during, dtr = len(dut.board.received) - before, dut.board.usb.cdc.dtr
    assert dut.board.usb.connected
    dut.run_ms(150)
    return during, dtr, dut.board.usb.cdc.dtr, len(dut.telemetry), lost in dut.replies


def test_closed_is_the_end_of_the_hosts_program(armed):
    during, dtr, dtr_later, telemetry, answered = armed(program_dies)
    assert (during, dtr, dtr_later, answered) == (0, False, True, False)
    assert telemetry


def cable(dut):
    """The cable is pulled 5 ms after telemetry and put back 60 ms later; a request is sent meanwhile."""
    begun(dut)
    count = len(dut.telemetry)
    assert dut.board.run_until(lambda: len(dut.telemetry) > count, 200 * MS)
    now_ms = dut.board.now_ns / MS
    events = [{"at_ms": now_ms + 5, "usb": "unplugged"}, {"at_ms": now_ms + 65, "usb": "plugged"}]
    faults.schedule(faults.parse(events, BOARD), dut.board)
    dut.run_ms(10)
    frame, before = dut.board.peek(0x50110048), len(dut.board.received)
    lost = dut.post("status")
    dut.run_ms(54)
    assert not dut.board.usb.connected
    assert dut.board.peek(0x50110048) == frame  # no start of frame
    assert len(dut.board.received) == before
    assert dut.board.run_until(lambda: dut.board.usb.connected, 50 * MS)
    dut.run_ms(30)
    dut._line.clear()
    state = dut.state()
    return lost in dut.replies, state, last_edge_ms(dut, round(now_ms * MS))


def test_unplugged_is_silence_and_plugged_enumerates_anew(armed):
    answered, state, alive_ms = armed(cable)
    assert not answered
    assert state == "ramp_up"
    assert alive_ms > 80


def talking(board):
    """Bytes that arrive in 2 ms before and after the cable is pulled from a board that prints without end."""
    begin = rawrepl.start(board, "while True: print('x' * 60)\n")
    board.run_for(2 * MS)
    board.usb.set_plugged(False)
    before = len(board.received)
    board.run_for(2 * MS)
    return before - begin, len(board.received) - before


def test_nothing_arrives_from_a_board_that_talks_on(stock):
    before, after = stock(talking)
    assert before > 300
    assert after == 0


def suspended(dut):
    """Whether the USB interrupt for suspend is raised, 2.9 ms and 3.1 ms after the cable is pulled, and later."""
    begun(dut, {"after_ms": 30, "usb": "unplugged", "cpu": "dead", "for_ms": 4}, ms=32.9)
    seen = [dut.board.peek(0x5011008C) >> 14 & 1]
    dut.run_ms(0.2)
    seen.append(dut.board.peek(0x5011008C) >> 14 & 1)
    dut.run_ms(3)
    seen.append(dut.board.peek(0x5011008C) >> 14 & 1)
    return seen


def test_an_unplugged_board_is_told_of_suspend_after_3_ms_and_acknowledges_it(armed):
    assert armed(suspended) == [0, 1, 0]


def replugged(dut):
    """Frame numbers every 3 ms from the moment when the cable is back on."""
    begun(dut, {"after_ms": 30, "usb": "unplugged"}, {"after_ms": 45, "usb": "plugged"}, ms=45.1)
    seen = []
    for _ in range(6):
        seen.append(dut.board.peek(SOF_RD))
        dut.run_ms(3)
    return seen


def test_no_frame_begins_before_the_bus_reset_of_a_new_plug_is_over(armed):
    """10 ms: firmware that waits for frames must not hear one before it hears the reset."""
    before, *early, late, later = armed(replugged)
    assert early == [before] * 3
    assert before != late and late != later


def framed(dut):
    """Whether the interrupt of a frame is raised, every 3 ms from the moment when the cable is back on."""
    plugged = {"after_ms": 45, "usb": "plugged", "cpu": "dead", "for_ms": 30}  # so that nobody takes it
    begun(dut, {"after_ms": 30, "usb": "unplugged"}, plugged, ms=45.1)
    dut.board.poke(INTE, dut.board.peek(INTE) | 1 << 17)
    seen = []
    for _ in range(5):
        dut.run_ms(3)
        seen.append(dut.board.peek(INTR) >> 17 & 1)
    return seen


def test_no_frame_interrupts_before_the_bus_reset_of_a_new_plug_is_over(armed):
    assert armed(framed) == [0, 0, 0, 1, 1]


def unplugged_reset(dut):
    begun(dut, {"after_ms": 30, "usb": "unplugged"}, {"after_ms": 40, "reset": True}, ms=80)
    return dut.board.usb.connected


def test_a_board_that_restarts_unplugged_is_not_enumerated(armed):
    assert armed(unplugged_reset) is False
