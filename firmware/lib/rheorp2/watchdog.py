"""The watchdog from arm to the end of a session, and the note that outlives a reset: state, fault, time left.

Fed only once every part of the loop has advanced since the last time. Notes lie in the watchdog's scratch registers 1
and 2, which survive a watchdog's and a software reset; on the chip not the RUN pin, and not power-on: then only the
host's record knows what was interrupted.
"""

import machine
from micropython import const
from rheocore import faults, messages

from rheorp2 import hw

TIMEOUT_MS = 2000
READ, TICK, WRITE = 1, 2, 4
_ALL = const(7)
_ENABLE = const(1 << 30)
_MARK = const(0x52)
_FAULTS = sorted(faults.FAULTS)

# RP2040 datasheet: WATCHDOG_REASON, and CHIP_RESET of the voltage regulator block.
_REASON = const(0x40058008)  # TIMER 0, FORCE 1
_CHIP_RESET = const(0x40064008)  # HAD_POR 8, HAD_RUN 16


def reset_cause():
    """Why the chip was reset last: "watchdog", "software", "run_pin" or "power"."""
    if hw.field(_REASON, 0, 1):
        return "watchdog"
    if hw.field(_REASON, 1, 1):
        return "software"
    return "run_pin" if hw.field(_CHIP_RESET, 16, 1) else "power"


class Watchdog:
    """keep(on) starts or stops it, saw(part) feeds it when all parts were seen; note() and recall() keep the note."""

    def __init__(self):
        self.on = False
        self.seen = 0
        self.dog = None

    def keep(self, on):
        """Run or do not run. Started, it resets the chip 2 s after the last feed."""
        if on == self.on:
            return
        if on:
            self.seen = 0
            self.on = True  # before it runs, and below after it has stopped: whatever comes between, the next call
            self.dog = machine.WDT(timeout=TIMEOUT_MS)  # that wants it stopped stops it
        else:
            hw.wr(hw.WATCHDOG + hw.CLR, _ENABLE)
            self.on = False

    def saw(self, part):
        """A part of the loop has done its work."""
        self.seen |= part
        if self.on and self.seen == _ALL:
            self.seen = 0
            self.dog.feed()

    @staticmethod
    def note(state, fault, left_ms):
        """Remember across a reset. Three register writes: no flash."""
        code = messages.STATES.index(state) | (_FAULTS.index(fault) + 1 if fault else 0) << 8
        hw.wr(hw.WATCHDOG + 0x10, left_ms)
        hw.wr(hw.WATCHDOG + 0x14, _MARK << 24 | code)

    @staticmethod
    def recall():
        """(state, fault, left_ms) noted before the last reset, or None. It stands until the next note(): a Ctrl-C while
        the app starts must not lose it."""
        at = hw.WATCHDOG + 0x14
        if hw.field(at, 24, 0xFF) != _MARK:
            return None
        state, fault = hw.field(at, 0, 0xFF), hw.field(at, 8, 0xFF)
        left_ms = hw.field(hw.WATCHDOG + 0x10, 0, 0x3FFFFFFF)
        if state >= len(messages.STATES) or fault > len(_FAULTS):
            return None
        return messages.STATES[state], _FAULTS[fault - 1] if fault else None, left_ms
