"""`inspect` on the real image, in simulated time: it tells what is so, costs no pulse, and is refused in a session."""

import disable
import pytest
from dut import MS, Dut, Refusal
from rheobase.emulator import rawrepl
from rheocore import messages


@pytest.fixture
def dut(board_image):
    device = Dut(board_image)
    yield device
    device.board.close()


@pytest.mark.req("REQ-032")
def test_it_tells_clock_guard_legs_supply_flash_and_files_and_makes_no_edge(dut):
    dut.greet()
    dut.run_ms(50)
    edges = len(dut.leg_edges())
    told = dut.call("inspect")
    assert set(told) == set(messages.INSPECT)
    assert told["clk_sys_hz"] == 125_000_000 and told["guard"] == "latched"
    assert told["legs_low"] is True and told["gate_open"] is False and told["files"] == []
    assert told["supply_mv"] == pytest.approx(9_000, abs=20)
    assert 0 < told["flash_free"] <= told["flash_bytes"] == 1408 * 1024
    assert len(dut.leg_edges()) == edges and dut.state() == "idle"


IO_GP4, SM3_INSTR = 0x40014000 + 8 * 4 + 4, disable.PIO0 + 0xC8 + 3 * 0x18 + 0x10
ILL = {
    "guard off": (lambda board: disable.guard(board), {"guard": "off"}),
    "guard astray": (lambda board: board.poke(SM3_INSTR, 0), {"guard": "astray"}),  # jmp 0: a leg's program
    "gate open at one leg": (lambda board: board.poke(IO_GP4, 6), {"gate_open": True}),
    "a leg high": (lambda board: board.poke(IO_GP4, 6 | 0x300), {"gate_open": True, "legs_low": False}),
    "battery low": (lambda board: board.set_supply_mv(5_000), {"supply_mv": pytest.approx(5_000, abs=20)}),
}


@pytest.mark.req("REQ-032")
@pytest.mark.parametrize("case", ILL)
def test_what_is_wrong_with_a_board_at_rest_is_seen_on_the_real_image(dut, case):
    """Each by its own word, the others as they were: none of them is always right."""
    dut.greet()
    dut.run_ms(20)
    before = dut.call("inspect")
    harm, wanted = ILL[case]
    harm(dut.board)
    assert dut.call("inspect") == {**before, **wanted}
    assert wanted != {name: before[name] for name in wanted}


def test_it_takes_50_ms_at_most_with_24_files_and_tells_no_more_of_them(dut):
    rawrepl.enter(dut.board)
    rawrepl.run(
        dut.board,
        "import os\nos.mkdir('/lib')\nfor i in range(20):\n for d in '/', '/lib/':\n"
        "  open(d + 'a%02d.py' % i, 'w').close()\n",
    )
    dut.board.send(b"\x02\x04")
    dut.run_ms(600)
    dut.greet()
    assert dut.round_trip_ns("inspect") <= 50 * MS
    told = dut.call("inspect")["files"]
    assert len(told) == 24 and "a00.py" in told and "lib/" in told


def test_after_a_session_the_guard_watches_and_after_a_trip_it_is_latched(dut):
    dut.load({1: {"duration_ms": 1_200}})
    dut.start()
    dut.run_to_end()
    assert dut.call("inspect")["guard"] == "watching"
    dut.load({1: {}})
    dut.board.set_interlock(False)
    dut.run_ms(100)
    assert dut.state() == "fault" and dut.call("inspect")["guard"] == "latched"


@pytest.mark.req("REQ-123")
def test_it_is_refused_from_arm_to_the_end_and_no_pulse_is_lost(dut):
    dut.load({1: {"duration_ms": 1_500}})
    refused(dut, "armed")
    dut.start()
    for _ in range(5):
        dut.run_ms(150)
        refused(dut, dut.state())
    assert dut.state() in messages.LIVE
    result = dut.run_to_end()
    assert result["stop_reason"] == "time_over" and result["fault"] is None
    assert result["channels"]["1"]["pulses"] == 150 == len(dut.trains()[1].pulses)
    assert set(dut.trains()[1].periods_ns) == {10 * MS}


def refused(dut, state):
    with pytest.raises(Refusal) as error:
        dut.call("inspect")
    assert error.value.args == ("wrong_state", {"method": "inspect", "state": state})
