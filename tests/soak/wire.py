"""What is said on the wire of a soak, both ways, and whether it may be said: states, ends, faults, counts. From the
contract's words; nothing of rheocore's session or server is used.
"""

import json
import zlib

MS = 1_000_000
LIVE = ("ramp_up", "run", "ramp_down")
LAG_NS = 90 * MS  # an account of the board is behind the pins by a pass, a collection and a line
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


class Wire:
    """The dialogue. pins: Pins. say(t_ns, sentence). orders: {n: (doc, target_ua, length_us)} of what rheo is told."""

    def __init__(self, pins, say):
        self.pins = pins
        self.say = say
        self.orders = {}
        self.asked_ms = None  # length of the session that is being configured
        self.state = None  # as told last
        self.fault = None
        self.token = None
        self.told = []  # events of this connection: [dev_us, kind, detail, channel]
        self.telemetry = []  # of this connection: params
        self.result = None
        self.duration_ms = 0
        self.deaf = False  # lines of the board are lost, or come late
        self._wires = {"sent": b"", "came": b""}
        self._open = {}  # id: (t_ns, method, params)
        self._done = set()  # methods that were asked and explain what is told next
        self._acks = []
        self._last_id = -1
        self.after = 0
        self.left_out = 0  # telemetry that did not fit: its number is missing
        self._seq = None

    def connected(self):
        """A port is opened: a new dialogue follows."""
        self._wires = {"sent": b"", "came": b""}
        self._open.clear()
        self.told, self.telemetry = [], []
        self._seq = None

    def bytes(self, kind, t_ns, data):
        *lines, self._wires[kind] = (self._wires[kind] + data).split(b"\n")
        for line in lines:
            message = read(line)
            if message is not None:
                (self._sent if kind == "sent" else self._came)(t_ns, message)
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
        self._open[ident] = (t_ns, method, params)
        if method == "hello":
            self._last_id = ident
        elif method not in ("stop", "status"):
            if ident <= self._last_id:
                return  # an id from before: the last one's answer is repeated, any other is refused, nothing is done
            self._last_id = ident
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
            error = message["error"]["message"] if "error" in message else None
            getattr(self, "_answered_" + method, lambda *_: None)(t_ns, asked_ns, params, message.get("result"), error)

    def _answered_hello(self, t_ns, asked_ns, params, result, error):
        if error is None:
            self.state, self._seq = result["state"], None
            if self.state not in ("armed", "paused", *LIVE):
                self.pins.ended(t_ns)

    def _answered_configure(self, t_ns, asked_ns, params, result, error):
        if error is None:
            self.pins.configured(self.orders)
            self.result = None

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
            elif channel.stretch and channel.stretch.began_ns is None:
                channel.stretch = None

    def _answered_resume(self, t_ns, asked_ns, params, result, error):
        if error is not None:
            self.pins.ended(t_ns)

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
            self._account(t_ns, asked_ns, result["channels"], result["state"] in LIVE)
            self.result = result

    def _answered_status(self, t_ns, asked_ns, params, result, error):
        if error is not None:
            return
        self.state, self.fault = result["state"], result["fault"]
        if result["state"] == "fault":
            self._faulty(t_ns, result["fault"])
        for n, set_ua, _ua, _ohms, count in result["channels"]:
            self._count(t_ns, asked_ns, self.pins.channels[n], count, result["state"] in LIVE)
            self._shown(t_ns, n, set_ua, result["state"])

    def _telemetry(self, t_ns, params):
        item = dict(zip(TELEMETRY, params, strict=True))
        self.telemetry.append(params)
        if self._seq is not None and item["seq"] <= self._seq:
            self.say(t_ns, f"telemetry {item['seq']} follows {self._seq}")
        self.left_out += 0 if self._seq is None else item["seq"] - self._seq - 1
        self._seq = item["seq"]
        if self.deaf:
            return
        if item["state"] != self.state:
            self.say(t_ns, f"telemetry says {item['state']}, the event before it {self.state}")
        for n, (set_ua, _ua, _ohms, count, charge_nc) in zip(sorted(self.orders), item["channels"], strict=False):
            channel = self.pins.channels[n]
            self._count(t_ns, t_ns, channel, count, item["state"] in LIVE)
            self._charge(t_ns, t_ns, channel, charge_nc, item["state"] in LIVE)
            self._shown(t_ns, n, set_ua, item["state"])

    def _shown(self, t_ns, n, set_ua, state):
        channel = self.pins.channels[n]
        if state not in LIVE and set_ua:
            self.say(t_ns, f"channel {n}: a set-point of {set_ua} uA is told in state {state}")
        if set_ua > max(channel.target_ua, *channel.before_ua):
            self.say(
                t_ns,
                f"channel {n}: a set-point of {set_ua} uA is told; targets {channel.before_ua}, {channel.target_ua}",
            )

    # -- counts and charge -------------------------------------------------------------------------------------------

    def _account(self, t_ns, asked_ns, channels, live):
        for n, row in channels.items():
            channel = self.pins.channels[int(n)]
            self._count(t_ns, asked_ns, channel, row["pulses"], live)
            self._charge(t_ns, asked_ns, channel, row["charge_nc"], live)
            if not live and row["truncated"] != channel.cut:
                self.say(t_ns, f"channel {n}: {row['truncated']} truncated, on the pins {channel.cut}")

    def _count(self, t_ns, asked_ns, channel, told, live):
        """While output is on the board may be a pass behind; afterwards every pulse counts."""
        behind = channel.since(asked_ns - LAG_NS)[0] if live else 0
        if not channel.whole - behind <= told <= channel.whole + (1 if live else 0):
            self.say(t_ns, f"channel {channel.n}: {told} pulses are told, on the pins {channel.whole}")

    def _charge(self, t_ns, asked_ns, channel, told_nc, live):
        least_pc, most_pc = channel.charge_pc()
        if live:
            least_pc -= channel.since(asked_ns - LAG_NS)[1]
        if not least_pc // 1000 <= told_nc <= most_pc // 1000:
            by_pins = f"{least_pc // 1000} to {most_pc // 1000}"
            self.say(t_ns, f"channel {channel.n}: {told_nc} nC are told, by the pins {by_pins}")

    # -- events ------------------------------------------------------------------------------------------------------

    def _event(self, t_ns, number, dev_us, kind, detail, channel):
        self.told.append([dev_us, kind, detail, channel])
        if kind == "state":
            self._state(t_ns, detail)
        elif kind == "fault":
            self.state, self.fault = "fault", detail
            self._faulty(t_ns, detail)
        elif kind == "end":
            self._end(t_ns, detail)
        else:
            self.say(t_ns, f"an event {kind} {detail}")

    def _asked(self, *methods):
        return any(method in methods for _t, method, _p in self._open.values())

    def _state(self, t_ns, state):
        before, self.state = self.state, state
        may = {
            "idle": before in ("safe", "fault", None) and self._asked("hello", "clear_fault"),
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
        if reason == "time_over":
            return
        if not self._asked("stop"):
            self.say(t_ns, f"the session ends with {reason} and nobody asked for it")

    def _faulty(self, t_ns, name):
        """A fault is told: something must have happened that is called so."""
        names = [name for cause in self.pins.causes for name in cause.names]
        if name == "host_lost":
            if self._acks and t_ns - self._acks[-1] < 1_000 * MS:
                self.say(t_ns, f"host_lost {(t_ns - self._acks[-1]) / MS:.0f} ms after a keep-alive")
        elif name not in names:
            self.say(t_ns, f"the board has the fault {name} and nothing happened that is called so: {names}")
        self.pins.ended(t_ns)
