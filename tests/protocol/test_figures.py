"""Figures of a protocol: charge, duty and RMS by their formulas, pulses by the plan, the limit that binds."""

import pytest
from rheobase import boards, figures, library
from rheocore import limits
from rheocore.compact import compact


def of(name):
    preset, board = library.load(name), boards.load()
    return figures.derived(preset, board), figures.limits_of(preset, board)


def test_charge_and_rms_agree_with_the_published_vectors():
    derived, found = of("edn_2hz_foot")  # needle, 2 Hz, 250 us, 10 mA: 2.50 uC, 0.316 mA
    assert found["amplitude_max_ua"] == 10_000
    assert derived["at_max"]["charge_per_phase_nc"] == 2500
    assert derived["at_max"]["i_rms_ua"] == 316
    assert round(figures.i_rms_ua(40_000, 10_000, 100) / 1000, 2) == 5.66  # skin, 100 Hz, 100 us, 40 mA
    assert round(figures.i_rms_ua(100_000, 20_000, 400) / 1000, 1) == 20.0  # skin, 50 Hz, 400 us, 100 mA


@pytest.mark.parametrize(
    ("name", "pulses"),
    [
        ("tens_conventional", 30 * 60 * 100),
        ("edn_2hz_neck", 20 * 60 * 2),
        ("tens_burst", 30 * 60 * 2 * 8),
        ("ea_2_100hz", 300 * (6 + 300)),  # 300 cycles of 3 s at 2 Hz and 3 s at 100 Hz
        ("nmes_quadriceps", 15 * 10 * 50),
        ("nmes_quadriceps_tka", 15 * 15 * 50),
    ],
)
def test_pulses_in_a_session_are_exact(name, pulses):
    assert of(name)[0]["pulses"] == pulses


def test_duty_is_two_phases_over_the_period():
    assert of("tens_conventional")[0]["duty_percent"] == 2.0
    assert of("edn_2hz_foot")[0]["duty_percent"] == 0.1
    assert of("tens_burst")[0]["duty_percent"] == 3.6  # in the burst


def test_a_modulated_train_is_judged_at_its_densest_pulse_not_at_its_ends():
    cfg = {"kind": "modulated", "lo_millihz": 2000, "hi_millihz": 100_000, "lo_width_us": 1000, "hi_width_us": 100}
    period_us, width_us = figures.worst_duty(cfg)
    assert width_us / period_us > 1.4 * max(1000 / 500_000, 100 / 10_000)


@pytest.mark.parametrize(
    ("name", "binds", "ua"),
    [("ea_2hz", "preset", 8_300), ("tens_conventional", "board", 50_000), ("nmes_quadriceps", "slew", 25_000)],
)
def test_the_limit_that_binds_is_named(name, binds, ua):
    found = of(name)[1]
    assert (found["binds"], found["amplitude_max_ua"]) == (binds, ua)


def test_the_slew_cap_is_the_largest_amplitude_that_the_device_would_take():
    board = boards.load()
    preset = library.load("nmes_quadriceps")
    most = figures.limits_of(preset, board)["amplitude_max_ua"]
    assert limits.judge(compact(preset, most), board) == []
    assert [r[0] for r in limits.judge(compact(preset, most + 1), board)] == ["limit_slew"]


def test_long_needle_sessions_carry_a_note():
    assert "5 min to 15 min" in of("pens_4hz")[0]["notes"][0]
    assert of("pens_3hz")[0]["notes"] == []
    assert of("tens_conventional")[0]["notes"] == []
