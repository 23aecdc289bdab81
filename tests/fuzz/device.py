"""The device's parser under fire: the firmware's own server and session on the fakes, and what must hold after a line.

Runs on CPython and on MicroPython alike (its Unix VM): no module of CPython's alone is imported here.
"""

from core.fakes import Bench
from rheocore import frames, messages
from rheocore.server import Server
from rheocore.session import Session

INFO = {
    "board": "RHEO_PICO",
    "serial": "E66",
    "firmware": {"version": "0.1.0", "hash": "0", "origin": "frozen"},
    "micropython": "1.25.0",
    "c_hook": True,
    "reset_cause": "power",
    "was": None,
    "calibration": {
        "problem": None,
        "channels": {"1": {"set": [0, 0], "sense": [0, 0], "load_ohms": 1000, "made": "2026-11-22"}, "2": None},
    },
}


TOKEN = 4711  # of every session here: who fires need not know how often the board was armed


class FakeCapture:
    """What rheorp2.capture.Capture takes and gives; refuses what the real one could not bear."""

    pins = {"CH1_A": 2, "CH1_B": 3, "INTERLOCK": 20}

    def __init__(self):
        self.wires = ()

    def start(self, wires, edges):
        assert 1 <= len(wires) <= messages.CAPTURE_WIRES and all([w in self.pins for w in wires])
        assert type(edges) is int and 1 <= edges < 1 << 30
        if edges > 5_000:
            return 5_000
        self.wires = tuple(wires)
        return None

    def head(self):
        row = {"count": 2, "full": False, "stalled": False, "left": 7}
        return self.wires and {"clk_hz": 1, "began_ms": 1, "took_ms": 1, "wires": {w: row for w in self.wires}}

    def words(self, wire, first):
        assert type(wire) is str and type(first) is int
        return b"\0" * 8 if wire in self.wires and 0 <= first <= 2 else None

    def drop(self):
        self.wires = ()


class Watched(Server):
    """A server that writes down what it executes: `executed`, [(method, id, done)] since it was last emptied.

    What needs the session's token is done, and the session kept alive, with that token alone; a stop leaves none busy.
    """

    def __init__(self, *args):
        super().__init__(*args)
        self.executed = []
        self.ident = None
        for name in messages.METHODS:
            setattr(self, "_" + name, self._watch(name, getattr(self, "_" + name)))
        self.session.keepalive = self._watch_token(self.session.keepalive)

    def _watch(self, name, method):
        def call(params, now_ms):
            entry = [name, self.ident, False]
            self.executed.append(entry)
            held = "token" not in messages.METHODS[name] or params["token"] == self.session.token
            result = method(params, now_ms)
            entry[2] = True
            assert held, "%s was done without the session's token" % name
            assert name != "stop" or self.session.state not in messages.BUSY, "a stop that stops nothing"
            return result

        return call

    def _watch_token(self, keepalive):
        def call(token, now_ms):
            session = self.session
            heard_ms, session.heard_ms = session.heard_ms, None
            keepalive(token, now_ms)
            if session.heard_ms is None:
                session.heard_ms = heard_ms
            else:
                assert token == session.token, "a session was kept alive by another token"

        return call

    def _request(self, ident, *rest):
        self.ident = ident
        return super()._request(ident, *rest)


class Device:
    """Feed it lines; it raises AssertionError as soon as something is wrong that no line may bring about."""

    def __init__(self, board):
        self.board = board
        self.bench = Bench(board, Session)
        self.bench.output.sooner = True
        self.bench.session.new_token = lambda: TOKEN
        self.capture = FakeCapture()
        self.server = Watched(self.bench.session, board, INFO, lambda n: (1000, 500), self.capture)
        self.done = set()  # ids executed in this dialogue
        self.counts = {"answered": 0, "silent": 0, "rejected": 0, "executed": 0, "errors": 0, "live": 0}
        self.started = False  # by a request, since the last arm
        self.longest = 0

    def feed(self, data):
        """Bytes as they come, newlines and all, cut into lines as the board's link does. Returns the replies."""
        replies = []
        for line in data.split(b"\n"):
            line = line.rstrip(b"\r")  # as a line of a terminal
            if len(line) >= messages.MAX_LINE:
                replies.append(self._took(self.server.too_long))
            elif line:
                replies.append(self._took(lambda line=line: self.server.handle(line, self.bench.now_ms)))
        self.bench.events.clear() if len(self.bench.events) > 100 else None
        return [reply for reply in replies if reply]

    def _took(self, take):
        before = dict(self.server.bad)
        self.server.executed = []
        try:
            reply = take()
        except (RuntimeError, MemoryError):  # raised on purpose in a live session: the app ends safe, by a reset
            raise AssertionError("a line ended the app") from None
        return self._checked(reply, before)

    def _checked(self, reply, before):
        server, counts = self.server, self.counts
        for method, ident, done in server.executed:
            counts["executed"] += 1
            if method == "hello":
                if done:
                    self.done = {ident}
            elif method not in messages.ALWAYS:
                assert ident not in self.done, "%s: id %d was executed twice" % (method, ident)
                self.done.add(ident)
            if method in ("start", "resume") and done:
                self.started = True
        assert len(server.executed) <= 1
        counted = sum(server.bad.values()) - sum(before.values())
        if reply is None:
            counts["silent"] += 1
            counts["rejected"] += counted
            assert not server.executed and counted in (0, 1)
        else:
            counts["answered"] += 1
            self.longest = max(self.longest, len(reply))
            assert len(reply) <= messages.MAX_LINE, "a reply of %d bytes" % len(reply)
            assert reply[-1] == 10 and min(reply[:-1]) >= 32
            message, error = frames.decode(reply)
            assert error is None and message["jsonrpc"] == "2.0"
            assert message["id"] is None or type(message["id"]) is int
            if "error" in message:
                counts["errors"] += 1
                name = message["error"]["message"]
                assert message["error"]["code"] == messages.ERRORS[name][0]
                assert counted == (name in server.bad or name in ("invalid_request", "method_not_found"))
            else:
                assert not counted
        self.sound()
        return reply

    def sound(self):
        """The session is in a state that there is, and nothing plays that was not started, armed and allowed."""
        session, output = self.bench.session, self.bench.output
        assert session.state in messages.STATES
        if session.state not in messages.BUSY:
            assert session.token is None
            self.started = False
        if output.playing:
            self.counts["live"] += 1
            assert session.state in messages.LIVE and self.started and output.armed
        for n, channel in session.channels.items():
            cap = min(channel.cfg["max_ua"], self.board["max_ua"])
            assert type(channel.target_ua) is int and 0 <= channel.target_ua <= cap, "channel %d: a target" % n
            assert 0 <= channel.set_ua <= cap
            if n in output.machines:
                assert output.machines[n].set_ua <= cap

    def pass_time(self, ms):
        """The app's loop runs on; the host keeps its session alive if the bench's `alive` says so."""
        self.bench.run(ms)
        for pulses in self.bench.output.truth.values():
            pulses.clear()
        for machine in self.bench.output.machines.values():
            machine.pulses.clear()
        self.bench.output.calls.clear()
        self.sound()
