"""One configured channel of a session: plan, envelope, set-point, what it has delivered. No decisions, no hardware."""

from rheocore.contact import Contact
from rheocore.envelope import Envelope, max_step_ua, slew
from rheocore.feeder import Feeder
from rheocore.limits import STEP_UA, amplitude_max_ua, beside, duration_max_ms
from rheocore.plan import Plan
from rheocore.stress import densest


class Channel:
    """One configured channel: its plan, envelope, set-point and what it has delivered in this session."""

    def __init__(self, n, cfg, ring, board):
        self.n = n
        self.cfg = cfg
        self.cap = amplitude_max_ua(cfg, board)
        self.cap_ua = self.cap[1]
        self.shape = densest(cfg)
        self.step_ua = max_step_ua(board["full_scale_ua"])
        self.target_ua = cfg["amplitude_ua"]
        self.left_us = cfg["duration_ms"] * 1000
        self.feeder = Feeder(*ring)
        self.pulses = self.truncated = self.charge_uc = self.charge_pc = 0  # of the stretches before this one
        self.set_ua = 0
        self.running = False
        self.wanted = False  # started in this session (so: to be started again at resume)
        self.started_ms = 0
        self.envelope = None
        self.contact = Contact(board["compliance_mv"])

    def begin(self, now_ms):
        self.feeder.begin(Plan(self.cfg, self.left_us))
        self.envelope = Envelope(self.cfg, self.left_us)
        self.contact.begin()
        self.started_ms = now_ms
        self.wanted = self.running = True

    def step(self, now_ms):
        """One pass of the set-point on its way, in uA; None if the target cannot be: nobody may have set it so."""
        if not 0 <= self.target_ua <= self.cap_ua:
            return None
        wanted = self.target_ua * (self.envelope.level(now_ms - self.started_ms) >> 4) >> 12
        self.set_ua = self.feeder.ua = slew(self.set_ua, wanted, self.step_ua)
        return self.set_ua

    def joins_too_late(self, elapsed_ms, allowance_ms, now_ms):
        """Parameters of the refusal to start so late in a session that it would outlast the longest, or None.

        allowance_ms: what an earlier session has left to this one, None where it is new.
        """
        longest_ms, why = duration_max_ms(self.cfg), "limit_duration"
        if allowance_ms is not None and allowance_ms < longest_ms:
            longest_ms, why = allowance_ms, "limit_remainder"
        bound_ms = max(0, longest_ms - elapsed_ms)
        left_ms = self.left_ms(now_ms)
        if left_ms <= bound_ms:
            return None
        return {"field": "duration_ms", "value": left_ms, "why": why, "bound": bound_ms, "channel": str(self.n)}

    def refuses(self, ua, channels, live):
        """Parameters of the refusal of `ua` as target beside the session's other channels, or None if it may be.

        A channel on its way down counts with what it still has. live: it has begun, so a target climbs by steps only.
        """
        refusal = {"field": "ua", "value": ua, "why": "too_low", "bound": 0, "channel": str(self.n)}
        if ua < 0:
            return refusal
        others = [(max(c.set_ua, c.target_ua), c.shape) for c in channels if c is not self]
        name, most_ua = beside(self.cap, self.shape, others)
        step_ua = self.target_ua + STEP_UA[self.cfg["electrode"]]
        if live and step_ua < most_ua:
            name, most_ua = "step", step_ua
        if ua <= most_ua:
            return None
        refusal["why"] = "limit_" + name
        refusal["bound"] = most_ua
        return refusal

    def settle(self, cut):
        """Take the stretch that has just ended into the totals; cut: its last pulse was truncated."""
        feeder = self.feeder
        self.pulses += feeder.pulses - cut
        self.truncated += cut
        self.charge_uc += feeder.charge_uc
        self.charge_pc += feeder.charge_pc
        self.left_us -= feeder.t_us
        self.running = False
        self.set_ua = 0
        feeder.begin(None)

    def left_ms(self, now_ms):
        """Time left of this channel's train."""
        return max(0, (self.left_us + 999) // 1000 - (now_ms - self.started_ms if self.running else 0))

    def pulses_now(self):
        return self.pulses + self.feeder.pulses

    def charge_nc(self):
        uc, pc = self.charge_uc + self.feeder.charge_uc, self.charge_pc + self.feeder.charge_pc
        return uc * 1000 + pc // 1000
