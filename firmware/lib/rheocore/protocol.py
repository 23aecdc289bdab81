"""The protocol document (a dict, as TOML gives it) -> a checked protocol. Reads no files; compact.py goes on.

A checked protocol keeps the document's shape and units; defaults are filled in, whole numbers are integers.
Every refusal is a ProtocolError that names the key, the value, the bound and what to do.
"""

from rheocore import config
from rheocore.compact import SESSION, ProtocolError, compact
from rheocore.limits import DURATION_MAX_MS
from rheocore.nearest import nearest
from rheocore.units import decimal, scaled

SCHEMA = 1
TAGS = ("V", "V-low", "G", "PC", "D")  # how well a source is known (docs: clinical facts)
PAIRS_MAX = 6  # twelve needles

TOP = ("schema", "id", "title", "mode", "electrode", "conditions", "pairs", "bench")
SECTIONS = ("train", "envelope", "session", "limits", "source")
NEEDED = (  # (key, example)
    ("id", 'id = "ea_2hz"'),
    ("title", 'title = "2 Hz, 20 min"'),
    ("mode", 'mode = "dnes"'),
    ("electrode", 'electrode = "needle"'),
    ("train", "[train]"),
    ("envelope", "[envelope]"),
    ("limits", "[limits]"),
)
TRAIN = (  # (key, kinds that take it or None for all, example for who left it out)
    ("kind", None, '"continuous"'),
    ("frequency_hz", None, "2"),
    ("width_us", None, "200"),
    ("gap_us", None, "50"),
    ("burst_hz", ("burst",), "2"),
    ("burst_pulses", ("burst",), "8"),
    ("alt_frequency_hz", ("alternating",), "100"),
    ("dwell_s", ("alternating",), "3"),
    ("cycle_s", ("modulated",), "12"),
)
TRAIN_KEYS = tuple([row[0] for row in TRAIN])
ENVELOPE = ("ramp_up_s", "ramp_down_s", "on_s", "off_s", "contractions")
SOURCE = ("tag", "for", "cite")
CITABLE = TOP[3:7] + TRAIN_KEYS + ENVELOPE + ("duration_s", "max_ma")

_F = config.FIELDS
_HZ = (1000, config.MILLIHZ_MIN, config.MILLIHZ_MAX, "Hz")
_BURST = _F["burst_period_us"]
# key: (factor to the compact integer, lowest, highest there, unit). Factor 1: whole numbers only.
NUMBERS = {
    "frequency_hz": _HZ,
    "alt_frequency_hz": _HZ,
    "burst_hz": (1000, 1_000_000_000 // _BURST[1], 1_000_000_000 // _BURST[0], "Hz"),
    "burst_pulses": (1,) + _F["burst_pulses"][:2] + ("",),
    "width_us": (1,) + _F["width_us"][:2] + ("us",),
    "gap_us": (1,) + _F["gap_us"][:2] + ("us",),
    "dwell_s": (1000,) + _F["dwell_ms"][:2] + ("s",),
    "cycle_s": (1000,) + _F["cycle_ms"][:2] + ("s",),
    "ramp_up_s": (1000,) + _F["ramp_up_ms"][:2] + ("s",),
    "ramp_down_s": (1000,) + _F["ramp_down_ms"][:2] + ("s",),
    "on_s": (1000,) + config.OPTIONAL["on_ms"] + ("s",),
    "off_s": (1000,) + config.OPTIONAL["off_ms"] + ("s",),
    "contractions": (1, 1, 1000, ""),
    "duration_s": (1000,) + _F["duration_ms"][:2] + ("s",),
    "max_ma": (1000,) + _F["max_ua"][:2] + ("mA",),
    "pairs": (1, 1, PAIRS_MAX, ""),
}


def _control(c):
    """True for a character that a terminal obeys instead of showing it: ESC, a line break, C1 codes."""
    return c < " " or "\x7f" <= c <= "\x9f"


def _shown(text):
    """text with a ? for each control character: a refusal is read on a terminal."""
    return "".join(["?" if _control(c) else c for c in text])


def _quote(value):
    """A value as the author wrote it, shortened."""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = '"' + _shown(value) + '"' if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _words(values):
    return ", ".join(values[:-1]) + " or " + values[-1] if len(values) > 1 else values[0]


def _keys(table, path, known):
    """Refuse what is not a table, and any key that is not known, naming the nearest one."""
    if not isinstance(table, dict):
        message = f"{path or 'the document'} is a value; it must be a table"
        raise ProtocolError(path, message, f"Write it as [{path}]." if path else "Write key = value lines.")
    for key in table:
        if key not in known:
            key = _shown(str(key))
            where = path + "." + key if path else key
            near = nearest(key, known)
            hint = f"Did you mean {near}?" if near else "Known here: {}.".format(", ".join(known))
            raise ProtocolError(where, f"{where} is not a key of a protocol", hint, "unknown_key")


def _missing(path, example):
    return ProtocolError(path, f"{path} is missing", f"Add it, for example {example}.", "missing_key")


def bounds(key):
    """ "1 to 1023 us": the range of a number, in the document's unit."""
    factor, low, high, unit = NUMBERS[key]
    return f"{decimal(low, factor)} to {decimal(high, factor)} {unit}".strip()


def _number(value, path, key):
    """Check one number; whole ones come back as int."""
    factor, low, high, unit = NUMBERS[key]
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ProtocolError(
            path,
            f"{path} = {_quote(value)} is not a number",
            f"Write a plain number ({bounds(key)}); the unit is in the key's name.",
        )
    hint = f"Use {bounds(key)}."
    if value != value or value in (float("inf"), -float("inf")):
        raise ProtocolError(path, f"{path} = {_quote(value)} is not a finite number", hint)
    if value == int(value):
        value = int(value)
    elif factor == 1:
        raise ProtocolError(path, f"{path} = {value} is not a whole number", hint)
    compact_value = scaled(value, factor) if value > 0 else value
    if compact_value < low or compact_value > high:
        below = compact_value < low
        limit = f"{decimal(low if below else high, factor)} {unit}".strip()
        text = "{} = {} is {} {}".format(path, _quote(value), "below" if below else "above", limit)
        raise ProtocolError(path, text, hint)
    return value


def _choice(value, path, choices):
    if value not in choices:
        near = nearest(value, choices) if isinstance(value, str) else None
        hint = f'Did you mean "{near}"?' if near else "Use {}.".format(_words(['"' + c + '"' for c in choices]))
        raise ProtocolError(path, "{} = {} is not one of {}".format(path, _quote(value), ", ".join(choices)), hint)
    return value


def _slug(value, path):
    ok = isinstance(value, str) and 0 < len(value) <= 40 and "a" <= value[0] <= "z"
    if ok:
        for c in value:
            ok = ok and (c in "_0123456789" or "a" <= c <= "z")
    if not ok:
        hint = "Use small letters, digits and underscores, a letter first, 40 at most: ea_2hz."
        raise ProtocolError(path, f"{path} = {_quote(value)} is not a name", hint)
    return value


def _text(value, path, most):
    if not isinstance(value, str) or not value.strip() or len(value) > most:
        hint = f"Write a text of 1 to {most} characters in quotes."
        raise ProtocolError(path, f"{path} = {_quote(value)} is not a text", hint)
    for c in value:
        if _control(c):
            message = f"{path} = {_quote(value)} has a control character (0x{ord(c):02x})"
            raise ProtocolError(path, message, "Write it in one line, in characters that are seen.")
    return value


def validate(doc):
    """The checked protocol of a document. Raises ProtocolError for the first thing that is wrong."""
    _keys(doc, "", TOP + SECTIONS)
    if "schema" not in doc:
        raise _missing("schema", f"schema = {SCHEMA}")
    if doc["schema"] != SCHEMA or isinstance(doc["schema"], bool):
        message = "schema = {} is not {}, the one this version reads".format(_quote(doc["schema"]), SCHEMA)
        raise ProtocolError("schema", message, f"Write schema = {SCHEMA}, or use a newer rheo.")
    for key, example in NEEDED:
        if key not in doc:
            raise _missing(key, example)
    out = {
        "schema": SCHEMA,
        "id": _slug(doc["id"], "id"),
        "title": _text(doc["title"], "title", 72),
        "mode": _choice(doc["mode"], "mode", config.MODES),
        "electrode": _choice(doc["electrode"], "electrode", config.ELECTRODES),
        "conditions": [_slug(c, "conditions") for c in _list(doc.get("conditions", []), "conditions", '["sciatica"]')],
        "pairs": _number(doc.get("pairs", 1), "pairs", "pairs"),
        "bench": doc.get("bench", False),
    }
    if not isinstance(out["bench"], bool):
        raise ProtocolError(
            "bench", "bench = {} is not true or false".format(_quote(out["bench"])), "Write bench = false."
        )
    out["train"] = _train(doc["train"])
    out["envelope"] = _envelope(doc["envelope"])
    out["session"] = _session(doc.get("session", {}), out)
    _keys(doc["limits"], "limits", ("max_ma",))
    if "max_ma" not in doc["limits"]:
        raise _missing("limits.max_ma", "max_ma = 10")
    out["limits"] = {"max_ma": _number(doc["limits"]["max_ma"], "limits.max_ma", "max_ma")}
    sources = _list(doc.get("source", []), "source", "[[source]]")
    out["source"] = [_source(sources[i], f"source[{i + 1}]") for i in range(len(sources))]
    compact(out, 0)
    return out


def _list(value, path, example):
    if not isinstance(value, list):
        raise ProtocolError(path, f"{path} is not a list", f"Write it as {example}.")
    return value


def _train(doc):
    _keys(doc, "train", TRAIN_KEYS)
    if "kind" not in doc:
        raise _missing("train.kind", 'kind = "continuous"')
    kind = _choice(doc["kind"], "train.kind", config.KINDS)
    out = {"kind": kind}
    for key, kinds, example in TRAIN[1:]:
        path = "train." + key
        if kinds is not None and kind not in kinds:
            if key in doc:
                message = f"{path} belongs to kind {kinds[0]}, and this train is {kind}"
                raise ProtocolError(path, message, "Remove it, or change kind.", "unknown_key")
            continue
        pair = kind == "modulated" and key in ("frequency_hz", "width_us")
        if key not in doc:
            raise _missing(path, key + " = " + ("[lo, hi]" if pair else example))
        value = doc[key]
        if pair:
            if not isinstance(value, list) or len(value) != 2:
                message = f"{path} = {_quote(value)} is not a pair, and this train is modulated"
                hint = f"Write {key} = [lo, hi]: its values at the lowest and the highest rate."
                raise ProtocolError(path, message, hint)
            out[key] = [_number(v, path, key) for v in value]
        elif isinstance(value, list):
            message = f"{path} is a list, and this train is {kind}"
            raise ProtocolError(path, message, 'Write one number, or kind = "modulated".')
        else:
            out[key] = _number(value, path, key)
    return out


def _envelope(doc):
    _keys(doc, "envelope", ENVELOPE)
    out = {}
    for key in ENVELOPE:
        path = "envelope." + key
        if key in doc:
            out[key] = _number(doc[key], path, key)
        elif key in ("ramp_up_s", "ramp_down_s"):
            raise _missing(path, key + " = 2")
    for key in ("on_s", "off_s"):
        if key not in out and ("on_s" in out or "off_s" in out or "contractions" in out):
            raise _missing("envelope." + key, "on_s = 10 with off_s = 50")
    return out


def _session(doc, out):
    """Length of the session: as written, or contractions x (on + off); never above the electrode's limit."""
    _keys(doc, "session", ("duration_s",))
    envelope = out["envelope"]
    value = _number(doc["duration_s"], SESSION, "duration_s") if "duration_s" in doc else None
    if "contractions" in envelope:
        cycle_ms = scaled(envelope["on_s"], 1000) + scaled(envelope["off_s"], 1000)
        whole_ms = envelope["contractions"] * cycle_ms
        if value is None:
            value = whole_ms // 1000 if whole_ms % 1000 == 0 else whole_ms / 1000
        elif scaled(value, 1000) > whole_ms:
            message = "{} = {} is longer than envelope.contractions = {} of {} s each ({} s)".format(
                SESSION, value, envelope["contractions"], decimal(cycle_ms, 1000), decimal(whole_ms, 1000)
            )
            raise ProtocolError(SESSION, message, "Leave duration_s out, shorten it, or raise contractions.")
    if value is None:
        raise _missing(SESSION, "duration_s = 1200")
    name = longest_name(out)
    if scaled(value, 1000) > DURATION_MAX_MS[name]:
        most = decimal(DURATION_MAX_MS[name], 1000)
        message = f"{SESSION} = {value} is above {most} s, the longest session for {name}"
        raise ProtocolError(SESSION, message, f"Use {most} s or less.")
    return {"duration_s": value}


def longest_name(protocol):
    """Key of limits.DURATION_MAX_MS that bounds this protocol's session."""
    return "needle" if protocol["electrode"] == "needle" else protocol["mode"]


def _source(doc, path):
    _keys(doc, path, SOURCE)
    for key, example in (("tag", 'tag = "G"'), ("for", 'for = ["frequency_hz"]'), ("cite", 'cite = "..."')):
        if key not in doc:
            raise _missing(path + "." + key, example)
    for key in _list(doc["for"], path + ".for", '["frequency_hz"]'):
        if key not in CITABLE:
            near = nearest(key, CITABLE) if isinstance(key, str) else None
            hint = f"Did you mean {near}?" if near else "Use keys of this file: width_us, duration_s, ..."
            raise ProtocolError(path + ".for", f"{path}.for names {_quote(key)}, which is no key", hint)
    tag = _choice(doc["tag"], path + ".tag", TAGS)
    return {"tag": tag, "for": list(doc["for"]), "cite": _text(doc["cite"], path + ".cite", 400)}
