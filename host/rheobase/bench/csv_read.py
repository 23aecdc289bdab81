"""Read a capture out of a CSV file: Saleae's and others' rows of "time, levels", sigrok's with and without times.

Times are decimal text and become integers without a float in between. Rows are streamed in blocks. Maps no names.
"""

import re
from array import array

import numpy as np

from rheobase.bench import decimal_times, trace
from rheobase.bench.capture import Signal
from rheobase.bench.decimal_times import bad_csv, samples_ps
from rheobase.bench.sample_period import rate_hz
from rheobase.bench.trace import PS_PER_S
from rheobase.errors import UsageError

_UNITS_PS = {"s": PS_PER_S, "ms": 10**9, "us": 10**6, "µs": 10**6, "ns": 1000, "ps": 1}
_SIGROK_PS = {"milliseconds": 10**9, "microseconds": 10**6, "nanoseconds": 1000, "picoseconds": 1}
_RATE = re.compile(r"sample ?rate:\s*([0-9.]+)\s*([kMG]?)Hz", re.I)
_CHANNELS = re.compile(r"channels\s*\(\d+/\d+\):(.*)", re.I)
_HIGH, _LOW = (b"1",), (b"0", b"X", b"x", b"Z", b"z")


def read(source, path, rate=None):
    """The Trace of an open binary file. path: its name, for sentences. rate: Hz, if the user said it.

    Raises UsageError for a file that is not a capture in a form that can be told for sure.
    """
    form = _Form(path, rate)
    first = form.head(source)
    parts = trace.blocks(source, path, first)
    return _timed(form, parts) if form.timed else _samples(form, parts)


class _Form:
    """What the comments, the line of names and the first row say of the rows.

    names: of the columns of levels. timed: the first column is a time. unit_ps: of that time; 0: ISO 8601.
    step: units that sigrok counts for a sample, or 0. rate_hz: of the comments. separator: between columns.
    """

    def __init__(self, path, rate):
        self.path = path
        self.rate_hz, self.given_hz = None, rate
        self.names, self.timed, self.unit_ps, self.step, self.separator = [], False, PS_PER_S, 0, b","
        self._channels = []

    def head(self, source):
        """Read up to the first row of levels. Returns what was read of the rows."""
        text = source.read(1 << 16)
        text = text[3:] if text.startswith(b"\xef\xbb\xbf") else text
        lines = text.split(b"\n")
        for n, line in enumerate(lines[:-1]):
            plain = line.decode("utf-8", "replace").strip()
            if plain.startswith(";"):
                self._comment(plain)
            elif plain:
                rows = lines[n + 1 :]
                break
        else:
            raise self.bad("it has no line of names and no rows")
        self.separator = b"\t" if b"\t" in line and b"," not in line else b","
        columns = [word.strip().strip('"') for word in plain.split(self.separator.decode())]
        if len(columns) > trace.MAX_WIRES:
            raise self.bad(f"it has {len(columns)} columns")
        time = rows[0].partition(self.separator)[0].strip()
        if re.fullmatch(r"[-0-9.:TZ+eE]+", columns[0]) and all(_level(c.encode()) is not None for c in columns[1:]):
            self._nameless(columns)
            return b"\n".join((line, *rows))
        self._named(columns, time)
        return b"\n".join(rows)

    def bad(self, what):
        """The error for a file that cannot be a capture."""
        return bad_csv(self.path, what)

    def _comment(self, text):
        if found := _RATE.search(text):
            self.rate_hz = rate_hz(found[1], found[2])
        if found := _CHANNELS.search(text):
            self._channels = [name.strip() for name in found[1].split(",")][: trace.MAX_WIRES]

    def _nameless(self, columns):
        """Rows of sigrok from the first line on. More columns than channels: the first is a time."""
        count = len(self._channels) or len(columns)
        if len(columns) not in (count, count + 1) or (not self._channels and _level(columns[0].encode()) is None):
            raise self.bad("nothing names its columns")
        self.timed = len(columns) == count + 1
        self.names = _distinct(self._channels or [f"D{n}" for n in range(count)])
        if self.timed:
            self._sigrok_time("Time")

    def _named(self, columns, first):
        time, names = columns[0], columns[1:]
        found = re.fullmatch(r"time\s*[\[(]\s*(s|ms|us|µs|ns|ps)\s*[\])]", time.lower())
        self.timed = bool(found) or time.lower() in ("time", "samples", *_SIGROK_PS)
        if not self.timed:
            names = columns
            if not (self._channels or self.rate_hz or self.given_hz or set(names) == {"logic"}):
                raise self.bad(f"its first line starts with {time[:30]!r} and not with a time")
        if names and all(name == "logic" for name in names):  # sigrok's units in place of names
            names = self._channels or [f"D{n}" for n in range(len(names))]
        if any(not name for name in names[:-1]) or not names:
            raise self.bad("not all of its columns have a name")
        if len(names) > 1 and not names[-1]:
            raise self.bad("its lines end in a comma")
        self.names = _distinct(names)
        if self.timed and decimal_times.ISO.fullmatch(first):
            self.unit_ps = 0
        elif found:
            self.unit_ps = _UNITS_PS[found[1]]
        elif self.timed:
            self._sigrok_time(time)

    def _sigrok_time(self, label):
        """sigrok counts whole units a sample, cut off: 41 ns at 24 MHz, so that its times drift; the count is exact."""
        rate = self.rate_hz or self.given_hz
        if label.lower() in _SIGROK_PS:
            self.unit_ps = _SIGROK_PS[label.lower()]
        elif not rate:
            raise UsageError(
                "no_time_unit",
                f"{self.path} does not say in what unit its times are.",
                "Export it with sigrok's comment lines, or as VCD.",
            )
        if rate:
            size = 1
            while size < rate:
                size *= 1000
            if label.lower() not in _SIGROK_PS:
                self.unit_ps = max(1, PS_PER_S // size)
            if self.unit_ps * size == PS_PER_S:
                self.step = size // rate


def _distinct(names):
    seen, distinct = {}, []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        distinct.append(name if seen[name] == 1 else f"{name}({seen[name]})")
    return distinct


def _level(text):
    return 1 if text in _HIGH else 0 if text in _LOW else None


# ---- rows with a time -------------------------------------------------------------------------


def _timed(form, parts):
    """Rows of a time and levels. The levels of a row are looked up as one text: there are few different ones."""
    rows, levels, patterns = decimal_times.Times(form.unit_ps, form.path), [], {}
    chosen = array("i")
    add_pattern, known, torn, separator = chosen.append, patterns.get, None, form.separator
    for lines, rest in parts:
        whole = lines.split(b"\n")
        if rest:
            whole[-1] = rest
        for line in whole:
            text, _, tail = line.partition(separator)
            pattern = known(tail)
            if pattern is None:
                if not line.strip():
                    continue
                row = [_level(word.strip()) for word in tail.split(separator)]
                if len(row) != len(form.names) or None in row:
                    if line is rest:
                        torn = trace.torn_after(int(rows.all_ps()[-1]) if chosen else 0)
                        break
                    raise form.bad(f"row {len(chosen) + 1} is {line[:40].decode('ascii', 'replace').strip()!r}")
                if len(patterns) >= 1 << 16:
                    raise form.bad("its rows have too many different ends")
                pattern = patterns[tail] = len(levels)
                levels.append(row)
            rows.add(text)
            add_pattern(pattern)
    if not chosen:
        raise form.bad("it has no whole row")
    numbers = rows.samples(form.step)
    rate = form.rate_hz or form.given_hz
    times = rows.all_ps() if numbers is None else samples_ps(numbers, rate)
    rounding_ps = rows.rounding_ps if numbers is None else 1
    back = np.flatnonzero(np.diff(times) < 0)
    if len(back):
        raise trace.backwards(form.path, times[back[0]], times[back[0] + 1])
    table, index = np.array(levels, np.int8), np.frombuffer(chosen, np.int32)
    last = np.append(times[1:] != times[:-1], True)
    times, index = times[last], index[last]
    signals = {}
    for n, name in enumerate(form.names):
        column = table[:, n][index]
        signals[name] = Signal(int(column[0]), times[1:][column[1:] != column[:-1]])
    return trace.Trace(signals, int(times[0]), int(times[-1]), rounding_ps, form.rate_hz, torn)


# ---- a row for each sample --------------------------------------------------------------------


def _samples(form, parts):
    """Rows of one length, one for each sample: looked at as a table of bytes, block by block."""
    rate = form.given_hz or form.rate_hz
    if not rate:
        raise UsageError(
            "no_sample_rate",
            f"{form.path} has a row for each sample and does not say how many there are in a second.",
            "Export it with sigrok's comment lines, or as VCD.",
        )
    count, row, before, torn = 0, None, None, None
    edges = [[] for _ in form.names]
    for lines, rest in parts:
        if row is None:
            lines = lines.lstrip(b"\r\n")
            if not lines:
                continue
            row = _Row(lines[: lines.find(b"\n") + 1], form)
        if rest and len(rest) == row.width - len(row.end):
            lines, rest = lines + rest + row.end, b""
        table = row.cells(lines, count)
        if before is None:
            initial = before = table[0]
        for n, found in enumerate(edges):
            column = table[:, n]
            found.append(np.flatnonzero(column != np.append(before[n], column[:-1])) + count)
        before = table[-1].copy() if len(table) else before
        count += len(table)
        if rest:
            torn = trace.torn_after(samples_ps(count - 1, rate))
    if not count:
        raise form.bad("it has no whole row")
    if count // rate >= trace.MAX_PS // PS_PER_S:
        raise trace.too_long(form.path)
    signals = {
        name: Signal(int(initial[n]), samples_ps(np.concatenate(edges[n]), rate)) for n, name in enumerate(form.names)
    }
    return trace.Trace(signals, 0, int(samples_ps(count - 1, rate)), 1, form.rate_hz or rate, torn)


class _Row:
    """What all rows look like: where the levels are, and every other byte."""

    def __init__(self, line, form):
        self._form = form
        self.width, self.end = len(line), line[len(line.rstrip()) :]
        at, self._columns = 0, []
        for word in line[: self.width - len(self.end)].split(form.separator):
            self._columns.append(at + len(word) - 1)  # the level is the last byte of its column
            at += len(word) + 1
        self._other = np.ones(self.width, bool)
        self._other[self._columns] = False
        self._line = np.frombuffer(line, np.uint8)
        if len(self._columns) != len(form.names):
            raise form.bad(f"its rows have {len(self._columns)} columns and {len(form.names)} have a name")

    def cells(self, lines, count):
        """Levels as a table, a row for each sample. lines: whole lines. count: samples before them."""
        if len(lines) % self.width:
            raise self._form.bad(f"not all rows after sample {count} are of one length")
        table = np.frombuffer(lines, np.uint8).reshape(-1, self.width)
        levels = table[:, self._columns] - np.uint8(48)
        if (levels > 1).any() or (table[:, self._other] != self._line[self._other]).any():
            raise self._form.bad(f"not all rows after sample {count} are levels of 0 and 1")
        return levels
