"""Finds where in its plan a capture lies: which measured pulse is which commanded one. Judges nothing.

A capture may begin and end anywhere, miss pulses, hold others, and be timed by a clock some hundred ppm off. So: a
pulse whose neighbours are telling is looked up in the plan, the best of the places found is fitted over a stretch short
enough for an unknown clock, and the fit carries the stretch eight times further until all is covered. Where the train
leaves its plan for good (a pause, a stall, the next session), a segment ends and the next is found anew.
"""

from dataclasses import dataclass
from itertools import groupby

import numpy as np

from rheobase.bench.expected import US
from rheobase.bench.places import RATIO_MOST, RATIO_USUAL, UNLIKE_PS, Given, places

LOOSE = (
    (20 * US, 600e-6),
    (20 * US, 0.05),
)  # how far an interval may be off its plan's, to be a place: tight, then not
JUMP_PS = 20 * US  # a step in time that stays: the train has left its plan
LOST = 8  # pulses in a row that no plan knows; the same for a segment's end
PAUSE = 3  # missing pulses in a row that may be a pause: what follows need not be in step
POOR = 6  # stretches in a row without a run of the plan: no more are looked for
TAIL = 2  # unmatched pulses at either end that are looked up anew
SEGMENTS = 32


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
        given = Given(starts[lo:hi], widths[lo:hi], train, capture.resolution_ps, edges)
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
        best = None
        for _, tried in groupby(places(given, absolute, share), key=lambda place: place[0]):
            fits = [_Fit(given, i, k) for i, k in tried]
            for fit in fits:
                fit.grow(2)
            fit = min(fits, key=lambda fit: fit.rank)
            fit.grow(None)
            if best is None or fit.rank < best.rank:
                best = fit
            if best.rank[:5] == (-n, 0, 0, False, 0):  # all of it, and nothing speaks against it
                break
        if best is not None and -best.rank[0] >= 2:
            return best.matched()
    return None


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
