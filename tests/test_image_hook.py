"""The board's C hook, on the real image: output ends where no Python could end it. On stock MicroPython it does not.

Python of the device is the counterfeit here: it drives a leg as a plain output, which boot.py does not look for, and
wipes the hook's mark, which nothing but the hook writes. So whatever takes the leg down and marks again is in C.
"""

import pytest
from rheobase import boards
from rheobase.emulator import EmulatedBoard, rawrepl
from rheobase.emulator.snapshot import in_child
from rheobase.image import firmware_files

MARK_AT, MARK = 0x40058018, 0x5248454F
BOARD = boards.load()
ENABLE = [BOARD["stage_enable"]] if "stage_enable" in BOARD else []
LEGS = [pin for c in BOARD["channels"] for pin in (c["leg_a"], c["leg_b"])]
DACS = [c["dac"] for c in BOARD["channels"]]
SLICE_0 = next(pin for pin in BOARD["spare"] if pin in (0, 1, 16, 17))  # on PWM slice 0
OUTOVER_LOW = 2 << 8
DRIVEN_LOW = 0x321F  # of the stage enable: no function, output, low
_LEG_UP = f"""
import machine
from machine import Pin, PWM, mem32
mem32[0x40058018] = 0
Pin({LEGS[0]}, Pin.OUT).value(1)
dac = PWM(Pin({DACS[0]}), freq=30000, duty_u16=65535)
spare = PWM(Pin({SLICE_0}), freq=30000, duty_u16=0)
for pin in {ENABLE}: mem32[0x40014004 + 8 * pin] = 0x331F
"""
_booted = {}


def ctrl(board, pin):
    return board.peek(0x40014004 + 8 * pin)


def overridden(board, pins):
    return [pin for pin in pins if ctrl(board, pin) & 0x300 == OUTOVER_LOW]


def booted(image):
    """A board that stands at the raw REPL, a leg high; booted once a worker, each test has a copy of it."""
    if image not in _booted:
        board = EmulatedBoard(image)
        board.boot()
        rawrepl.enter(board)
        _booted[image] = board
    return _booted[image]


def soft_reset_with_a_leg_high(board):
    rawrepl.finish(board, rawrepl.start(board, _LEG_UP))
    up = board.level("CH1_A"), board.peek(MARK_AT)
    enabled = [board.level("STAGE_ENABLE") for _ in ENABLE]
    board.send(b"\x04")  # Ctrl-D at the raw REPL
    high = ["CH1_A", *("STAGE_ENABLE" for _ in ENABLE)]
    fell = board.run_until(lambda: not any(board.level(name) for name in high), 200_000_000)
    slice_runs = board.peek(0x40050000) & 1  # run_until looks at every edge: this is the state at the last fall
    rawrepl.enter(board)
    return {
        "up": up,
        "fell": fell,
        "slice_runs": slice_runs,
        "mark": board.peek(MARK_AT),
        "enable": enabled + [ctrl(board, pin) for pin in ENABLE],
        "legs": overridden(board, LEGS),
        "dacs": overridden(board, DACS),
    }


@pytest.mark.req("REQ-030")
def test_soft_reset_takes_a_leg_low_that_no_python_looks_at(board_image):
    seen = in_child(soft_reset_with_a_leg_high, booted(board_image))
    assert seen["up"] == (1, 0)
    assert seen["fell"]
    assert seen["mark"] == MARK


@pytest.mark.req("REQ-030")
def test_soft_reset_takes_the_leg_low_before_the_port_stops_anything(board_image):
    """The port halts PWM slice 0 on its way down; when the leg falls it still runs."""
    assert in_child(soft_reset_with_a_leg_high, booted(board_image))["slice_runs"] == 1


def test_the_same_reset_on_stock_micropython_leaves_it_high(stock_image):
    """So that the test above can fail."""
    seen = in_child(soft_reset_with_a_leg_high, booted(stock_image))
    assert seen["up"] == (1, 0)
    assert not seen["fell"]
    assert seen["mark"] == 0


@pytest.mark.req("REQ-032")
def test_every_leg_and_set_point_of_the_description_is_overridden(board_image):
    seen = in_child(soft_reset_with_a_leg_high, booted(board_image))
    assert seen["legs"] == LEGS
    assert seen["dacs"] == DACS
    assert seen["enable"] == ([1, DRIVEN_LOW] if ENABLE else [])


def after_main_ended(board):
    """At the REPL: the app has wiped the mark when it started, and has been interrupted."""
    return board.peek(MARK_AT), overridden(board, LEGS), overridden(board, DACS)


@pytest.mark.req("REQ-044")
def test_the_end_of_main_runs_the_kill_before_the_repl(board_image):
    assert in_child(after_main_ended, booted(board_image)) == (MARK, LEGS, DACS)


_ALL_RUNNING = """
from machine import mem32
mem32[0x40058018] = 0
mem32[0x50200030] = 16  # PIO0: hold flag cleared
mem32[0x50202000] = 0xf  # all four machines on
mem32[0x50000420] = 1 << 16 | 0xffff  # DMA timer 0, the slowest
for n in (0, 10):
    mem32[0x50000000 + 64 * n] = mem32[0x50000004 + 64 * n] = 0x20041000
    mem32[0x50000008 + 64 * n] = 1000000
    mem32[0x5000000c + 64 * n] = 0x3b << 15 | n << 11 | 2 << 2 | 1
"""


def machinery(board):
    """(hold flag, machines enabled, DMA channels busy)"""
    busy = [n for n in range(12) if board.peek(0x50000010 + 64 * n) & 1 << 24]
    return board.peek(0x50200030) & 16, board.peek(0x50200000) & 15, busy


def machinery_around_soft_reset(board):
    rawrepl.finish(board, rawrepl.start(board, _ALL_RUNNING))
    before = machinery(board)
    board.send(b"\x04")
    board.run_until(lambda: board.peek(MARK_AT) == MARK, 200_000_000)  # looked at every 250 us: long before boot.py
    return before, machinery(board)


@pytest.mark.req("REQ-030", "REQ-033")
def test_soft_reset_holds_every_item_and_stops_machines_and_dma_before_boot_py(board_image):
    before, after = in_child(machinery_around_soft_reset, booted(board_image))
    assert before == (0, 15, [0, 10])
    hold, machines, busy = after
    assert hold == 16
    assert machines & 7 == 0
    assert busy == []


@pytest.mark.req("REQ-031")
def test_cold_boot_closes_the_pads_before_any_python(board_image):
    """The kill that follows _boot.py also overrides the set-points: when the first mark is there it has not run yet."""
    board = EmulatedBoard(board_image)
    board.engine.power_on()
    assert board.run_until(lambda: board.peek(MARK_AT) == MARK, 100_000_000)
    assert overridden(board, LEGS) == LEGS
    assert overridden(board, DACS) == []
    assert [ctrl(board, pin) for pin in ENABLE] == [0x3200 | 0x1F for _ in ENABLE]


@pytest.mark.req("REQ-036")
def test_frozen_firmware_is_the_firmware_of_this_tree(board_image):
    def asks(board):
        code = "import rheo_build, sys\nprint(rheo_build.HASH, rheo_build.ORIGIN, sys.implementation._machine)\n"
        return rawrepl.finish(board, rawrepl.start(board, code)).split(maxsplit=2)

    digest, origin, machine = in_child(asks, booted(board_image))
    assert digest == firmware_files.firmware_hash(BOARD["name"])
    assert origin == "frozen"
    assert machine.strip() == f"Rheobase {BOARD['name']} with RP2040"
