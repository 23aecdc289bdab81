"""The session at its edges: what a wrong word, moment or order would change. On the fake that refuses.

Each of these was written because a change of session.py went unnoticed without it (docs/safety/mutants.md).
"""

import pytest
from core.draw import BASE
from core.fakes import Bench
from core.test_core_session import ALLOWED, BOARD, PATHS, SHORT, bench, calls, settled
from rheocore import faults, messages
from rheocore.refusal import StateError
from rheocore.session import Session

LONG = dict(SHORT, duration_ms=5_000)
CUT_AT_ONCE = {"host_break", "interlock_open", "internal", "clock", "self_test"}  # waiting for a pulse would be wrong


def loaded(configs):
    made = Bench(BOARD, Session)
    made.session.greet()
    made.session.configure(configs)
    return made


def refusal(call, *args):
    with pytest.raises(StateError) as refused:
        call(*args)
    return refused.value.args


def nobody(*_args, **_options):
    raise AssertionError("nobody may ask this now")


# -- before and after ----------------------------------------------------------------------------------------------


def test_a_board_that_has_just_started_has_no_session_no_fault_and_no_time():
    session = Bench(BOARD, Session).session
    assert (session.state, session.fault, session.fault_channel, session.stop_reason) == ("safe", None, None, None)
    assert (session.token, session.remainder_ms, session.allowance_ms, session.channels) == (None, None, None, {})
    assert (session.duration_ms(9), session.t_left_ms(9), session.left_over_ms(9)) == (0, 0, 0)


@pytest.mark.parametrize(
    ("note", "cause", "fault", "left_ms"),
    [
        (None, "power", None, None),
        (("run", None, 12_000), "watchdog", "watchdog", 12_000),
        (("paused", None, 12_000), "run_pin", "reset", 12_000),
        (("fault", "clock", 0), "power", "clock", None),
    ],
)
def test_a_session_that_a_reset_interrupted_is_a_latched_fault_and_leaves_its_rest(note, cause, fault, left_ms):
    session = Bench(BOARD, Session).session
    session.wake(note, cause)
    assert (session.state, session.fault, session.stop_reason) == ("fault" if fault else "safe", fault, fault)
    assert session.remainder_ms == left_ms


def test_the_rest_of_an_interrupted_session_outlives_faults_of_a_board_that_plays_nothing():
    made = Bench(BOARD, Session)
    made.session.wake(("run", None, 2_000), "watchdog")
    made.session.clear()
    made.session.trip("supply_low", made.now_ms)
    made.session.clear()
    assert made.session.remainder_ms == 2_000
    error, why = refusal(made.session.configure, {1: SHORT}, False)
    assert (error, why["why"], why["bound"]) == ("refused", "limit_remainder", 2_000)


def test_a_session_that_was_armed_and_never_started_leaves_nothing_to_be_continued():
    made = loaded({1: SHORT, 2: SHORT})
    made.session.arm(made.now_ms)
    made.session.stop("stop_command", made.now_ms)
    assert made.session.remainder_ms is None
    made.session.configure({1: SHORT}, new=False)


def test_a_rest_that_was_armed_and_never_started_is_still_all_there():
    made = Bench(BOARD, Session)
    made.session.wake(("run", None, 4_000), "watchdog")
    made.session.clear()
    made.session.configure({1: SHORT}, new=False)
    made.session.arm(made.now_ms)
    made.session.stop("stop_command", made.now_ms)
    assert made.session.remainder_ms == 4_000


def test_a_board_never_armed_whose_state_goes_wrong_to_armed_ends_in_a_fault():
    made = Bench(BOARD, Session)
    made.session.state = "armed"
    made.session.tick(made.now_ms + messages.KEEPALIVE_MS)
    assert made.session.state == "fault"


def test_a_configuration_leaves_nothing_of_the_one_before():
    made = bench(c1=SHORT, c2=LONG)
    made.session.stop("stop_command", made.now_ms)
    made.session.configure({2: SHORT})
    assert set(made.session.channels) == {2} and made.session.order == (2,)
    assert (made.session.stop_reason, made.session.duration_ms(made.now_ms)) == (None, 0)


def test_all_channels_are_armed_and_their_order_is_rising_however_they_are_given():
    made = loaded({3: SHORT, 1: SHORT})
    armed = []
    arm = made.output.arm
    made.output.arm = lambda numbers: armed.append(numbers) or arm(numbers)
    made.session.arm(made.now_ms)
    assert made.session.order == (1, 3)
    assert [type(numbers) for numbers in armed] == [list] and sorted(armed[0]) == [1, 3]


# -- refusals say what they refuse -----------------------------------------------------------------------------------


@pytest.mark.parametrize("call", ALLOWED)
def test_a_call_at_the_wrong_time_is_refused_by_its_own_name_and_the_state(call):
    state = "armed" if call == "configure" else "done"
    made = Bench(BOARD, Session)
    PATHS[state](made)
    wrong = ("wrong_state", {"method": call, "state": state})
    assert refusal(calls(made.session, made.now_ms)[call]) == wrong


def test_a_question_whether_one_may_configure_is_refused_by_the_name_of_who_asks():
    made = bench(c1=SHORT)
    assert refusal(made.session.may_configure)[1]["method"] == "configure"
    assert refusal(made.session.may_configure, "capture")[1] == {"method": "capture", "state": "ramp_up"}


@pytest.mark.parametrize(
    ("numbers", "why"),
    [
        ([3], "channel 3 is not waiting to start"),
        ([1], "channel 1 is not waiting to start"),
        ([2, 2], "channel 2 is not waiting to start"),
        ([], "no channel named"),
    ],
)
def test_a_start_that_cannot_be_says_which_channel(numbers, why):
    made = loaded({1: SHORT, 2: SHORT})
    made.session.arm(made.now_ms)
    made.session.start([1], made.now_ms)
    expected = ("invalid_params", {"field": "channels", "why": why})
    assert refusal(made.session.start, numbers, made.now_ms) == expected


def test_the_amplitude_of_a_channel_that_is_not_there_is_refused_by_its_number():
    expected = ("invalid_params", {"field": "channel", "why": "channel 2 is not configured"})
    assert refusal(bench(c1=SHORT).session.amplitude, 2, 100) == expected


@pytest.mark.parametrize(("state", "may"), [("loaded", True), ("armed", True), ("run", False), ("paused", False)])
def test_before_the_start_a_target_is_free_below_its_cap_and_from_then_on_climbs_by_steps(state, may):
    made = Bench(BOARD, Session)
    PATHS[state](made)
    if may:
        made.session.amplitude(1, 6_000)
        assert made.session.channels[1].target_ua == 6_000
    else:
        assert refusal(made.session.amplitude, 1, 6_000)[1]["why"] == "limit_step"


# -- faults ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", sorted(faults.FAULTS))
def test_just_these_faults_cut_at_once_and_all_others_let_the_pulse_end(fault):
    made = bench(c1=SHORT)
    made.run(100)
    made.session.trip(fault, made.now_ms)
    assert made.output.calls[-1] == ("kill" if fault in CUT_AT_ONCE else "hold")


@pytest.mark.parametrize("state", PATHS)
def test_clear_without_a_fault_changes_nothing(state):
    made = Bench(BOARD, Session)
    PATHS[state](made)
    before = list(made.events)
    made.session.clear()
    assert (made.session.state, made.events) == (state, before)


def test_a_cleared_fault_leaves_no_channel_behind():
    made = bench(c1=SHORT)
    made.session.trip("electrode_open", made.now_ms, 1)
    assert made.session.fault_channel == 1
    made.session.clear()
    assert (made.session.fault, made.session.fault_channel) == (None, None)


def test_a_hard_fault_keeps_its_name_beside_a_latched_guard():
    made = bench(c1=SHORT)
    made.run(100)
    made.output.open_interlock()
    made.session.trip("host_break", made.now_ms)
    assert made.session.fault == "host_break"


def test_an_open_interlock_is_not_taken_for_the_fault_of_a_board_that_is_not_armed():
    made = loaded({1: SHORT})
    made.output.closed = False
    made.session.trip("supply_low", made.now_ms)
    assert made.session.fault == "supply_low"


def test_the_guards_cause_comes_before_a_state_that_does_not_fit():
    made = bench(c1=SHORT)
    made.run(100)
    made.output.open_interlock()
    made.session.state = "armed"
    made.session.tick(made.now_ms)
    assert made.session.fault == "interlock_open"


def test_a_channel_is_not_started_beside_others_once_the_guard_has_latched():
    made = loaded({1: SHORT, 2: SHORT})
    made.session.arm(made.now_ms)
    made.session.start([1], made.now_ms)
    made.run(100)
    made.output.open_interlock()
    assert refusal(made.session.start, [2], made.now_ms) == ("fault", {"fault": "interlock_open"})
    assert made.session.state == "fault" and not made.session.channels[2].wanted
    settled(made)


@pytest.mark.parametrize("call", ["pause", "stop"])
def test_a_guard_that_has_latched_makes_a_fault_of_a_pause_or_a_stop_and_is_asked_once(call):
    made = bench(c1=SHORT)
    made.run(100)
    answers = ["internal"]
    made.output.guard_fault = lambda: answers.pop() if answers else None
    getattr(made.session, call)(*(("stop_command",) if call == "stop" else ()), made.now_ms)
    assert (made.session.state, made.session.fault, made.session.stop_reason) == ("fault", "internal", "internal")
    assert made.events[-1] == ("fault", "internal")


# -- what the output stage measures ----------------------------------------------------------------------------------


def told_with_channels(made):
    said = []
    made.session.notify = lambda kind, detail, channel=None: said.append((kind, detail, channel))
    return said


@pytest.mark.parametrize(
    ("ua", "mv", "fault"),
    [
        (0, BOARD["compliance_mv"], "electrode_open"),
        (2_000, 10, "electrode_short"),
        (3_000, 2_000, "amplitude_error"),
        (2_000, 2_000, None),
    ],
)
def test_what_a_lead_shows_twice_is_a_fault_that_names_its_channel(ua, mv, fault):
    made = bench(c1=LONG, c2=LONG)
    made.run(1_000)
    said = told_with_channels(made)
    for _ in range(7):
        made.session.sensed(2, ua, mv, made.now_ms)
        made.run(20)
    assert (made.session.fault, made.session.fault_channel) == (fault, 2 if fault else None)
    assert said == ([("fault", fault, 2)] if fault else [])


def test_a_lead_is_judged_only_while_its_channel_plays():
    made = loaded({1: LONG, 2: LONG})
    made.session.arm(made.now_ms)
    made.session.start([1], made.now_ms)
    made.run(1_000)
    made.session.channels[2].contact.judge = nobody
    made.session.sensed(2, 0, 60_000, made.now_ms)
    made.session.channels[1].contact.judge = nobody
    made.session.state = "paused"  # gone wrong: the next pass says so
    made.session.sensed(1, 0, 60_000, made.now_ms)
    made.run(20)
    assert made.session.fault == "internal"


# -- times -----------------------------------------------------------------------------------------------------------


def test_a_resume_with_nothing_left_is_the_end_of_the_session_and_starts_nothing():
    made = bench(c1=SHORT)
    made.run(2_999, step_ms=1)
    made.session.pause(made.now_ms)
    assert (made.session.state, made.session.channels[1].left_us) == ("paused", 0)
    made.session.resume(made.now_ms)
    assert (made.session.state, made.session.stop_reason) == ("done", "time_over")
    assert made.output.calls[-2:] == ["arm", "hold"] and not made.output.open()
    settled(made)


@pytest.mark.parametrize(("sooner_ms", "stands_ms"), [(None, 3_250), (500, 500), (3_249, 3_249), (99_000, 3_250)])
def test_the_hardware_end_stands_250_ms_after_the_train_or_sooner_where_asked_but_never_later(sooner_ms, stands_ms):
    made = loaded({1: SHORT, 2: dict(SHORT, duration_ms=2_000)})
    made.session.arm(made.now_ms)
    asked = []
    begin = made.output.start
    made.output.sooner = True
    made.output.start = lambda pairs, cutoff_ms: asked.append(cutoff_ms) or begin(pairs, cutoff_ms)
    made.session.start(None, made.now_ms, sooner_ms)
    assert asked == [stands_ms]


def test_time_counts_from_when_the_pulses_began_not_from_when_that_was_asked():
    made = loaded({1: SHORT})
    made.session.arm(made.now_ms)
    begin = made.output.start

    def slow(pairs, cutoff_ms):
        made.now_ms += 7  # filling the leases
        return begin(pairs, cutoff_ms)

    made.output.start = slow
    made.session.start(None, made.now_ms)
    assert made.session.channels[1].started_ms == made.now_ms == made.session.went_live_ms


def test_a_channel_that_joins_does_not_begin_the_sessions_time_anew():
    made = loaded({1: SHORT, 2: SHORT})
    made.session.arm(made.now_ms)
    made.session.start([1], made.now_ms)
    made.run(1_000)
    made.session.start([2], made.now_ms)
    assert made.session.duration_ms(made.now_ms) == 1_000


@pytest.mark.parametrize("numbers", [(1, 2), (2, 1)])
@pytest.mark.parametrize(
    ("joins_ms", "at_ms", "state"),
    [(1_000, 1_200, "run"), (2_600, 2_800, "ramp_up"), (2_000, 2_800, "run"), (0, 2_800, "ramp_down")],
)
def test_the_state_is_that_of_the_channel_that_is_furthest_from_its_end(numbers, joins_ms, at_ms, state):
    """One plays, one ramps: it runs. One ends while another begins: it ramps up. It ramps down when all do."""
    first, second = numbers
    made = loaded({1: SHORT, 2: SHORT})
    made.session.arm(made.now_ms)
    made.session.start([first], made.now_ms)
    made.run(joins_ms)
    made.session.start([second], made.now_ms)
    made.run(at_ms - joins_ms)
    assert made.session.state == state


def test_a_channel_that_has_ended_is_set_to_zero_while_others_go_on():
    made = bench(c1=dict(SHORT, duration_ms=1_500), c2=SHORT)
    sets = []
    put = made.output.set_ua
    made.output.set_ua = lambda n, ua: sets.append((n, ua)) or put(n, ua)
    made.output.finished, ended = lambda n, feed: ended(n, feed) and not sets.append((n, "ended")), made.output.finished
    made.run(2_000)
    assert sets[sets.index((1, "ended")) + 1] == (1, 0)
    assert made.session.state in messages.LIVE


def test_the_time_left_is_that_of_the_channel_with_most_and_none_without_a_session():
    made = Bench(BOARD, Session)
    session = made.session
    assert session.t_left_ms(made.now_ms) == 0
    session.greet()
    assert session.t_left_ms(made.now_ms) == 0
    session.configure({1: LONG, 2: SHORT})
    assert session.t_left_ms(made.now_ms) == 5_000
    session.arm(made.now_ms)
    assert session.t_left_ms(made.now_ms) == 5_000
    session.start([2], made.now_ms)
    made.run(1_000)
    assert session.t_left_ms(made.now_ms) == 2_000, "a channel that waits has no time yet"
    session.start([1], made.now_ms)
    assert session.t_left_ms(made.now_ms) == 5_000
    session.pause(made.now_ms)
    assert session.t_left_ms(made.now_ms) == 4_990, "the period of its first pulse is spent"
    session.trip("internal", made.now_ms)
    assert session.t_left_ms(made.now_ms) == 4_990
    session.clear()
    assert (session.state, session.t_left_ms(made.now_ms)) == ("idle", 0)
    session.configure({1: SHORT})
    session.arm(made.now_ms)
    session.start(None, made.now_ms)
    session.stop("stop_command", made.now_ms)
    assert (session.state, session.t_left_ms(made.now_ms)) == ("done", 0)


def test_a_fault_before_any_configuration_has_no_time_left():
    made = Bench(BOARD, Session)
    made.session.trip("internal", made.now_ms)
    assert made.session.t_left_ms(made.now_ms) == 0


def test_what_is_left_over_is_the_most_of_the_channels_started():
    made = loaded({1: LONG, 2: SHORT, 3: dict(BASE, duration_ms=60_000)})
    assert made.session.left_over_ms(made.now_ms) == 0
    made.session.arm(made.now_ms)
    made.session.start([1, 2], made.now_ms)
    made.run(1_000)
    assert made.session.left_over_ms(made.now_ms) == 4_000
    made.session.stop("stop_command", made.now_ms)
    assert abs(made.session.remainder_ms - 4_000) <= 20


def test_the_rest_of_a_rest_is_told_while_it_runs():
    made = loaded({1: LONG})
    made.session.arm(made.now_ms)
    made.session.start(None, made.now_ms)
    made.run(1_000)
    made.session.stop("stop_command", made.now_ms)
    rest_ms = made.session.remainder_ms
    made.session.configure({1: dict(SHORT, duration_ms=2_000)}, new=False)
    made.session.arm(made.now_ms)
    made.session.start(None, made.now_ms)
    made.run(500)
    assert made.session.left_over_ms(made.now_ms) == rest_ms - 500
