"""Pace simulated time by wall time, so that it never runs ahead. Pure: the caller brings both clocks.

A program at the pty counts in wall time (keep-alives, timeouts). If the emulation idles it must wait; if it falls
behind it may catch up by a little only, or a device that was slow would suddenly be faster than its host.
"""

CATCH_UP_NS = 20_000_000


class Throttle:
    """speed: simulated seconds per wall second at most. Times in ns."""

    def __init__(self, speed, wall_ns, simulated_ns):
        self.speed = speed
        self._wall_ns, self._simulated_ns = wall_ns, simulated_ns

    def allowed_ns(self, wall_ns, simulated_ns):
        """How far simulated time may run now; forgives what was lost beyond 20 ms."""
        allowed = self._simulated_ns + (wall_ns - self._wall_ns) * self.speed
        if allowed - simulated_ns > CATCH_UP_NS:
            allowed = simulated_ns + CATCH_UP_NS
            self._wall_ns, self._simulated_ns = wall_ns, allowed
        return allowed

    def wait_s(self, wall_ns, simulated_ns, step_ns=0):
        """Wall seconds until simulated time may move on by `step_ns`; 0 if it may."""
        missing_ns = simulated_ns + step_ns - self.allowed_ns(wall_ns, simulated_ns)
        return max(0.0, missing_ns / self.speed / 1e9)
