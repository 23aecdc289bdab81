"""What was asked, told and counted before and after a session, as rows for the page. Judges only the needle count."""

from rheobase.dose import number
from rheobase.report.words import acknowledged, count, label, span
from rheobase.therapist import screening as asked

# Answers that have a place of their own on the page.
_APART = ("stops", "cautions", "pairs", "needles", "checks", "pain")
_AFTER = {
    "output_zero": "output at zero before the leads came off",
    "leads_off": "leads off",
    "sharps": "needles into the sharps container",
    "aftercare_told": "aftercare told",
    "twitch": "local twitch seen",
}
_AFTER_APART = ("aftercare", "dwell_ms", "needles_out", "needles_in", "mismatch", "pain", *_AFTER)
_LINE = ("n", "host_utc", "dev_us", "kind", "host_ms", "phase")


def _dict(value):
    return value if isinstance(value, dict) else {}


def listed(value):
    return value if isinstance(value, list) else []


def _said(value):
    """An answer as text: yes, no, -, or what was written."""
    if value is None or value == "":
        return "not recorded"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return ", ".join(_said(v) for v in value) or "none"
    if isinstance(value, dict):
        return "; ".join(_named(k, v) for k, v in value.items()) or "none"
    return str(value)


def _named(name, value):
    """ "dwell: 20 min" of an answer dwell_ms, and so on."""
    if name.endswith("_ms") and number(value) is not None:
        return f"{label(name[:-3])}: {span(value)}"
    return f"{label(name)}: {_said(value)}"


def _question(name):
    """The item as it was asked, or its id in words where this version does not ask it."""
    known = {item["id"]: item["ask"] for item in asked.tables()["item"]}
    return known.get(str(name), label(name))


def _applies(found):
    """[(what, reason)] of the stops or cautions that apply; reason None: a stop that stands, nobody overrode it."""
    if not isinstance(found, dict):
        return []
    return [(_question(k), None if v is True else str(v)) for k, v in found.items() if v not in (False, None)]


def aftercare(reader, configs, begun):
    """What was told after the session, or is to be told; each text with its tag. Nothing where nothing was begun."""
    told = [text for text in listed(lines(reader)[1].get("aftercare")) if isinstance(text, str)]
    if told or not (begun or needles_in(reader) != 0):
        return told
    return asked.aftercare({cfg["electrode"] for cfg in configs if cfg} or {"needle", "skin"})


def lines(reader):
    """(before, after): the screening lines of a record, or what was answered until it broke off; {} for nothing."""
    return reader.answers("before"), reader.answers("after")


def table(reader):
    """The page's dict. before, after: [(label, text)]. stops, cautions: [(what, reason)] of those that apply."""
    before, after = lines(reader)
    answers = _dict(before.get("answers"))
    told = [(label(k), _said(v)) for k, v in answers.items() if k not in _APART]
    told += [(label(k), _said(v)) for k, v in _dict(answers.get("checks")).items()]
    went_in = needles_in(reader)
    if went_in != 0 or _dict(answers.get("needles")):
        told.append(("needles in", count(went_in) + _unstimulated(reader)))
    return {
        "asked": bool(answers),
        "cut_short": tuple(line.get("phase") == "so_far" for line in (before, after)),
        "yes": bool(before.get("yes")),
        "reason": before.get("reason"),
        "acknowledged": [acknowledged(code) for code in listed(before.get("acknowledged"))],
        "before": told,
        "stops": _applies(answers.get("stops")),
        "stops_asked": len(_dict(answers.get("stops"))),
        "cautions": _applies(answers.get("cautions")),
        "cautions_asked": "cautions" in answers,
        "pairs": [p for p in listed(answers.get("pairs")) if isinstance(p, dict)],
        "overrides": [
            (_question(line.get("what")), str(line.get("reason") or "no reason given"))
            for line in reader.of("event")
            if line.get("event") == "override"
        ],
        "pain": (answers.get("pain"), after.get("pain")),
        "after": _after(after),
        "has_after": bool(after),
    }


def needles_in(reader):
    """How many needles went in, by the latest word: 0 if none, None if some did and nobody knows how many."""
    went_in = 0
    for line in reader.lines:
        if line["kind"] == "screening":
            answers = _dict(line.get("answers"))
            for told, name in ((_dict(answers.get("needles")), "in"), (answers, "needles_in"), (line, "needles_in")):
                if name in told:
                    went_in = number(told[name])
        elif line.get("event") == "needles_begun":
            went_in = None
        elif line.get("event") == "needles_in" and number(line.get("in")) is not None:
            went_in = line["in"]
    return went_in


def _unstimulated(reader):
    answers = _dict(lines(reader)[0].get("answers"))
    told = [_dict(answers.get("needles")), *(line for line in reader.of("event") if line.get("event") == "needles_in")]
    rest = next((line["unstimulated"] for line in told if number(line.get("unstimulated"))), 0)
    return f", of these {rest} dwell without current" if rest else ""


def _after(after):
    rows = [(text, _said(after.get(name))) for name, text in _AFTER.items() if name in after]
    if after.get("dwell_ms") is not None:
        rows.append(("needles were in for", span(after["dwell_ms"])))
    if after.get("needles_out") is not None:
        rows.append(("needles out", _said(after["needles_out"])))
    for name, value in after.items():
        if name not in _AFTER_APART and name not in _LINE and (value or not name.endswith("_note")):
            rows.append((label(name), "none" if name == "adverse" and not value else _said(value)))
    return rows


def alerts(reader, ended, begun):
    """[(level, head, text)]: needles that do not add up, stops that apply, steps that nobody confirmed.

    ended: nobody writes this record any more, so what is not there will not come. begun: output began.
    """
    before, after = lines(reader)
    answers, found = _dict(before.get("answers")), []
    stops = _applies(answers.get("stops"))
    for what, reason in stops:
        if reason is not None:
            found.append(("stop", "A screening stop was overridden", f"{what}: {reason}"))
    standing = "; ".join(what for what, reason in stops if reason is None)
    if standing and begun:
        found.append(("stop", "A screening stop stood, and the session was started all the same", f"{standing}."))
    elif standing:
        found.append(("warn", "A screening stop stands: the session was refused", f"{standing}."))
    went_in, needles_out = needles_in(reader), number(after.get("needles_out"))
    if needles_out is not None and (after.get("mismatch") or needles_out != went_in):
        text = f"{count(went_in)} in, {needles_out} out. Look for what is missing before the person leaves."
        found.append(("stop", "Needles in and needles out do not agree", text))
    elif went_in != 0 and needles_out is None and ended:
        how_many = "Needles were being inserted, nobody knows how many" if went_in is None else f"{went_in} went in"
        text = f"{how_many}; no count of what came out is on record."
        found.append(("stop", "Needles were not counted out", text))
    if not answers and before.get("yes"):
        reason = before.get("reason")
        text = f"Reason given: {reason}" if reason else "No reason is on record."
        found.append(("warn", "No screening: the session was started with --yes", text))
    if not after and ended and ((answers and begun) or went_in != 0):
        found.append(("warn", "The steps after the session are not on record", "They were left out or cut short."))
    if after and None in [after.get(name) for name in ("output_zero", "leads_off", "aftercare_told")]:
        found.append(("warn", "The steps after the session were not finished", "What nobody told is not known."))
    for name, text in _AFTER.items():
        if after.get(name) is False and name != "twitch":
            found.append(("warn", "Not confirmed", text))
    if after.get("adverse"):
        found.append(("stop", "An adverse event was noted", _said(after["adverse"])))
    return found
