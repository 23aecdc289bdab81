"""What happens around the board of a soak: interlock, cable, leads, processor, a host that is deaf, silent or gone.

Acts happen at once, in the middle of whatever runs; `ending` says that output must end by them. Parts of driver.Soak.
"""

from rheobase.emulator import cpu
from rheocore import frames
from soak.oracle import MS

OUTAGES = ("cable_brief", "cable_long", "mute_brief", "mute_long", "host_gone", "host_deaf")
NEED_THE_LINE = (*OUTAGES, "ctrl_c", "host_ctrl_c_twice")  # not in an outage


class WorldActs:
    """world_NAME(): the act NAME of draw.PLAYING and draw.PAUSED."""

    closed = True
    aimed = None  # an act that comes in the next pulse
    outage_ns = 0  # until when a line is out
    booted = 0
    was_reset = False

    def world_stop_key(self):
        self.ending = True
        self.host.keys.names.append("stop")  # the session's own: it never reaches a guide

    # -- in the world ------------------------------------------------------------------------------------------------

    def interlock(self, for_ms, level=False):
        self.tell("cause", "interlock")
        self.set_interlock(level)
        if for_ms:
            self.later(for_ms, lambda: self.set_interlock(True))

    def somewhen(self, act):
        """At once, or as often in the middle of the next pulse."""
        self.ending = True
        if self.rng.random() < 0.5 or not self.oracle.pins.playing():
            act()
        else:
            self.aimed = act

    def edge(self, t_ns, name, level):
        """A leg moves. If an act waits for a pulse, it comes in this one: in a phase, in the gap, or as it ends."""
        self.feed("edge", t_ns, name, level)
        if self.aimed and level and name.endswith("_A"):
            act, self.aimed = self.aimed, None
            channel = self.oracle.pins.channels[int(name[2:-2])]
            whole_us = 2 * channel.width_us + channel.stretch.doc["train"]["gap_us"]
            self.board.at(max(self.board.now_ns, t_ns + self.rng.randrange(whole_us) * 1000), act)

    def world_interlock(self):
        self.somewhen(lambda: self.interlock(None))

    def world_interlock_blip(self):
        ms = self.rng.choice((0.002, 0.3, 2, 20))
        self.somewhen(lambda: self.interlock(ms))

    def world_interlock_floating(self):
        self.somewhen(lambda: self.interlock(None, None))

    def world_ctrl_c(self):
        self.fresh = False
        port = self.host.port
        self.somewhen(lambda: port.send(b"\x03"))

    def world_collect(self):
        mailbox = self.board.mailbox
        if not mailbox or mailbox.gone or not self.fresh:
            return False
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
        self.board.usb.set_plugged(False)

    def plug(self):
        self.board.usb.set_plugged(True)
        self.later(500, lambda: self.tell("flag", "deaf", False))

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
        self.board.usb.set_gone(True)
        port = self.host.port
        port.muted = True
        self.later(1, lambda: setattr(port, "broken", True))

        def back():
            self.board.usb.set_gone(False)
            self.later(500, lambda: self.tell("flag", "deaf", False))

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
        """rheo is silent. Half the time another host goes on with its own keep-alive, which must not count."""
        self.ending = True
        self.mute(1_400)
        if self.rng.random() < 0.5:
            token = self.host.session.client.token + self.rng.choice((-1, 1))
            ack = frames.encode({"jsonrpc": "2.0", "method": "ack", "params": [0, token]})
            port = self.host.port
            for ms in range(0, 1_300, 100):
                self.later(ms, lambda: port.deliver(ack))

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
            return False
        self.ending = True
        channel = self.rng.choice(sorted(steady, key=lambda c: c.n))
        period_ms = 1000 / channel.stretch.doc["train"]["frequency_hz"]
        self.tell("cause", "open", round((max(50, period_ms) + 30) * MS), channel.n)
        self.board.set_load(channel.n, "open")

    def world_stall(self):
        self.ending = True
        self.tell("cause", "stall")
        cpu.hang(self.board, 700)

    def world_dead(self):
        self.ending, self.fresh, self.was_reset = True, False, True
        self.booted = self.board.engine.resets
        self.tell("cause", "dead")
        cpu.die(self.board, None)
