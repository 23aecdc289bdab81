"""The plan of sessions of one free code: how many, which is next, what the last one left. Reads records only.

What is found here is a reminder for people; nothing of it ever becomes a start value.
"""

import json
import re

from rheocore import faults
from rheocore.units import fmt_area, fmt_duration

from rheobase import answers, record
from rheobase.dose import gave_current
from rheobase.errors import UsageError

CODE_MAX = 12
COURSES = {  # course: (fewest, most planned sessions, what it is); clinical-facts, practice pages [PC]
    "acute": (1, 3, "acute: 1 to 3 sessions [PC]"),
    "chronic": (4, 6, "chronic: 4 to 6 sessions or more [PC]"),
    "maintenance": (None, None, "maintenance: ongoing [PC]"),
}
_CODE = re.compile(r"[A-Za-z0-9_-]+")
_NAME = re.compile(r"[A-Za-z]{4}|^[^0-9]*$")  # four letters in a row, or no digit at all
_DATE = re.compile(r"\d{6}|\d{1,2}[-_]\d{1,2}[-_]\d{2,4}|\d{4}[-_]\d{1,2}[-_]\d")  # or a patient's number


def check_code(text):
    """The free code in `text`. Raises UsageError for what could be a name, initials or a date."""
    code = text.strip()
    hint = "Use a code that only you can look up, such as A-017; no name, no initials, no date of birth."
    if " " in code or len(code) > CODE_MAX:
        raise UsageError("bad_code", f"A code has no space and at most {CODE_MAX} characters: names stay out.", hint)
    if not _CODE.fullmatch(code):
        raise UsageError("bad_code", "A code is made of letters, digits, - and _.", hint)
    if _NAME.search(code):
        raise UsageError("bad_code", "A code has a digit, and at most three letters in a row: names stay out.", hint)
    if _DATE.search(code):
        message = "A code has no date and no six digits in a row: dates of birth and patients' numbers stay out."
        raise UsageError("bad_code", message, hint)
    return code


def past(code, log_dir=None):
    """[session] of a code, however it is spelt, oldest first.

    A session: {id, ran, started_utc, protocol, plan, condition, load, needles, duration_ms, channels: {"1": {site, ua,
    felt}}, pain: (before, after), response, adverse, stop_reason}. ran: current was given. ua: "comfortable" as
    marked, else the highest that was set.
    """
    found = []
    folder = record.sessions_dir(log_dir)
    for path in sorted(folder.glob("*/" + record.FILE)) if folder.is_dir() else ():
        try:
            with path.open("rb") as lines:
                opened = _line(lines.readline())
                if not opened or str(opened.get("person")).casefold() != code.casefold():
                    continue
                rest = [_line(line) for line in lines if b'"kind":"telemetry"' not in line]
        except OSError:
            continue
        found.append(_told(path.parent.name, opened, [line for line in rest if line]))
    return found


def _line(raw):
    """A line of a record, or None for one that is torn."""
    try:
        line = json.loads(raw)
        return line if isinstance(line, dict) else None
    except ValueError:
        return None


def _told(name, opened, lines):
    """The session that a record's lines tell of."""
    closed = next((line for line in lines if line.get("kind") == "close"), {})
    opened = record.opening([opened, *lines])
    before, after = answers.of(lines, "before"), answers.of(lines, "after")
    told = before.get("answers") or {}
    channels = {str(n): {"site": None, "ua": 0, "felt": None} for n in opened.get("channels") or {}}
    for pair in told.get("pairs") or ():
        channels.setdefault(str(pair["channel"]), {"ua": 0, "felt": None})["site"] = pair.get("site")
    for line in lines:
        channel = channels.get(str(line.get("channel")))
        if channel is None or not isinstance(line.get("ua"), int):
            continue
        if line.get("event") == "titration" and line.get("level") == "comfortable":
            channel["ua"], channel["felt"] = line["ua"], "comfortable"
        elif line.get("event") == "amplitude" and channel["felt"] is None:
            channel["ua"] = max(channel["ua"], line["ua"])
    return {
        "id": name,
        "ran": _gave(lines, closed),
        "started_utc": opened.get("host_utc"),
        "protocol": opened.get("protocol"),
        "plan": opened.get("plan"),
        "condition": told.get("condition"),
        "load": opened.get("load") or {},
        "needles": after.get("needles_in") or (told.get("needles") or {}).get("in"),
        "duration_ms": closed.get("duration_ms"),
        "channels": channels,
        "pain": (told.get("pain"), after.get("pain")),
        "response": after.get("response"),
        "adverse": after.get("adverse"),
        "stop_reason": closed.get("stop_reason"),
    }


def _gave(lines, closed):
    """True if output began, and no close line says that it was never raised."""
    if not any(line.get("event") == "state" and line.get("detail") == "ramp_up" for line in lines):
        return False
    figures = closed.get("channels") or {}
    return not figures or any(gave_current(channel) is not False for channel in figures.values())


def reminder(sessions):
    """Lines about the last session of a code that had output, and every adverse event of any of its sessions."""
    lines = []
    ran = [session for session in sessions if session["ran"]]
    if ran:
        lines += _last(ran[-1])
    lines += [f"  ADVERSE EVENT on {_day(s)}: {s['adverse']}" for s in sessions if s["adverse"]]
    return [*lines, "  A reminder, no start value: every session starts at 0 mA."] if lines else []


def _day(session):
    return (session["started_utc"] or "?")[:10]


def _last(session):
    duration_ms = session["duration_ms"]
    took = f", {fmt_duration(duration_ms // 1000 * 1000)}" if isinstance(duration_ms, int) else ""
    lines = [f"Last time ({_day(session)}): {session['protocol']}{took}."]
    if session["load"]:
        lines.append(f"  {_electrodes(session)}")
    for n, channel in session["channels"].items():
        felt = f", {channel['felt']}" if channel["felt"] else " at most"
        site = f" ({channel['site']})" if channel["site"] else ""
        current = f"{channel['ua'] / 1000:g} mA{felt}" if channel["ua"] else "no current"
        lines.append(f"  channel {n}{site}: {current}")
    before, after = session["pain"]
    if before is not None or after is not None:
        lines.append(f"  pain {'?' if before is None else before} before, {'?' if after is None else after} after")
    if session["response"]:
        lines.append(f"  response: {session['response']}")
    if session["stop_reason"] not in (None, "time_over"):
        lines.append(f"  {faults.sentence(session['stop_reason'])}")
    return lines


def _electrodes(session):
    """ "2 needles, 0.25 x 30 mm; pads of 25 cm2"."""
    needle, pad = (session["load"].get(kind) for kind in ("needle", "pad"))
    parts = []
    if needle:
        count = f"{session['needles']} needles" if session["needles"] else "needles"
        parts.append(f"{count}, {needle['diameter_um'] / 1000:g} x {needle['length_um'] / 1000:g} mm")
    if pad:
        parts.append(f"pads of {fmt_area(pad['area_mm2'])}")
    return "; ".join(parts)


def words(course, number, planned):
    """ "session 3 of 6, chronic" and, beyond the plan, a remark."""
    if planned is None:
        return f"session {number}, {course}"
    text = f"session {number} of {planned}, {course}"
    return text + (": beyond the plan; review it" if number > planned else "")
