"""The stage enable of a board that has one: high only while output may be on, low at every end. Simulated time.

An extra: no end of output waits for it, and none is judged by it. After a lock-up it waits for the watchdog.
"""

import pytest
from dut import BOARD, MS, Refusal
from rheobase.emulator import cpu, rawrepl

pytestmark = pytest.mark.skipif("stage_enable" not in BOARD, reason="this board has no stage enable")
CTRL = 0x40014004 + 8 * BOARD.get("stage_enable", 0)
PASS_MS = 25  # a pass of the loop


def levels(dut):
    """[(ms, level)] of its edges so far."""
    return [(t / MS, level) for t, name, level in dut.board.edges if name == "STAGE_ENABLE"]


def enabled(dut):
    return dut.board.level("STAGE_ENABLE")


def running(dut, bench=False, **levers):
    both = {"duration_ms": 5_000, "bench": bench}
    dut.load({1: {"amplitude_ua": 4_000, **both}, 2: {"period_us": 2_500, **both}})
    dut.call("start", token=dut.token, **levers)
    dut.run_ms(700)
    assert enabled(dut) == 1
    return dut


@pytest.mark.req("REQ-056")
def test_it_rises_with_the_last_step_of_arming_and_falls_with_the_session(dut):
    dut.greet()
    dut.run_ms(1_200)
    assert levels(dut) == []
    before_ms = dut.board.now_ns / MS
    dut.load({1: {"duration_ms": 1_000}})
    ((rose_ms, level),) = levels(dut)
    assert (level, enabled(dut)) == (1, 1) and rose_ms > before_ms
    dut.start()
    assert dut.run_to_end()["stop_reason"] == "time_over"
    assert [level for _, level in levels(dut)] == [1, 0]
    legs = [t / MS for t, *_ in dut.leg_edges()]
    assert rose_ms < legs[0] and legs[-1] < levels(dut)[1][0] < legs[-1] + 30 + PASS_MS  # a period of 10 ms at the end


def test_no_current_flows_through_the_emulated_stage_without_it(dut):
    """So a firmware that does not raise it cannot pass for one that does."""
    running(dut)
    assert dut.call("status")["channels"][0][2] > 3_500
    dut.board.stage.enabled = False
    dut.run_ms(100)
    assert dut.call("result")["fault"] in ("amplitude_error", "electrode_open")


@pytest.mark.req("REQ-056")
@pytest.mark.parametrize(
    ("end", "bound_ms"),
    [
        (lambda dut: dut.post("stop"), 10),
        (lambda dut: dut.post("pause"), 10),
        (lambda dut: dut.board.set_interlock(False), PASS_MS),
        (lambda dut: dut.board.send(b"\x03"), 10),
        (lambda dut: dut.board.set_load(1, "open"), 52),
        (lambda dut: setattr(dut, "alive", False), 1_200),
    ],
    ids=["stop", "pause", "interlock", "Ctrl-C", "electrode", "host lost"],
)
def test_it_falls_with_every_end_of_output(dut, end, bound_ms):
    running(dut)
    asked_ns = dut.board.now_ns
    end(dut)
    dut.run_ms(bound_ms + 100)
    fell_ms, level = levels(dut)[-1]
    assert level == 0 and fell_ms - asked_ns / MS <= bound_ms
    assert fell_ms >= max(t for t, *_ in dut.leg_edges()) / MS  # after the legs


def test_it_rises_again_with_a_resume(dut):
    running(dut)
    dut.call("pause")
    assert enabled(dut) == 0
    dut.call("resume", token=dut.token)
    assert enabled(dut) == 1
    dut.call("stop")
    assert enabled(dut) == 0


def test_a_cutoff_that_comes_first_takes_it_down_within_a_pass_of_the_legs(dut):
    running(dut, bench=True, cutoff_ms=900)
    dut.run_ms(400)
    assert dut.call("result")["fault"] == "cutoff"
    fell_ms, level = levels(dut)[-1]
    assert level == 0 and 0 <= fell_ms - dut.leg_edges()[-1][0] / MS <= 10 + PASS_MS  # a period of 10 ms at the end


def test_after_a_stalled_loop_has_starved_the_lease_it_falls_with_the_next_pass_and_stays_low(dut):
    running(dut, bench=True)
    dut.call("stall", token=dut.token, ms=700)
    dut.run_ms(1_000)
    assert dut.call("result")["fault"] == "underrun"
    (stalled_us,) = [us for _, us, kind, _ in dut.events if kind == "stall"]
    fell_ms, level = levels(dut)[-1]
    assert level == 0 and 700 <= fell_ms - stalled_us / 1000 <= 700 + PASS_MS
    assert [level for _, level in levels(dut)] == [1, 0]


def test_armed_and_let_go_it_falls(dut):
    dut.load({1: {}})
    assert enabled(dut) == 1
    dut.call("stop")
    assert enabled(dut) == 0


@pytest.mark.parametrize("value", [0x331E, 5], ids=["a function", "taken by SIO"])
def test_one_that_is_not_as_armed_is_found_by_the_next_pass(dut, value):
    """One that is only low is found as a current that does not flow: the test above."""
    running(dut)
    dut.board.poke(CTRL, value)
    at_ms = dut.board.now_ns / MS
    dut.run_ms(PASS_MS + 50)
    assert dut.call("result")["fault"] == "internal"
    assert max(t for t, *_ in dut.leg_edges()) / MS - at_ms <= PASS_MS
    assert dut.board.peek(CTRL) == 0x321F and enabled(dut) == 0


def test_arming_is_refused_where_something_else_holds_it_high(dut):
    dut.board.mcu.gpio[BOARD["stage_enable"]].shorted = True
    with pytest.raises(Refusal, match="fault"):
        dut.load({1: {}})
    assert dut.call("status")["fault"] == "self_test"
    assert dut.leg_edges() == [] and enabled(dut) == 0


@pytest.mark.req("REQ-056")
def test_a_lock_up_leaves_it_to_the_watchdog_and_the_legs_to_the_lease(dut):
    running(dut)
    dut.alive = False
    cpu.die(dut.board)
    died_ms = dut.board.now_ns / MS
    dut.run_ms(2_100)
    fell_ms, level = levels(dut)[-1]
    assert level == 0 and fell_ms - died_ms <= 2_050
    assert max(t for t, *_ in dut.leg_edges()) / MS - died_ms <= 200


@pytest.mark.req("REQ-056")
def test_from_power_on_and_through_a_soft_reset_it_is_not_driven_high(dut):
    assert levels(dut) == [] and dut.board.peek(CTRL) == 0x321F
    running(dut)
    dut.token = 0
    rawrepl.enter(dut.board)
    edges = len(levels(dut))
    assert enabled(dut) == 0
    rawrepl.soft_reset(dut.board)
    dut.run_ms(300)
    assert len(levels(dut)) == edges and dut.board.peek(CTRL) == 0x321F
