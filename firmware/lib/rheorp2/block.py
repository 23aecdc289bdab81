"""PIO block 0 and its pins: programs, settings, pads, the guard and its proof. Plays nothing and ends nothing.

Everything is set up once, by registers: a StateMachine or Pin object would re-select functions and open the gate.
Machines 0..2 play channels 1..3, machine 3 is the guard. IRQ flag 4 set = hold.
"""

from array import array

from micropython import const

from rheorp2 import hw
from rheorp2.pio_programs import biphasic, guard

HOLD = const(1 << 4)
PULL = const(1)  # counter values of biphasic
HELD = const(12)  # the wait after phase B
_GUARD_AT = const(20)  # instruction memory: biphasic from 0, guard from here
_EXEC_PULL = const(0x8080)  # pull noblock, side 0
_EXEC_SIDE_AB = const(0xB842)  # mov y, y, side 3: both legs, behind the closed gate only
_EXEC_SIDE_0 = const(0xA042)
_ALL = const(0xFFFFFFFF)


def _relocated(program, at):
    """Opcodes of an assembled program for offset `at`: jmp targets move with it."""
    return [op + at if op >> 13 == 0 else op for op in program[0]]


def instr(i):
    """Address of state machine i's INSTR register."""
    return hw.PIO_SM + i * hw.SM_STRIDE + 0x10


def counter(i):
    """Program counter of state machine i."""
    return hw.field(hw.PIO_SM + i * hw.SM_STRIDE + 0xC, 0, 31)


class Block:
    """board: the description. Construct once, at boot: legs are outputs, low, behind the closed gate from then on."""

    def __init__(self, board):
        self.numbers = [c["n"] for c in board["channels"]]
        self.legs = 2 * len(self.numbers)
        self.base = board["leg_base"]
        self.machines = (1 << len(self.numbers)) - 1
        self.interlock_pin = board["interlock"]
        self.enable = board.get("stage_enable", -1)  # an extra of some boards: high only while the gate is open
        self.guard_watch = _GUARD_AT
        self.guard_kill = _GUARD_AT + 1  # as an instruction: jmp there
        self.guard_latched = _GUARD_AT + 2
        code = _relocated(biphasic, 0) + [0] * (_GUARD_AT - len(biphasic[0])) + _relocated(guard, _GUARD_AT)
        self.code = array("I", code)
        self._registers = self._settings()
        hw.wr(hw.PIO_IRQ_FORCE, HOLD)
        self.program()
        for pin in range(self.base, self.base + self.legs):
            hw.wr(hw.PADS + 4 * pin, hw.PAD_RESET)
        if self.enable >= 0:
            hw.wr(hw.PADS + 4 * self.enable, hw.PAD_RESET)
        self.gate(True)
        self.interlock_in()
        self._directions()
        hw.wr(hw.PIO_CTRL + hw.SET, 1 << 3)  # the guard runs from now on

    def _settings(self):
        """[(register, value)] of every state machine: written at boot and at each arm."""
        out = []
        for i in range(len(self.numbers)):
            at = hw.PIO_SM + i * hw.SM_STRIDE
            out.append((at, 125 << 16))  # 1 us ticks
            out.append((at + 4, (len(biphasic[0]) - 1) << 12))  # wrap
            out.append((at + 8, 1 << 19 | 1 << 18))  # shift right, no autopull, no join
            out.append((at + 0x14, 2 << 29 | (self.base + 2 * i) << 10))  # side-set: this channel's two legs
        at = hw.PIO_SM + 3 * hw.SM_STRIDE
        latch = self.guard_latched
        out.append((at, 1 << 16))  # full clock
        out.append((at + 4, self.interlock_pin << 24 | latch << 12 | latch << 7))
        out.append((at + 8, 1 << 19 | 1 << 18))
        out.append((at + 0x14, self.legs << 20 | self.base))  # out: all legs
        return out

    def rows(self):
        """[(register, mask, value)] that hold from arm on, whether the gate is open or closed."""
        out = []
        for i in range(len(self._registers)):
            register, value = self._registers[i]
            out.append((register, 0x7FFFFFFF if i % 4 == 1 else _ALL, value))  # EXECCTRL's bit 31: EXEC_STALLED
        out.append((hw.PIO_CTRL, 1 << 3, 1 << 3))
        out.append((hw.PIO_SYNC_BYPASS, _ALL, 0))
        mask = ((1 << self.legs) - 1) << self.base
        out.append((hw.PIO_PADOE, mask, mask))
        for pin in range(self.base, self.base + self.legs):
            out.append((hw.IO + 8 * pin + 4, _ALL ^ hw.OUT_LOW, hw.FUNC_PIO0))
            out.append((hw.PADS + 4 * pin, 0xFF, hw.PAD_RESET))
        if self.enable >= 0:
            out.append((hw.IO + 8 * self.enable + 4, _ALL ^ hw.STAGE_OFF ^ hw.STAGE_ON, hw.STAGE_OFF & hw.STAGE_ON))
            out.append((hw.PADS + 4 * self.enable, 0xFF, hw.PAD_RESET))
        out.append((hw.IO + 8 * self.interlock_pin + 4, _ALL, hw.FUNC_NULL))
        out.append((hw.PADS + 4 * self.interlock_pin, 0xFF, hw.PAD_RESET))
        return out

    def program(self):
        """Stop everything, write programs and settings anew (instruction memory cannot be read), latch the guard."""
        hw.wr(hw.PIO_CTRL + hw.CLR, 0xF)
        self.refresh()
        for register, value in self._registers:
            hw.wr(register, value)
        hw.wr(hw.PIO_CTRL + hw.SET, 0xFF0)  # restart machines and dividers
        hw.wr(instr(3), self.guard_kill)

    def refresh(self):
        """Write the programs once more: instruction memory cannot be read, so a word gone wrong is not left to stand.
        Harmless to machines that run: the words are the same."""
        hw.write_words(hw.PIO_MEM, self.code, len(self.code))

    def _directions(self):
        """Make the legs outputs of the block, levels low, by `set pindirs` in groups of two through machine 0..2."""
        for i in range(len(self.numbers)):
            at = hw.PIO_SM + i * hw.SM_STRIDE
            hw.wr(at + 0x14, 2 << 26 | (self.base + 2 * i) << 5)
            hw.wr(at + 0x10, 0xE000)  # set pins, 0
            hw.wr(at + 0x10, 0xE083)  # set pindirs, 3
            hw.wr(at + 0x14, 2 << 29 | (self.base + 2 * i) << 10)

    def interlock_in(self):
        """The interlock's pin: an input with pull-down, driven by no function that somebody may have left on it."""
        hw.wr(hw.PADS + 4 * self.interlock_pin, hw.PAD_RESET)
        hw.wr(hw.IO + 8 * self.interlock_pin + 4, hw.FUNC_NULL)
        hw.wr(hw.PIO_SYNC_BYPASS, 0)

    def interlock_driven(self):
        """True if something on the chip drives the interlock's pin."""
        return hw.field(hw.IO + 8 * self.interlock_pin, 13, 1) == 1

    def interlock(self):
        """True while the interlock loop is closed (its pin reads high)."""
        return hw.field(hw.IO + 8 * self.interlock_pin, 17, 1) == 1

    def gate(self, closed):
        """Close (True) or open the pad gate of every leg; the stage enable, where there is one, goes with it."""
        hw.set_gate(self.base, self.legs, closed)
        if self.enable >= 0:
            hw.wr(hw.IO + 8 * self.enable + 4, hw.STAGE_OFF if closed else hw.STAGE_ON)

    def gate_open(self):
        """True unless every leg is forced low at its pad, and the stage enable driven low."""
        if self.enable >= 0 and not hw.same(hw.IO + 8 * self.enable + 4, hw.STAGE_OFF):
            return True
        for pin in range(self.base, self.base + self.legs):
            if not hw.same(hw.IO + 8 * pin + 4, hw.FUNC_PIO0 | hw.OUT_LOW):
                return True
        return False

    def quiet(self):
        """True if every leg reads low at its pad."""
        for pin in range(self.base, self.base + self.legs):
            if hw.field(hw.IO + 8 * pin, 17, 1):
                return False
        return True

    def ready(self):
        """Programs and settings written, FIFOs empty, machines at their first `wait`, the guard on and latched: or
        False. For a closed gate and the hold flag set."""
        self.program()
        for i in range(len(self.numbers)):
            for _ in range(8):
                hw.wr(instr(i), _EXEC_PULL)
            hw.wr(instr(i), 0)  # jmp to the first `wait`
            if hw.field(hw.PIO_FLEVEL, 8 * i, 15) or counter(i):
                return False
        hw.wr(hw.PIO_CTRL + hw.SET, 1 << 3)
        return True

    def prove_guard(self):
        """A latched guard must hold raised legs low; an open one must let them rise, so that the proof can fail.

        None, or the fault. Behind the closed gate; leaves the guard watching.
        """
        for pin in range(self.base, self.base + self.legs):
            if not hw.same(hw.IO + 8 * pin + 4, hw.FUNC_PIO0 | hw.OUT_LOW) or not hw.field(hw.PIO_PADOE, pin, 1):
                return "self_test"  # the gate must be closed and the block must drive
        if self.enable >= 0 and hw.field(hw.IO + 8 * self.enable, 17, 1):
            return "self_test"  # something else holds the stage enable high
        for want, entry in ((0, self.guard_kill), (3, self.guard_watch)):
            hw.wr(instr(3), entry)
            for i in range(len(self.numbers)):
                hw.wr(instr(i), _EXEC_SIDE_AB)
                levels = hw.field(hw.PIO_PADOUT, self.base + 2 * i, 3)
                hw.wr(instr(i), _EXEC_SIDE_0)
                if levels != want:
                    return "self_test" if self.interlock() else "interlock_open"
        return None if hw.field(hw.PIO_PADOUT, self.base, (1 << self.legs) - 1) == 0 else "self_test"
