"""The live screen: what a session is doing, in 24 lines of 80 columns without colour. Draws; decides nothing.

Painter writes to a terminal that may hang without ever waiting for it.
"""

import contextlib
import os
import textwrap
import time

from rheocore.units import fmt_resistance

from rheobase.cli.progress import clock
from rheobase.cli.progress import milliamps as figure
from rheobase.errors import RheoError

WIDTH, HEIGHT = 80, 24
RULE = "-" * (WIDTH - 1)
ACTIVE_UA = 10_000  # from here on an output has to be indicated [V]
STARTING = "STARTING, output zero"  # the board has the protocol and is not armed yet
STATES = {
    "armed": "ARMED, output zero",
    "ramp_up": "RAMPING UP",
    "run": "RUNNING",
    "paused": "PAUSED, output zero",
    "ramp_down": "RAMPING DOWN",
    "done": "OVER, output zero",
    "fault": "FAULT, output zero",
}


def milliamps(ua):
    """ "0.2 mA" of 200."""
    return f"{ua / 1000:g} mA"


class Row:
    """A channel on the screen. site: text or None. target_ua: as asked for; marks: {level: uA}.

    set_ua, meas_ua, ohms, pulses: of the last telemetry. reached: the set-point has been at the target; where the
    train has contractions, in the one that is on.
    contractions: (begun so far, planned) or None. about: (its train, its step and ceiling).
    """

    def __init__(self, n, site, about):
        self.n = n
        self.site = site
        self.about = about
        self.target_ua = self.set_ua = self.pulses = 0
        self.meas_ua = self.ohms = self.contractions = None
        self.reached = False
        self.marks = {}

    @property
    def at_target(self):
        """True while the set-point is the target, as far as the screen shows it."""
        return figure(self.set_ua) == figure(self.target_ua)


class Model:
    """All that the screen shows. dwell: function -> text, "" where no needle is in. word: measured or modelled."""

    def __init__(self, title, word, rows, dwell):
        self.title = title
        self.word = word
        self.rows = rows
        self.dwell = dwell
        self.state = "armed"
        self.t_left_ms = None  # until the board has told it
        self.pause_left_ms = None
        self.selected = 0
        self.message = ""

    @property
    def output(self):
        """What the output does, in capitals."""
        flowing = self.state in ("ramp_up", "run", "ramp_down")
        most = max((row.set_ua for row in self.rows), default=0) if flowing else 0
        if most > ACTIVE_UA:
            return "OUTPUT ON, MORE THAN 10 mA"
        if most:
            return "OUTPUT ON"
        if flowing and any(row.target_ua for row in self.rows):
            return "OUTPUT ON, at zero for the moment"
        return "OUTPUT ZERO"


def lines(model):
    """The screen's lines: at most HEIGHT, none longer than 79 characters."""
    state = STATES.get(model.state, STARTING)
    time_left = "" if model.t_left_ms is None else f"time left {clock(model.t_left_ms)}"
    now = "Modelled" if model.word == "modelled" else "Measured"
    shown = [
        _both(f"Rheobase  {model.title}", "emulated board: modelled" if model.word == "modelled" else ""),
        _both(state, f"{time_left}   {model.dwell()}".strip()),
        RULE,
        f"  Ch  {'Set mA':>7}  {'Now mA':>7}  {now + ' mA':>11}  {'Impedance':>10}  {'Pulses':>7}",
    ]
    for at, row in enumerate(model.rows):
        shown.append(_row(row, at == model.selected))
        felt = ", ".join(f"{level} {figure(ua)}" for level, ua in row.marks.items())
        shown.append(f"      {(row.site or '')[:34]:<34}  {felt}")
    chosen = model.rows[model.selected]
    paused = "" if model.pause_left_ms is None else f"   the session ends by itself in {clock(model.pause_left_ms)}"
    begun = "" if chosen.contractions is None else "; contractions {} of {}".format(*chosen.contractions)
    shown += [RULE, f"  Channel {chosen.n}: {chosen.about[0]}{begun}", f"  {chosen.about[1]}", ""]
    shown += [f"  {model.output}{paused}", "", *textwrap.wrap("  " + model.message, WIDTH - 1, subsequent_indent="  ")]
    keys = [
        RULE,
        "  STOP AT ONCE: Esc, Space, q or Ctrl-C (or close this window)",
        "  Up or +: raise one step, once a press    Down or -: lower one step",
        "  Left, Right, Tab or 1-9: choose channel  p: pause; p again: resume from zero",
        "  s: mark sensory (first felt)             c: mark comfortable",
    ]
    shown += [""] * (HEIGHT - len(shown) - len(keys)) + keys
    return [line[: WIDTH - 1].rstrip() for line in shown[:HEIGHT]]


def _both(left, right):
    """left and right in one line; the right one is never cut."""
    room = WIDTH - 1 - len(right)
    return f"{left[: room - 1]:<{room}}{right}"


def _row(row, selected):
    ohms = "-" if row.ohms is None else fmt_resistance(row.ohms)
    return (
        f"{'>' if selected else ' '} {row.n:>2}  {figure(row.target_ua):>7}  {figure(row.set_ua):>7}  "
        f"{figure(row.meas_ua):>11}  {ohms:>10}  {row.pulses:>7}"
    )


def open_terminal(path="/dev/tty"):
    """A descriptor of this process's own terminal that never waits. Raises RheoError.

    Opened anew, as not to wait is a property of what was opened, which a dup of stdin would share with the shell; by
    this name, as the terminal's own belongs to whoever logged in, and after `su` we may be somebody else.
    """
    try:
        return os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError as error:
        hint = "Use a terminal of your own, or TERM=dumb for plain lines."
        raise RheoError("no_terminal", f"The live screen cannot write to {path}: {error.strerror}.", hint) from None


class Painter:
    """Draws lines on a terminal, only what changed. fd: of open_terminal(); closed by close().

    hung_s: how long the terminal has taken nothing.
    """

    def __init__(self, fd):
        self.fd = fd
        self._shown = []
        self._rest = b""
        self._size = None
        self._stuck_since_s = None
        self._send(b"\r\n" * self._terminal_size()[1] + b"\x1b[?25l")  # what was said stays to be scrolled back to

    @property
    def hung_s(self):
        return 0.0 if self._stuck_since_s is None else time.monotonic() - self._stuck_since_s

    def draw(self, wanted):
        """Bring the screen to `wanted` (lines); left out while the terminal is behind."""
        if self._rest and not self._send(b""):
            return
        size = self._terminal_size()
        text = ""
        if size != self._size:
            self._size, self._shown = size, []
            text = "\x1b[2J"
        columns, rows = size
        if rows < len(wanted):  # the keys stand last: what is empty goes first
            wanted = [line for line in wanted if line]
        fitting = [line[: columns - 1] for line in wanted[:rows]]
        for at, line in enumerate(fitting):
            if at >= len(self._shown) or self._shown[at] != line:
                text += f"\x1b[{at + 1};1H{line}\x1b[K"
        self._shown = fitting
        if text:
            self._send(text.encode("utf-8", "replace"))

    def bell(self):
        self._send(b"\a")

    def close(self):
        """Leave an empty screen: what it showed is true no longer."""
        self._send(b"\x1b[H\x1b[2J\x1b[?25h")
        os.close(self.fd)

    def _terminal_size(self):
        try:
            columns, rows = os.get_terminal_size(self.fd)
        except OSError:
            columns = rows = 0
        return columns or WIDTH, rows or HEIGHT  # a serial console knows no size

    def _send(self, data):
        """True once all that was ever sent has been taken."""
        self._rest += data
        with contextlib.suppress(OSError):  # it hangs, or has gone: its input tells
            self._rest = self._rest[os.write(self.fd, self._rest) :]
        if not self._rest:
            self._stuck_since_s = None
        elif self._stuck_since_s is None:
            self._stuck_since_s = time.monotonic()
        return not self._rest
