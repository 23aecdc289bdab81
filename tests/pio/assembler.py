"""Assembles rheorp2/pio_programs.py on CPython, by a stand-in `rp2`; runs nothing, refuses what it does not know.

Encodings: RP2040 datasheet, chapter 3.4. Only the instructions and settings that our programs use exist here: an
unknown name or setting, or a program that would assemble otherwise on the board, raises AssemblyError.
"""

import sys
import types
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2] / "firmware/lib/rheorp2/pio_programs.py"

JMP, WAIT, IN, OUT, PULL, MOV, IRQ, SET = 0x0000, 0x2000, 0x4000, 0x6000, 0x8080, 0xA000, 0xC000, 0xE000

_JMP_IF = {"always": 0, "not_x": 1, "x_dec": 2, "not_y": 3, "y_dec": 4, "x_not_y": 5, "pin": 6, "not_osre": 7}
_IN_FROM = {"pins": 0, "x": 1, "y": 2, "null": 3, "isr": 6, "osr": 7}
_OUT_TO = {"pins": 0, "x": 1, "y": 2, "null": 3, "pindirs": 4, "pc": 5, "isr": 6, "exec": 7}
_MOV_TO = {"pins": 0, "x": 1, "y": 2, "exec": 4, "pc": 5, "isr": 6, "osr": 7}
_MOV_FROM = {"pins": 0, "x": 1, "y": 2, "null": 3, "status": 5, "isr": 6, "osr": 7}
_SET_TO = {"pins": 0, "x": 1, "y": 2, "pindirs": 4}
_WAIT_ON = {"gpio": 0, "pin": 1, "irq": 2}


class AssemblyError(Exception):
    """The program says something that this assembler, or the hardware, cannot do."""


class Program:
    """What the board gets. opcodes: list of 16-bit words, jumps relative to the program's start.

    wrap_target, wrap: addresses; labels: {name: address}; side_pins: number of side-set pins (always driven);
    side_init, out_init: tuples of initial levels; shift_right: direction of the output shift register; autopull: False.
    """

    def __init__(self, name, out_init, side_init, shift_right):
        self.name = name
        self.out_init = out_init
        self.side_init = side_init
        self.side_pins = len(side_init)
        self.shift_right = shift_right
        self.autopull = False
        self.opcodes = []
        self.labels = {}
        self.wrap_target = 0
        self.wrap = None


class _Emitter:
    """The directives of one program: calling them appends opcodes."""

    def __init__(self, program):
        self.program = program
        self.jumps = []  # (address, label)
        self.sides = {}  # address: level
        self.delays = {}  # address: cycles

    # -- instructions

    def jmp(self, first, second=None):
        condition, target = ("always", first) if second is None else (first, second)
        self.jumps.append((len(self.program.opcodes), target))
        return self._emit(JMP | _code(_JMP_IF, condition, "jmp condition") << 5)

    def wait(self, polarity, source, index):
        name = "irq" if source == self.irq else source
        return self._emit(
            WAIT | _range(polarity, 0, 1) << 7 | _code(_WAIT_ON, name, "wait source") << 5 | _range(index, 0, 31)
        )

    def in_(self, source, bits):
        return self._emit(IN | _code(_IN_FROM, source, "in source") << 5 | _range(bits, 1, 32) & 31)

    def out(self, to, bits):
        return self._emit(OUT | _code(_OUT_TO, to, "out destination") << 5 | _range(bits, 1, 32) & 31)

    def pull(self, how="block"):
        if how not in ("block", "noblock"):
            raise AssemblyError(f"pull({how}): only block and noblock are known here")
        return self._emit(PULL | (how == "block") << 5)

    def mov(self, to, source):
        return self._emit(MOV | _code(_MOV_TO, to, "mov destination") << 5 | _code(_MOV_FROM, source, "mov source"))

    def irq(self, index):
        return self._emit(IRQ | _range(index, 0, 7))

    def set(self, to, value):
        return self._emit(SET | _code(_SET_TO, to, "set destination") << 5 | _range(value, 0, 31))

    # -- about the instruction just emitted

    def side(self, value):
        return self._note(self.sides, _range(value, 0, (1 << self.program.side_pins) - 1))

    def delay(self, cycles):
        return self._note(self.delays, _range(cycles, 0, (1 << 5 - self.program.side_pins) - 1))

    __getitem__ = delay

    # -- about the place

    def label(self, name):
        if name in self.program.labels:
            raise AssemblyError(f"label {name} twice")
        self.program.labels[name] = len(self.program.opcodes)

    def wrap_target(self):
        self.program.wrap_target = len(self.program.opcodes)

    def wrap(self):
        self.program.wrap = len(self.program.opcodes) - 1

    # -- inside

    def _emit(self, opcode):
        if len(self.program.opcodes) == 32:
            raise AssemblyError(f"{self.program.name} does not fit the 32 instructions of a block")
        self.program.opcodes.append(opcode)
        return self

    def _note(self, notes, value):
        address = len(self.program.opcodes) - 1
        if address in notes:
            raise AssemblyError(f"{self.program.name}: instruction {address} is given a side or a delay twice")
        notes[address] = value
        return self

    def finish(self):
        program = self.program
        for address, label in self.jumps:
            if label not in program.labels:
                raise AssemblyError(f"{program.name}: no label {label}")
            program.opcodes[address] |= program.labels[label]
        missing = [a for a in range(len(program.opcodes)) if a not in self.sides]
        if program.side_pins and missing:  # the board would spend a bit on "optional side-set": other opcodes
            raise AssemblyError(f"{program.name}: no side-set at {missing}")
        for address in range(len(program.opcodes)):
            field = self.sides.get(address, 0) << 5 - program.side_pins | self.delays.get(address, 0)
            program.opcodes[address] |= field << 8
        if program.wrap is None:
            program.wrap = len(program.opcodes) - 1
        return program


def _code(table, name, what):
    if not isinstance(name, str) or name not in table:
        raise AssemblyError(f"{name!r} is no {what}")
    return table[name]


def _range(value, low, high):
    if type(value) is not int or not low <= value <= high:
        raise AssemblyError(f"{value!r} is not a number from {low} to {high}")
    return value


class _PIO:
    OUT_LOW, OUT_HIGH = 2, 3
    SHIFT_LEFT, SHIFT_RIGHT = 0, 1


def _levels(init):
    pins = init if isinstance(init, tuple) else (init,)
    if not all(p in (_PIO.OUT_LOW, _PIO.OUT_HIGH) for p in pins):
        raise AssemblyError(f"pins start as {init!r}: only OUT_LOW and OUT_HIGH are known here")
    return tuple(p == _PIO.OUT_HIGH for p in pins)


def _asm_pio(*, sideset_init=(), out_init=(), out_shiftdir=_PIO.SHIFT_LEFT):
    """Stand-in for rp2.asm_pio. Any other setting is a TypeError, hence refused."""

    def decorate(function):
        program = Program(function.__name__, _levels(out_init), _levels(sideset_init), out_shiftdir == _PIO.SHIFT_RIGHT)
        emitter = _Emitter(program)
        words = {name: name for table in (_JMP_IF, _OUT_TO, _MOV_TO, _MOV_FROM, _SET_TO, _WAIT_ON) for name in table}
        words |= {"block": "block", "noblock": "noblock"}
        for name in ("jmp", "wait", "in_", "out", "pull", "mov", "irq", "set", "label", "wrap_target", "wrap"):
            words[name] = getattr(emitter, name)  # irq is an instruction and a source: the instruction's name wins
        try:
            types.FunctionType(function.__code__, words | {"__builtins__": {}})()
        except (NameError, TypeError, AttributeError) as error:
            raise AssemblyError(f"{program.name}: {error}") from error
        return emitter.finish()

    return decorate


def assemble(source=None):
    """{name: Program} of every program in the source text (default: the firmware's own file)."""
    text = SOURCE.read_text() if source is None else source
    stand_in = types.ModuleType("rp2")
    stand_in.asm_pio, stand_in.PIO = _asm_pio, _PIO
    before = sys.modules.get("rp2")
    sys.modules["rp2"] = stand_in
    names = {"__name__": "pio_programs"}
    try:
        exec(compile(text, str(SOURCE), "exec"), names)
    except (TypeError, AttributeError) as error:
        raise AssemblyError(str(error)) from error
    finally:
        if before is None:
            del sys.modules["rp2"]
        else:
            sys.modules["rp2"] = before
    return {name: thing for name, thing in names.items() if isinstance(thing, Program)}


def opcodes(name):
    """The opcodes of one program ("biphasic", "guard"), as the board's own assembler must make them."""
    return assemble()[name].opcodes
