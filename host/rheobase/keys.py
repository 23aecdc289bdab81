"""Single keys from a terminal: bytes -> names, and when a press of "up" counts. Knows nothing of sessions.

Names: "stop" (Esc, Space, q, Ctrl-C, Ctrl-D, Ctrl-\\), "up", "down", "left", "right", else the character typed.
Whatever is not understood and begins with Esc is a stop: a stop too many harms nobody.
"""

import contextlib
import os
import select
import time

ESCAPE_S = 0.025  # a cursor key's bytes come together; Esc alone is nothing else after this
QUIET_S = 0.7  # a raise needs an up key that was quiet for so long: longer than most keyboards wait with their repeat
_STOPS = " qQ\x03\x04\x1c"
_ARROWS = {"A": "up", "B": "down", "C": "right", "D": "left"}
_WORDS = {"+": "up", "=": "up", "-": "down", "_": "down", "\t": "right"}


def decode(data):
    """Names of the keys in `data` (bytes), in order. A sequence cut short, or an unknown one, is "stop".

    A key beyond ASCII is one name, whatever its bytes are; what is no UTF-8 hides no stop key beside it.
    """
    text = data.decode("utf-8", "replace")
    names = []
    at = 0
    while at < len(text):
        c = text[at]
        at += 1
        if c == "\x1b":
            at, name = _escape(text, at)
            names += [name] if name else []
        elif c in _STOPS:
            names.append("stop")
        else:
            names.append(_WORDS.get(c, c))
    return names


def _escape(text, at):
    """(position after the sequence whose Esc stood before `at`, its name; None for a key that means nothing)."""
    if text[at : at + 1] == "O" and len(text) > at + 1:  # cursor keys in application mode, F1 to F4
        return at + 2, _ARROWS.get(text[at + 1])
    if text[at : at + 1] == "[":
        end = at + 1
        while end < len(text) and text[end] in "0123456789;?<>":
            end += 1
        if end < len(text) and "@" <= text[end] <= "~":
            return end + 1, _ARROWS.get(text[end])
    return at, "stop"


def unfinished(data):
    """True if `data` ends in an Esc that may be the begin of a cursor key."""
    tail = data.rpartition(b"\x1b")[2] if b"\x1b" in data else None
    if tail is None:
        return False
    return tail in (b"", b"O", b"[") or (tail[:1] == b"[" and all(c in b"0123456789;?<>" for c in tail[1:]))


class Keys:
    """The keys of a terminal in single-key mode (cli.progress.single_keys). fd: its file descriptor."""

    def __init__(self, fd):
        self.fd = fd

    def read(self):
        """Names of the keys that are there, [] for none; None once the terminal has gone. Waits 25 ms at most."""
        data = self._bytes(0)
        while data and unfinished(data) and len(data) < 64:
            more = self._bytes(ESCAPE_S)
            if not more:
                break
            data += more
        return None if data is None else decode(data)

    def _bytes(self, timeout_s):
        """What comes within timeout_s; b"" for nothing, None for the end."""
        with contextlib.suppress(OSError, ValueError):
            if not select.select([self.fd], [], [], timeout_s)[0]:
                return b""
            return os.read(self.fd, 256) or None
        return None


class RaiseGate:
    """Lets one raise through for each press of the up key, however long it is held.

    A terminal tells presses but no releases, so a press counts only if the key was quiet for QUIET_S before it.
    """

    def __init__(self):
        self._last_s = None

    def press(self, times=1, now_s=None):
        """True if this press raises. times: how often the key stands in what was read at once (a repeat does)."""
        now_s = time.monotonic() if now_s is None else now_s
        quiet = self._last_s is None or now_s - self._last_s >= QUIET_S
        self._last_s = now_s
        return quiet and times == 1
