"""A value change dump as pulses and plots want it: bits and reals by name, integer nanoseconds. Judges nothing.

The parsing is bench/vcd.py's; here its changes are put in lists by name, bits of a vector as NAME[n].
"""

from pathlib import Path

from rheobase.bench import vcd
from rheobase.errors import UsageError


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
        with path.open("rb") as source:
            dump = vcd.read(source, path)
    except OSError as error:
        raise UsageError("unreadable_vcd", f"{path} cannot be read: {error.strerror}.", "Check the path.") from None
    read = Vcd()
    read.end_ns, read.torn = dump.end_ps // 1000, dump.torn is not None
    names = {number: name for name, number in reversed(dump.wires.items())}
    changes = {number: [] for number in names}
    read.bits = {name: changes[number] for name, number in dump.wires.items()}
    levels = dict.fromkeys(names, 0)
    for t_ns, code in zip((dump.times_ps // 1000).tolist(), dump.codes.tolist(), strict=True):
        number, level = code >> 1, code & 1
        if level != levels[number]:
            levels[number] = level
            read.edges.append((t_ns, names[number], level))
            changes[number].append((t_ns, level))
    for name, (times_ps, values) in dump.reals.items():
        series = read.reals[name] = []
        for t_ns, value in zip((times_ps // 1000).tolist(), values.tolist(), strict=True):
            if value != (series[-1][1] if series else 0):
                series.append((t_ns, value))
    return read
