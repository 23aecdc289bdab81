"""The envelope: 0 at both ends, linear and monotone ramps, duty, and a set-point that never jumps upward."""

import pytest
from core.draw import BASE, PROPERTY
from hypothesis import assume, given
from hypothesis import strategies as st
from rheocore.envelope import ONE, STEP_PER_MILLE, Envelope, max_step_ua, slew

RAMPS_MS = st.integers(500, 5_000)


@st.composite
def envelopes(draw, duty=None):
    cfg = dict(BASE, ramp_up_ms=draw(RAMPS_MS), ramp_down_ms=draw(RAMPS_MS))
    cfg["duration_ms"] = draw(st.integers(10_000, 30_000))
    if draw(st.booleans()) if duty is None else duty:
        cfg["on_ms"] = draw(st.integers(10_000, 12_000))
        cfg["off_ms"] = draw(st.integers(0, 5_000))
    return cfg


def levels(cfg, **options):
    envelope = Envelope(cfg, **options)
    return [envelope.level(t_ms) for t_ms in range(envelope.end_ms + 1)]


@PROPERTY
@given(envelopes())
def test_levels_are_fractions_and_zero_at_both_ends_and_outside(cfg):
    envelope = Envelope(cfg)
    end_ms = cfg["duration_ms"]
    assert [envelope.level(t_ms) for t_ms in (-1_000, -1, 0, end_ms, end_ms + 1, end_ms + 10**6)] == [0] * 6
    assert all(0 <= envelope.level(t_ms) <= ONE for t_ms in range(0, end_ms, 7))


@PROPERTY
@given(envelopes(duty=False))
def test_ramps_are_monotone_linear_and_reach_the_whole_amplitude_between(cfg):
    up_ms, down_ms, end_ms = cfg["ramp_up_ms"], cfg["ramp_down_ms"], cfg["duration_ms"]
    level = levels(cfg)
    top = end_ms - down_ms
    assert level[: up_ms + 1] == sorted(level[: up_ms + 1])
    assert level[top:] == sorted(level[top:], reverse=True)
    assert set(level[up_ms : top + 1]) == {ONE}
    for t_ms in range(0, up_ms, 13):  # within one of the 1024 steps, never above the line
        assert 0 <= t_ms * ONE - level[t_ms] * up_ms < 64 * up_ms
    for t_ms in range(top + 1, end_ms, 13):
        assert 0 <= (end_ms - t_ms) * ONE - level[t_ms] * down_ms < 64 * down_ms


@PROPERTY
@given(envelopes(duty=True))
def test_duty_is_off_in_the_off_time_and_ramps_within_the_on_time(cfg):
    on_ms, cycle_ms = cfg["on_ms"], cfg["on_ms"] + cfg["off_ms"]
    level = levels(cfg)
    for t_ms in range(0, cfg["duration_ms"], 11):
        at_ms = t_ms % cycle_ms
        if at_ms >= on_ms:
            assert level[t_ms] == 0
        else:
            assert level[t_ms] * cfg["ramp_up_ms"] <= at_ms * ONE
            assert level[t_ms] * cfg["ramp_down_ms"] <= (on_ms - at_ms) * ONE
    assert all(level[t_ms] == 0 for t_ms in range(0, cfg["duration_ms"], cycle_ms))
    assert max(level[:on_ms]) == ONE or cfg["duration_ms"] < on_ms + cfg["ramp_down_ms"]


@PROPERTY
@given(envelopes())
def test_nothing_rises_faster_than_its_ramp(cfg):
    level = levels(cfg)
    most = (1024 // cfg["ramp_up_ms"] + 1) * 64
    assert max(b - a for a, b in zip(level, level[1:], strict=False)) <= most


@PROPERTY
@given(envelopes(duty=False), st.integers(0, 9_999_999))
def test_what_is_left_after_a_pause_ramps_from_zero_again_and_ends_at_zero(cfg, left_us):
    envelope = Envelope(cfg, left_us)
    assert envelope.end_ms == left_us // 1000
    assert envelope.level(0) == envelope.level(envelope.end_ms) == 0
    for t_ms in range(0, envelope.end_ms, 17):
        assert envelope.level(t_ms) * cfg["ramp_up_ms"] <= t_ms * ONE
        assert envelope.level(t_ms) * cfg["ramp_down_ms"] <= (envelope.end_ms - t_ms) * ONE


def test_phase_names_the_ramps_of_the_whole_train():
    envelope = Envelope(dict(BASE, ramp_up_ms=500, ramp_down_ms=2_000, duration_ms=10_000))
    names = [envelope.phase(t_ms) for t_ms in (0, 499, 500, 7_999, 8_000, 9_999)]
    assert names == ["ramp_up", "ramp_up", "run", "run", "ramp_down", "ramp_down"]


@pytest.mark.req("REQ-050")
@pytest.mark.parametrize("full_scale_ua", [50_000, 10_000, 100_000])
def test_the_largest_step_is_half_a_percent_of_full_scale(full_scale_ua):
    assert STEP_PER_MILLE == 5
    assert max_step_ua(full_scale_ua) * 200 == full_scale_ua


AMOUNTS = st.integers(0, 100_000)


@pytest.mark.req("REQ-050")
@PROPERTY
@given(AMOUNTS, AMOUNTS, st.integers(1, 1_000))
def test_a_set_point_walks_straight_by_its_step_to_zero_as_well(now_ua, wanted_ua, step_ua):
    after = slew(now_ua, wanted_ua, step_ua)
    assert abs(after - now_ua) <= step_ua
    assert abs(wanted_ua - after) == max(0, abs(wanted_ua - now_ua) - step_ua), "not straight towards the target"


@PROPERTY
@given(AMOUNTS, AMOUNTS, st.integers(1, 1_000))
def test_a_set_point_arrives(now_ua, wanted_ua, step_ua):
    assume(abs(now_ua - wanted_ua) < 200 * step_ua)
    for _ in range(200):
        now_ua = slew(now_ua, wanted_ua, step_ua)
    assert now_ua == wanted_ua
