"""The compact configuration: every rule refuses, garbage raises nothing but ConfigError, what is accepted plays."""

import pytest
from core.draw import (
    ALTERNATING,
    BASE,
    BURST,
    EACH_KIND,
    JSON,
    MODULATED,
    PROPERTY,
    THOROUGH,
    play_out,
    trains,
    wild,
    without,
)
from hypothesis import given, reject
from hypothesis import strategies as st
from rheocore import config, items
from rheocore.config import ConfigError, check
from rheocore.plan import Plan

DUTY = {"on_ms": 3_000, "off_ms": 1_000}


def refusal(cfg):
    """(code, field) of the refusal; a test that gets none fails."""
    with pytest.raises(ConfigError) as caught:
        check(cfg)
    code, field, _value, _bound = caught.value.args
    return code, field


@pytest.mark.parametrize("kind", config.KINDS)
def test_each_kind_has_a_configuration_that_is_accepted_as_it_is(kind):
    cfg = EACH_KIND[kind]
    assert check(cfg) is cfg
    assert check(dict(cfg, **DUTY))


def fields():
    for kind, cfg in EACH_KIND.items():
        for name, (low, high, kinds) in config.FIELDS.items():
            if kinds is None or kind in kinds:
                yield pytest.param(cfg, name, low, high, id=f"{kind}-{name}")
    for name, (low, high) in config.OPTIONAL.items():
        yield pytest.param(dict(BASE, **DUTY), name, low, high, id=f"duty-{name}")


@pytest.mark.req("REQ-065")
@pytest.mark.parametrize(("cfg", "name", "low", "high"), list(fields()))
def test_each_field_is_bounded_typed_and_needed(cfg, name, low, high):
    assert refusal(dict(cfg, **{name: low - 1})) == ("too_low", name)
    assert refusal(dict(cfg, **{name: high + 1})) == ("too_high", name)
    for wrong in (None, True, 1.5, float("nan"), "100", [100], {}):
        assert refusal(dict(cfg, **{name: wrong})) == ("wrong_type", name)
    assert refusal(without(cfg, name))[0] == "missing"


@pytest.mark.parametrize(("cfg", "name", "low", "high"), list(fields()))
def test_the_ends_of_each_field_are_not_refused_by_its_own_bound(cfg, name, low, high):
    for end in (low, high):
        try:
            check(dict(cfg, **{name: end}))
        except ConfigError as error:  # another field may refuse it: no room for the ramps, for instance
            assert error.args[0] in ("period_too_short", "burst_too_long", "ramps_too_long", "too_high", "too_low")
            assert (error.args[0], error.args[3]) not in (("too_low", low), ("too_high", high))


@pytest.mark.parametrize("name", ["kind", "mode", "electrode"])
def test_choices_are_closed(name):
    for wrong in (None, "", "CONTINUOUS", 1, [], {}):
        assert refusal(dict(BASE, **{name: wrong})) == ("not_a_choice", name)
    assert refusal(without(BASE, name)) == ("not_a_choice", name)


def test_bench_is_a_boolean():
    assert refusal(dict(BASE, bench=1)) == ("wrong_type", "bench")
    assert refusal(without(BASE, "bench")) == ("wrong_type", "bench")


@pytest.mark.parametrize("garbage", [None, 1, "x", [], [BASE], True])
def test_what_is_no_object_is_refused(garbage):
    assert refusal(garbage) == ("wrong_type", "channel")


@pytest.mark.req("REQ-065")
def test_unknown_fields_and_fields_of_another_kind_are_refused():
    assert refusal(dict(BASE, widht_us=100)) == ("unknown", "widht_us")
    assert refusal({**BASE, "x" * 99: 1}) == ("unknown", "x" * 32)
    assert refusal(dict(BASE, burst_pulses=3)) == ("not_for_kind", "burst_pulses")
    assert refusal(dict(MODULATED, width_us=100)) == ("not_for_kind", "width_us")


@pytest.mark.req("REQ-065")
@pytest.mark.parametrize(
    ("cfg", "expected"),
    [
        (dict(BASE, period_us=2_500, width_us=540, gap_us=48), ("period_too_short", "period_us")),
        (dict(BASE, period_us=2_500, width_us=1023), ("period_too_short", "period_us")),
        (dict(ALTERNATING, alt_period_us=2_500, width_us=1023), ("period_too_short", "period_us")),
        (dict(MODULATED, hi_millihz=400_000, hi_width_us=600), ("period_too_short", "period_us")),
        (dict(BURST, burst_pulses=51), ("burst_too_long", "burst_pulses")),
        (dict(MODULATED, lo_millihz=100_001), ("too_low", "hi_millihz")),
        (dict(BASE, on_ms=3_000), ("missing", "off_ms")),
        (dict(BASE, off_ms=3_000), ("missing", "on_ms")),
        (dict(BASE, ramp_up_ms=5_000, ramp_down_ms=5_001), ("ramps_too_long", "duration_ms")),
        (dict(BASE, on_ms=1_999, off_ms=0), ("ramps_too_long", "on_ms")),
    ],
)
def test_fields_are_judged_together(cfg, expected):
    assert refusal(cfg) == expected


def test_the_tightest_that_fits_is_accepted():
    check(dict(BASE, period_us=2_500, width_us=540, gap_us=45))  # 1080 + 45 + 1375 = 2500
    check(dict(BURST, burst_pulses=50))
    check(dict(BASE, ramp_up_ms=5_000, ramp_down_ms=5_000))


def test_a_modulated_pulse_fits_its_period_at_every_rate_between_the_ends():
    """Both ends fit and the middle does not: at 336 Hz the period is 2976 us, and a 729 us pulse needs 3088."""
    cfg = dict(MODULATED, lo_millihz=272_000, hi_millihz=400_000, lo_width_us=1023, hi_width_us=435, gap_us=255)
    assert refusal(cfg)[0] == "period_too_short"


@THOROUGH
@given(JSON)
def test_arbitrary_json_is_refused_and_raises_nothing_else(garbage):
    with pytest.raises(ConfigError):
        check(garbage)


@THOROUGH
@given(st.sampled_from(config.KINDS), st.data())
def test_a_good_configuration_with_one_field_spoilt_is_accepted_or_refused_but_never_crashes(kind, data):
    cfg = dict(EACH_KIND[kind], **DUTY)
    name = data.draw(st.sampled_from(sorted(cfg) + ["new"]))
    cfg[name] = data.draw(JSON)
    try:
        check(cfg)
    except ConfigError as error:
        assert len(error.args) == 4


@THOROUGH
@given(trains() | wild())
def test_any_accepted_configuration_makes_a_plan_that_plays_to_its_end_without_a_hole(cfg):
    try:
        check(cfg)
    except ConfigError:
        reject()
    duration_us = 3_000_000
    made = play_out(Plan(cfg, duration_us))
    assert sum(dur_us for _, _, dur_us, _ in made) == duration_us
    starts = [at_us for at_us, _, _, pulse in made if pulse]
    assert starts[0] == 0
    longest_us = max([period for period, _ in config.shapes(cfg)] + [cfg.get("burst_period_us", 0)])
    longest_us += items.min_period_us(max(width for _, width in config.shapes(cfg)), cfg["gap_us"])
    longest_us += cfg.get("off_ms", 0) * 1000
    assert max(b - a for a, b in zip(starts, starts[1:] + [duration_us], strict=True)) <= longest_us


@PROPERTY
@given(st.integers(config.MILLIHZ_MIN, config.MILLIHZ_MAX))
def test_a_period_is_the_rate_in_whole_us_rounded_half_up(millihz):
    period = config.period_us(millihz)
    assert 2 * abs(period * millihz - 1_000_000_000) <= millihz
    assert 2 * (1_000_000_000 - period * millihz) != millihz, "half is rounded up"


def test_periods_of_the_rates_in_use():
    rates = (1, 2, 4, 15, 50, 100, 250, 400)
    assert [config.period_us(hz * 1000) for hz in rates] == [
        10**6,
        500_000,
        250_000,
        66_667,
        20_000,
        10_000,
        4_000,
        2_500,
    ]
