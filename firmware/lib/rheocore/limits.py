"""What is allowed: one list of refusals for a configuration on a board. The clinical formulas join here.

Caps are clinical-facts [D] unless said otherwise. The device judges with these very lines; the host shows them first.
"""

from rheocore.config import ConfigError, check
from rheocore.envelope import max_step_ua

NEEDLE_MAX_UA = 10_000  # [D]
SKIN_MAX_UA = {"tens": 60_000, "nmes": 100_000, "dnes": 60_000}  # [D]
DURATION_MAX_MS = {"needle": 1_800_000, "tens": 3_600_000, "nmes": 1_800_000, "dnes": 1_800_000}  # [D]
PASS_MS = 20  # the app loop's pace while output is live: one set-point step a pass


def amplitude_caps_ua(cfg, board):
    """[(name, uA)] of every cap on a channel's amplitude; the lowest binds."""
    if cfg["electrode"] == "needle":
        electrode = NEEDLE_MAX_UA
    else:
        electrode = SKIN_MAX_UA[cfg["mode"]]
    ramp_ms = min(cfg["ramp_up_ms"], cfg["ramp_down_ms"])
    slew = ramp_ms * max_step_ua(board["full_scale_ua"]) // PASS_MS  # what the ramps can climb in the device's steps
    return (("preset", cfg["max_ua"]), ("electrode", electrode), ("board", board["max_ua"]), ("slew", slew))


def amplitude_max_ua(cfg, board):
    """(name, uA) of the cap that binds."""
    lowest = None
    for cap in amplitude_caps_ua(cfg, board):
        if lowest is None or cap[1] < lowest[1]:
            lowest = cap
    return lowest


def judge(cfg, board):
    """Refusals of one channel's configuration as a list of (code, field, value, bound); empty: allowed."""
    try:
        check(cfg)
    except ConfigError as error:
        return [error.args]
    refusals = []
    name, cap_ua = amplitude_max_ua(cfg, board)
    if cfg["amplitude_ua"] > cap_ua:
        refusals.append(("limit_" + name, "amplitude_ua", cfg["amplitude_ua"], cap_ua))
    longest = DURATION_MAX_MS["needle" if cfg["electrode"] == "needle" else cfg["mode"]]
    if cfg["duration_ms"] > longest:
        refusals.append(("limit_duration", "duration_ms", cfg["duration_ms"], longest))
    return refusals
