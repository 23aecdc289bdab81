"""The session state machine: what may happen when, why output ends. Pure; drives an `output` that owns the hardware.

safe -> idle -> loaded -> armed -> ramp_up -> run <-> paused -> ramp_down -> done, and fault (latched).
Everything that ends output goes through _end(); a fault is left only by clear(), once its cause is gone.

The output is rheorp2's Engine, whose docstrings are the contract, or a refusing fake (tests/core/fakes.py): ready, arm,
start, service, finished, hold, kill; set_ua; interlock, guard_fault, cause, open, quiet. It names faults and cuts, and
decides nothing.
"""

from rheocore.channel import Channel
from rheocore.messages import ARM_MS, BUSY, CUTOFF_MARGIN_MS, KEEPALIVE_MS, LIVE, PAUSE_MS, STATES
from rheocore.refusal import StateError, invalid, refuse
from rheocore.remainder import after_reset, beyond

WAITS = {"armed": (ARM_MS, "auto_disarm"), "paused": (PAUSE_MS, "limit")}
HARD = ("host_break", "interlock_open", "internal", "clock", "self_test")


class Session:
    """The board's one session. output: see the module; board: the description; rings: {n: Feeder's arguments};
    notify(kind, detail, channel=None): events; new_token() -> int."""

    def __init__(self, output, board, rings, notify, new_token):
        self.output = output
        self.board = board
        self.rings = rings
        self.notify = notify
        self.new_token = new_token
        self.state = "safe"
        self.fault = None
        self.fault_channel = None  # whose lead it is, where it is one's
        self.stop_reason = None
        self.channels = {}
        self.order = ()  # channel numbers, rising: a MicroPython dict has none
        self.token = None
        self.since_ms = 0  # of armed or paused
        self.heard_ms = 0
        self.live_ms = 0  # before the present stretch
        self.went_live_ms = None  # its begin
        self.remainder_ms = None  # what was left of the last session, 0 included; None: there was none
        self.allowance_ms = None  # this session is the remainder of an earlier one, which had so much left

    # -- what the host asks ------------------------------------------------------------------------------------

    def wake(self, note, cause):
        """After a reset: latch what it interrupted (remainder.after_reset)."""
        fault, self.remainder_ms = after_reset(note, cause)
        if fault:
            self.state = "fault"
            self.fault = self.stop_reason = fault

    def greet(self):
        if self.state == "safe":
            self._go("idle")

    def may_configure(self, method="configure"):
        """Raise StateError unless a configuration can be taken now: asked before the work of judging one."""
        self._need(method, ("idle", "loaded", "done"))

    def configure(self, configs, new=True):
        """configs: {n: checked configuration}. Amplitude starts from zero again, whatever was before.

        new: the operator confirms a new session; else only what was left of the last one may run.
        """
        self.may_configure()
        if new:
            self.remainder_ms = None
        refuse(beyond(configs, self.remainder_ms))
        self.allowance_ms = self.remainder_ms
        # All or none: without the memory for one, those before stand.
        self.channels = {n: Channel(n, configs[n], self.rings[n], self.board) for n in configs}
        self.order = tuple(sorted(configs))
        self.stop_reason = None
        self.live_ms = 0
        self._go("loaded")

    def arm(self, now_ms):
        """Self-test and arm. Returns the token. Raises StateError; a failed self-test latches a fault."""
        self._need("arm", ("loaded",))
        self._ready(now_ms)
        self.token = self.new_token()
        self.since_ms = self.heard_ms = now_ms
        self._go("armed")
        return self.token

    def start(self, numbers, now_ms, sooner_ms=None):
        """Start channels (None: all that are configured) together; more may be started while others run.

        sooner_ms: the hardware's own end comes so soon, if that is sooner than it would."""
        self._need("start", ("armed",) + LIVE)
        numbers = list(self.channels) if numbers is None else numbers
        for n in numbers:
            if n not in self.channels or self.channels[n].wanted or numbers.count(n) > 1:
                raise invalid("channels", "channel %s is not waiting to start" % n)
            refuse(self.channels[n].joins_too_late(self.duration_ms(now_ms), self.allowance_ms, now_ms))
        if not numbers:
            raise invalid("channels", "no channel named")
        self._refuse(self.output.guard_fault(), now_ms)
        self._play([self.channels[n] for n in numbers], now_ms, sooner_ms)

    def amplitude(self, n, ua):
        """New target of a channel; the device walks there by its own steps."""
        self._need("amplitude", ("loaded", "armed", "paused") + LIVE)
        if n not in self.channels:
            raise invalid("channel", "channel %s is not configured" % n)
        refuse(self.channels[n].refuses(ua, self.channels.values(), self.state not in ("loaded", "armed")))
        self.channels[n].target_ua = ua

    def pause(self, now_ms):
        self._need("pause", LIVE)
        self._quiet(False, now_ms)
        if self._latched(now_ms):
            return
        self.since_ms = now_ms
        self._go("paused")

    def resume(self, now_ms):
        """Re-arm, ramp from zero, restart the train's cycle, replay nothing."""
        self._need("resume", ("paused",))
        self._ready(now_ms)
        again = [c for c in self.channels.values() if c.wanted and c.left_us > 0]
        if not again:
            self._end("time_over", now_ms)
            return
        self._play(again, now_ms)

    def stop(self, reason, now_ms):
        """End whatever runs. Harmless in every state; a fault stays latched."""
        if self.state in BUSY:
            self._end(reason, now_ms)

    def clear(self):
        """Clear the latched fault. Raises StateError while its cause is still there."""
        if self.state != "fault":
            return
        if self.output.cause(self.fault):
            raise StateError("not_gone", {"fault": self.fault})
        self.fault = self.fault_channel = None
        self._go("idle")

    def keepalive(self, token, now_ms):
        if token == self.token:
            self.heard_ms = now_ms

    def trip(self, fault, now_ms, channel=None):
        """Latch a fault: output ends, hard where waiting for a pulse would be wrong. A latched guard comes first."""
        if self.state == "fault":
            return
        latched = fault not in HARD and self.state in BUSY and self.output.guard_fault()
        if latched:
            fault, channel = latched, None
        self._quiet(fault in HARD, now_ms)
        self.fault, self.fault_channel = fault, channel
        self.stop_reason = fault
        self.token = None
        self.state = "fault"
        self.notify("fault", fault, channel)

    def sensed(self, n, ua, mv, now_ms):
        """What the output stage holds of a running channel's last pulse: current in uA, voltage in mV."""
        channel = self.channels[n]
        if channel.running and self.state in LIVE:
            fault = channel.contact.judge(channel.set_ua, ua, mv, channel.feeder.pulses)
            if fault:
                self.trip(fault, now_ms, n)

    def tick(self, now_ms):
        """One pass of the app loop: leases, set-points, limits of time. Call at least every 20 ms while live."""
        state = self.state
        if state not in BUSY:
            return self._still(now_ms)
        fault = self.output.guard_fault()
        if not fault and bool(self._running()) != (state in LIVE):
            fault = "internal"
        if fault:
            return self.trip(fault, now_ms)
        if now_ms - self.heard_ms > KEEPALIVE_MS:
            return self.trip("host_lost", now_ms)
        if state in LIVE:
            return self._live(now_ms)
        longest_ms, reason = WAITS[state]
        if now_ms - self.since_ms >= longest_ms:
            self._end(reason, now_ms)

    def _still(self, now_ms):
        """In every other state nothing may play: an open gate, or a state that there is not, is memory gone wrong."""
        if self.output.open() or self.state not in STATES:
            self.state = "idle"
            self.trip("internal", now_ms)

    def _live(self, now_ms):
        output = self.output
        playing = 0
        phase = "ramp_down"
        for n in self.order:
            channel = self.channels[n]
            if not channel.running:
                continue
            fault = output.service(n, channel.feeder, channel.set_ua)
            if fault:
                return self.trip(fault, now_ms)
            if output.finished(n, channel.feeder):
                output.set_ua(n, 0)
                channel.settle(0)
                continue
            playing += 1
            ua = channel.step(now_ms)
            if ua is None:
                return self.trip("internal", now_ms)
            output.set_ua(n, ua)
            here = channel.envelope.phase(now_ms - channel.started_ms)
            if here == "run" or phase == "ramp_down":
                phase = here
        if not playing:
            self._end("time_over", now_ms)
        elif phase != self.state:
            self._go(phase)

    def t_left_ms(self, now_ms):
        """Time left of the session: of the channel that has most left. 0 where there is no session."""
        if self.state in ("safe", "idle", "done"):
            return 0
        waiting = self.state in ("loaded", "armed")
        return max([c.left_ms(now_ms) for c in self.channels.values() if c.wanted or waiting] or [0])

    def left_over_ms(self, now_ms):
        """What may still run if this session ends now; 0 too where it never began."""
        left_ms = max([c.left_ms(now_ms) for c in self.channels.values() if c.wanted] or [0])
        if self.allowance_ms is not None:
            left_ms = max(left_ms, self.allowance_ms - self.duration_ms(now_ms))
        return left_ms

    def _running(self):
        return [c for c in self.channels.values() if c.running]

    def duration_ms(self, now_ms):
        """Time live so far, pauses excluded."""
        return self.live_ms + (0 if self.went_live_ms is None else now_ms - self.went_live_ms)

    def _need(self, method, states):
        if self.state == "fault":
            raise StateError("fault", {"fault": self.fault})
        if self.state not in states:
            raise StateError("wrong_state", {"method": method, "state": self.state})

    def _ready(self, now_ms):
        self._refuse(self.output.ready(), now_ms)
        self._refuse(self.output.arm(list(self.channels)), now_ms)

    def _refuse(self, fault, now_ms):
        """Latch a fault, if there is one, and say so to whoever asked."""
        if fault:
            self.trip(fault, now_ms)
            raise StateError("fault", {"fault": fault})

    def _play(self, channels, now_ms, sooner_ms=None):
        for channel in channels:
            channel.begin(now_ms)
        cutoff_ms = CUTOFF_MARGIN_MS + max([c.left_ms(now_ms) for c in channels])
        cutoff_ms = min(cutoff_ms, sooner_ms or cutoff_ms)
        now_ms = self.output.start([(c.n, c.feeder) for c in channels], cutoff_ms)
        for channel in channels:
            channel.started_ms = now_ms  # filling the leases took its time
        if self.state not in LIVE:
            self.went_live_ms = now_ms
            self._go("ramp_up")

    def _quiet(self, hard, now_ms):
        """No output from here on; what was played goes into the totals."""
        self.live_ms = self.duration_ms(now_ms)
        self.went_live_ms = None
        if any([c.wanted for c in self.channels.values()]):
            self.remainder_ms = self.left_over_ms(now_ms)
        running = self._running()
        feeders = [(c.n, c.feeder) for c in running]
        cut = self.output.kill(feeders) if hard else self.output.hold(feeders)
        for channel in running:
            channel.settle(1 if channel.n in cut else 0)

    def _latched(self, now_ms):
        """True if the guard has latched in the meantime: then that is the end, whatever was asked."""
        fault = self.output.guard_fault()
        if fault:
            self.trip(fault, now_ms)
        return bool(fault)

    def _end(self, reason, now_ms):
        self._quiet(False, now_ms)
        if self._latched(now_ms):
            return
        self.stop_reason = reason
        self.token = None
        self._go("done")
        self.notify("end", reason)

    def _go(self, state):
        self.state = state
        self.notify("state", state)
