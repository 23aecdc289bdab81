"""Whole plans through the program: the train is the configured one, to the tick, with no jitter over many periods."""

import pytest
from pio.player import PULL, play
from rheocore import config, items
from rheocore.plan import Plan

BASE = {
    "kind": "continuous",
    "mode": "tens",
    "electrode": "skin",
    "bench": False,
    "period_us": 10_000,
    "width_us": 50,
    "gap_us": 20,
    "ramp_up_ms": 500,
    "ramp_down_ms": 500,
    "duration_ms": 10_000,
    "max_ua": 10_000,
    "amplitude_ua": 1_000,
}


def train(cfg, duration_us):
    """(words of the plan, trace of the program playing them)."""
    config.check(cfg)
    plan = Plan(cfg, duration_us)
    words = []
    while plan.next():
        words.append(plan.lo | plan.hi << 16)
    trace = play(words)
    assert trace.stalls == {(PULL, 0)} and all(legs != 3 for _, legs in trace.edges)
    assert trace.starts[-1] - trace.starts[0] == duration_us
    return words, trace


@pytest.mark.req("REQ-005")
@pytest.mark.parametrize("hz", [1, 2, 4, 15, 50, 100, 250, 400])
def test_periods_of_a_plan_are_exact_with_zero_ticks_of_jitter(hz):
    period_us = config.period_us(hz * 1000)
    periods = max(3, min(40, hz))
    width_us = 530 if hz == 400 else 50
    _, trace = train(dict(BASE, period_us=period_us, width_us=width_us), periods * period_us)
    pulses = trace.pulses()
    assert [rise for rise, *_ in pulses] == [items.LEAD_US + k * period_us for k in range(periods)]
    assert {pulse[1:] for pulse in pulses} == {(width_us, 20, width_us)}


def test_the_shortest_period_that_is_accepted_leaves_no_rest_and_no_jitter():
    width_us = 561
    cfg = dict(BASE, period_us=items.min_period_us(width_us, 3), width_us=width_us, gap_us=3)
    assert cfg["period_us"] == config.PERIOD_MIN_US
    words, trace = train(cfg, 20 * config.PERIOD_MIN_US)
    assert all(items.decode(word)[2] == 0 for word in words)
    assert [b - a for a, b in zip(trace.rises(1), trace.rises(1)[1:], strict=False)] == [config.PERIOD_MIN_US] * 19


@pytest.mark.parametrize("period_us", [15_992, 15_999, 16_000, 16_001, 16_007, 16_008, 31_999, 32_001, 32_007, 66_667])
def test_periods_around_the_longest_item_are_exact(period_us):
    _, trace = train(dict(BASE, period_us=period_us), 6 * period_us)
    assert trace.rises(1) == [items.LEAD_US + k * period_us for k in range(6)]


def test_a_burst_train_keeps_both_of_its_periods():
    cfg = dict(BASE, kind="burst", burst_period_us=500_000, burst_pulses=5)
    _, trace = train(cfg, 1_500_000)
    assert trace.rises(2) == [
        items.LEAD_US + 50 + 20 + burst * 500_000 + k * 10_000 for burst in range(3) for k in range(5)
    ]


def test_an_alternating_train_changes_over_on_a_period():
    cfg = dict(BASE, kind="alternating", period_us=50_000, alt_period_us=10_000, dwell_ms=100)
    _, trace = train(cfg, 400_000)
    dwells = [0, 50_000] + [100_000 + k * 10_000 for k in range(10)]
    starts = dwells + [200_000 + at for at in dwells]
    assert trace.rises(1) == [items.LEAD_US + at for at in starts]


def test_a_modulated_train_stays_balanced_while_its_width_moves():
    cfg = {k: v for k, v in BASE.items() if k not in ("period_us", "width_us")}
    cfg |= {"kind": "modulated", "lo_millihz": 50_000, "hi_millihz": 200_000, "cycle_ms": 1000}
    cfg |= {"lo_width_us": 200, "hi_width_us": 20}
    _, trace = train(cfg, 500_000)
    shapes = [shape for _, *shape in trace.pulses()]
    assert len(shapes) > 50
    assert all(a == b and gap == 20 for a, gap, b in shapes)
    assert [a for a, _, _ in shapes] == sorted((a for a, _, _ in shapes), reverse=True)
    assert shapes[0][0] == 200 and shapes[-1][0] < 25


def test_the_last_pulse_is_whole_and_the_train_ends_low_at_the_commanded_tick():
    for duration_us in (30_000, 30_001, 31_377, 31_378, 31_495, 31_496, 31_497, 39_999):
        words, trace = train(BASE, duration_us)
        pulses = trace.pulses()
        assert len(pulses) == sum(1 for word in words if word & 0x3FF)
        assert all((a, gap, b) == (50, 20, 50) for _, a, gap, b in pulses)
        assert trace.edges[-1][1] == 0 and trace.edges[-1][0] <= duration_us
