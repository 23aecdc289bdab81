"""Ctrl-C, again and again: output off, the fault latched and told, however the second one falls. Simulated time."""

import pytest
from dut import MS, NUMBERS, Dut
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
