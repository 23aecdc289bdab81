"""What a preset's file commands: every pulse and the amplitude at any time, from the file's own numbers.

Written from the words of the protocol file's format and from nothing of the device's: no plan, no configuration, no
envelope of rheocore is used. Exact fractions; the tick is 1 us.

- A period is whole us, rounded half up, and never accumulated.
- A burst is burst_pulses pulses; a turn of an alternation is the whole number of periods nearest to dwell_s.
- A modulated pulse takes the rate and the width of its start, on a triangle from the first value to the second and back
  in cycle_s. Of the time it knows whole ms, of the rate whole mHz, of the width whole us; each rounded down.
- With on and off times the train begins anew in each contraction.
- A pulse is there if it ends, with DEAD_US of rest, before its session or contraction does.
"""

from fractions import Fraction
from math import floor

DEAD_US = 1375  # legs are low so long between pulses at least, whatever is asked: the program's own length


def _us(seconds):
    return round(Fraction(str(seconds)) * 1_000_000)


def _period_us(hz):
    return floor(1_000_000 / Fraction(hz) + Fraction(1, 2))


def _intervals(train):
    """(width, time to the next pulse) of one pulse after another without end, in us."""
    kind = train["kind"]
    if kind == "modulated":
        yield from _modulated(train)
    period, width = _period_us(str(train["frequency_hz"])), train["width_us"]
    while True:
        if kind == "burst":
            inside = train["burst_pulses"] - 1
            yield from [(width, period)] * inside
            yield width, _period_us(str(train["burst_hz"])) - inside * period
        elif kind == "alternating":
            for hz in (train["frequency_hz"], train["alt_frequency_hz"]):
                period = _period_us(str(hz))
                periods = floor(Fraction(_us(train["dwell_s"]), period) + Fraction(1, 2))
                yield from [(width, period)] * max(1, periods)
        else:
            yield width, period


def _modulated(train):
    lo_hz, hi_hz = (Fraction(str(hz)) for hz in train["frequency_hz"])
    lo_us, hi_us = train["width_us"]
    cycle_ms, at_us = _us(train["cycle_s"]) // 1000, 0
    while True:
        phase = Fraction(at_us // 1000 % cycle_ms, cycle_ms)
        share = 2 * min(phase, 1 - phase)
        millihz = floor(1000 * (lo_hz + (hi_hz - lo_hz) * share))
        period = _period_us(Fraction(millihz, 1000))
        yield floor(lo_us + (hi_us - lo_us) * share), period
        at_us += period


def _windows(doc):
    """[(start, end)] in us of what has pulses: the session, or each contraction."""
    envelope = doc["envelope"]
    if "on_s" not in envelope:
        return [(0, _us(doc["session"]["duration_s"]))]
    on, off = _us(envelope["on_s"]), _us(envelope["off_s"])
    return [(n * (on + off), n * (on + off) + on) for n in range(envelope["contractions"])]


def duration_us(doc):
    """Length of the session, off-times included."""
    return _windows(doc)[-1][1] + _us(doc["envelope"].get("off_s", 0))


def pulses(doc):
    """(start from the first pulse's, width) in us of one pulse after another."""
    gap = doc["train"]["gap_us"]
    for start, end in _windows(doc):
        at = start
        for width, interval in _intervals(doc["train"]):
            if at + 2 * width + gap + DEAD_US > end:
                break
            yield at, width
            at += interval


def share(doc, t_us):
    """Amplitude at a time from the first pulse, as a share of the target: straight ramps within each window."""
    up, down = (_us(doc["envelope"][key]) for key in ("ramp_up_s", "ramp_down_s"))
    for start, end in _windows(doc):
        if start <= t_us < end:
            return min(1.0, (t_us - start) / up, (end - t_us) / down)
    return 0.0
