"""The sample period found from edges is a bound: no interval of any capture is off by more. Margins in each claim."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rheobase.bench import sample_period
from rheobase.bench.sample_period import KNOWN_RATES_HZ

PS = 10**12


def seen(true_ps, period_ps, rounding_ps, down):
    """What an instrument tells of edges at true_ps (ints): at the next sample, then rounded as its file does."""
    told = []
    for t in true_ps:
        t = -(-t // period_ps) * period_ps  # a Fraction
        whole = t // rounding_ps if down else round(t / rounding_ps)
        told.append(int(whole) * rounding_ps)
    return np.array(told, np.int64)


def train(rng, pulses, ppm):
    """Edges of biphasic pulses by a clock that is `ppm` off, in whole ps."""
    width, gap, period = int(rng.integers(50, 1000)), int(rng.integers(3, 255)), int(rng.integers(2500, 9000))
    edges, t = [], int(rng.integers(0, 10**7))
    for _ in range(pulses):
        edges += [t, t + width * 10**6, t + (width + gap) * 10**6, t + (2 * width + gap) * 10**6]
        t += (period + int(rng.integers(0, 2))) * 10**6
    return [int(Fraction(e) * (10**6 + ppm) / 10**6) for e in edges]


def worst_ps(told, true_ps):
    """By how much the worst of all intervals is off, less 0.1 ppm: a rate off by that is a clock's error."""
    late = told - np.array(true_ps, np.int64)
    return int(late.max() - late.min()) - int(told[-1] - told[0]) // 10**7


@settings(max_examples=300, deadline=None)
@given(
    st.integers(0, 2**32),
    st.one_of(st.sampled_from(KNOWN_RATES_HZ), st.integers(200_000, 900_000_000)),
    st.sampled_from([1, 100, 1000, 10_000]),
    st.booleans(),
    st.integers(2, 60),
)
def test_no_interval_is_off_by_more_than_the_resolution_found(seed, rate_hz, rounding_ps, down, pulses):
    rng = np.random.default_rng(seed)
    true_ps = train(rng, pulses, int(rng.integers(-200, 200)))
    told = seen(true_ps, Fraction(PS, rate_hz), rounding_ps, down)
    found = sample_period.found(told, rounding_ps)
    assert worst_ps(told, true_ps) <= found.resolution_ps
    assert found.resolution_ps * rate_hz >= PS * (1 - 1e-7)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32), st.integers(200_000, 100_000_000), st.sampled_from([2, 3, 5, 10]))
def test_a_file_with_more_digits_than_it_means_does_not_deceive(seed, rate_hz, power):
    """Times in ps that are whole ns, and captures of an exact clock, whose edges show only a few intervals."""
    rng = np.random.default_rng(seed)
    true_ps = train(rng, 40, 0 if power == 2 else int(rng.integers(-200, 200)))
    told = seen(true_ps, Fraction(PS, rate_hz), 1000, False)
    assert worst_ps(told, true_ps) <= sample_period.found(told, 1).resolution_ps


@pytest.mark.parametrize(
    "rate_hz", [8_000_000, 12_500_000, 24_000_000, 25_000_000, 50_000_000, 100_000_000, 500_000_000]
)
def test_a_capture_of_a_drifting_board_gives_the_rate_itself(rate_hz):
    rng = np.random.default_rng(7)
    found = sample_period.found(seen(train(rng, 300, 37), Fraction(PS, rate_hz), 1000, False), 1000)
    rounding_ps = 0 if (PS // rate_hz) % 1000 == 0 and PS % rate_hz == 0 else 1000
    assert found.resolution_ps <= -(-PS // rate_hz) + rounding_ps
    assert found.words == f"sampled at {sample_period.rate_text(rate_hz)} (found from its edges)"


@pytest.mark.parametrize(("rate_hz", "times"), [(3_333_333, 1.02), (7_000_000, 1.05), (1_000_000, 6)])
def test_a_rate_that_is_not_known_or_may_be_the_files_rounding_is_bounded_from_above(rate_hz, times):
    rng = np.random.default_rng(8)
    found = sample_period.found(seen(train(rng, 300, 37), Fraction(PS, rate_hz), 1000, False), 1000)
    assert PS / rate_hz <= found.resolution_ps <= times * PS / rate_hz + 1000


def test_a_coarse_grid_is_the_resolution():
    rng = np.random.default_rng(9)
    told = np.cumsum(rng.integers(1, 400, 200)) * 300_000  # 3.33 MHz: 10 MHz would fit it too
    found = sample_period.found(told.astype(np.int64), 1000)
    assert found.resolution_ps == 300_000 and "grid of 300 ns" in found.words


def test_our_own_clock_is_found_without_being_told():
    rng = np.random.default_rng(10)
    told = (np.cumsum(rng.integers(1000, 400_000, 200)) * 8000).astype(np.int64)
    assert sample_period.found(told, 1000) == sample_period.Sampling(8000, "sampled at 125 MHz (found from its edges)")


def test_few_edges_that_happen_to_lie_on_a_fine_grid_do_not_make_it_the_period():
    """7 MHz in whole ns: samples 2, 5 and 7 are told at even ns."""
    assert sample_period.found(np.array([0, 286, 714, 1000]) * 1000, 1000).resolution_ps >= 142_858


@pytest.mark.parametrize("told", [[], [5_000_000]])
def test_one_edge_tells_nothing_and_the_slowest_is_assumed(told):
    assert sample_period.found(np.array(told, np.int64), 1000).resolution_ps == 10**9
