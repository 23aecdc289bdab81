"""Plays a soak: sessions of rheo on the emulated board, with acts drawn from a seed, until the time asked for is used.

Everything seen goes to the oracle; every act goes to the log with its simulated time. The same seed is the same run.
"""

import contextlib
import random
from collections import Counter

from rheobase import order, served
from rheobase.emulator import EmulatedBoard, cpu
from rheobase.emulator.fault_python import python_ready
from rheobase.errors import RheoError
from rheobase.link import greeting
from rheobase.link.client import RpcError
from rheocore import frames, limits, messages

from soak import books, draw
from soak.host import Host
from soak.oracle import MS, Oracle

LEAST_MS = 3_000  # a rest shorter than this is not played
LATE_MS = 8_000  # a late channel's train is so much shorter
STEP_UA = 1_000  # one raise on skin
RESET_MS = 320  # what a reset may forget to count: its note is 100 ms old at most, and 200 ms of items go on
LEAK_BYTES = 4_096  # of 206 kB: what a collection does not find varies by so much
_SPARE = 1_960  # free bytes at the end of the mailbox


OUTAGES = ("cable_brief", "cable_long", "mute_brief", "mute_long", "host_gone", "host_deaf")


class Sink(list):
    """A list that keeps nothing: whoever wants what is appended is told."""

    def __init__(self, take):
        super().__init__()
        self.append = take


class Soak:
    """One run. output_ms: of the session that is asked for. say(text): each line of the log."""

    def __init__(self, image_bin, seed, output_ms, log_dir, say=lambda text: None, keep=False, weights=None):
        self.rng = random.Random(f"soak {seed}")
        self.seed, self.asked_ms, self.log_dir, self.say = seed, output_ms, log_dir, say
        self.weights = weights or draw.PLAYING
        self.board = EmulatedBoard(image_bin)
        self.oracle = Oracle(self.board.board, keep)
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
        self.untold = 0  # sessions whose counts a reset has taken
        self.remainder_ms = output_ms
        self.fresh = True  # the mailbox is there

    # -- small things ------------------------------------------------------------------------------------------------

    def feed(self, kind, t_ns, *what):
        self.oracle.feed(kind, t_ns, *what)

    def tell(self, kind, *what):
        self.feed(kind, self.board.now_ns, *what)

    def claim(self, holds, sentence):
        if not holds:
            self.log("WRONG", sentence)
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
            while is_new or self.remainder_ms >= LEAST_MS:
                self.one(is_new)
                is_new = False
        self.board.run_for(300 * MS)
        self.oracle.pins.settle()
        return self.result()

    def result(self):
        pins = self.oracle.pins
        channels = {}
        for n, (whole, cut, least_pc, most_pc) in pins.total.items():
            told = self.told[str(n)]
            if not self.untold:
                self.claim(told[:2] == [whole, cut], f"channel {n}: {told} in all, on the pins {[whole, cut]}")
            channels[str(n)] = {
                "pulses": whole, "truncated": cut, "told": told[0], "told_truncated": told[1],
                "charge_uc": told[2] / 1000, "charge_by_pins_uc": [least_pc / 10**6, most_pc / 10**6],
            }  # fmt: skip
        most_ns = self.asked_ms * MS + 2 * MS * self.sessions + RESET_MS * MS * self.resets
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
        """One session, from the connection to its record."""
        rng = self.rng
        board = self.connect()
        self.log("connected", f"{board.info['state']}, left {board.info['remainder_ms']}")
        if not is_new:
            board = self.after_an_end(board)
            left_ms = board.info["remainder_ms"] or 0
            self.judge_remainder(left_ms)
            self.remainder_ms = left_ms
            if left_ms < LEAST_MS:
                return
        duration_ms = self.remainder_ms
        if not is_new:
            if rng.random() < 0.3:
                self.refuse_more_than_is_left(board, duration_ms)
            if rng.random() < 0.3:
                duration_ms = min(duration_ms, rng.randrange(LEAST_MS, 8_000))
        self.play(board, duration_ms, is_new)
        self.host.close()
        self.board.run_for(rng.randrange(20, 900) * MS)

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
        while self.board.now_ns < self.outage_ns or not self.board.usb.connected:
            self.board.run_for(50 * MS)
        if self.was_reset:
            self.board.run_until(lambda: self.board.engine.resets > self.booted, 3_000 * MS)
            self.board.run_until(lambda: self.board.usb.connected, 3_000 * MS)
            self.board.run_for(300 * MS)

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
        most_ms = self.remainder_ms - live_ms + (RESET_MS if self.was_reset else 5)
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

    closed = True
    was_reset = False
    resets = booted = 0
    outage_ns = 0

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
        if name in OUTAGES and self.board.now_ns < self.outage_ns:
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

    def pick(self, session):
        n = self.rng.choice([n for n in self.parts if n not in self.waiting])
        return n, session.targets[n]

    def cap(self, n):
        return min(draw.FULL_UA, limits.amplitude_max_ua(self.parts[n].cfg, self.board.board)[1])

    def aim(self, session, n, ua):
        try:
            self.claim(session.aim(n, ua), f"channel {n} is not aimed at {ua}")
        except RheoError as error:
            return self.claim(False, f"channel {n} at {ua} uA: {error.message}")
        self.done.append(("amplitude", {"channel": n, "ua": ua}))

    def do_raise(self, session):
        n, ua = self.pick(session)
        if ua < self.cap(n):
            self.aim(session, n, self.rng.randrange(ua, min(self.cap(n), ua + STEP_UA) + 1))

    def do_lower(self, session):
        n, ua = self.pick(session)
        self.aim(session, n, self.rng.randrange(0, ua + 1))

    def _ask_for(self, session, n, ua, name, why=None, token=None):
        params = {"token": session.client.token if token is None else token, "channel": n, "ua": ua}
        return self.expect(session.client, name, "amplitude", params, why)

    def do_raise_too_much(self, session):
        n, ua = self.pick(session)
        if ua + STEP_UA < limits.amplitude_max_ua(self.parts[n].cfg, self.board.board)[1]:
            self._ask_for(session, n, ua + STEP_UA + self.rng.choice((1, 500)), "refused", "limit_step")

    def do_above_all(self, session):
        n, _ua = self.pick(session)
        self._ask_for(session, n, self.rng.choice((10_001, 50_001, 1 << 29)), "refused")

    def do_below_zero(self, session):
        n, _ua = self.pick(session)
        self._ask_for(session, n, -self.rng.randrange(1, 5000), "refused", "too_low")

    def do_no_channel(self, session):
        self._ask_for(session, self.rng.choice((0, 4, 9)), 100, "invalid_params")

    def do_wrong_token(self, session):
        n, ua = self.pick(session)
        self._ask_for(session, n, ua // 2, "bad_token", token=session.client.token + self.rng.choice((-1, 1, 7)))

    def do_wrong_resume(self, session):
        self.expect(session.client, "bad_token", "resume", {"token": session.client.token + 1})

    def do_start_paused(self, session):
        self.expect(session.client, "wrong_state", "start", {"token": session.client.token})

    def do_status(self, session):
        session.board.status()

    def do_result(self, session):
        session.board.call("result")

    def do_hello(self, session):
        greeting.hello(session.client)

    def do_inspect(self, session):
        self.expect(session.client, "wrong_state", "inspect")

    def do_configure_live(self, session):
        self.expect(session.client, "wrong_state", "configure", {"channels": session.order.configs, "new": 1})

    def do_arm_twice(self, session):
        self.expect(session.client, "wrong_state", "arm")

    def do_bench_lever(self, session):
        self.expect(session.client, "bench_only", "stall", {"token": session.client.token, "ms": 500})

    def do_wait(self, session):
        pass

    def _line(self, session, method, params, ident):
        return frames.encode({"jsonrpc": "2.0", "id": ident, "method": method, "params": params})

    def do_repeat(self, session):
        """The same line twice: answered twice, done once."""
        client = session.client
        n, ua = self.pick(session)
        self.aim(session, n, ua // 2)
        params = {"token": client.token, "channel": n, "ua": ua // 2}
        for _ in range(self.rng.randrange(1, 4)):
            self.host.port.send(self._line(session, "amplitude", params, client._next_id - 1))
        self.wait_ms(session, 60)

    def do_stale(self, session):
        """An id from before: refused, whatever it asks for."""
        client = session.client
        if client._next_id > 3:
            self.tell("flag", "stale", True)
            self.host.port.send(self._line(session, "pause", {}, self.rng.randrange(1, client._next_id - 1)))
            self.wait_ms(session, 60)
            self.tell("flag", "stale", False)

    def do_garbage(self, session):
        junk = bytes(self.rng.choice([b for b in range(256) if b not in (3, 4)]) for _ in range(self.rng.randrange(1, 400)))
        self.host.port.send(junk + b"\n")
        self.wait_ms(session, 40)

    def do_damaged_stop(self, session):
        """A stop with one bit turned: no stop."""
        line = bytearray(self._line(session, "stop", {}, session.client._next_id))
        at = self.rng.randrange(len(line) - 1)
        line[at] ^= 1 << self.rng.randrange(7)
        if not {3, 10, 13} & {line[at]}:
            self.host.port.send(bytes(line))
            self.wait_ms(session, 40)

    def do_too_long(self, session):
        self.host.port.send(b"{" + b"x" * self.rng.randrange(2050, 4000) + b"\n")
        self.wait_ms(session, 100)

    def do_no_request(self, session):
        message = self.rng.choice(({"jsonrpc": "2.0", "id": -4, "method": "stop"}, {"id": 99, "method": "stop"},
                                   {"jsonrpc": "2.0", "method": "stop"}, {"jsonrpc": "2.0", "id": "a", "method": "stop"}))  # fmt: skip
        self.host.port.send(frames.encode(message))
        self.wait_ms(session, 40)

    def do_flood(self, session):
        for _ in range(30):
            self.host.port.send(self._line(session, "status", {}, 0))
        self.wait_ms(session, 100)

    def do_late(self, session):
        """A waiting channel joins, if what is left of its time fits."""
        if not self.waiting:
            return
        n = self.waiting[0]
        result = session.board.call("result")
        fits = result["duration_ms"] + self.parts[n].cfg["duration_ms"] <= session.order.duration_ms - 50
        params = {"token": session.client.token, "channels": [n]}
        if fits:
            self.waiting.remove(n)
            session.board.call("start", params)
        elif session.order.duration_ms < self.asked_ms and not session.guide.is_new:
            allowance = session.board.info["remainder_ms"]
            if result["duration_ms"] + self.parts[n].cfg["duration_ms"] > allowance:
                self.expect(session.client, "refused", "start", params, "limit_remainder")

    def do_pause(self, session):
        reply = session.pause()
        self.claim(reply == {"state": "paused", "confirmed": True}, f"pause is answered with {reply}")
        self.done.append(("pause", {}))

    def do_resume(self, session):
        reply = session.resume()
        self.claim(reply and reply["state"] in ("ramp_up", "done"), f"resume is answered with {reply}")
        self.done.append(("resume", {}))

    def world_stop_key(self):
        self.ending = True
        self.host.keys.names.append("stop")  # the session's own: it never reaches a guide

    def do_stop_by_socket(self, session):
        self.ending = True
        reply = served.answer(session, "stop", {})
        self.claim(reply == {"state": "done", "confirmed": True}, f"stop is answered with {reply}")

    def do_host_ctrl_c(self, session):
        self.ending = True
        self.host.ctrl_c()

    def do_host_ctrl_c_twice(self, session):
        self.ending, self.fresh = True, False
        self.host.ctrl_c(2)

    def do_stop_after_trip(self, session):
        """The interlock opens for 2 ms, and a stop comes before the board's next look."""
        self.ending = True
        self.interlock(2)
        with contextlib.suppress(RheoError):
            session.stop()

    def wait_ms(self, session, ms):
        """rheo's own loop goes on for so long."""
        until_ns = self.board.now_ns + ms * MS
        while self.board.now_ns < until_ns:
            session.client.wait(0.02)

    # -- in the world ------------------------------------------------------------------------------------------------

    def interlock(self, for_ms, level=False):
        self.tell("cause", "interlock")
        self.set_interlock(level)
        if for_ms:
            self.later(for_ms, lambda: self.set_interlock(True))

    def world_interlock(self):
        self.ending = True
        self.interlock(None)

    def world_interlock_blip(self):
        self.ending = True
        self.interlock(self.rng.choice((0.002, 0.3, 2, 20)))

    def world_interlock_floating(self):
        self.ending = True
        self.interlock(None, None)

    def world_ctrl_c(self):
        self.ending, self.fresh = True, False
        if self.host.port:
            self.host.port.send(b"\x03")

    def world_collect(self):
        mailbox = self.board.mailbox
        if mailbox and not mailbox.gone and self.fresh:
            mailbox.load("import gc\nfor _ in range(%d):\n gc.collect()" % self.rng.randrange(1, 4), mailbox.run)

    def world_host_deaf(self):
        self.tell("flag", "deaf", True)
        self.board.usb.set_reading(False, "soak")

        def hear():
            self.board.usb.set_reading(True, "soak")
            self.later(500, lambda: self.tell("flag", "deaf", False))

        self.later(self.rng.randrange(100, 900), hear)

    def unplug(self):
        self.tell("flag", "deaf", True)
        self.tell("flag", "cable", False)
        self.board.usb.set_plugged(False)

    def plug(self):
        self.board.usb.set_plugged(True)
        self.configured()
        self.later(500, lambda: self.tell("flag", "deaf", False))

    def configured(self):
        """Nothing reaches the board before the USB port is configured anew."""
        if self.board.usb.connected:
            self.tell("flag", "cable", True)
        else:
            self.later(1, self.configured)

    def world_cable_brief(self):
        self.unplug()
        self.later(self.rng.randrange(2, 350), self.plug)
        self.outage_ns = self.board.now_ns + 1_000 * MS

    def world_cable_long(self):
        self.ending = True
        self.unplug()
        port = self.host.port
        self.later(self.rng.randrange(0, 400), lambda: setattr(port, "broken", True))
        self.later(self.rng.randrange(1500, 2500), self.plug)
        self.outage_ns = self.board.now_ns + 2_600 * MS

    def world_host_gone(self):
        """rheo is killed, as far as the board can see: the port is closed and nothing is read or sent."""
        self.ending = True
        self.tell("flag", "deaf", True)
        self.tell("flag", "cable", False)
        self.board.usb.set_gone(True)
        port = self.host.port
        self.later(1, lambda: setattr(port, "broken", True))

        def back():
            self.board.usb.set_gone(False)
            self.tell("flag", "cable", True)
            self.tell("flag", "deaf", False)

        self.later(self.rng.randrange(1400, 1900), back)
        self.outage_ns = self.board.now_ns + 2_000 * MS

    def mute(self, ms):
        port = self.host.port
        port.muted = True
        self.later(ms, lambda: setattr(port, "muted", False))
        self.outage_ns = self.board.now_ns + (ms + 400) * MS

    def world_mute_brief(self):
        self.mute(self.rng.randrange(100, 600))

    def world_mute_long(self):
        self.ending = True
        self.mute(1_400)

    def world_electrode_open(self):
        """A lead falls off a channel that has had its target for a while; or nothing is done."""
        steady = [
            c for c in self.oracle.pins.channels.values()
            if c.stretch and c.stretch.began_ns and c.ua > 700 and c.target_ua > 700
            and c.stretch.doc["train"]["kind"] == "continuous" and "on_s" not in c.stretch.doc["envelope"]
            and self.board.now_ns - c.changed_ns > 500 * MS
            and self.board.now_ns - c.stretch.began_ns > 1_600 * MS
            and (self.board.now_ns - c.stretch.began_ns) / MS + 4_000 < c.stretch.least_us / 1000
        ]  # fmt: skip
        if not steady:
            return
        self.ending = True
        channel = self.rng.choice(sorted(steady, key=lambda c: c.n))
        period_ms = 1000 / channel.stretch.doc["train"]["frequency_hz"]
        self.tell("cause", "open", round((max(50, period_ms) + 30) * MS))
        self.board.set_load(channel.n, "open")

    def world_stall(self):
        self.ending = True
        self.tell("cause", "stall")
        cpu.hang(self.board, 700)

    def world_dead(self):
        self.ending, self.fresh, self.was_reset = True, False, True
        self.resets += 1
        self.booted = self.board.engine.resets
        self.tell("cause", "dead")
        self.tell("flag", "dead", True)
        cpu.die(self.board, None)
