"""Run one session: configure, arm, start, keep alive, record, stop. Shows nothing itself; a `view` is told.

Whatever goes wrong here, output is stopped first and the record closed second; only then is anything reported.
"""

import contextlib
import os
import selectors
import signal
import time

from rheocore import faults, messages

import rheobase
from rheobase import discovery, library, order
from rheobase.control import ControlServer
from rheobase.errors import (
    EXIT_INTERRUPT,
    EXIT_OK,
    EXIT_REFUSED,
    DeviceLost,
    HostError,
    RheoError,
)
from rheobase.halt import halt
from rheobase.link import words
from rheobase.record import SCHEMA, RecordWriter

SILENCE_S = 1.5  # without a word from the board: ask whether it is there
POLL_S = 0.1
ENDED = ("done", "fault")
EXITS = {"time_over": EXIT_OK, "stop_command": EXIT_OK, "operator_key": EXIT_INTERRUPT,
         "operator_interrupt": EXIT_INTERRUPT, "limit": EXIT_REFUSED, "auto_disarm": EXIT_REFUSED}  # fmt: skip
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def push(asked, protocol):
    """Configure channel 1 of the board with `protocol` at zero amplitude; no output. Returns the board's state.

    asked: has `port` (or None) and `note(text)`. Raises what connecting raises, Refused, DeviceFault.
    """
    wanted = order.Order([order.Part(1, protocol, 0, None)], {}, [])
    with discovery.connect(asked.port, asked.note) as board:
        order.judge(wanted, board.info)
        return board.call("configure", {"channels": wanted.configs, "new": 1})["state"]


class View:
    """What a session tells its watcher. This one is deaf; the command line's shows a status line."""

    def event(self, kind, detail):
        """An event of the board: state, fault or end."""

    def telemetry(self, item, channels):
        """A telemetry item; channels: {"1": {set_ua, meas_ua, ...}}."""


class Session:
    """One session on a greeted board. run() plays it to its end and returns the contract's data of `run`.

    board: link.greeting.Board. wanted: order.Order, judged. keys: a file descriptor of a terminal in single-key mode
    whose keys stop the session, or None. After run(), `error` is the RheoError of a bad end, or None.
    """

    def __init__(self, board, wanted, log_dir=None, view=None, keys=None):
        self.board = board
        self.client = board.client
        self.order = wanted
        self.view = view or View()
        self.keys = keys
        self.log_dir = log_dir
        self.error = None
        self.stop_reason = None
        self.last = None  # telemetry
        self.result = None
        self._ended = False
        self._wanted_stop = None
        self._record = None
        self._started = False
        self._unproved = None  # a stop by the control socket that the board has not confirmed

    # -- the whole -----------------------------------------------------------------------------------------------

    def run(self):
        """Play the order. Raises RheoError only for what happened before any output (nothing to show for it)."""
        self._must_be_free()
        self._record = RecordWriter.create(self.board.info["serial"], self.order.duration_ms, self.log_dir)
        with self._record:
            try:
                self._write_head()
                with self._signals(), ControlServer(self.board.port, self._control) as control:
                    self.control = control
                    self._begin()
                    self._loop(control)
                    self._finish()
            except BaseException as error:  # KeyboardInterrupt too: no way out of here without a stop
                self._abandon(error)
        return self.data()

    def _must_be_free(self):
        state = self.board.info["state"]
        if state == "fault":
            raise words.fault_error(self.board.status()["fault"])
        if state not in ("idle", "loaded", "done"):
            raise DeviceLost("in_session", f"A session is on the board (state {state}).", "Stop it: `rheo stop`.")

    def _begin(self):
        """Nothing leaves the pins before the last line of this."""
        self.board.call("configure", {"channels": self.order.configs, "new": 1})  # the order confirms it
        self.client.telemetry.clear()  # of what was configured before
        params = {"bench": 1} if all(part.cfg["bench"] for part in self.order.parts) else {}
        self.client.token = self.board.call("arm", params, timeout_s=3.0)["token"]
        self._check_wanted_stop()
        self._drain()  # an earlier session's end must not be taken for this one's
        if not self._ended:
            self._started = True
            self.board.call("start", {"token": self.client.token})

    def _loop(self, control):
        with selectors.DefaultSelector() as selector:
            selector.register(self.client.transport, selectors.EVENT_READ, self.client.receive)
            selector.register(self._wake_r, selectors.EVENT_READ, self._woken)
            if self.keys is not None:
                selector.register(self.keys, selectors.EVENT_READ, lambda: self._key(selector))
            control.attach(selector)
            while not self._ended:
                self._drain()
                for key, _ in selector.select(POLL_S):
                    key.data()
                self._drain()
                self.client.keep_alive()
                self._check_wanted_stop()
                if self._unproved:
                    raise self._unproved
                if time.monotonic() - self.client.heard_s > SILENCE_S * self.client.scale:
                    self.board.call("status")

    def _finish(self):
        """The board has ended by itself or by a stop: fetch what it delivered, close the record."""
        self.client.token = None
        self._fetch_result()
        self._drain()
        fault = self.result["fault"] if self.result else None
        if fault:
            self._record.write("fault", self._dev_us(), fault=fault, sentence=faults.sentence(fault))
            self.error = words.fault_error(fault)
        elif EXITS.get(self.stop_reason, EXIT_OK) != EXIT_OK:
            self.error = RheoError(
                self.stop_reason, faults.sentence(self.stop_reason), "The record is kept.", EXITS[self.stop_reason]
            )
        self._close_record()

    def _fetch_result(self):
        """What the board delivered. A board that had to be broken off has forgotten: the last telemetry stands in."""
        result = self.board.call("result")
        if result["channels"]:
            self.result = result
            self.stop_reason = result["stop_reason"] or self.stop_reason
        else:
            self.stop_reason = "host_break"
            self.error = words.fault_error("host_break")

    def _abandon(self, error):
        """Something failed: stop the board, prove it, close the record, keep the error."""
        lost = isinstance(error, DeviceLost) and error.code in ("lost", "no_answer", "not_confirmed")
        if isinstance(error, KeyboardInterrupt):
            self.stop_reason = "operator_interrupt"
            error = RheoError("operator_interrupt", faults.sentence("operator_interrupt"), None, EXIT_INTERRUPT)
        elif not isinstance(error, RheoError):
            self._stop_quietly("stop_command")
            self._close_quietly()
            raise error
        self.error = error
        if lost and error.code != "not_confirmed":
            self.stop_reason = "host_lost"
            self.error = self._lost_error(error)
        if not lost:
            self._stop_quietly(self.stop_reason or "stop_command")
        self._close_quietly()
        if not self._started:
            raise self.error

    def _lost_error(self, error):
        if not self._started:
            return error
        hint = "It stops by itself within 1.2 s of the loss. Check the cable, then `rheo clear-fault`."
        return DeviceLost("lost", f"The board was lost in the middle of the session. {error.message}", hint)

    def _stop_quietly(self, reason):
        try:
            halt(self.client, reason)
            if self._started:
                with contextlib.suppress(RheoError):
                    wanted, self.stop_reason = self.stop_reason, None
                    self._fetch_result()
                    self.stop_reason = wanted or self.stop_reason
        except RheoError as unproved:
            self.error = unproved

    # -- input ---------------------------------------------------------------------------------------------------

    def _drain(self):
        """Take telemetry and events into the record and to whoever watches."""
        while self.client.events:
            event = self.client.events.popleft()
            self._record.write("event", event["dev_us"], event=event["kind"], detail=event["detail"])
            self.view.event(event["kind"], event["detail"])
            if event["kind"] in ("end", "fault") and self._started:
                self.stop_reason = event["detail"]
                self._ended = True
        while self.client.telemetry:
            item = self.client.telemetry.popleft()
            if len(item["channels"]) != len(self.order.channels):
                continue  # of another configuration
            self.last = item
            self._record.telemetry([item[name] for name in messages.TELEMETRY], self.order.channels)
            channels = self.client.rows(item, self.order.channels)
            self.control.publish({**item, "channels": channels, "modelled": self.board.emulated})
            self.view.telemetry(item, channels)
            if item["state"] in ENDED and self._started:
                self._ended = True

    def _key(self, selector):
        data = os.read(self.keys, 64)
        if not data:
            selector.unregister(self.keys)
        elif any(byte in b" \x1bqQ" for byte in data):
            self._wanted_stop = "operator_key"

    def _woken(self):
        os.read(self._wake_r, 64)

    def _check_wanted_stop(self):
        if self._wanted_stop:
            reason, self._wanted_stop = self._wanted_stop, None
            self.stop_reason = reason
            halt(self.client, reason)
            self._ended = True

    def _control(self, method, params):
        """A request that came by the control socket."""
        board = self.board
        if method == "who":
            info = board.info
            return {"port": board.port, "serial": info["serial"], "board": info["board"],
                    "firmware": info["firmware"], "emulated": board.emulated, "pid": os.getpid()}  # fmt: skip
        if method == "status":
            return board.status()
        if method == "stop":
            self.stop_reason = "stop_command"
            try:
                reply = halt(self.client, "stop_command")
            except RheoError as error:
                self._unproved = error
                raise
            self._ended = True
            return reply
        if method == "pause":
            return board.call("pause")
        if method == "resume":
            return board.call("resume", {"token": self.client.token}, timeout_s=3.0)
        raise HostError("bad_request", f"A running session does not take `{method}`.")

    @contextlib.contextmanager
    def _signals(self):
        """Ctrl-C, SIGTERM and SIGHUP become a wanted stop; a second one sends the board Ctrl-C at once."""
        self._wake_r, wake_w = os.pipe()
        os.set_blocking(wake_w, False)
        count = 0

        def handle(number, frame):
            nonlocal count
            count += 1
            self._wanted_stop = "operator_interrupt"
            with contextlib.suppress(OSError):
                os.write(wake_w, b"x")
                if count > 1:
                    os.write(self.client.transport.fileno(), b"\x03")

        before = {number: signal.signal(number, handle) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
            os.close(self._wake_r)
            os.close(wake_w)

    # -- record and answer -----------------------------------------------------------------------------------------

    def _write_head(self):
        wanted, info = self.order, self.board.info
        self._record.write(
            "open",
            schema=SCHEMA,
            session_id=self._record.id,
            serial=info["serial"],
            board=info["board"],
            firmware={**info["firmware"], "micropython": info["micropython"], "wire": info["wire"]},
            host=rheobase.__version__,
            protocol=wanted.protocol_ids,
            hash={p.protocol["id"]: library.protocol_hash(p.protocol) for p in wanted.parts},
            channels={str(p.n): {"protocol": p.protocol["id"], "config": p.cfg} for p in wanted.parts},
            protocols={p.protocol["id"]: p.protocol for p in wanted.parts},
            load=wanted.load,
            assumed=wanted.assumed,
            modelled=self.board.emulated,
        )
        self._record.write(
            "screening", answers=None, acknowledged=wanted.acknowledged, yes=wanted.yes, reason=wanted.reason
        )

    def _dev_us(self):
        return self.last["dev_us"] if self.last else None

    def _close_record(self):
        self._record.write(
            "close",
            self._dev_us(),
            stop_reason=self.stop_reason,
            fault=self.result["fault"] if self.result else None,
            duration_ms=self._duration_ms(),
            channels=self._delivered(),
        )

    def _close_quietly(self):
        """Close the record if it lets us: the error that is being reported is the one that counts."""
        with contextlib.suppress(Exception):
            self._drain()
        try:
            self._close_record()
        except RheoError as error:
            self.error = self.error or error

    def _duration_ms(self):
        if self.result:
            return self.result["duration_ms"]
        return self.order.duration_ms - self.last["t_left_ms"] if self.last and self._started else 0

    def _delivered(self):
        """{"1": {pulses, truncated, charge_nc}}: the board's result, or the last telemetry of a lost one."""
        if self.result:
            return dict(sorted(self.result["channels"].items()))
        rows = self.client.rows(self.last, self.order.channels) if self.last else {}
        return {n: {"pulses": r["pulses"], "truncated": None, "charge_nc": r["charge_nc"]} for n, r in rows.items()}

    def data(self, vcd=None):
        """The contract's data of `run`. truncated is null where a lost board could not tell."""
        info, delivered = self.board.info, self._delivered()
        return {
            "session_id": self._record.id,
            "protocol": self.order.protocol_ids,
            "board": info["board"],
            "firmware": info["firmware"],
            "stop_reason": self.stop_reason,
            "duration_s": self._duration_ms() / 1000,
            "pulses": {n: c["pulses"] for n, c in delivered.items()},
            "truncated": {n: c["truncated"] for n, c in delivered.items()},
            "charge_uc": {n: c["charge_nc"] / 1000 for n, c in delivered.items()},
            "log": str(self._record.path),
            "report": None,
            "vcd": vcd,
        }
