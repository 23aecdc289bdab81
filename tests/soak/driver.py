"""Plays a soak: sessions of rheo on the emulated board, with acts drawn from a seed, until the time asked for is used.

Everything seen goes to the oracle; every act goes to the log with its simulated time. The same seed is the same run.
"""

import random
from collections import Counter

from rheobase import order
from rheobase.emulator import EmulatedBoard
from rheobase.emulator.fault_python import python_ready
from rheobase.link.client import RpcError
from rheocore import messages
from soak import draw
from soak.afterwards import Afterwards
from soak.host import Host
from soak.operator_acts import OperatorActs
from soak.oracle import MS, Oracle
from soak.world_acts import NEED_THE_LINE, WorldActs

LEAST_MS = 3_000  # a rest shorter than this is not played
LATE_MS = 8_000  # a late channel's train is so much shorter
LEAK_BYTES = 4_096  # of 206 kB: what a collection does not find varies by so much


class Sink(list):
    """A list that keeps nothing: whoever wants what is appended is told."""

    def __init__(self, take):
        super().__init__()
        self.append = take


class Soak(OperatorActs, WorldActs, Afterwards):
    """One run. output_ms: of the session that is asked for. say(text): each line of the log."""

    def __init__(self, image_bin, seed, output_ms, log_dir, say=lambda text: None, keep=False, weights=None):
        self.rng = random.Random(f"soak {seed}")
        self.seed, self.asked_ms, self.log_dir, self.say = seed, output_ms, log_dir, say
        self.weights = weights or draw.PLAYING
        self.board = EmulatedBoard(image_bin)
        self.oracle = Oracle(self.board.board, keep, lambda t_ns, what: say(f"{t_ns / 1e9:12.6f} WRONG {what}"))
        self.board.edges = Sink(lambda edge: self.edge(*edge))
        self.board.setpoints = Sink(lambda step: self.feed("ua", *step))
        self.host = Host(self.board, lambda kind, t_ns, data: self.oracle.feed(kind, t_ns, data))
        self.acts = Counter()
        self.faults = Counter()
        self.ends = Counter()
        self.connections = self.sessions = 0
        self.memory = []  # free bytes, of one boot after another
        self.done = []  # what rheo must have put down of the session that plays
        self.records = []  # (path, books.Seen where everything is kept)
        self.told = {str(n): [0, 0, 0] for n in self.oracle.pins.channels}  # by the board: whole, cut, nC
        self.there = {n: [0, 0, 0, 0] for n in self.told}  # the same by the pins; charge: at least, at most, pC
        self.untold = 0  # sessions whose counts a reset has taken
        self.remainder_ms = output_ms
        self.uncounted_ms = 0  # what the board may have delivered and not counted, in all sessions
        self.fresh = True  # the mailbox is there
        self.forgot = False  # the board has been booted since its last session
        self.end_act = None  # the act that ends the session, drawn

    # -- small things ------------------------------------------------------------------------------------------------

    def feed(self, kind, t_ns, *what):
        self.oracle.feed(kind, t_ns, *what)

    def tell(self, kind, *what):
        self.feed(kind, self.board.now_ns, *what)

    def claim(self, holds, sentence):
        self.tell("claim", bool(holds), sentence)

    def log(self, what, detail=""):
        self.say(f"{self.board.now_ns / 1e9:12.6f} {what} {detail}".rstrip())

    def later(self, ms, fn):
        self.board.at(self.board.now_ns + round(ms * MS), fn)

    def expect(self, client, name, method, params=None, why=None):
        """The board must answer with this error and no other."""
        try:
            client.call(method, params)
            answer, data = "yes", {}
        except RpcError as error:
            answer, data = error.name, error.data
        if self.host.session and not self.on():
            return data  # its end came first
        self.claim(answer == name, f"{method} {params} is answered with {answer}, not {name}")
        if why:
            self.claim(data.get("why") == why, f"{method} {params} is refused by {data.get('why')}, not {why}")
        return data

    def on(self):
        """True while a session is on the board, as told."""
        return self.oracle.wire.state in messages.BUSY

    # -- the whole ---------------------------------------------------------------------------------------------------

    def run(self):
        """Play until what was asked for is delivered. Returns the result's fields."""
        python_ready(self.board)
        with self.host.in_simulated_time():
            is_new = True
            while self.one(is_new):
                is_new = False
        self.board.run_for(300 * MS)
        self.oracle.pins.settle()
        return self.result()

    def result(self):
        pins = self.oracle.pins
        channels = {}
        for n, (whole, cut, *_charge) in pins.total.items():
            told, there = self.told[str(n)], self.there[str(n)]
            self.claim(told[:2] == there[:2], f"channel {n}: {told} in all, on the pins {there}")
            channels[str(n)] = {
                "pulses": whole, "truncated": cut,
                "counted": {"pins": there[:2], "told": told[:2], "charge_uc": told[2] / 1000,
                            "charge_by_pins_uc": [pc / 10**6 for pc in there[2:]]},
            }  # fmt: skip
        most_ms = self.asked_ms + self.uncounted_ms
        self.claim(pins.live_ns <= most_ms * MS, f"{pins.live_ns / MS} ms were delivered of {self.asked_ms}")
        for boot in filter(None, self.memory):
            self.claim(boot[-1] > boot[0] - LEAK_BYTES, f"free bytes: {boot}")
        return {
            "seed": self.seed,
            "asked_s": self.asked_ms / 1000,
            "delivered_s": round(pins.live_ns / 1e9, 3),
            "simulated_s": round(self.board.now_ns / 1e9, 3),
            "sessions": self.sessions,
            "connections": self.connections,
            "counts_lost_with_a_reset": self.untold,
            "acts": dict(sorted(self.acts.items())),
            "faults": dict(sorted(self.faults.items())),
            "ends": dict(sorted(self.ends.items())),
            "channels": channels,
            "worst_ns": dict(pins.worst_ns),
            "latest_ms": {what: round(ns / MS, 3) for what, ns in sorted(pins.late_ns.items())},
            "free_bytes": [[boot[0], boot[-1]] for boot in self.memory if boot],
            "telemetry_left_out": self.oracle.wire.left_out,
            "digest": self.oracle.digest(),
            "differences": [f"{t_ns / 1e9:.6f} s: {sentence}" for t_ns, sentence in self.oracle.wrong],
        }

    def connect(self):
        """Open the port and shake hands; a board without the mailbox gets it again first."""
        if not self.fresh:
            self.host.close()
            self.tell("connected")
            python_ready(self.board)
            self.fresh, self.forgot = True, True
        self.connections += 1
        self.tell("connected")
        return self.host.open()

    def one(self, is_new):
        """One session, from the connection to its record. False if too little was left for one."""
        rng = self.rng
        board = self.connect()
        self.log("connected", f"{board.info['state']}, left {board.info['remainder_ms']}")
        if not is_new:
            board = self.after_an_end(board)
            left_ms = board.info["remainder_ms"] or 0
            self.judge_remainder(left_ms)
            self.remainder_ms = left_ms
            if left_ms < LEAST_MS:
                return False
        duration_ms = self.remainder_ms
        if not is_new:
            if rng.random() < 0.3:
                self.refuse_more_than_is_left(board, duration_ms)
            if rng.random() < 0.3:
                duration_ms = min(duration_ms, rng.randrange(LEAST_MS, 8_000))
        self.play(board, duration_ms, is_new)
        self.host.close()
        self.board.run_for(rng.randrange(20, 900) * MS)
        return True

    def play(self, board, duration_ms, is_new):
        rng = self.rng
        self.sessions += 1
        late = [n for n in (2, 3) if rng.random() < 0.25] if duration_ms > LATE_MS + LEAST_MS else []
        parts, orders = [], {}
        for n in (1, 2, 3):
            ms = duration_ms - LATE_MS if n in late else duration_ms
            made, doc = draw.part(rng, n, f"soak_{n}", ms, self.board.board)
            parts.append(made)
            orders[n] = (doc, made.amplitude_ua, ms * 1000)
        self.tell("orders", orders)
        self.began_ns = self.board.now_ns
        pins = self.oracle.pins
        self.live_before_ns, self.most_before_ns = pins.live_ns, pins.most_ns
        self.waiting, self.parts, self.ending = late, {p.n: p for p in parts}, False
        self.done, self.was_reset, self.forgot, self.end_act = [], False, False, None
        trains = ", ".join(f"{p.n}: {p.protocol['train']} {p.amplitude_ua} uA" for p in parts)
        self.log("session", f"{duration_ms} ms, late {late}; {trains}")
        board.call = self._starting(board, late, board.call)
        wanted = order.Order(parts, {}, [], yes=True)
        self.soon(100)
        if late:  # the acts drawn seldom find it in time
            number = self.sessions
            self.later(rng.randrange(500, LATE_MS - 1_500), lambda: self.late_comes(number))
        session = self.host.play(board, wanted, self.log_dir, is_new, self.act)
        self.aimed = None
        self.log("over", f"{session.stop_reason} {session.error or ''} {session.result and session.result['channels']}")
        self.ends[session.stop_reason or "none"] += 1
        self.judge_books(session)
        self.judge_end(session)
        self.board.run_for(max(0, self.outage_ns - self.board.now_ns))
        if self.was_reset:
            self.board.run_until(lambda: self.board.engine.resets > self.booted, 3_000 * MS)
            self.board.run_for(300 * MS)
        assert self.board.run_until(lambda: self.board.usb.connected, 3_000 * MS), "the board does not come back"

    def _starting(self, board, late, call):
        """The first start leaves out those that come late."""

        def start(method, params=None, **options):
            if method == "start" and late and "channels" not in params:
                params = {**params, "channels": [n for n in self.parts if n not in late]}
            return call(method, params, **options)

        return start

    # -- acts --------------------------------------------------------------------------------------------------------

    def set_interlock(self, closed):
        self.closed = bool(closed)
        self.board.set_interlock(closed)

    def next_act(self, number):
        """The time for an act has come: at the operator's hands if it is one of those, in the world at once else."""
        session = self.host.session
        if session is None or session.ended or session._winding_up or self.ending or number != self.sessions:
            return
        if self.oracle.wire.state not in ("paused", *messages.LIVE):
            return self.later(100, lambda: self.next_act(number))
        name = draw.act(self.rng, draw.PAUSED if self.oracle.wire.state == "paused" else self.weights)
        if name in NEED_THE_LINE and self.board.now_ns < self.outage_ns:
            return self.soon()  # two short ones together would be a long one
        in_world = getattr(self, "world_" + name, None)
        if in_world:
            self.log(name)
            self.count(name, in_world())
            if not self.ending:
                self.soon()
        else:
            self.host.keys.names.append(name)

    def late_comes(self, number):
        if number == self.sessions and not self.ending:
            self.host.keys.names.append("late_comes")

    def soon(self, least_ms=60):
        """Draw when the next act of this session comes."""
        number = self.sessions
        self.later(self.rng.randrange(least_ms, least_ms + 1400), lambda: self.next_act(number))

    def act(self, session, name):
        """An act of the operator: comes from the session's own loop."""
        if not self.on():
            return  # the board has told the end, and rheo has not read it yet
        if name == "late_comes":  # beside those that are drawn
            return self.count("late", self.do_late(session))
        self.log(name)
        done = None
        try:
            done = getattr(self, "do_" + name)(session)
        finally:
            self.count(name, done)
        if not self.ending:
            self.soon()

    def count(self, name, done):
        """An act counts where there was something to do."""
        if done is not False:
            self.acts[name] += 1
        if self.ending:
            self.end_act = name
