"""What a channel's train must be, from the words of its protocol's file: every pulse, and its share of the target.

Nothing of rheocore's plan and envelope is used; intervals are told by presets.commanded.
"""

from dataclasses import dataclass
from itertools import takewhile

from presets import commanded

EDGE_NS = 8  # one clock: what an edge may lie off its tick
MS = 1_000_000
LAG_NS = 90 * MS  # set-point behind its ramp: passes of 20 ms, a collection, a flood of requests
STEP_US = 15_000  # between two looks at a ramp


def windows(doc, length_us):
    """[(start, end)] in us of what has pulses in a train of this length: all of it, or each contraction."""
    if "on_s" not in doc["envelope"]:
        return [(0, length_us)]
    on_us, off_us = (round(doc["envelope"][key] * 1_000_000) for key in ("on_s", "off_s"))
    return [(at, min(at + on_us, length_us)) for at in range(0, length_us, on_us + off_us)]


def pulses(doc, length_us):
    """(start from the first pulse's, width) in us of every pulse of a train of this length."""
    gap = doc["train"]["gap_us"]
    for start, end in windows(doc, length_us):
        at = start
        for width, interval in commanded._intervals(doc["train"]):
            if at + 2 * width + gap + commanded.DEAD_US > end:
                break
            yield at, width
            at += interval


def share(doc, length_us, at_us):
    """Amplitude at a time from the first pulse, as a share of the target: ramps of train and contraction."""
    up_us, down_us, on_us, off_us = (
        round(doc["envelope"].get(key, 0) * 1_000_000) for key in ("ramp_up_s", "ramp_down_s", "on_s", "off_s")
    )
    if not 0 <= at_us < length_us:
        return 0.0
    level = min(1.0, at_us / up_us, (length_us - at_us) / down_us)
    if on_us:
        at_us %= on_us + off_us
        level = max(0.0, min(level, at_us / up_us, (on_us - at_us) / down_us))
    return level


@dataclass
class Together:
    """Channels started by one request."""

    first_ns: int | None = None  # first pulse of any
    given_ns: int | None = None  # the board said yes


class Stretch:
    """One channel's output from a start or resume on. doc: its protocol's file; least_us, most_us: how long it is."""

    def __init__(self, doc, least_us, most_us, together):
        self.doc, self.least_us, self.most_us, self.together = doc, least_us, most_us, together
        self.began_ns = None
        self.asked = pulses(doc, most_us)
        self.played = 0
        self.over = None  # what has happened after which no pulse may come

    def due(self, until_ns=None):
        """How many pulses must have begun until then, at least; None: all of them."""
        starts = (at_us for at_us, _width in pulses(self.doc, self.least_us))
        if until_ns is None:
            return sum(1 for _ in starts)
        since_ns = self.began_ns or self.together.first_ns or (self.together.given_ns or until_ns) + LAG_NS
        return sum(1 for _ in takewhile(lambda at_us: since_ns + at_us * 1000 + EDGE_NS < until_ns, starts))

    def share(self, t_ns, lag_ns):
        """(lowest, highest) share of the target in the last lag_ns."""
        at_us = (t_ns - self.began_ns) // 1000
        backs_us = range(-STEP_US, lag_ns // 1000 + 1, STEP_US)
        there = [share(self.doc, end, at_us - back) for end in (self.least_us, self.most_us) for back in backs_us]
        return min(there), max(there)
