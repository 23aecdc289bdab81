"""boot.py by itself, on the real image: it takes everything down that could put out, whatever was left running.

The board's C hook has done so before it, and on stock MicroPython it is the first that does; so its own text is run
here, at the REPL, on a board that was set going again by hand.
"""

import pytest
from dut import LEGS, Dut
from rheobase import paths
from rheobase.emulator import rawrepl
from rheobase.emulator.snapshot import in_child

ENABLE = 22  # any pin that is driven as a stage enable is
RUNNING = f"""
from machine import mem32
for pin in {LEGS}: mem32[0x40014004 + 8 * pin] = 6
mem32[0x40014004 + 8 * {ENABLE}] = 0x331F
mem32[0x50200030] = 16
mem32[0x50202000] = 0xF
mem32[0x50302000] = 0xF
mem32[0x50000420] = 1 << 16 | 0xFFFF
for n in (0, 10):
    mem32[0x50000000 + 64 * n] = mem32[0x50000004 + 64 * n] = 0x20041000
    mem32[0x50000008 + 64 * n] = 1000000
    mem32[0x5000000C + 64 * n] = 0x3B << 15 | n << 11 | 2 << 2 | 1
for i in range(8): mem32[0x4005000C + 0x14 * i] = 0x00640064
"""


def state_of(board):
    return {
        "hold": board.peek(0x50200030) & 16,
        "legs": {board.peek(0x40014004 + 8 * pin) for pin in LEGS},
        "stage enable": board.peek(0x40014004 + 8 * ENABLE),
        "DMA": [n for n in range(12) if board.peek(0x50000010 + 64 * n) & 1 << 24],
        "machines": board.peek(0x50200000) & 15,
        "capture": board.peek(0x50300000) & 15,
        "set-points": {board.peek(0x4005000C + 0x14 * i) for i in range(8)},
    }


def before_and_after(board):
    rawrepl.run(board, RUNNING)
    before = state_of(board)
    rawrepl.run(board, (paths.firmware_dir() / "boot.py").read_text())
    return before, state_of(board)


@pytest.mark.req("REQ-030", "REQ-033")
def test_boot_py_takes_down_hold_legs_enable_dma_machines_and_set_points(board_image):
    board = Dut(board_image).board
    rawrepl.enter(board)
    before, after = in_child(before_and_after, board)
    board.close()
    assert before == {
        "hold": 0, "legs": {6}, "stage enable": 0x331F, "DMA": [0, 10], "machines": 15, "capture": 15,
        "set-points": {0x00640064},
    }  # fmt: skip
    assert after == {
        "hold": 16, "legs": {0x206}, "stage enable": 0x321F, "DMA": [], "machines": 0, "capture": 0,
        "set-points": {0},
    }  # fmt: skip
