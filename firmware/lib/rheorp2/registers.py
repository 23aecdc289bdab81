"""A table of registers and what they must read, compared in one call. Knows no register; ends nothing."""

from array import array

from rheorp2 import hw


class Registers:
    """rows: [(address, mask, value)]. Construct where allocating is allowed; astray() allocates nothing."""

    def __init__(self, rows):
        self.rows = len(rows)
        self.table = array("I", [word for row in rows for word in row])

    def keep(self, row):
        """Take what the register of this row reads now as what it must read from now on."""
        i = 3 * row
        self.table[i + 2] = hw.word(self.table[i]) & self.table[i + 1]

    def astray(self):
        """Index of the first row that does not read as it must; -1: all do."""
        return hw.differs(self.table, self.rows)
