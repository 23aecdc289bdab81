"""The harness tells the truth: skipped rests and a sped-up pioemu give the same trace as pioemu as it is shipped."""

import random

import pytest
from pio import player
from pio.assembler import AssemblyError, assemble
from pio.player import play
from rheocore import items

REST_MAX = items.REST_MAX_US
ENDS = [
    width | field << 10 | rest << 18
    for width, field in ((0, 0), (0, 255), (1, 0), (2, 255), (37, 7))
    for rest in (0, 1, 2, 3, 50, REST_MAX)
]


def story(trace):
    return trace.edges, trace.starts, trace.taken, trace.stalls, trace.visits, trace.end


@pytest.fixture
def shipped():
    player.use_shipped(True)
    yield
    player.use_shipped(False)


def test_hurried_rests_equal_full_steps_at_the_ends_and_at_random():
    rng = random.Random(7)
    words = ENDS + [rng.getrandbits(32) & ~0x3C0 for _ in range(20)]
    assert story(play(words)) == story(play(words, hurry=False))


def test_hurried_rests_equal_full_steps_under_hold_and_late_words():
    words = [5 | 300 << 18, 0 | 900 << 18, 5]
    outside = {"hold": [(100, 1500), (2500, 4000)], "refill": [(9000, 3 | 40 << 18)]}
    assert story(play(words, **outside)) == story(play(words, hurry=False, **outside))


def test_sped_up_pioemu_equals_pioemu_as_shipped(shipped):
    words = [w for w in ENDS if w >> 18 <= 50] + [1023 | 255 << 10, 1 | 3 << 18]
    slow = play(words, hurry=False)
    player.use_shipped(False)
    assert story(play(words)) == story(slow)


@pytest.mark.req("REQ-132")
def test_a_leg_high_loop_is_never_skipped():
    """The steps taken with a leg high are as many as the ticks: no word is judged by arithmetic of ours."""
    seen = []

    class Counting(player.Trace):
        def __init__(self):
            super().__init__()
            self.visits = self

        def add(self, visit):
            seen.append(visit[1])

    before, player.Trace = player.Trace, Counting
    try:
        play([200 | 1000 << 18])
    finally:
        player.Trace = before
    assert seen.count(1) == seen.count(2) == 200


@pytest.mark.parametrize(
    "body",
    [
        "push(block).side(0)",  # an instruction we do not use
        "nop().side(0).fast()",  # no such thing
        "pull(block)",  # a side-set left out: the board would assemble something else
        'jmp("nowhere").side(0)',
        "set(x, 32).side(0)",
        "set(x, 1).side(4)",
        "set(x, 1).side(0)[8]",  # two side-set pins leave three bits of delay
        "set(x, len('a')).side(0)",  # nothing of Python's is there
        "mov(x, moon).side(0)",
    ],
)
def test_the_assembler_refuses_what_it_does_not_know(body):
    source = f"import rp2\n@rp2.asm_pio(sideset_init=(rp2.PIO.OUT_LOW, rp2.PIO.OUT_LOW))\ndef odd():\n    {body}\n"
    with pytest.raises(AssemblyError):
        assemble(source)


def test_the_assembler_refuses_a_setting_it_does_not_know():
    with pytest.raises(AssemblyError):
        assemble("import rp2\n@rp2.asm_pio(autopull=True)\ndef odd():\n    pull(block)\n")
    with pytest.raises(AssemblyError):
        assemble("import rp2\n@rp2.asm_pio(sideset_init=rp2.PIO.IN_LOW)\ndef odd():\n    pull(block)\n")


def test_the_programs_fit_one_block_and_start_low():
    programs = assemble()
    assert sum(len(programs[name].opcodes) for name in ("biphasic", "guard")) <= 32
    for program in programs.values():
        assert not any(program.side_init + program.out_init)
    assert programs["biphasic"].shift_right
