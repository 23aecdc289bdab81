"""Faults injected into a live session: off in time, named, latched, and told. Simulated time."""

import pytest
from dut import BASE, MS, Refusal
from rheobase.emulator import rawrepl

APP = "from rheorp2 import app\napp.main()\n"


def patched(dut, code):
    """Boot the app from the raw REPL with `code` run before it."""
    rawrepl.enter(dut.board)
    rawrepl.start(dut.board, code + APP)
    dut.run_ms(200)
    return dut


def at_ms(ms, action):
    """Code that calls `action` (a statement) in a timer's callback, ms after the app's start."""
    return (
        "import machine, time\n"
        f"def go(t):\n    {action}\n"
        f"t = machine.Timer(period={ms}, mode=machine.Timer.ONE_SHOT, callback=go)\n"
    )


def last_fall_after(dut, t_ns):
    """Milliseconds from t_ns to the last edge on a leg."""
    return (max(t for t, *_ in dut.leg_edges()) - t_ns) / MS


def back(dut, timeout_ms=6_000):
    """Run until the board has been reset and answers again; its info."""
    before = dut.board.engine.resets
    assert dut.board.run_until(lambda: dut.board.engine.resets > before, round(timeout_ms * MS)), "no reset"
    dut.token = 0
    dut._line.clear()  # what the reset cut off
    assert dut.board.run_until(lambda: dut.board.usb.connected, 1_000 * MS)
    dut.run_ms(300)
    return dut.greet()


@pytest.mark.req("REQ-052")
@pytest.mark.parametrize(
    ("load", "fault", "rate_us"),
    [("open", "electrode_open", 10_000), ("short", "electrode_short", 10_000), ("open", "electrode_open", 500_000)],
)
def test_a_lost_or_shorted_electrode_is_found_within_50_ms_or_one_period(dut, load, fault, rate_us):
    dut.load({1: {"amplitude_ua": 4000, "period_us": rate_us, "duration_ms": 8000}})
    dut.start()
    dut.run_ms(1800)
    changed_ns = dut.board.now_ns
    dut.board.set_load(1, load)
    dut.run_ms(1200)
    result = dut.call("result")
    assert (result["fault"], result["fault_channel"]) == (fault, 1)
    assert [n for n, event in zip(dut.channels_named, dut.events, strict=True) if event[2] == "fault"] == [1]
    assert last_fall_after(dut, changed_ns) <= max(50, rate_us / 1000) + 2
    assert result["channels"]["1"]["pulses"] == len(dut.trains()[1].pulses)
    assert dut.board.setpoints[-1][2] == 0


@pytest.mark.req("REQ-052")
def test_an_intermittent_contact_is_a_fault_too(dut):
    dut.load({1: {"amplitude_ua": 4000, "duration_ms": 8000}})
    dut.start()
    dut.run_ms(900)
    now_ns = dut.board.now_ns
    dut.board.at(now_ns + 5 * MS, lambda: dut.board.set_load(1, "open"))
    dut.board.at(now_ns + 40 * MS, lambda: dut.board.set_load(1, "1000"))
    dut.run_ms(300)
    assert dut.call("result")["fault"] == "electrode_open"


@pytest.mark.req("REQ-052")
@pytest.mark.parametrize("gain", [0.7, 1.4])
def test_a_current_off_its_set_point_is_found(dut, gain):
    dut.load({1: {"amplitude_ua": 4000, "duration_ms": 8000}})
    dut.start()
    dut.run_ms(900)
    changed_ns = dut.board.now_ns
    dut.board.set_error(1, "gain", gain)
    dut.run_ms(300)
    assert dut.call("result")["fault"] == "amplitude_error"
    assert last_fall_after(dut, changed_ns) <= 52


@pytest.mark.req("REQ-052")
@pytest.mark.parametrize(("error", "value"), [("gain", 3.0), ("offset_ua", 30_000)])
def test_a_stage_that_gives_too_much_is_found_while_the_set_point_is_still_on_its_way_up(dut, error, value):
    dut.load({1: {"amplitude_ua": 5000, "ramp_up_ms": 10_000, "duration_ms": 20_000}})
    dut.start()
    dut.run_ms(2500)
    changed_ns = dut.board.now_ns
    dut.board.set_error(1, error, value)
    dut.run_ms(100)
    assert dut.call("result")["fault"] == "amplitude_error"
    assert last_fall_after(dut, changed_ns) <= 52


@pytest.mark.req("REQ-052")
@pytest.mark.parametrize("load", ["needle", "skin", "500", "8000"])
def test_ordinary_loads_are_no_fault(make_dut, load):
    dut = make_dut(load=load)
    short = {"duration_ms": 1200}
    dut.load({1: {**short, "amplitude_ua": 5000}, 2: {**short, "amplitude_ua": 700, "period_us": 100_000}})
    dut.start()
    assert dut.run_to_end()["stop_reason"] == "time_over"


DEAD = "machine.mem32[0xE000E180] = 0xFFFFFFFF\n    sleep_for_ever()"  # no interrupt can wake the CPU
SLEEP = "import micropython\n@micropython.asm_thumb\ndef sleep_for_ever():\n    label(L)\n    wfi()\n    b(L)\n"


@pytest.mark.req("REQ-017")
@pytest.mark.parametrize("action", ["time.sleep(60)", DEAD], ids=["interrupts on", "interrupts off"])
def test_a_dead_loop_ends_output_by_the_lease_and_then_the_watchdog_resets(dut, action):
    patched(dut, SLEEP + at_ms(1500, action))
    dut.load({1: {"duration_ms": 20_000}, 2: {"duration_ms": 20_000, "period_us": 500_000}})
    dut.start()
    dut.run_ms(1800)
    last_pass_ns = max(t["dev_us"] for t in dut.telemetry) * 1000
    info = back(dut)
    assert last_fall_after(dut, last_pass_ns) <= 300  # 200 ms after the last pass; telemetry is up to 100 ms old
    for train in dut.trains().values():
        assert not train.truncated
    assert (info["reset_cause"], info["was"], info["state"]) == ("watchdog", "run", "fault")
    assert dut.call("status")["fault"] == "watchdog"
    assert 16_000 < info["remainder_ms"] < 19_500
    with pytest.raises(Refusal, match="fault"):
        dut.call("configure", channels={"1": BASE})
    dut.call("clear_fault")
    with pytest.raises(Refusal, match="limit_remainder"):
        dut.call("configure", channels={"1": {**BASE, "duration_ms": 20_000}})
    assert dut.call("configure", channels={"1": {**BASE, "duration_ms": 10_000}})["state"] == "loaded"


@pytest.mark.req("REQ-018")
@pytest.mark.parametrize(
    "code",
    [
        at_ms(1500, "machine.reset()"),
        "from rheorp2 import app\nold = app.App.measure\nn = [0]\n"
        "def bad(self, now):\n    n[0] += 1\n    if n[0] > 60: raise ValueError\n    old(self, now)\n"
        "app.App.measure = bad\n",
    ],
    ids=["machine.reset", "exception in the loop"],
)
def test_a_reset_in_a_session_is_safe_and_is_told(dut, code):
    patched(dut, code)
    dut.load({1: {"duration_ms": 20_000}})
    dut.start()
    info = back(dut)
    edges = dut.leg_edges()
    assert dut.board.now_ns - edges[-1][0] > 250 * MS
    assert dut.board.level("CH1_A") == dut.board.level("CH1_B") == 0
    assert (info["reset_cause"], info["state"]) == ("software", "fault")
    assert dut.call("status")["fault"] in ("reset", "internal")  # internal: an error of the firmware's own


@pytest.mark.req("REQ-024")
def test_ctrl_c_in_a_session_stays_latched_over_the_soft_reset_that_follows(dut):
    dut.load({1: {}})
    dut.start()
    dut.run_ms(700)
    dut.token = 0
    dut.board.send(b"\x03")
    dut.run_ms(100)
    dut.board.send(b"\x04")
    dut.run_ms(500)
    info = dut.greet()
    assert info["state"] == "fault"
    assert dut.call("status")["fault"] == "host_break"
    assert dut.call("clear_fault")["state"] == "idle"


@pytest.mark.req("REQ-017")
def test_the_watchdog_runs_from_arm_to_the_end_only(dut):
    enabled = 1 << 30
    dut.greet()
    dut.run_ms(1100)
    assert not dut.board.peek(0x40058000) & enabled
    dut.load({1: {}})
    dut.run_ms(100)
    assert dut.board.peek(0x40058000) & enabled
    dut.call("stop")
    dut.run_ms(1100)
    assert not dut.board.peek(0x40058000) & enabled


BROKEN_OFF = """
import machine
from rheorp2 import watchdog
class Chip:
    def WDT(timeout):
        machine.WDT(timeout=timeout)
        raise KeyboardInterrupt
watchdog.machine = Chip
"""


@pytest.mark.req("REQ-017")
def test_a_ctrl_c_as_the_watchdog_starts_leaves_no_watchdog_behind(dut):
    """It would reset the board 2 s later, in the midst of what mpremote does."""
    patched(dut, BROKEN_OFF)
    with pytest.raises(AssertionError, match="no reply"):
        dut.load({1: {}})
    assert b"leaving to the REPL" in dut.board.received
    assert not dut.board.peek(0x40058000) & 1 << 30


@pytest.mark.req("REQ-058")
def test_a_board_whose_clock_nears_its_end_does_not_arm(dut):
    """Milliseconds are counted to 2**31: a session that comes there would stand still. Twelve days, of twenty-four."""
    patched(dut, "from rheorp2 import hw\nold = hw.now_ms\nhw.now_ms = lambda: old() + (1 << 30) - 1000\n")
    dut.load({1: {"duration_ms": 1000}})  # just before it still does
    dut.start()
    assert dut.run_to_end()["stop_reason"] == "time_over"
    with pytest.raises(Refusal, match="fault"):
        dut.load({1: {}})
    assert dut.call("status")["fault"] == "clock"


@pytest.mark.req("REQ-044")
def test_an_error_with_the_cable_out_still_resets_the_board(dut):
    """Nothing is printed to a bus that takes nothing: that would not end. Within 300 ms, and so not by the watchdog."""
    patched(
        dut,
        "from rheorp2 import app\nold = app.App.measure\nn = [0]\n"
        "def bad(self, now):\n    n[0] += 1\n    if n[0] > 60: raise ValueError('x' * 600)\n    old(self, now)\n"
        "app.App.measure = bad\n",
    )
    dut.load({1: {"duration_ms": 20_000}})
    dut.start()
    dut.run_ms(700)
    dut.board.usb.set_plugged(False)
    resets, passes_ns = dut.board.engine.resets, []
    feed = dut.board.mcu.watchdog.write_uint32

    def on_feed(offset, value):
        if offset == 4:  # LOAD
            passes_ns.append(dut.board.now_ns)
        feed(offset, value)

    dut.board.mcu.watchdog.write_uint32 = on_feed
    assert dut.board.run_until(lambda: dut.board.engine.resets > resets, 3_000 * MS), "no reset"
    last_pass_ns = [t for t in passes_ns if t < dut.board.now_ns - MS][-1]
    assert dut.board.now_ns - last_pass_ns <= 300 * MS
