"""Pulses out of edges: pairs the phases of one channel, vectorised, in integer ps. Knows no protocol, gives no verdict.

A pulse is a time high of leg A and the first time high of leg B that begins before the next of A. What the capture's
start or end cuts is left out and is no fault; a leg that stays high there for longer than a phase is `stuck`.
"""

from dataclasses import dataclass

import numpy as np

SLACK_PS = 1_000_000  # a tick: what a clock 500 ppm off makes of the longest pulse
NONE = np.empty(0, dtype=np.int64)


@dataclass
class Pulses:
    """Whole pulses of one channel: rise and fall of phases A and B, int64 ps. And what never became a whole pulse.

    lone: [(rises, falls, leg)] of phases without their partner. runts: the same of times high shorter than asked.
    overlaps: (from, to) of every time with both legs high. stuck: [(from_ps, to_ps, leg)]. cut: a pulse is cut by the
    capture's start or end.
    """

    a_rise: np.ndarray
    a_fall: np.ndarray
    b_rise: np.ndarray
    b_fall: np.ndarray
    lone: list
    runts: list
    overlaps: tuple
    stuck: list
    cut: tuple

    def __len__(self):
        return len(self.a_rise)

    @property
    def starts(self):
        return self.a_rise

    @property
    def widths_a(self):
        return self.a_fall - self.a_rise

    @property
    def widths_b(self):
        return self.b_fall - self.b_rise

    @property
    def gaps(self):
        return self.b_rise - self.a_fall

    @property
    def ends(self):
        return self.b_fall


def pair(capture, a, b, runt_ps=0, phase_ps=0, gap_ps=0):
    """Pulses of legs a and b (Signals). runt_ps: times high shorter than this are runts. phase_ps, gap_ps: the longest
    phase and the gap that are commanded, to know what the capture's ends may have cut."""
    (a_rise, a_fall, runts_a, stuck_a), (b_rise, b_fall, runts_b, stuck_b) = (
        _highs(capture, signal, runt_ps, phase_ps) for signal in (a, b)
    )
    at = np.searchsorted(b_rise, a_rise, side="left")
    first_b = np.append(b_rise, np.iinfo(np.int64).max)[at]
    next_a = np.append(a_rise[1:], np.iinfo(np.int64).max)[: len(a_rise)]
    whole = (at < len(b_rise)) & (first_b < next_a)
    used = np.zeros(len(b_rise), dtype=bool)
    used[at[whole]] = True
    lone_a, lone_b = ~whole, ~used
    slack_ps = capture.resolution_ps + SLACK_PS
    # What the ends of the capture cut: a B whose A lies before its start or is high there, an A whose B begins behind
    # its end or is high there.
    a_from = int(a.edges_ps[0]) if a.initial and len(a.edges_ps) else capture.start_ps - gap_ps
    b_until = int(b.edges_ps[-1]) if _last(b) and len(b.edges_ps) else capture.end_ps
    cut_b = lone_b & (b_rise - gap_ps - slack_ps <= max(a_from, capture.start_ps))
    cut_a = lone_a & (a_fall + gap_ps + slack_ps >= b_until)
    begun = bool(cut_b.any()) or bool((a.initial or b.initial) and not (stuck_a or stuck_b))
    ended = bool(cut_a.any()) or bool(_last(a) or _last(b))
    lone_a &= ~cut_a
    lone_b &= ~cut_b
    return Pulses(
        a_rise[whole],
        a_fall[whole],
        b_rise[at[whole]],
        b_fall[at[whole]],
        [(a_rise[lone_a], a_fall[lone_a], "A"), (b_rise[lone_b], b_fall[lone_b], "B")],
        [(*runts_a, "A"), (*runts_b, "B")],
        overlaps(capture, a, b),
        [(*s, "A") for s in stuck_a] + [(*s, "B") for s in stuck_b],
        (begun, ended),
    )


def _last(signal):
    return (signal.initial + len(signal.edges_ps)) & 1


def _highs(capture, signal, runt_ps, phase_ps):
    """(rises, falls) of whole times high, those of runts, and [(from, to)] of what stays high at the capture's ends."""
    rises, falls = signal.highs()
    short = falls - rises < runt_ps
    stuck = []
    longest_ps = phase_ps + capture.resolution_ps + SLACK_PS
    if phase_ps and signal.initial:
        until = int(signal.edges_ps[0]) if len(signal.edges_ps) else capture.end_ps
        if until - capture.start_ps > longest_ps:
            stuck.append((capture.start_ps, until))
    if phase_ps and _last(signal) and len(signal.edges_ps) and capture.end_ps - int(signal.edges_ps[-1]) > longest_ps:
        stuck.append((int(signal.edges_ps[-1]), capture.end_ps))
    if not short.any():
        return rises, falls, (NONE, NONE), stuck
    return rises[~short], falls[~short], (rises[short], falls[short]), stuck


def all_highs(capture, signal):
    """(from, to) of every time high, those that the capture's ends cut included."""
    edges = signal.edges_ps
    if signal.initial:
        edges = np.concatenate((np.array([capture.start_ps], dtype=np.int64), edges))
    if len(edges) & 1:
        edges = np.append(edges, capture.end_ps)
    return edges[0::2], edges[1::2]


def overlaps(capture, a, b):
    """(from, to) of every time with both signals high at once, in order."""
    (a_from, a_to), (b_from, b_to) = all_highs(capture, a), all_highs(capture, b)
    if not len(a_from) or not len(b_from):
        return NONE, NONE
    first = np.searchsorted(a_to, b_from, side="right")  # the first high of A that ends after this high of B begins
    last = np.searchsorted(a_from, b_to, side="left")  # the first of A that begins at its end or after it
    if not (last > first).any():
        return NONE, NONE
    many = np.maximum(last - first, 0)
    of_b = np.repeat(np.arange(len(b_from)), many)
    of_a = np.arange(many.sum()) - np.repeat(np.cumsum(many) - many, many) + np.repeat(first, many)
    begin, end = np.maximum(a_from[of_a], b_from[of_b]), np.minimum(a_to[of_a], b_to[of_b])
    some = end > begin
    return begin[some], end[some]
