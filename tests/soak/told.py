"""What the board tells of its output, held against the pins: counts, charge, set-points, time left, interlock."""

from soak.train import LAG_NS  # an account of the board is behind the pins as a set-point is behind its ramp

LIVE = ("ramp_up", "run", "ramp_down")
LEFT_US = 20_000  # time left, besides: filling the first items, and a pass


class Told:
    """Parts of wire.Wire, which says what `self` has. asked_ns: when the board was asked; it may tell of then."""

    def _left_told(self, t_ns, asked_ns, left_ms):
        """What is left while output is on or pauses, as it was since shortly before the board was asked."""
        if self.state not in ("paused", *LIVE):
            return
        least_us, most_us = self.pins.left_us(t_ns)[0], self.pins.left_us(asked_ns - LAG_NS)[1]
        if not least_us - LEFT_US <= left_ms * 1000 <= most_us + LEFT_US:
            self.say(t_ns, f"{left_ms} ms are told to be left, by the pins {least_us // 1000} to {most_us // 1000}")

    def _interlock_told(self, t_ns, asked_ns, closed):
        """As it has been at some time since shortly before the board was asked."""
        since = [was for at_ns, was in self.interlock if at_ns > asked_ns - LAG_NS]
        before = [was for at_ns, was in self.interlock if at_ns <= asked_ns - LAG_NS][-1:]
        if closed not in before + since:
            self.say(t_ns, f"the interlock is told {'closed' if closed else 'open'} and is not")

    def _shown(self, t_ns, asked_ns, n, set_ua, state):
        self.pins.shown(t_ns, asked_ns, n, set_ua)
        channel = self.pins.channels[n]
        if state not in LIVE and set_ua:
            self.say(t_ns, f"channel {n}: a set-point of {set_ua} uA is told in state {state}")
        if set_ua > max(channel.target_ua, *channel.before_ua):
            self.say(
                t_ns,
                f"channel {n}: a set-point of {set_ua} uA is told; targets {channel.before_ua}, {channel.target_ua}",
            )

    def _account(self, t_ns, asked_ns, channels, live):
        for n, row in channels.items():
            channel = self.pins.channels[int(n)]
            self._count(t_ns, asked_ns, channel, row["pulses"], live)
            self._charge(t_ns, asked_ns, channel, row["charge_nc"], live)
            if not live and row["truncated"] != channel.cut:
                self.say(t_ns, f"channel {n}: {row['truncated']} truncated, on the pins {channel.cut}")

    def _count(self, t_ns, asked_ns, channel, told, live):
        """While output is on the board may be a pass behind; afterwards every pulse counts."""
        behind = channel.since(asked_ns - LAG_NS)[0] if live else 0
        if not channel.whole - behind <= told <= channel.whole + (1 if live else 0):
            self.say(t_ns, f"channel {channel.n}: {told} pulses are told, on the pins {channel.whole}")

    def _charge(self, t_ns, asked_ns, channel, told_nc, live):
        least_pc, most_pc = channel.charge_pc()
        if live:
            least_pc -= channel.since(asked_ns - LAG_NS)[1]
        if not least_pc // 1000 <= told_nc <= most_pc // 1000:
            by_pins = f"{least_pc // 1000} to {most_pc // 1000}"
            self.say(t_ns, f"channel {channel.n}: {told_nc} nC are told, by the pins {by_pins}")
