"""The words of `rheo run` become an order or a sentence: units, pairs, electrodes, limits. Nothing is connected."""

from pathlib import Path

import pytest
from rheobase import order
from rheobase.errors import Refused, UsageError

INFO = {
    "board": "RHEO_PICO",
    "serial": "X",
    "channels": [1, 2, 3],
    "limits": {"max_ua": 50_000, "full_scale_ua": 50_000},
}
P = "tens_conventional"


def test_channels_and_amplitudes_pair_in_turn():
    made = order.make(P, ("2", "1"), ("3mA", "250uA"))
    assert [(part.n, part.amplitude_ua) for part in made.parts] == [(1, 250), (2, 3000)]


def test_a_lone_amplitude_is_channel_ones():
    assert order.make(P, (), ("2mA",)).channels == [1]


def test_on_gives_each_channel_its_own_protocol():
    made = order.make(None, ons=("3=ea_2hz@1mA", "1=tens_conventional@2mA"))
    assert made.channels == [1, 3] and made.protocol_ids == "tens_conventional+ea_2hz"


def test_a_path_with_an_at_sign_and_an_equals_sign_is_a_path(short, tmp_path):
    odd = tmp_path / "a=b@c.toml"
    odd.write_text(Path(short).read_text())
    assert order.make(None, ons=(f"2={odd}@1mA",)).parts[0].protocol["id"] == "short"


def test_duration_takes_units_and_applies_to_every_channel():
    made = order.make(None, ons=(f"1={P}@1mA", f"2={P}@1mA"), duration="1.5min")
    assert [part.cfg["duration_ms"] for part in made.parts] == [90_000, 90_000]


@pytest.mark.parametrize(
    "words, code",
    [
        ({"ref": P}, "no_amplitude"),
        ({}, "no_protocol"),
        ({"amplitudes": ("2mA",)}, "no_protocol"),
        ({"ref": P, "amplitudes": ("2",)}, "bad_quantity"),
        ({"ref": P, "amplitudes": ("2mV",)}, "bad_quantity"),
        ({"ref": P, "amplitudes": ("2,5mA",)}, "bad_quantity"),
        ({"ref": P, "amplitudes": ("-2mA",)}, "bad_quantity"),
        ({"ref": P, "amplitudes": ("2mA",), "duration": "10"}, "bad_quantity"),
        ({"ref": P, "amplitudes": ("2mA",), "duration": "10us"}, "bad_quantity"),
        ({"ref": P, "channels": ("1", "2"), "amplitudes": ("2mA",)}, "unpaired"),
        ({"ref": P, "channels": ("1", "1"), "amplitudes": ("2mA", "2mA")}, "channel_twice"),
        ({"ref": P, "channels": ("one",), "amplitudes": ("2mA",)}, "bad_channel"),
        ({"ref": P, "channels": ("0",), "amplitudes": ("2mA",)}, "bad_channel"),
        ({"ref": P, "channels": ("\u00b2",), "amplitudes": ("2mA",)}, "bad_channel"),
        ({"ons": ("1",)}, "bad_on"),
        ({"ons": ("1=tens_conventional",)}, "bad_on"),
        ({"ons": ("=tens_conventional@2mA",)}, "bad_channel"),
        ({"ref": "tens_conventionel", "amplitudes": ("2mA",)}, "unknown_preset"),
        ({"ref": P, "amplitudes": ("2mA",), "needle": "0.25x30mm"}, "wrong_electrode"),
        ({"ref": "ea_2hz", "amplitudes": ("2mA",), "needle": "thick"}, "bad_quantity"),
        ({"ref": "ea_2hz", "amplitudes": ("2mA",), "pad": "25cm2"}, "wrong_electrode"),
        ({"ref": P, "amplitudes": ("2mA",), "pad": "25"}, "bad_quantity"),
        ({"ref": P, "amplitudes": ("2mA",), "pad": "0cm2"}, "bad_quantity"),
    ],
)
def test_words_that_cannot_be_used_are_a_usage_error_with_its_own_code(words, code):
    with pytest.raises(UsageError) as error:
        order.make(**words)
    assert error.value.code == code and error.value.exit_code == 2
    assert error.value.message.endswith(".")


def test_electrodes_that_are_not_told_are_assumed_at_their_worst_and_it_is_said():
    made = order.make(None, ons=("1=ea_2hz@1mA", f"2={P}@1mA"))
    assert made.load == {"needle": {"diameter_um": 160, "length_um": 15_000}, "pad": {"area_mm2": 2500}}
    assert made.assumed == ["needle", "pad"]
    text = "\n".join(order.describe(made, INFO, True))
    assert "0.16x15mm assumed" in text and "25cm2 assumed" in text


def test_electrodes_that_are_told_are_not_assumed():
    made = order.make("ea_2hz", (), ("1mA",), needle="0.25x30mm")
    assert made.load == {"needle": {"diameter_um": 250, "length_um": 30_000}} and made.assumed == []


def test_an_amplitude_above_the_protocols_limit_is_refused_with_what_passes():
    for asked in ("9mA", "2A"):
        with pytest.raises(Refused) as error:
            order.judge(order.make("ea_2hz", (), (asked,), needle="0.25x40mm"), INFO)
        assert error.value.code == "limit_preset" and "the highest that passes is 8.3 mA." in error.value.message


def test_an_amplitude_above_the_boards_rating_is_refused_with_limit_value_and_what_passes():
    made = order.make("nmes_quadriceps_tka", (), ("36mA",))
    with pytest.raises(Refused) as error:
        order.judge(made, {**INFO, "limits": {"max_ua": 30_000, "full_scale_ua": 50_000}})
    assert "Amplitude 36 mA is above the board's rating: the highest that passes is 30 mA." in error.value.message


def test_the_boards_own_word_on_its_rating_wins():
    weak = {**INFO, "limits": {"max_ua": 1_000, "full_scale_ua": 50_000}}
    with pytest.raises(Refused, match="highest that passes is 1 mA"):
        order.judge(order.make(P, (), ("2mA",)), weak)


def test_a_channel_that_the_board_lacks_is_a_usage_error():
    with pytest.raises(UsageError, match="no channel 7"):
        order.judge(order.make(P, ("7",), ("2mA",)), INFO)


@pytest.mark.parametrize("ref", ["tens_conventional", "tens_burst", "tens_modulated", "ea_2_100hz", "nmes_quadriceps"])
def test_what_will_come_out_is_described_in_80_columns_with_the_limit_that_binds(ref):
    lines = order.describe(order.make(ref, (), ("1mA",)), INFO, True)
    assert all(len(line) <= 80 for line in lines), lines
    text = "\n".join(lines)
    assert ref in text and "highest allowed" in text and "0 to 1 mA" in text and "emulated board" in text


def refusal(info=INFO, **words):
    with pytest.raises(Refused) as error:
        order.judge(order.make(**words), info)
    assert error.value.exit_code == 5
    return error.value


def test_the_area_of_every_electrode_is_sent_told_or_assumed():
    made = order.make(None, ons=("1=ea_2hz@1mA", f"2={P}@1mA"))
    assert [part.cfg["area_cmm2"] for part in made.parts] == [753, 250_000]
    made = order.make(None, ons=("1=ea_2hz@1mA", f"2={P}@1mA"), needle="0.25x30mm", pad="50cm2")
    assert [part.cfg["area_cmm2"] for part in made.parts] == [2_356, 500_000]


def test_a_limit_of_the_electrode_is_refused_with_limit_value_and_what_passes():
    """20 uC/cm2 on 0.0753 cm2 are 1.506 uC: 5.02 mA at 300 us."""
    error = refusal(ref="ea_2hz", amplitudes=("5.1mA",), needle="0.16x15mm", acknowledged=("limit_current_density",))
    assert error.code == "limit_charge_density"
    assert error.message == (
        "Amplitude 5.1 mA (20.319 \u00b5C/cm\u00b2) is above 20 \u00b5C/cm\u00b2 on needles: "
        "the highest that passes is 5.02 mA."
    )


def test_more_than_2_ma_per_cm2_names_the_code_that_acknowledges_it_and_passes_with_it():
    words = {"ref": "ea_100hz", "amplitudes": ("2mA",)}
    error = refusal(**words)
    assert error.code == "limit_current_density"
    assert error.message == (
        "Amplitude 2 mA (5.3121 mA/cm\u00b2) is above 2 mA/cm\u00b2 RMS, not acknowledged: "
        "the highest that passes is 0.753 mA, or 7.53 mA with --acknowledge limit_current_density."
    )
    made = order.make(**words, acknowledged=("limit_current_density",))
    assert made.parts[0].cfg["dense_ok"] == 1
    order.judge(made, INFO)
    text = "\n".join(order.describe(made, INFO, True))
    assert "More than 2 mA/cm\u00b2 RMS, as acknowledged; up to 0.753 mA it is not." in text


def test_another_code_acknowledges_nothing():
    assert refusal(ref="ea_100hz", amplitudes=("2mA",), acknowledged=("limit_k",)).code == "limit_current_density"


WIDE = """schema = 1
id = "wide"
title = "Wide and close"
mode = "nmes"
electrode = "skin"
[train]
kind = "continuous"
frequency_hz = 270
width_us = 1023
gap_us = 50
[envelope]
ramp_up_s = 4
ramp_down_s = 4
[session]
duration_s = 60
[limits]
max_ma = 50
"""


@pytest.fixture
def wide(tmp_path):
    path = tmp_path / "wide.toml"
    path.write_text(WIDE)
    return path


def test_channels_that_are_too_much_together_are_refused_with_what_each_may_have(wide):
    words = {"ons": tuple(f"{n}={wide}@{ma}mA" for n, ma in ((1, 30), (2, 30), (3, 10))), "pad": "100cm2"}
    error = refusal(**words)
    assert error.code == "limit_rms_sum"
    assert "RMS current 52.027 mA is above 50 mA RMS of all channels together" in error.message
    assert "With the others as they are: channel 1 up to 27.273 mA, channel 2 up to 27.273 mA" in error.message
    words["ons"] = (f"1={wide}@27.273mA", *words["ons"][1:])
    made = order.make(**words)
    order.judge(made, INFO)
    text = "\n".join(order.describe(made, INFO, True))
    assert "all channels together: 50 mA RMS at most, of 50 mA" in text
    assert "highest allowed 27.273 mA (50 mA RMS of all channels together)" in text


def test_warnings_are_shown_before_the_start_in_80_columns(wide):
    made = order.make("edn_2hz_foot", (), ("10mA",), needle="0.25x20mm", acknowledged=("limit_current_density",))
    order.judge(made, INFO)
    lines = order.describe(made, INFO, True)
    assert max(map(len, lines)) <= 80
    text = " ".join(" ".join(lines).split())
    assert "! Shannon's k is above 1.5 (refused above 1.75); up to 8.912 mA it is not." in text
    strong = order.describe(order.make(None, ons=(f"1={wide}@11mA",)), INFO, True)
    assert "    ! More than 10 mA: the output counts as active." in strong
