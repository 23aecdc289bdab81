"""Timed waits passed over: the capture's program on the event-run block against the same block stepped, and the pins.

Levels change at random times, from half a clock apart; some on the very clock of a look, some between two clocks.
"""

import random

import numpy as np
import pytest
from pio.assembler import assemble
from rheobase.bench import looks
from rheobase.emulator import clocking
from rheobase.emulator.engine import CYCLE_NS, Engine

PIO1 = 0x50300000
FDEBUG, FLEVEL, RXF, MEM, SM = PIO1 + 8, PIO1 + 0xC, PIO1 + 0x20, PIO1 + 0x48, PIO1 + 0xC8
PIN = 9
JOIN_AUTOPUSH = 1 << 31 | 1 << 18 | 1 << 16
PROGRAM = assemble()["edges"]
# The same job with the look last, as it would be written without care for the clock that an edge costs: other loops.
SIMPLE = [0x4020, 0x0042, 0x00C1, 0x4020, 0x0045, 0x00C0]
# Edges counted, not timed, by jumps to themselves: while high one that is taken, while low one that is not.
COUNTED = [0x00C0, 0x4020, 0x0045, 0x4020, 0x0040, 0x00C3]


class Stepped(clocking.EventPio):
    """The event-run block with nothing passed over."""

    def _pass_over(self, i, machine):
        self._listen(PIN)


def bare(block, opcodes, wrap_target, start):
    engine = Engine()
    chip = engine.chip
    if block is not clocking.EventPio:
        old = chip.pio[1]
        chip._pio[1] = chip.peripherals[0x50300] = block(chip, old.name, old.first_irq, 1)
    chip.core.waiting = True
    engine.poke(0x4001C004 + 4 * PIN, 0x56)
    for n, opcode in enumerate(opcodes):
        engine.poke(MEM + 4 * n, opcode)
    engine.poke(SM, 1 << 16)
    engine.poke(SM + 4, PIN << 24 | (len(opcodes) - 1) << 12 | wrap_target << 7)
    engine.poke(SM + 8, JOIN_AUTOPUSH)
    engine.poke(SM + 0x10, 0xA02B)  # mov x, ~null
    engine.poke(SM + 0x10, start)
    return engine


def play(block, seed, opcodes, wrap_target, start, shortest=0.5):
    """(words, clocks of the edges, steps): random levels; what is in the FIFO is taken out after each edge."""
    engine = bare(block, opcodes, wrap_target, start)
    pin = engine.chip.gpio[PIN]
    pin.set_input_value(False)
    rng = random.Random(seed)
    words, edges = [], []
    t0 = engine.now_ns
    engine.poke(PIO1, 1 | 1 << 8)
    clock, level = 4, False  # the block hears of a pin from the first look at it on
    lengths = [n for n in (0.5, 1, 2, 3, 4, 5, 6, 7, 8, 40, 1000) if n >= shortest]
    for _ in range(120):
        clock += rng.choice(lengths) + rng.choice((0, 0, 1) if shortest == 2 else (0, 0, 0.25, 0.625))
        engine.run_to(t0 + round(clock * CYCLE_NS))
        level = not level
        pin.set_input_value(level)
        edges.append(clock)
        if rng.random() < 0.2:
            engine.poke(SM + 0x14, 0)  # a write to the machine's registers brings it to the present: no harm
        while engine.peek(FLEVEL) >> 4 & 15:
            words.append(engine.peek(RXF))
    engine.run_to(t0 + round(clock + 20) * CYCLE_NS)
    while engine.peek(FLEVEL) >> 4 & 15:
        words.append(engine.peek(RXF))
    machine = engine.chip.pio[1].machines[0]
    engine.poke(SM + 0x14, 0)
    assert engine.peek(FDEBUG) & 1 == 0
    return words, edges, (machine.pc, machine.x), engine.chip.pio[1].steps


ENTRIES = {
    "capture": (PROGRAM.opcodes, PROGRAM.wrap_target, 3),
    "look last": (SIMPLE, 4, 4),
    "counted": (COUNTED, 5, 5),
}


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("name", ENTRIES)
def test_passing_over_a_timed_wait_changes_no_word_and_no_register(name, seed):
    passed = play(clocking.EventPio, seed, *ENTRIES[name])
    stepped = play(Stepped, seed, *ENTRIES[name])
    assert passed[:3] == stepped[:3]
    assert passed[3] * 4 < stepped[3]


@pytest.mark.parametrize("seed", range(4))
def test_the_event_run_block_tells_every_edge_within_two_clocks(seed):
    """Levels of 2 clocks and more, after the two clocks of the synchroniser: none missed, none late, none early."""
    words, edges, _, _ = play(clocking.EventPio, seed, *ENTRIES["capture"], shortest=2)
    found = 2 * looks.samples(np.array(words, dtype=np.uint32))
    assert len(found) == len(edges)
    late = found - np.array(edges) - 2
    assert late.max() - late.min() <= 1
    assert late.max() == 0  # the first look is one clock after the write that starts the machine


def test_a_wait_of_over_a_minute_is_passed_over_in_some_steps_and_timed_to_the_clock():
    """The counter comes round after 2**32 looks (68.7 s), in either state of the wire."""
    engine = bare(clocking.EventPio, *ENTRIES["capture"])
    pin = engine.chip.gpio[PIN]
    pin.set_input_value(False)
    engine.poke(PIO1, 1 | 1 << 8)
    t0, waits = engine.now_ns, (1_000, 70_000_000_000, 80_000_000_000, 3_200)
    for n, wait in enumerate(waits):
        t0 += wait
        engine.run_to(t0)
        pin.set_input_value(n % 2 == 0)
    engine.run_to(t0 + 1_000)
    words = np.array([engine.peek(RXF) for _ in waits], dtype=np.uint32)
    assert engine.chip.pio[1].steps < 100
    told = np.diff(looks.samples(words)) * 16
    assert list(told % (2**32 * 16)) == [wait % (2**32 * 16) for wait in waits[1:]]
