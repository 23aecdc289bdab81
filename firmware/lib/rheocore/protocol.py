"""The protocol document (a dict, as TOML gives it) -> a checked protocol -> the device's compact integers. No files.

A checked protocol keeps the document's own shape and units, with defaults filled in and whole numbers as integers.
Every refusal is a ProtocolError that names the key, the value, the bound and what to do.
"""

from rheocore import config
from rheocore.limits import DURATION_MAX_MS
from rheocore.units import decimal, scaled

SCHEMA = 1
TAGS = ("V", "V-low", "G", "PC", "D")  # how well a source is known (docs: clinical facts)
PAIRS_MAX = 6  # twelve needles
SESSION = "session.duration_s"

TOP = ("schema", "id", "title", "mode", "electrode", "conditions", "pairs", "bench")
SECTIONS = ("train", "envelope", "session", "limits", "source")
TRAIN = {  # key: kinds that take it, None for all
    "kind": None,
    "frequency_hz": None,
    "width_us": None,
    "gap_us": None,
    "burst_hz": ("burst",),
    "burst_pulses": ("burst",),
    "alt_frequency_hz": ("alternating",),
    "dwell_s": ("alternating",),
    "cycle_s": ("modulated",),
}
ENVELOPE = ("ramp_up_s", "ramp_down_s", "on_s", "off_s", "contractions")
SOURCE = ("tag", "for", "cite")
CITABLE = TOP[3:7] + tuple(TRAIN) + ENVELOPE + ("duration_s", "max_ma")

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


class ProtocolError(Exception):
    """A document that cannot be played. path: "section.key"; message, hint: for people; code: for programs.

    Codes: unknown_key, missing_key, bad_value; limit_duration and limit_preset when it is a limit that refuses.
    """

    def __init__(self, path, message, hint, code="bad_value"):
        super().__init__(message)
        self.path = path
        self.message = message
        self.hint = hint
        self.code = code


def nearest(word, known):
    """The member of `known` that `word` most likely meant, or None if none is near (edit distance <= a third)."""
    best, least = None, max(2, len(word) // 3) + 1
    for candidate in known:
        distance = _distance(word.lower(), candidate.lower(), least)
        if distance < least:
            best, least = candidate, distance
    return best


def _distance(a, b, stop):
    """Edits (insert, delete, replace, swap of neighbours) from a to b; `stop` or more is as good as far."""
    if abs(len(a) - len(b)) >= stop:
        return stop
    before, row = [], list(range(len(b) + 1))
    for i in range(len(a)):
        last, before, row = before, row, [i + 1]
        for j in range(len(b)):
            cost = min(before[j + 1] + 1, row[j] + 1, before[j] + (a[i] != b[j]))
            if i and j and a[i] == b[j - 1] and a[i - 1] == b[j]:
                cost = min(cost, last[j - 1] + 1)
            row.append(cost)
    return row[-1]


def _quote(value):
    """A value as the author wrote it, shortened."""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = '"' + value + '"' if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _words(values):
    return ", ".join(values[:-1]) + " or " + values[-1] if len(values) > 1 else values[0]


def _keys(table, path, known):
    """Refuse what is not a table, and any key that is not known, naming the nearest one."""
    if not isinstance(table, dict):
        raise ProtocolError(path, "{} is a value; it must be a table".format(path), "Write it as [{}].".format(path))
    for key in table:
        if key not in known:
            where = path + "." + key if path else key
            near = nearest(key, known)
            hint = "Did you mean {}?".format(near) if near else "Known here: {}.".format(", ".join(known))
            raise ProtocolError(where, "{} is not a key of a protocol".format(where), hint, "unknown_key")


def _missing(path, example):
    return ProtocolError(path, "{} is missing".format(path), "Add it, for example {}.".format(example), "missing_key")


def bounds(key):
    """"1 to 1023 us": the range of a number, in the document's unit."""
    factor, low, high, unit = NUMBERS[key]
    return "{} to {} {}".format(decimal(low, factor), decimal(high, factor), unit).strip()


def _number(value, path, key):
    """Check one number; whole ones come back as int."""
    factor, low, high, unit = NUMBERS[key]
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ProtocolError(
            path,
            "{} = {} is not a number".format(path, _quote(value)),
            "Write a plain number ({}); the unit is in the key's name.".format(bounds(key)),
        )
    hint = "Use {}.".format(bounds(key))
    if value != value or value in (float("inf"), -float("inf")):
        raise ProtocolError(path, "{} = {} is not a finite number".format(path, _quote(value)), hint)
    if value == int(value):
        value = int(value)
    elif factor == 1:
        raise ProtocolError(path, "{} = {} is not a whole number".format(path, value), hint)
    compact_value = scaled(value, factor) if value > 0 else value
    if compact_value < low or compact_value > high:
        below = compact_value < low
        limit = "{} {}".format(decimal(low if below else high, factor), unit).strip()
        text = "{} = {} is {} {}".format(path, _quote(value), "below" if below else "above", limit)
        raise ProtocolError(path, text, hint)
    return value


def _choice(value, path, choices):
    if value not in choices:
        near = nearest(value, choices) if isinstance(value, str) else None
        hint = 'Did you mean "{}"?'.format(near) if near else "Use {}.".format(_words(['"' + c + '"' for c in choices]))
        raise ProtocolError(path, "{} = {} is not one of {}".format(path, _quote(value), ", ".join(choices)), hint)
    return value


def _slug(value, path):
    ok = isinstance(value, str) and 0 < len(value) <= 40 and "a" <= value[0] <= "z"
    if ok:
        for c in value:
            ok = ok and (c in "_0123456789" or "a" <= c <= "z")
    if not ok:
        hint = "Use small letters, digits and underscores, a letter first, 40 at most: ea_2hz."
        raise ProtocolError(path, "{} = {} is not a name".format(path, _quote(value)), hint)
    return value


def _text(value, path, most):
    if not isinstance(value, str) or not value.strip() or len(value) > most:
        hint = "Write a text of 1 to {} characters in quotes.".format(most)
        raise ProtocolError(path, "{} = {} is not a text".format(path, _quote(value)), hint)
    return value


def validate(doc):
    """The checked protocol of a document. Raises ProtocolError for the first thing that is wrong."""
    _keys(doc, "", TOP + SECTIONS)
    if "schema" not in doc:
        raise _missing("schema", "schema = {}".format(SCHEMA))
    if doc["schema"] != SCHEMA or isinstance(doc["schema"], bool):
        message = "schema = {} is not {}, the one this version reads".format(_quote(doc["schema"]), SCHEMA)
        raise ProtocolError("schema", message, "Write schema = {}, or use a newer rheo.".format(SCHEMA))
    for key, example in (
        ("id", 'id = "ea_2hz"'), ("title", 'title = "2 Hz, 20 min"'), ("mode", 'mode = "dnes"'),
        ("electrode", 'electrode = "needle"'), ("train", "[train]"), ("envelope", "[envelope]"), ("limits", "[limits]"),
    ):  # fmt: skip
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
        raise ProtocolError("bench", "bench = {} is not true or false".format(_quote(out["bench"])), "Write bench = false.")
    out["train"] = _train(doc["train"])
    out["envelope"] = _envelope(doc["envelope"])
    out["session"] = _session(doc.get("session", {}), out)
    _keys(doc["limits"], "limits", ("max_ma",))
    if "max_ma" not in doc["limits"]:
        raise _missing("limits.max_ma", "max_ma = 10")
    out["limits"] = {"max_ma": _number(doc["limits"]["max_ma"], "limits.max_ma", "max_ma")}
    out["source"] = [_source(s) for s in _list(doc.get("source", []), "source", "[[source]]")]
    compact(out, 0)
    return out


def _list(value, path, example):
    if not isinstance(value, list):
        raise ProtocolError(path, "{} is not a list".format(path), "Write it as {}.".format(example))
    return value


def _train(doc):
    _keys(doc, "train", tuple(TRAIN))
    if "kind" not in doc:
        raise _missing("train.kind", 'kind = "continuous"')
    kind = _choice(doc["kind"], "train.kind", config.KINDS)
    out = {"kind": kind}
    for key in TRAIN:
        path = "train." + key
        if TRAIN[key] is not None and kind not in TRAIN[key]:
            if key in doc:
                message = "{} belongs to kind {}, and this train is {}".format(path, TRAIN[key][0], kind)
                raise ProtocolError(path, message, "Remove it, or change kind.", "unknown_key")
            continue
        pair = kind == "modulated" and key in ("frequency_hz", "width_us")
        if key not in doc:
            raise _missing(path, "{} = {}".format(key, "[lo, hi]" if pair else _EXAMPLES[key]))
        value = doc[key]
        if key == "kind":
            continue
        if pair:
            if not isinstance(value, list) or len(value) != 2:
                hint = "Write {} = [lo, hi]: its values at the lowest and the highest rate.".format(key)
                raise ProtocolError(path, "{} = {} is not a pair; this train is modulated".format(path, _quote(value)), hint)
            out[key] = [_number(v, path, key) for v in value]
        elif isinstance(value, list):
            hint = 'Write one number, or kind = "modulated".'
            raise ProtocolError(path, "{} is a list, and this train is {}".format(path, kind), hint)
        else:
            out[key] = _number(value, path, key)
    return out


_EXAMPLES = {
    "frequency_hz": 2, "width_us": 200, "gap_us": 50, "burst_hz": 2, "burst_pulses": 8,
    "alt_frequency_hz": 100, "dwell_s": 3, "cycle_s": 12,
}  # fmt: skip


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
    """Length of the session: as written, or contractions x (on + off); the longest that the electrode may have."""
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
        message = "{} = {} is above {} s, the longest session for {}".format(SESSION, value, most, name)
        raise ProtocolError(SESSION, message, "Use {} s or less.".format(most))
    return {"duration_s": value}


def longest_name(protocol):
    """Key of limits.DURATION_MAX_MS that bounds this protocol's session."""
    return "needle" if protocol["electrode"] == "needle" else protocol["mode"]


def _source(doc):
    _keys(doc, "source", SOURCE)
    for key, example in (("tag", 'tag = "G"'), ("for", 'for = ["frequency_hz"]'), ("cite", 'cite = "..."')):
        if key not in doc:
            raise _missing("source." + key, example)
    for key in _list(doc["for"], "source.for", '["frequency_hz"]'):
        if key not in CITABLE:
            near = nearest(key, CITABLE) if isinstance(key, str) else None
            hint = "Did you mean {}?".format(near) if near else "Use the keys of this file: width_us, duration_s, ..."
            raise ProtocolError("source.for", "source.for names {}, which is no key".format(_quote(key)), hint)
    cite = _text(doc["cite"], "source.cite", 400)
    return {"tag": _choice(doc["tag"], "source.tag", TAGS), "for": list(doc["for"]), "cite": cite}


def compact(protocol, amplitude_ua, duration_ms=None):
    """The channel configuration of a checked protocol: integers that config.check() passes.

    amplitude_ua: target, 0..the protocol's max_ma. duration_ms: a shorter session (None: the protocol's own).
    Raises ProtocolError; code limit_preset or limit_duration where the protocol's own limit is exceeded.
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
        raise ProtocolError(SESSION, message, "Use {} s or less.".format(decimal(own_ms, 1000)), "limit_duration")
    if amplitude_ua > max_ua:
        most = decimal(max_ua, 1000)
        message = "{} mA is above the {} mA of {}".format(decimal(amplitude_ua, 1000), most, protocol["id"])
        raise ProtocolError("limits.max_ma", message, "Use {} mA or less.".format(most), "limit_preset")
    kind = train["kind"]
    cfg = {
        "kind": kind,
        "mode": protocol["mode"],
        "electrode": protocol["electrode"],
        "bench": protocol["bench"],
        "gap_us": train["gap_us"],
        "ramp_up_ms": scaled(envelope["ramp_up_s"], 1000),
        "ramp_down_ms": scaled(envelope["ramp_down_s"], 1000),
        "duration_ms": duration_ms,
        "max_ua": max_ua,
        "amplitude_ua": amplitude_ua,
    }
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
        raise _explain(error.args, cfg)


def _explain(why, cfg):
    """The ProtocolError for what config.check() found between keys that are fine one by one."""
    code, field, value, bound = why
    if code == "period_too_short":
        message = "train: two phases, the gap and the fixed part need {} us, and a period here is {} us".format(bound, value)
        return ProtocolError("train.frequency_hz", message, "Lower frequency_hz or width_us.")
    if code == "burst_too_long":
        message = "train.burst_pulses = {} do not fit between bursts: {} at most".format(value, bound)
        return ProtocolError("train.burst_pulses", message, "Lower burst_pulses or burst_hz, or raise frequency_hz.")
    if field == "hi_millihz":
        message = "train.frequency_hz = [{}, {}] falls".format(decimal(bound, 1000), decimal(value, 1000))
        return ProtocolError("train.frequency_hz", message, "Write the lower rate first, and its width first too.")
    if code == "ramps_too_long":
        where = "envelope.on_s" if field == "on_ms" else SESSION
        message = "envelope.ramp_up_s and ramp_down_s take {} s together, and {} is {} s".format(
            decimal(bound, 1000), where, decimal(value, 1000)
        )
        return ProtocolError(where, message, "Shorten the ramps or lengthen {}.".format(where.split(".")[1]))
    return ProtocolError(field, "{} {} cannot be played: {} (bound {})".format(field, value, code, bound), "Choose another value.")
