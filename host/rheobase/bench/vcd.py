"""Parse a value change dump (IEEE 1364) in blocks: the one VCD parser here. Judges nothing and maps no names.

Strict where a slip would change what was measured: a value that was not declared, a time that is no number and a time
that goes back are errors. Not driven and unknown count as 0. A cut end is dropped and said.
"""

import json
import re
from array import array
from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from rheobase.bench import trace
from rheobase.bench.capture import Signal
from rheobase.errors import UsageError

_UNIT_FS = {"s": 10**15, "ms": 10**12, "us": 10**9, "ns": 10**6, "ps": 1000, "fs": 1}
_HIGH, _LOW = b"1hH", b"0lLxXzZuUwW-"
_HEAD_BYTES = 4 << 20
_WIDEST_BUS = 128  # a logic analyser's widest; wider vectors are a simulator's and are passed over
_RATE = re.compile(r"channels at\s+([0-9.]+)\s*([kMG]?)Hz")
_ABOUT = re.compile(r"^rheobase (\{.*\})\s*$", re.S)
_SETPOINT = re.compile(r"CH(\d{1,3})_UA")
_BODY_SECTIONS = (b"$dumpvars", b"$dumpall", b"$dumpon", b"$dumpoff", b"$end")


@dataclass
class Dump:
    """Changes of a dump in the file's order.

    wires: {name: number}, reals: {name: (times_ps, values)}. times_ps (int64) and codes (2 x number + level): one of
    each a change, repeats included. rounding_ps: the file's step of time, 1 at least. rate_hz, about: what its comments
    say.
    """

    wires: dict = field(default_factory=dict)
    reals: dict = field(default_factory=dict)
    times_ps: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    codes: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int32))
    start_ps: int = 0
    end_ps: int = 0
    rounding_ps: int = 1000
    rate_hz: int | None = None
    about: dict = field(default_factory=dict)
    torn: str | None = None

    def trace(self):
        """The Trace: a level at the start is no edge, and of several changes at one time the last counts."""
        origin_ps = self.about.get("origin_ps", 0)
        order = np.argsort(self.codes >> 1, kind="stable")
        times, codes = self.times_ps[order], self.codes[order]
        bounds = np.searchsorted(codes >> 1, np.arange(max(self.wires.values(), default=-1) + 2))
        signals = {}
        for name, number in self.wires.items():
            part = slice(bounds[number], bounds[number + 1])
            signals[name] = _signal(times[part], codes[part] & 1, self.start_ps, origin_ps)
        setpoints = {}
        for name, (when_ps, values) in self.reals.items():
            if (found := _SETPOINT.fullmatch(name)) and len(when_ps):
                last = np.append(when_ps[1:] != when_ps[:-1], True)
                setpoints[int(found[1])] = (when_ps[last] + origin_ps, values[last])
        return trace.Trace(
            signals,
            self.start_ps + origin_ps,
            self.end_ps + origin_ps,
            self.rounding_ps,
            self.rate_hz,
            self.torn,
            self.about,
            setpoints,
        )


def _signal(times, levels, start_ps, origin_ps):
    head = int(np.searchsorted(times, start_ps, side="right"))
    initial = int(levels[head - 1]) if head else 0
    times, levels = times[head:], levels[head:]
    if len(times):
        last = np.append(times[1:] != times[:-1], True)
        times, levels = times[last], levels[last]
        change = levels != np.append(initial, levels[:-1])
        times = times[change] + origin_ps
    return Signal(initial, times)


def read(source, path):
    """The Dump of an open binary file. path: its name, for sentences. Raises UsageError for a file that is not one."""
    head, rest = b"", b""
    while not (cut := re.search(rb"\$enddefinitions\s+\$end\s", head)):
        chunk = source.read(1 << 16)
        if not chunk or len(head) > _HEAD_BYTES:
            break
        head += chunk
    if cut:
        head, rest = head[: cut.end()], head[cut.end() :]
    elif len(head) > _HEAD_BYTES:
        raise not_vcd(path, "no end of its declarations")
    parser = _Parser(path)
    parser.head(head.decode("utf-8", "replace"), bool(cut))
    if not cut:
        parser.dump.torn = "The file ends in its declarations; no edge was read."
        return parser.dump
    return parser.body(trace.blocks(source, path, rest))


class _Parser:
    def __init__(self, path):
        self.path = path
        self.dump = Dump()
        self._scale = (1000, 1)  # ticks to ps: times, divided by
        self._codes = {}  # b"1!": code of the change
        self._buses = {}  # identifier: [numbers of its wires from the left, value before]
        self._reals = {}  # identifier: (array of ticks, array of values)
        self._silent = set()  # declared, passed over
        self._times, self._changes = array("q"), array("i")

    # ---- declarations -------------------------------------------------------------------------

    def head(self, text, whole):
        """Take the declarations. whole: $enddefinitions is there."""
        scope, declared, unit_fs, position = [], [], None, 0
        section = re.compile(r"\s*(\$[a-z]+)(?=\s)(.*?)(?<=\s)\$end(?=\s|$)", re.S)
        while found := section.match(text, position):
            position = found.end()
            keyword, words = found[1], found[2].split()
            if keyword == "$timescale":
                new_fs = self._timescale("".join(words))
                if unit_fs not in (None, new_fs):
                    raise UsageError(
                        "mixed_timescales",
                        f"{self.path} states two different timescales.",
                        "Export one capture into one file.",
                    )
                unit_fs = new_fs
            elif keyword == "$scope":
                scope.append(words[-1] if words else "")
            elif keyword == "$upscope":
                del scope[-1:]
            elif keyword == "$comment":
                self._comment(found[2])
            elif keyword == "$var" and len(words) >= 4:
                declared.append((tuple(scope), *words[:4], "".join(words[4:])))
        left = text[position:].split()
        if left and (whole or not left[0].startswith("$")):
            raise not_vcd(self.path, f"{left[0][:20]!r} where a declaration belongs")
        if not declared and unit_fs is None:
            raise not_vcd(self.path, "no declarations")
        unit_fs = unit_fs or 10**6
        part = np.gcd(unit_fs, 1000)
        self._scale = (int(unit_fs // part), int(1000 // part))
        self.dump.rounding_ps = max(1, unit_fs // 1000)
        self._declare(declared)

    def _timescale(self, text):
        found = re.fullmatch(r"(\d{1,6})(s|ms|us|ns|ps|fs)", text)
        if not found or not int(found[1]):
            raise not_vcd(self.path, f"a time scale {text[:20]!r}; 1 s to 1 fs can be read")
        return int(found[1]) * _UNIT_FS[found[2]]

    def _comment(self, text):
        if found := _RATE.search(text):
            self.dump.rate_hz = rate_hz(found[1], found[2])
        if found := _ABOUT.match(text.strip()):
            try:
                self.dump.about = _checked(json.loads(found[1]))
            except (ValueError, RecursionError):
                raise not_vcd(self.path, "a damaged comment on its capture") from None

    def _declare(self, declared):
        forms, kinds = [], []
        for scope, kind, size, identifier, name, select in declared:
            width = int(size) if size.isdecimal() and len(size) < 10 else 0
            identifier = identifier.encode("utf-8", "replace")
            if kind in ("real", "realtime"):
                kinds.append((identifier, None))
            elif width == 1:
                kinds.append((identifier, 1))
            elif 1 < width <= _WIDEST_BUS:
                if not select and name.endswith("]"):
                    name, _, select = name.partition("[")
                    select = "[" + select
                for bit in _bits(select, width):
                    forms.append((f"{name}[{bit}]",) * 2 + (".".join((*scope, f"{name}[{bit}]")),))
                kinds.append((identifier, width))
                continue
            else:
                self._silent.add(identifier)
                continue
            forms.append((name, name + select, ".".join((*scope, name + select))))
        if len(forms) > trace.MAX_WIRES:
            raise UsageError(
                "too_many_signals",
                f"{self.path} has {len(forms)} signals; {trace.MAX_WIRES} can be read.",
                "Export the legs and the interlock only.",
            )
        names = iter(_unique(forms))
        count = 0
        for identifier, width in kinds:
            mine = [next(names) for _ in range(width or 1)]
            if width is None:
                series = self._reals.setdefault(identifier, (array("q"), array("d")))
                self.dump.reals[mine[0]] = series
            elif b"1" + identifier in self._codes or identifier in self._buses:  # one wire under two names
                known = self._buses[identifier][0] if identifier in self._buses else None
                first = known or [self._codes[b"1" + identifier] >> 1]
                self.dump.wires.update(zip(mine, first, strict=False))
            else:
                numbers = list(range(count, count + width))
                count += width
                self.dump.wires.update(zip(mine, numbers, strict=True))
                if width > 1:
                    self._buses[identifier] = [numbers, None]
                else:
                    for values, level in ((_HIGH, 1), (_LOW, 0)):
                        self._codes.update({bytes((v,)) + identifier: 2 * numbers[0] + level for v in values})

    # ---- changes ------------------------------------------------------------------------------

    def body(self, parts):
        """Take the changes. parts: of blocks(). Returns the Dump."""
        dump, known = self.dump, self._codes
        add_time, add_code = self._times.append, self._changes.append
        t, first, comment, rest = -1, None, False, b""
        try:
            for lines, rest in parts:
                words = iter(lines.split())
                for word in words:
                    code = known.get(word)
                    if code is not None and not comment:
                        add_code(code)
                        add_time(t)
                    elif comment:
                        comment = word != b"$end"
                    elif word[0] == 35:  # "#"
                        digits = word[1:]
                        if not digits.isdigit():
                            raise not_vcd(self.path, f"a time {_shown(word)}")
                        now = int(digits)
                        if now < t:
                            raise trace.backwards(self.path, self._ps(t), self._ps(now))
                        t = now
                        if first is None:
                            first = now
                    elif word == b"$comment":
                        comment = True
                    elif word not in _BODY_SECTIONS:
                        self._other(word, words, t)
        except (OverflowError, ValueError):
            raise trace.too_long(self.path) from None
        first = first or 0
        dump.start_ps, dump.end_ps = self._ps(first), self._ps(max(t, first))
        dump.times_ps = self._all_ps(self._times, first)
        dump.codes = np.array(self._changes, np.int32)
        for name, (ticks, values) in dump.reals.items():
            dump.reals[name] = (self._all_ps(ticks, first), np.array(values, np.float64))
        closed_ps = dump.about.get("end_ps", dump.end_ps)
        if rest.strip():
            dump.torn = trace.torn_after(dump.end_ps)
        elif closed_ps is None or closed_ps > dump.end_ps + dump.about.get("origin_ps", 0):
            dump.torn = f"The file was not closed; it ends at {trace.seconds(dump.end_ps)} s."
        return dump

    def _other(self, word, words, t):
        """A vector or a real: its value is `word`, its identifier the next one."""
        kind, value = word[:1], word[1:]
        identifier = next(words, b"") if kind in b"bBrRsS" else value
        if kind in b"bB":
            if bus := self._buses.get(identifier):
                return self._bus(bus, value, t)
            code = self._codes.get(value[-1:] + identifier)
            if code is not None:
                self._changes.append(code)
                self._times.append(t)
                return None
        elif kind in b"rR" and (series := self._reals.get(identifier)):
            try:
                number = float(value)
            except ValueError:
                raise not_vcd(self.path, f"a value {_shown(value)}") from None
            if number != number or abs(number) == float("inf"):
                raise not_vcd(self.path, f"a value {_shown(value)}")
            series[0].append(t)
            series[1].append(number)
            return None
        if identifier in self._silent:
            return None
        raise not_vcd(self.path, f"{_shown(word)} where a change of a declared signal belongs")

    def _bus(self, bus, value, t):
        numbers, before = bus
        value = value[-len(numbers) :].rjust(len(numbers), b"0")
        levels = [v in _HIGH for v in value]
        if not all(v in _HIGH or v in _LOW for v in value):
            raise not_vcd(self.path, f"a value {_shown(value)}")
        for n, number in enumerate(numbers):
            if before is None or levels[n] != before[n]:
                self._changes.append(2 * number + levels[n])
                self._times.append(t)
        bus[1] = levels

    def _ps(self, ticks):
        ps = ticks * self._scale[0] // self._scale[1]
        if ps > trace.MAX_PS:
            raise trace.too_long(self.path)
        return ps

    def _all_ps(self, ticks, first):
        """Ticks as ps. What comes before the first time in the file (-1) is at that time."""
        ticks = np.maximum(np.array(ticks, np.int64), first)
        if len(ticks) and int(ticks[-1]) * self._scale[0] > np.iinfo(np.int64).max:
            raise trace.too_long(self.path)
        return ticks * self._scale[0] // self._scale[1]


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


def rate_hz(digits, prefix):
    """A rate as people write it ("31.25", "M") in Hz, or None if it is none that an instrument has."""
    found = re.fullmatch(r"(\d{1,12})\.?(\d{0,9})", digits)
    if not found:
        return None
    power = {"": 0, "k": 3, "M": 6, "G": 9}[prefix]
    hz = int(found[1] + found[2]) * 10**power // 10 ** len(found[2])
    return hz if 0 < hz <= trace.MAX_RATE_HZ else None


def not_vcd(path, what):
    """The error for a file that cannot be a value change dump."""
    return UsageError("bad_vcd", f"{path} is not a value change dump: {what}.", "Export it as VCD again.")


def _shown(word):
    return repr(word[:20].decode("ascii", "replace"))
