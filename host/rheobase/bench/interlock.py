"""How fast the legs go low when the interlock opens, and whether they stay low while it is open. Vectorised."""

import numpy as np

from rheobase.bench.capture import INTERLOCK
from rheobase.bench.pulses import NONE, all_highs
from rheobase.bench.verdict import CANNOT_TELL, FAIL, INTERLOCK_PS, judge, worst

BOUND = f"{INTERLOCK_PS // 1000} ns"
NEED_PS = 30_000  # its two samples and the 40 ns that the guard takes are within the bound


def windows(capture):
    """(opened, closed) in ps of every time the interlock was open; opened before the capture: from its start."""
    signal = capture.signals.get(INTERLOCK)
    if signal is None:
        return NONE, NONE
    edges = signal.edges_ps
    if not signal.initial:
        edges = np.concatenate((np.array([capture.start_ps], dtype=np.int64), edges))
    if len(edges) & 1:
        edges = np.append(edges, max(capture.end_ps, int(edges[-1])))
    return edges[0::2], edges[1::2]


def openings(capture):
    """Instants in ps at which the interlock was seen to open."""
    signal = capture.signals.get(INTERLOCK)
    return NONE if signal is None else signal.edges_ps[0 if signal.initial else 1 :: 2]


def judge_interlock(capture, channels, findings):
    """Latency of each opening over all legs of channels. Returns {openings, latency_ns: {max, u}, verdict} or None."""
    if INTERLOCK not in capture.signals:
        return None
    opened, closed = windows(capture)
    seen = openings(capture)
    u = capture.resolution_ps
    latencies, verdicts = [], []
    for channel in channels:
        for leg in "AB":
            name = f"CH{channel}_{leg}"
            begin, end = all_highs(capture, capture.signals[name])
            for t in seen:
                # What is high at the opening, or rises before the guard can have acted.
                a, b = np.searchsorted(end, t, side="right"), np.searchsorted(begin, t + INTERLOCK_PS, side="right")
                if b <= a:
                    continue
                late = int(end[b - 1]) - int(t)
                latencies.append(late)
                judged = judge(np.array([late]), u, INTERLOCK_PS)
                verdicts.append(judged.verdict)
                if judged.fail[0] or judged.doubt[0]:
                    text = f"{name} went low {late / 1000:g} ns after the interlock opened; {BOUND} is allowed."
                    _add(findings, "interlock_late", channel, t, INTERLOCK_PS, late, u, text, judged.verdict)
                elif judged.blind[0]:
                    text = f"At {u / 1000:.4g} ns a sample, {BOUND} from the interlock to legs low cannot be told:"
                    text += f" capture at {NEED_PS // 1000} ns or faster."
                    _add(findings, "too_slow", channel, t, NEED_PS, u, None, text, CANNOT_TELL)
            if not len(begin) or not len(opened):
                continue
            over = int(end[0]) - capture.start_ps
            if not capture.signals[INTERLOCK].initial and begin[0] <= capture.start_ps and over - u > INTERLOCK_PS:
                text = f"{name} was high for {over / 1000:g} ns from the start, with the interlock open;"
                text += f" {BOUND} is allowed."
                _add(findings, "interlock_late", channel, capture.start_ps, INTERLOCK_PS, over, u, text, FAIL)
                verdicts.append(FAIL)
            at = np.searchsorted(opened, begin, side="right") - 1
            after = begin - opened[np.maximum(at, 0)]
            open_ = (at >= 0) & (begin < closed[np.maximum(at, 0)])
            known = np.isin(opened[np.maximum(at, 0)], seen)
            bad = open_ & (after - u > np.where(known, INTERLOCK_PS, 0))
            for i in np.flatnonzero(bad):
                text = f"{name} rose while the interlock was open."
                _add(findings, "output_while_open", channel, begin[i], 0, int(after[i]), u, text, FAIL)
                verdicts.append(FAIL)
    return {
        "openings": len(seen),
        "latency_ns": {"max": max(latencies) / 1000 if latencies else None, "u": u / 1000},
        "verdict": worst(verdicts) if verdicts or not len(seen) else CANNOT_TELL,  # no leg was high: nothing was seen
    }


def _add(findings, code, channel, t_ps, wanted_ps, found_ps, u_ps, text, verdict):
    u = None if u_ps is None else u_ps / 1000
    findings.add(code, channel, int(t_ps), wanted_ps / 1000, found_ps / 1000, u, text, verdict)
