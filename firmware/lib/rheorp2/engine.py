"""The pulse engine: PIO block 0, its guard, the DMA leases, the pad gate. Implements rheocore.session's `output`.

Everything is set up once, by registers: a StateMachine or Pin object would re-select functions and open the gate.
Machines 0..2 play channels 1..3, machine 3 is the guard; DMA channel n feeds machine n. IRQ flag 4 set = hold.
"""

from array import array

import machine
import uctypes
from micropython import const
from rheocore import feeder

from rheorp2 import hw
from rheorp2.cutoff import Cutoff
from rheorp2.pio_programs import biphasic, guard

_HOLD = const(1 << 4)
_GUARD_AT = const(20)  # instruction memory: biphasic from 0, guard from here
_PULL = const(1)  # counter values of biphasic
_HELD = const(12)  # the wait after phase B
_EXEC_PULL = const(0x8080)  # pull noblock, side 0
_EXEC_SIDE_AB = const(0xB842)  # mov y, y, side 3: both legs, behind the closed gate only
_EXEC_SIDE_0 = const(0xA042)
_RING_BITS = const(9)
assert 1 << _RING_BITS == feeder.BYTES


def _relocated(program, at):
    """Opcodes of an assembled program for offset `at`: jmp targets move with it."""
    return [op + at if op >> 13 == 0 else op for op in program[0]]


class Engine:
    """board: the description; dac, sense: drivers (rheorp2.dac, rheorp2.sense). Construct once, at boot."""

    def __init__(self, board, dac):
        self.board = board
        self.dac = dac
        self.numbers = [c["n"] for c in board["channels"]]
        self.legs = 2 * len(self.numbers)
        self.base = board["leg_base"]
        self.machines = (1 << len(self.numbers)) - 1
        self.interlock_pin = board["interlock"]
        self.guard_watch = _GUARD_AT
        self.guard_kill = _GUARD_AT + 1  # as an instruction: jmp there
        self.code = _relocated(biphasic, 0) + [0] * (_GUARD_AT - len(biphasic[0])) + _relocated(guard, _GUARD_AT)
        self.cutoff = Cutoff(_HOLD, self.guard_kill)
        self.proved = False
        self.rings = {}
        self.addresses = {}
        for n in self.numbers:
            halves = array("H", bytes(2 * feeder.BYTES))
            at = uctypes.addressof(halves)
            first = -at % feeder.BYTES
            self.rings[n] = (halves, first // 2)
            self.addresses[n] = at + first
        self._registers = self._settings()
        hw.wr(hw.PIO_IRQ_FORCE, _HOLD)
        self._program()
        for pin in range(self.base, self.base + self.legs):
            hw.wr(hw.PADS + 4 * pin, hw.PAD_RESET)
        hw.set_gate(self.base, self.legs, 1)
        self._interlock_in()
        self._directions()
        hw.wr(hw.PIO_CTRL + hw.SET, 1 << 3)  # the guard runs from now on

    def _settings(self):
        """[(register, value)] of every state machine: written at boot, compared at each arm."""
        out = []
        for i in range(len(self.numbers)):
            at = hw.PIO_SM + i * hw.SM_STRIDE
            out.append((at, 125 << 16))  # 1 us ticks
            out.append((at + 4, (len(biphasic[0]) - 1) << 12))  # wrap
            out.append((at + 8, 1 << 19 | 1 << 18))  # shift right, no autopull, no join
            out.append((at + 0x14, 2 << 29 | (self.base + 2 * i) << 10))  # side-set: this channel's two legs
        at = hw.PIO_SM + 3 * hw.SM_STRIDE
        latch = _GUARD_AT + 2
        out.append((at, 1 << 16))  # full clock
        out.append((at + 4, self.interlock_pin << 24 | latch << 12 | latch << 7))
        out.append((at + 8, 1 << 19 | 1 << 18))
        out.append((at + 0x14, self.legs << 20 | self.base))  # out: all legs
        return out

    def _program(self):
        hw.wr(hw.PIO_CTRL + hw.CLR, 0xF)
        for i in range(len(self.code)):
            hw.wr(hw.PIO_MEM + 4 * i, self.code[i])
        for register, value in self._registers:
            hw.wr(register, value)
        hw.wr(hw.PIO_CTRL + hw.SET, 0xFF0)  # restart machines and dividers
        hw.wr(self._instr(3), self.guard_kill)

    def _directions(self):
        """Make the legs outputs of the block, levels low, by `set pindirs` in groups of two through machine 0..2."""
        for i in range(len(self.numbers)):
            at = hw.PIO_SM + i * hw.SM_STRIDE
            hw.wr(at + 0x14, 2 << 26 | (self.base + 2 * i) << 5)
            hw.wr(at + 0x10, 0xE000)  # set pins, 0
            hw.wr(at + 0x10, 0xE083)  # set pindirs, 3
            hw.wr(at + 0x14, 2 << 29 | (self.base + 2 * i) << 10)

    def _interlock_in(self):
        """The interlock's pin: an input with pull-down, driven by no function that somebody may have left on it."""
        hw.wr(hw.PADS + 4 * self.interlock_pin, hw.PAD_RESET)
        hw.wr(hw.IO + 8 * self.interlock_pin + 4, hw.FUNC_NULL)
        hw.wr(hw.PIO_SYNC_BYPASS, 0)

    @staticmethod
    def _instr(i):
        return hw.PIO_SM + i * hw.SM_STRIDE + 0x10

    @staticmethod
    def _counter(i):
        return hw.field(hw.PIO_SM + i * hw.SM_STRIDE + 0xC, 0, 31)

    # -- arm ---------------------------------------------------------------------------------------------------

    def arm(self, numbers):
        """Self-test behind the closed gate, then open it. None, or the fault. Makes no edge on any leg."""
        hw.wr(hw.PIO_IRQ_FORCE, _HOLD)
        hw.set_gate(self.base, self.legs, 1)
        self.dac.zero()
        if machine.freq() != self.board["clk_sys_hz"]:
            return "clock"
        self._interlock_in()
        if hw.field(hw.IO + 8 * self.interlock_pin, 13, 1):  # something drives it
            return "self_test"
        self._program()
        for i in range(len(self.numbers)):
            self._flush(i)
            hw.wr(self._instr(i), 0)  # jmp to the first `wait`
            if hw.field(hw.PIO_FLEVEL, 8 * i, 15) or self._counter(i):
                return "self_test"
        hw.wr(hw.PIO_CTRL + hw.SET, 1 << 3)
        for register, value in self._registers:
            if not hw.same(register, value):
                return "self_test"
        fault = self._prove_guard()
        if fault:
            return fault
        if not self.cutoff.prove():
            return "self_test"
        hw.set_gate(self.base, self.legs, 0)
        self.proved = True
        return None if self.quiet() else "self_test"

    def _flush(self, i):
        for _ in range(8):
            hw.wr(self._instr(i), _EXEC_PULL)

    def _prove_guard(self):
        """A latched guard must hold raised legs low; an open one must let them rise, so that the proof can fail."""
        for pin in range(self.base, self.base + self.legs):
            if not hw.same(hw.IO + 8 * pin + 4, hw.FUNC_PIO0 | hw.OUT_LOW) or not hw.field(hw.PIO_PADOE, pin, 1):
                return "self_test"  # the gate must be closed and the block must drive
        for want, entry in ((0, self.guard_kill), (3, self.guard_watch)):
            hw.wr(self._instr(3), entry)
            for i in range(len(self.numbers)):
                hw.wr(self._instr(i), _EXEC_SIDE_AB)
                levels = hw.field(hw.PIO_PADOUT, self.base + 2 * i, 3)
                hw.wr(self._instr(i), _EXEC_SIDE_0)
                if levels != want:
                    return "self_test" if self.interlock() else "interlock_open"
        return None if hw.field(hw.PIO_PADOUT, self.base, (1 << self.legs) - 1) == 0 else "self_test"

    # -- play --------------------------------------------------------------------------------------------------

    def start(self, pairs, cutoff_ms):
        """Begin to play [(n, feeder)], in the same tick where nothing plays yet. cutoff_ms: the hardware's own end."""
        self.cutoff.set(cutoff_ms)
        first = not hw.field(hw.PIO_CTRL, 0, self.machines)
        mask = 0
        for n, feed in pairs:
            i = n - 1
            count = feed.fill()
            mask |= 1 << i
            hw.run_dma(i, self.addresses[n], count, self._dma_ctrl(i))
        hw.wr(hw.PIO_CTRL + hw.SET, mask | mask << 8)  # enable and restart dividers: the same tick for all
        hw.wr(hw.PIO_FDEBUG, mask << 24 | mask << 16)
        if first and self._counter(3) == self.guard_watch:  # if it has latched, its hold must stand
            hw.wr(hw.PIO_IRQ, _HOLD)  # go
            if self._counter(3) != self.guard_watch:
                hw.wr(hw.PIO_IRQ_FORCE, _HOLD)
        return hw.now_ms()

    def _dma_ctrl(self, i):
        """Word size, ring on the read address, paced by the machine's FIFO, chained to itself (none), quiet."""
        hw.wr(hw.DMA + 0x40 * i + 4, hw.PIO_TXF0 + 4 * i)
        return 1 | 2 << 2 | 1 << 4 | _RING_BITS << 6 | i << 11 | i << 15 | 1 << 21

    def service(self, n, feed, set_ua):
        """Renew the lease of channel n and account what it played. None, or the fault."""
        i = n - 1
        starved = hw.field(hw.PIO_FDEBUG, 24 + i, 1)
        at = hw.read_dma(i)
        left = feed.advance((at - self.addresses[n]) >> 2, hw.field(hw.PIO_FLEVEL, 8 * i, 15), set_ua)
        if left < 0 or hw.field(hw.PIO_FDEBUG, 16 + i, 1):  # no place in the ring, or a word lost to a full FIFO
            return "internal"
        if starved and not (feed.exhausted and feed.played == feed.made):
            return "underrun"
        count = feed.fill()
        if count > 0 and not hw.feed_dma(i, at, count, self._dma_ctrl(i)):
            return "underrun"
        return None

    def finished(self, n, feed):
        """True once the plan is used up and the machine waits for an item that will not come."""
        return feed.exhausted and feed.played == feed.made and self._counter(n - 1) == _PULL

    def _account(self, n, feed):
        """Last account of a channel that stands still. True if its last pulse was cut."""
        i = n - 1
        at = hw.read_dma(i)
        feed.advance((at - self.addresses[n]) >> 2, hw.field(hw.PIO_FLEVEL, 8 * i, 15), feed.ua)
        return feed.last_pulse and 2 <= self._counter(i) <= _HELD

    # -- end ---------------------------------------------------------------------------------------------------

    def hold(self, pairs):
        """Soft end: the pulse in play completes (at most 2.4 ms), then gate, machines, set-points.

        The guard is left as it is. Returns the channels whose last pulse it cut, if it latched before the end.
        """
        hw.wr(hw.PIO_IRQ_FORCE, _HOLD)
        for _ in range(1000):
            if not any(_PULL < self._counter(n - 1) < _HELD for n, _feed in pairs):
                break
        latched = self.guard_fault() == "interlock_open"
        hw.set_gate(self.base, self.legs, 1)
        hw.wr(hw.PIO_CTRL + hw.CLR, self.machines)
        self.dac.zero()
        self.cutoff.clear()
        cut = [n for n, feed in pairs if self._account(n, feed)]
        return cut if latched else ()

    def kill(self, pairs):
        """Hard end, at once. Returns the numbers of the channels whose last pulse was cut."""
        self.cut_off()
        return [n for n, feed in pairs if self._account(n, feed)]

    def cut_off(self):
        """The kill itself; callable from anywhere, any number of times."""
        hw.kill(self.base, self.legs, self.guard_kill, self.machines, self.machines, self.dac.slices)
        self.cutoff.clear()
        self.dac.forget()
        self.proved = False

    # -- look --------------------------------------------------------------------------------------------------

    def interlock(self):
        """True while the interlock loop is closed (its pin reads high)."""
        return hw.field(hw.IO + 8 * self.interlock_pin, 17, 1) == 1

    def guard_fault(self):
        """None while the armed guard watches; else what is wrong."""
        if not self.proved:
            return None if self.interlock() else "interlock_open"
        at = hw.PIO_SM + 3 * hw.SM_STRIDE
        if not hw.field(hw.PIO_CTRL, 3, 1) or hw.field(at, 8, 0xFFFFFF) != 1 << 8:
            return "self_test"
        if self._counter(3) == self.guard_watch:
            return None
        return "cutoff" if self.cutoff.fired() else "interlock_open"

    def quiet(self):
        """True if every leg reads low at its pad."""
        return all(not hw.field(hw.IO + 8 * pin, 17, 1) for pin in range(self.base, self.base + self.legs))

    def cause(self, fault):
        """True while the cause of a latched fault is still there."""
        return fault == "interlock_open" and not self.interlock()

    def set_ua(self, n, ua):
        self.dac.set_ua(n, ua)
