"""Quantities with units: exact integers, half up, and refusals that name the right form."""

from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rheocore import units


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("2mA", "current", 2000),
        ("2 mA", "current", 2000),
        ("0.2mA", "current", 200),
        ("250uA", "current", 250),
        ("250\u00b5A", "current", 250),
        ("250\u03bcA", "current", 250),
        ("0", "current", 0),
        ("0.00", "duration", 0),
        ("250us", "time_us", 250),
        ("1.5ms", "time_us", 1500),
        ("1.5s", "duration", 1500),
        ("20min", "duration", 1_200_000),
        ("0.5h", "duration", 1_800_000),
        ("100Hz", "frequency", 100_000),
        ("2.5Hz", "frequency", 2_500),
        ("0.4kHz", "frequency", 400_000),
        ("470", "resistance", 470),
        ("1.5k", "resistance", 1500),
        ("1.5k\u03a9", "resistance", 1500),
        ("470 ohms", "resistance", 470),
        ("25cm2", "area", 2500),
        ("25cm\u00b2", "area", 2500),
        ("30mm", "length", 30_000),
        ("12.5%", "percent", 1250),
    ],
)
def test_a_quantity_becomes_the_integer_it_means(text, kind, value):
    assert units.parse(text, kind) == value


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("0.0005mA", "current", 1),  # half goes up
        ("0.00049mA", "current", 0),
        ("2.5005mA", "current", 2501),  # as a binary fraction 2.5005 * 1000 is 2500.4999...
        ("1.0005s", "duration", 1001),
        ("66.6665ms", "time_us", 66667),
    ],
)
def test_rounding_is_half_up_on_the_digits_as_written(text, kind, value):
    assert units.parse(text, kind) == value


@pytest.mark.parametrize(
    "odd", [-1, -0.5, "-1", "", ".", "1.", "1e", "1e1000", "1e+-1", "1_0", "1" * 41, "nan", float("inf")]
)
def test_what_is_no_number_of_0_or_more_is_scaled_to_nothing(odd):
    with pytest.raises(ValueError):
        units.scaled(odd)
    assert units.scaled("1" * 40) == int("1" * 40) and units.scaled("1e-999") == 0


def test_an_integer_is_divided_half_up_too():
    assert [units.scaled(n, 1, 1000) for n in (0, 499, 500, 1499, 2500, 10**15 + 500)] == [0, 0, 1, 1, 3, 10**12 + 1]


@given(st.decimals(min_value=0, max_value=99999, places=6))
def test_any_decimal_is_scaled_without_float_error(number):
    exact = int((number * 1000).to_integral_value(ROUND_HALF_UP))
    assert units.parse(f"{number:f}mA", "current") == exact
    assert units.scaled(f"{number:f}", 1000) == exact


@given(st.floats(min_value=0, max_value=1e6, allow_nan=False))
def test_a_float_counts_as_the_shortest_decimal_that_names_it(number):
    assert units.scaled(number, 1000) == int((Decimal(repr(number)) * 1000).to_integral_value(ROUND_HALF_UP))


@pytest.mark.parametrize(
    ("text", "kind", "says", "hint"),
    [
        ("2", "current", "2 has no unit", "2mA or 2uA"),
        ("20", "duration", "20 has no unit", "20s or 20min"),
        ("100", "frequency", "100 has no unit", "100Hz"),
        ("2ma", "current", "no unit ma", "Write 2mA."),
        ("2ms", "current", "not a current", "2mA"),
        ("5V", "current", "not a current", "5mA"),
        ("20m", "duration", "not a duration", "20min"),
        ("-2mA", "current", "negative", "2mA"),
        ("1,5s", "duration", "decimal comma", "Write 1.5s."),
        ("", "area", "empty", "cm2"),
        ("mA", "current", "not a current", "2mA"),
        ("1.2.3mA", "current", "not a current", "2mA"),
        ("1e3us", "time_us", "not a time", "us"),
        ("\u0663mA", "current", "not a current", "2mA"),  # a digit, but not one of 0 to 9
        ("9" * 400 + "mA", "current", "15 digits", "2mA"),
        ("nan", "current", "not a current", "2mA"),
    ],
)
def test_what_is_no_quantity_is_refused_with_the_right_form(text, kind, says, hint):
    with pytest.raises(units.UnitError) as caught:
        units.parse(text, kind)
    assert says in caught.value.message
    assert hint in caught.value.hint


FORMATS = [
    (units.fmt_current, "current", 100_000),
    (units.fmt_time, "time_us", 3_600_000_000),
    (units.fmt_duration, "duration", 7_200_000),
    (units.fmt_frequency, "frequency", 400_000),
    (units.fmt_resistance, "resistance", 10_000_000),
    (units.fmt_area, "area", 100_000),
]


@given(st.data())
@pytest.mark.parametrize(("fmt", "kind", "most"), FORMATS)
def test_what_is_shown_reads_back_as_the_same_integer(fmt, kind, most, data):
    value = data.draw(st.integers(0, most))
    assert units.parse(fmt(value), kind) == value


def test_quantities_read_as_a_person_writes_them():
    assert units.fmt_current(2000) == "2 mA"
    assert units.fmt_current(250) == "250 \u00b5A"
    assert units.fmt_time(66_667) == "66.667 ms"
    assert units.fmt_duration(1_200_000) == "20 min"
    assert units.fmt_duration(90_000) == "90 s"
    assert units.fmt_frequency(2_500) == "2.5 Hz"
    assert units.fmt_resistance(1_500) == "1.5 k\u03a9"
    assert units.fmt_charge(2_490) == "2.49 \u00b5C"


@pytest.mark.parametrize("text", ["0.25x30mm", "0.25 x 30 mm", "0.25mm\u00d730mm", "0.25 MM X 30 MM"])
def test_a_needle_is_its_diameter_and_inserted_length_in_um(text):
    assert units.parse_needle(text) == (250, 30_000)


@pytest.mark.parametrize(
    "text", ["", "0.25", "0.25x30", "x30mm", "0.25xmm", "25x30mm", "0.25x3mm", "ax30mm", "0.25x30cm"]
)
def test_what_is_no_needle_is_refused_with_the_right_form(text):
    with pytest.raises(units.UnitError) as caught:
        units.parse_needle(text)
    assert "0.25x30mm" in caught.value.hint
