"""Plays a soak: sessions of rheo on the emulated board, with acts drawn from a seed, until the time asked for is used.

Everything seen goes to the oracle; every act goes to the log with its simulated time. The same seed is the same run.
"""

import random
from collections import Counter

from rheobase import order
from rheobase.emulator import EmulatedBoard
from rheobase.emulator.fault_python import python_ready
from rheobase.link import greeting
from rheobase.link.client import RpcError
from rheocore import messages
from soak import books, draw
from soak.host import Host
from soak.operator_acts import OperatorActs
from soak.oracle import MS, Oracle
from soak.world_acts import NEED_THE_LINE, WorldActs

LEAST_MS = 3_000  # a rest shorter than this is not played
LATE_MS = 8_000  # a late channel's train is so much shorter
PASS_MS = 40  # an end counts from the pass of the loop in which it is found
RESET_MS = 320  # what a reset may forget to count: its note is 100 ms old at most, and 200 ms of items go on
LEAK_BYTES = 4_096  # of 206 kB: what a collection does not find varies by so much
_SPARE = 1_960  # free bytes at the end of the mailbox


class Sink(list):
    """A list that keeps nothing: whoever wants what is appended is told."""

    def __init__(self, take):
        super().__init__()
        self.append = take


class Soak(OperatorActs, WorldActs):
    """One run. output_ms: of the session that is asked for. say(text): each line of the log."""

    def __init__(self, image_bin, seed, output_ms, log_dir, say=lambda text: None, keep=False, weights=None):
        self.rng = random.Random(f"soak {seed}")
        self.seed, self.asked_ms, self.log_dir, self.say = seed, output_ms, log_dir, say
        self.weights = weights or draw.PLAYING
        self.board = EmulatedBoard(image_bin)
        self.oracle = Oracle(self.board.board, keep, lambda t_ns, what: say(f"{t_ns / 1e9:12.6f} WRONG {what}"))
        self.board.edges = Sink(lambda edge: self.feed("edge", *edge))
        self.board.setpoints = Sink(lambda step: self.feed("ua", *step))
        self.host = Host(self.board, lambda kind, t_ns, data: self.oracle.feed(kind, t_ns, data))
        self.acts = Counter()
        self.faults = Counter()
        self.ends = Counter()
        self.connections = self.sessions = 0
        self.memory = []
        self.done = []  # what rheo must have put down of the session that plays
        self.records = []  # (path, books.Seen where everything is kept)
        self.told = {str(n): [0, 0, 0] for n in self.oracle.pins.channels}  # by the board: whole, cut, nC
        self.there = {n: [0, 0, 0, 0] for n in self.told}  # the same by the pins; charge: at least, at most, pC
        self.untold = 0  # sessions whose counts a reset has taken
        self.remainder_ms = output_ms
        self.fresh = True  # the mailbox is there

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
        self.claim(answer == name, f"{method} {params} is answered with {answer}, not {name}")
        if why:
            self.claim(data.get("why") == why, f"{method} {params} is refused by {data.get('why')}, not {why}")
        return data

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
        most_ns = self.asked_ms * MS + PASS_MS * MS * self.sessions + RESET_MS * MS * self.resets
        self.claim(pins.live_ns <= most_ns, f"{pins.live_ns / MS} ms were delivered of {self.asked_ms}")
        if self.memory:
            self.claim(self.memory[-1] > self.memory[0] - LEAK_BYTES, f"free bytes: {self.memory}")
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
            "free_bytes": [self.memory[0], self.memory[-1]] if self.memory else [],
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
            self.fresh = True
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
        self.live_before_ns = self.oracle.pins.live_ns
        self.waiting, self.parts, self.ending = late, {p.n: p for p in parts}, False
        self.done, self.was_reset = [], False
        trains = ", ".join(f"{p.n}: {p.protocol['train']} {p.amplitude_ua} uA" for p in parts)
        self.log("session", f"{duration_ms} ms, late {late}; {trains}")
        board.call = self._starting(board, late, board.call)
        wanted = order.Order(parts, {}, [], yes=True)
        self.soon(100)
        session = self.host.play(board, wanted, self.log_dir, is_new, self.act)
        self.log("over", f"{session.stop_reason} {session.error or ''} {session.result and session.result['channels']}")
        self.ends[session.stop_reason or "none"] += 1
        self.judge_books(session)
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

    def judge_books(self, session):
        """The record on disk against what was seen."""
        wire = self.oracle.wire
        unread = (self.host.port.inbox if self.host.port else b"") + session.client._buffer
        seen = books.Seen(
            list(wire.told), list(wire.telemetry), unread.count(b'"jsonrpc"'), self.done, session.order.channels,
            session.result, session.stop_reason, session.error is not None,
        )  # fmt: skip
        for sentence in books.compare(session.journal.path, seen):
            self.claim(False, f"record {session.journal.id}: {sentence}")
        self.records.append((session.journal.path, seen if self.oracle.seen is not None else None))

    # -- between two sessions ----------------------------------------------------------------------------------------

    def after_an_end(self, board):
        """Whatever ended the last session: nothing starts by itself, a fault stays until its cause is gone."""
        client = board.client
        for n in self.parts:
            self.board.set_load(n, "1000")
        status = board.status()
        state, fault = status["state"], status["fault"]
        self.take_counts(board.call("result"))
        self.expect_no_start(client, state)
        if state == "fault":
            self.faults[fault] += 1
            self.log("fault", fault)
            if not self.closed:
                self.expect(client, "not_gone", "clear_fault")
                self.set_interlock(True)
                self.board.run_for(self.rng.randrange(1, 80) * MS)
            cleared = board.call("clear_fault")
            self.claim(cleared == {"state": "idle", "confirmed": True}, f"clear_fault is answered with {cleared}")
        self.tell("clear")
        self.sample_memory()
        if self.rng.random() < 0.5 or not self.fresh:
            self.host.close()
            board = self.connect()
        else:
            board.info = greeting.hello(client)
        return board

    def take_counts(self, result):
        """What the last session delivered, by the board's word after it: the oracle has held it against the pins."""
        self.untold += not result["channels"]
        for n, row in result["channels"].items():
            for i, name in enumerate(("pulses", "truncated", "charge_nc")):
                self.told[n][i] += row[name]
            for i, much in enumerate(self.oracle.pins.delivered(int(n))):
                self.there[n][i] += much

    def expect_no_start(self, client, state):
        name = "bad_token"
        self.expect(client, name, "start", {"token": self.oracle.wire.token or 1})
        if state == "fault":
            self.expect(client, "fault", "configure", {"channels": {"1": {}}})
            self.expect(client, "fault", "arm")
        else:
            self.expect(client, "wrong_state", "arm")

    def judge_remainder(self, left_ms):
        """What may still run is what was not delivered: by the pins, to a pass, a reset's note and the rests."""
        live_ms = (self.oracle.pins.live_ns - self.live_before_ns) / MS
        most_ms = self.remainder_ms - live_ms + (RESET_MS if self.was_reset else PASS_MS)
        self.claim(left_ms <= most_ms, f"{left_ms} ms are left, by the pins {most_ms:.1f} at most")

    def refuse_more_than_is_left(self, board, left_ms):
        part, _doc = draw.part(self.rng, 1, "soak_more", left_ms + 1, self.board.board)
        self.expect(board.client, "refused", "configure", {"channels": {"1": part.cfg}, "new": 0}, "limit_remainder")

    def sample_memory(self):
        """Free heap of the board after a collection, through the mailbox; none after a reset of the board."""
        mailbox = self.board.mailbox
        if mailbox is None or mailbox.gone or not self.fresh:
            return
        at = mailbox._at + _SPARE
        source = f"import gc, machine\ngc.collect()\nmachine.mem32[{0x20000000 + at}] = gc.mem_free()"
        mailbox._emulated.mcu.sram[at : at + 4] = b"\0\0\0\0"
        mailbox.load(source, mailbox.run)
        self.board.run_for(150 * MS)
        free = int.from_bytes(self.board.mcu.sram[at : at + 4], "little")
        if free:
            self.memory.append(free)
            self.log("free", free)

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
            self.acts[name] += 1
            self.log(name)
            in_world()
            if not self.ending:
                self.soon()
        else:
            self.host.keys.names.append(name)

    def soon(self, least_ms=60):
        """Draw when the next act of this session comes."""
        number = self.sessions
        self.later(self.rng.randrange(least_ms, least_ms + 1400), lambda: self.next_act(number))

    def act(self, session, name):
        """An act of the operator: comes from the session's own loop."""
        self.acts[name] += 1
        self.log(name)
        getattr(self, "do_" + name)(session)
        if not self.ending:
            self.soon()
