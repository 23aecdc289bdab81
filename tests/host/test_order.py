"""The words of `rheo run` become an order or a sentence: units, pairs, electrodes, limits. Nothing is connected."""

from pathlib import Path

import pytest
from rheobase import order
from rheobase.errors import Refused, RheoError, UsageError

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
    with pytest.raises(RheoError) as error:
        order.make("ea_2hz", (), ("9mA",))
    assert error.value.exit_code == 5 and "8.3 mA" in error.value.message + error.value.hint


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
