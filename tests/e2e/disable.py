"""Takes single ends of output out of action on the emulated board by register writes, and looks at them. Ends nothing.

The image stays what it is: each function does what a fault of the hardware behind that end would do. The session state
machine is taken out by rheobase.emulator.cpu (the core dies).
"""

from dut import LEGS, NUMBERS

PIO0, DMA, WATCHDOG, IO = 0x50200000, 0x50000000, 0x40058000, 0x40014000
SET, CLR = 0x2000, 0x3000  # atomic aliases
_COUNT_TRIG, _AL1_CTRL, _ABORT = 0x1C, 0x10, 0x444
ENDLESS = 0x0FFF_FFFF  # words


def guard(board):
    """The guard's state machine stands still; what it has latched goes on as it was."""
    board.poke(PIO0 + CLR, 1 << 3)


def cutoff(board):
    """The DMA channels of the cutoff are disabled and aborted."""
    for n in range(4, 8):
        board.poke(DMA + CLR + 0x40 * n + _AL1_CTRL, 1)
    board.poke(DMA + _ABORT, 0xF0)


def watchdog(board):
    """The watchdog does not count."""
    board.poke(WATCHDOG + CLR, 1 << 30)


def lease(board, channels=NUMBERS):
    """The DMA of each channel has words for ever: it replays its ring. Only for a core that renews no lease."""
    for n in channels:
        at = DMA + 0x40 * (n - 1)
        board.poke(at + CLR + _AL1_CTRL, 1)
        board.poke(DMA + _ABORT, 1 << (n - 1))
        board.poke(at + SET + _AL1_CTRL, 1)
        board.poke(at + _COUNT_TRIG, ENDLESS)


def held(board):
    """True while the hold flag of the legs' block is set."""
    return bool(board.peek(PIO0 + 0x30) & 1 << 4)


def gated(board):
    """True while every leg is forced low at its pad."""
    return all(board.peek(IO + 8 * pin + 4) & 0x300 == 0x200 for pin in LEGS)
