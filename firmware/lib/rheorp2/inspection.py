"""What `inspect` tells of a board at rest: clock, guard, legs, supply, flash, files. Reads only; not in a session.

It reads the file system (flash, some milliseconds) and moves the sense multiplexer: the server refuses it while a
session is on.
"""

import os

import machine
from micropython import const

from rheorp2 import hw
from rheorp2.block import counter

_FILES = const(24)  # names told at most
_NAME = const(40)  # characters of one told at most


def look(engine, sense):
    """messages.INSPECT of an Engine and a Sense, as a dict."""
    free, size = _flash()
    return {
        "clk_sys_hz": machine.freq(),
        "guard": _guard(engine.block),
        "gate_open": engine.open(),
        "legs_low": engine.quiet(),
        "supply_mv": sense.supply_mv(),
        "flash_free": free,
        "flash_bytes": size,
        "files": _files(),
    }


def _guard(block):
    """ "latched" from boot to the first arm and after a trip, "watching" after a session; else something is wrong."""
    if not hw.field(hw.PIO_CTRL, 3, 1):
        return "off"
    at = counter(3)
    if at == block.guard_latched:
        return "latched"
    return "watching" if at == block.guard_watch else "astray"


def _flash():
    """(free, all) bytes of the file system; (None, None) without one."""
    try:
        stat = os.statvfs("/")
    except OSError:
        return None, None
    return stat[0] * stat[3], stat[0] * stat[2]


def _files():
    """Names in / and /lib."""
    names = []
    for folder in ("", "lib/"):
        try:
            for entry in os.ilistdir("/" + folder):
                if len(names) == _FILES:
                    return names
                names.append(folder + entry[0][:_NAME] + ("/" if entry[1] & 0x4000 else ""))
        except OSError:
            pass
    return names
