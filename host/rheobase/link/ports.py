"""Names of serial ports on Linux, macOS and Windows: which to open, and which are the same port. Opens nothing."""

import os
import sys


def to_open(port, system=None):
    """The name to open. system: as sys.platform (default).

    macOS: /dev/tty.* waits at open for a carrier that USB CDC may never raise; /dev/cu.* is the same port without
    that. Windows: names have no case, and pyserial puts the \\\\.\\ before COM10 and above by itself.
    """
    system = system or sys.platform
    if system == "darwin" and port.startswith("/dev/tty."):
        return "/dev/cu." + port[len("/dev/tty.") :]
    if system == "win32":
        return port.removeprefix("\\\\.\\").upper()
    return port


def identity(port, system=None):
    """The same text for every name of a port: links followed, case and prefixes off."""
    system = system or sys.platform
    port = to_open(port, system)
    return port if system == "win32" else os.path.realpath(port)
