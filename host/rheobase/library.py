"""The protocols that there are: shipped presets, the user's own beside them, and files by path. Reads; never writes.

Compares conditions without case, plural, spaces, hyphens and underscores, common words included.
"""

import hashlib
import json
import os
import tomllib
from functools import cache
from pathlib import Path

from rheocore.compact import SESSION
from rheocore.config import ELECTRODES, MODES
from rheocore.limits import NEEDLE_MAX_UA, SKIN_MAX_UA
from rheocore.nearest import nearest
from rheocore.protocol import ProtocolError, validate
from rheocore.units import fmt_current, scaled

from rheobase import paths, toml_lines
from rheobase.errors import EXIT_REFUSED, EXIT_USAGE, RheoError, UsageError

FILE_MAX_BYTES = 65_536

# The words of people -> the slug that presets carry.
ALIASES = {
    "heel pain": "plantar_fasciitis",
    "heel spur": "plantar_fasciitis",
    "plantar heel pain": "plantar_fasciitis",
    "low back": "back_pain",
    "low back pain": "back_pain",
    "lower back": "back_pain",
    "lower back pain": "back_pain",
    "lumbar pain": "back_pain",
    "back": "back_pain",
    "knot": "muscle_pain",
    "muscle knot": "muscle_pain",
    "trigger point": "muscle_pain",
    "myofascial pain": "muscle_pain",
    "muscle": "muscle_pain",
    "muscle ache": "muscle_pain",
    "carpal tunnel syndrome": "carpal_tunnel",
    "lateral epicondylitis": "tennis_elbow",
    "medial epicondylitis": "golfers_elbow",
    "tendinitis": "tendonitis",
    "tendinopathy": "tendonitis",
    "achilles tendon": "achilles",
    "achilles tendonitis": "achilles",
    "achilles tendinitis": "achilles",
    "achilles tendinopathy": "achilles",
    "shoulder": "shoulder_pain",
    "sciatic pain": "sciatica",
    "sciatic nerve": "sciatica",
    "cervicogenic headache": "headache",
    "head ache": "headache",
    "neck": "neck_pain",
    "stiff neck": "neck_pain",
    "knee": "knee_pain",
    "knee osteoarthritis": "knee_pain",
    "knee arthritis": "knee_pain",
    "hip": "hip_pain",
}
# For hints alone: what people say where they do not know the condition, and words that tell nothing.
PLACES = {"foot": "plantar_fasciitis", "sole": "plantar_fasciitis", "wrist": "carpal_tunnel", "leg": "sciatica"}
VAGUE = {"pain", "ache", "head", "low", "lower", "nerve", "point", "spur", "stiff", "syndrome"}
NOT_OFFERED = ("head", "head pain")  # these, and whatever has one of the words below in it
NOT_OFFERED_WORDS = {"jaw", "tmj", "temporomandibular", "face", "facial", "eye", "eyes", "mouth"}


def _keys(text):
    """The spellings under which `text` is found: joined words, with and without each word's plural s."""
    words = "".join(c if c.isalnum() else "" if c in "'\u2019" else " " for c in text.casefold()).split()
    joined = "".join(words)
    singular = "".join(w[:-1] if w.endswith("s") and len(w) > 2 else w for w in words)
    return {joined, singular, joined[:-1] if joined.endswith("s") and len(joined) > 2 else joined}


def condition_slug(text, known):
    """The slug among `known` that the words `text` mean.

    Raises UsageError (unknown_condition) with the nearest known one, RheoError (not_offered, exit 5) for head and jaw.
    """
    wanted = _keys(text)
    for slug in known:
        if wanted & _keys(slug):
            return slug
    for words, slug in ALIASES.items():
        if slug in known and wanted & _keys(words):
            return slug
    said = set("".join(c if c.isalpha() else " " for c in text.casefold()).split())
    if said & NOT_OFFERED_WORDS or any(wanted & _keys(words) for words in NOT_OFFERED):
        hint = "See a clinician. For headache there is `--condition headache`: neck and distal points only."
        raise RheoError("not_offered", "Routes over the head and the jaw are not offered.", hint, EXIT_REFUSED)
    near = _suggested(text, known)
    hint = f"Did you mean {near}?" if near else "Known: " + ", ".join(sorted(known)) + "."
    raise UsageError("unknown_condition", f"No protocol is tagged for {text!r}.", hint)


def _suggested(text, known):
    """The slugs, joined by "or", that share a telling word with `text`; else the one that is spelled most like it."""
    said = set("".join(c if c.isalpha() else " " for c in text.casefold()).split())
    said = {word.rstrip("s") for word in said} | said
    phrases = {**ALIASES, **PLACES, **{slug.replace("_", " "): slug for slug in known}}
    named = {slug for phrase, slug in phrases.items() if (said - VAGUE) & set(phrase.split())}
    if named.intersection(known):  # a list or a set
        return " or ".join(sorted(named.intersection(known)))
    plain = "_".join(text.casefold().replace("-", " ").replace("_", " ").split())
    return nearest(plain, sorted(known)) or nearest(plain, [w.replace(" ", "_") for w in ALIASES])


def presets_dir():
    """Folder of the shipped presets."""
    return Path(__file__).resolve().parent / "presets"


def user_dir():
    """Folder of the user's own protocols; it need not exist."""
    return paths.data_dir() / "protocols"


def read(path):
    """The checked protocol in the TOML file `path`. Raises RheoError with the file, the line or the key."""
    path = Path(path)
    try:
        with path.open("rb") as source:
            raw = source.read(FILE_MAX_BYTES + 1)
    except FileNotFoundError:
        raise UsageError("no_such_file", f"There is no file {path}.", "Check the path.") from None
    except IsADirectoryError:
        raise UsageError("not_a_file", f"{path} is a folder.", "Name a TOML file in it.") from None
    except OSError as error:
        raise UsageError("unreadable_file", f"{path} cannot be read: {error.strerror}.", "Check its rights.") from None
    if len(raw) > FILE_MAX_BYTES:
        raise UsageError("too_large", f"{path} is larger than a protocol can be ({FILE_MAX_BYTES} bytes).")
    try:
        text = raw.decode("utf-8-sig").replace("\r\n", "\n")  # Windows' editors write both
        doc = tomllib.loads(text)
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        message = f"{path}, line {line}: not UTF-8 text."
        raise UsageError("bad_toml", message, "Save the file as UTF-8.") from None
    except RecursionError:
        raise UsageError("bad_toml", f"{path}: nested too deeply.", "A protocol has tables and short lists.") from None
    except tomllib.TOMLDecodeError as error:
        raise UsageError("bad_toml", *toml_lines.sentence(path, text, str(error))) from None
    try:
        return validate(doc)
    except ProtocolError as error:
        raise as_rheo_error(error, path, text) from None


def as_rheo_error(error, path=None, text=""):
    """The host's error for a ProtocolError: usage (2), or refused (5) where a limit refuses. text: of that file."""
    prefix, hint = f"{path}: " if path else "", error.hint
    line = toml_lines.line_of(text, error.path)
    if line is None and error.path == SESSION and error.code != "missing_key":
        line = toml_lines.line_of(text, "envelope.contractions")
        hint += " It is contractions x (on_s + off_s) here."
    if line:
        prefix = f"{path}, line {line}: "
    exit_code = EXIT_REFUSED if error.code.startswith("limit_") else EXIT_USAGE
    return RheoError(error.code, f"{prefix}{error.message}.", hint, exit_code)


def remarks(protocol, path=None):
    """Sentences on what a checked protocol may do and its author should know. path: of its file, to name lines.

    Raises UsageError (id_taken) for a file whose id is a shipped protocol's, and which is another.
    """
    text = Path(path).read_bytes().decode("utf-8-sig") if path else ""

    def at(where):
        line = toml_lines.line_of(text, where)
        return f"line {line}: " if line else ""

    name = protocol["id"]
    if name in shipped_ids() and protocol_hash(shipped(name)) != protocol_hash(protocol):
        message = f"{path}, {at('id')}the id {name} is a shipped protocol's, and this is another."
        raise UsageError("id_taken", message, f'Give it an id of its own: id = "my_{name}".')
    found = []
    cap_ua = NEEDLE_MAX_UA if protocol["electrode"] == "needle" else SKIN_MAX_UA[protocol["mode"]]
    if scaled(protocol["limits"]["max_ma"], 1000) > cap_ua:
        kind = "needles" if protocol["electrode"] == "needle" else f"{protocol['mode'].upper()} on skin"
        cap = fmt_current(cap_ua)
        found.append(f"{at('limits.max_ma')}no more than {cap} is allowed with {kind}, whatever max_ma says.")
    cited = {key for source in protocol["source"] for key in source["for"]}
    session = () if "contractions" in protocol["envelope"] else protocol["session"]
    bare = [
        (section, key)
        for section, keys in (("train", protocol["train"]), ("envelope", protocol["envelope"]), ("session", session))
        for key in keys
        if key not in cited and key != "kind"
    ]
    if bare:
        keys = ", ".join(key for _, key in bare)
        fix = 'Add [[source]] with tag = "V", "V-low", "G", "PC" or "D", for = ["..."] and cite = "...".'
        found.append(f"{at('.'.join(bare[0]))}no source for {keys}. {fix}")
    return found


def shipped_ids():
    """Ids of the shipped presets, sorted."""
    return sorted(p.stem for p in presets_dir().glob("*.toml"))


@cache
def shipped(name):
    """The shipped preset `name`, checked. Callers must not change it."""
    return read(presets_dir() / f"{name}.toml")


def user_protocols():
    """(protocols by id, problems): the user's own; a file that cannot be used is a problem, not an end."""
    found, problems = {}, []
    folder = user_dir()
    taken = set(shipped_ids())
    for path in sorted(folder.glob("*.toml")) if folder.is_dir() else ():
        try:
            protocol = read(path)
        except RheoError as error:
            problems.append(error.message)
            continue
        name = protocol["id"]
        if name in taken:
            problems.append(f"{path}: the id {name} is taken by another protocol; this file is left out.")
            continue
        taken.add(name)
        found[name] = protocol
    return found, problems


def catalogue(condition=None, mode=None, electrode=None):
    """(protocols, problems): shipped ones, then the user's own, that match every filter given.

    condition: words of a person ("heel pain"), or None. Raises RheoError for a filter that nothing can match.
    """
    mode, electrode = (value and value.casefold() for value in (mode, electrode))
    for value, choices, name in ((mode, MODES, "mode"), (electrode, ELECTRODES, "electrode")):
        if value is not None and value not in choices:
            raise UsageError(f"unknown_{name}", f"There is no {name} {value}.", "Known: " + ", ".join(choices) + ".")
    own, problems = user_protocols()
    found = [shipped(name) for name in shipped_ids()] + list(own.values())
    if condition is not None:
        slug = condition_slug(condition, {c for p in found for c in p["conditions"]})
        found = [p for p in found if slug in p["conditions"]]
    found = [p for p in found if mode in (None, p["mode"]) and electrode in (None, p["electrode"])]
    return found, problems


def load(ref):
    """The checked protocol that `ref` names: a preset's id, the id of one of the user's own, or a path to a file.

    Raises RheoError: unknown_preset with the nearest known id, or what read() raises.
    """
    ref = str(ref)
    looks_like_path = ref.endswith(".toml") or "/" in ref or "\\" in ref
    if not looks_like_path:
        if ref in shipped_ids():
            return shipped(ref)
        own, problems = user_protocols()
        if ref in own:
            return own[ref]
        if not os.path.isfile(ref):
            known = [*shipped_ids(), *own]
            near = nearest(ref.replace("-", "_"), known)
            hint = f"Did you mean {near}?" if near else "`rheo protocol list` shows them all."
            if problems:
                hint += " Left out: " + " ".join(problems)
            raise UsageError("unknown_preset", f"There is no protocol called {ref}.", hint)
    return read(ref)


def protocol_hash(protocol):
    """SHA-256 (hex) of the checked protocol's canonical JSON: sorted keys, no spaces, ASCII."""
    text = json.dumps(protocol, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode("ascii")).hexdigest()
