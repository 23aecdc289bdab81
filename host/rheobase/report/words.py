"""Records in plain words: events, ends, times, counts. The same sentences for the report and for `rheo log show`."""

from rheocore import faults
from rheocore.units import decimal, fmt_charge, fmt_current

from rheobase.dose import number

UNKNOWN = "unknown"
STATES = {
    "safe": "The board is safe: output off.",
    "idle": "The board is idle: output off.",
    "loaded": "The protocol is on the board; output off.",
    "armed": "Armed: self-test passed, output still at zero.",
    "ramp_up": "Output on: ramping up from zero.",
    "run": "The ramp is over; the train runs.",
    "paused": "Paused: output at zero.",
    "ramp_down": "Ramping down.",
    "done": "Output off: the session is done.",
    "fault": "Output off: a fault is latched.",
}
ACKNOWLEDGED = {"limit_current_density": "more than 2 mA/cm² RMS"}
LEVELS = {"sensory": "first felt", "comfortable": "strong and still comfortable"}


def label(name):
    """ "output zero" of "output_zero": a name that has no better word."""
    return str(name).replace("_", " ")


def count(n):
    """ "180 000", as people read a count; "unknown" of None."""
    return f"{n:,}".replace(",", "\u202f") if number(n) is not None else UNKNOWN


def current(ua):
    return fmt_current(ua) if number(ua) is not None and ua >= 0 else UNKNOWN


def charge(nc):
    """ "800 nC", "2.5 µC", "143.516 mC"."""
    if number(nc) is None:
        return UNKNOWN
    return fmt_charge(nc) if nc < 1_000_000 else f"{decimal((nc + 500) // 1000, 1000)} mC"


def clock(us):
    """ "30:41.000" of a time in us: minutes, seconds; with its sign."""
    minutes, ms = divmod(abs(us) // 1000, 60_000)
    return f"{'-' if us < 0 else ''}{minutes}:{ms // 1000:02d}.{ms % 1000:03d}"


def span(ms):
    """ "19 min 58 s", "12.3 s", "23 ms": a stretch of time, from ms."""
    if number(ms) is None:
        return UNKNOWN
    if 0 < ms < 100:
        return f"{ms} ms"
    tenths = (abs(ms) + 50) // 100
    if tenths < 600:
        return f"{decimal(tenths, 10)} s"
    minutes, seconds = divmod((tenths + 5) // 10, 60)
    hours, minutes = divmod(minutes, 60)
    parts = [f"{hours} h" if hours else "", f"{minutes} min" if minutes else "", f"{seconds} s" if seconds else ""]
    return " ".join(part for part in parts if part)


def jump(line):
    """The sentence for a clock_jump event."""
    s = line.get("s")
    if isinstance(s, bool) or not isinstance(s, (int, float)):
        return "The host's clock jumped."
    way = "forward" if s > 0 else "back"
    return (
        f"The host's clock jumped {way} by {abs(s):.1f} s (it was set, or the computer slept). "
        "Order and durations here do not depend on it."
    )


def event(line):
    """The sentence for an event, fault, screening, open or close line."""
    kind, detail = line["kind"], line.get("detail")
    if kind == "open":
        return "The record begins."
    if kind == "screening":
        return "Screening after the session is recorded." if line.get("phase") == "after" else _screening(line)
    if kind == "fault":
        return _fault(line.get("fault"), None)
    if kind == "close":
        return "The record is closed."
    name = str(line.get("event"))
    fields = {**detail, **line} if isinstance(detail, dict) else line
    say = _HOST.get(name)
    if say:
        return say(fields)
    if name == "state":
        return STATES.get(str(detail), f"State: {label(detail)}.")
    if name == "fault":
        return _fault(detail, number(line.get("channel")))
    if name == "end":
        return f"End: {faults.sentence(str(detail))}"
    return f"{label(name)} {'' if detail is None else detail}".strip() + "."


def _screening(line):
    if line.get("answers"):
        return "Screening is recorded."
    return "No screening: the session was started without questions." if line.get("yes") else "No answer was given."


def _fault(name, channel):
    name = str(name)
    whose = f"Fault on channel {channel}" if channel is not None else "Fault"
    if name not in faults.FAULTS:
        return f"{whose}: {label(name)}."
    return f"{whose}: {faults.sentence(name)} {faults.remedy(name)}"


def _needles_in(line):
    planned, rest = line.get("dwell_planned_ms"), number(line.get("unstimulated"))
    words = "Needles are in" + (f": {line['in']}" if number(line.get("in")) is not None else "")
    words += f", {rest} of them without current" if rest else ""
    return words + ". The dwell time begins" + (f": {span(planned)} are planned." if planned else ".")


def _amplitude(line):
    return f"Channel {line.get('channel')}: the operator set the target to {current(line.get('ua'))}."


def _titration(line):
    level = str(line.get("level"))
    return f"Channel {line.get('channel')}: {LEVELS.get(level, label(level))} at {current(line.get('ua'))}."


def acknowledged(code):
    """What an acknowledgement's code stands for."""
    return ACKNOWLEDGED.get(str(code), label(code))


def _acknowledged(line):
    above_ua = number(line.get("value"))
    return f"Acknowledged: {acknowledged(line.get('code'))}" + (f", from {current(above_ua)} on." if above_ua else ".")


_HOST = {  # event of the host: its sentence
    "order": lambda line: f"To be played: {line.get('protocol') or UNKNOWN}.",
    "needles_begun": lambda line: "Needles are being put in; how many is not known yet.",
    "needles_in": _needles_in,
    "amplitude": _amplitude,
    "titration": _titration,
    "pause": lambda line: "The operator paused.",
    "resume": lambda line: "The operator resumed: from zero, with the ramp.",
    "acknowledged": _acknowledged,
    "override": lambda line: f"Override: {label(line.get('what'))}. Reason: {line.get('reason') or 'none given'}",
    "note": lambda line: f"Note: {line.get('text')}",
    "clock_jump": jump,
    "not_confirmed": lambda line: "The board did not confirm that its output was off.",
}


def sentences(reader):
    """[(line, sentence, grave)] of everything on record but telemetry. grave: what must not be overread.

    The host's own fault line is left out where the board's fault event already says it; single answers are no events.
    """
    told = {str(line.get("detail")) for line in reader.of("event") if line.get("event") == "fault"}
    found = []
    for line in reader.lines:
        if line["kind"] == "telemetry" or (line["kind"] == "fault" and str(line.get("fault")) in told):
            continue
        if line["kind"] == "screening" and line.get("phase") == "so_far":
            continue
        grave = line["kind"] == "fault" or line.get("event") in ("fault", "clock_jump", "override", "not_confirmed")
        found.append((line, event(line), grave))
    return found
