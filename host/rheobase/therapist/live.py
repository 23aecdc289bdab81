"""While output is on: keys become small steps, marks, pause and resume; telemetry becomes the screen. Asks nothing.

Sends nothing itself: the session does, and records it. Stop keys never come here.
"""

import time

from rheocore.limits import STEP_UA
from rheocore.messages import LIVE, PAUSE_MS

from rheobase.cli.progress import SPARSE_S, status_line
from rheobase.errors import DeviceFault, Refused, UsageError
from rheobase.guide import View
from rheobase.keys import QUIET_S, RaiseGate
from rheobase.link import words
from rheobase.therapist.screen import ACTIVE_UA, STATES, lines, milliamps

REDRAW_S = 0.2
HUNG_S = 5.0  # a terminal that takes nothing for so long shows nobody anything
LEVELS = {"s": "sensory", "c": "comfortable"}
PLAIN_KEYS = (
    "Keys: + or Up raises one step, once a press; - or Down lowers. 1 to 9 choose a channel.",
    "p pauses, p again resumes from zero. s marks sensory, c marks comfortable.",
    "Esc, Space, q or Ctrl-C stop at once. Any other key says where things stand.",
)


class Live(View):
    """View and keys of one session. model: screen.Model. caps: {channel: (highest uA, whose limit)}.

    warn(n, ua): sentences about a current that is allowed and should be thought about.
    painter: screen.Painter, or None for plain lines, which go to say(text). bell: a function.
    """

    def __init__(self, session, model, caps, warn, painter, say, bell):
        self.session = session
        self.model = model
        self.caps = caps
        self.warn = warn
        self.painter = painter
        self.say = say
        self.bell = bell
        self.gate = RaiseGate()
        self.resume_gate = RaiseGate()
        self._drawn_s = 0.0
        self._paused_s = None
        self._loud = ""
        self._item = None
        parts = session.order.parts
        self.steps = {part.n: STEP_UA[part.cfg["electrode"]] for part in parts}
        self.rows = {row.n: row for row in model.rows}

    # -- told by the session -------------------------------------------------------------------------------------

    def event(self, kind, detail, channel=None):
        if kind == "state":
            self._state(detail)
        elif kind == "fault":
            self.bell()
            self._tell(words.fault_sentence(detail, channel))
        self._draw()

    def telemetry(self, item, channels):
        self._item = (item, channels)
        self._state(item["state"])
        self.model.t_left_ms = item["t_left_ms"]
        for n, values in channels.items():
            row = self.rows[int(n)]
            row.pulses = values["pulses"]
            if row.contractions:
                row.contractions = (self.session.journal.dose.contractions(n), row.contractions[1])
            if item["state"] in LIVE:
                row.set_ua, row.meas_ua, row.ohms = values["set_ua"], values["meas_ua"], values["ohms"]
                row.reached = row.at_target or (row.reached and row.set_ua > 0)
        self._sound()
        pace_s = REDRAW_S if self.painter else SPARSE_S
        if time.monotonic() - self._drawn_s >= pace_s:
            self._draw(regular=True)

    @property
    def hung(self):
        """True if the terminal has taken nothing for so long that nobody can be watching."""
        return self.painter is not None and self.painter.hung_s > HUNG_S

    def _state(self, state):
        if state != self.model.state:
            self._paused_s = time.monotonic() if state == "paused" else None
            if self.painter is None and state in STATES:
                self.say(STATES[state])
        self.model.state = state
        if state not in LIVE:  # what was measured before the output ended is not there any more
            for row in self.model.rows:
                row.set_ua, row.meas_ua, row.ohms, row.reached = 0, None, None, False
        left_s = None if self._paused_s is None else PAUSE_MS / 1000 - (time.monotonic() - self._paused_s)
        self.model.pause_left_ms = None if left_s is None else max(0, round(left_s * 1000))

    def _sound(self):
        """A sound when output becomes active, and when it passes 10 mA."""
        on = self.model.state in LIVE and any(row.target_ua for row in self.model.rows)
        over = on and any(row.set_ua > ACTIVE_UA for row in self.model.rows)
        loud = "over" if over or (on and self._loud == "over") else "on" if on else ""
        if loud and loud != self._loud:
            self.bell()
        self._loud = loud

    # -- keys ----------------------------------------------------------------------------------------------------

    def typed(self, names):
        """Names of the keys that came together."""
        for name in dict.fromkeys(name for name in names if name != "up"):
            self._one(name, names.count(name))
        if "up" in names:
            self._up(names.count("up"))
        self._draw()

    def _one(self, name, times):
        model = self.model
        numbers = [str(row.n) for row in model.rows]
        if name == "down":
            self._down()
        elif name in ("left", "right"):
            self._select((model.selected + (1 if name == "right" else -1)) % len(model.rows))
        elif name in numbers:
            self._select(numbers.index(name))
        elif name in LEVELS:
            self._mark(LEVELS[name])
        elif name in ("p", "r"):
            self._pause_or_resume(name, times)
        elif self.painter is None:
            self._draw(regular=True)

    def _select(self, at):
        self.model.selected = at
        self._tell(f"Channel {self.model.rows[at].n} is chosen.")

    @property
    def _chosen(self):
        return self.model.rows[self.model.selected]

    def _up(self, times):
        n = self._chosen.n
        target_ua = self.session.targets[n]
        cap_ua, whose = self.caps[n]
        counts = self.gate.press(times)
        if self.model.state not in LIVE:
            self._tell("Nothing is raised while the output is paused: p resumes.")
        elif not counts:
            self._tell(f"One press, one step: let go, wait {QUIET_S:g} s, press again.")
        elif target_ua >= cap_ua:
            self._tell(f"Channel {n}: {milliamps(cap_ua)} is the highest allowed here ({whose}).")
        else:
            self._aim(n, min(target_ua + self.steps[n], cap_ua))

    def _down(self):
        n = self._chosen.n
        self._aim(n, max(0, self.session.targets[n] - self.steps[n]))

    def _aim(self, n, ua):
        if ua != self.session.targets[n] and self._try(lambda: self.session.aim(n, ua)):
            self.rows[n].target_ua, self.rows[n].reached = ua, False
            self._tell(" ".join([f"Channel {n}: set to {milliamps(ua)}.", *self.warn(n, ua)]))

    def _mark(self, level):
        row = self._chosen
        if not row.target_ua or self.model.state not in LIVE:
            return self._tell("Nothing is felt at zero: raise first.")
        if not row.reached or (not row.at_target and not row.contractions):
            when = " of a contraction" if row.contractions else ""
            return self._tell(f"Not marked: wait until Now is at Set{when}. Nobody has felt it yet.")
        row.marks[level] = row.target_ua
        self.session.note("titration", channel=row.n, level=level, ua=row.target_ua)
        self._tell(f"Channel {row.n}: {level} at {milliamps(row.target_ua)}, recorded.")

    def _pause_or_resume(self, name, times):
        """A pause at any press; a resume only at one of its own: who holds or hammers the key wants no current."""
        counts = self.resume_gate.press(times)
        if self.model.state == "paused":
            if not counts:
                self._tell(f"Paused. To resume let go, wait {QUIET_S:g} s, and press p again.")
            elif self._try(self.session.resume):
                self._tell("Resumed: the ramp starts from zero.")
        elif name == "p" and self._try(self.session.pause):
            self._tell("Paused: output is zero.")

    def _try(self, act):
        """What act() returns; None, and a message, if the board refuses."""
        try:
            return act()
        except (Refused, UsageError, DeviceFault) as error:
            self._tell(error.message)
        return None

    # -- shown ---------------------------------------------------------------------------------------------------

    def _tell(self, text):
        self.model.message = text
        if self.painter is None:
            self.say(text)

    def _draw(self, regular=False):
        if self.painter is not None:
            self._drawn_s = time.monotonic()
            self.painter.draw(lines(self.model))
        elif regular and self._item:
            self._drawn_s = time.monotonic()
            dwell = self.model.dwell()
            self.say(status_line(*self._item, self.model.word, 200) + (f" | {dwell}" if dwell else ""))
