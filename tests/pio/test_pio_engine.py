"""The numbers that the engine knows of the programs are the programs' own: addresses, and instructions it executes.

The block (rheorp2/block.py) runs on the board only; its constants are read from its text.
"""

import ast

import pytest
from pio.assembler import SOURCE, assemble
from pio.player import BIPHASIC, PULL, SECOND_WAIT

BLOCK = SOURCE.with_name("block.py")
GUARD = assemble()["guard"]


def number(node):
    """Value of a literal or of a shift of literals; None for anything else."""
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.LShift):
        return number(node.left) << number(node.right)
    return None


def constants():
    """{name: value} of every `_NAME = const(literal)` of the block."""
    assigned = [node for node in ast.parse(BLOCK.read_text()).body if isinstance(node, ast.Assign)]
    return {node.targets[0].id: number(node.value.args[0]) for node in assigned if isinstance(node.value, ast.Call)}


CONSTANTS = constants()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PULL", PULL),
        ("HELD", SECOND_WAIT),
        ("_EXEC_PULL", 0x8080),  # pull noblock, side 0
        ("HOLD", 1 << (BIPHASIC.opcodes[0] & 7)),  # the flag that the program waits for
    ],
)
def test_the_engine_knows_the_program(name, value):
    assert CONSTANTS[name] == value


def test_what_it_executes_to_move_the_legs_does_nothing_else():
    """_EXEC_SIDE_0, _A, _AB: `mov y, y` with the side-set that the name says, as this program's two pins encode it."""
    sides = {name: value for name, value in CONSTANTS.items() if name.startswith("_EXEC_SIDE_")}
    assert "_EXEC_SIDE_0" in sides and len(sides) > 1
    for name, value in sides.items():
        legs = ("A" in name[len("_EXEC_SIDE_") :]) + 2 * ("B" in name[len("_EXEC_SIDE_") :])
        assert value == 0xA042 | legs << 5 - BIPHASIC.side_pins << 8


def test_the_hold_flag_that_the_guard_sets_is_the_one_the_program_asks():
    assert GUARD.opcodes[1] & 7 == BIPHASIC.opcodes[0] & 7 == BIPHASIC.opcodes[SECOND_WAIT] & 7


def test_the_guard_lies_behind_the_biphasic_program_and_within_the_block():
    at = CONSTANTS["_GUARD_AT"]
    assert len(BIPHASIC.opcodes) <= at
    assert at + len(GUARD.opcodes) <= 32


def test_the_programs_relocate_by_their_jumps_alone():
    """What makes `opcode + offset` right: only jumps (0 in the top bits) hold an address, and none runs over 31."""
    for program in (BIPHASIC, GUARD):
        for opcode in program.opcodes:
            if opcode >> 13 == 0:
                assert (opcode & 31) < len(program.opcodes)
            else:
                assert opcode >> 13 != 5 or opcode >> 5 & 7 != 5, "mov pc"
                assert opcode >> 13 != 3 or opcode >> 5 & 7 != 5, "out pc"


def test_the_counter_of_a_pulse_lies_between_pull_and_the_second_wait():
    """What the engine's account of a cut pulse rests on: legs high only in between."""
    high = [address for address, opcode in enumerate(BIPHASIC.opcodes) if opcode >> 11 & 3]
    assert min(high) > PULL and max(high) < SECOND_WAIT
    assert all(address > PULL for address in (BIPHASIC.labels["pulse"], BIPHASIC.labels["rest"]))


def test_the_watch_over_the_legs_knows_where_the_program_drives_them():
    """hw.astray: the counter shows the instruction that comes next, so a leg is high at its loop and one after."""
    a, b, last = BIPHASIC.labels["a"], BIPHASIC.labels["b"], len(BIPHASIC.opcodes) - 1
    text = SOURCE.with_name("hw.py").read_text()
    for line in (f"if at > {last}:", f"if at == {a} or at == {a + 1}:", f"elif at == {b} or at == {b + 1}:"):
        assert line in text
    assert [at for at, opcode in enumerate(BIPHASIC.opcodes) if opcode >> 11 & 3] == [a, b]
