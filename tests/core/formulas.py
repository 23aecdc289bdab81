"""The facts page's formulas in floating point, on mA, us, Hz and cm2: what the limits' integers are held against.

Written from the page, on purpose without a line of rheocore.limits; played pulses come from the plan and the envelope.
"""

from math import log10, pi, sqrt

from core.draw import play_out
from rheocore.envelope import Envelope
from rheocore.plan import Plan

LAG_MS = 25  # the set-point may be this much behind the envelope: a pass and a filter's time constant
WORST_CM2 = {"needle": pi * 0.016 * 1.5, "skin": 25.0}
ROUNDING = 1e-9  # of floating point


def charge_uc(ma, us):
    return ma * us / 1000


def k(ma, us, cm2):
    q = charge_uc(ma, us)
    return log10(q * q / cm2) if q else -9.0


def rms_ma(ma, us, hz):
    return ma * sqrt(hz * 2 * us * 1e-6)


def stress(ma, us, hz, cm2):
    """{limit: (value, highest allowed)} of a pulse; k and charge density are for needles."""
    rms = rms_ma(ma, us, hz)
    return {
        "k": (k(ma, us, cm2), 1.75),
        "charge_density": (charge_uc(ma, us) / cm2, 20),
        "rms": (rms, 50),
        "energy": (ma**2 * 500 * 2 * us * 1e-9, 300),
        "power_density": ((rms / 1000) ** 2 * 500 / cm2, 0.25),
        "current_density": (rms / cm2, 2),
    }


def exceeded(cfg, ma, us, hz):
    """Names of the limits that a pulse of a configuration exceeds."""
    cm2 = cfg["area_cmm2"] / 1e4 if "area_cmm2" in cfg else WORST_CM2[cfg["electrode"]]
    found = stress(ma, us, hz, cm2)
    if cfg["electrode"] != "needle":
        del found["k"], found["charge_density"]
    if cfg.get("dense_ok"):
        del found["current_density"]
    return {name for name, (value, most) in found.items() if value > most + abs(most) * ROUNDING}


def pulses(cfg, duration_us):
    """[(highest mA that the set-point can have in it, width in us, Hz from it to the next pulse)] as played."""
    plan = [(at_us, word & 0x3FF) for at_us, word, _, pulse in play_out(Plan(cfg, duration_us)) if pulse]
    envelope = Envelope(cfg, duration_us)
    out = []
    for (at_us, width_us), (next_us, _) in zip(plan, plan[1:], strict=False):
        t_ms = at_us // 1000
        level = max(envelope.level(t_ms - behind_ms) for behind_ms in range(0, LAG_MS + 1, 5))
        out.append((cfg["amplitude_ua"] * level / 65536 / 1000, width_us, 1e6 / (next_us - at_us)))
    return out
