"""What a soak draws from its seed: protocols and which act comes when. Knows no board and judges nothing."""

from rheobase import order
from rheocore import limits
from rheocore.protocol import validate

WHOLE_S = 1800  # each protocol's own session: what is played is a part of it
FULL_UA = 6000  # highest target drawn

# acts: how often. Those that end a session:
ENDING = {
    "stop_key": 1, "stop_by_socket": 2, "host_ctrl_c": 1, "host_ctrl_c_twice": 1, "ctrl_c": 2, "interlock": 3,
    "interlock_blip": 3, "interlock_floating": 1, "cable_long": 2, "mute_long": 2, "electrode_open": 2, "stall": 1,
    "dead": 0.5, "stop_after_trip": 1, "host_gone": 1,
}  # fmt: skip
# in one that plays: it goes on for ten seconds or so
PLAYING = {
    "raise": 10, "lower": 8, "raise_too_much": 3, "above_all": 2, "below_zero": 2, "no_channel": 1, "wrong_token": 3,
    "status": 6, "result": 4, "hello": 2, "inspect": 1, "configure_live": 1, "arm_twice": 1, "bench_lever": 1,
    "repeat": 3, "stale": 2, "garbage": 3, "damaged_stop": 3, "too_long": 1, "no_request": 2, "late": 4,
    "pause": 6, "collect": 4, "host_deaf": 2, "cable_brief": 3, "mute_brief": 3, "flood": 1,
    **{name: weight / 3 for name, weight in ENDING.items()},
}  # fmt: skip
PAUSED = {
    "resume": 12, "status": 4, "result": 2, "wrong_resume": 3, "lower": 2, "raise": 2, "garbage": 2, "collect": 2,
    "wait": 4, "stop_key": 1, "stop_by_socket": 1, "interlock": 1, "mute_brief": 1, "mute_long": 0.5, "start_paused": 1,
}  # fmt: skip


def act(rng, table):
    return rng.choices(list(table), list(table.values()))[0]


def train(rng):
    """A [train] table, at most 120 pulses a second but for one in twelve."""
    kind = rng.choice(("continuous", "continuous", "burst", "alternating", "modulated", "fast"))
    width, gap = rng.randrange(60, 260), rng.choice((3, 50, 100, 255))
    made = {"kind": "continuous" if kind == "fast" else kind, "gap_us": gap}
    if kind == "modulated":
        return {**made, "frequency_hz": [rng.randrange(2, 20), rng.randrange(30, 120)],
                "width_us": [width + 40, width], "cycle_s": rng.choice((2, 3, 6))}  # fmt: skip
    made["width_us"] = width
    if kind == "continuous":
        made["frequency_hz"] = rng.choice((1, 2, 7, 15, 33, 80, 100, 120))
    elif kind == "fast":
        made["frequency_hz"] = rng.choice((250, 400)) if rng.random() < 0.5 else 60
    elif kind == "burst":
        made |= {"frequency_hz": 100, "burst_hz": rng.choice((1, 2, 3)), "burst_pulses": rng.randrange(2, 12)}
    else:
        made |= {"frequency_hz": 2, "alt_frequency_hz": rng.choice((50, 100)), "dwell_s": rng.choice((0.5, 1, 2))}
    return made


def document(rng, name):
    """A protocol file's table: checked as any file is."""
    envelope = {"ramp_up_s": rng.choice((0.5, 0.8, 1.5)), "ramp_down_s": rng.choice((0.5, 0.7))}
    made = train(rng)
    if made["kind"] == "continuous" and rng.random() < 0.3:
        envelope |= {"on_s": rng.choice((2.5, 4)), "off_s": rng.choice((1, 2)), "contractions": 900}
    session = {"duration_s": WHOLE_S}
    return {
        "schema": 1, "id": name, "title": "Soak", "mode": rng.choice(("tens", "dnes")), "electrode": "skin",
        "conditions": ["muscle_pain"], "pairs": 1, "bench": False, "train": made, "envelope": envelope,
        "session": session, "limits": {"max_ma": 10},
        "source": [{"tag": "D", "for": ["frequency_hz"], "cite": "Drawn from a seed."}],
    }  # fmt: skip


def part(rng, n, name, duration_ms, board):
    """(order.Part, the document) of a channel with a legal target."""
    while True:
        doc = document(rng, name)
        protocol = validate(doc)
        made = order.Part(n, protocol, 1000, duration_ms)
        cap_ua = min(FULL_UA, limits.amplitude_max_ua(made.cfg, board)[1])
        if cap_ua >= 1500:
            ua = rng.randrange(600, cap_ua)
            return order.Part(n, protocol, ua, duration_ms), doc
