"""The board's refusals as errors of the host's tree, and limits as sentences. One place for both sides' wording."""

from rheocore import faults, limits, messages
from rheocore.calibration import PROBLEMS

from rheobase.errors import DeviceFault, DeviceLost, Incompatible, Refused, RheoError, UsageError

_KINDS = {
    "wire_mismatch": Incompatible,
    "method_not_found": Incompatible,
    "invalid_request": Incompatible,
    "no_hook": Incompatible,
    "bad_calibration": DeviceFault,
    "invalid_params": UsageError,
    "wrong_state": UsageError,
    "bench_only": UsageError,
    "no_capture": UsageError,
    "no_room": UsageError,
    "refused": Refused,
    "fault": DeviceFault,
    "not_gone": DeviceFault,
}  # every other: the link is not sound, or another session holds it

_HINTS = {  # where the host knows better than the table what it means in a dialogue that had begun
    "stale_id": "Another program has begun a dialogue with the board: close it, then start again.",
    "hello_first": "The board was reset in the meantime: start again.",
}

DENSE_CODE = "limit_" + limits.DENSE  # the one limit that --acknowledge lifts

# How a limit is called: limits.judge() names it, this says it.
LIMITS = {
    "limit_preset": "the protocol's limit",
    "limit_electrode": "the limit of this electrode",
    "limit_board": "the board's rating",
    "limit_remainder": "what is left of the last session",
    "limit_duration": "the longest session of this mode",
    "limit_step": "what one raise may add",
    "limit_slew": "what the ramps can climb",
    "limit_k": "k = 1.75 on needles",
    "limit_charge_density": "20 µC/cm² on needles",
    "limit_rms": "50 mA RMS",
    "limit_rms_sum": "50 mA RMS of all channels together",
    "limit_energy": "300 mJ a pulse into 500 ohm",
    "limit_power_density": "0.25 W/cm² into 500 ohm",
    "limit_current_density": "2 mA/cm² RMS, not acknowledged",
}
# What limits.warnings() names: the sentence, with what the highest value without it is.
WARNINGS = {
    "warn_k": "Shannon's k is above 1.5 (refused above 1.75); up to {} it is not",
    "limit_current_density": "More than 2 mA/cm² RMS, as acknowledged; up to {} it is not",
    "output_active": "More than {}: the output counts as active",
}

_UNITS = (("_cmm2", 10_000, "cm²"), ("_ua", 1000, "mA"), ("_ms", 1000, "s"), ("_us", 1, "µs"), ("_millihz", 1000, "Hz"))
_NAMES = {
    "ua": "amplitude",
    "amplitude_ua": "amplitude",
    "rms_ua": "RMS current",
    "duration_ms": "duration",
    "period_us": "period",
}


def to_error(error):
    """RheoError for an RpcError."""
    name, data = error.name, dict(error.data)
    if name == "refused":
        why, field = (str(data.get(key, "?")) for key in ("why", "field"))
        value, bound = data.get("value", "?"), data.get("bound", "?")
        lead = f"Channel {data['channel']}: " if "channel" in data else ""
        return Refused("refused", lead + refusal(why, field, value, bound))
    if name == "fault":
        return fault_error(data.get("fault"))
    if name not in messages.ERRORS:
        return RheoError("device_error", f"The board answered {name}.", "Use a rheo of the board's version.", 6)
    _, sentence, hint = messages.ERRORS[name]
    data.setdefault("method", error.method)
    try:
        message = sentence.format(**data)
    except (KeyError, IndexError, ValueError):
        message = sentence
    hint = _HINTS.get(name, hint)
    if name == "not_gone":
        message = f"{fault_sentence(data.get('fault'))} The fault cannot be cleared while that is so."
        hint = faults.remedy(data.get("fault")) or hint
    return _KINDS.get(name, DeviceLost)(name, message, hint)


def fault_error(fault, channel=None):
    """DeviceFault for a latched fault's name. channel: whose lead it is, where it is one's."""
    hint = f"{faults.remedy(fault)} `rheo clear-fault` clears it; until then no session starts.".lstrip()
    return DeviceFault(str(fault), f"The board is in fault: {fault_sentence(fault, channel)}", hint)


def fault_sentence(fault, channel=None):
    """ "Channel 2: An electrode or a lead has no contact." """
    lead = f"Channel {channel}: " if channel else ""
    return lead + (faults.sentence(fault) if fault in faults.FAULTS else f"Unknown fault {fault}.")


def calibration(told):
    """ "channel 1 on 2026-11-22; 2, 3 uncalibrated" of INFO's calibration."""
    if told["problem"]:
        return f"cannot be used: {PROBLEMS.get(told['problem'], told['problem'])}; the board does not arm"
    made = [f"{n} on {row['made']}" for n, row in sorted(told["channels"].items()) if row]
    left = [n for n, row in sorted(told["channels"].items()) if not row]
    if not made:
        return "uncalibrated"
    return f"channel {', '.join(made)}" + (f"; {', '.join(left)} uncalibrated" if left else "")


def quantity(field, value):
    """ "10 mA" of ("max_ua", 10000): a value in the unit its name carries."""
    if not isinstance(value, int) or isinstance(value, bool):
        return str(value)
    for suffix, divisor, unit in _UNITS:
        if ("_" + field).endswith(suffix):
            return f"{value / divisor:.10g} {unit}"
    return str(value)


def field_name(field):
    """ "ramp up" of "ramp_up_ms"."""
    if field in _NAMES:
        return _NAMES[field]
    for suffix, _, _ in _UNITS:
        if field.endswith(suffix):
            field = field[: -len(suffix)]
    return field.replace("_", " ") or "value"


def warning(code, bound):
    """Sentence for one (code, field, value, bound) of limits.warnings()."""
    return WARNINGS[code].format(quantity("ua", bound)) + "."


def refusal(why, field, value, bound, gives="", more_ua=None):
    """Sentence for one (code, field, value, bound) of limits.judge(): the limit, the value, what would pass.

    gives: the value in the limit's own unit ("21.2 µC/cm²"), where that is known. more_ua: what passes once the
    operator acknowledges, where that lifts the limit and is known.
    """
    name = field_name(field)
    name = name[0].upper() + name[1:]
    shown, edge = quantity(field, value), quantity(field, bound)
    if why in LIMITS:
        text = (
            f"{name} {shown}{f' ({gives})' if gives else ''} is above {LIMITS[why]}: the highest that passes is {edge}"
        )
        more = "more" if more_ua is None else quantity("ua", more_ua)
        return text + (f", or {more} with --acknowledge {why}." if why == DENSE_CODE else ".")
    if why == "too_high":
        return f"{name} {shown} is too high: the highest that passes is {edge}."
    if why in ("too_low", "period_too_short"):
        return f"{name} {shown} is too low: the lowest that passes is {edge}."
    if why == "ramps_too_long":
        return f"{name} {shown} is shorter than its ramps: the shortest that passes is {edge}."
    if why == "burst_too_long":
        return f"{value} pulses do not fit into a burst's period: at most {bound} do."
    if why == "missing":
        return f"{name} is missing (needed for {bound})."
    text = f"{name}: {str(why).replace('_', ' ')}"
    if value is not None:
        text += f" ({shown})"
    return text + (f"; allowed: {bound}." if bound is not None else ".")
