"""Random words where a lease's words should be: the program's caps hold for garbage, and it is off within a bound.

A word has three fields and the program a fixed part, so no word lasts longer than LONGEST_US = 2*1023 + 255 + 16383 +
1378 ticks = 20.062 ms. What can be played without the CPU is at most MOST_UNREAD words of the ring, 4 in the FIFO and
the one in play. Hence, from the moment at which

* the whole DMA ring is overwritten: off within (MOST_UNREAD + 4 + 1) * LONGEST_US = 802.48 ms;
* the FIFO is stuffed once, the ring left as it was: off within LEASE_US + 4 * LONGEST_US + ITEM_MAX_US = 196.25 ms.
"""

import random
from array import array

import pytest
from core.draw import BASE, MODULATED, train
from pio import player
from pio.player import BIPHASIC, LEGS, PULL, Trace, emulation, play
from pioemu import State
from rheocore import config, feeder, items
from rheocore.feeder import Feeder
from rheocore.plan import Plan

SEEDS = 1000
SHARES = 4  # tests that the seeds are dealt to
WIDTH_MAX, GAP_MAX, REST_MAX = (1 << 10) - 1, (1 << 8) - 1, (1 << 14) - 1  # the fields' own ends
LONGEST_US = 2 * WIDTH_MAX + GAP_MAX + REST_MAX + items.PULSE_FIXED_US
RATE_CAP_HZ = 725
FIFO = 4
MOST_UNREAD = 35
RING_BOUND_US = (MOST_UNREAD + FIFO + 1) * LONGEST_US
FIFO_BOUND_US = feeder.LEASE_US + FIFO * LONGEST_US + items.ITEM_MAX_US


# -- a faster player, proved against the one that executes every tick ------------------------------------------------


def sprint(words):
    """Trace of the words, as player.play() makes it, with every counting loop passed over in one step.

    A `jmp x--` to itself that has been executed once, so that its side-set stands, changes nothing but x and the clock
    until x is 1; there it is executed again.
    """
    trace = Trace()
    opcodes = BIPHASIC.opcodes
    turns = {  # address: ticks of a turn
        at: 1 + (op >> 8 & 0x1F & (1 << 5 - BIPHASIC.side_pins) - 1)
        for at, op in enumerate(opcodes)
        if op & 0xE0FF == 0x40 | at  # jmp x--, to itself
    }
    legs_now = 0
    steps = emulation.emulate(
        opcodes,
        stop_when=lambda opcode, state: False,
        initial_state=State(transmit_fifo=player.deque(words)),
        shift_osr_right=True,
        side_set_base=0,
        side_set_count=BIPHASIC.side_pins,
        wrap_target=BIPHASIC.wrap_target,
        wrap_top=BIPHASIC.wrap,
    )
    for before, after in steps:
        address = before.program_counter
        legs = after.pin_values & LEGS
        if legs != legs_now:
            trace.edges.append((before.clock, legs))
            legs_now = legs
        if after.program_counter == address:
            if address not in turns:  # it waits: for good, since nobody else moves here
                trace.stalls.add((address, legs))
                break
            skipped = after.x_register - 1
            if skipped > 0:
                object.__setattr__(after, "clock", after.clock + skipped * turns[address])
                object.__setattr__(after, "x_register", 1)
        elif address == PULL:
            trace.taken.append(before.clock)
    trace.end = after.clock
    return trace


def test_passing_over_counting_loops_changes_no_edge_and_no_time():
    rng = random.Random(3)
    ends = [w | g << 10 | r << 18 for w in (0, 1, 2, 3, 1023) for g in (0, 1, 255) for r in (0, 1, 2, 60)]
    words = ends + [rng.getrandbits(32) for _ in range(40)]
    fast, slow = sprint(words), play(words, linger=0)
    assert (fast.edges, fast.taken, fast.stalls, fast.end) == (slow.edges, slow.taken, slow.stalls, slow.end)


# -- how many words a lease can be -----------------------------------------------------------------------------------


def most_unread(cfg, duration_us):
    """Most words that the feeder leaves unread in the ring over a whole train, renewed after every word."""
    feed = Feeder(array("H", bytes(2 * feeder.BYTES)))
    feed.begin(Plan(config.check(cfg), duration_us))
    most = 0
    while unread := feed.fill():
        most = max(most, unread)
        feed.advance((feed.read + 1) % feeder.SIZE, 0, 0)
    return most


EXTREME = {
    "400 Hz": dict(BASE, period_us=2_500),
    "400 Hz, the narrowest": dict(BASE, period_us=2_500, width_us=1, gap_us=3),
    "bursts at 400 Hz": dict(BASE, kind="burst", period_us=2_500, burst_pulses=255, burst_period_us=637_500),
    "modulated to 400 Hz": dict(MODULATED, lo_millihz=399_000, hi_millihz=400_000, lo_width_us=1, hi_width_us=1),
    "a shorter period at the end of each on-time": dict(
        BASE, period_us=2_500, width_us=1, on_ms=1004, off_ms=0, ramp_up_ms=500, ramp_down_ms=500
    ),
    "a rest item in every period": dict(BASE, period_us=16_000 + items.REST_FIXED_US),
}


@pytest.mark.req("REQ-014")
def test_a_lease_is_at_most_35_words_whatever_the_train():
    """A train's periods are 2.5 ms at least, and one may be cut by the end of an on-time or of the train."""
    found = {name: most_unread(cfg, 2_200_000) for name, cfg in EXTREME.items()}
    assert found["a shorter period at the end of each on-time"] == MOST_UNREAD, found
    assert max(found.values()) == MOST_UNREAD, found
    rng = random.Random(9)
    assert max(most_unread(train(rng), rng.randint(8, 1_500_000)) for _ in range(100)) <= MOST_UNREAD
    shortest_us = items.min_period_us(1, items.GAP_MIN_US)
    assert 33 * config.PERIOD_MIN_US + 2 * shortest_us > feeder.LEASE_US - items.ITEM_MAX_US  # so no 36th is made
    assert MOST_UNREAD <= feeder.SIZE


@pytest.mark.req("REQ-003")
def test_the_bounds_are_what_is_stated():
    assert LONGEST_US == items.duration_us(0xFFFF_FFFF) == 20_062
    assert RING_BOUND_US == 802_480
    assert FIFO_BOUND_US == 196_248 <= 200_000


def test_the_longest_word_lasts_as_long_as_its_formula_says():
    taken = sprint([0xFFFF_FFFF, 0]).taken
    assert taken[1] - taken[0] == LONGEST_US


# -- a thousand seeds each -------------------------------------------------------------------------------------------


def judge(words):
    """Play the words and hold every cap of the program against what the legs did. Returns the trace."""
    trace = sprint(words)
    assert all(legs != LEGS for _, legs in trace.edges), "both legs high"
    pulses = trace.pulses()  # raises unless every pulse is A, low, B, low
    assert all(0 < a == b <= WIDTH_MAX for _, a, _, b in pulses), "unequal phases, or one longer than its field"
    rises = trace.rises(1)
    assert all(RATE_CAP_HZ * (b - a) >= 1_000_000 for a, b in zip(rises, rises[1:], strict=False)), "above the rate cap"
    assert trace.stalls == {(PULL, 0)}, "it ends elsewhere than at the empty FIFO with both legs low"
    assert len(trace.taken) == len(words)
    assert trace.end - 1 <= len(words) * LONGEST_US
    return trace


def lease(rng):
    """(The word in play and those in the FIFO, number of unread ones) of a random train with a full lease."""
    cfg = train(rng)
    feed = Feeder(array("H", bytes(2 * feeder.BYTES)))
    feed.begin(Plan(cfg, 2_000_000))
    unread = feed.fill()
    words = [feed.ring[2 * i] | feed.ring[2 * i + 1] << 16 for i in range(unread)]
    return words[: FIFO + 1], unread


def off_after(trace, moment):
    """Ticks from the moment to the last falling edge."""
    return trace.edges[-1][0] - moment if trace.edges else 0


@pytest.mark.req("REQ-003")
@pytest.mark.parametrize("share", range(SHARES))
def test_a_ring_overwritten_with_random_words_keeps_every_cap_and_ends_in_its_bound(share):
    for seed in range(share, SEEDS, SHARES):
        rng = random.Random(seed)
        before, unread = lease(rng)
        unread = MOST_UNREAD if seed % 10 == 0 else unread
        trace = judge(before + [rng.getrandbits(32) for _ in range(unread)])
        moment = rng.randrange(items.duration_us(before[0]))
        assert off_after(trace, moment) <= (unread + FIFO + 1) * LONGEST_US <= RING_BOUND_US, f"seed {seed}"


@pytest.mark.req("REQ-003")
@pytest.mark.parametrize("share", range(SHARES))
def test_a_fifo_stuffed_with_random_words_keeps_every_cap_and_ends_in_its_bound(share):
    """The word in play, then 4 random ones, then the lease; of which two words are played, and the rest are added."""
    for seed in range(share, SEEDS, SHARES):
        rng = random.Random(~seed)
        good, _ = lease(rng)
        trace = judge(good[:1] + [rng.getrandbits(32) for _ in range(FIFO)] + good[1:3])
        last_us = sum(map(items.duration_us, good[1:3]))
        moment = rng.randrange(items.duration_us(good[0]))
        assert off_after(trace, moment) + feeder.LEASE_US - last_us <= FIFO_BOUND_US, f"seed {seed}"
