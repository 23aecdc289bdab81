"""Limits: every cap refuses by its own name, the lowest binds, and what is not refused can be ramped by the device."""

import pytest
from core.draw import BASE, EACH_KIND, JSON, PROPERTY, trains
from hypothesis import given
from hypothesis import strategies as st
from rheobase import boards
from rheocore import config, limits
from rheocore.envelope import Envelope, max_step_ua, slew

BOARD = boards.load()
NEEDLE = dict(BASE, mode="dnes", electrode="needle")


def codes(cfg, board=BOARD):
    return [code for code, *_ in limits.judge(cfg, board)]


@pytest.mark.parametrize("kind", config.KINDS)
def test_ordinary_configurations_are_allowed(kind):
    assert limits.judge(EACH_KIND[kind], BOARD) == []


def test_a_configuration_that_cannot_be_played_is_refused_as_config_says():
    assert codes(dict(BASE, width_us=0)) == ["too_low"]
    assert codes(None) == ["wrong_type"]


SLOW = dict(BASE, ramp_up_ms=5_000, ramp_down_ms=5_000)


@pytest.mark.parametrize(
    ("cfg", "binds", "cap_ua"),
    [
        (dict(SLOW, max_ua=5_000), "preset", 5_000),
        (dict(SLOW, max_ua=40_000, mode="dnes", electrode="needle"), "electrode", limits.NEEDLE_MAX_UA),
        (dict(SLOW, max_ua=90_000), "board", BOARD["max_ua"]),
        (dict(SLOW, max_ua=90_000, mode="nmes"), "board", BOARD["max_ua"]),
        (dict(SLOW, max_ua=90_000, ramp_up_ms=800), "slew", 10_000),
        (dict(SLOW, max_ua=90_000, ramp_down_ms=500), "slew", 6_250),
    ],
)
def test_the_lowest_cap_binds_and_is_named(cfg, binds, cap_ua):
    assert limits.amplitude_max_ua(cfg, BOARD) == (binds, cap_ua)
    assert codes(dict(cfg, amplitude_ua=cap_ua)) == []
    assert codes(dict(cfg, amplitude_ua=cap_ua + 1)) == (["too_high"] if binds == "preset" else ["limit_" + binds])


def test_a_stronger_board_leaves_the_electrodes_cap():
    strong = dict(BOARD, max_ua=200_000, full_scale_ua=200_000)
    assert limits.amplitude_max_ua(dict(SLOW, max_ua=100_000), strong) == ("electrode", 60_000)
    assert limits.amplitude_max_ua(dict(SLOW, max_ua=100_000, mode="nmes"), strong)[1] == 100_000


@pytest.mark.parametrize(
    ("cfg", "longest_ms"),
    [
        (NEEDLE, 1_800_000),
        (BASE, 3_600_000),
        (dict(BASE, mode="nmes"), 1_800_000),
        (dict(BASE, mode="dnes"), 1_800_000),
    ],
)
def test_a_session_is_bounded_by_electrode_and_mode(cfg, longest_ms):
    assert codes(dict(cfg, duration_ms=longest_ms)) == []
    if longest_ms < config.DURATION_MAX_MS:
        assert codes(dict(cfg, duration_ms=longest_ms + 1)) == ["limit_duration"]


def test_the_slew_cap_is_what_the_shorter_ramp_climbs_in_the_devices_steps():
    """250 uA (0.5 % of 50 mA) every 20 ms: 40 mA take 3.2 s."""
    cfg = dict(BASE, max_ua=50_000, amplitude_ua=40_000, duration_ms=20_000, ramp_up_ms=3_200, ramp_down_ms=3_200)
    assert codes(cfg) == []
    assert codes(dict(cfg, ramp_up_ms=3_199)) == ["limit_slew"]
    assert codes(dict(cfg, ramp_down_ms=3_199)) == ["limit_slew"]


@PROPERTY
@given(trains(), st.integers(0, 50_000), st.integers(500, 10_000))
def test_an_allowed_ramp_is_followed_by_the_device_within_one_step(cfg, amplitude_ua, ramp_ms):
    """In passes of 20 ms and steps of 0.5 % of full scale the set-point keeps up with the envelope and ends at zero."""
    cfg = dict(cfg, max_ua=50_000, amplitude_ua=amplitude_ua, ramp_up_ms=ramp_ms, ramp_down_ms=ramp_ms)
    cfg = {name: value for name, value in cfg.items() if name not in config.OPTIONAL} | {"duration_ms": 25_000}
    if limits.judge(cfg, BOARD):
        return
    envelope, step_ua = Envelope(cfg), max_step_ua(BOARD["full_scale_ua"])
    now_ua = 0
    for t_ms in range(0, 25_001, limits.PASS_MS):
        wanted_ua = amplitude_ua * envelope.level(t_ms) // 65536
        now_ua = slew(now_ua, wanted_ua, step_ua)
        # ramps have 1024 steps: two of them may fall into one pass where the slope is just the allowed one
        assert abs(now_ua - wanted_ua) <= amplitude_ua // 1024 + 1
    assert now_ua == 0


@PROPERTY
@given(JSON)
def test_garbage_is_refused_not_raised(garbage):
    assert limits.judge(garbage, BOARD)
