"""What a running session looks like: one status line on a terminal, sparse lines elsewhere. All on stderr."""

import contextlib
import os
import shutil
import sys
import time

from rheocore.messages import LIVE
from rheocore.units import fmt_resistance

from rheobase.guide import View

SPARSE_S = 5.0
REDRAW_S = 0.2


def milliamps(ua):
    """ "2.00" of 2000; "-" of None."""
    return "-" if ua is None else f"{ua / 1000:.2f}"


def clock(ms):
    """ "1:05" of 65000: rounded up, so that 0:00 means over."""
    seconds = -(-ms // 1000)
    return f"{seconds // 60}:{seconds % 60:02d}"


class Progress(View):
    """View of a session. board.measured_word says whether currents are measured or modelled."""

    def __init__(self, app, board, stream=None):
        self.app = app
        self.word = board.measured_word
        self.stream = stream or sys.stderr
        self.line_mode = self.stream.isatty() and os.environ.get("TERM") != "dumb"
        self._shown_s = 0.0
        self._drawn = False

    def telemetry(self, item, channels):
        now = time.monotonic()
        if self.app.quiet or now - self._shown_s < (REDRAW_S if self.line_mode else SPARSE_S):
            return
        self._shown_s = now
        if self.line_mode:
            width = min(shutil.get_terminal_size().columns, 80) - 1
            self._write("\r" + status_line(item, channels, self.word, width) + "\x1b[K")
            self._drawn = True
        else:
            self._write(status_line(item, channels, self.word, 200) + "\n")

    def event(self, kind, detail, channel=None):
        """States are shown where there is no status line; its own state is in it."""
        if kind == "state" and not self.line_mode and not self.app.quiet:
            self._write(f"{detail}\n")
            self._shown_s = time.monotonic()

    def clear(self):
        """Take the status line away, for what is printed next."""
        if self._drawn:
            self._write("\r\x1b[K")
            self._drawn = False

    def _write(self, text):
        with contextlib.suppress(OSError, UnicodeEncodeError):
            self.stream.write(text)
            self.stream.flush()


def status_line(item, channels, word, width):
    """One line of at most `width` columns: state, time left, and of each channel set and measured current, pulses.

    The narrowest form leaves out the words that legend() says once.
    """
    state, left = item["state"], clock(item["t_left_ms"])
    channels = as_flowing(state, channels)
    forms = [f"{state:<9} {left} left" + _wide(channels, word, with_ohms) for with_ohms in (True, False)]
    rows = [f" | {n} {_short(c['set_ua'])}/{_short(c['meas_ua'])} {c['pulses']}" for n, c in channels.items()]
    forms += [f"{state} {left} {word}" + "".join(rows), f"{state} {left}" + "".join(rows)]
    return next((form for form in forms if len(form) <= width), forms[-1][:width])


def as_flowing(state, channels):
    """The channels without what was measured before output ended: nothing of it flows now."""
    if state in LIVE:
        return channels
    return {n: {**c, "meas_ua": None, "ohms": None} for n, c in channels.items()}


def _wide(channels, word, with_ohms):
    text = ""
    for n, c in channels.items():
        text += f" | ch {n}: set {milliamps(c['set_ua'])} mA, {word} {milliamps(c['meas_ua'])} mA"
        if with_ohms and c["ohms"] is not None:
            text += " " + fmt_resistance(c["ohms"])
        text += f", {c['pulses']} pulses"
    return text


def _short(ua):
    """Four characters at most."""
    return "-" if ua is None else f"{ua / 1000:.2f}"[:4].rstrip(".")


def legend(word):
    """What the narrow form's figures are."""
    return f"Of each channel: set/{word} mA, pulses."


@contextlib.contextmanager
def single_keys(wanted=True):
    """The terminal's file descriptor with keys arriving one by one, unechoed; None if stdin is no terminal of ours.

    Nothing typed in the meantime is left for what reads next, and no call here waits for a terminal that hangs.
    """
    fd = own_terminal() if wanted else None
    if fd is None:
        yield None
        return
    import termios

    before = termios.tcgetattr(fd)
    mode = termios.tcgetattr(fd)
    mode[0] &= ~termios.IXON  # Ctrl-S would stop the screen, and with it the host
    mode[3] &= ~(termios.ICANON | termios.ECHO)
    for unwanted in (termios.VSUSP, termios.VQUIT):  # they would leave the board without its host
        mode[6][unwanted] = b"\0"
    mode[6][termios.VMIN], mode[6][termios.VTIME] = 1, 0
    termios.tcsetattr(fd, termios.TCSANOW, mode)
    try:
        yield fd
    finally:
        with contextlib.suppress(termios.error):
            termios.tcflush(fd, termios.TCIFLUSH)
            termios.tcsetattr(fd, termios.TCSANOW, before)


def own_terminal():
    """File descriptor of stdin if it is a terminal that we are in the foreground of, else None."""
    try:
        fd = sys.stdin.fileno()
        return fd if os.isatty(fd) and os.tcgetpgrp(fd) == os.getpgrp() else None
    except (OSError, ValueError, AttributeError):
        return None
