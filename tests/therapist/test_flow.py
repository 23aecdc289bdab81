"""Every turn that `rheo run` can take, at a pty, against a fake board at another: what is asked, refused, recorded.

The board's interlock is in the test's hand, as on a real board. About 25 s of wall.
"""

import os
import resource
import signal
import time

import pytest
from host.calling import call, records, until
from rheocore.refusal import StateError
from therapist.test_sessions import events


@pytest.fixture
def person(sit_down, board):
    """person(*words) -> Person who runs against the fake board."""

    def begin(*words, **options):
        seated = sit_down(*words, "-p", board.port, **options)
        seated.board = board
        return seated

    return begin


def up_to_start(person, **own):
    """Everything before the last Enter; the interlock is opened and closed when the screen says so."""
    person.go("stop shown", **own)
    person.type("yes\r")
    person.expect("Open the interlock now.")
    person.board.output.closed = False
    person.expect("interlock open")
    person.expect("Close the interlock now.")
    person.board.output.closed = True
    return person.go("Enter starts")


def started(person, **own):
    up_to_start(person, **own)
    assert person.board.seen.count("arm") == len(records()) - 1  # nothing is armed while anything is asked
    person.type("\r")
    person.shows("STOP AT ONCE")
    return person


def steps(record):
    return [(e["channel"], e["ua"]) for e in events(record, "amplitude")]


# -- before the start ------------------------------------------------------------------------------------------


@pytest.mark.req("REQ-100")
def test_a_screening_stop_starts_nothing_sends_nothing_and_is_recorded(person, board):
    one = person("needles")
    one.go("Numbers of all")
    one.type("1 9\r")
    assert one.end() == 5
    assert "Pacemaker" in one.text and "fear of needles" in one.text
    assert not {"configure", "arm", "start", "stop", "amplitude"} & set(board.seen)
    [record] = records()
    assert [line["kind"] for line in record.lines if line.get("phase") != "so_far"] == ["open", "screening", "close"]
    stops = record.answers("before")["answers"]["stops"]
    assert [name for name, value in stops.items() if value] == ["implant", "needle_phobia"]
    close = record.first("close")
    assert close["stop_reason"] is None and close["not_started"]["code"] == "screening" and close["channels"] == {}


@pytest.mark.req("REQ-100")
def test_in_which_words_ever_a_route_over_head_or_jaw_is_not_offered_and_the_board_is_named(person, board):
    one = person("needles")
    one.go("Code:")
    assert f"{board.serial}, on {board.port}" in " ".join(one.text.split())  # nobody takes it for another one
    one.go("Condition (")
    one.type("arthritis of the jaw joint\r")
    one.expect("Routes over the head and the jaw are not offered.")
    one.go("trained and licensed")
    one.type("\x03")
    assert one.end() == 130 and records()[0].answers("before")["answers"]["condition"] == "sciatica"


@pytest.mark.req("REQ-100")
def test_an_answer_typed_ahead_answers_no_screening_question_that_nobody_has_read(person, board):
    one = person("needles")
    one.go("Numbers of all")
    one.type("none\rnone\ryes\ryes\r3\r")  # the second is for the cautions, which stand nowhere yet
    one.expect("Any of these? Then say why")
    asked = one.question()
    assert "Numbers of all" in asked and "Takes blood thinners" in asked
    one.type("\x03")
    assert one.end() == 130
    told = records()[0].answers("before")["answers"]
    assert "cautions" not in told and "consent" not in told and not any(told["stops"].values())


@pytest.mark.req("REQ-011")
@pytest.mark.parametrize("closed", [True, False], ids=["never opened", "never closed"])
def test_the_interlock_passes_its_test_only_if_the_board_sees_it(person, board, closed):
    one = person("tens_conventional")
    one.go("stop shown", **{"Condition (": "muscle pain"})
    one.type("yes\r")
    one.expect("Open the interlock now.")
    if not closed:
        board.output.closed = False
        one.expect("Close the interlock now.")
    for _ in range(4):
        seen = board.seen.count("status")
        one.type("yes\r")  # nobody's word counts here
        until(lambda seen=seen: board.seen.count("status") > seen + 1)
        one.pump()
    assert f"The board says: interlock {'open' if closed else 'closed'}." not in one.text
    one.type("\x03")
    assert one.end() == 130 and "arm" not in board.seen
    assert "interlock_tested" not in records()[0].answers("before")["answers"]["checks"]


@pytest.mark.req("REQ-100")
@pytest.mark.parametrize(
    "answers, code",
    [
        ({"trained and licensed": "no"}, "screening"),
        ({"history reviewed": "no"}, "screening"),
        ({"risks told": "no"}, "screening"),
        ({"consent given": "no"}, "screening"),
        ({"Numbers of all": ["4"], "cross the trunk": "yes"}, "screening"),
        ({"Numbers of all": ["none", "2"], "Reason": "stop"}, "screening"),
        ({"Pairs that get": "3", "Go on with": "no"}, "declined"),
    ],
    ids=["licensed", "history", "risks", "consent", "pregnancy over the trunk", "caution", "fewer pairs"],
)
def test_what_is_missing_ends_it_before_anything_is_sent(person, board, answers, code):
    one = person("needles4")
    try:
        one.go("sterile", **answers)
        pytest.fail("it went on")
    except AssertionError as ended:
        assert "it ended" in str(ended) or "Not started" in one.text, one.text
    assert one.end() == 5 and "configure" not in board.seen
    assert records()[0].first("close")["not_started"]["code"] == code


@pytest.mark.req("REQ-100")
@pytest.mark.parametrize("question", ["sterile", "stop shown"])
def test_needles_that_are_not_sterile_and_a_stop_that_was_not_shown_arm_nothing(person, board, question):
    one = person("needles")
    one.go(question)
    one.type("no\r")
    if question == "stop shown":  # the needles are in: they come out
        assert one.finish() == 5
    assert one.end() == 5 and "arm" not in board.seen
    assert records()[0].first("close")["not_started"]["code"] == "screening"


@pytest.mark.req("REQ-100")
def test_a_clinician_overrides_pregnancy_with_a_reason_that_is_recorded(person, board):
    one = person("needles", "--channel", "1")
    up_to_start(one, **{"Numbers of all": ["4", "none"], "cross the trunk": "no", "Override it": "yes",
                        "Reason": ["", "leg only, agreed"]})  # fmt: skip
    one.type("no\r")
    one.go("all leads off")
    assert one.finish() == 5 and "start" not in board.seen
    [record] = records()
    assert record.answers("before")["answers"]["stops"]["pregnancy"] == "leg only, agreed"
    [override] = events(record, "override")
    assert (override["what"], override["reason"]) == ("pregnancy", "leg only, agreed")
    assert record.first("close")["not_started"]["code"] == "declined"


def test_a_preset_for_more_pairs_runs_after_fewer_are_confirmed_and_recorded(person, board):
    one = person("needles4")
    up_to_start(one, **{"needles are in": ["5", "8"], "Does a pad carry": "no", "needles are out": "8"})
    assert any("meant for 4 pairs of electrodes; this board has 3" in asked for asked in one.asked)
    one.type("no\r")
    assert one.finish(**{"needles are out": "8"}) == 5
    [record] = records()
    assert [e["what"] for e in events(record, "override")] == ["fewer_pairs"]
    answers = record.answers("before")["answers"]
    assert answers["needles"] == {"in": 8, "unstimulated": 2} and len(answers["pairs"]) == 3


@pytest.mark.req("REQ-103")
def test_ctrl_c_with_needles_in_still_counts_them_out(person, board):
    one = person("needles")
    one.go("lead B goes to")
    one.type("\x03")
    one.go("all leads off")
    assert one.finish() == 130 and "arm" not in board.seen
    [record] = records()
    assert record.answers("after")["needles_out"] == 2
    assert record.first("close")["not_started"]["code"] == "left"


def test_needles_are_counted_for_the_channels_that_have_needles(person, board):
    one = person("--on", "1=needles@2mA", "--on", "2=tens_conventional@5mA")
    up_to_start(one, **{"Condition (": "sciatica", "or the size": ["2", "1"], "needles are in": "2"})
    assert not any("carry the other lead" in asked for asked in one.asked)
    one.type("no\r")
    assert one.finish() == 5
    assert records()[0].answers("before")["answers"]["needles"] == {"in": 2, "unstimulated": 0}


def test_fewer_pairs_are_confirmed_protocol_by_protocol(person, board):
    one = person("--on", "1=needles4@1mA", "--on", "2=needles@1mA", "--on", "3=needles@1mA")
    one.go("or the size")
    [asked] = [asked for asked in one.asked if "Go on with" in asked]
    assert "needles4 is meant for 4 pairs: with 1" in asked
    [override] = events(records()[0], "override")
    assert override["reason"] == "needles4: 1 of 4 pairs, confirmed by the operator"


def test_pairs_of_one_protocol_do_not_stand_in_for_anothers(person, board):
    one = person("--on", "1=needles2@1mA", "--on", "2=needles@1mA", "--on", "3=needles@1mA")
    one.go("or the size")
    assert any("needles2 is meant for 2 pairs: with 1" in asked for asked in one.asked)


def test_what_somebody_stopped_is_over_and_nobody_is_asked_about_it_again(person, board):
    board.session.remainder_ms, board.session.stop_reason = 20_000, "operator_key"
    one = person("needles")
    up_to_start(one)
    one.type("no\r")
    assert one.finish() == 5
    assert not any("cut off" in asked for asked in one.asked)
    assert board.session.remainder_ms is None


@pytest.mark.req("REQ-018")
@pytest.mark.parametrize("answer", ["yes", "no"])
def test_after_a_session_that_was_cut_off_the_operator_says_whether_this_is_a_new_one(person, board, answer):
    board.session.remainder_ms = 20_000
    one = person("needles")
    up_to_start(one, **{"Is this a new session": answer})
    assert any("was cut off with 20 s left" in asked for asked in one.asked)
    one.type("no\r")
    assert one.finish() == 5
    [record] = records()
    duration_ms = record.opened["channels"]["1"]["config"]["duration_ms"]
    if answer == "yes":
        [override] = events(record, "override")
        assert override["what"] == "remainder" and "20 s left" in override["reason"]
        assert duration_ms == 60_000 and board.session.remainder_ms is None
    else:
        assert events(record, "override") == [] and duration_ms == 20_000 and board.session.allowance_ms == 20_000


def leave(one, how):
    if how == "ctrl-c":
        one.type("\x03")
    elif how == "cable":
        one.board.unplug()
    else:
        one.process.send_signal(how)


@pytest.mark.req("REQ-103")
@pytest.mark.parametrize("how, code", [("ctrl-c", 130), ("cable", 3), (signal.SIGTERM, 6), (signal.SIGHUP, 6)])
def test_leaving_while_needles_are_put_in_is_loud_and_on_record(person, board, how, code):
    one = person("needles")
    one.go("needles are in")
    [record] = records()
    assert events(record, "needles_begun") and record.answers("before")["answers"]["needles"]["in"] is None
    leave(one, how)
    if how in ("ctrl-c", "cable"):
        one.go("told to the person", **{"How many needles went in": "3", "needles are out": "3", "Is it off": "yes"})
        one.type("yes\r")
    assert one.end() == code and "arm" not in board.seen
    [record] = records()
    assert record.state == "complete" and record.answers("before")["answers"]["needles"]["in"] is None
    after = record.answers("after")
    if how in ("ctrl-c", "cable"):
        assert one.bells >= 3
        assert (after["needles_in"], after["needles_out"], after["mismatch"]) == (3, 3, False)
    else:
        assert (after["needles_in"], after["needles_out"], after["mismatch"]) == (None, None, None)
        assert "The needles were NOT counted out" in one.text and one.bells >= 3
        cause = {signal.SIGTERM: "terminated", signal.SIGHUP: "terminal_lost"}[how]
        assert record.first("close")["not_started"]["code"] == cause
        assert ("SIGTERM" in events(record, "note")[-1]["text"]) == (how == signal.SIGTERM)


def test_a_terminal_that_closes_during_screening_leaves_a_closed_record_that_says_so(person, board):
    one = person("needles")
    one.go("lead A goes to")
    one.hang_up()
    assert one.end() == 6 and "arm" not in board.seen  # two needles are in, and nobody counted them out
    [record] = records()
    assert record.state == "complete" and record.first("close")["not_started"]["code"] == "terminal_lost"
    after = record.answers("after")
    assert after["needles_in"] == 2 and after["needles_out"] is None and after["mismatch"] is None


def test_stop_and_status_of_another_terminal_reach_a_run_that_still_asks(person, board):
    one = person("needles")
    one.go("consent given")
    assert call("status", "-p", board.port, "--json").json["data"]["state"] == "idle"
    assert call("run", "needles", "--amplitude", "1mA", "--yes", "--reason", "x", "-p", board.port).code == 3
    assert call("stop", "-p", board.port).code == 0
    assert one.end() == 130 and "Stopped by command before the start" in one.text
    assert records()[0].first("close")["not_started"]["code"] == "stopped"


@pytest.mark.parametrize(
    "words, exit_code, says",
    [
        (("needles", "--amplitude", "2"), 2, "2 has no unit"),
        (("needles", "--amplitude", "8mA", "--needle", "0.25x30mm"), 5, "highest that passes is 6.25 mA"),
        (("needles", "--channel", "7", "--needle", "0.25x30mm"), 2, "no channel 7"),
    ],
)
def test_words_that_cannot_be_used_are_a_sentence(person, board, words, exit_code, says):
    one = person(*words)
    try:
        one.go("needles stay for")
        pytest.fail("it went on")
    except AssertionError:
        assert says in " ".join(one.text.split())
    assert one.end() == exit_code and "configure" not in board.seen


@pytest.mark.req("REQ-062")
@pytest.mark.parametrize("answer", ["yes", "no"])
def test_more_than_2_ma_per_cm2_is_acknowledged_before_anything_is_raised_or_stays_the_ceiling(person, board, answer):
    one = person("needles")
    up_to_start(one, **{"Acknowledge that": answer})
    one.type("no\r")
    assert one.finish() == 5
    [record] = records()
    assert any("more than 2 mA/cm² RMS [V]" in " ".join(asked.split()) for asked in one.asked)
    acknowledged = [e["code"] for e in events(record, "acknowledged")]
    cfg = record.opened["channels"]["1"]["config"]
    if answer == "yes":
        assert acknowledged == record.answers("before")["acknowledged"] == ["limit_current_density"]
        assert cfg["dense_ok"] == 1
    else:
        assert acknowledged == [] and not cfg.get("dense_ok")
        assert any("(2 mA/cm² RMS, not acknowledged)" in " ".join(asked.split()) for asked in one.asked)


# -- live ------------------------------------------------------------------------------------------------------


@pytest.mark.req("REQ-051")
def test_a_held_key_raises_once_and_lowering_may_repeat(person, board):
    one = started(person("needles"))
    one.raise_once("0.2 mA")
    time.sleep(0.5)  # a keyboard's delay, then its repeat
    for _ in range(15):
        one.type("\x1b[A")
        time.sleep(0.04)
    one.shows("One press, one step")
    time.sleep(0.8)
    one.type("\x1b[A\x1b[A\x1b[A")  # read at once: a repeat too
    one.shows("One press, one step")
    time.sleep(0.8)
    one.type("+")
    one.shows("set to 0.4 mA")
    for _ in range(3):
        one.type("\x1b[B")
        time.sleep(0.1)
    one.shows("set to 0 mA")
    one.type("s")
    one.shows("Nothing is felt at zero")
    one.type("q")
    assert one.finish() == 130
    assert steps(records()[0]) == [(1, 200), (1, 400), (1, 200), (1, 0)]


def test_channels_are_chosen_and_raised_on_their_own_up_to_the_ceiling_of_the_command_line(person, board):
    words = ("--on", "1=needles@300uA", "--on", "3=needles@2mA", "--needle", "0.25x30mm")
    one = started(person(*words), **{"needles are in": "4"})
    one.raise_once("0.2 mA")
    time.sleep(0.8)
    one.raise_once("0.3 mA")
    time.sleep(0.8)
    one.type("\x1b[A")
    one.shows("0.3 mA is the highest allowed here (your --amplitude)")
    one.type("3")
    one.shows("Channel 3 is chosen")
    time.sleep(0.8)
    one.type("\x1bOA")
    one.shows("Channel 3: set to 0.2 mA")
    one.type("\x1b[D")
    one.shows("Channel 1 is chosen")
    one.type("\x1b")
    assert one.finish(**{"needles are out": "4"}) == 130
    [record] = records()
    assert steps(record) == [(1, 200), (1, 300), (3, 200)]
    assert record.opened["channels"]["1"]["config"]["max_ua"] == 300  # the board keeps it too
    assert {c["config"]["amplitude_ua"] for c in record.opened["channels"].values()} == {0}


def test_skin_electrodes_take_steps_of_1_ma_and_no_needle_is_asked_for(person, board):
    one = started(person("tens_conventional"), **{"Condition (": "muscle pain"})
    one.raise_once("1 mA")
    one.type(" ")
    assert one.finish() == 130
    assert not [asked for asked in one.asked if "needles are" in asked or "sharps" in asked]
    assert steps(records()[0]) == [(1, 1000)]
    assert "needle_phobia" not in records()[0].answers("before")["answers"]["stops"]


@pytest.mark.req("REQ-102")
def test_esc_stops_although_the_board_does_not_answer_a_raise(person, board):
    class Deaf(set):
        heard = 0

        def __contains__(self, method):
            self.heard += method == "amplitude"
            return method == "amplitude"

    one = started(person("needles"))
    board.deaf_to = Deaf()
    one.type("\x1b[A")
    until(lambda: board.deaf_to.heard)
    one.type("\x1b")
    one.go("all leads off")
    assert board.session.stop_reason == "operator_key"
    assert board.deaf_to.heard == 1  # given up: not even the second try was waited for
    assert one.finish() == 130


def test_what_the_board_refuses_is_a_sentence_on_the_screen(person, board):
    one = started(person("needles"))

    def refuse(n, ua):
        raise StateError("refused", {"field": "ua", "value": ua, "why": "limit_board", "bound": 100})

    board.session.amplitude = refuse
    one.type("\x1b[A")
    one.shows("Amplitude 0.2 mA is above the board's rating: the highest that passes is")
    one.type("\x1b")
    assert one.finish() == 130 and steps(records()[0]) == []


@pytest.mark.req("REQ-103")
def test_a_pulled_cable_is_said_plainly_and_the_needles_are_still_counted(person, board):
    one = started(person("needles"))
    board.unplug()
    one.go("Is it off")
    assert "The board was lost in the middle of the session" in " ".join(one.text.split())
    assert one.finish(Is_it_off="yes") == 3
    [record] = records()
    assert record.first("close")["stop_reason"] == "host_lost" and record.answers("after")["mismatch"] is False
    assert record.answers("after")["output_zero"] is False


BUG = """
from rheobase.therapist.live import Live
Live._mark = lambda self, level: 1 / 0
"""


@pytest.mark.req("REQ-087")
def test_a_bug_while_output_is_on_stops_first_and_then_the_steps_after_it_run(person, board):
    one = started(person("needles", broken=BUG))
    one.raise_once("0.2 mA")
    one.type("s")
    one.go("all leads off")
    assert board.session.state == "done" and not board.output.playing
    assert "An error of rheo itself ended the session." in one.text
    assert one.finish() == 1
    [record] = records()
    assert str(record.path) in one.text.replace("\n", "") and "ZeroDivisionError" in one.text
    assert record.state == "complete" and record.first("close")["stop_reason"] == "host_error"
    assert record.answers("after")["needles_out"] == 2 and record.answers("after")["aftercare_told"] is True


SKIPPED = """
from rheobase.therapist import after
after._needles = lambda visit, found: 1 / 0
"""


@pytest.mark.req("REQ-103")
def test_a_bug_in_the_steps_after_leaves_no_needle_unspoken_of_and_the_rest_on_record(person, board):
    one = started(person("needles", broken=SKIPPED))
    one.type("q")
    one.go("all leads off")
    one.type("yes\r")
    assert one.end() == 1
    assert "The needles were NOT counted out" in one.text and one.bells >= 3
    [record] = records()
    after = record.answers("after")
    assert after["leads_off"] is True and after["needles_in"] == 2 and after["needles_out"] is None
    assert record.state == "complete" and record.first("close")["stop_reason"] == "operator_key"
    assert any("ZeroDivisionError" in note["text"] for note in events(record, "note"))


CLOSED = """
import os
def refusing(path, *rest, open=os.open, **more):
    if path == {path}:
        raise PermissionError(13, "Permission denied")
    return open(path, *rest, **more)
os.open = refusing
"""


def test_a_terminal_that_belongs_to_another_user_shows_the_live_screen(person, board):
    one = started(person("needles", broken=CLOSED.format(path="os.ttyname(0)")))  # as after `su`
    one.type("q")
    assert one.finish() == 130


def test_a_terminal_that_cannot_show_the_live_screen_is_found_before_any_needle(person, board):
    one = person("needles", broken=CLOSED.format(path="'/dev/tty'"))
    assert one.end() == 8
    assert "The live screen cannot write to /dev/tty" in one.text and "TERM=dumb" in one.text
    assert records() == [] and "configure" not in board.seen


# -- after -----------------------------------------------------------------------------------------------------


@pytest.mark.req("REQ-103")
def test_a_needle_that_is_missing_is_loud_and_recorded(person, board):
    one = started(person("needles"), **{"needles are in": "3"})
    one.type("q")
    one.go("What was done about it", **{"needles are out": "2"})
    assert "NEEDLES DO NOT MATCH: 3 in, 2 out." in one.text and one.bells >= 6
    assert one.finish(**{"What was done": "found under the towel"}) == 6
    last = " ".join(one.text.split())[-400:]
    assert "Needles are not accounted for: in 3, out 2." in last and "Stopped by the operator's key." in last
    [record] = records()
    assert record.first("close")["stop_reason"] == "operator_key"
    after = record.answers("after")
    assert (after["needles_in"], after["needles_out"], after["mismatch"]) == (3, 2, True)
    assert [e["text"] for e in events(record, "note")][-1] == "Mismatch: found under the towel"


def over(person, board, **own):
    """A session whose time is over, at the first question after it."""
    one = started(person("needles", "--duration", "2s"), **own)
    one.go("all leads off")
    assert board.session.stop_reason == "time_over"
    return one


def test_a_session_that_ran_to_its_end_is_0_only_if_the_steps_after_it_were_answered(person, board):
    one = over(person, board)
    assert one.finish(**{"all leads off": ["no", "yes"]}) == 0  # nobody gets past the leads
    assert b"They come off first." in one.raw


@pytest.mark.req("REQ-103")
def test_needles_that_are_missing_are_no_exit_0(person, board):
    one = over(person, board, **{"needles are in": "3"})
    assert one.finish(**{"needles are out": "2", "What was done": "looking for it"}) == 6
    text = " ".join(one.text.split())
    assert "Needles are not accounted for: in 3, out 2." in text and "The board itself is fine" in text


@pytest.mark.req("REQ-103")
@pytest.mark.parametrize(
    "until, says", [("needles are out", "in 2, out not counted"), ("told to the person", "Nobody knows")]
)
def test_steps_after_that_nobody_answered_are_no_exit_0(person, board, until, says):
    one = over(person, board)
    one.go(until)
    one.type("\x03")
    one.question()
    one.type("\x03")
    assert one.end() == 6 and says in " ".join(one.text.split())


def test_needles_that_stay_are_waited_for_or_ended_early_with_a_reason(person, board):
    one = started(person("needles"), **{"needles stay": "20min"})
    one.type("q")
    one.go("all leads off")
    one.type("yes\r")
    one.expect("Enter ends it early")
    one.shows(" of 20:00")
    one.type("\r")
    assert one.finish(Reason="the person felt faint", adverse="felt faint, lay down") == 130
    [record] = records()
    assert events(record, "override")[0]["what"] == "dwell" and "faint" in events(record, "override")[0]["reason"]
    assert record.answers("after")["adverse"] == "felt faint, lay down"


@pytest.mark.req("REQ-100")
def test_enter_pressed_twice_answers_no_question_that_nobody_has_read(person, board):
    one = started(person("tens_conventional"), **{"Condition (": "muscle pain"})
    one.type("q")
    one.go("Note on the skin", skin_as=["yes\r\r"])  # more Enters than one, before the next question is there
    one.type("a red spot\r")
    one.go("adverse event")
    one.type("\r")
    one.expect("Please write something.")
    assert one.finish(adverse=["None."]) == 130
    after = records()[0].answers("after")
    assert after["skin_note"] == "a red spot" and after["adverse"] is None


def test_a_terminal_that_closes_in_the_steps_after_closes_the_record_honestly(person, board):
    one = started(person("needles"))
    one.type("q")
    one.go("needles are out")
    one.hang_up()
    assert one.end() == 6
    [record] = records()
    after = record.answers("after")
    assert record.state == "complete" and after["leads_off"] is True
    assert after["needles_out"] is None and after["mismatch"] is None and after["pain"] is None


def test_ctrl_c_in_the_steps_after_warns_first(person, board):
    one = started(person("needles"))
    one.type("q")
    one.go("needles are out")
    one.type("\x03")
    one.expect("Ctrl-C once more leaves them")
    one.question()
    one.type("\x03")
    assert one.end() == 6
    assert records()[0].answers("after")["needles_out"] is None


@pytest.mark.req("REQ-106")
def test_the_next_session_of_a_code_is_reminded_and_starts_at_zero(person, board):
    for number in (1, 2):
        one = person("needles")
        if number == 2:
            one.go("Course", **{"Code:": "B-2"})
            assert "piriformis): 0.2 mA, comfortable" in one.text and "walks easier" in one.text
            assert "no start value" in one.text
        started(one, **{"Code:": "B-2", "Course": "1", "Sessions planned": ""})
        assert "0.00" in one.text
        one.raise_once("0.2 mA")
        one.reaches("0.20")
        one.type("c")
        one.shows("comfortable at")
        one.type("q")
        assert one.finish() == 130
    assert [r.opened["plan"]["number"] for r in records()] == [1, 2]
    assert records()[1].opened["channels"]["1"]["config"]["amplitude_ua"] == 0


def test_a_dumb_terminal_gets_plain_lines_without_a_single_escape(person, board):
    one = person("needles", env={"TERM": "dumb", "NO_COLOR": "1"})
    up_to_start(one)
    one.type("\r")
    one.expect("Esc, Space, q or Ctrl-C stop at once")
    one.expect("RUNNING")
    one.type("+")
    one.expect("Channel 1: set to 0.2 mA.")
    one.type("?")
    one.expect(" left | ch 1: set ")
    one.type("q")
    one.expect("Stopped by the operator's key.")
    assert one.finish() == 130
    assert b"\x1b" not in one.raw


def test_a_full_disk_with_needles_in_still_counts_them_out(person, board):
    """The record's file may not grow any more from the question on: the session ends, and the steps after it come."""
    one = person("needles")
    one.go("muscle or site")
    [record] = records()
    limits = (os.path.getsize(record.path), resource.RLIM_INFINITY)
    resource.prlimit(one.process.pid, resource.RLIMIT_FSIZE, limits)
    one.type("piriformis\r")
    assert one.finish() == 8
    assert any("How many needles are out" in asked for asked in one.asked) and board.session.state == "loaded"


def test_a_stop_that_nobody_confirms_keeps_the_cause_that_the_host_knows(person, board):
    one = started(person("needles"))
    one.raise_once("0.2 mA")
    board.mute = True
    one.process.send_signal(signal.SIGTERM)
    one.end()
    assert records()[0].first("close")["stop_reason"] == "terminated"
