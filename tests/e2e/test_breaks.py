"""Ctrl-C, again and again: output off, the fault latched and told, however the second one falls. Simulated time."""

import pytest
from dut import MS, NUMBERS, Dut
from rheobase.emulator import rawrepl
from rheobase.emulator.snapshot import in_child

_live = {}


@pytest.fixture
def live(board_image):
    """A board at full amplitude, 400 Hz; each case runs in a child."""
    if "dut" not in _live:
        dut = _live["dut"] = Dut(board_image)
        dut.load({1: {"period_us": 2_500, "width_us": 500, "duration_ms": 10_000}})
        dut.start()
        dut.run_ms(700)
    return _live["dut"]


def two_breaks(dut, apart_us):
    """Ctrl-C twice; returns (ms to the last edge, what the board has latched after the soft reset that follows)."""
    first_ns = dut.board.now_ns
    dut.alive = False
    dut.board.send(b"\x03")
    dut.board.at(first_ns + round(apart_us * 1000), lambda: dut.board.send(b"\x03"))
    dut.run_ms(60)
    last_ns = max((t for t, *_ in dut.leg_edges() if t > first_ns), default=first_ns)
    assert not any(dut.board.level(f"CH{n}_{leg}") for n in NUMBERS for leg in "AB")
    dut.board.send(b"\x02\x04")
    dut.run_ms(500)
    dut.token = 0
    dut._line.clear()
    dut.greet()
    return (last_ns - first_ns) / MS, dut.call("status")["fault"]


@pytest.mark.req("REQ-024")
@pytest.mark.parametrize("from_us", [0, 800])
def test_a_second_ctrl_c_neither_brings_output_back_nor_hides_the_fault(live, from_us):
    """Every 50 us over the 1.6 ms in which the first is dealt with; output is off within 10 ms of the first."""
    for apart_us in range(from_us, from_us + 800, 50):
        off_ms, fault = in_child(two_breaks, live, apart_us)
        assert off_ms <= 10
        assert fault == "host_break", f"{apart_us} us apart"


BROKEN_START = """
from rheorp2 import app
def info(*arguments): raise KeyboardInterrupt
app._info = info
app.main()
"""


def break_at_start(dut):
    """Ctrl-C in a session; another as the next start of the app has read what the first has left; a soft reset."""
    dut.alive, dut.token = False, 0
    dut.board.send(b"\x03")
    dut.run_ms(60)
    with pytest.raises(rawrepl.EmulatorError, match="KeyboardInterrupt"):
        rawrepl.run(dut.board, BROKEN_START)
    dut.board.send(b"\x02\x04")
    dut.run_ms(500)
    dut._line.clear()
    return dut.greet()["was"], dut.call("status")["fault"]


@pytest.mark.req("REQ-024", "REQ-018")
def test_a_ctrl_c_while_the_app_starts_does_not_lose_a_latched_fault(live):
    assert in_child(break_at_start, live) == ("fault", "host_break")


AGAIN = """
import time
from rheocore.session import Session
from rheorp2 import app, engine
breaks, cuts, trips = app.App.break_off, engine.Engine.cut_off, Session.trip
seen = []
def break_off(self):
    seen.append("break")
    if seen == ["break"]: raise KeyboardInterrupt
    breaks(self)
def cut_off(self):
    seen.append("cut")
    if seen.count("cut") == 1: raise KeyboardInterrupt
    cuts(self)
def trip(self, *arguments):
    time.sleep_ms(30)
    trips(self, *arguments)
app.App.break_off, engine.Engine.cut_off, Session.trip = break_off, cut_off, trip
app.main()
print(seen)
"""


@pytest.mark.req("REQ-024")
def test_a_ctrl_c_before_the_first_is_dealt_with_one_in_its_kill_and_one_after_it_change_nothing(board_image):
    """The moments that a scan may miss: as main() comes to break_off(), before the kill's registers, and (a real one)
    as the fault is latched."""

    def story(dut):
        rawrepl.enter(dut.board)
        rawrepl.start(dut.board, AGAIN)
        dut.run_ms(200)
        dut.load({1: {"period_us": 2_500, "duration_ms": 10_000}})
        dut.start()
        dut.run_ms(300)
        resets, at_ns = dut.board.engine.resets, dut.board.now_ns
        dut.alive, dut.token = False, 0
        dut.board.send(b"\x03")
        dut.run_ms(15)
        dut.board.send(b"\x03")
        dut.run_ms(60)
        last_ms = (dut.leg_edges()[-1][0] - at_ns) / MS
        said = b"['break', 'break', 'cut', 'cut'" in dut.board.received
        dut.board.send(b"\x02\x04")
        dut.run_ms(500)
        dut._line.clear()
        dut.greet()
        return last_ms, said, dut.board.engine.resets - resets, dut.call("status")["fault"]

    last_ms, said, resets, fault = in_child(story, Dut(board_image))
    assert last_ms <= 10 and said
    assert (resets, fault) == (0, "host_break")
