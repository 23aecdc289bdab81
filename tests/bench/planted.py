"""Captures with known truth: trains as an instrument would sample them, clean or with a planted error. Judges nothing.

Times of the board are exact; the instrument's clock runs at another rate, its samples fall anywhere between, and an
edge is told at the first sample that sees it.
"""

import random
from dataclasses import replace

import numpy as np
from rheobase.bench.capture import Capture, Signal
from rheobase.bench.expected import expected
from rheocore import config

US = 1_000_000
NS = 1_000
MS = 1_000_000_000
S = 1_000_000_000_000
RATES = {
    "8 ns": (8_000, 1),
    "10 ns": (10_000, 1),
    "24 MHz": (125_000, 3),
    "125 ns": (125_000, 1),
}  # period as a fraction

BASE = {
    "mode": "dnes", "electrode": "needle", "bench": True, "gap_us": 50, "ramp_up_ms": 500, "ramp_down_ms": 500,
    "duration_ms": 4_000, "max_ua": 10_000, "amplitude_ua": 0,
}  # fmt: skip
TRAINS = {
    "continuous": {"kind": "continuous", "period_us": 10_000, "width_us": 200},
    "slow": {"kind": "continuous", "period_us": 500_000, "width_us": 200, "duration_ms": 8_000},
    "fast": {"kind": "continuous", "period_us": 2_500, "width_us": 500, "gap_us": 3},
    "narrow": {"kind": "continuous", "period_us": 33_333, "width_us": 50, "gap_us": 255},
    "burst": {"kind": "burst", "period_us": 10_000, "width_us": 200, "burst_pulses": 5, "burst_period_us": 250_000},
    "alternating": {
        "kind": "alternating", "period_us": 66_667, "width_us": 200, "alt_period_us": 10_000, "dwell_ms": 500,
    },
    "modulated": {
        "kind": "modulated", "lo_millihz": 2_000, "hi_millihz": 100_000, "lo_width_us": 200, "hi_width_us": 100,
        "cycle_ms": 1_500,
    },
    "on_off": {"kind": "continuous", "period_us": 20_000, "width_us": 300, "on_ms": 1_000, "off_ms": 500},
    "burst_on_off": {
        "kind": "burst", "period_us": 10_000, "width_us": 200, "burst_pulses": 3, "burst_period_us": 100_000,
        "on_ms": 1_000, "off_ms": 400,
    },
    "modulated_on_off": {
        "kind": "modulated", "lo_millihz": 20_000, "hi_millihz": 80_000, "lo_width_us": 250, "hi_width_us": 150,
        "cycle_ms": 1_000, "on_ms": 1_500, "off_ms": 500,
    },
}  # fmt: skip


def cfg(name, **changes):
    """Compact configuration of a train of TRAINS."""
    return {**BASE, **TRAINS[name], **changes}


def pulses(config, first=0, count=None):
    """Array of (A rise, A fall, B rise, B fall) in ps of the board's time from the train's first pulse."""
    plan = expected(config)
    t, w = plan.starts_ps, plan.widths_ps
    whole = np.stack((t, t + w, t + w + plan.gap_ps, t + 2 * w + plan.gap_ps), axis=1)
    return whole[first : None if count is None else first + count].copy()


class Bench:
    """An instrument: samples levels of wires at a rate, with a phase and a clock of its own (from a seed)."""

    def __init__(self, rate="8 ns", seed=0, board_ppm=0.0):
        self.over, self.under = RATES[rate]
        self.random = random.Random(f"{rate} {seed} {board_ppm}")
        self.board_ppm = board_ppm
        self.phase_ps = self.random.randrange(2 * US)

    @property
    def resolution_ps(self):
        return -(-self.over // self.under)

    def told(self, board_ps):
        """Times at which edges of the board's time are told: the first sample that sees them."""
        board_ps = np.asarray(board_ps, dtype=np.int64)
        true = board_ps - np.rint(board_ps * (self.board_ppm / (1e6 + self.board_ppm))).astype(np.int64) + self.phase_ps
        samples = -(-true * self.under // self.over)
        return (samples * self.over + self.under // 2) // self.under

    def capture(self, channels, interlock=None, before_ps=MS, after_ps=MS, initial_interlock=1, **more):
        """Capture of {channel: array as of pulses()}, in the board's time. interlock: its edges."""
        legs = {}
        for channel, array in channels.items():
            array = np.asarray(array, dtype=np.int64).reshape(-1, 4)
            legs[f"CH{channel}_A"] = array[:, :2].ravel()
            legs[f"CH{channel}_B"] = array[:, 2:].ravel()
        return self.wires(legs, interlock, before_ps, after_ps, initial_interlock, **more)

    def wires(self, legs, interlock=None, before_ps=MS, after_ps=MS, initial_interlock=1, **more):
        """Capture of {name: rising edges in the board's time}, each signal low before its first."""
        every = np.concatenate([np.asarray(edges) for edges in legs.values()] or [[0]])
        first, last = (int(every.min()), int(every.max())) if len(every) else (0, 0)
        start, end = int(self.told([first - before_ps])[0]), int(self.told([last + after_ps])[0])
        signals = {}
        for name, edges in legs.items():
            edges = _without_nothings(self.told(edges))
            signals[name] = Signal(
                int(np.searchsorted(edges, start, side="right")) & 1, edges[(edges > start) & (edges <= end)]
            )
        if interlock is not None:
            signals["INTERLOCK"] = Signal(initial_interlock, self.told(interlock))
        return Capture(signals, start, end, self.resolution_ps, "planted", "a modelled instrument", **more)


def _without_nothings(edges):
    """Edges without the pairs that fall between two samples: nothing is seen of them."""
    while len(edges) and (np.diff(edges) == 0).any():
        i = int(np.flatnonzero(np.diff(edges) == 0)[0])
        edges = np.delete(edges, [i, i + 1])
    return edges


def drawn(rnd, **fixed):
    """Any configuration that the device takes, from a random.Random; phases of 20 us at least, so that edges show."""
    while True:
        kind = rnd.choice(config.KINDS)
        cfg = {**BASE, "kind": kind, "gap_us": rnd.randrange(3, 256), "duration_ms": rnd.randrange(1_000, 20_000)}
        if kind == "modulated":
            lo = rnd.randrange(1_000, 200_000)
            cfg |= {"lo_millihz": lo, "hi_millihz": rnd.randrange(lo, 400_001), "cycle_ms": rnd.randrange(1_000, 9_000)}
            cfg |= {"lo_width_us": rnd.randrange(20, 300), "hi_width_us": rnd.randrange(20, 300)}
        else:
            most_us = rnd.choice((5_000, 20_000, 100_000, 1_000_000))
            cfg |= {"period_us": rnd.randrange(2_500, most_us), "width_us": rnd.randrange(20, 400)}
        if kind == "burst":
            cfg["burst_pulses"] = rnd.randrange(1, 12)
            cfg["burst_period_us"] = min(2_000_000, cfg["period_us"] * cfg["burst_pulses"] + rnd.randrange(300_000))
        if kind == "alternating":
            cfg |= {"alt_period_us": rnd.randrange(2_500, 100_000), "dwell_ms": rnd.randrange(100, 4_000)}
        if rnd.random() < 0.4:
            cfg |= {"on_ms": rnd.randrange(1_000, 5_000), "off_ms": rnd.choice((0, 5, 50, rnd.randrange(8_000)))}
        cfg |= fixed
        try:
            return config.check(cfg)
        except config.ConfigError:
            continue


def window(capture, start_ps, end_ps):
    """What an instrument that was switched on and off at these times has of a capture."""
    signals = {}
    for name, signal in capture.signals.items():
        a, b = np.searchsorted(signal.edges_ps, (start_ps, end_ps), side="right")
        signals[name] = Signal((signal.initial + int(a)) & 1, signal.edges_ps[a:b])
    return replace(capture, signals=signals, start_ps=start_ps, end_ps=end_ps)
