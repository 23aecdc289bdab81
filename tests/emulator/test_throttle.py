"""Simulated time never runs ahead of wall time, and catches up by 20 ms at most. Both clocks are numbers here."""

import pytest
from rheobase.emulator.throttle import CATCH_UP_NS, Throttle

SECOND = 1_000_000_000


@pytest.mark.parametrize("speed", [0.5, 1.0, 2.0])
def test_simulated_time_never_runs_ahead(speed):
    throttle = Throttle(speed, 5 * SECOND, 100)
    simulated = 100
    for wall in range(5 * SECOND, 7 * SECOND, 1_000_000):
        allowed = throttle.allowed_ns(wall, simulated)
        assert allowed <= 100 + (wall - 5 * SECOND) * speed
        simulated = max(simulated, allowed)
    assert simulated == pytest.approx(100 + 2 * SECOND * speed, rel=0.01)


def test_what_was_lost_is_forgiven_beyond_20_ms():
    throttle = Throttle(1.0, 0, 0)
    assert throttle.allowed_ns(10 * SECOND, 1_000) == 1_000 + CATCH_UP_NS
    assert throttle.allowed_ns(11 * SECOND, 2_000) == 2_000 + CATCH_UP_NS


def test_the_wait_is_what_is_missing():
    throttle = Throttle(2.0, 0, 0)
    assert throttle.wait_s(0, 100_000_000) == pytest.approx(0.05)
    assert throttle.wait_s(60_000_000, 100_000_000) == 0.0
    assert throttle.wait_s(60_000_000, 100_000_000, step_ns=30_000_000) == pytest.approx(0.005)
