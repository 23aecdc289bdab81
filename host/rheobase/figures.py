"""Figures that follow from a protocol and a board: charge, duty, rates, exact pulse count, the limit that binds.

Arithmetic only; the pulse count is counted on the very plan that the board plays.
"""

from math import sqrt

from rheocore import config, limits
from rheocore.compact import compact
from rheocore.plan import Plan
from rheocore.protocol import longest_name
from rheocore.units import fmt_duration, scaled

ADVISED_MAX_MS = 900_000  # the practice pages ask for 5 to 15 min of stimulation with needles


def count_pulses(cfg):
    """Pulses of the whole session, exact: every item of the plan is made and counted."""
    plan = Plan(cfg)
    pulses = 0
    while plan.next():
        pulses += plan.pulse
    return pulses


def i_rms_ua(amplitude_ua, period_us, width_us):
    """I * sqrt(f * 2w) in uA: RMS current during on-time, at the in-burst rate (the worst case)."""
    return amplitude_ua * sqrt(2 * width_us / period_us)


def worst_duty(cfg):
    """(period_us, width_us) of the pulse with the largest 2w/period; a modulated train peaks between its ends."""
    shapes = config.shapes(cfg)
    if cfg["kind"] == "modulated":
        rate, width = cfg["hi_millihz"] - cfg["lo_millihz"], cfg["hi_width_us"] - cfg["lo_width_us"]
        shapes = [
            (config.period_us(cfg["lo_millihz"] + rate * x // 1000), cfg["lo_width_us"] + width * x // 1000)
            for x in range(1001)
        ]
    return max(shapes, key=lambda shape: shape[1] / shape[0])


def derived(protocol, board):
    """Figures of a checked protocol on a board, as JSON-ready values with units in their names.

    Returns {"shapes": [{period_us, width_us}], "duty_percent", "duration_ms", "pulses", "mean_rate_hz",
    "at_max": {amplitude_ua, charge_per_phase_nc, i_rms_ua}, "contractions"?, "notes": [...]}.
    Shapes are the train's extremes; duty and at_max take the worst of them.
    """
    cfg = compact(protocol, 0)
    shapes = config.shapes(cfg)
    max_ua = limits.amplitude_max_ua(cfg, board)[1]
    pulses = count_pulses(cfg)
    worst_period_us, worst_width_us = worst_duty(cfg)
    out = {
        "shapes": [{"period_us": period, "width_us": width} for period, width in shapes],
        "duty_percent": round(200 * worst_width_us / worst_period_us, 4),
        "duration_ms": cfg["duration_ms"],
        "pulses": pulses,
        "mean_rate_hz": round(pulses * 1000 / cfg["duration_ms"], 4),
        "at_max": {
            "amplitude_ua": max_ua,
            "charge_per_phase_nc": scaled(max_ua * max(width for _, width in shapes), 1, 1000),
            "i_rms_ua": round(i_rms_ua(max_ua, worst_period_us, worst_width_us)),
        },
        "notes": _notes(protocol, cfg),
    }
    if "on_ms" in cfg:
        cycle_ms = cfg["on_ms"] + cfg["off_ms"]
        out["contractions"] = -(-cfg["duration_ms"] // cycle_ms)
    return out


def _notes(protocol, cfg):
    notes = []
    if protocol["electrode"] == "needle" and cfg["duration_ms"] > ADVISED_MAX_MS:
        least, most = fmt_duration(300_000), fmt_duration(ADVISED_MAX_MS)
        notes.append(f"Longer than the {least} to {most} that practice pages ask for with needles.")
    if protocol["bench"]:
        notes.append("For the bench only: into test loads, never with a person connected.")
    return notes


def limits_of(protocol, board):
    """{"amplitude_max_ua", "binds", "caps": {name: uA}, "duration_max_ms"} of a protocol on a board."""
    cfg = compact(protocol, 0)
    name, max_ua = limits.amplitude_max_ua(cfg, board)
    return {
        "amplitude_max_ua": max_ua,
        "binds": name,
        "caps": dict(limits.amplitude_caps_ua(cfg, board)),
        "duration_max_ms": limits.DURATION_MAX_MS[longest_name(protocol)],
    }
