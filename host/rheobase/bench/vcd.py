"""Parse a value change dump (IEEE 1364) in blocks: the one VCD parser here. Judges nothing and maps no names.

Strict where a slip would change what was measured: a value that was not declared, a time that is no number and a time
that goes back are errors. Not driven and unknown count as 0. A cut end is dropped and said.
"""

import math
import re
from array import array
from dataclasses import dataclass, field

import numpy as np

from rheobase.bench import trace, vcd_head
from rheobase.bench.capture import Signal
from rheobase.bench.vcd_head import not_vcd

_HIGH, _LOW = b"1hH", b"0lLxXzZuUwW-"
_HEAD_BYTES = 4 << 20
_SETPOINT = re.compile(r"CH(\d{1,3})_UA")
_PASSED_OVER = (b"$dumpvars", b"$dumpall", b"$dumpon", b"$dumpoff", b"$end")


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
    changes = _Changes(vcd_head.parse(head.decode("utf-8", "replace"), bool(cut), path), path)
    if not cut:
        changes.dump.torn = "The file ends in its declarations; no edge was read."
        return changes.dump
    return changes.read(trace.blocks(source, path, rest))


class _Changes:
    """Reads what comes after the declarations into a Dump."""

    def __init__(self, head, path):
        self.path = path
        self.dump = Dump(head.wires, rate_hz=head.rate_hz, about=head.about)
        part_fs = head.unit_fs % 1000  # of a ps: rounded down on top of the file's own rounding
        self.dump.rounding_ps = -(-(head.unit_fs + (999 if part_fs else 0)) // 1000)
        part = math.gcd(head.unit_fs, 1000)
        self._scale = (head.unit_fs // part, 1000 // part)  # ps: ticks times this, divided by that
        self._codes = {  # b"1!": code of the change
            bytes((value,)) + identifier: 2 * number + level
            for identifier, number in head.bits.items()
            for values, level in ((_HIGH, 1), (_LOW, 0))
            for value in values
        }
        self._buses = {identifier: [numbers, None] for identifier, numbers in head.buses.items()}  # levels before
        self._reals = {identifier: (array("q"), array("d")) for identifier in head.reals.values()}
        self._named = head.reals
        self._silent = head.silent
        self._times, self._changes = array("q"), array("i")

    def read(self, parts):
        """The Dump. parts: of blocks()."""
        dump, known = self.dump, self._codes
        add_time, add_code = self._times.append, self._changes.append
        t, first, comment, cut, word = -1, None, False, b"", b""
        try:
            for lines, rest in parts:
                cut = rest
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
                    elif word not in _PASSED_OVER:
                        self._other(word, words, t)
            first = first or 0
            dump.start_ps, dump.end_ps = self._ps(first), self._ps(max(t, first))
            dump.times_ps = self._all_ps(self._times, first)
            dump.codes = np.array(self._changes, np.int32)
            for name, identifier in self._named.items():
                ticks, values = self._reals[identifier]
                dump.reals[name] = (self._all_ps(ticks, first), np.array(values, np.float64))
        except (OverflowError, ValueError):  # more than int64 holds, or more digits than Python converts
            raise trace.too_long(self.path) from None
        if cut.strip():
            dump.torn = trace.torn_after(dump.end_ps)
        elif not self._closed(word):
            dump.torn = f"The file was not closed; it ends at {trace.seconds(dump.end_ps)} s."
        return dump

    def _closed(self, last):
        """False if the file lacks its end for sure. last: its last word; sigrok and our writer end with a time."""
        about = self.dump.about
        if "end_ps" in about:
            return about["end_ps"] is not None and about["end_ps"] <= self.dump.end_ps + about.get("origin_ps", 0)
        return last.startswith(b"#") or not (about or self.dump.rate_hz)

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


def _shown(word):
    return repr(word[:20].decode("ascii", "replace"))
