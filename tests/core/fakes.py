"""A fake `output` for the session: plays items in simulated time, counts the truth, and refuses illegal use.

Illegal is what would hurt on the board: starting unarmed, a set-point where nothing plays or that jumps upward, a word
that is not in the ring, arming while something plays. It raises AssertionError, so the test that did it fails.
"""

from array import array

from rheocore import feeder, items
from rheocore.envelope import max_step_ua
from rheocore.messages import CUTOFF_MARGIN_MS

RING = 2 * feeder.SIZE
FIFO_WORDS = 4


class Machine:
    """One channel: a DMA credit, a FIFO of four words, the item in play. Times in us."""

    def __init__(self, ring, first):
        self.ring = ring
        self.first = first
        self.read = 0  # words the DMA has read
        self.credit = 0
        self.fifo = []
        self.clock_us = 0
        self.free_us = 0  # when the item in play ends
        self.item = None  # (start_us, word) taken last
        self.dry = False
        self.pulses = []  # (start_us, width_us, set_ua)
        self.set_ua = 0
        self.forced = False  # the guard holds the legs low: items are played, and nothing leaves the pins
        self.halted_us = None  # since when the guard's flag holds the machine

    def run_to(self, now_us):
        if self.halted_us is not None:
            return
        while True:
            while self.credit and len(self.fifo) < FIFO_WORDS:
                at = self.first + 2 * (self.read % feeder.SIZE)
                self.fifo.append(self.ring[at] | self.ring[at + 1] << 16)
                self.read += 1
                self.credit -= 1
            if self.free_us > now_us:
                break
            if not self.fifo:
                self.dry = True
                break
            word = self.fifo.pop(0)
            self.item = (self.free_us, word)
            if word & 0x3FF and not self.forced:
                self.pulses.append((self.free_us, word & 0x3FF, self.set_ua))
            self.free_us += items.duration_us(word)
        self.clock_us = now_us

    def cut_at(self, now_us):
        """Whether a hard end now (or the guard, before) cuts the pulse in play."""
        if self.halted_us is not None:
            now_us = self.halted_us
        if self.item is None or not self.item[1] & 0x3FF:
            return False
        start_us, word = self.item
        return now_us < start_us + items.LEAD_US + 2 * (word & 0x3FF) + (word >> 10 & 0xFF) + items.GAP_MIN_US


class FakeOutput:
    """See the module. clock() -> now in us. Set closed, arm_fault, guard, causes, failing from a test."""

    def __init__(self, board, clock):
        self.clock = clock
        self.step_ua = max_step_ua(board["full_scale_ua"])
        self.rings = {}
        for channel in board["channels"]:  # not at 0: the board's ring is aligned inside its array
            n = channel["n"]
            self.rings[n] = (array("H", bytes(2 * (RING + 2 * n))), 2 * n)
        self.machines = {}  # of this arming
        self.playing = set()
        self.ends_us = {}  # {n: when its train ends}
        self.cutoff_us = 0  # when the hardware's own end stands; 0: nowhere
        self.sooner = False  # True: a start may bring the cutoff nearer
        self.armed = False
        self.gate_open = False
        self.closed = True
        self.arm_fault = None
        self.guard = None
        self.failing = {}  # {n: fault that service() finds}
        self.causes = set()
        self.truth = {channel["n"]: [] for channel in board["channels"]}  # every pulse that left the pins, whole
        self.cuts = {channel["n"]: 0 for channel in board["channels"]}
        self.calls = []

    # -- the output's contract

    def ready(self):
        if not self.closed:
            return "interlock_open"
        return "supply_low" if "supply_low" in self.causes else None

    def open(self):
        return bool(self.playing) or self.gate_open

    def arm(self, numbers):
        assert not self.playing, "arm while playing"
        self.calls.append("arm")
        if self.arm_fault:
            return self.arm_fault
        self.armed = self.gate_open = True
        self.guard = None if self.closed else "interlock_open"
        return None

    def start(self, pairs, cutoff_ms):
        assert self.armed, "start unarmed"
        assert pairs, "start of nothing"
        self.calls.append("start")
        now_us = self.clock()
        for n, feed in pairs:
            assert n not in self.playing, f"channel {n} started twice"
            machine = Machine(*self.rings[n])
            machine.credit = feed.fill()
            machine.forced = self.guard is not None
            machine.free_us = machine.clock_us = now_us
            self.machines[n] = machine
            self.playing.add(n)
        self.ends_us.update({n: now_us + feed.plan.end_us for n, feed in pairs})
        self.cutoff_us = max(self.cutoff_us, now_us + cutoff_ms * 1000)
        late_us = self.cutoff_us - max(self.ends_us[n] for n in self.playing) - CUTOFF_MARGIN_MS * 1000
        assert late_us <= 1000 and (late_us >= 0 or self.sooner), f"the cutoff stands {late_us} us late"
        return now_us // 1000

    def service(self, n, feed, set_ua):
        assert n in self.playing, f"channel {n} served while it does not play"
        machine = self.machines[n]
        machine.run_to(self.clock())
        feed.advance(machine.read % feeder.SIZE, len(machine.fifo), set_ua)
        if n in self.failing:
            return self.failing[n]
        if machine.dry and not (feed.exhausted and feed.played == feed.made):
            return "underrun"
        machine.credit = feed.fill()
        ahead_us = sum(machine_cost(feed, k) for k in range(feed.read, feed.made))
        assert ahead_us <= feeder.LEASE_US, f"a lease of {ahead_us} us"
        return None

    def finished(self, n, feed):
        machine = self.machines[n]
        done = feed.exhausted and feed.played == feed.made and self.clock() >= machine.free_us
        if done:
            self._leave(n)
        return done

    def hold(self, pairs):
        latched = self.guard == "interlock_open"
        cut = self._end("hold", pairs, hard=latched)
        self.armed = self.guard is not None or self.closed  # a soft end leaves the guard as it is
        return cut

    def kill(self, pairs):
        return self._end("kill", pairs, hard=True)

    def set_ua(self, n, ua):
        if ua:
            assert n in self.playing, "a set-point where nothing plays"
            assert ua <= self.machines[n].set_ua + self.step_ua, "the set-point jumps"
        if n in self.machines:
            self.machines[n].set_ua = ua

    def interlock(self):
        return self.closed

    def guard_fault(self):
        if self.armed:
            return self.guard
        return None if self.closed else "interlock_open"

    def cause(self, fault):
        return fault in self.causes or (fault == "interlock_open" and not self.closed)

    def quiet(self):
        return not self.playing

    # -- for the tests

    def open_interlock(self):
        """The guard latches: legs low at once, and its flag holds every machine that plays."""
        self.closed = False
        if self.armed:
            self.guard = "interlock_open"
        for n in self.playing:
            self.machines[n].run_to(self.clock())
            self.machines[n].halted_us = self.clock()

    def _end(self, call, pairs, hard):
        assert {n for n, _ in pairs} == self.playing, f"{call} forgets a channel"
        self.calls.append(call)
        self.gate_open = False
        self.cutoff_us = 0
        cut = []
        now_us = self.clock()
        for n, feed in pairs:
            machine = self.machines[n]
            machine.run_to(now_us)
            feed.advance(machine.read % feeder.SIZE, len(machine.fifo), machine.set_ua)
            if hard and machine.cut_at(now_us):
                cut.append(n)
                machine.pulses.pop()
                self.cuts[n] += 1
            self._leave(n)
        self.armed = False
        return cut

    def _leave(self, n):
        self.playing.discard(n)
        self.truth[n] += self.machines[n].pulses
        self.machines[n].pulses = []
        self.machines[n].set_ua = 0


def machine_cost(feed, k):
    """Duration of the k-th item that a feeder made, read back from its ring."""
    at = feed.first + 2 * (k % feeder.SIZE)
    return items.duration_us(feed.ring[at] | feed.ring[at + 1] << 16)


class Bench:
    """A session on a fake output, with a clock of its own and a host that keeps it alive."""

    def __init__(self, board, session_class):
        self.now_ms = 1_000
        self.output = FakeOutput(board, lambda: self.now_ms * 1000)
        self.events = []
        self.tokens = 0
        self.session = session_class(
            self.output,
            board,
            self.output.rings,
            lambda kind, detail, channel=None: self.events.append((kind, detail)),
            self._token,
        )
        self.alive = True

    def _token(self):
        self.tokens += 1
        return 1_000 + self.tokens

    def up(self, configs, start=True):
        """Greet, configure, arm and, if asked, start everything."""
        self.session.greet()
        self.session.configure(configs)
        self.session.arm(self.now_ms)
        if start:
            self.session.start(None, self.now_ms)
        return self.session

    def run(self, ms, step_ms=20, until=None):
        """Pass time in the app loop's steps; ends early when until() is true."""
        end_ms = self.now_ms + ms
        while self.now_ms < end_ms:
            self.now_ms = min(self.now_ms + step_ms, end_ms)
            if self.alive:
                self.session.keepalive(self.session.token, self.now_ms)
            self.session.tick(self.now_ms)
            if until and until():
                return

    def states(self):
        return [detail for kind, detail in self.events if kind == "state"]
