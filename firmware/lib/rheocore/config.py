"""The compact channel configuration that travels to the device: integers, validated on both sides by this file.

A configuration is a dict; FIELDS says what may stand in it. The device trusts nothing that check() has not seen.
"""

from rheocore import items
from rheocore.electrode import AREA_CMM2

KINDS = ("continuous", "burst", "alternating", "modulated")
MODES = ("dnes", "tens", "nmes")
ELECTRODES = ("needle", "skin")

PERIOD_MIN_US = 2_500  # 400 Hz: above it is out of scope (clinical-facts [D])
PERIOD_MAX_US = 1_000_000  # 1 Hz
MILLIHZ_MIN = 1_000
MILLIHZ_MAX = 400_000
RAMP_MIN_MS = 500  # contract: always, 0.5 s at least
DURATION_MAX_MS = 3_600_000  # TENS 60 min, the longest hard cutoff (clinical-facts [D])

# name: (lowest, highest, kinds that need it or None for all). Integers, unit in the name.
#   kind: of train
#   mode: what it is for; chooses limits
#   electrode: chooses limits
#   bench: into a test load: a board without the C hook arms for it, and the bench's levers work
#   period_us: from one pulse's start to the next
#   width_us: of one phase
#   gap_us: between the phases
#   burst_period_us: from one burst's start to the next
#   burst_pulses: pulses of a burst
#   alt_period_us: the other period
#   dwell_ms: at each period
#   lo_millihz: lowest rate
#   hi_millihz: highest rate, not below the lowest
#   lo_width_us: of one phase at the lowest rate
#   hi_width_us: of one phase at the highest
#   cycle_ms: from the lowest rate to the highest and back, linearly in time
#   ramp_up_ms: from zero to the target
#   ramp_down_ms: from the target to zero
#   duration_ms: ramps and off-times included, pauses not; its mode's longest may be less
#   max_ua: the protocol's own cap
#   amplitude_ua: target; what of it is allowed, the limits say
#   on_ms: of a contraction, ramps included; with off_ms or not at all
#   off_ms: between contractions
#   area_cmm2: of the electrode, hundredths of a mm2; left out: the smallest usual one is assumed
#   dense_ok: 1: the operator acknowledges more than 2 mA/cm2 RMS
FIELDS = {
    "period_us": (PERIOD_MIN_US, PERIOD_MAX_US, ("continuous", "burst", "alternating")),
    "width_us": (items.WIDTH_MIN_US, items.WIDTH_MAX_US, ("continuous", "burst", "alternating")),
    "gap_us": (items.GAP_MIN_US, items.GAP_MAX_US, None),
    "burst_period_us": (PERIOD_MIN_US, 2_000_000, ("burst",)),
    "burst_pulses": (1, 255, ("burst",)),
    "alt_period_us": (PERIOD_MIN_US, PERIOD_MAX_US, ("alternating",)),
    "dwell_ms": (100, 60_000, ("alternating",)),
    "lo_millihz": (MILLIHZ_MIN, MILLIHZ_MAX, ("modulated",)),
    "hi_millihz": (MILLIHZ_MIN, MILLIHZ_MAX, ("modulated",)),
    "lo_width_us": (items.WIDTH_MIN_US, items.WIDTH_MAX_US, ("modulated",)),
    "hi_width_us": (items.WIDTH_MIN_US, items.WIDTH_MAX_US, ("modulated",)),
    "cycle_ms": (1_000, 60_000, ("modulated",)),
    "ramp_up_ms": (RAMP_MIN_MS, 60_000, None),
    "ramp_down_ms": (RAMP_MIN_MS, 60_000, None),
    "duration_ms": (1_000, DURATION_MAX_MS, None),
    "max_ua": (0, 100_000, None),
    "amplitude_ua": (0, (1 << 30) - 2, None),
}
OPTIONAL = {
    "on_ms": (1_000, 60_000),
    "off_ms": (0, 120_000),
}
CHOICES = {"kind": KINDS, "mode": MODES, "electrode": ELECTRODES}


# code: what is wrong with the field
#   wrong_type: not an integer of 31 bits, or not what the bound says
#   not_a_choice: none of the words in the bound
#   too_low: below the bound
#   too_high: above the bound
#   missing: needed for the bound
#   not_for_kind: of another kind of train than the bound
#   unknown: there is no such field
#   period_too_short: the widest pulse does not fit the shortest period
#   burst_too_long: so many pulses do not fit the burst's period
#   ramps_too_long: shorter than its ramps together
class ConfigError(Exception):
    """A configuration that cannot be played: args are (code, field, value, bound)."""


def small(value):
    """True for an integer that a device takes: no bool, and within 31 bits."""
    return isinstance(value, int) and not isinstance(value, bool) and -(1 << 30) <= value < 1 << 30


def _bounded(cfg, name, low, high):
    value = cfg[name]
    if not small(value):
        raise ConfigError("wrong_type", name, None, "an integer")
    if value < low:
        raise ConfigError("too_low", name, value, low)
    if value > high:
        raise ConfigError("too_high", name, value, high)


def period_us(millihz):
    """Period of a rate in millihertz, in us: rounded half up, never accumulated. Fits a small integer throughout."""
    return (1_000_000_000 + millihz // 2) // millihz


def check(cfg):
    """Raise ConfigError unless `cfg` is a complete, playable channel configuration. Returns cfg."""
    if not isinstance(cfg, dict):
        raise ConfigError("wrong_type", "channel", None, "an object")
    for name in CHOICES:
        if cfg.get(name) not in CHOICES[name]:
            raise ConfigError("not_a_choice", name, str(cfg.get(name))[:32], " or ".join(CHOICES[name]))
    if not isinstance(cfg.get("bench"), bool):
        raise ConfigError("wrong_type", "bench", None, "true or false")
    kind = cfg["kind"]
    for name in FIELDS:
        low, high, kinds = FIELDS[name]
        if kinds is None or kind in kinds:
            if name not in cfg:
                raise ConfigError("missing", name, None, kind)
            _bounded(cfg, name, low, high)
        elif name in cfg:
            raise ConfigError("not_for_kind", name, None, kind)
    for name in cfg:
        if name in OPTIONAL:
            _bounded(cfg, name, *OPTIONAL[name])
        elif name == "area_cmm2":
            _bounded(cfg, name, *AREA_CMM2[cfg["electrode"]])
        elif name == "dense_ok":
            _bounded(cfg, name, 0, 1)
        elif name not in FIELDS and name not in CHOICES and name != "bench":
            raise ConfigError("unknown", str(name)[:32], None, None)
    _check_together(cfg, kind)
    return cfg


def _check_together(cfg, kind):
    """What no single field can tell: the item must fit its period, the ramps their on-time."""
    # The widest pulse must fit the shortest period: between the ends of a modulation the period falls faster than the
    # width, so both ends may fit and the middle not.
    rate = min([period for period, _ in shapes(cfg)])
    least = items.min_period_us(max([width for _, width in shapes(cfg)]), cfg["gap_us"])
    if rate < least:
        raise ConfigError("period_too_short", "period_us", rate, least)
    if kind == "burst":
        length = cfg["period_us"] * cfg["burst_pulses"]
        if length > cfg["burst_period_us"]:
            raise ConfigError(
                "burst_too_long", "burst_pulses", cfg["burst_pulses"], cfg["burst_period_us"] // cfg["period_us"]
            )
    if kind == "modulated" and cfg["lo_millihz"] > cfg["hi_millihz"]:
        raise ConfigError("too_low", "hi_millihz", cfg["hi_millihz"], cfg["lo_millihz"])
    if ("on_ms" in cfg) != ("off_ms" in cfg):
        raise ConfigError("missing", "off_ms" if "on_ms" in cfg else "on_ms", None, "on/off duty")
    window = "on_ms" if "on_ms" in cfg else "duration_ms"
    if cfg["ramp_up_ms"] + cfg["ramp_down_ms"] > cfg[window]:
        raise ConfigError("ramps_too_long", window, cfg[window], cfg["ramp_up_ms"] + cfg["ramp_down_ms"])


def shapes(cfg):
    """Every extreme (period_us, width_us) that the train reaches: what limits are judged by."""
    kind = cfg["kind"]
    if kind == "modulated":
        return (
            (period_us(cfg["lo_millihz"]), cfg["lo_width_us"]),
            (period_us(cfg["hi_millihz"]), cfg["hi_width_us"]),
        )
    if kind == "alternating":
        return ((cfg["period_us"], cfg["width_us"]), (cfg["alt_period_us"], cfg["width_us"]))
    return ((cfg["period_us"], cfg["width_us"]),)
