"""The hardware session cutoff ends output alone: CPU dead with interrupts off, leases endless. Simulated time."""

import pytest
from dut import MS
from rheobase.emulator import rawrepl

# Leases without an end, so that nothing but the cutoff can end the output; at `dead_ms` the CPU is gone for good.
DEAD = """
import machine, micropython
from rheorp2 import hw, watchdog
run, feed = hw.run_dma, hw.feed_dma
hw.run_dma = lambda n, at, count, ctrl: run(n, at, 0x0fffffff, ctrl)
hw.feed_dma = lambda n, at, count, ctrl: feed(n, at, 0x0fffffff, ctrl)
@micropython.asm_thumb
def sleep_for_ever():
    label(again)
    wfi()
    b(again)
def die(t):
    machine.mem32[0xE000E180] = 0xFFFFFFFF  # no interrupt can wake it
    sleep_for_ever()
watchdog.Watchdog.keep = lambda self, on: None
t = machine.Timer(period={dead_ms}, mode=machine.Timer.ONE_SHOT, callback=die)
from rheorp2 import app
app.main()
"""
MARGIN_MS = 250  # contract: the cutoff stands this long after the session's own end


def ended(dut, duration_ms, dead_ms):
    """Start a session of duration_ms, let the CPU die dead_ms after power-on, run to 600 ms past the session's end."""
    rawrepl.enter(dut.board)
    rawrepl.start(dut.board, DEAD.format(dead_ms=dead_ms))
    dut.run_ms(300)
    dut.load({1: {"duration_ms": duration_ms}, 2: {"duration_ms": duration_ms, "period_us": 2_500, "width_us": 400}})
    dut.start()
    start_ns = min(t for t, *_ in dut.leg_edges()) if dut.leg_edges() else dut.board.now_ns
    dut.run_ms(duration_ms + 600)
    return start_ns


@pytest.mark.parametrize("duration_ms", [1000, 10_000])
def test_the_cutoff_alone_ends_a_session_balanced_with_the_cpu_dead(dut, duration_ms):
    start_ns = ended(dut, duration_ms, dead_ms=800)
    trains = dut.trains()
    end_ms = (max(t for t, *_ in dut.leg_edges()) - start_ns) / MS
    assert (
        duration_ms + MARGIN_MS - 15 <= end_ms <= duration_ms + MARGIN_MS + 2
    )  # the last pulse may be a period before
    for train in trains.values():
        assert not train.truncated
        assert not train.overlaps
    assert dut.board.level("CH1_A") == dut.board.level("CH1_B") == 0


@pytest.mark.parametrize("duration_ms", [60_000, 300_000, 3_600_000])
def test_long_cutoffs_stand_in_the_registers(dut, duration_ms):
    """Ticks of 0.5 ms left in the chain's first stage, against the session's time left."""
    dut.load({1: {"duration_ms": duration_ms, "period_us": 1_000_000}})
    dut.start()
    started_ns = dut.board.now_ns
    ticks = dut.board.peek(0x50000000 + 0x40 * 4 + 8)
    assert dut.board.peek(0x50000420) == 1 << 16 | 62500  # 2 kHz of 125 MHz, exact
    passed_ms = (dut.board.now_ns - started_ns) / MS
    wanted = 2 * (duration_ms + MARGIN_MS - passed_ms)
    assert wanted - 2 * 10 <= ticks <= wanted  # loaded up to 10 ms before the reply arrived
    dut.call("stop")
    assert not dut.board.peek(0x50000000 + 0x40 * 4 + 0xC) & 1  # taken down with the session
