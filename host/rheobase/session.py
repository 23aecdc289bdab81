"""Run one session: configure, arm, start, keep alive, record, stop. Shows nothing itself; a `view` is told.

Whatever goes wrong here, output is stopped first and the record closed last; only then is anything reported.
"""

import contextlib
import selectors
import time
from functools import partial

from rheocore import messages

from rheobase import ending, outcome, served
from rheobase.control import ControlServer
from rheobase.errors import EXIT_INTERRUPT, DeviceLost, HostError, RheoError
from rheobase.guide import Guide, View
from rheobase.halt import halt
from rheobase.interrupt import Interrupts
from rheobase.journal import Journal
from rheobase.link import words

SILENCE_S = 1.5  # without a word from the board: ask whether it is there
POLL_S = 0.1
ENDED = ("done", "fault")


class Session:
    """One session on a greeted board. run() plays it to its end and returns the contract's data of `run`.

    board: link.greeting.Board. wanted: order.Order, judged; None where the guide makes it. After run(), `error` is
    the RheoError of a bad end, or None. targets: {channel: uA} as last commanded.
    """

    def __init__(self, board, wanted=None, log_dir=None, view=None, guide=None):
        self.board = board
        self.client = board.client
        self.order = wanted
        self.log_dir = log_dir
        self.view = view or View()
        self.guide = guide or Guide()
        self.journal = None
        self.error = None
        self.bug = None  # an exception that nobody expected: raised again when all is done
        self.stop_reason = None
        self.cause = None  # why the host stopped the board, where the board has no word for it
        self.result = None
        self.targets = {}
        self.started = False
        self.configured = False
        self._screened = False
        self.ended = False  # the board has told the end of this session's output
        self._winding_up = False
        self._keys = None
        self._typed = []  # keys that are no stop, for the guide
        self._wanted_stop = None
        self.not_started = None  # code and message of what kept the session from its start
        self.unproved = None  # a stop by the control socket that the board has not confirmed

    # -- the whole -----------------------------------------------------------------------------------------------

    def run(self):
        """Play the order. Raises RheoError only for what happened before any output (nothing to show for it).

        A bug of ours is raised last: the output is proved to be off, the steps after it are done, the record is closed.
        """
        self._must_be_free()
        with contextlib.ExitStack() as stack:
            self.interrupts = stack.enter_context(Interrupts())
            self.control = stack.enter_context(ControlServer(self.board.port, partial(served.answer, self)))
            self._selector = stack.enter_context(selectors.DefaultSelector())
            self._selector.register(self.client.transport, selectors.EVENT_READ, self._receive)
            self._selector.register(self.interrupts.fd, selectors.EVENT_READ, lambda: None)
            self.control.attach(self._selector)
            stack.callback(lambda: self.journal and self.journal.release())
            try:
                self._play()
            except BaseException as error:  # KeyboardInterrupt too: no way out of here without a stop
                ending.abandon(self, error)
            self._wind_up()
            if self.journal and self.error and self.error.hint is None:
                self.error.hint = f"The record is {self.journal.path}."
        if self.bug:
            raise self.bug
        if self.error and not self.started and self.result is None:
            raise self.error
        return self.data()

    def _must_be_free(self):
        state = self.board.info["state"]
        if state == "fault":
            status = self.board.status()
            raise words.fault_error(status["fault"], status["fault_channel"])
        if state not in ("idle", "loaded", "done"):
            raise DeviceLost("in_session", f"A session is on the board (state {state}).", "Stop it: `rheo stop`.")

    def _play(self):
        self.guide.plan(self)
        if self.journal is None:
            self.begin_record(self.order.duration_ms)
        self.journal.order(self.order)
        self.guide.before(self)
        self._write_head()
        with self.guide.live(self) as keys:
            try:
                self._begin(keys)
                self._loop(keys)
                ending.finish(self)
            except BaseException as error:  # here: the terminal is given back after the stop, not before
                ending.abandon(self, error)

    def begin_record(self, duration_ms):
        """Make sure that the record can be written. duration_ms: of the longest session that it may become."""
        self.journal = Journal(self.board, duration_ms, self.log_dir)

    def configure(self):
        """Hand the order to the board, which judges it once more. No output; nothing is armed."""
        self.configured = True
        self.board.call("configure", {"channels": self.order.configs, "new": int(self.guide.is_new)})
        self.client.telemetry.clear()  # of what was configured before
        self.targets = {part.n: part.cfg["amplitude_ua"] for part in self.order.parts}

    def _begin(self, keys):
        """Nothing leaves the pins before the last line of this."""
        self.interrupts.emergency_fd = self.client.transport.fileno()
        self.client.also = [self.interrupts.fd] + ([keys.fd] if keys else [])
        self.configure()
        params = {"bench": 1} if all(part.cfg["bench"] for part in self.order.parts) else {}
        self.client.token = self.board.call("arm", params, timeout_s=3.0)["token"]
        self._check_wanted_stop()
        self.drain()  # an earlier session's end must not be taken for this one's
        if not self.ended:
            self.started = True
            self.board.call("start", {"token": self.client.token})

    def _loop(self, keys):
        self._keys = keys
        while not self.ended:
            self.turn(POLL_S, keys and keys.fd)
            if not self._stop_wanted() and self._typed and not self.ended:
                names, self._typed = self._typed, []
                self.guide.typed(self, names)
            self._check_wanted_stop()
            if self.unproved:
                raise self.unproved
            if time.monotonic() - self.client.heard_s > SILENCE_S * self.client.scale:
                self.ended = self.ended or self.board.status()["state"] not in messages.BUSY

    def _wind_up(self):
        """What comes after output, however it ended; then the record is closed."""
        self._winding_up = True
        if self.error and not self.started:
            self.not_started = self.error.code, self.error.message
        self.interrupts.emergency_fd = None
        self.client.also = ()
        try:
            try:
                self._write_head()
            except HostError as error:
                self._keep(error)
            fields = self.guide.after(self)
            if fields is not None:
                self.error = ending.both(self.error, self.guide.unfinished(fields))
                self.journal.screening("after", **fields)
        except RheoError as error:
            self.error = self.error or error
        finally:
            self._close_quietly()

    # -- what a guide may ask of a session -----------------------------------------------------------------------

    def turn(self, timeout_s=POLL_S, also=None):
        """Serve the board, the control socket and the signals once. Returns True if the descriptor `also` is readable.

        Raises DeviceLost when the board has gone, unless the output is over.
        """
        self.drain()
        readable = []
        if also is not None:
            self._selector.register(also, selectors.EVENT_READ, lambda: readable.append(also))
        try:
            for key, _ in self._selector.select(0 if self.interrupts.pending() else timeout_s):
                key.data()
        finally:
            if also is not None:
                self._selector.unregister(also)
        self.drain()
        if not self._winding_up:
            self.client.keep_alive()
            if self.unproved and not self.started:
                raise self.unproved
            if self.ended and not self.started:
                raise RheoError("stopped", "Stopped by command before the start.", None, EXIT_INTERRUPT)
        return bool(readable)

    def note(self, event, **fields):
        """An event of the host's into the record. After output a full disk ends nothing: the steps go on."""
        try:
            self.journal.event(event, **fields)
        except HostError as error:
            self._keep(error)

    def so_far(self, part, answers):
        """Answers of a part, "before" or "after", into the record while they are given, as note() does."""
        try:
            self.journal.so_far(part, answers)
        except HostError as error:
            self._keep(error)

    def aim(self, n, ua):
        """New target of channel n in uA, recorded. False if a stop came first. Raises Refused and the like."""
        if self._ask("amplitude", {"token": self.client.token, "channel": n, "ua": ua}) is None:
            return False
        self.targets[n] = ua
        self.note("amplitude", channel=n, ua=ua)
        return True

    def pause(self):
        """Output to zero, the session waits; recorded. The board's answer, None if a stop came first."""
        return self._noted("pause", self._ask("pause"))

    def resume(self):
        """From zero, by the ramp, to the targets that were. The board's answer, None if a stop came first."""
        return self._noted("resume", self._ask("resume", {"token": self.client.token or 0}, timeout_s=3.0))

    def stop(self):
        """A stop that another process asks for: the board's confirmation. Raises DeviceLost `not_confirmed`."""
        if self._winding_up:
            return halt(self.client, "stop_command")
        self.stop_reason = "stop_command"
        try:
            reply = halt(self.client, "stop_command")
        except RheoError as error:
            self.unproved = error
            raise
        self.ended = True
        return reply

    def output_off(self):
        """True if the board itself says now that every leg is low and every set-point zero."""
        if isinstance(self.error, DeviceLost):
            return False  # it was asked long enough
        try:
            return halt(self.client)["confirmed"] and not any(
                channel["set_ua"] for channel in self.board.status()["channels"].values()
            )
        except RheoError:
            return False

    def _noted(self, event, reply):
        if reply is not None:
            self.note(event)
        return reply

    def _ask(self, method, params=None, **options):
        """A request in the middle of the output: given up, and None, as soon as somebody wants to stop."""
        try:
            return self.board.call(method, params, give_up=self._stop_wanted, **options)
        except DeviceLost:
            if self._stop_wanted():
                return None
            raise

    # -- input ---------------------------------------------------------------------------------------------------

    def _receive(self):
        try:
            self.client.receive()
        except DeviceLost:
            self._selector.unregister(self.client.transport)
            if not self._winding_up:
                raise

    def _keep(self, error):
        """A record that cannot be written ends a session, but not the steps after it."""
        if not self._winding_up:
            raise error
        self.error = self.error or error

    def drain(self):
        """Take telemetry and events into the record and to whoever watches."""
        try:
            events, telemetry = self.client.events, self.client.telemetry
            while events or telemetry:
                if not telemetry or (events and _dev_us(events[0]) <= _dev_us(telemetry[0])):
                    self._take_event(events.popleft())
                else:
                    self._take_telemetry(telemetry.popleft())
        except HostError as error:
            self._keep(error)

    def _take_event(self, event):
        if self.journal:
            named = {} if event["channel"] is None else {"channel": event["channel"]}
            self.journal.event(event["kind"], event["dev_us"], detail=event["detail"], **named)
        self.view.event(event["kind"], event["detail"], event["channel"])
        if event["kind"] in ("end", "fault") and self.started:
            self.ended_by(event["detail"])
            self.ended = True

    def ended_by(self, reason):
        """The board's word why output ended; where it was told to stop, the host may know better why."""
        self.stop_reason = self.cause or reason if reason in messages.STOP_REASONS else reason

    def _take_telemetry(self, item):
        if not self.configured or self._winding_up or len(item["channels"]) != len(self.order.channels):
            return  # of another configuration, or of nobody's
        self.journal.telemetry(item, self.order.channels)
        channels = self.client.rows(item, self.order.channels)
        self.control.publish({**item, "channels": channels, "modelled": self.board.emulated})
        self.view.telemetry(item, channels)
        if item["state"] in ENDED and self.started:
            self.ended = True

    def _stop_wanted(self):
        """True once a key, a lost terminal or a signal wants the end; other keys are kept for the guide."""
        names = self._keys.read() if self._keys and not self._wanted_stop else []
        if names is None or self.interrupts.pending():
            self._wanted_stop = self._wanted_stop or "operator_interrupt"
            self.cause = self.interrupts.cause or "terminal_lost"
        elif "stop" in names:
            self._wanted_stop = "operator_key"
        else:
            self._typed += names
        return self._wanted_stop is not None

    def _check_wanted_stop(self):
        if self.interrupts.take():
            self._wanted_stop = "operator_interrupt"
            self.cause = self.interrupts.cause
        if self._wanted_stop:
            reason, self._wanted_stop = self._wanted_stop, None
            self.ended_by(reason)
            self.client.also = ()
            halt(self.client, reason)
            self.ended = True

    # -- record and answer -----------------------------------------------------------------------------------------

    def _write_head(self):
        """Open and screening, as far as they are known and not written yet."""
        if self.journal is None:
            return
        if not self.journal.opened:
            self.journal.open(self.order)
        if not self._screened:
            self._screened = True
            self.journal.screening("before", **self.guide.screening(self))

    def _close_quietly(self):
        """Close the record if it lets us: the error that is being reported is the one that counts."""
        if self.journal is None or self.journal.closed:
            return
        with contextlib.suppress(Exception):
            self.drain()
        try:
            self._write_head()
            self.journal.close(**outcome.closing(self))
        except RheoError as error:
            self.error = self.error or error

    def data(self):
        """The contract's data of `run`."""
        return outcome.data(self)


def _dev_us(item):
    """When the board said it; 0 for what is no time."""
    return item["dev_us"] if isinstance(item["dev_us"], int) else 0
