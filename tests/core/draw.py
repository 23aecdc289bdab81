"""Strategies for channel configurations, and the settings every property here runs with. Judges nothing."""

from random import Random

from hypothesis import settings
from hypothesis import strategies as st
from rheocore import config, items

PROPERTY = settings(derandomize=True, deadline=None, max_examples=120, database=None)
THOROUGH = settings(PROPERTY, max_examples=400)

BASE = {
    "kind": "continuous",
    "mode": "tens",
    "electrode": "skin",
    "bench": False,
    "period_us": 10_000,
    "width_us": 100,
    "gap_us": 50,
    "ramp_up_ms": 1_000,
    "ramp_down_ms": 1_000,
    "duration_ms": 10_000,
    "max_ua": 10_000,
    "amplitude_ua": 1_000,
}


def without(cfg, *names):
    """A copy of cfg without the fields named."""
    return {name: value for name, value in cfg.items() if name not in names}


BURST = dict(BASE, kind="burst", burst_period_us=500_000, burst_pulses=8)
ALTERNATING = dict(BASE, kind="alternating", period_us=500_000, alt_period_us=10_000, dwell_ms=3_000)
MODULATED = dict(
    without(BASE, "period_us", "width_us"),
    kind="modulated",
    lo_millihz=2_000,
    hi_millihz=100_000,
    lo_width_us=200,
    hi_width_us=100,
    cycle_ms=5_000,
)
EACH_KIND = {"continuous": BASE, "burst": BURST, "alternating": ALTERNATING, "modulated": MODULATED}


@st.composite
def wild(draw, kinds=config.KINDS):
    """Configurations whose single fields are all allowed; what they make together may be refused."""
    cfg = {
        "kind": draw(st.sampled_from(kinds)),
        "mode": draw(st.sampled_from(config.MODES)),
        "electrode": draw(st.sampled_from(config.ELECTRODES)),
        "bench": draw(st.booleans()),
    }
    for name in config.FIELDS:
        needed_by = config.FIELDS[name][2]
        if needed_by is None or cfg["kind"] in needed_by:
            cfg[name] = draw(st.integers(*config.FIELDS[name][:2]))
    if draw(st.booleans()):
        for name, (low, high) in config.OPTIONAL.items():
            cfg[name] = draw(st.integers(low, high))
    return cfg


def train(rng, kinds=config.KINDS, duty=None):
    """A configuration that config.check() accepts, from an rng: any kind, often at the edges."""
    while True:
        cfg = _train(rng, rng.choice(kinds), rng.random() < 0.5 if duty is None else duty)
        try:
            return config.check(cfg)
        except config.ConfigError:
            continue


def _period(rng, width_us, gap_us):
    least = max(items.min_period_us(width_us, gap_us), config.PERIOD_MIN_US)
    spread = rng.choice([0, 40, 3_000, 40_000, config.PERIOD_MAX_US])
    return rng.randint(least, min(least + spread, config.PERIOD_MAX_US))


def _train(rng, kind, duty):
    gap_us = rng.choice([3, 255, rng.randint(3, 255)])
    width_us, other_us = (rng.choice([1, 400, 561, 1023, rng.randint(1, 1023)]) for _ in range(2))
    cfg = without(BASE, "period_us", "width_us") | {"kind": kind, "gap_us": gap_us}
    if kind == "modulated":
        ends = sorted(1_000_000_000 // _period(rng, width, gap_us) for width in (width_us, other_us))
        cfg["lo_millihz"], cfg["hi_millihz"] = (max(end, config.MILLIHZ_MIN) for end in ends)
        cfg["lo_width_us"], cfg["hi_width_us"] = width_us, other_us
        cfg["cycle_ms"] = rng.randint(1_000, 8_000)
    else:
        cfg["width_us"] = width_us
        cfg["period_us"] = _period(rng, width_us, gap_us)
    if kind == "burst":
        cfg["burst_pulses"] = rng.randint(1, min(255, 2_000_000 // cfg["period_us"]))
        least = cfg["burst_pulses"] * cfg["period_us"]
        cfg["burst_period_us"] = rng.choice([least, rng.randint(least, 2_000_000)])
    if kind == "alternating":
        cfg["alt_period_us"] = _period(rng, width_us, gap_us)
        cfg["dwell_ms"] = rng.randint(100, 5_000)
    if duty:
        cfg["on_ms"] = rng.randint(1_000, 2_500)
        cfg["off_ms"] = rng.choice([0, 1, 2, 3, rng.randint(0, 1_500)])
    cfg["ramp_up_ms"] = cfg["ramp_down_ms"] = 500
    return cfg


def trains(kinds=config.KINDS, duty=None):
    """Strategy of train(): from a seed, since drawn field by field nearly all examples would be small and alike."""
    return st.integers(0, 2**32 - 1).map(lambda seed: train(Random(seed), kinds, duty))


def durations(least_us=8, most_us=6_000_000):
    """Strategy of lengths of a train in us, spread evenly."""
    return st.integers(0, 2**32 - 1).map(lambda seed: Random(~seed).randint(least_us, most_us))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def play_out(plan, most=100_000):
    """[(at_us, word, dur_us, pulse)] of every item of a plan."""
    made = []
    while True:
        at_us = plan.at_us
        if not plan.next():
            return made
        made.append((at_us, plan.lo | plan.hi << 16, plan.dur_us, plan.pulse))
        assert len(made) < most, "the plan does not end"
