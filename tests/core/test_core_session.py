"""The session: what may happen when, why output ends, and that it counts what left the pins. On a fake that refuses."""

import contextlib
import itertools
from random import Random

import pytest
from core.draw import BASE, BURST, MODULATED, PROPERTY, THOROUGH, train
from core.fakes import Bench
from hypothesis import given
from hypothesis import strategies as st
from rheobase import boards
from rheocore import faults, items, messages
from rheocore.plan import Plan
from rheocore.refusal import StateError
from rheocore.session import HARD, Session

BOARD = boards.load()
SHORT = dict(BASE, duration_ms=3_000, ramp_up_ms=500, ramp_down_ms=500, amplitude_ua=2_000)


def bench(**configs):
    """A started session of the configurations given as c1=..., c2=..."""
    made = Bench(BOARD, Session)
    if configs:
        made.up({int(name[1:]): cfg for name, cfg in configs.items()})
    return made


def plan_pulses(cfg):
    plan, count = Plan(cfg), 0
    while plan.next():
        count += plan.pulse
    return count


def reported(session, n):
    return session.channels[n].pulses_now(), session.channels[n].truncated


def settled(made):
    """The reported counts are the true ones, and nothing is left on."""
    session, output = made.session, made.output
    for n in session.channels:
        assert reported(session, n) == (len(output.truth[n]), output.cuts[n])
        assert session.channels[n].set_ua == 0
    assert output.quiet() and session.token is None


# -- the ordinary way ----------------------------------------------------------------------------------------------


@pytest.mark.req("REQ-022")
def test_a_session_ends_by_itself_with_every_pulse_counted():
    made = bench(c1=SHORT)
    made.run(10_000, until=lambda: made.session.state == "done")
    assert made.states() == ["idle", "loaded", "armed", "ramp_up", "run", "ramp_down", "done"]
    assert made.session.stop_reason == "time_over"
    assert made.events[-1] == ("end", "time_over")
    assert reported(made.session, 1) == (300, 0) == (plan_pulses(SHORT), 0)
    assert 3_000 <= made.session.duration_ms(made.now_ms) <= 3_020  # one pass of the loop
    settled(made)


def test_the_first_and_the_last_pulse_are_at_zero_and_the_middle_at_the_target():
    made = bench(c1=SHORT)
    made.run(10_000, until=lambda: made.session.state == "done")
    amplitudes = [ua for _, _, ua in made.output.truth[1]]
    assert amplitudes[0] == 0
    assert max(amplitudes) == 2_000 == amplitudes[150]
    assert amplitudes[-1] <= 2 * 2_000 * 20 // 500  # within two passes of the ramp's end


def test_charge_is_the_set_point_times_the_width_of_each_pulse():
    made = bench(c1=SHORT)
    made.run(10_000, until=lambda: made.session.state == "done")
    true_pc = sum(width * ua for _, width, ua in made.output.truth[1])
    assert abs(made.session.channels[1].charge_nc() * 1000 - true_pc) <= true_pc // 100


def test_three_channels_of_their_own_length_and_rate_each_end_at_their_own_time():
    cfgs = {
        "c1": SHORT,
        "c2": dict(SHORT, period_us=66_667, duration_ms=2_000),
        "c3": dict(BURST, duration_ms=4_000, ramp_up_ms=500, ramp_down_ms=500),
    }
    made = bench(**cfgs)
    made.run(10_000, until=lambda: made.session.state == "done")
    for name, cfg in cfgs.items():
        assert reported(made.session, int(name[1:])) == (plan_pulses(cfg), 0)
    settled(made)
    assert 4_000 <= made.session.duration_ms(made.now_ms) <= 4_020


def test_channels_start_together_or_one_by_one_and_never_twice():
    made = Bench(BOARD, Session)
    made.up({1: SHORT, 2: SHORT}, start=False)
    session = made.session
    session.start([2], made.now_ms)
    assert (session.channels[1].running, session.channels[2].running) == (False, True)
    for wrong in ([2], [3], [], [1, 2]):
        with pytest.raises(StateError) as refused:
            session.start(wrong, made.now_ms)
        assert refused.value.args[0] == "invalid_params"
    made.run(1_000)
    session.start([1], made.now_ms)
    made.run(10_000, until=lambda: session.state == "done")
    settled(made)


def test_a_channel_named_twice_in_one_start_is_refused():
    made = Bench(BOARD, Session)
    made.up({1: SHORT}, start=False)
    with pytest.raises(StateError):
        made.session.start([1, 1], made.now_ms)


@pytest.mark.req("REQ-012")
def test_start_after_the_guard_latched_is_refused_and_counts_nothing():
    """The interlock opens after the last pass and before `start` is handled."""
    made = Bench(BOARD, Session)
    made.up({1: SHORT}, start=False)
    made.output.open_interlock()
    with contextlib.suppress(StateError):
        made.session.start(None, made.now_ms)
    made.run(40)
    assert made.session.fault == "interlock_open"
    settled(made)


@pytest.mark.req("REQ-050")
def test_the_set_point_never_jumps_whatever_the_operator_asks():
    """The fake refuses a step above 0.5 % of full scale; here the target leaps about in every state of the train."""
    made = bench(c1=dict(SHORT, duration_ms=6_000))
    cap_ua = made.session.channels[1].cap_ua
    for ua in (3_000, 0, 1_000, 50, 1_050, 2_050, 1):
        made.run(700)
        made.session.amplitude(1, ua)
        if ua + 1_000 < cap_ua:
            with pytest.raises(StateError) as refused:
                made.session.amplitude(1, ua + 1_001)
            assert (refused.value.args[1]["why"], refused.value.args[1]["bound"]) == ("limit_step", ua + 1_000)
    made.run(10_000, until=lambda: made.session.state == "done")
    settled(made)


@pytest.mark.req("REQ-051")
@pytest.mark.parametrize("ua", [-1, 10_001])
def test_an_amplitude_beyond_the_cap_is_refused_and_changes_nothing(ua):
    made = bench(c1=SHORT)
    with pytest.raises(StateError) as refused:
        made.session.amplitude(1, ua)
    assert refused.value.args[0] == "refused"
    assert made.session.channels[1].target_ua == 2_000


# -- stop, pause, resume -------------------------------------------------------------------------------------------


def test_resume_starts_only_the_channels_that_had_been_started():
    made = Bench(BOARD, Session)
    made.up({1: SHORT, 2: SHORT}, start=False)
    made.session.start([2], made.now_ms)
    made.run(700)
    made.session.pause(made.now_ms)
    made.session.resume(made.now_ms)
    made.run(10_000, until=lambda: made.session.state == "done")
    assert made.output.truth[1] == [] and reported(made.session, 1) == (0, 0)
    settled(made)


@pytest.mark.req("REQ-020")
@pytest.mark.parametrize("reason", messages.STOP_REASONS)
@pytest.mark.parametrize("at_ms", [0, 1, 17, 250, 499, 1_234, 2_600, 2_999])
def test_stop_ends_at_any_time_with_every_pulse_counted(reason, at_ms):
    made = bench(c1=SHORT, c2=dict(MODULATED, ramp_up_ms=500, ramp_down_ms=500))
    made.run(at_ms)
    made.session.stop(reason, made.now_ms)
    assert (made.session.state, made.session.stop_reason) == ("done", reason)
    settled(made)


@pytest.mark.req("REQ-020")
def test_stop_is_harmless_in_every_state():
    made = Bench(BOARD, Session)
    for step in (lambda: None, made.session.greet, lambda: made.session.configure({1: SHORT})):
        step()
        before = made.session.state
        made.session.stop("stop_command", made.now_ms)
        assert made.session.state == before
    made.session.trip("internal", made.now_ms)
    made.session.stop("stop_command", made.now_ms)
    assert (made.session.state, made.session.fault) == ("fault", "internal")


@pytest.mark.req("REQ-023")
def test_pause_ends_output_and_resume_ramps_from_zero_for_what_is_left():
    made = bench(c1=SHORT)
    session = made.session
    made.run(1_003)
    session.pause(made.now_ms)
    assert session.state == "paused" and made.output.quiet()
    before = len(made.output.truth[1])
    assert reported(session, 1) == (before, 0)
    left_us = session.channels[1].left_us
    assert 0 <= 3_000_000 - 1_003_000 - left_us + items.ITEM_MAX_US <= 2 * items.ITEM_MAX_US
    made.run(60_000)
    assert session.state == "paused" and len(made.output.truth[1]) == before
    session.resume(made.now_ms)
    assert made.output.calls[-3:] == ["hold", "arm", "start"], "resume must arm again"
    made.run(10_000, until=lambda: session.state == "done")
    assert made.output.truth[1][before][2] == 0, "the first pulse after a pause is at zero"
    settled(made)
    assert abs(session.duration_ms(made.now_ms) - 3_000) <= 20 + items.ITEM_MAX_US // 1000


@pytest.mark.req("REQ-064")
@PROPERTY
@given(st.integers(0, 2**32 - 1))
def test_however_often_it_is_paused_a_session_delivers_its_duration_and_counts_exactly(seed):
    rng = Random(seed)
    cfg = dict(train(rng), duration_ms=rng.randint(1_000, 5_000))
    made = bench(c1=cfg)
    session = made.session
    stretches = 1
    while session.state != "done":
        made.run(rng.randint(1, 1_500), until=lambda: session.state == "done")
        if session.state in messages.LIVE and stretches < 6:
            session.pause(made.now_ms)
            made.run(rng.randint(0, 500))
            session.resume(made.now_ms)
            stretches += 1
    settled(made)
    assert session.stop_reason == "time_over"
    over_ms = session.duration_ms(made.now_ms) - cfg["duration_ms"]
    assert -stretches * items.ITEM_MAX_US // 1000 - 1 <= over_ms <= 21 * stretches


@pytest.mark.req("REQ-023")
def test_a_pause_of_more_than_5_minutes_ends_the_session():
    made = bench(c1=SHORT)
    made.run(1_000)
    made.session.pause(made.now_ms)
    made.run(messages.PAUSE_MS - 50, step_ms=50)
    assert made.session.state == "paused"
    made.run(100, step_ms=50)
    assert (made.session.state, made.session.stop_reason) == ("done", "limit")
    settled(made)


# -- what ends output without being asked --------------------------------------------------------------------------


@pytest.mark.req("REQ-042")
def test_an_armed_board_disarms_itself_after_60_s_however_alive_the_host():
    made = Bench(BOARD, Session)
    made.up({1: SHORT}, start=False)
    made.run(messages.ARM_MS - 100, step_ms=100)
    assert made.session.state == "armed"
    made.run(100, step_ms=100)
    assert (made.session.state, made.session.stop_reason) == ("done", "auto_disarm")
    assert made.output.calls[-1] == "hold"


@pytest.mark.req("REQ-021")
@pytest.mark.parametrize("state", ["armed", "run", "paused"])
def test_a_silent_host_is_lost_after_1_s(state):
    made = Bench(BOARD, Session)
    made.up({1: SHORT}, start=state != "armed")
    made.run(600)
    if state == "paused":
        made.session.pause(made.now_ms)
    made.alive = False
    made.run(messages.KEEPALIVE_MS)
    assert made.session.state == state
    made.run(20)
    assert (made.session.state, made.session.fault) == ("fault", "host_lost")
    settled(made)


@pytest.mark.req("REQ-021")
@pytest.mark.parametrize("token", [0, None, 1_000, 1_002])
def test_another_hosts_keepalive_does_not_keep_a_dead_owners_session_alive(token):
    made = bench(c1=SHORT)
    made.alive = False
    for _ in range(60):
        made.session.keepalive(token, made.now_ms)
        made.run(20)
    assert made.session.fault == "host_lost"


def test_an_idle_board_waits_for_its_host_for_ever():
    made = Bench(BOARD, Session)
    made.session.greet()
    made.alive = False
    made.run(600_000, step_ms=1_000)
    assert made.session.state == "idle"


@pytest.mark.req("REQ-013")
@pytest.mark.parametrize("fault", sorted(faults.FAULTS))
@pytest.mark.parametrize("at_ms", [0, 13, 777])
def test_every_fault_ends_output_and_is_latched_and_counted(fault, at_ms):
    made = bench(c1=SHORT, c2=dict(SHORT, period_us=7_000, width_us=900))
    made.run(at_ms, step_ms=9)
    made.now_ms += 1
    made.session.trip(fault, made.now_ms)
    assert (made.session.state, made.session.fault, made.session.stop_reason) == ("fault", fault, fault)
    assert made.events[-1] == ("fault", fault)
    assert made.output.calls[-1] == ("kill" if fault in HARD else "hold")
    settled(made)
    made.session.trip("internal" if fault != "internal" else "clock", made.now_ms)
    assert made.session.fault == fault, "the first cause is the one that stands"


def test_a_pulse_cut_by_a_hard_end_counts_as_truncated_and_not_as_a_pulse():
    """900 us phases every 7 ms: some of the moments lie in a pulse, some between."""
    seen = set()
    for at_ms in range(600, 640):
        made = bench(c1=dict(SHORT, period_us=7_000, width_us=900))
        made.run(at_ms, step_ms=1)
        made.session.trip("interlock_open", made.now_ms)
        seen.add(reported(made.session, 1)[1])
        settled(made)
    assert seen == {0, 1}


@pytest.mark.req("REQ-012")
def test_an_open_interlock_latches_in_any_state_that_could_put_out():
    for state in ("armed", "run", "paused"):
        made = Bench(BOARD, Session)
        made.up({1: SHORT}, start=state != "armed")
        made.run(600)
        if state == "paused":
            made.session.pause(made.now_ms)
        made.output.open_interlock()
        made.run(20)
        assert made.session.fault == "interlock_open", state
        settled(made)


@pytest.mark.req("REQ-041")
@pytest.mark.parametrize("call", ["arm", "resume"])
def test_arming_is_refused_and_latched_with_the_interlock_open_or_a_failed_self_test(call):
    for fault in ("interlock_open", "self_test", "clock"):
        made = Bench(BOARD, Session)
        if call == "arm":
            made.session.greet()
            made.session.configure({1: SHORT})
        else:
            made.up({1: SHORT})
            made.run(600)
            made.session.pause(made.now_ms)
        if fault == "interlock_open":
            made.output.closed = False
        else:
            made.output.arm_fault = fault
        with pytest.raises(StateError) as refused:
            getattr(made.session, call)(made.now_ms)
        assert refused.value.args == ("fault", {"fault": fault})
        assert (made.session.state, made.session.fault) == ("fault", fault)
        assert "start" not in made.output.calls[-2:]


@pytest.mark.req("REQ-014")
def test_a_loop_that_stalled_ends_in_underrun_and_feeds_no_more():
    made = bench(c1=SHORT)
    made.run(700)
    pulses_before = reported(made.session, 1)[0]
    made.now_ms += 700
    made.session.keepalive(made.session.token, made.now_ms)
    made.session.tick(made.now_ms)
    assert made.session.fault == "underrun"
    settled(made)
    # what the lease still held was delivered, and no more: 100 ms and the FIFO's words
    assert reported(made.session, 1)[0] - pulses_before <= 10 + 5


@pytest.mark.req("REQ-064")
def test_a_channel_that_joins_late_may_not_outlast_the_longest_session():
    """Needles: 30 min from the beginning of the session, pauses excluded; a shorter rest may still join."""
    needle = dict(SHORT, electrode="needle", mode="dnes", period_us=500_000, duration_ms=1_800_000)
    made = bench()
    made.up({1: needle, 2: needle, 3: dict(needle, duration_ms=1_799_000)}, start=False)
    made.session.start([1], made.now_ms)
    made.run(900)
    with pytest.raises(StateError) as refused:
        made.session.start([2], made.now_ms)
    why = refused.value.args[1]
    assert (why["why"], why["channel"], why["value"]) == ("limit_duration", "2", 1_800_000)
    assert 1_799_000 <= why["bound"] <= 1_799_120
    made.session.start([3], made.now_ms)
    made.run(200)
    made.session.stop("stop_command", made.now_ms)
    settled(made)


@pytest.mark.req("REQ-018", "REQ-064")
def test_channels_one_after_the_other_stretch_what_was_left_no_further_than_it_was():
    """10 s are left: a channel that joins after 4 s may stay 6, and nothing may join after 10."""
    made = Bench(BOARD, Session)
    made.up({1: dict(SHORT, duration_ms=20_000)})
    made.run(10_000)
    made.session.stop("stop_command", made.now_ms)
    left_ms = made.session.remainder_ms
    long = dict(SHORT, duration_ms=left_ms)
    made.session.configure({1: long, 2: long, 3: dict(SHORT, duration_ms=left_ms - 4_100)}, new=False)
    made.session.arm(made.now_ms)
    made.session.start([1], made.now_ms)
    made.run(4_000)
    with pytest.raises(StateError) as refused:
        made.session.start([2], made.now_ms)
    why = refused.value.args[1]
    assert (why["why"], why["channel"], why["value"]) == ("limit_remainder", "2", left_ms)
    assert left_ms - 4_040 <= why["bound"] <= left_ms - 4_000
    made.session.start([3], made.now_ms)
    made.run(20_000, until=lambda: made.session.state == "done")
    assert made.session.duration_ms(made.now_ms) <= left_ms + 20
    assert made.output.quiet()


@pytest.mark.req("REQ-018")
def test_after_a_session_that_was_delivered_whole_nothing_runs_without_a_word_of_the_operator():
    made = Bench(BOARD, Session)
    made.session.greet()
    made.session.configure({1: SHORT}, new=False)  # there was none before
    made.session.arm(made.now_ms)
    made.session.start(None, made.now_ms)
    made.run(10_000, until=lambda: made.session.state == "done")
    with pytest.raises(StateError) as refused:
        made.session.configure({1: dict(SHORT, duration_ms=1_000)}, new=False)
    assert (refused.value.args[1]["why"], refused.value.args[1]["bound"]) == ("limit_remainder", 0)
    made.session.configure({1: SHORT}, new=True)
    assert made.session.state == "loaded"


@pytest.mark.req("REQ-044")
def test_without_the_memory_for_one_channel_none_is_taken():
    made = Bench(BOARD, Session)
    made.session.greet()
    made.session.configure({1: SHORT})
    ring = made.session.rings.pop(3)  # in place of MemoryError: channel 3 cannot be made
    with pytest.raises(KeyError):
        made.session.configure({1: SHORT, 2: SHORT, 3: SHORT})
    assert (sorted(made.session.channels), made.session.order) == ([1], (1,))
    made.session.rings[3] = ring
    made.session.arm(made.now_ms)
    made.session.start(None, made.now_ms)
    made.run(10_000, until=lambda: made.session.state == "done")
    settled(made)


@pytest.mark.req("REQ-052")
def test_what_was_measured_before_a_pause_is_no_first_reading_of_a_fault_after_it():
    made = bench(c1=SHORT)
    made.run(1_000)
    session, (short_ua, short_mv) = made.session, (2_000, 10)
    session.sensed(1, short_ua, short_mv, made.now_ms)
    assert session.channels[1].contact.bad == 1
    session.pause(made.now_ms)
    session.resume(made.now_ms)
    assert (session.channels[1].contact.bad, session.channels[1].contact.pulses) == (0, 0)


def test_a_channel_that_fails_takes_all_down():
    made = bench(c1=SHORT, c2=SHORT, c3=SHORT)
    made.run(600)
    made.output.failing[2] = "electrode_open"
    made.run(20)
    assert made.session.fault == "electrode_open"
    settled(made)


# -- faults are left by clear() alone ------------------------------------------------------------------------------


def calls(session, now_ms):
    return {
        "configure": lambda: session.configure({1: SHORT}),
        "arm": lambda: session.arm(now_ms),
        "start": lambda: session.start(None, now_ms),
        "amplitude": lambda: session.amplitude(1, 0),
        "pause": lambda: session.pause(now_ms),
        "resume": lambda: session.resume(now_ms),
    }


@pytest.mark.req("REQ-013")
@pytest.mark.parametrize("call", ["configure", "arm", "start", "amplitude", "pause", "resume"])
def test_in_fault_every_call_is_refused_by_the_faults_name(call):
    made = bench(c1=SHORT)
    made.session.trip("electrode_open", made.now_ms)
    with pytest.raises(StateError) as refused:
        calls(made.session, made.now_ms)[call]()
    assert refused.value.args == ("fault", {"fault": "electrode_open"})
    made.session.greet()
    made.run(5_000)
    assert made.session.state == "fault"


@pytest.mark.req("REQ-013")
def test_clear_is_refused_while_the_cause_is_there():
    made = bench(c1=SHORT)
    made.output.open_interlock()
    made.run(20)
    with pytest.raises(StateError) as refused:
        made.session.clear()
    assert refused.value.args == ("not_gone", {"fault": "interlock_open"})
    made.output.closed = True
    made.session.clear()
    assert (made.session.state, made.session.fault) == ("idle", None)
    made.up({1: SHORT})
    made.run(10_000, until=lambda: made.session.state == "done")
    assert made.session.stop_reason == "time_over"


ALLOWED = {
    "configure": {"idle", "loaded", "done"},
    "arm": {"loaded"},
    "start": {"armed"},  # and live, for channels that wait
    "amplitude": {"loaded", "armed", "ramp_up", "run", "ramp_down", "paused"},
    "pause": {"ramp_up", "run", "ramp_down"},
    "resume": {"paused"},
}
PATHS = {
    "safe": lambda made: None,
    "idle": lambda made: made.session.greet(),
    "loaded": lambda made: (made.session.greet(), made.session.configure({1: SHORT})),
    "armed": lambda made: made.up({1: SHORT}, start=False),
    "ramp_up": lambda made: made.up({1: SHORT}),
    "run": lambda made: (made.up({1: SHORT}), made.run(1_000)),
    "ramp_down": lambda made: (made.up({1: SHORT}), made.run(2_700)),
    "paused": lambda made: (made.up({1: SHORT}), made.run(1_000), made.session.pause(made.now_ms)),
    "done": lambda made: (made.up({1: SHORT}), made.run(4_000)),
}


@pytest.mark.parametrize(("state", "call"), list(itertools.product(PATHS, ALLOWED)))
def test_what_may_be_called_in_which_state(state, call):
    made = Bench(BOARD, Session)
    PATHS[state](made)
    assert made.session.state == state
    if state in ALLOWED[call]:
        calls(made.session, made.now_ms)[call]()
    else:
        with pytest.raises(StateError) as refused:
            calls(made.session, made.now_ms)[call]()
        assert refused.value.args[0] in ("wrong_state", "invalid_params")
        assert made.session.state == state


# -- at random -----------------------------------------------------------------------------------------------------

NEXT = {
    "safe": {"idle", "fault"},
    "idle": {"loaded", "fault"},
    "loaded": {"loaded", "armed", "fault"},
    "armed": {"ramp_up", "done", "fault"},
    "ramp_up": {"run", "ramp_down", "paused", "done", "fault"},
    "run": {"ramp_up", "ramp_down", "paused", "done", "fault"},  # ramp_up: another channel has been started
    "ramp_down": {"ramp_up", "run", "paused", "done", "fault"},
    "paused": {"ramp_up", "done", "fault"},
    "done": {"loaded", "fault"},
    "fault": {"idle"},
}
STEPS = (
    *("greet", "configure", "arm", "start", "some", "amplitude", "pause", "resume"),
    *("stop", "clear", "trip", "open", "close", "wait", "wait"),
)
ONWARD = {
    "safe": "greet",
    "idle": "configure",
    "loaded": "arm",
    "armed": "some",
    "ramp_up": "wait",
    "run": "amplitude",
    "ramp_down": "wait",
    "paused": "resume",
    "done": "configure",
    "fault": "clear",
}


@pytest.mark.req("REQ-007")
@THOROUGH
@given(st.integers(0, 2**32 - 1))
def test_whatever_is_called_the_counts_are_true_and_output_is_on_only_while_live(seed):
    """Forty calls and waits, half of them the natural next one, half at random. The fake refuses what would hurt."""
    rng = Random(seed)
    made = Bench(BOARD, Session)
    session, output = made.session, made.output
    numbers = rng.sample([1, 2, 3], rng.randint(1, 3))
    path = ["safe"]
    before = {n: (0, 0) for n in (1, 2, 3)}

    def step():
        what = ONWARD[session.state] if rng.random() < 0.5 else rng.choice(STEPS)
        if what == "configure":
            session.configure({n: dict(train(rng), duration_ms=rng.randint(1_000, 3_000)) for n in numbers})
            for n in (1, 2, 3):
                before[n] = (len(output.truth[n]), output.cuts[n])
        elif what == "some":
            session.start([rng.choice(numbers)], made.now_ms)
        elif what == "amplitude":
            session.amplitude(rng.choice(numbers), rng.randint(0, 10_000))
        elif what == "stop":
            session.stop("stop_command", made.now_ms)
        elif what == "trip":
            session.trip(rng.choice(sorted(faults.FAULTS)), made.now_ms)
        elif what == "open":
            output.open_interlock()
            made.run(20)  # the pass that sees it
        elif what == "close":
            output.closed = True
        elif what == "wait":
            made.alive = rng.random() < 0.95
            made.run(rng.choice([1, 20, 300, 1_500]))
        elif what in ("greet", "clear"):
            getattr(session, what)()
        else:
            calls(session, made.now_ms)["start" if what == "start" else what]()

    for _ in range(40):
        try:
            step()
        except StateError as error:
            sentence = messages.ERRORS[error.args[0]][1]
            assert sentence.format(**error.args[1])
        if session.state not in messages.LIVE:
            assert output.quiet()
            assert all(channel.set_ua == 0 for channel in session.channels.values())
            for n in session.channels:
                whole, cut = reported(session, n)
                assert (whole + before[n][0], cut + before[n][1]) == (len(output.truth[n]), output.cuts[n])
        assert (session.state == "fault") == (session.fault is not None)
        for n in session.channels:
            assert session.channels[n].left_us >= 0
    path += [detail if kind == "state" else "fault" for kind, detail in made.events if kind != "end"]
    for here, there in zip(path, path[1:], strict=False):
        assert there in NEXT[here], f"{here} -> {there}"


@pytest.mark.req("REQ-045")
@pytest.mark.parametrize("state", ["idle", "done", "loaded", "safe", "fault", "rum"])
def test_a_state_gone_wrong_while_pulses_play_ends_them_as_an_internal_fault(state):
    made = bench(c1=SHORT)
    made.run(200)
    made.session.state = state
    made.run(20)
    assert made.output.quiet()
    assert not made.output.open()
    assert (made.session.state, made.session.fault) == ("fault", "internal")


@pytest.mark.req("REQ-045")
def test_a_state_that_there_is_not_is_an_internal_fault_even_with_nothing_playing():
    made = Bench(BOARD, Session)
    made.session.state = "rum"
    made.run(20)
    assert (made.session.state, made.session.fault) == ("fault", "internal")


@pytest.mark.req("REQ-045")
@pytest.mark.parametrize("target_ua", [-1, 10_001, 2**29])
def test_a_target_that_nobody_may_have_set_is_an_internal_fault(target_ua):
    made = bench(c1=SHORT)
    made.run(200)
    made.session.channels[1].target_ua = target_ua
    made.run(20)
    assert made.session.fault == "internal"
    assert made.output.quiet()


@pytest.mark.req("REQ-041", "REQ-053")
def test_arming_is_refused_and_latched_while_the_supply_is_low():
    made = Bench(BOARD, Session)
    made.session.greet()
    made.session.configure({1: dict(SHORT)})
    made.output.causes.add("supply_low")
    with pytest.raises(StateError):
        made.session.arm(made.now_ms)
    assert made.session.fault == "supply_low"
    with pytest.raises(StateError):
        made.session.clear()
    made.output.causes.clear()
    made.session.clear()
    assert made.session.state == "idle"


@pytest.mark.req("REQ-015")
def test_the_hardware_end_is_that_of_the_channels_that_play_not_of_those_that_wait():
    """The fake refuses a cutoff that is not 250 ms after the longest train that plays."""
    made = Bench(BOARD, Session)
    made.up({1: dict(SHORT, duration_ms=1_500), 2: dict(SHORT, duration_ms=3_000)}, start=False)
    made.session.start([1], made.now_ms)
    made.run(200)
    made.session.start([2], made.now_ms)
    made.run(200)
    made.session.pause(made.now_ms)
    made.run(200)
    made.session.resume(made.now_ms)
    made.run(5_000, until=lambda: made.session.state == "done")
    settled(made)


@pytest.mark.req("REQ-045")
@pytest.mark.parametrize(("playing", "state"), [(True, "armed"), (True, "paused"), (False, "run"), (False, "ramp_up")])
def test_a_busy_state_that_does_not_fit_what_plays_is_an_internal_fault(playing, state):
    made = Bench(BOARD, Session)
    made.up({1: dict(SHORT)}, start=playing)
    made.run(200)
    made.session.state = state
    made.run(20)
    assert (made.session.fault, made.output.quiet()) == ("internal", True)
    assert made.session.remainder_ms is None or made.session.remainder_ms < 3_000


@pytest.mark.req("REQ-012")
@pytest.mark.parametrize("method", ["stop", "pause"])
def test_the_time_of_a_stretch_is_counted_once_when_a_stop_meets_a_latched_guard(method):
    made = bench(c1=SHORT)
    made.run(1_000)
    made.output.open_interlock()
    getattr(made.session, method)(*(("stop_command",) if method == "stop" else ()), made.now_ms)
    assert made.session.fault == "interlock_open"
    assert made.session.duration_ms(made.now_ms) == 1_000


@pytest.mark.req("REQ-012")
def test_the_guards_word_is_asked_once_so_that_a_passing_reading_is_not_latched_as_no_fault():
    made = bench(c1=SHORT)
    made.run(600)
    answers = ["internal"]
    made.output.guard_fault = lambda: answers.pop() if answers else None
    made.session.trip("electrode_open", made.now_ms, 1)
    assert (made.session.fault, made.session.fault_channel) == ("internal", None)


@pytest.mark.req("REQ-018")
def test_a_part_of_the_remainder_leaves_the_rest_and_no_more():
    """30 s of which 5 are delivered leave 25; of these a session of 2 s leaves 23, to 40 ms: a pass each."""
    made = Bench(BOARD, Session)
    made.up({1: dict(SHORT, duration_ms=30_000)})
    made.run(5_000)
    made.session.stop("stop_command", made.now_ms)
    assert abs(made.session.remainder_ms - 25_000) <= 40
    made.session.configure({1: dict(SHORT, duration_ms=2_000)}, new=False)
    made.session.arm(made.now_ms)
    made.session.start(None, made.now_ms)
    made.run(3_000, until=lambda: made.session.state == "done")
    assert abs(made.session.remainder_ms - 23_000) <= 80
    with pytest.raises(StateError):
        made.session.configure({1: dict(SHORT, duration_ms=30_000)}, new=False)
    made.session.configure({1: dict(SHORT, duration_ms=30_000)}, new=True)
