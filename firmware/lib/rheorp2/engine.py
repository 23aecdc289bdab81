"""The pulse engine: the DMA leases, arming, every end of output. Implements rheocore.session's `output`.

DMA channel n feeds machine n of the block. Every pass compares the hardware with what it was armed as.
"""

from array import array

import machine
import uctypes
from micropython import const
from rheocore import feeder

from rheorp2 import hw
from rheorp2.block import HELD, HOLD, PULL, Block, counter
from rheorp2.cutoff import Cutoff
from rheorp2.registers import Registers

_RING_BITS = const(9)
_CLOCKS = (0x4000803C, 0x40008040, 0x40028008, 0x4002800C)  # CLK_SYS_CTRL, CLK_SYS_DIV; PLL_SYS FBDIV_INT, PRIM
_SETTLE_MS = const(60)  # what the stage's filter and hold take to show zero after output
_PULSE_MS = const(4)  # longer than any pulse
_UPTIME_MS = const(1 << 30)  # 12 days: from twice as much on now_ms() is wrong, and a session takes hours at most
_LEAK_SHARE = const(100)  # of full scale: more than 1 % with every set-point at zero is a leak
assert 1 << _RING_BITS == feeder.BYTES


class Engine:
    """board: the description; dac, sense: drivers (rheorp2.dac, rheorp2.sense). Construct once, at boot."""

    def __init__(self, board, dac, sense):
        self.board = board
        self.dac = dac
        self.sense = sense
        self.block = block = Block(board)
        self.cutoff = Cutoff(HOLD, block.guard_kill)
        self.leak_ua = board["full_scale_ua"] // _LEAK_SHARE
        self.armed = False
        self.failed = None  # a fault that only the next arm takes back
        self.rings = {}
        self.addresses = {}
        self.ctrl = {}  # DMA control: words, ring on the read address, paced by the machine, chained to itself, quiet
        rows = block.rows() + dac.rows()
        for n in block.numbers:
            i = n - 1
            halves = array("H", bytes(2 * feeder.BYTES))
            at = uctypes.addressof(halves)
            first = -at % feeder.BYTES
            self.rings[n] = (halves, first // 2)
            self.addresses[n] = at + first
            self.ctrl[n] = 1 | 2 << 2 | 1 << 4 | _RING_BITS << 6 | i << 11 | i << 15 | 1 << 21
            rows.append((hw.DMA + 0x40 * i + 0x10, hw.DMA_SETTINGS, self.ctrl[n] & hw.DMA_SETTINGS))
            rows.append((hw.DMA + 0x40 * i + 4, 0xFFFFFFFF, hw.PIO_TXF0 + 4 * i))
        self.first_clock = len(rows)
        self.registers = Registers(rows + [(register, 0xFFFFFFFF, 0) for register in _CLOCKS])

    # -- arm ---------------------------------------------------------------------------------------------------

    def ready(self):
        """None if arming makes sense, else the fault that stands in its way."""
        if not self.interlock():
            return "interlock_open"
        if not 0 <= hw.now_ms() < _UPTIME_MS:
            return "clock"
        return "supply_low" if self.sense.supply_low() else None

    def arm(self, numbers):
        """Self-test behind the closed gate, then open it. None, or the fault. Makes no edge on any leg."""
        block = self.block
        self.armed = False
        self.failed = None
        hw.wr(hw.PIO_IRQ_FORCE, HOLD)
        block.gate(True)
        self.dac.zero()
        if machine.freq() != self.board["clk_sys_hz"]:
            return "clock"
        for row in range(self.first_clock, self.registers.rows):
            self.registers.keep(row)
        block.interlock_in()
        if block.interlock_driven() or not block.ready():
            return "self_test"
        for n in block.numbers:
            self._stop_dma(n)
        if self.registers.astray() >= 0 or self.dac.astray() or not self.dac.quiet():
            return "self_test"
        fault = block.prove_guard()
        if fault:
            return fault
        if not self.cutoff.prove() or not self._still():
            return "self_test"
        block.gate(False)
        self.armed = True
        return None if self.quiet() else "self_test"

    def _stop_dma(self, n):
        i = n - 1
        hw.stop_dma(i, 1)
        hw.wr(hw.DMA_CREDITS + 0x40 * i, 0)  # the count of free places in the FIFO, handshaken anew
        hw.wr(hw.DMA + 0x40 * i + 4, hw.PIO_TXF0 + 4 * i)
        hw.wr(hw.DMA + 0x40 * i + 0x10, self.ctrl[n] & hw.DMA_SETTINGS)  # AL1_CTRL, not enabled: triggers nothing

    def _still(self):
        """True once no channel shows a current: with every set-point at zero there must be none, calibrated or not."""
        until = hw.now_ms() + _SETTLE_MS
        while any(self.sense.raw_ua(n) > self.leak_ua for n in self.block.numbers):
            if hw.now_ms() > until:
                return False
        return True

    # -- play --------------------------------------------------------------------------------------------------

    def start(self, pairs, cutoff_ms):
        """Begin to play [(n, feeder)], in the same tick where nothing plays yet; returns the time of the first item.

        The hardware's own end stands cutoff_ms after that, or where it stood if that is later.
        """
        block = self.block
        first = not hw.field(hw.PIO_CTRL, 0, block.machines)
        mask = 0
        for n, feed in pairs:
            mask |= 1 << (n - 1)
            hw.run_dma(n - 1, self.addresses[n], feed.fill(), self.ctrl[n])
        if self.cutoff.left_ms() < cutoff_ms:
            self.cutoff.set(cutoff_ms)  # last: filling the leases takes some ms
        early_ms = hw.now_ms()
        hw.wr(hw.PIO_CTRL + hw.SET, mask | mask << 8)  # enable and restart dividers: the same tick for all
        hw.wr(hw.PIO_FDEBUG, mask << 24 | mask << 16)
        if first and not self._over():  # if it has latched, or the cutoff has come, its hold must stand
            hw.wr(hw.PIO_IRQ, HOLD)  # go
            if self._over():
                hw.wr(hw.PIO_IRQ_FORCE, HOLD)
        late_ms = hw.now_ms()
        for _n, feed in pairs:
            feed.started(early_ms, late_ms)
        return late_ms

    def _over(self):
        """True if the guard has latched, or the cutoff holds already: a near one may come in a collection."""
        return counter(3) != self.block.guard_watch or self.cutoff.fired()

    def service(self, n, feed, set_ua):
        """Renew the lease of channel n and account what it played. None, or the fault."""
        i = n - 1
        if not hw.is_playing(i, self.block.base):
            return "internal"
        early_ms = hw.now_ms()
        starved = hw.field(hw.PIO_FDEBUG, 24 + i, 1)
        at = hw.field(hw.DMA + 0x40 * i, 0, 0x3FFFFFFF)  # it runs: before the level, so that none counts too early
        left = feed.advance(self._place(n, at), hw.field(hw.PIO_FLEVEL, 8 * i, 15), set_ua)
        if left < 0 or hw.field(hw.PIO_FDEBUG, 16 + i, 1):  # not a place that can be, or a word lost to a full FIFO
            return "internal"
        if starved and not feed.done():
            return "starved" if left else "underrun"
        if not feed.in_time(early_ms, hw.now_ms()):
            return "cutoff" if self.cutoff.fired() else "clock"  # held by the chain, and not latched yet
        feed.fill()
        return None if hw.feed_dma(i, self.addresses[n], feed.made & 127, self.ctrl[n]) or feed.done() else "underrun"

    def _place(self, n, at):
        """Word of channel n's ring at address `at`; -1: outside of it."""
        at -= self.addresses[n]
        return at >> 2 if 0 <= at < feeder.BYTES else -1

    def finished(self, n, feed):
        """True once the plan is used up and the machine waits for an item that will not come."""
        return feed.done() and counter(n - 1) == PULL

    def _account(self, n, feed):
        """Last account of a channel that stands still. True if its last pulse was cut."""
        i = n - 1
        at = hw.read_dma(i)
        feed.advance(self._place(n, at), hw.field(hw.PIO_FLEVEL, 8 * i, 15), feed.ua)
        return feed.last_pulse and 2 <= counter(i) <= HELD

    # -- end ---------------------------------------------------------------------------------------------------

    def hold(self, pairs):
        """Soft end: the pulse in play completes (at most 2.4 ms), then gate, machines, set-points.

        The guard is left as it is. Returns the channels whose last pulse it cut, if it latched before the end. A
        machine that does not come out of its pulse is cut off: a fault.
        """
        hw.wr(hw.PIO_IRQ_FORCE, HOLD)
        until_ms = hw.now_ms() + _PULSE_MS
        while self._in_pulse(pairs):
            if hw.now_ms() > until_ms:
                cut = self.kill(pairs)
                self.failed = "internal"
                return cut
        latched = self.guard_fault() == "interlock_open"
        self.block.gate(True)
        hw.wr(hw.PIO_CTRL + hw.CLR, self.block.machines)
        self.dac.zero()
        self.cutoff.clear()
        cut = [n for n, feed in pairs if self._account(n, feed)]
        return cut if latched else ()

    @staticmethod
    def _in_pulse(pairs):
        for n, _feed in pairs:
            if PULL < counter(n - 1) < HELD:
                return True
        return False

    def kill(self, pairs):
        """Hard end, at once. Returns the numbers of the channels whose last pulse was cut."""
        self.cut_off()
        return [n for n, feed in pairs if self._account(n, feed)]

    def cut_off(self):
        """The kill itself; callable from anywhere, any number of times. Allocates nothing."""
        block = self.block
        hw.kill(block.base, block.legs, block.guard_kill, block.machines, block.machines, self.dac.slices, block.enable)
        self.cutoff.clear()
        self.dac.forget()
        self.armed = False

    # -- look --------------------------------------------------------------------------------------------------

    def interlock(self):
        """True while the interlock loop is closed."""
        return self.block.interlock()

    def guard_fault(self):
        """None while the armed guard watches and the hardware is what it was armed as; else what is wrong.

        What cannot be read is written anew.
        """
        if self.failed or not self.armed:
            return self.failed or (None if self.interlock() else "interlock_open")
        at = counter(3)
        if at == self.block.guard_latched:
            return "cutoff" if self.cutoff.fired() else "interlock_open"
        self.block.refresh()
        if machine.freq() != self.board["clk_sys_hz"]:
            return "clock"
        row = self.registers.astray()
        if row >= 0:
            return "clock" if row >= self.first_clock else "internal"
        if at != self.block.guard_watch or self.cutoff.astray() or self.dac.astray():
            return "internal"
        for n in self.block.numbers:  # playing or not: a leg may be high only where the program has it high
            if hw.astray(n - 1, self.block.base):
                return "internal"
        return None

    def open(self):
        """True while the gate stands open: pulses could leave the pins."""
        return self.block.gate_open()

    def quiet(self):
        """True if every leg reads low at its pad."""
        return self.block.quiet()

    def cause(self, fault):
        """True while the cause of a latched fault is still there."""
        if fault == "interlock_open":
            return not self.interlock()
        if fault == "clock":
            return machine.freq() != self.board["clk_sys_hz"]
        return fault == "supply_low" and self.sense.supply_low()

    def set_ua(self, n, ua):
        self.dac.set_ua(n, ua)
