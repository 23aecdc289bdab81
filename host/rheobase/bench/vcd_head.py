"""Parse the declarations of a value change dump: its time unit, its signals' names, what its comments say.

Names are made unique here: a name in two scopes gets its scope's path, a vector gives a name for each of its bits.
"""

import json
import re
from collections import Counter
from dataclasses import dataclass, field

from rheobase.bench import sample_period, trace
from rheobase.errors import UsageError

_UNIT_FS = {"s": 10**15, "ms": 10**12, "us": 10**9, "ns": 10**6, "ps": 1000, "fs": 1}
_WIDEST_BUS = 128  # a logic analyser's widest; wider vectors are a simulator's and are passed over
_SECTION = re.compile(r"\s*(\$[a-z]+)(?=\s)(.*?)(?<=\s)\$end(?=\s|$)", re.S)
_RATE = re.compile(r"channels at\s+([0-9.]+)\s*([kMG]?)Hz")
_ABOUT = re.compile(r"rheobase (\{.*\})", re.S)


@dataclass
class Head:
    """What is declared. Identifiers are bytes, as in the changes.

    wires: {name: number}; two names of one wire have one number. bits: {identifier: number}. buses: {identifier:
    [numbers, the left bit's first]}. reals: {name: identifier}. silent: identifiers of what is passed over. unit_fs:
    the time unit. rate_hz: the instrument's, where a comment of sigrok says it. about: our own writer's comment.
    """

    unit_fs: int = 10**6
    wires: dict = field(default_factory=dict)
    bits: dict = field(default_factory=dict)
    buses: dict = field(default_factory=dict)
    reals: dict = field(default_factory=dict)
    silent: set = field(default_factory=set)
    rate_hz: int | None = None
    about: dict = field(default_factory=dict)


def parse(text, whole, path):
    """The Head of a file's text up to its changes. whole: its end is there. Raises UsageError."""
    head, scope, declared, unit_fs, position = Head(), [], [], None, 0
    while found := _SECTION.match(text, position):
        position = found.end()
        keyword, words = found[1], found[2].split()
        if keyword == "$timescale":
            new_fs = _timescale("".join(words), path)
            if unit_fs not in (None, new_fs):
                raise UsageError(
                    "mixed_timescales", f"{path} states two different timescales.", "Export one capture into one file."
                )
            unit_fs = new_fs
        elif keyword == "$scope":
            scope.append(words[-1] if words else "")
        elif keyword == "$upscope":
            del scope[-1:]
        elif keyword == "$comment":
            _comment(head, found[2], path)
        elif keyword == "$var" and len(words) >= 4:
            declared.append((tuple(scope), *words[:4], "".join(words[4:])))
    left = text[position:].split(None, 1)
    if left and (whole or not left[0].startswith("$")):
        raise not_vcd(path, f"{left[0][:20]!r} where a declaration belongs")
    if not declared and unit_fs is None:
        raise not_vcd(path, "no declarations")
    head.unit_fs = unit_fs or head.unit_fs
    _declare(head, declared, path)
    return head


def _timescale(text, path):
    found = re.fullmatch(r"(\d{1,6})(s|ms|us|ns|ps|fs)", text)
    if not found or not int(found[1]):
        raise not_vcd(path, f"a time scale {text[:20]!r}; 1 s to 1 fs can be read")
    return int(found[1]) * _UNIT_FS[found[2]]


def _comment(head, text, path):
    if found := _ABOUT.fullmatch(text.strip()):
        try:
            head.about = _checked(json.loads(found[1]))
        except (ValueError, RecursionError):
            raise not_vcd(path, "a damaged comment on its capture") from None
    elif found := _RATE.search(text):
        head.rate_hz = sample_period.rate_hz(found[1], found[2])


def _declare(head, declared, path):
    """Number the wires. declared: (scope, kind, size, identifier, name, select) of each $var."""
    forms, variables = [], []
    for scope, kind, size, identifier, name, select in declared:
        identifier = identifier.encode("utf-8", "replace")
        width = int(size) if size.isascii() and size.isdigit() and len(size) < 10 else 0
        if kind in ("real", "realtime"):
            width = None
        elif kind == "string" or not 0 < width <= _WIDEST_BUS:
            head.silent.add(identifier)
            continue
        variables.append((identifier, width))
        if width is None or width == 1:
            forms.append((name, name + select, ".".join((*scope, name + select))))
        else:
            if not select and name.endswith("]"):
                name, _, select = name.partition("[")
                select = "[" + select
            bits = [f"{name}[{bit}]" for bit in _bits(select, width)]
            forms += [(bit, bit, ".".join((*scope, bit))) for bit in bits]
        if len(forms) > trace.MAX_WIRES:
            raise UsageError(
                "too_many_signals",
                f"{path} has more than {trace.MAX_WIRES} signals.",
                "Export the legs and the interlock only.",
            )
    names, count = iter(_unique(forms)), 0
    for identifier, width in variables:
        mine = [next(names) for _ in range(width or 1)]
        known = [head.bits[identifier]] if identifier in head.bits else head.buses.get(identifier)
        if width is None:
            head.reals[mine[0]] = identifier
        elif known:  # one wire, declared under two names
            head.wires.update(zip(mine, known, strict=False))
        else:
            numbers = list(range(count, count + width))
            count += width
            head.wires.update(zip(mine, numbers, strict=True))
            if width == 1:
                head.bits[identifier] = numbers[0]
            else:
                head.buses[identifier] = numbers


def _bits(select, width):
    """Numbers of a vector's bits from the left: what its range says, or width - 1 down to 0."""
    found = re.fullmatch(r"\[(\d{1,9}):(\d{1,9})\]", select)
    left, right = (int(found[1]), int(found[2])) if found else (width - 1, 0)
    if abs(left - right) + 1 != width:
        left, right = width - 1, 0
    return range(left, right + 1) if left < right else range(left, right - 1, -1)


def _unique(forms):
    """A name for each signal: the shortest of its forms that no other has, numbered where none is its own."""
    names = [form[0] for form in forms]
    for longer in (1, 2):
        count = Counter(names)
        names = [form[longer] if count[name] > 1 else name for name, form in zip(names, forms, strict=True)]
    seen = Counter()
    for n, name in enumerate(names):
        seen[name] += 1
        if seen[name] > 1:
            names[n] = f"{name}({seen[name]})"
    return names


def _checked(about):
    """What our writer says of a capture. Raises ValueError if it is not of its form."""
    types = {"resolution_ps": int, "own_clock": bool, "origin_ps": int, "source": str, "instrument": str}
    for key, kind in types.items():
        if key in about and type(about[key]) is not kind:
            raise ValueError(key)
    for key, kind in (("torn", str), ("end_ps", int)):
        if about.get(key) is not None and type(about[key]) is not kind:
            raise ValueError(key)
    numbers = [about.get(key) or 0 for key in ("origin_ps", "end_ps")]
    if not 0 < about.get("resolution_ps", 1) < trace.PS_PER_S or max(map(abs, numbers)) > trace.MAX_PS:
        raise ValueError("range")
    return about


def not_vcd(path, what):
    """The error for a file that cannot be a value change dump."""
    return UsageError("bad_vcd", f"{path} is not a value change dump: {what}.", "Export it as VCD again.")
