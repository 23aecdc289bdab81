"""A board's calibration: what corrects set-point and current sense of each channel. Pure integers; trusts no byte.

Both corrections are straight lines of the same form, corrected(): from the current wanted to the one to command, and
from the current read to the true one. What cannot be used whole is not used at all: `problem` then says why, and the
board does not arm. docs/adr/0009-calibration.md has the reasons, docs/calibration.md the use.
"""

import binascii

from rheocore import frames
from rheocore.config import small

FILE = "/rheo_calibration.txt"  # on the board's file system: one line, as on the wire (frames.py)
BYTES_MAX = 1024  # of it
SCHEMA = 1
ONE = 100_000  # of a gain: 10 ppm, 0.5 uA at 50 mA; finer, and 100 mA times a gain would leave the small integers
GAIN_MAX = 10_000  # 10 %: what parts of 1 % add up to is less, a wrong part or load is more [D]
OFFSET_PER_MILLE = 10  # of full scale: more than this at zero is a leak, at which the board does not arm [D]
NOMINAL = (0, 0)  # a correction (gain, offset in uA) that changes nothing

PROBLEMS = {  # why a calibration is not used
    "damaged": "it is damaged",
    "schema": "it is of another version",
    "foreign": "it is another board's",
    "bounds": "a value in it is out of bounds",
}
_CHANNEL = ("set", "sense", "load_ohms", "made")  # of each channel: two corrections, the known load, the day (UTC)


def corrected(ua, correction):
    """uA after a correction (gain in 1/ONE, offset in uA). 0 stays 0, nothing goes below it; rounded down."""
    if ua <= 0:
        return 0
    return max(0, ua + ua * correction[0] // ONE + correction[1])


def offset_max_ua(board):
    """Largest offset that is taken, either way, in uA."""
    return board["full_scale_ua"] * OFFSET_PER_MILLE // 1000


class Calibration:
    """rows: {n: {set, sense, load_ohms, made}} of calibrated channels. problem: a key of PROBLEMS, or None."""

    def __init__(self, rows=None, problem=None):
        self.rows = rows or {}
        self.problem = problem

    def set(self, n):
        """Correction from the current wanted of channel n to the one to command."""
        return self.rows[n]["set"] if n in self.rows else NOMINAL

    def sense(self, n):
        """Correction from the current read on channel n to the true one."""
        return self.rows[n]["sense"] if n in self.rows else NOMINAL

    def told(self, board):
        """What `hello` tells of it (messages.INFO)."""
        return {"problem": self.problem, "channels": {str(c["n"]): self.rows.get(c["n"]) for c in board["channels"]}}


def encode(board_name, serial, rows):
    """bytes of the file for the board with that serial number. rows: as in Calibration."""
    channels = {str(n): rows[n] for n in rows}
    return frames.encode({"schema": SCHEMA, "board": board_name, "serial": serial, "channels": channels})


def parse(line, board, serial):
    """Calibration of the file's bytes (None: there is no file), for this board and serial number."""
    if line is None:
        return Calibration()
    if len(line) > BYTES_MAX or line[-10:] != b" %08x\n" % binascii.crc32(line[:-10]):
        return Calibration(None, "damaged")
    message, error = frames.decode(line)
    if error:
        return Calibration(None, "damaged")
    if message.get("schema") != SCHEMA:
        return Calibration(None, "schema")
    if message.get("board") != board["name"] or message.get("serial") != serial:
        return Calibration(None, "foreign")
    channels = message.get("channels")
    known = {str(c["n"]): c["n"] for c in board["channels"]}
    if not isinstance(channels, dict) or not all([key in known for key in channels]):
        return Calibration(None, "bounds")
    rows = {known[key]: channels[key] for key in channels}
    if not all([_is_row(row, offset_max_ua(board)) for row in rows.values()]):
        return Calibration(None, "bounds")
    return Calibration(rows)


def _is_row(row, most_ua):
    if not isinstance(row, dict) or len(row) != len(_CHANNEL) or not all([name in row for name in _CHANNEL]):
        return False
    for name in ("set", "sense"):
        pair = row[name]
        if not isinstance(pair, list) or len(pair) != 2 or not all([small(value) for value in pair]):
            return False
        if abs(pair[0]) > GAIN_MAX or abs(pair[1]) > most_ua:
            return False
    made = row["made"]
    return small(row["load_ohms"]) and row["load_ohms"] > 0 and isinstance(made, str) and len(made) <= 10
