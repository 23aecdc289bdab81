"""What the operator of a soak does through rheo, and what a host may say on the wire: each act and its answer.

Acts come from the session's own loop, which they may keep waiting. Parts of driver.Soak, which says what `self` has.
"""

import contextlib

from rheobase import served
from rheobase.errors import RheoError
from rheobase.link import greeting
from rheocore import frames, limits, messages
from soak import draw
from soak.oracle import MS

STEP_UA = 1_000  # one raise on skin


class OperatorActs:
    """do_NAME(session): the act NAME of draw.PLAYING and draw.PAUSED."""

    def pick(self, session):
        n = self.rng.choice([n for n in self.parts if n not in self.waiting])
        return n, session.targets[n]

    def cap(self, n):
        return min(draw.FULL_UA, limits.amplitude_max_ua(self.parts[n].cfg, self.board.board)[1])

    def aim(self, session, n, ua):
        try:
            self.claim(session.aim(n, ua), f"channel {n} is not aimed at {ua}")
        except RheoError as error:
            return self.claim(not self.on(), f"channel {n} at {ua} uA: {error.message}")
        self.done.append(("amplitude", {"channel": n, "ua": ua}))

    def do_raise(self, session):
        n, ua = self.pick(session)
        if ua >= self.cap(n):
            return False
        self.aim(session, n, self.rng.randrange(ua, min(self.cap(n), ua + STEP_UA) + 1))

    def do_lower(self, session):
        n, ua = self.pick(session)
        self.aim(session, n, self.rng.randrange(0, ua + 1))

    def _ask_for(self, session, n, ua, name, why=None, token=None):
        params = {"token": session.client.token if token is None else token, "channel": n, "ua": ua}
        return self.expect(session.client, name, "amplitude", params, why)

    def do_raise_too_much(self, session):
        n, ua = self.pick(session)
        if ua + STEP_UA >= limits.amplitude_max_ua(self.parts[n].cfg, self.board.board)[1]:
            return False
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
        """The same line twice: answered twice, done once. Another result would have other figures."""
        client = session.client
        if self.rng.random() < 0.5:
            n, ua = self.pick(session)
            self.aim(session, n, ua // 2)
            method, params = "amplitude", {"token": client.token, "channel": n, "ua": ua // 2}
        else:
            session.board.call("result")
            method, params = "result", {}
        for _ in range(self.rng.randrange(1, 4)):
            self.wait_ms(session, 60)
            self.host.port.send(self._line(session, method, params, client._next_id - 1))
        self.wait_ms(session, 60)

    def do_stale(self, session):
        """An id from before: refused, whatever it asks for."""
        client = session.client
        if client._next_id <= 3:
            return False
        self.host.port.send(self._line(session, "pause", {}, self.rng.randrange(1, client._next_id - 1)))
        self.wait_ms(session, 60)

    def do_garbage(self, session):
        junk = bytes(
            self.rng.choice([b for b in range(256) if b not in (3, 4)]) for _ in range(self.rng.randrange(1, 400))
        )
        self.host.port.send(junk + b"\n")
        self.wait_ms(session, 40)

    def do_damaged_stop(self, session):
        """A stop with one bit turned: no stop."""
        line = bytearray(self._line(session, "stop", {}, session.client._next_id))
        at = self.rng.randrange(len(line) - 1)
        line[at] ^= 1 << self.rng.randrange(7)
        if line[at] in (3, 10, 13):
            return False
        self.host.port.send(bytes(line))
        self.wait_ms(session, 40)

    def do_too_long(self, session):
        self.host.port.send(b"{" + b"x" * self.rng.randrange(2050, 4000) + b"\n")
        self.wait_ms(session, 100)

    def do_no_request(self, session):
        """A stop without an id that counts, or in no version: none."""
        stop = {"jsonrpc": "2.0", "id": 99, "method": "stop"}
        wrong = self.rng.choice(
            ({**stop, "id": -4}, {**stop, "jsonrpc": "1"}, {**stop, "id": "a"}, {**stop, "id": None})
        )
        self.host.port.send(frames.encode(wrong))
        self.wait_ms(session, 40)

    def do_flood(self, session):
        for _ in range(30):
            self.host.port.send(self._line(session, "status", {}, 0))
        self.wait_ms(session, 100)

    def do_late(self, session):
        """A waiting channel joins, if what is left of its time fits."""
        if not self.waiting or self.oracle.wire.state not in messages.LIVE:
            return False
        n = self.waiting[0]
        result = session.board.call("result")
        fits = result["duration_ms"] + self.parts[n].cfg["duration_ms"] <= session.order.duration_ms - 50
        params = {"token": session.client.token, "channels": [n]}
        if fits:
            self.waiting.remove(n)
            try:
                session.board.call("start", params)
            except RheoError as error:
                self.claim(not self.on(), f"a late channel is not started: {error.message}")
        elif session.order.duration_ms < self.asked_ms and not session.guide.is_new:
            allowance = session.board.info["remainder_ms"]
            if result["duration_ms"] + self.parts[n].cfg["duration_ms"] > allowance:
                self.expect(session.client, "refused", "start", params, "limit_remainder")
            else:
                return False
        else:
            return False

    def do_pause(self, session):
        try:
            reply = session.pause()
        except RheoError as error:
            return self.claim(not self.on(), f"pause: {error.message}")
        self.claim(reply == {"state": "paused", "confirmed": True}, f"pause is answered with {reply}")
        self.done.append(("pause", {}))

    def do_resume(self, session):
        reply = session.resume()
        self.claim(reply and reply["state"] in ("ramp_up", "done"), f"resume is answered with {reply}")
        self.done.append(("resume", {}))

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
