"""Requests in, replies out: the device's side of the link. Pure; trusts no field; executes no id twice.

handle() takes one line and returns the bytes to send back (None: nothing to say). Counts what it could not use.
"""

import binascii

from rheocore import calibration, frames, limits, messages
from rheocore.config import small
from rheocore.fields import typed
from rheocore.refusal import StateError, invalid


class Server:
    """session: the state machine. board: the description. info: dict of what hello adds.

    sense(n) -> (ua, ohms) or None. capture: rheorp2.capture.Capture, whose docstrings are the contract, or None.
    inspect() -> INSPECT, asked only while nothing can play.
    """

    def __init__(self, session, board, info, sense, capture=None, inspect=dict):
        self.session = session
        self.board = board
        self.info = info
        self.sense = sense
        self.capture = capture
        self.stall_ms = 0  # asked for by the bench: the app's loop takes it
        self.inspect = inspect
        self.greeted = False
        self.last_id = -1
        self.last_reply = None
        self.seq = 0  # of the next telemetry
        self.bad = {"bad_crc": 0, "parse_error": 0, "too_long": 0, "rejected": 0}

    def handle(self, line, now_ms):
        """line: bytes without the newline. Returns the reply line or None."""
        message, error = frames.decode(line)
        if error:
            self.bad[error] += 1
            return self._error(None, error, {})
        ident = message.get("id")
        method = message.get("method")
        params = message.get("params", {})
        if message.get("jsonrpc") != "2.0" or not isinstance(method, str):
            self.bad["rejected"] += 1
            return self._error(ident if small(ident) else None, "invalid_request", {})
        if "id" not in message:
            self._notification(method, params, now_ms)
            return None
        if not small(ident) or ident < 0:
            self.bad["rejected"] += 1
            return self._error(None, "invalid_request", {})
        return self._request(ident, method, params, now_ms)

    def too_long(self):
        """Reply to a line that was longer than the buffer."""
        self.bad["too_long"] += 1
        return self._error(None, "too_long", {"max": messages.MAX_LINE})

    def _notification(self, method, params, now_ms):
        if method == "ack" and isinstance(params, list) and len(params) == 2 and small(params[0]):
            self.session.keepalive(params[1], now_ms)
        else:
            self.bad["rejected"] += 1

    def _request(self, ident, method, params, now_ms):
        if method not in messages.METHODS:
            self.bad["rejected"] += 1
            return self._error(ident, "method_not_found", {"method": method[:32]})
        if method not in messages.ALWAYS:
            if not self.greeted:
                return self._error(ident, "hello_first", {})
            if ident == self.last_id:
                return self.last_reply
            if ident < self.last_id:
                return self._error(ident, "stale_id", {"id": ident, "last": self.last_id})
        try:
            typed(messages.METHODS[method], params)
            result = getattr(self, "_" + method)(params, now_ms)
        except StateError as error:
            reply = self._error(ident, error.args[0], error.args[1])
        except (RuntimeError, MemoryError):  # nested too deep, or too much of it
            if self.session.state in messages.BUSY:  # then nobody knows how far it came
                raise
            reply = self._error(ident, "invalid_params", {"field": "params", "why": "too deep or too large"})
        else:
            reply = frames.encode({"jsonrpc": "2.0", "id": ident, "result": result})
        if ident > self.last_id:
            self.last_id = ident
            self.last_reply = reply
        return reply

    def _error(self, ident, name, data):
        code = messages.ERRORS[name][0]
        return frames.encode({"jsonrpc": "2.0", "id": ident, "error": {"code": code, "message": name, "data": data}})

    # -- methods -----------------------------------------------------------------------------------------------

    def _hello(self, params, now_ms):
        if params["wire"] != messages.WIRE:
            raise StateError("wire_mismatch", {"board": messages.WIRE, "host": params["wire"]})
        self.greeted = True
        self.last_id = -1  # a dialogue begins; a hello that is refused begins none
        self.seq = 0
        self.session.greet()
        if self.capture and self.session.state not in messages.BUSY:
            self.capture.drop()  # it was the last dialogue's: its memory is wanted
        info = dict(self.info)
        info["wire"] = messages.WIRE
        info["channels"] = [c["n"] for c in self.board["channels"]]
        info["limits"] = {"max_ua": self.board["max_ua"], "full_scale_ua": self.board["full_scale_ua"]}
        info["state"] = self.session.state
        info["remainder_ms"] = self.session.remainder_ms or None
        return info

    def _status(self, params, now_ms):
        session = self.session
        channels = []
        for n in session.order:
            channel = session.channels[n]
            ua, ohms = (channel.running and self.sense(n)) or (None, None)
            channels.append((n, channel.set_ua, ua, ohms, channel.pulses_now()))
        return {
            "state": session.state,
            "t_left_ms": session.t_left_ms(now_ms),
            "interlock": session.output.interlock(),
            "fault": session.fault,
            "fault_channel": session.fault_channel,
            "channels": channels,
        }

    def _configure(self, params, now_ms):
        self.session.may_configure()
        configs = {}
        known = [str(c["n"]) for c in self.board["channels"]]
        if not params["channels"]:
            raise invalid("channels", "no channel named")
        for key in params["channels"]:
            if key not in known:
                raise invalid("channels", "no channel %s on this board" % str(key)[:8])
            configs[int(key)] = params["channels"][key]
        for n, code, field, value, bound in limits.judge_all(configs, self.board):
            refusal = {"field": field, "value": value, "why": code, "bound": bound}
            if n is not None:
                refusal["channel"] = str(n)
            raise StateError("refused", refusal)
        self.session.configure(configs, params.get("new") == 1)
        return {"state": self.session.state}

    def _arm(self, params, now_ms):
        if not self.info["c_hook"]:
            if not (self._bench() and params.get("bench") == 1):
                raise StateError("no_hook", {})
        problem = self.info["calibration"]["problem"]
        if problem:
            raise StateError("bad_calibration", {"why": calibration.PROBLEMS[problem]})
        token = self.session.arm(now_ms)
        return {"state": self.session.state, "token": token}

    def _bench(self):
        return all([c.cfg["bench"] for c in self.session.channels.values()])

    def _bench_only(self, method):
        if not self._bench():
            raise StateError("bench_only", {"method": method})

    def _held(self, params):
        if params["token"] != self.session.token:
            raise StateError("bad_token", {})

    def _start(self, params, now_ms):
        self._held(params)
        numbers = params.get("channels")
        if numbers is not None and not all(small(n) for n in numbers):
            raise invalid("channels", "a list of numbers is needed")
        cutoff_ms = params.get("cutoff_ms")
        if cutoff_ms is not None:
            self._sooner(cutoff_ms, numbers, now_ms)
        self.session.start(numbers, now_ms, cutoff_ms)
        return {"state": self.session.state}

    def _sooner(self, cutoff_ms, numbers, now_ms):
        """Raise StateError unless the bench may bring the cutoff so near: never further away than it would be."""
        self._bench_only("cutoff_ms")
        session = self.session
        if session.state != "armed":
            raise StateError("wrong_state", {"method": "cutoff_ms", "state": session.state})
        lefts = [c.left_ms(now_ms) for c in session.channels.values() if numbers is None or c.n in numbers]
        bound = messages.CUTOFF_MARGIN_MS + max(lefts + [0])
        if not 1 <= cutoff_ms <= bound:
            why, bound = ("too_low", 1) if cutoff_ms < 1 else ("too_high", bound)
            raise StateError("refused", {"field": "cutoff_ms", "value": cutoff_ms, "why": why, "bound": bound})

    def _stall(self, params, now_ms):
        self._held(params)
        self._bench_only("stall")
        if not 1 <= params["ms"] <= messages.STALL_MS:
            raise invalid("ms", "1 to %d" % messages.STALL_MS)
        self.stall_ms = params["ms"]
        return {"state": self.session.state}

    def _captures(self):
        if self.capture is None:
            raise StateError("method_not_found", {"method": "capture"})
        return self.capture

    def _capture(self, params, now_ms):
        pins = self._captures().pins
        self.session.may_configure("capture")
        wires = params["wires"]
        if not 1 <= len(wires) <= messages.CAPTURE_WIRES:
            raise invalid("wires", "1 to %d names are needed" % messages.CAPTURE_WIRES)
        for wire in wires:
            if not isinstance(wire, str) or wire not in pins or wires.count(wire) > 1:
                raise invalid("wires", "no wire %s on this board, or twice" % str(wire)[:16])
        edges = params.get("edges", messages.CAPTURE_EDGES)
        if edges < 1:
            raise invalid("edges", "at least 1")
        most = self.capture.start(wires, edges)
        if most is not None:
            raise StateError("no_room", {"most": most})
        return {"wires": wires, "edges": edges}

    def _captured(self, params, now_ms):
        if self.session.state in messages.BUSY:
            raise StateError("wrong_state", {"method": "captured", "state": self.session.state})
        head = self._captures().head()
        if not head:
            raise StateError("no_capture", {})
        if "wire" not in params:
            return head
        words = self.capture.words(params["wire"], params.get("from", 0))
        if words is None:
            raise invalid("wire", "no such wire, or no such word")
        return {"words": binascii.b2a_base64(words).decode().strip()}

    def _amplitude(self, params, now_ms):
        self._held(params)
        self.session.amplitude(params["channel"], params["ua"])
        return {"channel": params["channel"], "ua": params["ua"]}

    def _pause(self, params, now_ms):
        self.session.pause(now_ms)
        return self._confirmed()

    def _resume(self, params, now_ms):
        self._held(params)
        self.session.resume(now_ms)
        return self._confirmed()

    def _stop(self, params, now_ms):
        reason = params.get("reason", "stop_command")
        if reason not in messages.STOP_REASONS:
            raise invalid("reason", "one of " + ", ".join(messages.STOP_REASONS))
        self.session.stop(reason, now_ms)
        return self._confirmed()

    def _clear_fault(self, params, now_ms):
        self.session.clear()
        return self._confirmed()

    def _confirmed(self):
        return {
            "state": self.session.state,
            "confirmed": self.session.output.quiet() or self.session.state in messages.LIVE,
        }

    def _result(self, params, now_ms):
        session = self.session
        channels = {}
        for n in session.order:
            channel = session.channels[n]
            channels[str(n)] = {
                "pulses": channel.pulses_now(),
                "truncated": channel.truncated,
                "charge_nc": channel.charge_nc(),
            }
        return {
            "state": session.state,
            "stop_reason": session.stop_reason,
            "fault": session.fault,
            "fault_channel": session.fault_channel,
            "duration_ms": session.duration_ms(now_ms),
            "channels": channels,
            "bad_lines": self.bad,
        }

    def _inspect(self, params, now_ms):
        state = self.session.state
        if state in messages.BUSY:  # it reads the flash and moves the multiplexer
            raise StateError("wrong_state", {"method": "inspect", "state": state})
        return self.inspect()
