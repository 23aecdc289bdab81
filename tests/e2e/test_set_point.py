"""A set-point that nobody set: a DAC, its pin or the stage gone wrong is found at any amplitude. Simulated time.

Low amplitudes and ramps above all: there every session begins, and there no share of what is set can tell too much.
"""

import pytest
from dut import BOARD, MS, Dut, Refusal
from rheobase.emulator.snapshot import in_child

DAC = BOARD["channels"][0]["dac"]
SLICE = 0x40050000 + 0x14 * (DAC >> 1 & 7)  # CSR, DIV, CTR, CC, TOP
CC = SLICE + 0xC
CTRL, PAD = 0x40014004 + 8 * DAC, 0x4001C004 + 4 * DAC
FULL = BOARD["dac_top"] << 16 * (DAC & 1)
PASS_MS = 30  # two passes of the loop, and a collection between them
PERIOD_MS = 10
FAULTS = {
    "compare": (CC, FULL),
    "top": (SLICE + 0x10, 200),
    "divider": (SLICE + 4, 32),
    "halted": (SLICE, 0),
    "inverted": (SLICE, 1 | 3 << 2),
    "pin driven high": (CTRL, 0x331F),
    "pin overridden high": (CTRL, 0x304),
    "pad off": (PAD, 0xD6),
}
_live = {}


def live(board_image, amplitude_ua):
    """A board that plays at a low set-point; None: in the middle of a ramp. Each case is a child of it."""
    if amplitude_ua not in _live:
        dut = _live[amplitude_ua] = Dut(board_image)
        ramp = {"amplitude_ua": 5_000, "ramp_up_ms": 2_000, "duration_ms": 8_000}
        dut.load({1: ramp if amplitude_ua is None else {"amplitude_ua": amplitude_ua, "duration_ms": 8_000}})
        dut.start()
        dut.run_ms(700)
    return _live[amplitude_ua]


def spoilt(dut, address, value):
    """(fault, ms from the poke to the last edge, DAC's compare afterwards)."""
    at_ns = dut.board.now_ns
    dut.board.poke(address, value)
    dut.run_ms(PASS_MS + 100)
    return dut.call("result")["fault"], (dut.leg_edges()[-1][0] - at_ns) / MS, dut.board.peek(CC)


@pytest.mark.req("REQ-057")
@pytest.mark.parametrize("amplitude_ua", [0, 400, None], ids=["0 mA", "0.4 mA", "ramp"])
def test_a_set_point_register_or_pin_gone_wrong_is_found_by_the_next_pass(board_image, amplitude_ua):
    dut = live(board_image, amplitude_ua)
    for name in FAULTS if amplitude_ua == 400 else ("compare",):
        fault, off_ms, compare = in_child(spoilt, dut, *FAULTS[name])
        assert (fault, compare) == ("internal", 0), name
        assert off_ms <= PASS_MS, name


def drifted(dut, what, value):
    """The stage gives more than it is told: (fault, ms to the last edge)."""
    at_ns = dut.board.now_ns
    dut.board.set_error(1, what, value)
    dut.run_ms(200)
    return dut.call("result")["fault"], (dut.leg_edges()[-1][0] - at_ns) / MS


@pytest.mark.req("REQ-052")
@pytest.mark.parametrize("amplitude_ua", [400, None], ids=["0.4 mA", "ramp"])
def test_a_stage_that_gives_far_too_much_is_found_below_what_is_judged_otherwise_and_in_a_ramp(
    board_image, amplitude_ua
):
    """20 mA too much: within 50 ms (claimed for a wrong current at a steady amplitude) here too."""
    fault, off_ms = in_child(drifted, live(board_image, amplitude_ua), "offset_ua", 20_000)
    assert fault == "amplitude_error" and off_ms <= 50


@pytest.mark.req("REQ-052")
def test_a_stage_that_is_to_be_calibrated_is_no_fault_in_a_ramp(board_image):
    """5 % and 0.5 % of full scale too much: from 0 on, through 2.5 mA, where the bound is the nearest."""

    def off(dut):
        dut.board.set_error(1, "offset_ua", BOARD["full_scale_ua"] // 200)
        return drifted(dut, "gain", 1.05)[0]

    assert in_child(off, live(board_image, None)) is None


def arming(dut, spoil):
    """Configure, spoil, arm: the fault that the board has latched, and whether any leg moved."""
    dut.greet()
    spoil(dut)
    with pytest.raises(Refusal, match="fault"):
        dut.load({1: {}})
    return dut.call("status")["fault"], dut.leg_edges()


def held_high(dut):
    """Something outside holds the DAC's pin high."""
    dut.board.mcu.gpio[DAC].shorted = True


SPOILT = {
    "held high": held_high,
    "pin driven high": lambda dut: dut.board.poke(*FAULTS["pin driven high"]),
    "halted": lambda dut: dut.board.poke(*FAULTS["halted"]),
    "top": lambda dut: dut.board.poke(*FAULTS["top"]),
}


@pytest.mark.req("REQ-041")
@pytest.mark.parametrize("spoil", SPOILT)
def test_arming_is_refused_where_a_set_point_is_not_the_board_s_own_or_not_at_zero(board_image, spoil):
    if "booted" not in _live:
        _live["booted"] = Dut(board_image)
    assert in_child(arming, _live["booted"], SPOILT[spoil]) == ("self_test", [])
