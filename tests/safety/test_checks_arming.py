"""What arming looks at, one part at a time broken on the real image: it refuses by the fault's name, and no leg moves.

Each case breaks what nothing else at arming looks at, by a register that does not take what is written, a pin that is
held, or a supply; so deleting one look lets one case arm.
"""

import pytest
from dut import BOARD, LEGS, Dut, Refusal
from rheobase.emulator import rawrepl
from rheobase.emulator.snapshot import in_child

PIO0, DMA, IO = 0x50200, 0x50000, 0x40014
SM0_CLKDIV, SM0_INSTR, GUARD_LATCH = 0xC8, 0xD8, 0x48 + 4 * 22
SIDE_BOTH, NOTHING = 0xB842, 0xA042
FREQ = """
import machine
def slow(t): machine.freq(48000000)
machine.Timer(period=300, mode=machine.Timer.ONE_SHOT, callback=slow)
from rheorp2 import app
app.main()
"""


@pytest.fixture(scope="module")
def booted(board_image):
    return Dut(board_image)


def deaf(board, page, offset, value=None, instead=None):
    """A register that does not take a value (None: any), or takes another instead of it."""
    block = board.mcu.peripherals[page]
    write = block.write_uint32

    def taken(at, new):
        if at & 0xFFF != offset or value not in (None, new):
            write(at, new)
        elif instead is not None:
            write(at, instead)

    block.write_uint32 = taken


def slow_clock(dut):
    rawrepl.enter(dut.board)
    rawrepl.start(dut.board, FREQ)
    dut.run_ms(600)


def low_supply(dut):
    dut.board.set_supply_mv(5000)


def odd_divider(dut):
    dut.board.poke((PIO0 << 12) + SM0_CLKDIV, 60 << 16)
    deaf(dut.board, PIO0, SM0_CLKDIV)


def guard_that_forces_nothing(dut):
    deaf(dut.board, PIO0, GUARD_LATCH, instead=NOTHING)


def machine_that_raises_nothing(dut):
    deaf(dut.board, PIO0, SM0_INSTR, value=SIDE_BOTH)


def cutoff_that_never_comes(dut):
    deaf(dut.board, DMA, 0x40 * 6 + 0x10)


def current_at_zero(dut):
    for channel in dut.board.stage.channels.values():
        channel.sensed = lambda t_ns: (BOARD["full_scale_ua"] // 50, 0.0)


def gate_that_does_not_close(dut):
    dut.board.poke((IO << 12) + 8 * LEGS[0] + 4, 6)
    deaf(dut.board, IO, 8 * LEGS[0] + 4)


def leg_held_high(dut):
    dut.board.mcu.gpio[LEGS[1]].shorted = True


def armed(dut, broken):
    broken(dut)
    try:
        dut.load({1: {}})
    except Refusal as refusal:
        return *refusal.args, len(dut.leg_edges())
    return "armed", None, len(dut.leg_edges())


@pytest.mark.req("REQ-041")
@pytest.mark.parametrize(
    ("broken", "fault"),
    [
        (slow_clock, "clock"),
        (low_supply, "supply_low"),
        (odd_divider, "self_test"),
        (guard_that_forces_nothing, "self_test"),
        (machine_that_raises_nothing, "self_test"),
        (cutoff_that_never_comes, "self_test"),
        (current_at_zero, "self_test"),
        (gate_that_does_not_close, "self_test"),
        (leg_held_high, "self_test"),
    ],
    ids=lambda case: getattr(case, "__name__", case),
)
def test_arming_refuses_what_only_one_of_its_looks_can_see(booted, broken, fault):
    assert in_child(armed, booted, broken) == ("fault", {"fault": fault}, 0)


@pytest.mark.req("REQ-041")
def test_the_same_board_arms_with_nothing_broken(booted):
    """So that the cases above fail by what is broken in them."""
    assert in_child(armed, booted, lambda dut: None) == ("armed", None, 0)
