"""Plays item words through the biphasic program in pioemu and writes down every edge; judges no word.

One tick is one PIO cycle (1 us at divider 125). How pioemu is driven, and where it is not the chip:

* It has no IRQ flags. Its decoder reads the source bits of `wait` as GPIO whatever they say, so the program's own,
  unchanged opcode `wait 0 irq 4` waits for pin 4 to be low. Pin 4 of the emulated port stands for flag 4 (1 = hold).
  For polarity 0 that is the same one-cycle test each cycle (`wait 1 irq` would also clear the flag: test_pio_program.py
  holds the opcodes to polarity 0, source irq, absolute index 4).
* A rest is a self-loop with both legs low: with `hurry`, its ticks are skipped by writing the clock and x, down to the
  last. Nothing else is skipped: each tick with a leg high is executed. test_pio_harness.py proves the two alike.
* pioemu is sped up: it remembers what each opcode decodes to, copies its State in a shorter way, and does not copy it
  where nothing changes; the same test runs it as it is shipped and compares.
"""

import functools
from collections import deque

from pio.assembler import assemble
from pioemu import State, emulation, primitive_operations
from pioemu.instructions import pull as pull_module

BIPHASIC = assemble()["biphasic"]
WAIT = 0  # address of the first `wait`: an item begins there
PULL = 1
SECOND_WAIT = BIPHASIC.labels["b"] + 1  # after phase B: where a hold that came in the pulse is met
LEGS = 3
HOLD_PIN = 1 << 4
FOREVER = 1 << 40
ITEM_TICKS_MAX = 21_000  # no word lasts longer: what does has lost its way


def _copy(state, **changes):
    """What dataclasses.replace does for a State, faster."""
    new = object.__new__(State)
    object.__setattr__(new, "__dict__", state.__dict__ | changes)
    return new


def _delay(instruction, condition_met, delay, state):
    return _SHIPPED["_apply_delay_value"](instruction, condition_met, delay, state) if delay else state


def _side_set(state, base, count, value):
    if state.pin_values >> base & (1 << count) - 1 == value:
        return state
    return _SHIPPED["_apply_side_set_to_pin_values"](state, base, count, value)


class _Decoder(emulation.NewInstructionDecoder):
    def __init__(self, *args):
        super().__init__(*args)
        self.decode = functools.cache(super().decode)


class _OldDecoder(emulation.InstructionDecoder):
    def __init__(self, *args):
        super().__init__(*args)
        self.decode = functools.cache(super().decode)
        self.create_emulation = functools.cache(super().create_emulation)


_FAST = {
    "NewInstructionDecoder": _Decoder,
    "InstructionDecoder": _OldDecoder,
    "replace": _copy,
    "_apply_delay_value": _delay,
    "_apply_side_set_to_pin_values": _side_set,
}
_SHIPPED = {name: getattr(emulation, name) for name in _FAST}


def use_shipped(shipped):
    """Use pioemu's own parts (True), or those that remember and skip what changes nothing (False)."""
    parts = _SHIPPED if shipped else _FAST
    for name, part in parts.items():
        setattr(emulation, name, part)
    primitive_operations.replace = pull_module.replace = parts["replace"]


use_shipped(False)


class Trace:
    """What happened. All times in ticks.

    edges: [(tick, legs)], legs = A + 2 * B; starts: ticks at which an item's first instruction first runs;
    taken: ticks at which `pull` got a word; stalls: {(address, legs)} of every instruction that waited; end: last tick;
    visits: {(address, legs)} of everything executed.
    """

    def __init__(self):
        self.edges = []
        self.starts = []
        self.taken = []
        self.stalls = set()
        self.visits = set()
        self.end = 0

    def rises(self, leg):
        """Ticks at which the leg (1 = A, 2 = B) goes high."""
        before = 0
        ticks = []
        for tick, legs in self.edges:
            if legs & leg and not before & leg:
                ticks.append(tick)
            before = legs
        return ticks

    def pulses(self):
        """[(rise of A, width A, dead time, width B)] of every pulse; an odd shape raises AssertionError."""
        found = []
        edges = iter(self.edges)
        for up_a, legs in edges:
            assert legs == 1, f"tick {up_a}: legs {legs:02b} where leg A alone was due"
            down_a, low = next(edges)
            up_b, second = next(edges)
            down_b, end = next(edges)
            assert (low, second, end) == (0, 2, 0), f"pulse at tick {up_a}: legs {low:02b} {second:02b} {end:02b}"
            found.append((up_a, down_a - up_a, up_b - down_a, down_b - up_b))
        return found


def play(words, hold=(), refill=(), linger=3, hurry=True, program=BIPHASIC):
    """Trace of the words, one after another, then of `linger` ticks at the empty FIFO.

    hold: [(from_tick, to_tick)] while the hold flag is set. refill: [(tick, word)] put into the FIFO later.
    """
    trace = Trace()
    rest_loop = program.labels["r"]
    fifo = deque(words)
    refill = deque(refill)
    edges, starts, taken = trace.edges, trace.starts, trace.taken
    stalls, visits = trace.stalls, trace.visits
    hold = sorted(hold)
    legs_now = 0
    at_wait = False
    idle = 0
    most = len(fifo) + len(refill) + 1  # items, and the wait for one more
    events = [end for _, end in hold if end < FOREVER] + [tick for tick, _ in refill]
    limit = ITEM_TICKS_MAX * most + max(events, default=0) + linger
    state = State(transmit_fifo=fifo)
    _drive(state, hold, refill)
    steps = emulation.emulate(
        program.opcodes,
        stop_when=lambda opcode, state: state.clock > limit,
        initial_state=state,
        shift_osr_right=program.shift_right,
        side_set_base=0,
        side_set_count=program.side_pins,
        wrap_target=program.wrap_target,
        wrap_top=program.wrap,
    )
    timed = bool(hold or refill)
    for before, after in steps:
        address = before.program_counter
        legs = after.pin_values & LEGS
        if legs != legs_now:
            edges.append((before.clock, legs))
            legs_now = legs
        visits.add((address, legs))
        if address == WAIT:
            if not at_wait:
                starts.append(before.clock)
                assert len(starts) <= most, "more items than words"
            at_wait = True
        elif at_wait:
            at_wait = False
        if after.program_counter == address and program.opcodes[address] >> 13 in (1, 4):
            stalls.add((address, legs))
            idle += 1
            if idle > linger and not refill and not (hold and after.clock <= hold[-1][1] < FOREVER):
                break
            if timed:
                _drive(after, hold, refill)
            continue
        idle = 0
        if address == PULL:
            taken.append(before.clock)
        elif hurry and after.program_counter == rest_loop and after.x_register > 1:
            skipped = after.x_register - 1
            object.__setattr__(after, "clock", after.clock + skipped)
            object.__setattr__(after, "x_register", 1)
        if timed:
            _drive(after, hold, refill)
    else:
        raise AssertionError(f"still running at tick {limit}")
    trace.end = after.clock
    return trace


def _drive(state, hold, refill):
    """Set what the outside does to the state machine at this tick: the hold flag and late words."""
    held = any(start <= state.clock < end for start, end in hold)
    pins = state.pin_values | HOLD_PIN if held else state.pin_values & ~HOLD_PIN
    object.__setattr__(state, "pin_values", pins)
    while refill and refill[0][0] <= state.clock:
        state.transmit_fifo.append(refill.popleft()[1])
