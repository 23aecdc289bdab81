"""What is allowed: every limit of a channel and of all channels together, as caps on the amplitude. Integers only.

The device judges with these very lines; the host shows them first. Formulas and evidence: docs/limits.md. Tags: [V]
read in a source, [D] decided here. I is the amplitude in uA, w one phase in us, T the period in us at the densest
pulse, A the electrode's area in cmm2 (1e-4 cm2). Informed by standards, and no evidence of conformity with any.

Channels share the body. Their RMS currents are added as they are, which no timing of the pulses against each other can
exceed: below 50 mA together. Charge and density belong to one electrode, and channels are isolated from each other, so
these are judged for each electrode alone. The energy of all channels' pulses at once stays below the limit on every
board there is (tests/core/test_core_limits.py).
"""

from rheocore.config import ConfigError, check
from rheocore.electrode import area_cmm2
from rheocore.envelope import max_step_ua
from rheocore.stress import densest, isqrt, rms_ua, ua_of_rms, widest_us

NEEDLE_MAX_UA = 10_000  # [D]
SKIN_MAX_UA = {"tens": 60_000, "nmes": 100_000, "dnes": 60_000}  # [D]
DURATION_MAX_MS = {"needle": 1_800_000, "tens": 3_600_000, "nmes": 1_800_000, "dnes": 1_800_000}  # [D]
STEP_UA = {"needle": 200, "skin": 1_000}  # what one raise may add once a session has begun: skin [V], needle [D]
PASS_MS = 20  # the app loop's pace while output is live: one set-point step a pass
# Needles: Shannon's k = log10(Q * D), Q in uC, D in uC/cm2. Q * D = (I*w)^2 / (1e8 * A).
K_MAX_E8 = 5_623_413_251  # 1e8 * 10^1.75, rounded down [D]; damage was seen at 1.85 [V]
K_WARN_E8 = 3_162_277_660  # 1e8 * 10^1.5, rounded down [D]
CHARGE_DENSITY_MAX = 20  # uC/cm2, needles [D]. D = I*w / (100 * A)
RMS_MAX_UA = 50_000  # [V, quoted]
ENERGY_MAX_MJ = 300  # a pulse into 500 ohm [V, quoted]. E = I^2 * w * 1e-12
POWER_DENSITY_MAX = 250  # mW/cm2 into 500 ohm [V, summary of guidance]. P = RMS^2 / (200 * A)
CURRENT_DENSITY_MAX = 2  # mA/cm2 RMS without the operator's acknowledgement [V]. J = 10 * RMS / A
ACTIVE_UA = 10_000  # above it the output counts as active: more than 10 mA, or 10 V into 1 kohm [V]
DENSE = "current_density"  # the one limit that the operator may lift, by acknowledging it


def k_cap_ua(cfg, most_e8):
    """Highest amplitude whose Q * D is most_e8 / 1e8 or less."""
    return isqrt(most_e8 * area_cmm2(cfg)) // widest_us(cfg)


def amplitude_caps_ua(cfg, board):
    """[(name, uA)] of every cap on a channel's amplitude; the lowest binds."""
    area, width, shape = area_cmm2(cfg), widest_us(cfg), densest(cfg)
    needle = cfg["electrode"] == "needle"
    ramp_ms = min(cfg["ramp_up_ms"], cfg["ramp_down_ms"])
    caps = [
        ("preset", cfg["max_ua"]),
        ("electrode", NEEDLE_MAX_UA if needle else SKIN_MAX_UA[cfg["mode"]]),
        ("board", board["max_ua"]),
        ("slew", ramp_ms * max_step_ua(board["full_scale_ua"]) // PASS_MS),  # what the ramps climb in device steps
    ]
    if needle:
        caps.append(("k", k_cap_ua(cfg, K_MAX_E8)))
        caps.append(("charge_density", CHARGE_DENSITY_MAX * 100 * area // width))
    caps.append(("rms", ua_of_rms(RMS_MAX_UA, shape)))
    caps.append(("energy", isqrt(ENERGY_MAX_MJ * 1_000_000_000_000 // width)))
    caps.append(("power_density", isqrt(POWER_DENSITY_MAX * 200 * area * shape[0] // (2 * shape[1]))))
    if not cfg.get("dense_ok"):
        caps.append((DENSE, _dense_cap_ua(area, shape)))
    return caps


def _dense_cap_ua(area, shape):
    """Highest amplitude of 2 mA/cm2 RMS or less: I^2 * 2w / T <= (2 * A / 10)^2."""
    return isqrt((CURRENT_DENSITY_MAX * area) ** 2 * shape[0] // (200 * shape[1]))


def lowest(caps):
    """The (name, uA) that binds; the first of equals."""
    least = caps[0]
    for cap in caps:
        if cap[1] < least[1]:
            least = cap
    return least


def amplitude_max_ua(cfg, board):
    """(name, uA) of the cap that binds."""
    return lowest(amplitude_caps_ua(cfg, board))


def beside(cap, shape, others):
    """(name, uA): `cap`, or what other channels leave of the RMS current of all together, if that is lower.

    shape: densest() of the channel. others: [(uA that it has or is going to, its shape)].
    """
    left_ua = RMS_MAX_UA
    for ua, other in others:
        left_ua -= rms_ua(ua, other)
    room_ua = ua_of_rms(max(0, left_ua), shape)
    return ("rms_sum", room_ua) if room_ua < cap[1] else cap


def duration_max_ms(cfg):
    """Longest session of a channel's electrode and mode."""
    return DURATION_MAX_MS["needle" if cfg["electrode"] == "needle" else cfg["mode"]]


def judge(cfg, board):
    """Refusals of one channel's configuration as a list of (code, field, value, bound); empty: allowed.

    An amplitude is refused by the lowest of all caps, so that the bound is one that passes.
    """
    try:
        check(cfg)
    except ConfigError as error:
        return [error.args]
    ua = cfg["amplitude_ua"]
    name, cap_ua = amplitude_max_ua(cfg, board)
    refusals = [("limit_" + name, "amplitude_ua", ua, cap_ua)] if ua > cap_ua else []
    longest = duration_max_ms(cfg)
    if cfg["duration_ms"] > longest:
        refusals.append(("limit_duration", "duration_ms", cfg["duration_ms"], longest))
    return refusals


def judge_all(configs, board):
    """Refusals of channels that will share a session, {n: configuration}: [(n, code, field, value, bound)].

    n is None for what only all of them together exceed.
    """
    refusals = []
    for n in sorted(configs):
        refusals += [(n,) + tuple(refusal) for refusal in judge(configs[n], board)]
    if not refusals:
        total_ua = sum_rms_ua(configs.values())
        if total_ua > RMS_MAX_UA:
            refusals.append((None, "limit_rms_sum", "rms_ua", total_ua, RMS_MAX_UA))
    return refusals


def sum_rms_ua(configs):
    """RMS current in uA of all channels together, at the amplitudes configured."""
    return sum([rms_ua(cfg["amplitude_ua"], densest(cfg)) for cfg in configs])


def warnings(cfg, board):
    """What is allowed and should be known, as (code, field, value, highest value without the warning)."""
    ua = cfg["amplitude_ua"]
    bounds = [("output_active", ACTIVE_UA)]
    if cfg["electrode"] == "needle":
        bounds.append(("warn_k", k_cap_ua(cfg, K_WARN_E8)))
    if cfg.get("dense_ok"):
        bounds.append(("limit_" + DENSE, _dense_cap_ua(area_cmm2(cfg), densest(cfg))))
    return [(code, "amplitude_ua", ua, bound) for code, bound in bounds if ua > bound]
