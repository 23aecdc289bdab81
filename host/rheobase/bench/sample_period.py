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
_LOOKED_AT = 10_000  # edges of which longer intervals are looked at too: any of them bound the period
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
    seen = _independent(times, intervals)
    grid_ps = int(np.gcd.reduce(intervals))
    for step_ps in (1000, 10**6, 10**9):  # digits that are always 0 tell of no finer step: whole ns in a file in ps
        rounding_ps = step_ps if step_ps > rounding_ps and grid_ps % step_ps == 0 else rounding_ps
    if (rounding_ps / grid_ps) ** seen < _CHANCE:
        rate_hz = PS_PER_S // grid_ps if PS_PER_S % grid_ps == 0 else None
        if rate_hz in KNOWN_RATES_HZ:
            return Sampling(grid_ps, f"sampled at {rate_text(rate_hz)} (found from its edges)")
        return Sampling(grid_ps, f"edges on a grid of {_period_text(grid_ps)}, taken as the sample period")
    # Rounding is off by at most a step in an interval, so two intervals more than two steps apart are not equal.
    start = times[:_LOOKED_AT]
    lengths = np.unique(np.concatenate(([0], intervals, *(start[n:] - start[:-n] for n in range(2, 17)))))
    longer = np.searchsorted(lengths, lengths + 2 * rounding_ps, side="right")
    longer = longer[longer < len(lengths)]
    apart = (lengths[longer] - lengths[: len(longer)]).tolist()
    bound_ps = min(apart, default=int(intervals.max())) + 2 * rounding_ps
    for rate_hz in sorted(KNOWN_RATES_HZ):
        alone = bound_ps * rate_hz < 2 * PS_PER_S <= 2 * bound_ps * rate_hz  # no grid twice as coarse is possible
        if alone and _fits(times, seen, rate_hz, rounding_ps):
            return at_rate(rate_hz, rounding_ps, "found from its edges")
    return Sampling(bound_ps + rounding_ps, f"sample period at most {_period_text(bound_ps)} (found from its edges)")


def _independent(times, intervals):
    """How many edges have a place on the grid that another does not give away: what speaks against chance.

    A board whose clock is not the instrument's moves over the grid, and an interval that comes again is now and then a
    sample longer; each such change speaks, counted at half its number. Edges locked to the grid come again as they
    were: there, only intervals that are not equal speak.
    """
    again = np.diff(times[:_LOOKED_AT])
    changes = [int(np.count_nonzero(again[lag:] != again[:-lag])) for lag in range(1, min(65, len(again)))]
    return max(len(intervals), min(changes, default=0) // 2)


def _fits(times, seen, rate_hz, rounding_ps):
    """True if every edge is on the grid of rate_hz as rounded in the file, and would not be by chance."""
    part = int(np.gcd(PS_PER_S, rate_hz))
    over, under = PS_PER_S // part, rate_hz // part  # the period is over / under ps
    if (min(1.0, 2 * rounding_ps * under / over)) ** seen >= _CHANCE:
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
