"""The figures of a judged channel, for programs and plots: contract.md's and more, JSON-safe. Judges nothing."""

from functools import partial

import numpy as np
from rheocore.config import shapes

from rheobase.bench import jitter, pulses
from rheobase.bench.expected import US


def data(track):
    """Figures of the channel, JSON-safe: contract.md's and more. u in each."""
    found, u = track.pulses, track.u
    board = track.ratio.board
    legs = {"width_a_us": found.widths_a, "width_b_us": found.widths_b}
    widths = {key: jitter.stats_us(board(v), _u(track, v)) for key, v in legs.items()}
    raw = board(np.diff(found.starts)) if not track.segments else track.intervals
    dead = board(found.starts[1:] - found.ends[:-1])
    off = found.widths_a - found.widths_b
    out = {
        "pulses": len(found),
        "truncated": track.truncated,
        "missing": getattr(track, "missing", 0),
        "extra": int(track.extra.sum()),
        "commanded": _commanded(track),
        **widths,
        "gap_us": jitter.stats_us(board(found.gaps), _u(track, found.gaps)),
        "period_us": jitter.stats_us(raw, _u(track, raw)),
        "dead_us": jitter.stats_us(dead, _u(track, dead)),
        "start_ns": jitter.deviation_ns(getattr(track, "off", off[:0]), u),
        "period_ns": jitter.deviation_ns(getattr(track, "late", off[:0]), _u(track, raw)),
        "imbalance_ns": {
            "max": float(np.abs(off).max()) / 1000 if len(off) else None,
            "mean": round(float(off.mean()) / 1000, 3) if len(off) else None,
            "accumulated": float(off.sum()) / 1000,
            "u": 2 * u / 1000,
            "u_accumulated": 2 * u * len(off) / 1000,
        },
        "charge_nc": jitter.charge_nc(track.capture, track.channel, found),
        "verdicts": dict(track.verdicts),
    }
    out |= _structure(track)
    return out


def _u(track, ps):
    """Bound in ps on the error of each of ps: a sample, and what the clocks' ratio may be off over the longest."""
    return track.u + (round(int(np.max(ps)) * track.slack) if len(ps) else 0)


def _commanded(track):
    """What of the figures is commanded, in words: one number, or from least to most."""

    def words(values):
        least, most = (int(v) // US for v in (values.min(), values.max()))
        return f"{least}" if least == most else f"{least}-{most}"

    width = words(track.train.widths) if len(track.train.widths) else ""
    intervals = words(track.train.intervals) if len(track.train.intervals) else ""
    gap = f"{track.gap_ps // US}"
    return {"width_a_us": width, "width_b_us": width, "gap_us": gap, "period_us": intervals}


def _structure(track):
    cfg, out = track.cfg, {}
    starts = track.ratio.board(track.pulses.starts - track.pulses.starts[0]) if len(track.pulses) else pulses.NONE
    bound = partial(_u, track)
    if cfg["kind"] == "burst" and cfg["burst_pulses"] > 1:
        tail = cfg["burst_period_us"] - (cfg["burst_pulses"] - 1) * cfg["period_us"]
        if tail > cfg["period_us"]:
            long_ps = (tail + cfg["period_us"]) * US // 2
            out["burst"] = jitter.structure(starts, long_ps, cfg["burst_pulses"], bound)
    if cfg.get("off_ms"):
        inside = max(period for period, _ in shapes(cfg))
        if cfg["kind"] == "burst":
            inside = cfg["burst_period_us"]
        if cfg["off_ms"] * 1000 > inside:
            long_ps = (cfg["off_ms"] * 1000 + inside) * US // 2
            out["on_off"] = jitter.structure(starts, long_ps, None, bound)
    return out


def series(track):
    """For plots: deviation of the starts, as histogram and over time."""
    if not hasattr(track, "off"):
        return {"histogram": jitter.histogram(pulses.NONE), "over_time": jitter.over_time(pulses.NONE, pulses.NONE)}
    return {"histogram": jitter.histogram(track.off), "over_time": jitter.over_time(track.off_times, track.off)}
