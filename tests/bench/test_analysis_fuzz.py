"""Whatever edges a capture holds, the analyser answers: it raises nothing; its answer is JSON, and fits a terminal."""

import json
import random

import numpy as np
import pytest
from bench import planted
from bench.planted import MS, US, Bench
from rheobase.bench.analysis import analyse
from rheobase.bench.capture import Capture, Signal
from rheobase.errors import UsageError

CODES = {
    "width_a", "width_b", "gap", "start", "period", "missing", "extra", "runt", "lone_phase", "overlap", "imbalance",
    "clock", "interlock_late", "output_while_open", "count", "wrong_protocol", "no_pulses", "torn", "too_slow",
    "legs_swapped", "goes_on",
}  # fmt: skip


def sound(result):
    data = json.loads(json.dumps(result.data(), allow_nan=False))
    assert data["verdict"] in ("pass", "fail", "cannot_tell")
    for found in data["findings"]:
        assert found.keys() == {"code", "channel", "t_ns", "expected", "measured", "u", "verdict", "text"}
        assert found["code"] in CODES and found["text"]
    how = {found["verdict"] for found in data["findings"]}
    assert data["verdict"] == ("fail" if "fail" in how else "cannot_tell" if how else "pass")
    assert all(len(line) <= 80 for line in result.text().splitlines()), result.text()
    json.dumps(result.series, allow_nan=False)


def noise(rnd, capture):
    """Edges taken away, put in, moved or doubled, and all levels turned round."""
    for signal in capture.signals.values():
        edges = signal.edges_ps.copy()
        for _ in range(rnd.choice((0, 1, 5, 50))):
            how = rnd.randrange(4)
            at = rnd.randrange(len(edges)) if len(edges) else 0
            if how == 0 and len(edges):
                edges = np.delete(edges, at)
            elif how == 1:
                edges = np.insert(edges, at, rnd.randrange(capture.start_ps, capture.end_ps + 1))
            elif how == 2 and len(edges):
                edges[at] += rnd.randrange(-20 * MS, 20 * MS)
            elif len(edges):
                edges = np.insert(edges, at, edges[at])
        signal.edges_ps = np.sort(np.clip(edges, capture.start_ps, capture.end_ps))
        signal.initial ^= rnd.random() < 0.1


def test_80_captures_with_noise_are_answered():
    for seed in range(80):
        rnd = random.Random(seed)
        cfgs = {n: planted.drawn(rnd, duration_ms=1_000) for n in (1, 2)}
        bench = Bench(rnd.choice(list(planted.RATES)), seed, rnd.uniform(-600, 600))
        trains = {n: planted.pulses(cfg)[rnd.randrange(3) :] for n, cfg in cfgs.items()}
        locks = sorted(rnd.randrange(10**12) for _ in range(rnd.choice((0, 1, 4))))
        own = rnd.random() < 0.2
        capture = bench.capture(trains, locks, initial_interlock=rnd.randrange(2), own_clock=own)
        noise(rnd, capture)
        sound(analyse(capture, cfgs, rnd.choice((None, 5)), rnd.choice((None, {1: 7}))))


def test_200_captures_of_random_edges_are_answered_and_never_pass():
    for seed in range(200):
        rnd = random.Random(seed)
        span = rnd.choice((1, 10 * US, 10 * MS, 10**13))
        signals = {}
        for name in ("CH1_A", "CH1_B", "INTERLOCK"):
            edges = sorted(rnd.randrange(span + 1) for _ in range(rnd.choice((0, 1, 2, 3, 200))))
            signals[name] = Signal(rnd.randrange(2), np.array(edges, dtype=np.int64))
        capture = Capture(signals, 0, span, rnd.choice((1, 8_000, 41_667, 10**9)), "noise", "")
        result = analyse(capture, {1: planted.drawn(rnd)})
        sound(result)
        assert result.verdict != "pass"


def test_a_channel_without_both_legs_is_a_usage_error_that_names_what_there_is():
    capture = Bench().capture({1: planted.pulses(planted.cfg("slow"))})
    del capture.signals["CH1_B"]
    with pytest.raises(UsageError, match="no signal CH1_B; it has CH1_A"):
        analyse(capture, {1: planted.cfg("slow")})
    with pytest.raises(UsageError, match="CH2_A"):
        analyse(capture, {2: planted.cfg("slow")})
