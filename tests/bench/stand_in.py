"""A stand-in of own.play(): no board; the pulses that the configurations plan, and what a test wants wrong."""

import numpy as np
from rheobase.bench import matrix
from rheobase.bench.capture import INTERLOCK, Capture, Signal
from rheocore.items import LEAD_US
from rheocore.plan import Plan

US = 1_000_000  # ps
LEAD_PS = 20_000 * US  # from the capture's begin to the first item
RESOLUTION_PS = 16_000


def edges_us(cfg, until_us=None):
    """{"A": [rise, fall, ...], "B": [...]} in us from the first item; pulses begun before until_us."""
    plan, legs, at_us = Plan(cfg), {"A": [], "B": []}, 0
    while plan.next():
        if plan.pulse and (until_us is None or at_us < until_us):
            rise, width = at_us + LEAD_US, plan.lo & 0x3FF
            second = rise + width + cfg["gap_us"]
            legs["A"] += [rise, rise + width]
            legs["B"] += [second, second + width]
        at_us = plan.at_us
    return legs


class Playing:
    """play() as own.play; calls: how often. spoil(n, legs): changes what a channel puts out, before it is captured.

    result: what the board says differently, {act's stop reason, ...}. raises: {number of the call: error}.
    """

    def __init__(self, spoil=None, result=None, raises=None):
        self.spoil = spoil or (lambda n, legs: None)
        self.result = result or {}
        self.raises = raises or {}
        self.calls = 0

    def __call__(self, board, configs, channels, interlock, edges, cutoff_ms, during):
        self.calls += 1
        if self.calls in self.raises:
            raise self.raises[self.calls]
        act, until_us = during.name, None
        if act in ("stop", "starvation", "interlock"):
            until_us = matrix.ACT_MS * 1000
        elif act == "cutoff":
            until_us = cutoff_ms * 1000
        signals, told, events = {}, {}, []
        for n, cfg in configs.items():
            legs = edges_us(cfg, until_us)
            if act == "pause":
                self._pause(cfg, legs, events)
            told[str(n)] = {"pulses": len(legs["A"]) // 2, "truncated": 0, "charge_nc": 0}
            self.spoil(n, legs)
            if n in channels:
                for leg, times in legs.items():
                    signals[f"CH{n}_{leg}"] = Signal(0, np.array(times, dtype=np.int64) * US + LEAD_PS)
        if interlock:
            signals[INTERLOCK] = Signal(1, np.array([matrix.ACT_MS * 1000 * US + LEAD_PS + 900 * US], dtype=np.int64))
        if act == "starvation":
            events.append({"kind": "stall", "detail": 600, "t_ms": matrix.ACT_MS})
        end_ps = max(int(s.edges_ps[-1]) for s in signals.values() if len(s.edges_ps)) + 300_000 * US
        reason, is_fault, _ = matrix.ENDS[act]
        result = {"stop_reason": reason, "fault": reason if is_fault else None, "channels": told, "events": events}
        capture = Capture(signals, 0, end_ps, RESOLUTION_PS, "a stand-in", "a stand-in", own_clock=True)
        return capture, {**result, **self.result}

    @staticmethod
    def _pause(cfg, legs, events):
        """Half of the session, 300 ms of nothing, the other half from its begin."""
        half_ms = cfg["duration_ms"] // 2
        first, again = edges_us(cfg, half_ms * 1000), edges_us(cfg, half_ms * 1000)
        for leg in "AB":
            legs[leg] = first[leg] + [t + half_ms * 1000 + matrix.PAUSE_MS * 1000 for t in again[leg]]
        if not events:
            events.append({"kind": "state", "detail": "paused", "t_ms": 20 + half_ms})
            events.append({"kind": "state", "detail": "ramp_up", "t_ms": 20 + half_ms + matrix.PAUSE_MS})


class Board:
    """What a sweep asks of a greeted board, without one. status_now: what status() answers."""

    class Client:
        @staticmethod
        def wait(timeout_s):
            return False

    def __init__(self, serial="E6614103E7000001", firmware="0123456789abcdef", emulated=False):
        self.info = {
            "board": "RHEO_PICO",
            "serial": serial,
            "firmware": {"version": "0.1.0", "hash": firmware, "origin": "frozen"},
            "micropython": "1.25.0",
            "channels": [1, 2, 3],
            "state": "idle",
        }
        self.emulated = emulated
        self.port = "/dev/nowhere"
        self.client = self.Client()
        self.status_now = {"state": "done", "fault": None, "fault_channel": None, "interlock": True}
        self.calls = []

    def status(self):
        return self.status_now

    def call(self, method, params=None, **options):
        self.calls.append(method)
        if method == "clear_fault":
            self.status_now = {"state": "idle", "fault": None, "fault_channel": None, "interlock": True}
        return {}
