"""What a channel is commanded to do, pulse by pulse: rheocore's own plan, expanded. Knows no capture, judges nothing.

A plan that comes back to where it began is expanded once round and once more at its end, and tiled in between: an hour
costs what a cycle costs. Tests prove the tiles equal to the plain expansion.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from rheocore.plan import Plan

US = 1_000_000  # ps


@dataclass(frozen=True)
class Expected:
    """Every pulse of one channel's train. starts_ps, widths_ps: int64, from the first pulse's start. gap_ps, end_ps:
    of each pulse; of the train. cycle: pulses after which the train repeats itself, 0 if it never does in its time."""

    starts_ps: np.ndarray
    widths_ps: np.ndarray
    gap_ps: int
    end_ps: int
    cycle: int

    @property
    def intervals_ps(self):
        """Times from each pulse's start to the next one's; one fewer than pulses."""
        return np.diff(self.starts_ps)


def expected(cfg):
    """Expected of a configuration as config.check() passed it; the same object for the same configuration."""
    return _expanded(tuple(sorted((key, value) for key, value in cfg.items() if key != "amplitude_ua")))


@lru_cache(maxsize=16)
def _expanded(items):
    cfg = dict(items)
    plan = Plan(cfg)
    starts, widths = [], []
    start = _state(plan)
    while _pulse(plan, starts, widths):
        if _state(plan) == start and plan.at_us < plan.end_us:
            break
    cycle = len(starts) if plan.at_us < plan.end_us and _state(plan) == start and starts else 0
    length = plan.at_us
    turns = 1
    if cycle:
        skip = max(0, plan.end_us // length - 2)  # a whole cycle is left: no pulse of the tiles has seen the end
        turns += skip
        plan.at_us += skip * length
        plan.cycle_start_us += skip * length if plan.cycle_us else 0
    at = (np.arange(turns, dtype=np.int64)[:, None] * length + np.array(starts, dtype=np.int64)).ravel()
    of = np.tile(np.array(widths, dtype=np.int64), turns)
    starts, widths = [], []
    while cycle and _pulse(plan, starts, widths):
        pass
    at = np.concatenate((at, np.array(starts, dtype=np.int64)))
    of = np.concatenate((of, np.array(widths, dtype=np.int64)))
    if len(at):
        at -= at[0]
    at.flags.writeable = of.flags.writeable = False
    at, of = at * US, of * US
    return Expected(at, of, cfg["gap_us"] * US, plan.end_us * US, cycle)


def _state(plan):
    """All that decides what a plan does next, but for its time and its end. A free modulation has its time in it."""
    since = plan.at_us - plan.cycle_start_us
    if plan.kind == "modulated" and not plan.cycle_us:
        since %= plan.cfg["cycle_ms"] * 1000
    elif not plan.cycle_us:
        since = 0
    return (
        since,
        plan.index,
        plan.second,
        getattr(plan, "count", 0),
        plan.period_us if plan.kind != "modulated" else 0,
    )


def _pulse(plan, starts, widths):
    """Append the next pulse and play what rests after it. False at the end of the plan."""
    while True:
        at_us = plan.at_us
        if not plan.next():
            return False
        if plan.pulse:
            starts.append(at_us)
            widths.append(plan.lo & 0x3FF)
            plan.at_us += plan.rest_left_us  # rests have no edges: only their sum matters
            plan.rest_left_us = 0
            return True
