"""The capture's program is a sampler: one look every 2 clocks, whatever it finds; told time against true edge.

pioemu executes the program's own opcodes; its FIFO is emptied after each clock, as the DMA does. The two flip-flops
before the pin are modelled here: what the program reads is two clocks old. An edge at clock e comes through at e + 2.
"""

import itertools
import random

import numpy as np
import pytest
from pio.assembler import assemble
from pioemu import State, emulate
from rheobase.bench import looks

EDGES = assemble()["edges"]
START = EDGES.labels["low_look"]
SYNC_CLOCKS = 2
FULL = 2**32 - 1


def record(levels, x=FULL):
    """Words pushed while the pin is at levels[clock]; the program has entered where the firmware lets it."""
    state = State(program_counter=START, x_register=x)
    words = []

    def pins(clock: int) -> int:
        return levels[max(0, clock - SYNC_CLOCKS)]

    steps = emulate(
        EDGES.opcodes,
        stop_when=lambda opcode, state: state.clock >= len(levels),
        initial_state=state,
        input_source=pins,
        auto_push=True,
        jmp_pin=0,
        wrap_target=EDGES.wrap_target,
        wrap_top=EDGES.wrap,
    )
    clocks = 0
    for _, after in steps:
        words += after.receive_fifo
        after.receive_fifo.clear()
        clocks += 1
    assert clocks == len(levels), "an instruction took other than one clock"
    return np.array(words, dtype=np.uint32)


def told(levels, x=FULL):
    """Clocks of the looks that found an edge, by the host's own decoder; x: where the counter begins."""
    words = record(levels, x)
    from_top = words + np.uint32((FULL - x) & FULL)  # as if it had begun at the top
    return list(2 * looks.samples(from_top))


def sampled(levels):
    """What a look every 2 clocks finds: the definition."""
    found, before = [], 0
    for clock in range(0, len(levels) - 2, 2):  # the last one's word may not be out yet
        level = levels[max(0, clock - SYNC_CLOCKS)]
        if level != before:
            found.append(clock)
            before = level
    return found


def wave(lengths, first=0):
    """Levels of successive lengths in clocks, low first."""
    return [first ^ i & 1 for i, length in enumerate(lengths) for _ in range(length)]


@pytest.mark.parametrize("phase", range(2, 12))
def test_an_edge_is_told_in_the_two_clocks_after_it_comes_through(phase):
    """Every phase of the program's loops, against levels of 2 to 9 clocks: none lost, early or 2 clocks late."""
    for a, b, c in itertools.product(range(2, 10), repeat=3):
        lengths = (phase, a, b, c, 12)
        edges = list(itertools.accumulate(lengths))[:-1]
        found = told(wave(lengths))
        assert len(found) == len(edges), lengths
        late = [t - (edge + SYNC_CLOCKS) for t, edge in zip(found, edges, strict=True)]
        assert set(late) <= {0, 1}, lengths


@pytest.mark.parametrize("seed", range(4))
def test_it_is_a_sampler_also_for_levels_too_short_to_be_seen(seed):
    rng = random.Random(seed)
    levels = wave([rng.choice((1, 1, 2, 3, 4, 7, 20)) for _ in range(300)]) + [0] * 3
    found = told(levels)
    assert found[: len(sampled(levels))] == sampled(levels)
    assert len(found) - len(sampled(levels)) <= 1


@pytest.mark.parametrize("x", [*range(8), 100])
@pytest.mark.parametrize("first", [0, 1])
def test_the_counter_that_comes_round_costs_no_clock(x, first):
    """After 68.7 s x passes 0: in either state of the wire the looks stay 2 clocks apart."""
    levels = wave((31, 40, 33, 2, 2, 9, 30), first)
    assert told(levels, x) == told(levels) == sampled(levels)[: len(told(levels))]


def test_a_wire_that_is_high_at_the_start_shows_an_edge_at_the_first_look():
    assert told([1] * 20) == [0]
    assert told([1] * 7 + [0] * 20)[0] == 0


def test_the_longest_way_through_the_program_takes_as_long_as_the_shortest():
    """No instruction has a delay or a side-set, and nothing but `in` can stall."""
    assert [opcode >> 8 & 0x1F for opcode in EDGES.opcodes] == [0] * 10
    assert {opcode >> 13 for opcode in EDGES.opcodes} == {0, 2}
