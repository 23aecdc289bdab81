"""Finds where in its plan a capture lies: which measured pulse is which commanded one. Judges nothing.

A capture may begin and end anywhere, miss pulses, hold others, and be timed by a clock some hundred ppm off. So: a
pulse whose neighbours are telling is looked up in the plan, the best of the places found is fitted over a stretch short
enough for an unknown clock, and the fit carries the stretch eight times further until all is covered. Where the train
leaves its plan for good (a pause, a stall, the next session), a segment ends and the next is found anew.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

US = 1_000_000  # ps
RATIO_MOST = 2000e-6  # beyond it no clock is off: another train
RATIO_USUAL = 200e-6  # of a crystal and an instrument that nobody has compared
UNLIKE_PS = 600_000  # a width off by more is another pulse's, or a fault
LOOSE = ((20 * US, 600e-6), (20 * US, 0.05))  # how far an interval may be off its plan's, to be a place: tight, then not
CANDIDATES = 12  # places tried of each telling pulse
REACH = 24  # pulses compared to either side
KINDS = 64  # pairs of intervals that a plan may have for each to be looked for
POOR = 6  # stretches in a row without a run of the plan: no more are looked for
JUMP_PS = 20 * US  # a step in time that stays: the train has left its plan
LOST = 8  # pulses in a row that no plan knows; the same for a segment's end
PAUSE = 3  # missing pulses in a row that may be a pause: what follows need not be in step
TAIL = 2  # unmatched pulses at either end that are looked up anew
SEGMENTS = 32


class Train:
    """The plan as match() looks at it: cyclic and without an end where it repeats itself, else as it is."""

    def __init__(self, expected):
        self.cycle = expected.cycle
        self.count = len(expected.starts_ps)
        n = self.cycle or self.count
        self.starts, self.widths = expected.starts_ps[:n], expected.widths_ps[:n]
        self.gap_ps = expected.gap_ps
        self.turn_ps = int(expected.starts_ps[n]) if self.cycle and self.count > n else 0
        if self.cycle and not self.turn_ps:  # one turn and no more: nothing repeats
            self.cycle = 0
        ends = [self.starts[-1:] + 0, self.starts[:1] + self.turn_ps] if self.cycle else [self.starts[:0]] * 2
        self.intervals = np.diff(np.concatenate((self.starts, ends[1])))  # cyclic: as many as pulses
        self.least_ps = int(self.intervals.min()) if len(self.intervals) else 0

    @cached_property
    def _beside(self):
        """(first, intervals before, behind) of each pulse from the first that has both."""
        if self.cycle:
            return 0, np.roll(self.intervals, 1), self.intervals
        return 1, self.intervals[:-1], self.intervals[1:]

    @cached_property
    def lookup(self):
        """(first, order, intervals before in that order, intervals behind): of pulses, to find those between two."""
        first, before, behind = self._beside
        order = np.argsort(before, kind="stable")
        return first, order, before[order], behind

    @cached_property
    def rare(self):
        """[(interval before, behind)] that the plan has, the rarest first; None if they are more than KINDS."""
        _, before, behind = self._beside
        kinds, counts = np.unique(before // US << 32 | behind // US, return_counts=True)
        if len(kinds) > KINDS:
            return None
        kinds = kinds[np.argsort(counts, kind="stable")]
        return [(int(kind >> 32) * US, int(kind & 0xFFFFFFFF) * US) for kind in kinds]

    def at(self, k):
        """Commanded start of pulse k, ps from pulse 0's; k may be any integer where the train is cyclic."""
        if not self.cycle:
            return self.starts[k]
        return k // self.cycle * self.turn_ps + self.starts[k % self.cycle]

    def width(self, k):
        return self.widths[k % self.cycle] if self.cycle else self.widths[k]

    def interval(self, k):
        """Commanded time from pulse k to the next; a train that ends has none after its last."""
        if self.cycle:
            return self.intervals[k % self.cycle]
        return np.append(self.intervals, np.iinfo(np.int64).max)[k]

    def nearest(self, c_ps):
        """Index of the commanded start nearest to each c_ps (float ps)."""
        if not self.cycle:
            k = np.clip(np.searchsorted(self.starts, c_ps), 1, max(1, self.count - 1))
            if self.count == 1:
                return np.zeros(len(c_ps), dtype=np.int64)
            return k - (c_ps - self.starts[k - 1] < self.starts[k] - c_ps)
        turn = np.floor_divide(c_ps, self.turn_ps).astype(np.int64)
        table = np.append(self.starts, self.turn_ps)
        inside = c_ps - turn * float(self.turn_ps)
        k = np.clip(np.searchsorted(table, inside), 1, self.cycle)
        k = k - (inside - table[k - 1] < table[k] - inside)
        return turn * self.cycle + k


@dataclass
class Segment:
    """Pulses that follow one run of the plan. pulse: indices of measured pulses; of: those of the commanded ones, both
    rising. first, last: the measured pulses that it covers, extra ones included."""

    pulse: np.ndarray
    of: np.ndarray
    first: int
    last: int

    def missing(self):
        """[(index of the commanded pulse, how many in a row, measured pulse before)] of those not there in between."""
        step = np.diff(self.of)
        return [(int(self.of[j]) + 1, int(step[j]) - 1, int(self.pulse[j])) for j in np.flatnonzero(step > 1)]


def match(capture, starts, widths, train, breaks=()):
    """([Segment], mask of extra pulses). starts, widths: int64 ps of capture's pulses. breaks: indices at which a new
    run of the plan begins in any case (after the interlock was opened)."""
    extra = np.ones(len(starts), dtype=bool)
    bounds = [0, *sorted({b for b in breaks if 0 < b < len(starts)}), len(starts)]
    todo = [(lo, hi) for lo, hi in zip(bounds, bounds[1:], strict=False) if hi > lo]
    segments = []
    poor = 0
    while todo and len(segments) < SEGMENTS and poor < POOR:
        lo, hi = max(todo, key=lambda span: span[1] - span[0])
        todo.remove((lo, hi))
        # Silence tells where in the plan this is only at the capture's ends: elsewhere it may be a pause.
        edges = (capture.start_ps if lo == 0 else starts[lo], capture.end_ps if hi == len(starts) else starts[hi - 1])
        given = _Given(starts[lo:hi], widths[lo:hi], train, capture.resolution_ps, edges)
        found = _segment(given)
        poor = poor + 1 if found is None or len(found[0]) < LOST else 0
        if found is None:
            continue
        pulse, of, first, last = found
        extra[pulse + lo] = False
        segments.append(Segment(pulse + lo, of, first + lo, last + lo))
        todo += [(a, b) for a, b in ((lo, lo + first), (lo + last + 1, hi)) if b > a]
    segments.sort(key=lambda s: s.first)
    for segment in segments:
        if train.cycle:
            segment.of = segment.of - segment.of[0] // train.cycle * train.cycle
        over = segment.of >= train.count  # after the train's end
        if over.any():
            extra[segment.pulse[over]] = True
            segment.pulse, segment.of = segment.pulse[~over], segment.of[~over]
    return [s for s in segments if len(s.pulse)], extra


class _Given:
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


def _segment(given):
    """(pulses, plan's pulses, first, last) of the run of the plan that fits most of what is given, or None."""
    w, train, n = given.w, given.train, len(given.t)
    if not train.count:
        return None
    if n == 1 or train.count == 1:
        k = np.arange(len(train.widths))
        off = np.abs(train.widths - w[0]) > UNLIKE_PS + given.resolution_ps
        return np.array([0]), np.array([int(np.lexsort((given.loud(k, k), off))[0])]), 0, 0
    for absolute, share in LOOSE:
        places = _places(given, absolute, share)
        fits = [_Fit(given, i, k) for i, k in places]
        for fit in fits:
            fit.grow(2)
        best = None
        for fit in sorted(fits, key=lambda fit: fit.rank)[:3]:
            fit.grow(None)
            if best is None or fit.rank < best.rank:
                best = fit
            if -best.rank[0] >= 0.99 * n:
                break
        if best is not None and -best.rank[0] >= 2:
            return best.matched()
    return None


def _places(given, absolute, share):
    """[(measured pulse, commanded pulse)] worth trying: the rarest surroundings first."""
    t, train = given.t, given.train
    m, n = np.diff(t), len(t)
    intervals = train.intervals
    if n == 2 or len(intervals) < 2:
        ks = np.flatnonzero(np.abs(intervals - m[0]) <= absolute + share * m[0])
        return [(0, int(k)) for k in _likely(given, 0, ks)]
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
    return [(i, int(k)) for _, i, ks in picked for k in _likely(given, i, ks)]


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


def _likely(given, i, ks):
    """The places ks of measured pulse i that the pulses around it fit best with a ratio of their own, at most
    CANDIDATES: where periods change slowly a place some pulses off looks as good, but for its rounding to whole us."""
    if len(ks) <= CANDIDATES:
        return ks
    t, w, train, resolution_ps = given.t, given.w, given.train, given.resolution_ps
    n, sx, sxx, sy, sxy, syy, unlike = (np.zeros(len(ks)) for _ in range(7))
    here = train.at(ks)
    for j in range(max(-REACH, -i), min(REACH, len(t) - 1 - i) + 1):
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


class _Fit:
    """One place in the plan, and the line through what fits it: c = t - t_i + C_k, less offset and ratio."""

    def __init__(self, given, i, k):
        self.given, self.i = given, i
        self.t, self.train = t, train = given.t, given.train
        self.x = (t - t[i]).astype(float)
        self.c0 = float(train.at(np.int64(k)))
        self.offset = self.ratio = 0.0
        self.tolerance = train.least_ps / 4
        self.slack = RATIO_MOST  # how far the ratio may be off
        self.lo, self.hi = 0, len(t)  # beyond these the train has left its plan
        self.inside = (i, i + 1)

    def grow(self, steps):
        """Fit ever longer stretches, so many or (None) until all is covered; `rank` is the less the better."""
        reach = self.tolerance / RATIO_MOST
        while True:
            a = max(self.lo, int(np.searchsorted(self.x, -reach)))
            b = min(self.hi, int(np.searchsorted(self.x, reach, side="right")))
            self._fit(a, b)
            whole = self.inside == (self.lo, self.hi)
            steps = None if steps is None else steps - 1
            if whole or steps == 0:
                return
            reach *= 8

    def _residuals(self, a, b):
        c = self.c0 + self.x[a:b] * (1 - self.ratio) - self.offset
        k = self.train.nearest(c)
        return c - self.train.at(k), k

    def _fit(self, a, b):
        off, k = self._residuals(a, b)
        a, b, off, k = self._until_it_leaves(a, b, off, k)
        good = np.abs(off) <= self.tolerance
        for _ in range(2):
            if good.sum() < 2:
                break
            x, y = self.x[a:b][good], off[good]
            mean_x, mean_y = x.mean(), y.mean()
            spread = ((x - mean_x) ** 2).sum()
            slope = ((x - mean_x) * (y - mean_y)).sum() / spread if spread else 0.0
            slope = min(max(self.ratio + slope, -RATIO_MOST), RATIO_MOST) - self.ratio
            level = mean_y - slope * mean_x
            left = np.abs(off - level - slope * self.x[a:b])
            good = left <= max(5 * US, 4 * float(np.median(left[good])))
        else:
            self.ratio += slope
            self.offset += level
            self.slack = min(self.slack, JUMP_PS / max(1.0, float(np.ptp(x))))
        self.inside = (a, b)
        self.rank = self._rank(a, b)

    def _rank(self, a, b):
        """To sort fits by: most matched, least missing, nearest, no clock's ratio, silence, widths unlike, ratio."""
        off, k = self._residuals(a, b)
        near = np.abs(off) <= self.tolerance
        many, given = int(near.sum()), self.given
        if not many:
            return (0,)
        k = k[near]
        absent = int(k[-1] - k[0]) + 1 - many
        steps = max(0, int(np.ceil(np.log2(max(float(np.abs(off[near]).mean()), 1.0) / given.resolution_ps))))
        unlike = np.abs(self.train.width(k) - given.w[a:b][near]) > UNLIKE_PS + given.resolution_ps
        loud = int(given.loud(k[0] if a == 0 else np.int64(0), k[-1] if b == len(self.t) else np.int64(-1)))
        return (-many, absent, steps, abs(self.ratio) > RATIO_USUAL, loud, int(unlike.sum()), abs(self.ratio))

    def _until_it_leaves(self, a, b, off, k):
        """Cut the stretch where the train leaves its plan, on either side of the place."""
        near = np.flatnonzero(np.abs(off) <= self.tolerance)
        if len(near) < 2:
            return a, b, off, k
        step, ahead, beside = np.diff(off[near]), np.diff(k[near]), np.diff(near)
        most = max(JUMP_PS, 8 * float(np.median(np.abs(step)))) + self.slack * np.diff(self.x[a:b][near])
        jump = np.abs(step) > most
        if jump.any():  # a pulse that is off by itself jumps there and back
            wide = np.concatenate(([0.0], step, [0.0]))
            jump &= (np.abs(wide[1:-1] + wide[:-2]) > most) & (np.abs(wide[1:-1] + wide[2:]) > most)
        leaves = np.flatnonzero(jump | (ahead > PAUSE) | (beside > LOST))
        here = self.i - a
        right, left = leaves[near[leaves] >= here], leaves[near[leaves + 1] <= here]
        first = int(near[left[-1] + 1]) if len(left) else int(near[0]) if near[0] >= TAIL else 0
        last = int(near[right[0]]) if len(right) else int(near[-1]) if b - a - 1 - near[-1] >= TAIL else b - a - 1
        if first:
            self.lo = max(self.lo, a + first)
        if last < b - a - 1:
            self.hi = min(self.hi, a + last + 1)
        return a + first, a + last + 1, off[first : last + 1], k[first : last + 1]

    def matched(self):
        """(pulses, the plan's, first, last) of the whole fitted stretch; of two pulses for one, the nearer."""
        a, b = self.inside
        off, k = self._residuals(a, b)
        near = np.flatnonzero(np.abs(off) <= self.tolerance)
        order = near[np.lexsort((np.abs(off[near]), k[near]))]
        _, at = np.unique(k[order], return_index=True)
        keep = np.sort(order[at])
        return keep + a, k[keep], a, b - 1
