"""The real image on the emulated board with a host beside it, in simulated time: what the end-to-end tests drive.

The board is the one that pytest's --board names; what a test has to know of it is here, from its description.
"""

from rheobase import boards
from rheobase.emulator import EmulatedBoard
from rheobase.measure import drop_unequal, trains
from rheocore import frames, messages

MS = 1_000_000
BOARD = boards.load()
NUMBERS = [channel["n"] for channel in BOARD["channels"]]
LEGS = [pin for channel in BOARD["channels"] for pin in (channel["leg_a"], channel["leg_b"])]
LEG_NAMES = [f"CH{n}_{leg}" for n in NUMBERS for leg in "AB"]
STEP_UA = BOARD["full_scale_ua"] * 5 // 1000  # of a set-point, in one pass
DAC_UA = -(-BOARD["full_scale_ua"] // (BOARD["dac_top"] + 1))  # one step of the DAC, rounded up
KEEPALIVE_NS = 200 * MS

BASE = {
    "kind": "continuous",
    "mode": "tens",
    "electrode": "skin",
    "bench": False,
    "period_us": 10_000,
    "width_us": 100,
    "gap_us": 50,
    "ramp_up_ms": 500,
    "ramp_down_ms": 500,
    "duration_ms": 2_000,
    "max_ua": 10_000,
    "amplitude_ua": 1_000,
}


def here(channels):
    """Of {n: anything}, what is for channels that this board has."""
    return {n: channels[n] for n in NUMBERS if n in channels}


class Refusal(Exception):
    """The board answered with an error; args: (name, data)."""


class Dut:
    """Device under test: board (EmulatedBoard) and a host that acknowledges telemetry while `alive`."""

    def __init__(self, image_bin, boot=True, **options):
        self.board = EmulatedBoard(image_bin, **options)
        self.board.on_bytes = self._arrived
        if boot:
            self.board.boot()
        self.alive = True
        self.token = 0
        self.telemetry = []
        self.events = []  # (n, dev_us, kind, detail)
        self.channels_named = []  # by each of them: a channel or None
        self.replies = {}
        self.times = {}  # id -> simulated ns of the reply's last byte
        self.acked_ns = []  # when it acknowledged
        self.noise = []
        self._line = bytearray()
        self._id = 0
        self._seq = -1
        self._keep_alive()

    # -- the host's side ---------------------------------------------------------------------------------------

    def post(self, method, **params):
        """Send a request, return its id."""
        self._id += 1
        message = {"jsonrpc": "2.0", "id": self._id, "method": method}
        if params:
            message["params"] = params
        self.board.send(frames.encode(message))
        return self._id

    def call(self, method, timeout_ns=1000 * MS, **params):
        """Send a request and run until its reply. Raises Refusal, or AssertionError without an answer."""
        ident = self.post(method, **params)
        assert self.board.run_until(lambda: ident in self.replies, timeout_ns), f"no reply to {method}: {self.noise}"
        reply = self.replies[ident]
        if "error" in reply:
            raise Refusal(reply["error"]["message"], reply["error"]["data"])
        return reply["result"]

    def round_trip_ns(self, method, **params):
        """Simulated time from the request's first byte to the reply's last."""
        start = self.board.now_ns
        self.call(method, **params)
        return self.times[self._id] - start

    def greet(self):
        return self.call("hello", wire=messages.WIRE)

    def load(self, channels, bench=None):
        """Greet, configure, arm. channels: {n: changes to BASE}."""
        self.greet()
        self.call("configure", channels={str(n): {**BASE, **change} for n, change in channels.items()}, new=1)
        self.token = self.call("arm", **({} if bench is None else {"bench": bench}))["token"]

    def start(self, channels=None):
        self.call("start", token=self.token, **({} if channels is None else {"channels": channels}))

    def state(self):
        return self.call("status")["state"]

    def run_ms(self, ms):
        self.board.run_for(round(ms * MS))

    def run_to_end(self, timeout_ms=20_000):
        """Run until the session is over (event `end` or `fault`); returns its result."""
        over = self.board.run_until(lambda: any(e[2] in ("end", "fault") for e in self.events), round(timeout_ms * MS))
        assert over, "the session did not end"
        self.run_ms(30)
        return self.call("result")

    def trains(self, tolerance_ns=500):
        """{n: Train} of everything on the pins so far; pulses of unequal phases are `truncated`."""
        return {n: drop_unequal(t, tolerance_ns) for n, t in trains(self.board.edges).items()}

    def leg_edges(self):
        return [e for e in self.board.edges if e[1].startswith("CH")]

    # -- what arrives ------------------------------------------------------------------------------------------

    def _arrived(self, t_ns, data):
        self._line += data
        while b"\n" in self._line:
            line, _, rest = bytes(self._line).partition(b"\n")
            self._line = bytearray(rest)
            self._take(t_ns, line)

    def _take(self, t_ns, line):
        message, error = frames.decode(line)
        if error:
            self.noise.append(line)
        elif message.get("method") == "tel":
            item = dict(zip(messages.TELEMETRY, message["params"], strict=True))
            self._seq = item["seq"]
            self.telemetry.append(item)
            if self.alive:
                self._ack()
        elif message.get("method") == "event":
            self.events.append(message["params"][:4])
            self.channels_named.append(message["params"][4])
        else:
            self.replies[message["id"]] = message
            self.times[message["id"]] = t_ns

    def _ack(self):
        message = {"jsonrpc": "2.0", "method": "ack", "params": [self._seq, self.token]}
        self.acked_ns.append(self.board.now_ns)
        self.board.send(frames.encode(message))

    def _keep_alive(self):
        if self.alive and self.token:
            self._ack()
        self.board.at(self.board.now_ns + KEEPALIVE_NS, self._keep_alive)
