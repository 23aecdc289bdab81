"""Read a value change dump: one-bit and real signals, times in integer nanoseconds. Reads only; judges nothing.

Takes what our own writer makes and what logic analysers export: scopes, vectors of one bit, $dumpvars, a torn end.
"""

from pathlib import Path

from rheobase.errors import UsageError

_UNIT_PS = {"s": 10**12, "ms": 10**9, "us": 10**6, "ns": 1000, "ps": 1}


class Vcd:
    """Signals of a dump by name.

    bits: {name: [(t_ns, 0 or 1)]}, reals: {name: [(t_ns, float)]}, both only where the value changes; not driven and
    unknown count as 0. edges: [(t_ns, name, 0 or 1)] of all bits in the file's order, as measure.trains() takes them.
    end_ns: the last time in the file. torn: the file ends in the middle of a line or of its head.
    """

    def __init__(self):
        self.bits = {}
        self.reals = {}
        self.edges = []
        self.end_ns = 0
        self.torn = False

    def level(self, name, t_ns):
        """Level of a bit at t_ns (0 before its first change)."""
        return _at(self.bits.get(name, ()), t_ns, 0)

    def value(self, name, t_ns):
        """Value of a real at t_ns (0.0 before its first change)."""
        return _at(self.reals.get(name, ()), t_ns, 0.0)


def _at(changes, t_ns, before):
    low, high = 0, len(changes)
    while low < high:
        middle = (low + high) // 2
        if changes[middle][0] <= t_ns:
            low = middle + 1
        else:
            high = middle
    return changes[low - 1][1] if low else before


def read(path):
    """The Vcd of a file. Raises UsageError for a file that is not one."""
    path = Path(path)
    try:
        with path.open(encoding="latin-1", newline="\n") as source:
            return _parse(source, path)
    except OSError as error:
        raise UsageError("unreadable_vcd", f"{path} cannot be read: {error.strerror}.", "Check the path.") from None


def _head(source, path, vcd):
    """Read the declarations. Returns (time unit in ps, {identifier: (name, kind, [changes])})."""
    unit_ps, signals, words = None, {}, []
    for line in source:
        words += line.split()
        while "$end" in words:
            cut = words.index("$end")
            section, words = words[:cut], words[cut + 1 :]
            if not section or not section[0].startswith("$"):
                raise _not_vcd(path, "a declaration without its keyword")
            if section[0] == "$timescale":
                unit_ps = _timescale("".join(section[1:]), path)
            elif section[0] == "$var" and len(section) >= 5:
                kind, size, identifier, name = section[1:5]
                if kind in ("real", "realtime"):
                    signals[identifier] = (name, "real", vcd.reals.setdefault(name, []))
                elif size == "1":
                    signals[identifier] = (name, "bit", vcd.bits.setdefault(name, []))
            elif section[0] == "$enddefinitions":
                return unit_ps or 1000, signals
        if words and not words[0].startswith("$"):
            raise _not_vcd(path, f"{words[0][:20]!r} where a declaration belongs")
    if not signals and unit_ps is None:
        raise _not_vcd(path, "no declarations")
    vcd.torn = True
    return unit_ps or 1000, signals


def _parse(source, path):
    vcd = Vcd()
    unit_ps, signals = _head(source, path, vcd)
    t_ns, line = 0, "\n"
    for line in source:
        if not line.endswith("\n"):
            break
        text = line.strip()
        if not text or text[0] == "$":
            continue
        if text[0] == "#":
            if not text[1:].isdigit():
                raise _not_vcd(path, f"a time {text[:20]!r}")
            t_ns = int(text[1:]) * unit_ps // 1000
        elif text[0] in "01xXzZ":
            _bit(vcd, signals.get(text[1:].strip()), t_ns, int(text[0] == "1"))
        elif text[0] in "bB":
            value, _, identifier = text[1:].partition(" ")
            _bit(vcd, signals.get(identifier.strip()), t_ns, int(value[-1:] == "1"))
        elif text[0] in "rR":
            value, _, identifier = text[1:].partition(" ")
            try:
                _change(signals.get(identifier.strip()), t_ns, "real", float(value))
            except ValueError:
                raise _not_vcd(path, f"a value {value[:20]!r}") from None
        vcd.end_ns = max(vcd.end_ns, t_ns)
    vcd.torn = vcd.torn or not line.endswith("\n")
    return vcd


def _bit(vcd, signal, t_ns, value):
    if _change(signal, t_ns, "bit", value):
        vcd.edges.append((t_ns, signal[0], value))


def _change(signal, t_ns, kind, value):
    """Note a value; True if it is a change."""
    if signal is None or signal[1] != kind:
        return False
    changes = signal[2]
    if value == (changes[-1][1] if changes else 0):
        return False
    changes.append((t_ns, value))
    return True


def _timescale(text, path):
    digits = text.rstrip("munpfs")
    unit = text[len(digits) :]
    if not digits.isdigit() or unit not in _UNIT_PS:
        raise _not_vcd(path, f"a time scale {text!r}; 1 s to 1 ps can be read")
    return int(digits) * _UNIT_PS[unit]


def _not_vcd(path, what):
    return UsageError("bad_vcd", f"{path} is not a value change dump: {what}.", "Export it as VCD again.")
