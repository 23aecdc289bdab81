"""What is said on the wire of a soak, both ways, and whether it may be said: states, ends, faults, counts. From the
contract's words; nothing of rheocore's session or server is used.
"""

import json
import zlib

from soak.told import LIVE, Told
from soak.train import MS

ALWAYS = ("hello", "stop", "status")  # answered whatever their id
ARRIVING_NS = 5 * MS  # what was sent so shortly before the cable or the program went may not have arrived
LEFT_OUT = 3  # lines of telemetry that may find no room in a second, beside events and answers
TELEMETRY = ("seq", "dev_us", "state", "t_left_ms", "interlock", "fault", "channels")


def read(line):
    """The message of a line, or None if it is none."""
    text, _, crc = line.strip().rpartition(b" ")
    try:
        if len(crc) == 8 and int(crc, 16) == zlib.crc32(text):
            message = json.loads(text)
            return message if isinstance(message, dict) else None
    except ValueError:
        pass
    return None


class Wire(Told):
    """The dialogue. pins: Pins. say(t_ns, sentence). orders: {n: (doc, target_ua, length_us)} of what rheo is told."""

    def __init__(self, pins, say):
        self.pins = pins
        self.say = say
        self.orders = {}
        self.state = None  # as told last
        self.fault = None  # as told, until it is cleared: nothing else ends it
        self.end = None  # of the session, as told: time_over, a stop's reason or a fault
        self.interlock = [(0, True)]  # its last changes: (t_ns, closed)
        self.token = None
        self.told = []  # events of this connection: [dev_us, kind, detail, channel]
        self.telemetry = []  # of this connection: params
        self.result = None  # the last that was told
        self.deaf = False  # lines of the board are lost, or come late
        self._wires = {"sent": b"", "came": b""}
        self._open = {}  # id: (t_ns, method, params)
        self._replies = {}  # id: the answer, in this dialogue
        self._stale = set()  # ids that came again after a higher one
        self._number = None  # of the last event
        self._acks = []
        self._last_id = -1
        self.left_out = 0  # telemetry that did not fit: its number is missing
        self._seq = None
        self._lately = []  # when lines of it were left out
        self._missed = False  # something that the board may have told since it was configured

    def connected(self):
        """A port is opened: a new dialogue follows."""
        self._wires = {"sent": b"", "came": b""}
        self._open.clear()
        self.told, self.telemetry = [], []
        self._seq = self._number = None

    def flag(self, t_ns, name, value):
        """deaf: whether lines of the board are lost, or come late, from now on."""
        setattr(self, name, value)
        self._seq, self._missed = None, True
        self._acks = [at_ns for at_ns in self._acks if at_ns < t_ns - ARRIVING_NS]

    def bytes(self, kind, t_ns, data):
        *lines, self._wires[kind] = (self._wires[kind] + data).split(b"\n")
        for line in lines:
            message = read(line.lstrip(b"\r\x02\x04") if kind == "sent" else line)  # keys of the REPL, before a hello
            if message is not None:
                (self._sent if kind == "sent" else self._came)(t_ns, message)
            elif kind == "came" and line[:1] == b"{" and not (self.deaf or self._caused("ctrl_c", "dead")):
                self.say(t_ns, f"a damaged line: {line[:60]}")
        if kind == "sent" and b"\x03" in data:
            self._wires["sent"] = b""
            self.pins.cause("ctrl_c", t_ns)
        if len(self._wires[kind]) > 8192:
            self._wires[kind] = b""

    # -- the host's lines --------------------------------------------------------------------------------------------

    def _sent(self, t_ns, message):
        method, params = message.get("method"), message.get("params") or {}
        if method == "ack":
            if params[1] and params[1] == self.token:
                self._acks = [t for t in (*self._acks, t_ns) if t_ns - t < 3_000 * MS]
                self.pins.heard(t_ns)
            return
        ident = message.get("id")
        if message.get("jsonrpc") != "2.0" or type(ident) is not int or ident < 0:
            return  # no request: nothing may come of it
        if method == "hello":
            self._last_id = ident
            self._replies, self._stale = {}, set()
        elif method in ALWAYS:
            self._last_id = max(self._last_id, ident)
        else:
            if ident < self._last_id:
                self._stale.add(ident)
            if ident <= self._last_id:
                return  # an id from before: the last one's answer is repeated, any other is refused, nothing is done
            self._last_id = ident
        self._open[ident] = (t_ns, method, params)
        right = params.get("token") == self.token
        if method == "start" and right and (self.state == "armed" or self.state in LIVE):
            self.pins.play([int(n) for n in params.get("channels") or self.orders], t_ns)
        elif method == "resume" and right and self.state == "paused":
            self.pins.play([c.n for c in self.pins.channels.values() if c.begun and c.order[2] > 0], t_ns)
        elif method in ("stop", "pause") and self.pins.playing():
            self.pins.cause(method, t_ns)
        elif method == "amplitude" and right:
            channel = self.pins.channels.get(params["channel"])
            if channel:
                channel.asked_ua = params["ua"]

    # -- the board's -------------------------------------------------------------------------------------------------

    def _came(self, t_ns, message):
        method = message.get("method")
        if method == "tel":
            self._telemetry(t_ns, message["params"])
        elif method == "event":
            self._event(t_ns, *message["params"])
        elif message.get("id") in self._open:
            asked_ns, method, params = self._open.pop(message["id"])
            if method not in ALWAYS:
                self._replies[message["id"]] = message
            error = message["error"]["message"] if "error" in message else None
            getattr(self, "_answered_" + method, lambda *_: None)(t_ns, asked_ns, params, message.get("result"), error)
        elif message.get("id") in self._stale or message.get("id") in self._replies:
            self._repeated(t_ns, message)

    def _repeated(self, t_ns, message):
        """A line came again: if it was the last, its answer comes again; any other is refused. Neither does a thing."""
        error = message["error"]["message"] if "error" in message else None
        if error != "stale_id" if message["id"] in self._stale else message != self._replies[message["id"]]:
            self.say(t_ns, f"a line that came again is answered with {error or message['result']}")

    def _stands(self, t_ns, state, fault, unsure=False):
        """What the board says of itself: a latched fault stays, and a state is the one that its events told."""
        if self.fault and (state, fault) != ("fault", self.fault):
            self.say(t_ns, f"the fault {self.fault} is latched, and the board says {state}, {fault}")
        if fault and state != "fault":
            self.say(t_ns, f"the board says {state}, and the fault {fault}")
        if state != self.state and not (self.deaf or unsure or self._caused("dead")):
            self.say(t_ns, f"the board says {state}, the event before it {self.state}")
        self.state = state
        if state == "fault" and fault:
            self._faulty(t_ns, fault)

    def _answered_hello(self, t_ns, asked_ns, params, result, error):
        if error is None:
            self._seq = None
            self._stands(t_ns, result["state"], self.fault, unsure=True)
            if self.state not in ("armed", "paused", *LIVE):
                self.pins.ended(t_ns)

    def _answered_configure(self, t_ns, asked_ns, params, result, error):
        if error is None:
            self.pins.configured(self.orders)
            self.result = self.end = None
            self._missed = self.deaf

    def _answered_clear_fault(self, t_ns, asked_ns, params, result, error):
        if error is None:
            self.fault = None

    def _answered_arm(self, t_ns, asked_ns, params, result, error):
        if error is None:
            self.token = result["token"]
            self.pins.heard(t_ns)

    def _answered_start(self, t_ns, asked_ns, params, result, error):
        if params.get("token") != self.token and error != "bad_token":
            self.say(t_ns, f"a start with another's token is answered with {error or 'yes'}")
        for n in params.get("channels") or self.orders:
            channel = self.pins.channels[int(n)]
            if error is None:
                channel.begun = True
                self.pins.given(t_ns)
            elif channel.stretch and channel.stretch.began_ns is None:
                channel.stretch = None

    def _answered_resume(self, t_ns, asked_ns, params, result, error):
        (self.pins.ended if error else self.pins.given)(t_ns)

    def _answered_amplitude(self, t_ns, asked_ns, params, result, error):
        channel = self.pins.channels.get(params["channel"])
        if channel is None:
            return
        if error is None:
            self.pins.aim(channel.n, params["ua"], t_ns)
        channel.asked_ua = None

    def _answered_stop(self, t_ns, asked_ns, params, result, error):
        if error is None and result["confirmed"] and result["state"] not in LIVE:
            self.pins.ended(t_ns)

    _answered_pause = _answered_stop

    def _answered_result(self, t_ns, asked_ns, params, result, error):
        if error is None:
            self._stands(t_ns, result["state"], result["fault"])
            self._account(t_ns, asked_ns, result["channels"], result["state"] in LIVE)
            self.result = result
            ended = result["channels"] and result["stop_reason"] and not (self.end is None and self._missed)
            if ended and result["stop_reason"] != self.end:
                self.say(t_ns, f"the result says {result['stop_reason']}, the event said {self.end}")

    def _answered_status(self, t_ns, asked_ns, params, result, error):
        if error is not None:
            return
        self._stands(t_ns, result["state"], result["fault"])
        self._interlock_told(t_ns, asked_ns, result["interlock"])
        self._left_told(t_ns, asked_ns, result["t_left_ms"])
        for n, set_ua, _ua, _ohms, count in result["channels"]:
            self._count(t_ns, asked_ns, self.pins.channels[n], count, result["state"] in LIVE)
            self._shown(t_ns, asked_ns, n, set_ua, result["state"])

    def _telemetry(self, t_ns, params):
        item = dict(zip(TELEMETRY, params, strict=True))
        self.telemetry.append(params)
        if self._seq is not None and item["seq"] <= self._seq:
            self.say(t_ns, f"telemetry {item['seq']} follows {self._seq}")
        left_out = 0 if self._seq is None or self.deaf else item["seq"] - self._seq - 1
        self.left_out += left_out
        self._lately = [at_ns for at_ns in self._lately if t_ns - at_ns < 1_000 * MS] + [t_ns] * left_out
        if left_out and len(self._lately) > LEFT_OUT:
            self.say(t_ns, f"telemetry before {item['seq']} is left out, {len(self._lately)} in a second")
        self._seq = item["seq"]
        self._stands(t_ns, item["state"], item["fault"])
        if self.deaf:
            return
        made_ns = t_ns - self.pins.stopped_ns(t_ns)  # before that, where the processor stood still over it
        self._interlock_told(t_ns, made_ns, item["interlock"])
        self._left_told(t_ns, made_ns, item["t_left_ms"])
        for n, (set_ua, _ua, _ohms, count, charge_nc) in zip(sorted(self.orders), item["channels"], strict=False):
            channel = self.pins.channels[n]
            self._count(t_ns, made_ns, channel, count, item["state"] in LIVE)
            self._charge(t_ns, made_ns, channel, charge_nc, item["state"] in LIVE)
            self._shown(t_ns, made_ns, n, set_ua, item["state"])

    # -- events ------------------------------------------------------------------------------------------------------

    def _event(self, t_ns, number, dev_us, kind, detail, channel):
        self.told.append([dev_us, kind, detail, channel])
        if self._number is not None and number != self._number + 1 and not self.deaf:
            self.say(t_ns, f"event {number} follows {self._number}")
        self._number = None if self.deaf else number
        if kind == "state":
            self._state(t_ns, detail)
        elif kind == "fault":
            self.state = "fault"
            self._faulty(t_ns, detail)
            if channel not in [cause.channel for cause in self.pins.causes] + [None] * (detail == "host_lost"):
                self.say(t_ns, f"the fault {detail} is told of channel {channel}")
        elif kind == "end":
            self._end(t_ns, detail)
        else:
            self.say(t_ns, f"an event {kind} {detail}")

    def _asked(self, *methods):
        return any(method in methods for _t, method, _p in self._open.values())

    def _state(self, t_ns, state):
        before, self.state = self.state, state
        may = {
            "idle": self._asked("clear_fault") if before == "fault" else self._asked("hello"),
            "loaded": before in ("idle", "loaded", "done") and self._asked("configure"),
            "armed": before == "loaded" and self._asked("arm"),
            "paused": before in LIVE and self._asked("pause"),
            "done": before in ("armed", "paused", *LIVE),
            **dict.fromkeys(LIVE, before in LIVE),
            "ramp_up": before in LIVE or (before in ("armed", "paused") and self._asked("start", "resume")),
        }
        if not may.get(state) and not self.deaf:
            self.say(t_ns, f"the board goes from {before} to {state} and nobody asked for it")
        if state in ("paused", "done"):
            if state == "done" and not self._caused("stop"):
                self.pins.over(t_ns)
            self.pins.ended(t_ns)

    def _caused(self, *whats):
        return any(cause.what in whats for cause in self.pins.causes) or ("stop" in whats and self._asked("stop"))

    def _end(self, t_ns, reason):
        self.end = reason
        if reason == "time_over":
            if self.pins.unplayed():
                self.say(t_ns, f"the session's time is over, and channels {self.pins.unplayed()} have something left")
            return
        reasons = [p.get("reason", "stop_command") for _t, method, p in self._open.values() if method == "stop"]
        if reason not in reasons:
            self.say(t_ns, f"the session ends with {reason}, asked for was {reasons}")

    def _faulty(self, t_ns, name):
        """A fault is told: something must have happened that is called so. It is latched from now on."""
        names = [name for cause in self.pins.causes for name in cause.names]
        if name == "host_lost":
            if self._acks and t_ns - self._acks[-1] < 1_000 * MS:
                self.say(t_ns, f"host_lost {(t_ns - self._acks[-1]) / MS:.0f} ms after a keep-alive")
        elif name not in names and name != self.fault:
            self.say(t_ns, f"the board has the fault {name} and nothing happened that is called so: {names}")
        self.fault = self.end = name
        self.pins.ended(t_ns)
