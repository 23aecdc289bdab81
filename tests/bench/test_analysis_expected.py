"""What the bench holds a capture against is the plan that the board plays, pulse for pulse."""

import random

import pytest
from bench import planted
from rheobase.bench import expected
from rheobase.bench.expected import US
from rheobase.bench.train import Train
from rheocore import config
from rheocore.plan import Plan

HOUR_MS = 3_600_000


def plain(cfg):
    """Every pulse of a plan as (start, width) in us, item by item."""
    plan, pulses = Plan(cfg), []
    at_us = 0
    while plan.next():
        if plan.pulse:
            pulses.append((at_us, plan.lo & 0x3FF))
        at_us = plan.at_us
    return pulses


def told(cfg):
    plan = expected.expected(cfg)
    return list(zip((plan.starts_ps // US).tolist(), (plan.widths_ps // US).tolist(), strict=True))


@pytest.mark.parametrize("name", planted.TRAINS)
def test_every_kind_of_train_expands_to_what_its_items_say(name):
    cfg = planted.cfg(name, duration_ms=9_973)
    assert told(cfg) == plain(cfg)


def test_tiled_and_plain_expansion_are_equal_for_150_drawn_trains():
    rnd, done = random.Random(5), 0
    while done < 150:
        cfg = planted.drawn(rnd, duration_ms=rnd.randrange(1_000, 30_000))
        assert told(cfg) == plain(cfg), cfg
        done += 1


@pytest.mark.parametrize("name", [n for n in planted.TRAINS if n != "modulated"])
def test_an_hour_takes_no_more_items_than_three_turns_of_its_cycle(name, monkeypatch):
    cfg, calls = config.check(planted.cfg(name, duration_ms=HOUR_MS)), []
    step = Plan.next
    monkeypatch.setattr(Plan, "next", lambda plan: calls.append(1) or step(plan))
    expected._expanded.cache_clear()
    plan = expected.expected(cfg)
    assert plan.cycle and len(plan.starts_ps) > 1_000
    assert len(calls) <= 4 * plan.cycle + 4


@pytest.mark.parametrize("name", planted.TRAINS)
def test_a_train_without_an_end_is_the_plan_until_its_end(name):
    plan = expected.expected(planted.cfg(name))
    train = Train(plan)
    k = planted.np.arange(train.count)
    assert (train.at(k) == plan.starts_ps).all() and (train.width(k) == plan.widths_ps).all()
    assert (train.nearest(plan.starts_ps + 1000.0) == k).all()
    assert (train.interval(k[:-1]) == plan.intervals_ps).all()
