"""Figures of a protocol: charge, duty and RMS by their formulas, pulses by the plan, the limit that binds."""

import pytest
from core import formulas
from core.draw import BASE
from rheobase import boards, figures, library
from rheocore import limits
from rheocore.compact import compact

NEEDLE_A = 2_356  # 0.25 x 30 mm inserted: 0.236 cm2


def of(name, area=None):
    preset, board = library.load(name), boards.load()
    return figures.derived(preset, board, area), figures.limits_of(preset, board, area)


@pytest.mark.parametrize(
    ("changes", "ma", "expected"),  # charge, density, k, RMS, current density
    [
        ({"period_us": 500_000, "width_us": 250, "area_cmm2": NEEDLE_A}, 10, (2.50, 10.61, 1.42, 0.316, 1.34)),
        ({"period_us": 500_000, "width_us": 250, "area_cmm2": NEEDLE_A}, 20, (5.00, 21.22, 2.03, 0.632, 2.68)),
        ({"period_us": 10_000, "width_us": 100, "area_cmm2": 250_000}, 40, (4.00, 0.16, None, 5.66, 0.23)),
        ({"period_us": 20_000, "width_us": 400, "area_cmm2": 500_000}, 100, (40.0, 0.80, None, 20.0, 0.40)),
    ],
)
def test_each_vector_of_the_facts_page(changes, ma, expected):
    electrode = "needle" if changes["area_cmm2"] == NEEDLE_A else "skin"
    found = figures.stress({**BASE, **changes, "electrode": electrode}, ma * 1000)
    charge, density, k, rms, current_density = expected
    assert round(found["charge_per_phase_uc"], 2) == charge
    assert round(found["charge_density_uc_cm2"], 2) == density
    assert k is None or round(found["k"], 2) == k
    assert rms == pytest.approx(found["i_rms_ma"], rel=5e-3 / rms)
    assert round(found["current_density_ma_cm2"], 2) == current_density


def test_the_figures_are_the_formulas_of_the_facts_page():
    """Against the floating point of core/formulas.py, which is written from the page."""
    cfg = {**BASE, "electrode": "needle", "area_cmm2": 1_570, "width_us": 333, "period_us": 7_000}
    found = figures.stress(cfg, 4_321)
    for name, (value, most) in formulas.stress(4.321, 333, 1e6 / 7_000, 0.157).items():
        _, key, _, at_most, *_ = figures.RULES[name]
        assert found[key] == pytest.approx(value) and at_most == most


def test_without_current_there_is_no_k():
    assert figures.stress(BASE, 0)["k"] is None


def test_charge_and_rms_of_a_preset_agree_with_the_published_vectors():
    derived, found = of("edn_2hz_foot", NEEDLE_A)  # needle, 2 Hz, 250 us, 10 mA: 2.50 uC, 0.316 mA
    assert (found["amplitude_max_ua"], found["binds"]) == (10_000, "preset")
    assert derived["at_max"]["charge_per_phase_nc"] == 2500
    assert derived["at_max"]["i_rms_ua"] == 316
    assert derived["at_max"]["k"] == pytest.approx(1.42, abs=0.005)


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


@pytest.mark.parametrize(
    ("name", "area", "binds", "ua"),
    [
        ("ea_2hz", NEEDLE_A, "preset", 8_300),
        ("ea_2hz", None, "current_density", 4_347),  # the smallest needle
        ("tens_conventional", None, "board", 50_000),
        ("nmes_quadriceps", None, "slew", 25_000),
    ],
)
def test_the_limit_that_binds_is_named(name, area, binds, ua):
    found = of(name, area)[1]
    assert (found["binds"], found["amplitude_max_ua"]) == (binds, ua)
    assert [row["limit"] for row in found["rows"] if row["binds"]] == [binds]
    assert {row["limit"]: row["alone_ua"] for row in found["rows"]} == found["caps"]


@pytest.mark.parametrize("name", library.shipped_ids())
def test_every_preset_may_be_played_at_some_amplitude_with_the_electrode_assumed_and_breaks_no_limit(name):
    derived, found = of(name)
    assert found["amplitude_max_ua"] >= 500
    assert found["acknowledged"]["amplitude_max_ua"] >= found["amplitude_max_ua"]
    for row in found["rows"]:
        if row["at_most"] is not None:
            assert row["value"] <= row["at_most"] * (1 + 1e-5) and row["tag"]  # six digits are told
    assert derived["at_max"]["amplitude_ua"] == found["amplitude_max_ua"]


def test_an_acknowledgement_lifts_the_current_density_to_the_next_limit():
    found = of("ea_100hz")[1]
    assert (found["binds"], found["amplitude_max_ua"]) == ("current_density", 753)
    assert found["acknowledged"] == {"amplitude_max_ua": 7_530, "binds": "charge_density"}


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
