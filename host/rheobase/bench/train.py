"""A plan as the search for a place in it looks at it: by index and by time, without an end where it repeats itself.

Knows no capture, judges nothing.
"""

from functools import cached_property

import numpy as np

from rheobase.bench.expected import US

KINDS = 64  # pairs of intervals that a plan may have for each to be looked for


class Train:
    """The plan as match() looks at it: cyclic and without an end where it repeats itself, else as it is."""

    def __init__(self, expected):
        self.cycle = expected.cycle
        self.count = len(expected.starts_ps)
        n = self.cycle or self.count
        self.starts, self.widths = expected.starts_ps[:n], expected.widths_ps[:n]
        self.gap_ps = expected.gap_ps
        self.turn_ps = int(expected.starts_ps[n]) if self.cycle and self.count > n else 0
        if self.cycle and not self.turn_ps:  # one turn and no more: nothing repeats
            self.cycle = 0
        ends = [self.starts[-1:] + 0, self.starts[:1] + self.turn_ps] if self.cycle else [self.starts[:0]] * 2
        self.intervals = np.diff(np.concatenate((self.starts, ends[1])))  # cyclic: as many as pulses
        self.least_ps = int(self.intervals.min()) if len(self.intervals) else 0

    @cached_property
    def _beside(self):
        """(first, intervals before, behind) of each pulse from the first that has both."""
        if self.cycle:
            return 0, np.roll(self.intervals, 1), self.intervals
        return 1, self.intervals[:-1], self.intervals[1:]

    @cached_property
    def lookup(self):
        """(first, order, intervals before in that order, intervals behind): of pulses, to find those between two."""
        first, before, behind = self._beside
        order = np.argsort(before, kind="stable")
        return first, order, before[order], behind

    @cached_property
    def kinds(self):
        """Every interval that the plan has, once each, rising."""
        return np.unique(self.intervals)

    @cached_property
    def rare(self):
        """[(interval before, behind)] that the plan has, the rarest first; None if they are more than KINDS."""
        _, before, behind = self._beside
        kinds, counts = np.unique(before // US << 32 | behind // US, return_counts=True)
        if len(kinds) > KINDS:
            return None
        kinds = kinds[np.argsort(counts, kind="stable")]
        return [(int(kind >> 32) * US, int(kind & 0xFFFFFFFF) * US) for kind in kinds]

    def at(self, k):
        """Commanded start of pulse k, ps from pulse 0's; k may be any integer where the train is cyclic."""
        if not self.cycle:
            return self.starts[k]
        return k // self.cycle * self.turn_ps + self.starts[k % self.cycle]

    def width(self, k):
        return self.widths[k % self.cycle] if self.cycle else self.widths[k]

    def interval(self, k):
        """Commanded time from pulse k to the next; a train that ends has none after its last."""
        if self.cycle:
            return self.intervals[k % self.cycle]
        return np.append(self.intervals, np.iinfo(np.int64).max)[k]

    def nearest(self, c_ps):
        """Index of the commanded start nearest to each c_ps (float ps)."""
        if not self.cycle:
            k = np.clip(np.searchsorted(self.starts, c_ps), 1, max(1, self.count - 1))
            if self.count == 1:
                return np.zeros(len(c_ps), dtype=np.int64)
            return k - (c_ps - self.starts[k - 1] < self.starts[k] - c_ps)
        turn = np.floor_divide(c_ps, self.turn_ps).astype(np.int64)
        table = np.append(self.starts, self.turn_ps)
        inside = c_ps - turn * float(self.turn_ps)
        k = np.clip(np.searchsorted(table, inside), 1, self.cycle)
        k = k - (inside - table[k - 1] < table[k] - inside)
        return turn * self.cycle + k
