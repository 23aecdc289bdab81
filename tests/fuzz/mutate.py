"""One mutator of wire lines: damaged bytes, and well-formed lines that say the wrong thing. Seeded; judges nothing.

Half of what it makes carries the right CRC, so that it goes past the CRC: what stands behind that has to bear it.
"""

import binascii
import json
import re
from pathlib import Path
from random import Random

CORPUS = Path(__file__).parent / "corpus"
# Texts of JSON values, some of which no JSON has: what a parser may take all the same.
ODD = (
    "0 1 -1 2 3 255 2047 2048 65535 -0 0.0 1.0 1.5 -1.5 1e3 1e400 -1e400 1e-400 1E5 1073741823 1073741824 -1073741824 "
    "-1073741825 2147483648 4294967296 9223372036854775808 1" + "0" * 30 + " " + "9" * 400 + " 00012 +5 .5 5. 1-2 1e "
    '0x10 1_000 NaN Infinity -Infinity nan true false null True None [] {} [[]] [{}] {"":0} [1,2,3] [null] "" "1" '
    '"2" "true" "run" "fault" "CH1_A" "stop_command" "\\u0000" "\\u001b[2J" "\\u009b31m" "\\ud800" "\\udfff\\ud800" '
    '"\\u202e" "\\u0003" "\\r\\n" "\\/" "\\x41" "\\u12" "%s" "{}" "{0.__class__}" "__init__" "\xc3\xa9" "\U0001f600" '
    '{"1":{}} {"1":null} {"channel":1} \'a\' undefined , : ] } "'
).split(" ")
ODD += [
    '"' + "x" * 300 + '"',
    "[" * 40 + "]" * 40,
    "[" * 600 + "]" * 600,
    '{"a":' * 60 + "1" + "}" * 60,
    "[" * 900,
    "[" * 1900,
]
NAMES = (
    *(
        "jsonrpc",
        "id",
        "method",
        "params",
        "result",
        "error",
        "code",
        "message",
        "data",
        "token",
        "channel",
        "channels",
    ),
    *("ua", "wire", "new", "bench", "reason", "ms", "wires", "edges", "from", "cutoff_ms", "seq", "state", "fault"),
    *("kind", "x", "__class__", "1", "2", "3", "4"),
)
_VALUE = re.compile(rb'"(?:[^"\\]|\\.)*"|[^\s{}\[\],:"]+|[\[{]')  # or a key
_BRACKET = re.compile(rb"[\[\]{}]")
LONGEST = 12_000  # bytes of a mutant


class Mutator:
    """Makes mutants of `lines` (bytes without newline). seed: an int; the same seed makes the same mutants."""

    def __init__(self, lines, seed):
        self.lines = list(lines)
        self.rng = Random(seed)
        self.last = self.lines[0]

    def mutant(self, line=None):
        """A mutant (bytes, may hold newlines) of `line`, or of any of the corpus."""
        rng = self.rng
        line = rng.choice(self.lines) if line is None else line
        for _ in range(1 + (rng.random() < 0.3)):
            line = rng.choice(self.WAYS)(self, line)
        if rng.random() < 0.5:
            line = sealed(text_of(line))
        self.last = line
        return line[:LONGEST]

    # -- bytes -------------------------------------------------------------------------------------------------

    def _flip(self, line):
        out = bytearray(line or b" ")
        for _ in range(self.rng.choice((1, 1, 1, 2, 8))):
            out[self.rng.randrange(len(out))] ^= 1 << self.rng.randrange(8)
        return bytes(out)

    def _overwrite(self, line):
        out = bytearray(line or b" ")
        out[self.rng.randrange(len(out))] = self.rng.choice(b'\x00\x01\x04\x0a\x0d\x1b\x7f\x80\xc0\xff{}[]",:\\ 0-eE.')
        return bytes(out)

    def _cut(self, line):
        at = self.rng.randrange(len(line) + 1)
        return self.rng.choice((line[:at], line[at:], line[:at] + line[at + self.rng.randrange(1, 9) :]))

    def _splice(self, line):
        other = self.rng.choice((self.last, self.rng.choice(self.lines)))
        return line[: self.rng.randrange(len(line) + 1)] + other[self.rng.randrange(len(other) + 1) :]

    def _double(self, line):
        return self.rng.choice((line + line, line + b"\n" + line, line + b" " + line, text_of(line) * 2))

    def _grow(self, line):
        at = self.rng.randrange(len(line) + 1)
        filling = self.rng.choice((b" ", b"x", b"[", b'{"a":', b"9", b"\xff", b"\\u00", b'"', b"\n", b","))
        return line[:at] + filling * self.rng.choice((1, 2, 30, 300, 2100)) + line[at:]

    # -- words: a value, a key or a field of the JSON ----------------------------------------------------------

    def _other_value(self, line):
        return self._replaced(line, lambda text: self.rng.choice(ODD).encode())

    def _neighbour(self, line):
        """A number that is near, or that has another type."""

        def near(text):
            try:
                value = int(text)
            except ValueError:
                return text
            return self.rng.choice(
                [*map(str, (value + 1, value - 1, -value, value * 1000)), f"{value}.0", f'"{value}"', f"[{value}]"]
            ).encode()

        return self._replaced(line, near)

    def _replaced(self, line, new):
        """The line with one of its JSON's values replaced by new(its text)."""
        text = text_of(line)
        places = [found.span() for found in _VALUE.finditer(text)]
        if not places:
            return line
        begin, end = self.rng.choice(places)
        if text[begin : begin + 1] in (b"[", b"{"):
            end = _ends(text, begin)
        return sealed(text[:begin] + new(text[begin:end]) + text[end:])

    def _fields(self, line):
        """A field too many, missing, twice, renamed, or two exchanged; in the message or below it."""
        try:
            message = json.loads(text_of(line))
        except (ValueError, RecursionError):
            return self._flip(line)
        holders = list(_holders(message))
        if not holders:
            return line
        rng, holder = self.rng, self.rng.choice(holders)
        keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
        way = rng.randrange(4)
        if way == 0 and keys:
            del holder[rng.choice(keys)]
        elif way == 1:
            value = rng.choice((0, 1, True, None, "x", [], {}, 1 << 40, 0.5))
            if isinstance(holder, dict):
                holder[rng.choice(NAMES)] = value
            else:
                holder.insert(rng.randrange(len(holder) + 1), value)
        elif way == 2 and isinstance(holder, dict) and keys:
            holder[rng.choice(NAMES)] = holder.pop(rng.choice(keys))
        elif len(keys) > 1:
            a, b = rng.sample(keys, 2)
            holder[a], holder[b] = holder[b], holder[a]
        text = json.dumps(message, separators=(",", ":")).encode()
        if rng.random() < 0.2 and text.startswith(b"{") and len(text) > 2:  # a key twice: the last, or the first, wins
            text = b'{"%s":%s,' % (rng.choice(NAMES).encode(), rng.choice(ODD).encode()) + text[1:]
        return sealed(text)

    WAYS = (_flip, _overwrite, _cut, _splice, _double, _grow, *[_other_value] * 4, *[_neighbour] * 3, *[_fields] * 4)


def corpus(name):
    """Lines of tests/fuzz/corpus/<name>.txt, recorded by record.py."""
    return (CORPUS / f"{name}.txt").read_bytes().splitlines()


def text_of(line):
    """What of a line its CRC covers."""
    return line[:-9] if line[-9:-8] == b" " else line


def sealed(text):
    """A line whose CRC is right."""
    return text + b" %08x" % binascii.crc32(text)


def _ends(text, begin):
    """Where the value ends that begins there: by the eye, not by a parser."""
    depth = 0
    for found in _BRACKET.finditer(text, begin):
        depth += 1 if found[0] in b"[{" else -1
        if not depth:
            return found.end()
    return len(text)


def _holders(value):
    """Every object and array in a message."""
    if isinstance(value, (dict, list)):
        yield value
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _holders(inner)
