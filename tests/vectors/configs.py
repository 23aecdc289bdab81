"""Channel configurations for the vectors, one of each kind. Data only; runs on MicroPython too."""


def but(cfg, **changes):
    """A copy of cfg with changes; None removes a field."""
    out = dict(cfg)
    for name in changes:
        if changes[name] is None:
            out.pop(name, None)
        else:
            out[name] = changes[name]
    return out


BASE = {
    "kind": "continuous",
    "mode": "tens",
    "electrode": "skin",
    "bench": False,
    "period_us": 10000,
    "width_us": 100,
    "gap_us": 50,
    "ramp_up_ms": 1000,
    "ramp_down_ms": 1000,
    "duration_ms": 10000,
    "max_ua": 10000,
    "amplitude_ua": 1000,
}
BURST = but(BASE, kind="burst", burst_period_us=500000, burst_pulses=8)
ALTERNATING = but(BASE, kind="alternating", period_us=500000, alt_period_us=10000, dwell_ms=3000)
MODULATED = but(
    BASE,
    kind="modulated",
    period_us=None,
    width_us=None,
    lo_millihz=2000,
    hi_millihz=125000,
    lo_width_us=200,
    hi_width_us=100,
    cycle_ms=12000,
)
