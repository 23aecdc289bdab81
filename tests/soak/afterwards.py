"""What a soak judges after each session: its end, its record, what the board still knows and what may still run."""

from rheobase.link import greeting
from soak import books, draw
from soak.oracle import MS

PASS_MS = 40  # an end counts from the pass of the loop in which it is found
STALL_MS = 240  # a pass that stands still keeps its time while 200 ms of items go on
RESET_MS = 320  # what a reset may forget to count: its note is 100 ms old at most, and 200 ms of items go on
# acts that end a session: (what rheo gives as its end, the fault that is latched then; None: none)
ENDS = {
    "stop_key": ("operator_key", None),
    "stop_by_socket": ("stop_command", None),
    "host_ctrl_c": ("operator_interrupt", None),
    "host_ctrl_c_twice": ("host_break", "host_break"),
    "ctrl_c": ("host_break", "host_break"),
    "electrode_open": ("electrode_open", "electrode_open"),
    "stall": ("underrun", "underrun"),
    "dead": ("watchdog", "watchdog"),
    **dict.fromkeys(("cable_long", "mute_long", "host_gone"), ("host_lost", "host_lost")),
    **dict.fromkeys(
        ("interlock", "interlock_blip", "interlock_floating", "stop_after_trip"), ("interlock_open", "interlock_open")
    ),
}
_SPARE = 1_960  # free bytes at the end of the mailbox


class Afterwards:
    """Parts of driver.Soak."""

    def judge_books(self, session):
        """The record on disk against what was seen."""
        wire = self.oracle.wire
        unread = (self.host.port.inbox if self.host.port else b"") + session.client._buffer
        seen = books.Seen(
            list(wire.told), list(wire.telemetry), unread.count(b'"jsonrpc"'), self.done, session.order.channels,
            session.result, wire.result, session.stop_reason, session.error is not None,
        )  # fmt: skip
        for sentence in books.compare(session.journal.path, seen):
            self.claim(False, f"record {session.journal.id}: {sentence}")
        self.records.append((session.journal.path, seen if self.oracle.seen is not None else None))

    def judge_end(self, session):
        """What rheo says ended the session is what did: its time, or the act that was drawn."""
        reason = session.stop_reason
        allowed = ["time_over"] + ([ENDS[self.end_act][0]] if self.end_act else [])
        self.claim(reason in allowed, f"the session ended with {reason} ({session.error}), after {self.end_act}")
        if reason == "time_over":
            self.end_act = None  # which came too late
            self.claim(session.error is None, f"the session was over and rheo ended with {session.error}")

    # -- between two sessions ----------------------------------------------------------------------------------------

    def after_an_end(self, board):
        """Whatever ended the last session: nothing starts by itself, a fault stays until its cause is gone."""
        client = board.client
        for n in self.parts:
            self.board.set_load(n, "1000")
        status = board.status()
        state, fault = status["state"], status["fault"]
        latched = ENDS[self.end_act][1] if self.end_act else None
        be = ("fault" if latched else "done", latched)
        self.claim((state, fault) == be, f"the board is in {state}, {fault} after {self.end_act}")
        self.take_counts(board.call("result"))
        self.expect_no_start(client, state)
        if state == "fault":
            self.faults[fault] += 1
            self.log("fault", fault)
            if not self.closed:
                self.expect(client, "not_gone", "clear_fault")
                self.close_interlock()
            cleared = board.call("clear_fault")
            self.claim(cleared == {"state": "idle", "confirmed": True}, f"clear_fault is answered with {cleared}")
        elif not self.closed:
            self.close_interlock()  # it was opened when all was over
        self.tell("clear")
        self.sample_memory()
        if self.rng.random() < 0.5 or not self.fresh:
            self.host.close()
            board = self.connect()
        else:
            board.info = greeting.hello(client)
        return board

    def close_interlock(self):
        self.set_interlock(True)
        self.board.run_for(self.rng.randrange(1, 80) * MS)

    def take_counts(self, result):
        """What the last session delivered, by the board's word after it: the oracle has held it against the pins."""
        self.untold += not result["channels"]
        self.claim(result["channels"] or self.was_reset or self.forgot, "the board has forgotten what it delivered")
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
        """What may still run is what was not delivered: by the pins, to a pass, a stall or a reset's note; and no
        less than that by the time from each start to the board's word that it was over."""
        pins = self.oracle.pins
        live_ms, longest_ms = (pins.live_ns - self.live_before_ns) / MS, (pins.most_ns - self.most_before_ns) / MS
        uncounted_ms = RESET_MS if self.was_reset else STALL_MS if self.end_act == "stall" else PASS_MS
        self.uncounted_ms += uncounted_ms
        most_ms = self.remainder_ms - live_ms + uncounted_ms
        least_ms = self.remainder_ms - longest_ms - PASS_MS
        self.claim(
            least_ms <= left_ms <= most_ms, f"{left_ms} ms are left, by the pins {least_ms:.1f} to {most_ms:.1f}"
        )

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
            if self.forgot or not self.memory:
                self.memory.append([])
            if not self.forgot:  # before the first session of a boot more is free than ever after
                self.memory[-1].append(free)
            self.log("free", free)
