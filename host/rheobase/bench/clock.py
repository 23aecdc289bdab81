"""The ratio of two clocks, and where each pulse lies against the commanded time with that ratio taken out. No verdicts.

One ratio a capture, over all channels and runs. Two crystals also wander against each other (1e-8 is 1 us in 100 s),
so where a run is long each pulse is held against the commanded times of the stretch around it, and how much the ratio
of stretches differs is told apart. A step in time that stays ends a piece: what follows has an offset of its own.
"""

from dataclasses import dataclass

import numpy as np

PPM = 1e6
STRETCH_PS = 2 * 10**12  # over which two crystals are taken to agree
STRETCH_PULSES = 9
PIECES = 16


@dataclass
class Run:
    """Matched pulses of one channel and segment: commanded and measured starts, ps. piece: number of the piece each
    belongs to. off: int64, ps by which each starts late, in the board's time, once fit() is done."""

    commanded: np.ndarray
    measured: np.ndarray
    piece: np.ndarray | None = None
    off: np.ndarray | None = None


@dataclass
class Ratio:
    """Board's clock over the instrument's. value, u: parts of one (None: cannot be told); u allows for what pulses are
    off their times. slack: what sampling alone can do to value. local: [(value, u)] of stretches of a long capture."""

    value: float | None
    u: float | None
    slack: float | None
    local: list

    def board(self, ps):
        """An interval or intervals (int64 ps) by the instrument's clock -> by the board's."""
        if not self.value:
            return ps
        ps = np.asarray(ps, dtype=np.int64)
        return ps + np.rint(ps * self.value).astype(np.int64)


def fit(runs, resolution_ps, tick_ps, own_clock):
    """The Ratio of all runs; sets their piece and off. tick_ps: a step that stays is one of at least so much."""
    for run in runs:
        run.piece = _pieces(run, tick_ps + 2 * resolution_ps)
    ratio = Ratio(0.0, 0.0, 0.0, []) if own_clock else _ratio(runs, resolution_ps)
    for run in runs:
        since = run.measured - run.measured[0]
        late = ratio.board(since) - (run.commanded - run.commanded[0])
        run.off = np.zeros(len(late), dtype=np.int64)
        for piece in range(int(run.piece[-1]) + 1):
            a, b = np.searchsorted(run.piece, (piece, piece + 1))
            off = late[a:b] - int(np.median(late[a:b]))
            if not own_clock:
                off = _less_wander(run.commanded[a:b], off, resolution_ps, ratio)
            run.off[a:b] = off
    return ratio


def _pieces(run, step_ps):
    """Numbers of the pieces between steps that stay. Too many steps are no steps but jitter, or another period."""
    interval = np.diff(run.commanded)
    late = (np.diff(run.measured) - interval).astype(float)
    if len(late) < 2:
        return np.zeros(len(run.commanded), dtype=int)
    late -= interval * _middle(late / interval, interval)  # weighed: a long interval tells a ratio best
    step = np.abs(late) > step_ps
    if step.any():
        wide = np.concatenate(([0.0], late, [0.0]))
        step &= (np.abs(wide[1:-1] + wide[:-2]) > step_ps) & (np.abs(wide[1:-1] + wide[2:]) > step_ps)
    if step.sum() > PIECES:
        step[:] = False
    return np.concatenate(([0], np.cumsum(step)))


def _middle(values, weights):
    """Weighted median."""
    order = np.argsort(values)
    summed = np.cumsum(weights[order].astype(float))
    return float(values[order[np.searchsorted(summed, summed[-1] / 2)]])


def _ratio(runs, resolution_ps):
    """Least squares over all pieces, outliers out; u bounds what a spread of the inliers, one resolution at least, can
    do to it."""
    xs, ys, sizes = [], [], []
    for run in runs:
        x = (run.commanded - run.commanded[0]).astype(float)
        y = (run.measured - run.measured[0] - (run.commanded - run.commanded[0])).astype(float)
        for piece in range(int(run.piece[-1]) + 1):
            a, b = np.searchsorted(run.piece, (piece, piece + 1))
            if b - a > 1:
                xs.append(x[a:b])
                ys.append(y[a:b])
                sizes.append(b - a)
    if not xs:
        return Ratio(None, None, None, [])
    good = [np.ones(n, dtype=bool) for n in sizes]
    slope = 0.0
    for _ in range(4):
        mx = [x[g] - x[g].mean() if g.any() else x[:0] for x, g in zip(xs, good, strict=True)]
        my = [y[g] - y[g].mean() if g.any() else y[:0] for y, g in zip(ys, good, strict=True)]
        spread = sum(float((x * x).sum()) for x in mx)
        if not spread:
            return Ratio(None, None, None, [])
        slope = sum(float((x * y).sum()) for x, y in zip(mx, my, strict=True)) / spread
        lefts = [y - slope * x for x, y in zip(xs, ys, strict=True)]
        lefts = [left - np.median(left) for left in lefts]
        size = float(np.median(np.abs(np.concatenate(lefts))))
        keep = max(2.0 * resolution_ps, 6 * size)
        new = [np.abs(left) <= keep for left in lefts]
        if all((n == g).all() for n, g in zip(new, good, strict=True)):
            break
        good = new
    inliers = [left[g] for left, g in zip(lefts, good, strict=True) if g.any()]
    half = max(float(resolution_ps), *(float(np.ptp(left)) for left in inliers)) / 2
    lever = sum(float(np.abs(x).sum()) for x in mx) / spread
    return Ratio(1 / (1 + slope) - 1, half * lever, resolution_ps / 2 * lever, [])


def _less_wander(commanded, off, resolution_ps, ratio):
    """off without what the two clocks wander against each other; their ratio over each stretch joins ratio.local."""
    span = int(commanded[-1] - commanded[0])
    size = max(STRETCH_PULSES, -(-len(off) * STRETCH_PS // max(span, 1)))
    count = len(off) // size
    if count < 3 or ratio.value is None:
        return off
    rows = off[: count * size].reshape(count, size)
    level = np.median(rows, axis=1)
    middle = np.median(commanded[: count * size].reshape(count, size), axis=1)
    slope = np.diff(level) / np.diff(middle)
    trend = np.interp(commanded, middle, level)
    for outside, j in ((commanded < middle[0], 0), (commanded > middle[-1], -1)):
        trend[outside] = level[j] + slope[j] * (commanded[outside] - middle[j])
    off = off - np.rint(trend).astype(np.int64)
    spread = np.median(np.abs(off[: count * size].reshape(count, size)), axis=1)
    u = np.maximum(resolution_ps, 2 * (spread[1:] + spread[:-1])) / np.diff(middle)
    ratio.local += [(ratio.value - float(s), float(e)) for s, e in zip(slope, u, strict=True)]
    return off
