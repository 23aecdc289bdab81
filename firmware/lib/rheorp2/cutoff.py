"""The hardware session cutoff: a chain of four DMA channels ends output with no help from the CPU.

wait (DMA timer 0) -> one word to PIO0's IRQ_FORCE: hold, so the pulse in play completes -> 5 ms -> one word to the
guard's SM3_INSTR: latch. Plain register writes, which a DMA does alike on the chip and on the emulator.
"""

from array import array

import uctypes
from micropython import const

from rheorp2 import hw
from rheorp2.registers import Registers

_FIRST = const(4)  # DMA channels 4 to 7
_TICKS_PER_MS = const(2)  # timer 0: 1 / 62500 of 125 MHz
_TIMER0_RATE = const(1 << 16 | 62500)
_TIMER0 = const(0x3B)
_AT_ONCE = const(0x3F)
_SETTLE_TICKS = const(10)  # 5 ms from hold to latch: longer than any pulse's two phases
_ERROR_TICKS = const(4)  # between the count and the clock
_EARLY_MS = const(2)
_SOON_TICKS = const(10)  # from here on the later stages are left alone: their turn comes
_LEFT = const(0x50000108)  # transfers left of the first channel


class Cutoff:
    """hold_word goes to IRQ_FORCE, latch_word to SM3_INSTR. Construct once; prove() at every arm; set() at start."""

    def __init__(self, hold_word, latch_word):
        self.words = array("I", (hold_word, latch_word, 0, 0, 0))  # 2, 3: scratch for the proof; 4: dummy target
        self.at = uctypes.addressof(self.words)
        hw.wr(hw.DMA_TIMER0, _TIMER0_RATE)
        self.early_ms = self.late_ms = None  # its end by the clock, not before and not after; None: not set
        rows = [(hw.DMA_TIMER0, 0xFFFFFFFF, _TIMER0_RATE)]
        for i, (_, read, write, pace) in enumerate(self._stages(0, 0, *self._targets())):
            at = hw.DMA + 0x40 * (_FIRST + i)
            rows.append((at, 0xFFFFFFFF, read))
            rows.append((at + 4, 0xFFFFFFFF, write))
            rows.append((at + 0x10, hw.DMA_SETTINGS, self._ctrl(i, pace) & hw.DMA_SETTINGS))
        rows.append((_LEFT, 0xC0000000, 0))  # beyond what is read of it
        rows.append((self.at, 0xFFFFFFFF, hold_word))
        rows.append((self.at + 4, 0xFFFFFFFF, latch_word))
        self.registers = Registers(rows)
        self.counts = array("I", (1, _SETTLE_TICKS, 1))  # of the stages that wait for their turn

    @staticmethod
    def _targets():
        return hw.PIO_IRQ_FORCE, hw.PIO_SM + 3 * hw.SM_STRIDE + 0x10

    def _stages(self, wait_ticks, settle_ticks, hold_to, latch_to):
        """(count, read, write, pace) of the four channels."""
        dummy = self.at + 16
        return (
            (wait_ticks, dummy, dummy, _TIMER0),
            (1, self.at, hold_to, _AT_ONCE),
            (settle_ticks, dummy, dummy, _TIMER0),
            (1, self.at + 4, latch_to, _AT_ONCE),
        )

    @staticmethod
    def _ctrl(i, pace):
        chain = _FIRST + (i + 1 if i < 3 else i)  # the last to itself: none
        return 1 | 2 << 2 | chain << 11 | pace << 15 | 1 << 21

    def _load(self, stages):
        self.clear()
        for i in range(4):
            count, read, write, pace = stages[i]
            at = hw.DMA + 0x40 * (_FIRST + i)
            hw.wr(at + 0x10, self._ctrl(i, pace))  # AL1_CTRL: no trigger
            hw.wr(at, read)
            hw.wr(at + 4, write)
            hw.wr(at + 8, count)
        hw.wr(hw.DMA_MULTI_TRIGGER, 1 << _FIRST)

    def prove(self):
        """Run the whole chain onto scratch words. True if it arrived in order and in its time (2 ms)."""
        words = self.words
        words[2] = words[3] = 0
        self._load(self._stages(_TICKS_PER_MS, _TICKS_PER_MS, self.at + 8, self.at + 12))
        early = words[2] or words[3]
        until = hw.now_ms() + 5
        while not words[3] and hw.now_ms() <= until:
            pass
        self.clear()
        return not early and words[2] == words[0] and words[3] == words[1]

    def set(self, ms):
        """End output ms milliseconds from now (error: one tick of 0.5 ms). Replaces what was set before."""
        early_ms = hw.now_ms() + ms
        self._load(self._stages(ms * _TICKS_PER_MS, _SETTLE_TICKS, *self._targets()))
        self.early_ms, self.late_ms = early_ms, hw.now_ms() + ms

    def left_ms(self):
        """Time to its end; -1 where it is not set."""
        return -1 if self.late_ms is None else hw.field(_LEFT, 0, 0x3FFFFFFF) // _TICKS_PER_MS

    def clear(self):
        """Take the chain down. Allocates nothing."""
        self.late_ms = None
        hw.stop_dma(_FIRST, 4)

    def fired(self):
        """True once the wait is over: the count of the first stage is used up, and by the clock it was due.

        An aborted channel looks like one that has run down.
        """
        if self.late_ms is None or hw.now_ms() < self.early_ms - _EARLY_MS:
            return False
        at = hw.DMA + 0x40 * _FIRST
        return hw.field(at + 8, 0, 0x3FFFFFFF) == 0 and hw.field(at + 12, 0, 1) == 1 and not hw.field(at + 12, 24, 1)

    def astray(self):
        """True if the chain was set and is not what was set, or does not run down with the clock.

        The counts of the later stages cannot be read back before their turn: they are written anew.
        """
        if self.late_ms is None:
            return False
        most = _TICKS_PER_MS * (self.late_ms - hw.now_ms()) + _ERROR_TICKS
        ticks = hw.field(_LEFT, 0, 0x3FFFFFFF)
        if not ticks and self.fired():
            return False
        least = _TICKS_PER_MS * (self.early_ms - hw.now_ms()) - _ERROR_TICKS
        if not least <= ticks <= most or self.registers.astray() >= 0:
            return True
        if ticks > _SOON_TICKS:
            hw.set_counts(_FIRST + 1, self.counts, 3)
        return False
