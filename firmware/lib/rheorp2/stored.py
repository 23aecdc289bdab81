"""Reads what is stored on the board's file system: its calibration, once, when the app starts. Writes and runs none."""

from rheocore import calibration

_ABSENT = (2, 19)  # ENOENT, ENODEV: no such file, no file system


def read_calibration(board, serial):
    """rheocore's Calibration as stored; without a file one that changes nothing. board: the description."""
    try:
        with open(calibration.FILE, "rb") as file:
            line = file.read(calibration.BYTES_MAX + 1)
    except OSError as error:
        line = None if error.errno in _ABSENT else b""
    return calibration.parse(line, board, serial)
