"""The item word: two halves of 16 bits, fields where the PIO program looks for them, durations that add up."""

import pytest
from core.draw import PROPERTY
from hypothesis import given
from hypothesis import strategies as st
from rheocore import items

WIDTHS = st.integers(0, items.WIDTH_MAX_US)
FIELDS = st.integers(0, 255)
RESTS = st.integers(0, items.REST_MAX_US)


@PROPERTY
@given(WIDTHS, FIELDS, RESTS)
def test_halves_hold_the_three_fields_from_the_lowest_bit_on(width_us, field, rest_us):
    lo, hi = items.lo(width_us, field), items.hi(field, rest_us)
    assert 0 <= lo < 1 << 16 and 0 <= hi < 1 << 16
    value = lo | hi << 16
    assert value == width_us + field * 2**10 + rest_us * 2**18
    assert items.decode(value) == (width_us, field, rest_us)


@PROPERTY
@given(st.integers(1, items.WIDTH_MAX_US), st.integers(items.GAP_MIN_US, items.GAP_MAX_US), RESTS)
def test_word_is_what_a_gap_in_us_asks_for_and_lasts_the_sum_of_its_parts(width_us, gap_us, rest_us):
    value = items.word(width_us, gap_us, rest_us)
    assert items.decode(value) == (width_us, gap_us - items.GAP_MIN_US, rest_us)
    assert items.duration_us(value) == items.min_period_us(width_us, gap_us) + rest_us


@pytest.mark.req("REQ-065")
@PROPERTY
@given(st.integers(0, 2**32 - 1))
def test_any_word_has_a_duration_within_the_hardware_caps(value):
    """Garbage included: pulses no faster than 725 Hz, no item longer than 20.1 ms."""
    duration_us = items.duration_us(value)
    assert duration_us <= 2 * 1023 + 255 + 16383 + items.PULSE_FIXED_US
    if value & 0x3FF:
        assert 725 * duration_us >= 1_000_000
    else:
        assert duration_us == (value >> 18) + items.REST_FIXED_US
