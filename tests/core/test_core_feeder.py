"""The feeder: the plan's words in order, never more than a lease of them, and what was played is counted."""

from array import array
from random import Random

import pytest
from core.draw import BASE, PROPERTY, play_out, train
from hypothesis import given
from hypothesis import strategies as st
from rheocore import feeder, items
from rheocore.feeder import Feeder
from rheocore.plan import Plan

SET_UA = 1_234


def fresh(plan, first=0):
    feed = Feeder(array("H", bytes(2 * (2 * feeder.SIZE + first))), first)
    feed.begin(plan)
    return feed


def word_at(feed, k):
    at = feed.first + 2 * (k % feeder.SIZE)
    return feed.ring[at] | feed.ring[at + 1] << 16


def drain(feed, rng, heard):
    """Play the feeder dry, the DMA reading at random ahead of the machine; heard() sees the feeder after each pass."""
    read = 0
    words = []
    while True:
        unread = feed.fill()
        heard(feed)
        if not unread and feed.played == feed.made:
            return words
        now = rng.randint(0, unread)
        words += [word_at(feed, k) for k in range(read, read + now)]
        read += now
        queued = min(rng.randint(0, 4), feed.read + now - feed.played) if feed.made > read else 0
        assert feed.advance(read % feeder.SIZE, queued, SET_UA) == unread - now


def charge_pc(feed):
    return feed.charge_uc * 1_000_000 + feed.charge_pc


@PROPERTY
@given(st.integers(0, 2**32 - 1))
def test_the_dma_reads_exactly_the_plans_words_in_order_and_all_are_counted(seed):
    rng = Random(seed)
    cfg = train(rng)
    duration_us = rng.randint(8, 3_000_000)
    made = play_out(Plan(cfg, duration_us))
    feed = fresh(Plan(cfg, duration_us), first=rng.randrange(256))
    assert drain(feed, rng, lambda feed: None) == [word for _, word, _, _ in made]
    assert feed.exhausted and feed.made == feed.read == feed.played == len(made)
    assert feed.pulses == sum(pulse for *_, pulse in made)
    assert feed.t_us == duration_us
    assert charge_pc(feed) == SET_UA * sum(word & 0x3FF for _, word, _, pulse in made if pulse)
    assert feed.last_pulse == made[-1][3]


@pytest.mark.req("REQ-014")
@PROPERTY
@given(st.integers(0, 2**32 - 1))
def test_a_lease_is_never_longer_than_100_ms_nor_longer_than_the_ring(seed):
    rng = Random(seed)
    cfg = train(rng)

    def within(feed):
        ahead_us = sum(items.duration_us(word_at(feed, k)) for k in range(feed.read, feed.made))
        assert ahead_us == feed.ahead_us <= feeder.LEASE_US
        assert feed.made - feed.read <= feeder.SIZE - 5, "the words in the FIFO still need their costs in the ring"
        assert feed.exhausted or ahead_us > feeder.LEASE_US - items.ITEM_MAX_US, "less than it could lend"

    drain(fresh(Plan(cfg, 2_000_000)), rng, within)


def test_the_densest_train_fits_the_ring():
    feed = fresh(Plan(dict(BASE, period_us=2_500, width_us=1)))
    assert feed.fill() <= 100_000 // 2_500 + 1 < feeder.SIZE


def test_without_a_plan_there_is_nothing_to_play():
    feed = fresh(None)
    assert feed.exhausted and feed.fill() == 0


def test_begin_forgets_what_was_before():
    feed = fresh(Plan(BASE))
    feed.fill()
    feed.advance(5, 1, SET_UA)
    feed.begin(Plan(BASE))
    assert (feed.made, feed.read, feed.played, feed.pulses, charge_pc(feed), feed.t_us, feed.ahead_us) == (0,) * 7


def test_a_word_that_waits_in_the_fifo_is_not_yet_played():
    feed = fresh(Plan(BASE))
    feed.fill()
    feed.advance(4, 4, SET_UA)
    assert (feed.read, feed.played, feed.pulses) == (4, 0, 0)
    feed.advance(4, 1, SET_UA)
    assert (feed.played, feed.pulses) == (3, 3)


@pytest.mark.parametrize("ua", [0, 100_000])
def test_charge_is_counted_at_the_set_point_of_the_pass(ua):
    feed = fresh(Plan(BASE))
    feed.fill()
    feed.advance(3, 0, ua)
    assert charge_pc(feed) == 3 * BASE["width_us"] * ua
    assert feed.charge_pc < 1_000_000


@pytest.mark.req("REQ-046")
@pytest.mark.parametrize(
    ("now_ms", "played", "in_time"),
    [
        (1_000, 1, True),  # the first item is taken at once
        (1_009, 1, True),
        (1_009, 2, True),  # the millisecond's own error
        (1_012, 1, True),
        (1_014, 1, False),  # it should have ended at 10 ms: stuck
        (1_025, 3, True),
        (1_018, 3, True),  # 2 ms ahead of the clock
        (1_000, 2, False),  # ahead of the clock
        (1_010, 5, False),
    ],
)
def test_what_was_played_must_fit_the_time_passed(now_ms, played, in_time):
    """Items of 10 ms; margin 2 ms beyond the item in play."""
    feed = fresh(Plan(dict(BASE, period_us=10_000)))
    feed.fill()
    feed.started(1_000, 1_000)
    feed.advance(played, 0, SET_UA)
    assert feed.in_time(now_ms, now_ms) == in_time


def test_a_pause_of_the_loop_between_its_looks_is_no_reason_to_doubt_the_pulses():
    """18 ms of garbage collection at the start, and at the look: the time may lie anywhere between."""
    feed = fresh(Plan(dict(BASE, period_us=10_000)))
    feed.fill()
    feed.started(1_000, 1_018)
    feed.advance(4, 0, SET_UA)
    assert feed.in_time(1_035, 1_035)
    assert feed.in_time(1_030, 1_048)


def test_the_end_of_the_plan_is_no_lateness():
    feed = fresh(Plan(dict(BASE, period_us=10_000), 30_000))
    feed.fill()
    feed.started(1_000, 1_000)
    feed.advance(feed.made, 0, SET_UA)
    assert feed.done()
    assert feed.in_time(5_000, 5_000)


@pytest.mark.req("REQ-046")
def test_a_place_outside_of_the_ring_is_refused_and_nothing_is_counted():
    feed = fresh(Plan(BASE))
    feed.fill()
    assert feed.advance(-1, 0, SET_UA) == -1
    assert feed.advance(feed.made + 1, 0, SET_UA) == -1
    assert (feed.read, feed.played, feed.pulses) == (0, 0, 0)


@pytest.mark.req("REQ-046")
def test_a_place_outside_of_the_ring_is_refused_wherever_the_dma_stood_before():
    """-1 is no place 127: beside the ring's end it would pass for the next word."""
    feed = fresh(Plan(BASE))
    for k in range(2 * feeder.SIZE):
        feed.fill()
        assert feed.advance(-1, 0, SET_UA) == -1 and feed.read == k
        feed.advance((k + 1) % feeder.SIZE, 0, SET_UA)


@pytest.mark.req("REQ-046")
@pytest.mark.parametrize("half", [0, 1])
def test_a_word_that_changed_in_the_ring_is_found_as_soon_as_it_is_read(half):
    feed = fresh(Plan(BASE))
    feed.fill()
    feed.ring[feed.first + 2 * 3 + half] ^= 0x40
    assert feed.advance(3, 0, SET_UA) == feed.made - 3
    assert feed.advance(4, 1, SET_UA) == -1
    assert (feed.read, feed.played) == (4, 3)
