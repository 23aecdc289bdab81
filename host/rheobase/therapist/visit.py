"""One visit of a person, from the first question to the closed record: the Guide of `rheo run` without --yes.

Keeps what is known so far; the steps are in choose, assess, electrodes, before, live and after. While output is on
nothing is asked.
"""

import contextlib
import time
from functools import partial

from rheocore import faults

from rheobase import figures
from rheobase.cli.progress import clock, own_terminal, single_keys
from rheobase.errors import EXIT_INTERRUPT, RheoError
from rheobase.guide import Guide, View
from rheobase.keys import Keys
from rheobase.therapist import after, assess, before, choose, electrodes, live, screen
from rheobase.therapist.console import Console, Left, Lost


class Visit(Guide):
    """request: request.Request. log_dir: of the records. fd: the terminal's file descriptor.

    answers: of the screening line before; found: of the one after. overrides: of the time before there is a record.
    person, plan: free code and session plan. protocols: {id: protocol} chosen.
    needles: {in, unstimulated}, None before there can be any; in: None until they are counted.
    dwell_ms: how long they are to stay, or None.
    caps: {channel: (highest uA, whose limit)}.
    """

    def __init__(self, request, log_dir, fd):
        super().__init__()
        self.request = request
        self.log_dir = log_dir
        self.fd = fd
        self.session = None
        self.console = None
        self.answers = {}
        self.found = {}
        self.overrides = []
        self.acknowledged = list(request.acknowledged)
        self.person = None
        self.plan_of_sessions = None
        self.protocols = {}
        self.needles = None
        self.dwell_ms = None
        self.caps = {}
        self._needles_in_s = None
        self._screen_fd = None
        self._live = None

    @property
    def electrodes(self):
        """Kinds of electrodes that are used: "needle", "skin"."""
        return sorted({protocol["electrode"] for protocol in self.protocols.values()})

    # -- steps, in the order that the session calls them ---------------------------------------------------------

    def plan(self, session):
        self.session = session
        self.console = Console(session, self.fd, self.keep)
        self._try_terminal()
        with self._may_leave():
            choose.welcome(self)
            choose.person(self)
            choose.protocol(self)
            choose.remainder(self)
            session.begin_record(round(max(p["session"]["duration_s"] for p in self.protocols.values()) * 1000))
            session.journal.person, session.journal.plan = self.person, self.plan_of_sessions
            session.journal.protocols = list(self.protocols.values())
            session.journal.open(None)  # from here on every answer is kept as it is given
            for override in self.overrides:
                session.note("override", **override)
            for code in self.acknowledged:
                session.note("acknowledged", code=code, value=None)
            assess.ask(self)
            electrodes.ask(self)

    def before(self, session):
        with self._may_leave():
            before.ask(self)

    def screening(self, session):
        return {"answers": self.answers, "acknowledged": self.acknowledged, "yes": False, "reason": None}

    @contextlib.contextmanager
    def live(self, session):
        with single_keys() as fd:
            if fd is None:
                raise _not_ours()
            painter = None if self._screen_fd is None else screen.Painter(self._screen_fd)
            try:
                bell = painter.bell if painter else self.console.sound
                warn = partial(electrodes.warnings, self)
                self._live = live.Live(session, self._model(), self.caps, warn, painter, self.console.say, bell)
                if painter is None:
                    self.console.say(*live.PLAIN_KEYS)
                session.view = self._live
                yield _WatchedKeys(fd, self._live)
            finally:
                session.view = View()
                if painter is not None:
                    painter.close()

    def typed(self, session, names):
        self._live.typed(names)

    def after(self, session):
        if not session.started and self.needles is None:
            return None  # no needle, no current: nothing to undo
        if self._live is not None and self._live.hung:
            session.note("note", text="The terminal hung: nobody was asked what comes after a session.")
            return after.unknown(self)
        return after.ask(self)

    def unfinished(self, fields):
        return after.unfinished(fields)

    def _try_terminal(self):
        """What the live screen and its keys need, opened before there is any needle that would have to come out."""
        if own_terminal() is None:
            raise _not_ours()
        if not self.console.plain:
            self._screen_fd = screen.open_terminal()

    # -- what the steps share ------------------------------------------------------------------------------------

    def keep(self):
        """What was answered goes into the record before anything else is asked: a host that dies loses none of it."""
        if self._on_record:
            self.session.so_far("before", self.answers)
            self.session.so_far("after", self.found)

    def override(self, what, reason):
        """Something that the operator decided against the rule; into the record, as soon as it is open."""
        if self._on_record:
            self.session.note("override", what=what, reason=reason)
        else:
            self.overrides.append({"what": what, "reason": reason})

    @property
    def _on_record(self):
        return self.session.journal is not None and self.session.journal.opened

    def needles_begin(self):
        """From here on needles may be in the person, and nobody knows how many."""
        self.needles = self.answers["needles"] = {"in": None, "unstimulated": None}
        self.session.note("needles_begun")

    def needles_are_in(self, count, unstimulated):
        """The dwell timer starts."""
        self._needles_in_s = _now_s()
        self.needles = {"in": count, "unstimulated": unstimulated}
        self.answers["needles"] = self.needles
        self.session.note("needles_in", dwell_planned_ms=self.dwell_ms, **self.needles)
        self.console.prefix = lambda: f"[{self.dwell_words()}] "

    def needles_are_out(self):
        """The dwell timer stops. Returns how long they were in, in ms."""
        stayed_ms = self.stayed_ms()
        self._needles_in_s = None
        self.console.prefix = lambda: ""
        return stayed_ms

    def stayed_ms(self):
        """How long the needles have been in, in ms; None if none is."""
        return None if self._needles_in_s is None else round((_now_s() - self._needles_in_s) * 1000)

    def dwell_words(self):
        """ "needles in 4:12 of 20:00", "" without needles."""
        stayed_ms = self.stayed_ms()
        if stayed_ms is None:
            return ""
        planned = f" of {clock(self.dwell_ms)}" if self.dwell_ms else ""
        return f"needles in {stayed_ms // 60_000}:{stayed_ms // 1000 % 60:02d}{planned}"

    def _model(self):
        board, order = self.session.board, self.session.order
        sites = {pair["channel"]: pair["site"] for pair in self.answers.get("pairs", ())}
        rows = [screen.Row(part.n, sites.get(part.n), electrodes.about(self, part)) for part in order.parts]
        for row, part in zip(rows, order.parts, strict=True):
            row.contractions = (0, figures.contractions(part.cfg)) if "on_ms" in part.cfg else None
        return screen.Model(order.protocol_ids, board.measured_word, rows, self.dwell_words)

    @contextlib.contextmanager
    def _may_leave(self):
        """Whoever leaves before the start has started nothing."""
        try:
            yield
        except Left:
            raise RheoError("left", "Ended before the start: nothing came out.", None, EXIT_INTERRUPT) from None
        except Lost as lost:
            message = f"{faults.sentence(lost.cause)} Nothing came out."
            raise RheoError(lost.cause, message, None, EXIT_INTERRUPT) from None


def _now_s():
    """A clock that nobody sets, and that goes on while the computer sleeps, where there is one."""
    known = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if known is None else time.clock_gettime(known)


def _not_ours():
    return RheoError("no_terminal", "The terminal is not ours alone: no key would stop the output.", None)


class _WatchedKeys(Keys):
    """Keys of a terminal that counts as lost when it takes nothing any more."""

    def __init__(self, fd, shown):
        super().__init__(fd)
        self._shown = shown

    def read(self):
        return None if self._shown.hung else super().read()
