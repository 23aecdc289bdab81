"""Numbers to show of many figures: least, mean, most; peak and rms; histogram; over time. Integers in, no verdicts."""

import numpy as np

BINS = 41
POINTS = 300  # of a series over time
PS_PER_US = 1e6
PS_PER_NS = 1e3


def stats_us(ps, u_ps):
    """{min, mean, max, u} in us of int64 ps; None for each where there is nothing."""
    if not len(ps):
        return {"min": None, "mean": None, "max": None, "u": round(u_ps / PS_PER_US, 6)}
    least = int(ps.min())
    mean = least + float((ps - least).mean())
    return {
        key: round(value / PS_PER_US, 6)
        for key, value in (("min", least), ("mean", mean), ("max", int(ps.max())), ("u", u_ps))
    }


def deviation_ns(ps, u_ps):
    """{min, max, peak, rms, u} in ns of deviations in int64 ps."""
    if not len(ps):
        return {"min": None, "max": None, "peak": None, "rms": None, "u": round(u_ps / PS_PER_NS, 3)}
    rms = float(np.sqrt(np.mean(np.square(ps.astype(float)))))
    figures = {"min": int(ps.min()), "max": int(ps.max()), "peak": int(np.abs(ps).max()), "rms": rms, "u": u_ps}
    return {key: round(value / PS_PER_NS, 3) for key, value in figures.items()}


def histogram(ps):
    """{edges_ns, counts} of deviations; one bin where all are alike."""
    if not len(ps):
        return {"edges_ns": [], "counts": []}
    counts, edges = np.histogram(ps / PS_PER_NS, bins=BINS if np.ptp(ps) else 1)
    return {"edges_ns": [round(float(e), 3) for e in edges], "counts": counts.tolist()}


def over_time(times_ps, ps):
    """{t_s, min_ns, max_ns}: least and most of each of at most POINTS runs of pulses, at the time of their first."""
    if not len(ps):
        return {"t_s": [], "min_ns": [], "max_ns": []}
    at = np.unique(np.linspace(0, len(ps), min(POINTS, len(ps)), endpoint=False).astype(int))
    return {
        "t_s": (times_ps[at] / 1e12).tolist(),
        "min_ns": (np.minimum.reduceat(ps, at) / PS_PER_NS).tolist(),
        "max_ns": (np.maximum.reduceat(ps, at) / PS_PER_NS).tolist(),
    }


def structure(starts, long_ps, wanted, bound):
    """How pulses stand in groups divided by intervals longer than long_ps: {groups, pulses: {min, max, commanded},
    length_us, off_us, period_us}. Only whole groups count: with another before and behind. bound: of some figures in
    ps, the bound on their error."""
    cuts = np.flatnonzero(np.diff(starts) > long_ps) + 1
    heads, tails = starts[cuts[:-1]], starts[cuts[1:] - 1]
    sizes = np.diff(cuts)
    return {
        "groups": len(sizes),
        "pulses": {
            "min": int(sizes.min()) if len(sizes) else None,
            "max": int(sizes.max()) if len(sizes) else None,
            "commanded": wanted,
        },
        **{
            key: stats_us(ps, bound(ps))
            for key, ps in (
                ("length_us", tails - heads),
                ("off_us", starts[cuts] - starts[cuts - 1]),
                ("period_us", np.diff(starts[cuts])),
            )
        },
    }


def charge_nc(capture, channel, pulses):
    """Charge of the phases from the commanded set-point, stepwise: {phase_a, phase_b, net, u, u_accumulated} in nC, or
    None where the capture knows no set-points."""
    if channel not in capture.setpoints or not len(pulses):
        return None
    times, micro = (np.asarray(v, dtype=np.int64) for v in capture.setpoints[channel])
    if not len(times):
        return None
    # uA x ps summed may wrap around 2**64; the difference over a phase, far below it, is exact all the same.
    summed = np.concatenate(([0], np.cumsum(micro[:-1] * np.diff(times))))

    def until(t):
        at = np.maximum(np.searchsorted(times, t, side="right") - 1, 0)
        return summed[at] + np.where(t >= times[0], micro[at] * (t - times[at]), 0)

    a = until(pulses.a_fall) - until(pulses.a_rise)
    b = until(pulses.b_fall) - until(pulses.b_rise)
    net = a - b
    u = 2 * capture.resolution_ps * int(micro.max()) / 1e9
    return {
        "phase_a": {"max": int(a.max()) / 1e9, "mean": float(a.mean()) / 1e9},
        "phase_b": {"max": int(b.max()) / 1e9, "mean": float(b.mean()) / 1e9},
        "net": {"max": int(np.abs(net).max()) / 1e9, "accumulated": int(net.sum()) / 1e9},
        "u": u,
        "u_accumulated": u * len(pulses),
    }
