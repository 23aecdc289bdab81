"""Passing over loops changes nothing: the event-run PIO against the same block stepped instruction by instruction."""

import random

import pytest
from emulator import device_scripts as dev
from rheobase.emulator import clocking
from rheobase.emulator.engine import Engine
from rheobase.emulator.snapshot import in_child

PIO = 0x50200000
TXF, INSTR_MEM, SM = PIO + 0x10, PIO + 0x48, PIO + 0xC8
SET, CLR = 0x2000, 0x3000
OUT_LEGS = 6 << 20 | 2

# The biphasic program and the guard of device_scripts, assembled (checked below against the image's assembler).
BIPHASIC = [
    0x2044, 0x80A0, 0x604A, 0x0086, 0x6068, 0x0010, 0xA022, 0x0847, 0x6028, 0x0049, 0xA022, 0x104B, 0xE744, 0xE73F,
    0x074E, 0x078D, 0x602E, 0x0051,
]  # fmt: skip
GUARD = [0x00D2, 0xC004, 0xA003]


class Stepped(clocking.EventPio):
    """The event-run block with nothing passed over."""

    def _pass_over(self, i, machine):
        pass


def bare(block=clocking.EventPio, guard_divider=1):
    """A chip with no image and its core asleep, the program in PIO 0, three channels and the guard set up."""
    engine = Engine()
    chip = engine.chip
    if block is not clocking.EventPio:
        old = chip.pio[0]
        chip._pio[0] = chip.peripherals[0x50200] = block(chip, old.name, old.first_irq, 0)
    chip.core.waiting = True
    for n, opcode in enumerate(BIPHASIC + GUARD):
        engine.poke(INSTR_MEM + 4 * n, opcode)
    edges = []
    for gpio in range(2, 8):
        engine.poke(0x40014004 + 8 * gpio, 6)
        chip.gpio[gpio].add_listener(lambda new, old, g=gpio: edges.append((engine.now_ns, g, int(new) == 1)))
    for i in range(3):
        at = SM + 0x18 * i
        for offset, value in ((0, 125 << 16), (4, 17 << 12), (8, 3 << 18), (0x14, 2 << 26 | (2 + 2 * i) << 5)):
            engine.poke(at + offset, value)
        engine.poke(at + 0x10, 0xE083)  # set pindirs, 3
        engine.poke(at + 0x14, 2 << 29 | (2 + 2 * i) << 10)
    at = SM + 0x18 * 3
    for offset, value in ((0, guard_divider << 16), (4, 9 << 24 | 20 << 12 | 20 << 7), (8, 3 << 18), (0x14, OUT_LEGS)):
        engine.poke(at + offset, value)
    engine.poke(at + 0x10, 18)
    engine.poke(0x4001C000 + 4 + 4 * 9, 0x56)  # interlock: input on, pull-down
    chip.gpio[9].set_input_value(True)
    edges.clear()
    return engine, edges


def play(block, seed, guard_divider=125):
    """Random items on three channels, with holds, disables, dividers and forced jumps at random moments."""
    engine, edges = bare(block, guard_divider)
    rng = random.Random(seed)
    engine.poke(PIO + SET, 0xF | 0xF << 8)
    t = 0
    for _ in range(40):
        t += rng.choice((8, 1_000, 37_000, 411_000, 1_700_000)) + 8 * rng.randrange(200)
        engine.run_to(t)
        n, action = rng.randrange(3), rng.randrange(12)
        if action < 6:
            engine.poke(TXF + 4 * n, dev.item(rng.choice((0, 1, 5, 100)), rng.choice((3, 4, 60)), rng.randrange(300)))
        elif action == 6:
            engine.poke(PIO + CLR, 1 << n)
        elif action == 7:
            engine.poke(PIO + SET, 7)
        elif action == 8:
            engine.poke(PIO + 0x34, 1 << 4)  # hold
        elif action == 9:
            engine.poke(PIO + 0x30, 1 << 4)  # go on
        elif action == 10:
            engine.poke(SM + 0x18 * n, rng.choice((125, 25, 250)) << 16)
        else:
            engine.poke(SM + 0x18 * n + 0x10, 0xA042)  # nop side 0
    engine.run_to(t + 10_000_000)
    machines = [(m.pc, m.x, m.y, m.tx_fifo.item_count) for m in engine.chip.pio[0].machines[:3] if m.waiting]
    return edges, machines, engine.chip.pio[0].steps


@pytest.mark.parametrize("seed", range(6))
def test_passing_over_loops_changes_no_edge_and_no_register(seed):
    passed, registers, steps = play(clocking.EventPio, seed)
    stepped, same_registers, many = play(Stepped, seed)
    assert passed == stepped
    assert registers == same_registers
    assert steps * 10 < many


def test_the_program_of_this_file_is_what_the_image_assembles(pulses):
    def read(board):
        return board.mcu.pio[0].instructions[:]

    # MicroPython loads from the top of the memory down: the guard at 29, the program below it.
    memory = pulses(read)
    at = next(i for i in range(32) if memory[i] & 0xE0FF == 0x2044)
    relocated = [op + at if op >> 13 == 0 else op for op in BIPHASIC]
    assert memory[at : at + len(BIPHASIC)] == relocated


def glitch(level_at):
    """Interlock opens for `level_at` ns and closes again; (edges, guard's program counter)."""
    engine, edges = bare()
    engine.poke(PIO + SET, 0xF | 0xF << 8)
    engine.poke(TXF, dev.item(100))
    engine.run_to(50_000)
    engine.chip.gpio[9].set_input_value(False)
    engine.run_to(50_000 + level_at)
    engine.chip.gpio[9].set_input_value(True)
    engine.run_to(1_000_000)
    return edges, engine.chip.pio[0].machines[3].pc


def test_a_short_opening_latches_for_good():
    edges, pc = glitch(100)
    assert [e[1:] for e in edges] == [(2, True), (2, False)]
    assert pc == 20


def capture():
    """A machine of the other block waits for leg A by `wait gpio` and counts its length; the chip's own pin."""
    engine, edges = bare()
    block, sm = 0x50300000, 0x50300000 + 0xC8
    program = [0x2082, 0xA02B, 0x0043, 0x00C2, 0xA0C1, 0x8020]  # wait 1 gpio 2; mov x,~null; l: jmp x-- n; n: jmp pin l
    for n, opcode in enumerate(program):
        engine.poke(block + 0x48 + 4 * n, opcode)
    engine.poke(sm, 25 << 16)
    engine.poke(sm + 4, 2 << 24 | 5 << 12)
    engine.poke(sm + 8, 3 << 18)
    for gpio in (2,):
        engine.poke(0x4001C004 + 4 * gpio, 0x56)
    engine.poke(block + SET, 1 | 1 << 8)
    engine.poke(PIO + SET, 0xF | 0xF << 8)
    engine.poke(TXF, dev.item(100))
    engine.run_to(2_000_000)
    counted = -1 - engine.peek(block + 0x20)
    return counted & 0xFFFFFFFF, edges


def test_the_other_block_sees_and_times_a_leg_of_this_chip():
    counted, edges = in_child(capture)
    assert edges[1][0] - edges[0][0] == 100_000
    # One turn is two instructions at 200 ns; margin two turns for both ends.
    assert abs(counted * 400 - 100_000) <= 800


def test_a_disabled_machine_leaves_its_word_in_the_fifo():
    engine, _ = bare()
    engine.poke(PIO + SET, 0xF | 0xF << 8)
    engine.run_to(100_000)  # machines stall at `pull`
    engine.poke(PIO + CLR, 1)
    engine.poke(TXF, dev.item(10))
    engine.run_to(200_000)
    assert engine.peek(PIO + 0xC) & 0xF == 1
    engine.poke(PIO + SET, 1)
    engine.run_to(300_000)
    assert engine.peek(PIO + 0xC) & 0xF == 0


def test_a_stall_ends_on_the_machines_own_tick_not_at_once():
    """The divider runs on while a machine stalls: every edge lies on the same 1 us grid, whenever the word came."""
    engine, edges = bare()
    engine.poke(PIO + SET, 0xF | 0xF << 8)
    t = 0
    for step in (10_384, 4_000_008, 4_000_504, 3_999_992):
        t += step
        engine.run_to(t)
        engine.poke(TXF, dev.item(100))
    engine.run_to(t + 4_000_000)
    assert len(edges) == 4 * 4
    assert len({t_ns % 1000 for t_ns, _, _ in edges}) == 1


def test_a_divider_restart_puts_stalled_machines_on_one_grid():
    engine, edges = bare()
    engine.poke(PIO + 0x34, 1 << 4)  # hold: every machine will stall at its `wait`
    for n in range(3):
        engine.run_to(10_000 + 1_304 * n)
        engine.poke(TXF + 4 * n, dev.item(100))
        engine.poke(PIO + SET, 1 << n | 1 << (8 + n))
    engine.run_to(100_000)
    engine.poke(PIO + SET, 7 << 8)
    engine.run_to(200_456)
    engine.poke(PIO + 0x30, 1 << 4)
    engine.run_to(1_000_000)
    assert len({t_ns for t_ns, gpio, high in edges if high and gpio in (2, 4, 6)}) == 1


def test_a_forced_instruction_breaks_a_stall_and_keeps_the_place():
    engine, _ = bare()
    engine.poke(PIO + SET, 0xF | 0xF << 8)
    engine.run_to(100_000)
    engine.poke(SM + 0x10, 0xA042)  # nop, at `pull`
    assert engine.peek(SM + 0xC) == 1
    engine.poke(PIO + 0x30, 0)
    engine.poke(SM + 0x10, 0x0000)  # jmp 0
    assert engine.peek(SM + 0xC) == 0
    engine.run_to(110_000)
    assert engine.peek(SM + 0xC) == 1  # through the wait to `pull` again


def test_a_forced_pull_noblock_empties_the_fifo_and_is_no_stall():
    engine, _ = bare()
    for n in range(3):
        engine.poke(TXF, dev.item(n + 1))
    engine.poke(PIO + 8, 0xFFFFFFFF)
    for left in (2, 1, 0, 0):
        engine.poke(SM + 0x10, 0x8080)
        assert engine.peek(PIO + 0xC) & 0xF == left
    assert engine.peek(PIO + 8) >> 24 & 1 == 0  # FDEBUG.TXSTALL
    assert engine.peek(SM + 0xC) == 0


@pytest.mark.parametrize(("join", "fits"), [(0, 4), (1 << 30, 8), (1 << 31, 0)])
def test_changing_the_join_empties_and_resizes_the_fifos(join, fits):
    engine, _ = bare()
    shiftctrl = SM + 8
    engine.poke(TXF, 1)
    engine.poke(shiftctrl, 3 << 18 | 1 << 30)
    assert engine.peek(PIO + 0xC) & 0xF == 0
    engine.poke(shiftctrl, 3 << 18 | join)
    for n in range(9):
        engine.poke(TXF, n)
    assert engine.peek(PIO + 0xC) & 0xF == fits
