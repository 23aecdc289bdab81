"""The guard: interlock open -> legs low within 5 system clocks, latched. Clocks are clk_sys, no divider.

pioemu executes the guard's own `jmp pin` and `mov pins, null`. It has no IRQ instruction: `irq 4` is replaced by a
one-cycle instruction that does nothing (`mov y, y`); that the real opcode is one cycle (set flag 4, no waiting) is a
test of its bits. The two flip-flops before the pin are modelled here: what the program reads is two clocks old.
The chip lets the highest state machine win a pin in a cycle in which several write it; the model of a block below says
just that. It says nothing about metastability (up to one clock) or about the pad's own delay.
"""

import pytest
from pio.assembler import assemble
from pio.player import FOREVER, LEGS, play
from pioemu import State, emulate

GUARD = assemble()["guard"]
WATCH = GUARD.labels["watch"]
LATCH = GUARD.wrap_target
INTERLOCK = 9
LEG_PINS = 0b11_1111 << 2
SYNC_CLOCKS = 2
BOUND_CLOCKS = 5
DIVIDER = 125
IRQ_4 = 0xC004
NOTHING = 0xA042  # mov y, y
UP_TO = 400


def watch(interlock, legs, clocks=UP_TO, start=WATCH):
    """[(address, legs after the clock)] of the guard. interlock(clock) -> level at the pin; legs(clock) -> what the
    channel machines put on the six leg pins in that clock, None if they write nothing."""
    state = State(program_counter=start, pin_directions=LEG_PINS, pin_values=LEG_PINS)
    story = []

    def pins(clock: int) -> int:
        return interlock(clock - SYNC_CLOCKS) << INTERLOCK

    steps = emulate(
        [NOTHING if opcode == IRQ_4 else opcode for opcode in GUARD.opcodes],
        stop_when=lambda opcode, state: state.clock >= clocks,
        initial_state=state,
        input_source=pins,
        jmp_pin=INTERLOCK,
        wrap_target=GUARD.wrap_target,
        wrap_top=GUARD.wrap,
    )
    for before, after in steps:
        wanted = legs(before.clock)
        writes = GUARD.opcodes[before.program_counter] >> 13 == 5  # mov pins: the guard writes in this clock, and wins
        if wanted is not None and not writes:
            object.__setattr__(after, "pin_values", after.pin_values & ~LEG_PINS | wanted & LEG_PINS)
        story.append((before.program_counter, after.pin_values & LEG_PINS))
    assert len(story) == clocks, "a guard instruction took other than one clock"
    return story


def high(_):
    return LEG_PINS


@pytest.mark.req("REQ-010")
def test_irq_is_one_cycle_and_holds_flag_4_for_all_machines():
    """110 | no delay | set, not waiting | flag 4, absolute: executes in one cycle (datasheet 3.4.9)."""
    assert GUARD.opcodes[WATCH + 1] == IRQ_4
    assert [opcode >> 8 & 0x1F for opcode in GUARD.opcodes] == [0, 0, 0]


def test_while_the_interlock_is_closed_the_guard_touches_nothing():
    assert set(watch(lambda clock: 1, high)) == {(WATCH, LEG_PINS)}


@pytest.mark.req("REQ-010")
@pytest.mark.parametrize("opened", range(10, 20))
def test_interlock_open_to_legs_low_is_at_most_5_clocks(opened):
    """Two clocks of synchroniser, then jmp, irq, mov: the worst case over every phase of the loop (it has one)."""
    story = watch(lambda clock: clock < opened, high)
    lows = [clock + 1 for clock, (_, legs) in enumerate(story) if legs == 0]
    assert lows[0] - opened <= BOUND_CLOCKS
    assert lows == list(range(lows[0], UP_TO + 1)), "a leg came back"


def test_the_flag_is_set_before_the_legs_are_forced():
    """So no channel machine can begin an item after its legs were taken."""
    addresses = [address for address, _ in watch(lambda clock: clock < 10, high)]
    assert addresses.index(WATCH + 1) < addresses.index(LATCH)


@pytest.mark.req("REQ-010")
@pytest.mark.parametrize("closed", [11, 12, 15, 50])
def test_closing_again_raises_nothing_however_short_the_opening(closed):
    story = watch(lambda clock: not 10 <= clock < closed, high)
    first = story.index((LATCH, 0))
    assert first < 10 + BOUND_CLOCKS
    assert set(story[first:]) == {(LATCH, 0)}


def test_the_latch_writes_every_clock_whatever_the_interlock_and_the_channels_do():
    assert GUARD.wrap_target == GUARD.wrap == LATCH
    story = watch(lambda clock: clock & 1, high, start=LATCH)
    assert set(story) == {(LATCH, 0)}


def test_the_kill_enters_at_irq_so_it_holds_and_then_latches():
    story = watch(lambda clock: 1, high, start=WATCH + 1)
    assert story[0] == (WATCH + 1, LEG_PINS)
    assert set(story[1:]) == {(LATCH, 0)}


WORD = 3 | 2 << 10 | 40 << 18  # legs: A in ticks 5-7, dead 8-12, B in 13-15
ENDS = 17


def channel():
    """Legs that a channel machine writes at each system clock: once a tick, at the divider's enable."""
    trace = play([WORD, WORD])
    levels = dict(trace.edges)
    legs, tick_legs = 0, []
    for tick in range(ENDS):
        legs = levels.get(tick, legs)
        tick_legs.append(legs)

    def writes(clock):
        tick, phase = divmod(clock, DIVIDER)
        return tick_legs[tick] << 2 if phase == 0 and tick < ENDS else None

    return writes


@pytest.mark.req("REQ-010")
@pytest.mark.parametrize("tick", [4, 5, 7, 8, 12, 13, 15, 16])
def test_opening_at_any_clock_of_a_pulse_takes_both_legs_down_for_good(tick):
    """Every phase of a tick by steps of 3 clocks, one channel at divider 125 against the guard at full clock."""
    writes = channel()
    for opened in range(tick * DIVIDER, (tick + 1) * DIVIDER, 3):
        story = watch(lambda clock, opened=opened: clock < opened, writes, clocks=ENDS * DIVIDER)
        late = [clock + 1 for clock, (_, legs) in enumerate(story) if legs & LEGS << 2 and clock >= opened]
        assert all(clock < opened + BOUND_CLOCKS for clock in late), f"opened at clock {opened}: high until {late[-1]}"


@pytest.mark.req("REQ-010")
def test_after_the_guard_no_further_item_even_with_the_interlock_closed_again():
    """The flag it sets stands: the machine meets it at its next asking, wherever in the item the guard struck."""
    for tick in (1, 6, 10, 14, 100, 1400):
        trace = play([WORD] * 3, hold=[(tick, FOREVER)], linger=5000)
        assert len(trace.taken) == 1
