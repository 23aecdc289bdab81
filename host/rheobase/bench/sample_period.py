"""How often the instrument looked, and so how wrong an interval between two edges can be. Never an optimistic guess.

Every edge is told at a sample, so every interval, and every difference of two intervals, is a whole number of sample
periods: the smallest difference that is not the file's rounding bounds the period from above, whatever the instrument.
"""

import re
from dataclasses import dataclass

import numpy as np

from rheobase.bench.trace import MAX_RATE_HZ, PS_PER_S

# Rates of common instruments, in Hz: Saleae Logic, Kingst, DSLogic, sigrok's fx2lafw and other drivers, an RP2040's own
# clock. They name what was found and replace a bound only where that bound singles one of them out.
KNOWN_RATES_HZ = (
    *(1_000, 2_000, 5_000, 10_000, 20_000, 25_000, 50_000, 100_000, 125_000, 200_000, 250_000, 400_000, 500_000),
    *(781_250, 800_000, 1_000_000, 1_562_500, 1_600_000, 2_000_000, 2_500_000, 3_000_000, 3_125_000, 3_200_000),
    *(4_000_000, 5_000_000, 6_000_000, 6_250_000, 8_000_000, 10_000_000, 12_000_000, 12_500_000, 15_625_000),
    *(16_000_000, 20_000_000, 24_000_000, 25_000_000, 31_250_000, 32_000_000, 40_000_000, 48_000_000, 50_000_000),
    *(62_500_000, 80_000_000, 96_000_000, 100_000_000, 120_000_000, 125_000_000, 133_000_000, 150_000_000),
    *(160_000_000, 192_000_000, 200_000_000, 240_000_000, 250_000_000, 300_000_000, 312_500_000, 333_333_333),
    *(400_000_000, 500_000_000, 625_000_000, 800_000_000, 1_000_000_000, 1_250_000_000, 1_600_000_000),
)
_CHANCE = 1e-6  # a grid that the edges would fit by chance more often than this is not believed


@dataclass(frozen=True)
class Sampling:
    """resolution_ps: hard bound on how late an edge is told. words: how it was found, for people."""

    resolution_ps: int
    words: str


def at_rate(rate_hz, rounding_ps, said_by):
    """The Sampling of a known rate. rounding_ps: the file's step. said_by: "as the file says", for people."""
    period_ps = -(-PS_PER_S // rate_hz)
    exact = PS_PER_S % rate_hz == 0 and period_ps % rounding_ps == 0
    return Sampling(period_ps + (0 if exact else rounding_ps), f"sampled at {rate_text(rate_hz)} ({said_by})")


def found(edges_ps, rounding_ps):
    """The Sampling that the edges themselves show. edges_ps: sorted int64, of all signals of one instrument."""
    times = edges_ps[np.append(True, edges_ps[1:] != edges_ps[:-1])] if len(edges_ps) else edges_ps
    if len(times) < 2:
        slowest_ps = PS_PER_S // min(KNOWN_RATES_HZ)
        return Sampling(slowest_ps, f"sample rate not known from one edge; {rate_text(min(KNOWN_RATES_HZ))} assumed")
    intervals = np.unique(np.diff(times))
    grid_ps = int(np.gcd.reduce(intervals))
    for step_ps in (1000, 10**6, 10**9):  # digits that are always 0 tell of no finer step: whole ns in a file in ps
        rounding_ps = step_ps if step_ps > rounding_ps and grid_ps % step_ps == 0 else rounding_ps
    if (rounding_ps / grid_ps) ** len(intervals) < _CHANCE:
        rate_hz = PS_PER_S // grid_ps if PS_PER_S % grid_ps == 0 else None
        if rate_hz in KNOWN_RATES_HZ:
            return Sampling(grid_ps, f"sampled at {rate_text(rate_hz)} (found from its edges)")
        return Sampling(grid_ps, f"edges on a grid of {_period_text(grid_ps)}, taken as the sample period")
    # Four roundings, of up to half a step or of up to a whole one all to one side, part two intervals by two steps.
    steps = np.diff(np.append(0, intervals))
    real = steps[steps > 2 * rounding_ps]
    bound_ps = int(real.min() if len(real) else intervals.max()) + 2 * rounding_ps
    for rate_hz in sorted(KNOWN_RATES_HZ):
        alone = bound_ps * rate_hz < 2 * PS_PER_S <= 2 * bound_ps * rate_hz  # no grid twice as coarse is possible
        if alone and _fits(times, intervals, rate_hz, rounding_ps):
            return at_rate(rate_hz, rounding_ps, "found from its edges")
    return Sampling(bound_ps + rounding_ps, f"sample period at most {_period_text(bound_ps)} (found from its edges)")


def _fits(times, intervals, rate_hz, rounding_ps):
    """True if every edge is on the grid of rate_hz as rounded in the file, and would not be by chance."""
    part = int(np.gcd(PS_PER_S, rate_hz))
    over, under = PS_PER_S // part, rate_hz // part  # the period is over / under ps
    if (min(1.0, 2 * rounding_ps * under / over)) ** len(intervals) >= _CHANCE:
        return False
    since = times - times[0]
    if int(since[-1]) > np.iinfo(np.int64).max // under:
        return False
    for part_of in (since[:1000], since):
        off = part_of * under % over
        if (np.minimum(off, over - off) > rounding_ps * under).any():
            return False
    return True


def rate_text(rate_hz):
    """A rate for people: 24 MHz."""
    for unit, size in (("GHz", 10**9), ("MHz", 10**6), ("kHz", 1000)):
        if rate_hz >= size:
            return f"{rate_hz / size:.9g} {unit}"
    return f"{rate_hz} Hz"


def rate_hz(digits, prefix):
    """A rate as people write it ("31.25", "M") in Hz, or None if it is none that an instrument has."""
    found = re.fullmatch(r"(\d{1,12})\.?(\d{0,9})", digits)
    if not found:
        return None
    power = {"": 0, "k": 3, "M": 6, "G": 9}[prefix]
    hz = int(found[1] + found[2]) * 10**power // 10 ** len(found[2])
    return hz if 0 < hz <= MAX_RATE_HZ else None


def _period_text(ps):
    for unit, size in (("s", PS_PER_S), ("ms", 10**9), ("us", 10**6), ("ns", 1000)):
        if ps >= size:
            return f"{ps / size:.6g} {unit}"
    return f"{ps} ps"
