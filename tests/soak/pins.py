"""What the pins may do in a soak, pulse by pulse and set-point by set-point, from the words of the contract alone.

Edges are consumed as they come; nothing of rheocore's plan, session or envelope is used. What a protocol's file
commands is told by presets.commanded. Times in ns unless a name says otherwise. `say(t_ns, sentence)` takes what is
wrong.
"""

from dataclasses import dataclass

from soak.channel import Channel
from soak.train import EDGE_NS, LAG_NS, MS, Stretch, Together

TOGETHER_NS = 100  # between the first pulses of channels started together
TAKEN_NS = 8 * MS  # a pulse that begins so shortly before a step of the set-point may be charged with either
ITEM_US = 16_000  # what was delivered is known to one item
SILENT_NS = 1200 * MS

# what ends output: (bound, may cut a pulse, the names that the board may give it)
ENDS = {
    "interlock": (100, True, ("interlock_open",)),
    "ctrl_c": (10 * MS, True, ("host_break",)),
    "stop": (15 * MS, False, ("stop_command", "operator_interrupt", "operator_key")),
    "pause": (15 * MS, False, ()),
    "stall": (200 * MS, False, ("underrun",)),
    "dead": (200 * MS, False, ("watchdog",)),
    "open": (1040 * MS, False, ("electrode_open",)),  # one period at the slowest rate here and two passes
}
STOPS_CPU = ("stall", "dead")  # a set-point stays where it is until the cutoff that ends output


@dataclass
class Cause:
    """Something that must end output: what, since when, until when at the latest."""

    what: str
    t_ns: int
    by_ns: int
    cuts: bool
    names: tuple
    channel: int | None  # whose it is, where it is one's


class Pins:
    """All channels of `board` (its description). say(t_ns, sentence): something is wrong."""

    def __init__(self, board, say):
        self.say = say
        self.step_ua = board["full_scale_ua"] * 5 // 1000
        self.dac_ua = board["full_scale_ua"] / (board["dac_top"] + 1)
        self.channels = {c["n"]: Channel(c["n"]) for c in board["channels"]}
        self.causes = []
        self.heard_ns = None  # the last keep-alive with the right token that can have arrived
        self.live_ns = 0  # of all stretches that are over, from the first edge to the last
        self.began_ns = None
        self.most_ns = 0  # the same, from the request to the board's word that it is over
        self.asked_ns = None
        self.last_ns = 0  # last edge of any leg
        self.total = {n: [0, 0, 0, 0] for n in self.channels}  # whole, cut, charge at least, at most: whole soak
        self.worst_ns = {"start": 0, "phase": 0, "gap": 0}
        self.late_ns = {}  # what: latest edge after its cause

    # -- told by the wire ------------------------------------------------------------------------------------------

    def configured(self, parts):
        """A session: {n: (doc, target_ua, length_us)}. What was delivered before goes into the totals."""
        self.settle()
        for n, channel in self.channels.items():
            doc, ua, length_us = parts.get(n, (None, 0, 0))
            self.channels[n] = Channel(
                n, ua=channel.ua, points=channel.points, target_ua=ua, before_ua=(ua, ua)
            )  # fmt: skip
            self.channels[n].order = doc and (doc, length_us, length_us)

    def settle(self):
        """Put what the session delivered into the totals."""
        for n, channel in self.channels.items():
            for i, much in enumerate(self.delivered(n)):
                self.total[n][i] += much
            channel.whole = channel.cut = channel.least_pc = channel.most_pc = 0

    def delivered(self, n):
        """(whole, cut, charge in pC at least, at most) of a channel since `configure`; output is off."""
        channel = self.channels[n]
        channel.tally(1 << 62)
        return channel.whole, channel.cut, channel.least_pc, channel.most_pc

    def play(self, numbers, t_ns):
        """These channels have leave to begin: a start or a resume is on its way."""
        if not self.playing():
            self.causes.clear()
            self.asked_ns = t_ns
        together = Together()
        for n in numbers:
            self.channels[n].stretch = Stretch(*self.channels[n].order, together)

    def given(self, t_ns):
        """The board says yes to the start or resume that it was asked for last."""
        for channel in self.playing():
            together = channel.stretch.together
            together.given_ns = together.given_ns or t_ns

    def playing(self):
        return [c for c in self.channels.values() if c.stretch]

    def cause(self, what, t_ns, bound_ns=None, channel=None):
        """Something happens that must end output; bound_ns: within so long, where it is not the usual."""
        usual_ns, cuts, names = ENDS[what]
        bound_ns = usual_ns if bound_ns is None else bound_ns
        self.causes.append(Cause(what, t_ns, t_ns + bound_ns, cuts, names, channel))

    def stopped_ns(self, t_ns):
        """For how long the processor has been stopped, or was."""
        return max([t_ns - c.t_ns for c in self.causes if c.what in STOPS_CPU], default=0)

    def heard(self, t_ns):
        self.heard_ns = t_ns

    def ended(self, t_ns):
        """Output is over, the board says: from here on no edge, and every set-point zero."""
        for channel in self.playing():
            if channel.stage != "rest":
                self._cut(channel, t_ns)
            if any(channel.legs.values()):
                self.say(t_ns, f"channel {channel.n}: a leg is high and the output is said to be over")
            self._nothing_missing(channel, t_ns)
            stretch, channel.stretch = channel.stretch, None
            if stretch.began_ns is not None:
                end_ns = min([c.t_ns for c in self.causes] + [t_ns])
                self._shorten(channel, stretch, end_ns, t_ns)
        if self.asked_ns is not None:
            self.most_ns += t_ns - self.asked_ns
            self.asked_ns = None
        if self.began_ns is not None:
            self.live_ns += max(0, self.last_ns - self.began_ns)
            self.began_ns = None
        self.must_be_zero(t_ns)

    def _nothing_missing(self, channel, t_ns):
        """Until the first thing that may end output each pulse must have come; if none, while the host was heard."""
        until_ns = min([t_ns, *([c.t_ns for c in self.causes] or [self.heard_ns or t_ns])])
        due, played = channel.stretch.due(until_ns), channel.stretch.played
        if played < due:
            self.say(t_ns, f"channel {channel.n}: {played} pulses until its end, {due} were due")

    def must_be_zero(self, t_ns):
        for channel in self.channels.values():
            if channel.ua:
                self.say(t_ns, f"channel {channel.n}: a set-point of {channel.ua:.0f} uA and no output")

    def over(self, t_ns):
        """The trains are over by themselves: each must have had all its pulses."""
        for channel in self.playing():
            if channel.stretch.played < channel.stretch.due():
                self.say(t_ns, f"channel {channel.n}: the session is over after {channel.stretch.played} pulses")

    def unplayed(self):
        """Numbers of channels that were started and have something left to play."""
        return [c.n for c in self.channels.values() if c.begun and c.order[1] > 0]

    def left_us(self, t_ns):
        """(least, most) time left then of the channel that has most left, of those that were started."""
        left = [(0, 0)]
        for channel in self.channels.values():
            if channel.stretch:
                played_us = max(0, t_ns - (channel.stretch.began_ns or t_ns)) // 1000
                left.append((channel.stretch.least_us - played_us, channel.stretch.most_us - played_us))
            elif channel.begun:
                left.append(channel.order[1:])
        return tuple(map(max, zip(*left, strict=True)))

    def _shorten(self, channel, stretch, from_ns, to_ns):
        """What is left of a channel's train after a stretch that ended between these two times."""
        doc, least_us, most_us = channel.order
        played = [max(0, t - stretch.began_ns) // 1000 for t in (from_ns, to_ns)]
        channel.order = (doc, max(0, least_us - played[1] - ITEM_US), max(0, most_us - played[0] + 100))

    # -- edges -----------------------------------------------------------------------------------------------------

    def edge(self, t_ns, n, leg, level):
        channel = self.channels[n]
        channel.legs[leg] = level
        self.last_ns = t_ns
        if channel.legs["A"] and channel.legs["B"]:
            self.say(t_ns, f"channel {n}: both legs are high")
        for cause in self.causes:
            if t_ns > cause.by_ns:
                self.say(t_ns, f"channel {n}: an edge {(t_ns - cause.t_ns) / MS:.3f} ms after {cause.what}")
            else:
                self.late_ns[cause.what] = max(self.late_ns.get(cause.what, 0), t_ns - cause.t_ns)
        if self.heard_ns is not None and t_ns - self.heard_ns > SILENT_NS:
            self.say(t_ns, f"channel {n}: an edge {(t_ns - self.heard_ns) / MS:.0f} ms after the last keep-alive")
        if channel.stretch is None:
            return self.say(t_ns, f"channel {n}: leg {leg} moves to {level} and nothing was started")
        {("A", 1): self._a_rises, ("A", 0): self._a_falls, ("B", 1): self._b_rises, ("B", 0): self._b_falls}[
            leg, level
        ](t_ns, channel)
        channel.at_ns = t_ns

    def _a_rises(self, t_ns, channel):
        stretch = channel.stretch
        if channel.stage != "rest":
            self.say(t_ns, f"channel {channel.n}: a pulse begins and the one before is in its stage {channel.stage}")
        if stretch.over:
            self.say(t_ns, f"channel {channel.n}: a pulse begins after {stretch.over}")
        if stretch.began_ns is None:
            self._begins(t_ns, channel)
        at_us, width_us = next(stretch.asked, (None, 0))
        if at_us is None:
            return self.say(t_ns, f"channel {channel.n}: a pulse more than was asked for")
        self._compare(t_ns, channel, "start", t_ns - stretch.began_ns, at_us * 1000)
        channel.stage, channel.rose_ns, channel.width_us = "a", t_ns, width_us
        stretch.played += 1
        channel.whole += 1
        self._judge_set_point(t_ns, channel)
        channel.tally(t_ns - TAKEN_NS)
        channel.recent.append([t_ns, width_us, *self._ua(t_ns, channel)])
        channel.rises.append((t_ns, width_us * (int(channel.ua + self.dac_ua) + self.step_ua)))

    def _begins(self, t_ns, channel):
        """The first pulse of a stretch: channels started together begin together."""
        together = channel.stretch.together
        channel.stretch.began_ns = t_ns
        together.first_ns = together.first_ns or t_ns
        self.began_ns = self.began_ns or t_ns
        if t_ns - together.first_ns > TOGETHER_NS:
            self.say(t_ns, f"channel {channel.n}: begins {t_ns - together.first_ns} ns after one started with it")

    def _compare(self, t_ns, channel, what, is_ns, be_ns):
        off_ns = abs(is_ns - be_ns)
        if off_ns > EDGE_NS:
            self.say(t_ns, f"channel {channel.n}: {what} at {is_ns / 1000} us, commanded {be_ns / 1000} us")
        self.worst_ns[what] = max(self.worst_ns[what], off_ns)

    def _phase_over(self, t_ns, channel):
        """A phase has ended: whole, or cut by something that may cut."""
        since_ns = t_ns - channel.at_ns
        if since_ns < channel.width_us * 1000 - EDGE_NS and any(c.cuts for c in self.causes):
            return self._cut(channel, t_ns)
        self._compare(t_ns, channel, "phase", since_ns, channel.width_us * 1000)
        return True

    def _a_falls(self, t_ns, channel):
        if channel.stage != "a":
            return self.say(t_ns, f"channel {channel.n}: leg A falls in stage {channel.stage}")
        if self._phase_over(t_ns, channel):
            channel.stage = "gap"

    def _b_rises(self, t_ns, channel):
        if channel.stage != "gap":
            return self.say(t_ns, f"channel {channel.n}: leg B rises in stage {channel.stage}")
        channel.stage = "b"
        self._compare(t_ns, channel, "gap", t_ns - channel.at_ns, channel.stretch.doc["train"]["gap_us"] * 1000)

    def _b_falls(self, t_ns, channel):
        if channel.stage != "b":
            return self.say(t_ns, f"channel {channel.n}: leg B falls in stage {channel.stage}")
        if self._phase_over(t_ns, channel):
            channel.stage = "rest"

    def _cut(self, channel, t_ns):
        """The pulse in play was cut: only what may cut may have done it, and once."""
        channel.stage = "rest"
        channel.stretch.over = "the one that was cut"
        channel.whole -= 1
        channel.cut += 1
        if channel.recent and channel.recent[-1][0] == channel.rose_ns:
            channel.recent[-1][2] = 0  # the board may count its charge or not: it flowed in part
        if not any(c.cuts and c.t_ns <= t_ns and c.by_ns >= channel.rose_ns for c in self.causes):
            self.say(t_ns, f"channel {channel.n}: a pulse was cut and nothing happened that may cut")

    # -- set-points ------------------------------------------------------------------------------------------------

    def set_point(self, t_ns, n, ua):
        channel = self.channels[n]
        if ua > channel.ua:
            if channel.stretch is None:
                self.say(t_ns, f"channel {n}: the set-point rises to {ua:.0f} uA and nothing was started")
            if ua - channel.ua > self.step_ua + self.dac_ua:
                self.say(t_ns, f"channel {n}: the set-point steps from {channel.ua:.0f} to {ua:.0f} uA")
            most_ua = max(channel.target_ua, channel.asked_ua or 0)
            if ua > most_ua + 1e-6:
                self.say(t_ns, f"channel {n}: the set-point rises to {ua:.0f} uA, the target is {most_ua} uA")
        if channel.ua - ua <= self.step_ua + self.dac_ua:  # a step of the ramp; an end drops it to zero
            for pulse in channel.recent:
                if t_ns - pulse[0] <= TAKEN_NS:
                    pulse[2], pulse[3] = min(pulse[2], ua), max(pulse[3], ua + self.dac_ua)
        elif channel.stretch:
            channel.stretch.over = f"the set-point fell from {channel.ua:.0f} to {ua:.0f} uA"
            if channel.stage != "rest" and not any(c.cuts for c in self.causes):
                self.say(t_ns, f"channel {n}: in its pulse {channel.stretch.over}")
        channel.ua = ua
        channel.points.append((t_ns, ua))

    def shown(self, t_ns, asked_ns, n, ua):
        """The board tells a set-point: one that the channel has had since shortly before it was asked."""
        points = self.channels[n].points
        before = [there for at_ns, there in points if at_ns < asked_ns - LAG_NS][-1:]
        lately = before + [there for at_ns, there in points if at_ns >= asked_ns - LAG_NS]
        if lately and not min(lately) - 1 <= ua <= max(lately) + self.dac_ua + 1:
            there = f"{min(lately):.0f} to {max(lately):.0f}"
            self.say(t_ns, f"channel {n}: a set-point of {ua} uA is told, on the pins lately {there}")

    def aim(self, n, ua, t_ns):
        """The board has taken a new target."""
        channel = self.channels[n]
        if ua == channel.target_ua:
            return
        known = (channel.target_ua,) if self._settled(t_ns, channel) else (channel.target_ua, *channel.before_ua)
        channel.before_ua = min(known), max(known)
        channel.target_ua, channel.changed_ns = ua, t_ns

    def _settled(self, t_ns, channel):
        """True if the set-point has had the time to walk from one target to the other."""
        passes = max(abs(channel.target_ua - ua) for ua in channel.before_ua) // self.step_ua + 1
        return t_ns - channel.changed_ns > LAG_NS + passes * 30 * MS

    def _range(self, t_ns, channel):
        stopped_ns = self.stopped_ns(t_ns)
        least, most = channel.stretch.share(t_ns, LAG_NS + stopped_ns)
        ends = [channel.target_ua]
        if channel.asked_ua is not None:
            ends.append(channel.asked_ua)
        if not self._settled(t_ns - stopped_ns, channel):
            ends += channel.before_ua
        return min(ends) * least, max(ends) * most

    def _judge_set_point(self, t_ns, channel):
        least_ua, most_ua = self._range(t_ns, channel)
        off_ua = self.dac_ua  # its step, and the ramp's
        if least_ua < most_ua:
            off_ua += channel.target_ua / 1024 + 1
        if not least_ua - off_ua <= channel.ua <= most_ua + off_ua:
            self.say(
                t_ns,
                f"channel {channel.n}: a set-point of {channel.ua:.0f} uA, commanded {least_ua:.0f} to {most_ua:.0f}",
            )

    def _ua(self, t_ns, channel):
        """(least, most) set-point of a pulse that begins now, in uA: exact on the plateau, where it is the target."""
        least, most = self._range(t_ns, channel)
        if least == most == channel.target_ua:
            return least, most
        return channel.ua, channel.ua + self.dac_ua
