"""Places in a plan that a stretch of measured pulses may lie at, the likeliest first. Fits nothing, judges nothing.

A pulse whose neighbours are telling is looked up by the intervals on either side of it.
"""

import numpy as np

RATIO_MOST = 2000e-6  # beyond it no clock is off: another train
RATIO_USUAL = 200e-6  # of a crystal and an instrument that nobody has compared
UNLIKE_PS = 600_000  # a width off by more is another pulse's, or a fault
CANDIDATES = 8  # places tried of each telling pulse
REACH = 24  # pulses compared to either side


class Given:
    """What is looked up: pulses t, w wide, of a train, and the silence before the first and behind the last."""

    def __init__(self, t, w, train, resolution_ps, edges):
        self.t, self.w, self.train, self.resolution_ps = t, w, train, resolution_ps
        margin = train.least_ps // 4
        self.before_ps = (int(t[0]) - int(edges[0])) * 0.998 - margin
        self.behind_ps = (int(edges[1]) - int(t[-1])) * 0.998 - margin

    def loud(self, first, last):
        """How many of these hold: the plan has a pulse in the silence before its `first`, behind its `last`. A train
        begins with its pulse 0, and may be stopped."""
        train = self.train
        begun = first % train.cycle != 0 if train.cycle else (first > 0) & (first < train.count)
        before = begun & (train.interval(np.where(begun, first - 1, 0)) < self.before_ps)
        on = last >= 0 if train.cycle else (last >= 0) & (last < train.count - 1)
        behind = on & (train.interval(np.where(on, last, 0)) < self.behind_ps)
        return 2 * before + behind


def places(given, absolute, share):
    """[(measured pulse, commanded pulse)] worth trying: the rarest surroundings first."""
    t, train = given.t, given.train
    m, n = np.diff(t), len(t)
    intervals = train.intervals
    if n == 2 or not train.cycle and len(intervals) < 2:
        ks = np.flatnonzero(np.abs(intervals - m[0]) <= absolute + share * m[0])
        return [(0, int(k)) for k in _likely(given, 0, ks, absolute, share)]
    tried = _telling(m, train, absolute, share)
    first, order, ranked, after = train.lookup
    told = []
    for i in tried:
        near = absolute + share * max(m[i - 1], m[i])
        lo, hi = np.searchsorted(ranked, m[i - 1] - near), np.searchsorted(ranked, m[i - 1] + near, side="right")
        k = order[lo:hi]
        k = k[np.abs(after[k] - m[i]) <= near] + first
        if len(k):
            told.append((len(k), int(i), np.sort(k)))
    told.sort(key=lambda each: each[:2])
    picked = told[:3] + told[3:][:: max(1, len(told) // 2)][:2]
    return [(i, int(k)) for _, i, ks in picked for k in _likely(given, i, ks, absolute, share)]


def _telling(m, train, absolute, share):
    """Measured pulses to look up, by the intervals m on either side: of the rarest pairs of intervals in the plan where
    it has few, else where the interval changes; and some from all over."""
    n = len(m) + 1
    some = np.concatenate((np.arange(1, min(n - 1, 6)), [n // 2, n - 2]))
    picked = []
    if train.rare is None:
        changes = np.flatnonzero(np.abs(np.diff(m)) > absolute + share * m[1:]) + 1
        picked = [changes[np.unique(np.linspace(0, len(changes) - 1, 60).astype(int))]] if len(changes) else []
    for one, other in () if train.rare is None else train.rare:
        near = absolute + share * max(one, other)
        at = np.flatnonzero((np.abs(m[:-1] - one) <= near) & (np.abs(m[1:] - other) <= near)) + 1
        picked += [at[[0, len(at) // 2]]] if len(at) else []
        if len(picked) == 3:
            break
    tried = np.unique(np.concatenate((some, *picked))).astype(int)
    return tried[(tried >= 1) & (tried <= n - 2)]


def _known(m, i, train, absolute, share):
    """How far before and behind pulse i all intervals m are ones that the plan has: beyond, a pulse is missing."""
    at = np.searchsorted(train.kinds, m)
    low, high = train.kinds[np.maximum(at - 1, 0)], train.kinds[np.minimum(at, len(train.kinds) - 1)]
    strange = np.flatnonzero(np.minimum(np.abs(m - low), np.abs(high - m)) > absolute + share * m)
    before, behind = strange[strange < i], strange[strange >= i]
    return (int(before[-1]) + 1 if len(before) else 0) - i, (int(behind[0]) if len(behind) else len(m)) - i


def _likely(given, i, ks, absolute, share):
    """The places ks of measured pulse i that the pulses around it fit best with a ratio of their own, at most
    CANDIDATES: where periods change slowly a place some pulses off looks as good, but for its rounding to whole us."""
    if len(ks) <= CANDIDATES:
        return ks
    t, w, train, resolution_ps = given.t, given.w, given.train, given.resolution_ps
    n, sx, sxx, sy, sxy, syy, unlike = (np.zeros(len(ks)) for _ in range(7))
    here = train.at(ks)
    a, b = _known(np.diff(t[max(0, i - REACH) : i + REACH + 1]), min(i, REACH), train, absolute, share)
    for j in range(a, b + 1):
        there = np.ones(len(ks), dtype=bool) if train.cycle else (ks + j >= 0) & (ks + j < train.count)
        k = np.where(there, ks + j, 0)
        x = float(t[i + j] - t[i])
        y = np.where(there, train.at(k) - here - x, 0)
        n += there
        sx += there * x
        sxx += there * x * x
        sy += y
        sxy += y * x
        syy += y * y
        unlike += there & (np.abs(train.width(k) - w[i + j]) > UNLIKE_PS + resolution_ps)
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = (sxy - sx * sy / n) / (sxx - sx * sx / n)
        left = (syy - sy * sy / n - slope * (sxy - sx * sy / n)) / n
    slope = np.abs(slope)
    left = np.where(np.isfinite(left) & (slope <= RATIO_MOST), np.maximum(left, 0), np.inf)
    steps = np.maximum(0, np.ceil(np.log2(np.maximum(left, 1)) / 2 - np.log2(resolution_ps)))
    loud = given.loud(ks - i, ks - i + len(t) - 1)
    return ks[np.lexsort((slope, unlike, loud, slope > RATIO_USUAL, steps, -n))[:CANDIDATES]]
