"""What the self-test at arming refuses, each by one thing that is wrong; what a kill and boot.py do, part by part.

The parts of a kill stand beside each other, and the pads alone would end output: so each is looked at by itself.
"""

import pytest
from dut import BOARD, LEGS, MS, NUMBERS, Dut, Refusal
from rheobase import paths
from rheobase.emulator import rawrepl
from rheobase.emulator.snapshot import in_child

PIO0, PIO1, DMA, IO = 0x50200000, 0x50300000, 0x50000000, 0x40014000
SET = 0x2000
GUARD_COUNTER, GUARD_INSTR = PIO0 + 0x11C, 0x120
WATCH, KILL, LATCHED = 20, 21, 22  # addresses of the guard's instructions
PASS_MS = 30  # two passes of the loop, and a collection between them
SLICES = sorted({c["dac"] >> 1 & 7 for c in BOARD["channels"]})
_made = {}


def made(board_image, name, make):
    """A board brought up once; each case is a child of it."""
    if name not in _made:
        _made[name] = make(Dut(board_image))
    return _made[name]


# -- arming ----------------------------------------------------------------------------------------------------------


def guard_goes_to(address):
    """Whatever the firmware sends the guard to, it stands there."""

    def spoil(dut):
        pio = dut.board.mcu.peripherals[0x50200]
        write = pio.write_uint32
        pio.write_uint32 = lambda offset, value: write(offset, address if offset == GUARD_INSTR else value)

    return spoil


def gate_of_a_leg_stuck_open(dut):
    bank = dut.board.mcu.peripherals[0x40014]
    write, at = bank.write_uint32, 8 * LEGS[0] + 4
    dut.board.poke(IO + at, 6)
    bank.write_uint32 = lambda offset, value: write(offset, value & ~0x300 if offset == at else value)


def a_word_stays_in_a_fifo(dut):
    pio = dut.board.mcu.peripherals[0x50200]
    read = pio.read_uint32
    pio.read_uint32 = lambda offset: read(offset) | (1 if offset == 0x0C else 0)


def leg_held_high(dut):
    dut.board.mcu.gpio[LEGS[1]].shorted = True


def pad_off(dut):
    dut.board.poke(0x4001C004 + 4 * LEGS[1], 0xD6)


def interlock_driven(dut):
    """Something on the chip drives the interlock's pin, and the firmware cannot take it away."""
    bank, at = dut.board.mcu.peripherals[0x40014], 8 * BOARD["interlock"]
    read = bank.read_uint32
    bank.read_uint32 = lambda offset: read(offset) | (1 << 13 if offset == at else 0)


def supply_low(dut):
    dut.board.stage.supply_mv = BOARD["supply_min_mv"] - 500


SPOILT = {
    "cutoff stands still": (lambda dut: dut.board.poke(DMA + 0x420, 0), "self_test"),
    "cutoff runs too fast": (lambda dut: dut.board.poke(DMA + 0x420, 1 << 16 | 100), "self_test"),
    "guard does not latch": (guard_goes_to(WATCH), "self_test"),
    "guard does not let go": (guard_goes_to(LATCHED), "self_test"),
    "gate of a leg does not close": (gate_of_a_leg_stuck_open, "self_test"),
    "a fifo does not empty": (a_word_stays_in_a_fifo, "self_test"),
    "a leg is held high": (leg_held_high, "self_test"),
    "a leg's pad is off": (pad_off, "self_test"),
    "the interlock is driven": (interlock_driven, "self_test"),
    "the supply is low": (supply_low, "supply_low"),
}


def arm(dut, spoil):
    """(fault, edges on the legs, gate of every leg closed)."""
    dut.greet()
    spoil(dut)
    with pytest.raises(Refusal, match="fault"):
        dut.load({1: {}})
    closed = [dut.board.peek(IO + 8 * pin + 4) == 0x206 for pin in LEGS]
    return dut.call("status")["fault"], dut.leg_edges(), closed


@pytest.mark.req("REQ-041", "REQ-040")
@pytest.mark.parametrize("name", SPOILT)
def test_arming_is_refused_with_no_edge_on_any_leg_where(board_image, name):
    spoil, fault = SPOILT[name]
    latched, edges, closed = in_child(arm, made(board_image, "booted", lambda dut: dut), spoil)
    assert (latched, edges) == (fault, [])
    assert all(closed) or spoil is gate_of_a_leg_stuck_open


def at_another_clock(dut):
    rawrepl.enter(dut.board)
    rawrepl.start(dut.board, "import machine\nmachine.freq(48_000_000)\nfrom rheorp2 import app\napp.main()\n")
    dut.run_ms(200)
    return arm(dut, lambda dut: None)[:2]


@pytest.mark.req("REQ-041")
def test_arming_is_refused_at_another_clock(board_image):
    assert in_child(at_another_clock, made(board_image, "booted", lambda dut: dut)) == ("clock", [])


# -- armed -----------------------------------------------------------------------------------------------------------


def playing(dut):
    """From the raw REPL, where the C hook does not run after the app; 400 Hz, its FIFOs full."""
    rawrepl.enter(dut.board)
    rawrepl.start(dut.board, "from rheorp2 import app\napp.main()\n")
    dut.run_ms(200)
    dut.load({n: {"period_us": 2_500, "amplitude_ua": 4_000, "duration_ms": 8_000} for n in NUMBERS[:2]})
    dut.start()
    dut.run_ms(700)
    return dut


def killed(dut):
    """Ctrl-C, and what stands 15 us after the hold: no Python has come to do more by then."""
    dut.alive = False
    dut.board.send(b"\x03")
    assert dut.board.engine.run_to(
        dut.board.now_ns + 10 * MS, until=lambda: dut.board.peek(PIO0 + 0x30) & 16, poll_ns=1000
    )
    dut.board.run_for(15_000)
    peek = dut.board.peek
    return {
        "latched": peek(GUARD_COUNTER) == LATCHED,
        "gate": [peek(IO + 8 * pin + 4) for pin in LEGS] == [0x206] * len(LEGS),
        "DMA": not any(peek(DMA + 0x40 * (n - 1) + 0x10) & 1 << 24 for n in NUMBERS),
        "machines": peek(PIO0) & 7 == 0,
        "set-points": not any(peek(0x4005000C + 0x14 * i) for i in SLICES),
    }


@pytest.mark.req("REQ-024", "REQ-032")
def test_a_kill_latches_gates_stops_dma_and_machines_and_zeroes_the_set_points_at_once(board_image):
    seen = in_child(killed, made(board_image, "playing", playing))
    assert not [part for part, done in seen.items() if not done]


def killed_without_the_guard(dut):
    """The guard stands still and sets no hold: then the kill's own counts."""
    dut.board.poke(PIO0 + 0x3000, 1 << 3)
    return killed(dut)


@pytest.mark.req("REQ-032")
def test_a_kill_holds_too_where_the_guard_stands_still(board_image):
    seen = in_child(killed_without_the_guard, made(board_image, "playing", playing))
    assert [part for part, done in seen.items() if not done] == ["latched"]


def overflowing(dut):
    at_ns = dut.board.now_ns
    for _ in range(5):
        dut.board.poke(PIO0 + 0x10, 0)
    dut.run_ms(PASS_MS + 50)
    return dut.call("result")["fault"], (dut.leg_edges()[-1][0] - at_ns) / MS


@pytest.mark.req("REQ-043")
def test_a_word_that_a_full_fifo_could_not_take_is_found_by_the_next_pass(board_image):
    """Nobody but the DMA writes there, and it never writes to a full one. The words themselves are short rests."""
    fault, off_ms = in_child(overflowing, made(board_image, "playing", playing))
    assert fault == "internal" and off_ms <= PASS_MS


def rewritten(dut):
    memory = dut.board.mcu.pio[0].instructions
    before = list(memory)
    dut.board.poke(PIO0 + 0x48 + 4 * 18, 0x1234)  # of the last instruction: a rest
    spoilt = list(memory) != before
    dut.run_ms(PASS_MS)
    return spoilt, list(memory) == before


@pytest.mark.req("REQ-043")
def test_an_instruction_that_was_overwritten_is_written_anew_by_the_next_pass(board_image):
    assert in_child(rewritten, made(board_image, "playing", playing)) == (True, True)


def without_ticks(dut):
    """The loop goes round, reads and writes, and comes to no tick any more."""
    rawrepl.enter(dut.board)
    rawrepl.start(
        dut.board,
        "import machine\nfrom rheorp2 import app\n"
        "def stop(t): app.App.pace_ms = lambda self: 1 << 29\n"
        "t = machine.Timer(period=1000, mode=machine.Timer.ONE_SHOT, callback=stop)\napp.main()\n",
    )
    dut.run_ms(200)
    dut.load({1: {"duration_ms": 8_000}})
    dut.start()
    dut.run_ms(1000)
    resets, since_ns = dut.board.engine.resets, dut.board.now_ns
    return dut.board.run_until(lambda: dut.board.engine.resets > resets, 2_500 * MS), (
        dut.leg_edges()[-1][0] - since_ns
    ) / MS


@pytest.mark.req("REQ-017")
def test_a_loop_that_goes_round_without_a_tick_feeds_no_watchdog(board_image):
    """It is not enough that something of the loop is alive."""
    reset, last_ms = in_child(without_ticks, made(board_image, "booted", lambda dut: dut))
    assert reset
    assert last_ms <= 200


# -- boot.py ---------------------------------------------------------------------------------------------------------

SPARE = BOARD["spare"][0]
RUNNING = f"""
from machine import mem32
mem32[{PIO0 + 0x30}] = 16
mem32[{PIO0 + SET}] = mem32[{PIO1 + SET}] = 0xF
mem32[0x50000420] = 1 << 16 | 0xffff
for n in (0, 10):
    mem32[{DMA} + 64 * n] = mem32[{DMA + 4} + 64 * n] = 0x20041000
    mem32[{DMA + 8} + 64 * n] = 1000000
    mem32[{DMA + 0xC} + 64 * n] = 0x3b << 15 | n << 11 | 2 << 2 | 1
for pin in {LEGS}: mem32[{IO + 4} + 8 * pin] = 6
mem32[{IO + 4} + 8 * {SPARE}] = 0x331F
for i in range(8): mem32[0x4005000C + 0x14 * i] = 100
"""


def state(board):
    peek = board.peek
    return {
        "hold": peek(PIO0 + 0x30) & 16,
        "legs": [peek(IO + 4 + 8 * pin) for pin in LEGS],
        "stage enable": peek(IO + 4 + 8 * SPARE),
        "DMA": [n for n in range(12) if peek(DMA + 0x10 + 64 * n) & 1 << 24],
        "machines": (peek(PIO0) & 15, peek(PIO1) & 15),
        "set-points": {peek(0x4005000C + 0x14 * i) for i in range(8)},
    }


def booting(dut):
    rawrepl.enter(dut.board)
    rawrepl.run(dut.board, RUNNING)
    before = state(dut.board)
    rawrepl.run(dut.board, (paths.firmware_dir() / "boot.py").read_text())
    return before, state(dut.board)


@pytest.mark.req("REQ-032", "REQ-033")
def test_boot_py_holds_gates_disables_and_stops_all_that_may_have_been_left_running(board_image):
    """Its statements alone, without the C hook: as on stock MicroPython."""
    before, after = in_child(booting, made(board_image, "booted", lambda dut: dut))
    assert before == {
        "hold": 0,
        "legs": [6] * len(LEGS),
        "stage enable": 0x331F,
        "DMA": [0, 10],
        "machines": (15, 15),
        "set-points": {100},
    }
    assert after == {
        "hold": 16,
        "legs": [0x206] * len(LEGS),
        "stage enable": 0x321F,
        "DMA": [],
        "machines": (0, 0),
        "set-points": {0},
    }
