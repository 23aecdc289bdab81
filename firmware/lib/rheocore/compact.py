"""A checked protocol -> the device's channel configuration in integers (us, uA, ms). No files, no hardware.

Rounding: half up, on the exact decimals that were written; a period is whole us.
"""

from rheocore import config
from rheocore.units import decimal, scaled

SESSION = "session.duration_s"


class ProtocolError(Exception):
    """A document that cannot be played. path: "section.key"; message, hint: for people; code: for programs.

    Codes: unknown_key, missing_key, bad_value; limit_duration when it is a limit that refuses.
    """

    def __init__(self, path, message, hint, code="bad_value"):
        super().__init__(message)
        self.path = path
        self.message = message
        self.hint = hint
        self.code = code


def compact(protocol, amplitude_ua, duration_ms=None, area_cmm2=None, dense_ok=False):
    """The channel configuration of a checked protocol: integers that config.check() passes.

    amplitude_ua: target; whether it is allowed, limits.judge() says. duration_ms: a shorter session (None: the
    protocol's own); ramps that do not fit into it are shortened alike, to 0.5 s each at least. area_cmm2: the
    electrode's, in hundredths of a mm2 (None: as assumed). dense_ok: the operator acknowledges more than 2 mA/cm2 RMS.
    Raises ProtocolError; code limit_duration where the protocol's own time is exceeded.
    """
    train, envelope = protocol["train"], protocol["envelope"]
    own_ms = scaled(protocol["session"]["duration_s"], 1000)
    max_ua = scaled(protocol["limits"]["max_ma"], 1000)
    if duration_ms is None:
        duration_ms = own_ms
    if duration_ms > own_ms:
        message = "a session of {} s is longer than the {} s of {}".format(
            decimal(duration_ms, 1000), decimal(own_ms, 1000), protocol["id"]
        )
        raise ProtocolError(SESSION, message, f"Use {decimal(own_ms, 1000)} s or less.", "limit_duration")
    kind = train["kind"]
    ramp_up_ms, ramp_down_ms = scaled(envelope["ramp_up_s"], 1000), scaled(envelope["ramp_down_s"], 1000)
    if duration_ms < own_ms and "on_s" not in envelope and ramp_up_ms + ramp_down_ms > duration_ms:
        both_ms = ramp_up_ms + ramp_down_ms
        ramp_up_ms = max(config.RAMP_MIN_MS, ramp_up_ms * duration_ms // both_ms)
        ramp_down_ms = max(config.RAMP_MIN_MS, duration_ms - ramp_up_ms)
        ramp_up_ms = max(config.RAMP_MIN_MS, min(ramp_up_ms, duration_ms - ramp_down_ms))
    cfg = {
        "kind": kind,
        "mode": protocol["mode"],
        "electrode": protocol["electrode"],
        "bench": protocol["bench"],
        "gap_us": train["gap_us"],
        "ramp_up_ms": ramp_up_ms,
        "ramp_down_ms": ramp_down_ms,
        "duration_ms": duration_ms,
        "max_ua": max_ua,
        "amplitude_ua": amplitude_ua,
    }
    if area_cmm2 is not None:
        cfg["area_cmm2"] = area_cmm2
    if dense_ok:
        cfg["dense_ok"] = 1
    if "on_s" in envelope:
        cfg["on_ms"] = scaled(envelope["on_s"], 1000)
        cfg["off_ms"] = scaled(envelope["off_s"], 1000)
    if kind == "modulated":
        cfg["lo_millihz"], cfg["hi_millihz"] = [scaled(f, 1000) for f in train["frequency_hz"]]
        cfg["lo_width_us"], cfg["hi_width_us"] = train["width_us"]
        cfg["cycle_ms"] = scaled(train["cycle_s"], 1000)
    else:
        cfg["width_us"] = train["width_us"]
        cfg["period_us"] = config.period_us(scaled(train["frequency_hz"], 1000))
    if kind == "burst":
        cfg["burst_period_us"] = config.period_us(scaled(train["burst_hz"], 1000))
        cfg["burst_pulses"] = train["burst_pulses"]
    if kind == "alternating":
        cfg["alt_period_us"] = config.period_us(scaled(train["alt_frequency_hz"], 1000))
        cfg["dwell_ms"] = scaled(train["dwell_s"], 1000)
    try:
        return config.check(cfg)
    except config.ConfigError as error:
        raise _explain(error.args) from None


def _explain(why):
    """The ProtocolError for what config.check() found between keys that are fine one by one."""
    code, field, value, bound = why
    if code == "period_too_short":
        message = f"train: two phases, the gap and the fixed part need {bound} us, and a period here is {value} us"
        return ProtocolError("train.frequency_hz", message, "Lower frequency_hz or width_us.")
    if code == "burst_too_long":
        message = f"train.burst_pulses = {value} do not fit between bursts: {bound} at most"
        return ProtocolError("train.burst_pulses", message, "Lower burst_pulses or burst_hz, or raise frequency_hz.")
    if field == "hi_millihz":
        message = f"train.frequency_hz = [{decimal(bound, 1000)}, {decimal(value, 1000)}] falls"
        return ProtocolError("train.frequency_hz", message, "Write the lower rate first, and its width first too.")
    if code == "ramps_too_long":
        where = "envelope.on_s" if field == "on_ms" else SESSION
        ramps, room = decimal(bound, 1000), decimal(value, 1000)
        message = f"envelope.ramp_up_s and ramp_down_s take {ramps} s together, and {where} is {room} s"
        return ProtocolError(where, message, "Shorten the ramps or lengthen {}.".format(where.split(".")[1]))
    return ProtocolError(field, f"{field} {value} cannot be played: {code} (bound {bound})", "Choose another value.")
