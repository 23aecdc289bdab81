"""Figures that follow from a protocol and a board: pulse count, duty, what it does to electrode and tissue, limits.

Arithmetic only, for people to read: what is allowed is rheocore.limits' word, in integers. Pulses are counted on
the very plan that the board plays.
"""

from math import log10, sqrt

from rheocore import config, limits
from rheocore.compact import compact
from rheocore.electrode import area_cmm2
from rheocore.plan import Plan
from rheocore.protocol import longest_name
from rheocore.stress import densest, widest_us
from rheocore.units import fmt_duration, scaled

ADVISED_MAX_MS = 900_000  # the practice pages ask for 5 to 15 min of stimulation with needles

# limit's name: (what it bounds, key in stress(), unit, highest allowed, tag, what else to say)
RULES = {
    "preset": ("protocol", None, "mA", None, "", ""),
    "electrode": ("electrode's cap", None, "mA", None, "D", ""),
    "board": ("board's rating", None, "mA", None, "", ""),
    "slew": ("ramps", None, "mA", None, "", ""),
    "k": ("Shannon k", "k", "", 1.75, "D", "from cortex, not validated for needles in muscle; damage seen at 1.85 [V]"),
    "charge_density": ("charge density", "charge_density_uc_cm2", "µC/cm²", limits.CHARGE_DENSITY_MAX, "D", ""),
    "rms": ("RMS current", "i_rms_ma", "mA", limits.RMS_MAX_UA / 1000, "V", "quoted; of all channels together too"),
    "energy": ("energy a pulse", "energy_mj", "mJ", limits.ENERGY_MAX_MJ, "V", "quoted; into 500 ohm"),
    "power_density": (
        "power density", "power_density_w_cm2", "W/cm²", limits.POWER_DENSITY_MAX / 1000, "V", "summary of guidance"
    ),
    "current_density": (
        "current density", "current_density_ma_cm2", "mA/cm²", limits.CURRENT_DENSITY_MAX, "V",
        "RMS; more needs the operator's acknowledgement",
    ),
}  # fmt: skip


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


def stress(cfg, amplitude_ua):
    """What `amplitude_ua` of a configuration does at its widest and densest pulse, {name_unit: float}.

    charge_per_phase_uc, charge_density_uc_cm2, k (None without current), i_rms_ma, current_density_ma_cm2,
    power_density_w_cm2 and energy_mj (into 500 ohm), by the formulas of docs/limits.md.
    """
    area_cm2 = area_cmm2(cfg) / 10_000
    width_us = widest_us(cfg)
    charge_uc = amplitude_ua * width_us / 1e6
    rms_ma = i_rms_ua(amplitude_ua, *densest(cfg)) / 1000
    return {
        "charge_per_phase_uc": charge_uc,
        "charge_density_uc_cm2": charge_uc / area_cm2,
        "k": log10(charge_uc * charge_uc / area_cm2) if charge_uc else None,
        "i_rms_ma": rms_ma,
        "current_density_ma_cm2": rms_ma / area_cm2,
        "power_density_w_cm2": (rms_ma / 1000) ** 2 * 500 / area_cm2,
        "energy_mj": (amplitude_ua / 1000) ** 2 * 500 * 2 * width_us * 1e-9,
    }


def stress_words(code, cfg):
    """ "21.2 µC/cm²": what a limit's refusal is about, at the configured amplitude; "" for a cap in mA alone."""
    _, key, unit, *_ = RULES.get(code.removeprefix("limit_"), (None, None, None))
    if key is None:
        return ""
    value = f"{stress(cfg, cfg['amplitude_ua'])[key]:.5g} {unit}".strip()
    return value if unit else f"{key} {value}"


def derived(protocol, board, area=None):
    """Figures of a checked protocol on a board, as JSON-ready values with units in their names.

    area: of the electrode in cmm2 (None: as assumed).
    Returns {"shapes": [{period_us, width_us}], "duty_percent", "duration_ms", "pulses", "mean_rate_hz",
    "at_max": {amplitude_ua, charge_per_phase_nc, i_rms_ua, and stress()}, "contractions"?, "notes": [...]}.
    Shapes are the train's extremes; duty and at_max take the densest and the widest pulse.
    """
    cfg = compact(protocol, 0, area_cmm2=area)
    max_ua = limits.amplitude_max_ua(cfg, board)[1]
    pulses = count_pulses(cfg)
    period_us, width_us = densest(cfg)
    out = {
        "shapes": [{"period_us": period, "width_us": width} for period, width in config.shapes(cfg)],
        "duty_percent": round(200 * width_us / period_us, 4),
        "duration_ms": cfg["duration_ms"],
        "pulses": pulses,
        "mean_rate_hz": round(pulses * 1000 / cfg["duration_ms"], 4),
        "at_max": {
            "amplitude_ua": max_ua,
            "charge_per_phase_nc": scaled(max_ua * widest_us(cfg), 1, 1000),
            "i_rms_ua": round(i_rms_ua(max_ua, period_us, width_us)),
            **_short(stress(cfg, max_ua)),
        },
        "notes": _notes(protocol, cfg),
    }
    if "on_ms" in cfg:
        out["contractions"] = contractions(cfg)
    return out


def contractions(cfg):
    """How many contractions a train with on/off duty begins, if nothing pauses it."""
    return -(-cfg["duration_ms"] // (cfg["on_ms"] + cfg["off_ms"]))


def _notes(protocol, cfg):
    notes = []
    if protocol["electrode"] == "needle" and cfg["duration_ms"] > ADVISED_MAX_MS:
        least, most = fmt_duration(300_000), fmt_duration(ADVISED_MAX_MS)
        notes.append(f"Longer than the {least} to {most} that practice pages ask for with needles.")
    if protocol["bench"]:
        notes.append("For the bench only: into test loads, never with a person connected.")
    return notes


def limits_of(protocol, board, area=None):
    """What bounds a protocol on a board. area: of the electrode in cmm2 (None: as assumed).

    Returns {"amplitude_max_ua", "binds", "caps": {name: uA}, "acknowledged": {"amplitude_max_ua", "binds"},
    "area_cm2", "duration_max_ms", "rows": [{limit, what, value, at_most, unit, tag, note, alone_ua, binds}]}.
    acknowledged: with more than 2 mA/cm2 RMS acknowledged. rows: each limit, what the highest amplitude makes of it
    (value, at_most: None for a cap in mA alone), the amplitude that it alone would allow.
    """
    cfg = compact(protocol, 0, area_cmm2=area)
    name, max_ua = limits.amplitude_max_ua(cfg, board)
    caps = limits.amplitude_caps_ua(cfg, board)
    more, more_ua = limits.amplitude_max_ua(dict(cfg, dense_ok=1), board)
    return {
        "amplitude_max_ua": max_ua,
        "binds": name,
        "caps": dict(caps),
        "acknowledged": {"amplitude_max_ua": more_ua, "binds": more},
        "area_cm2": area_cmm2(cfg) / 10_000,
        "duration_max_ms": limits.DURATION_MAX_MS[longest_name(protocol)],
        "rows": _rows(caps, name, _short(stress(cfg, max_ua))),
    }


def _short(values):
    """The same with six significant digits."""
    return {key: None if value is None else float(f"{value:.6g}") for key, value in values.items()}


def _rows(caps, binds, values):
    rows = []
    for name, alone_ua in caps:
        what, key, unit, most, tag, note = RULES[name]
        row = {"limit": name, "what": what, "value": values.get(key), "at_most": most, "unit": unit, "tag": tag}
        rows.append({**row, "note": note, "alone_ua": alone_ua, "binds": name == binds})
    return rows
