"""A host that is killed while it asks has lost no answer: a whole visit at a pty, visits killed at random questions.

What is on record is read at every question, as it stands on the disk while the host lives: all that was answered
before. Then the same host is killed (SIGKILL) at questions drawn at random. About 7 s of wall.
"""

import random

import pytest
from host.calling import records
from therapist.person import Person
from therapist.test_sessions import events


def told(record):
    return record.answers("before").get("answers", {})


def answer(*path):
    """The last of `path` is on record as the answer whose names lead there; `...` stands for any that is not empty."""
    *names, value = path

    def kept(record):
        found = told(record)
        for name in names:
            found = found[name]
        return bool(found) if value is ... else found == value

    return kept


def after(name, value):
    return lambda record: record.answers("after").get(name) == value


def pair(name, value):
    return lambda record: told(record)["pairs"][-1].get(name) == value


# Words of a question: what is typed, and how the record shows it. In the order in which they are asked.
ANSWERS = [
    ("trained and licensed", "yes", answer("licensed", True)),
    ("history reviewed", "yes", answer("history", True)),
    ("Diagnosis", "left sciatica", answer("diagnosis", "left sciatica")),
    ("Numbers of all that apply, or `none`", "4", answer("stops", "implant", False)),
    ("cross the trunk", "no", answer("stops", "pregnancy", ...)),
    ("Override it", "yes", answer("stops", "pregnancy", ...)),
    ("Reason", "leg only", lambda record: told(record)["stops"]["pregnancy"] == "leg only"
        and events(record, "override")[0]["reason"] == "leg only"),
    ("Numbers of all that apply, or `none`", "1", answer("cautions", "blood_thinners", ...)),
    ("Reason", "INR 2.1", answer("cautions", {"blood_thinners": "INR 2.1"})),
    ("risks told", "yes", answer("risks_told", True)),
    ("consent given", "yes", answer("consent", True)),
    ("Pain now", "6", answer("pain", 6)),
    ("Pairs that get", "1", answer("electrodes", "channels", [1])),
    ("or the size", "0.25x30mm", answer("electrodes", "needle", "0.25x30mm")),
    ("Acknowledge that", "yes", lambda record: events(record, "acknowledged")[0]["value"] > 0),
    ("needles stay for", "1s", lambda record: record.opened["load"]["needle"]["diameter_um"] == 250
        and told(record)["electrodes"]["dwell_ms"] == 1000),
    ("sterile", "yes", answer("checks", "sterile", True)),
    ("needles are in", "3", answer("needles", "in", 3)),
    ("muscle or site", "gluteus", pair("site", "gluteus")),
    ("lead A goes to", "medial one", pair("lead_a", "medial one")),
    ("lead B goes to", "lateral one", pair("lead_b", "lateral one")),
    ("stop shown", "yes", answer("checks", "stop_shown", True)),
    ("Enter starts", "no", answer("checks", "interlock_tested", True)),
    ("all leads off", "yes", after("leads_off", True)),
    ("needles are out", "2", lambda record: "3 in, 2 out" in events(record, "note")[0]["text"]),
    ("counted again", "3", after("needles_out", 3)),
    ("sharps container?", "yes", after("sharps", True)),
    ("skin as it should be", "no", after("skin", "not as it should be")),
    ("seen on the skin", "a wheal", after("skin_note", "a wheal")),
    ("Pain now", "4", after("pain", 4)),
    ("twitch", "yes", after("twitch", True)),
    ("respond", "walks easier", after("response", "walks easier")),
    ("adverse event", "fainted", after("adverse", "fainted")),
]  # fmt: skip
KILLED_AT = sorted(random.Random(4).sample(range(1, len(ANSWERS) + 1), 5))


def visit(board, until):
    """Answer the first `until` questions; at each, everything before it is on record. Leaves the Person at the next."""
    person = Person("needles", "-p", board.port)
    person.go("trained and licensed", **{"Code:": "B-2", "Course": "1", "Sessions planned": ""})
    for at, (words, typed, _) in enumerate(ANSWERS[:until]):
        if words == "Enter starts":
            person.expect("Open the interlock now.")
            board.output.closed = False
            person.expect("Close the interlock now.")
            board.output.closed = True
        assert words in person.question()
        on_record(at)
        person.type(typed + "\r")
    if until < len(ANSWERS) and ANSWERS[until][0] == "Enter starts":
        person.expect("Open the interlock now.")
    else:
        person.question()
    return person


def on_record(count):
    """The first `count` answers are on record."""
    record = records()[-1]
    missing = [words for words, _, kept in ANSWERS[:count] if not kept(record)]
    assert missing == [] and record.damaged == 0
    return record


def test_at_every_question_all_that_was_answered_before_is_on_record(board):
    person = visit(board, len(ANSWERS))
    before_the_end = on_record(len(ANSWERS))
    person.type("yes\r")
    assert person.end() == 5
    person.close()
    record = on_record(len(ANSWERS))
    assert record.state == "complete" and not record.missing()
    told = {k: v for k, v in record.answers("after").items() if k in before_the_end.answers("after") and k != "phase"}
    assert told == {k: v for k, v in before_the_end.answers("after").items() if k != "phase"}
    so_far = [line for line in record.of("screening") if line["phase"] == "so_far"]
    assert len(so_far) <= len(ANSWERS)  # what did not change is not written again


@pytest.mark.req("REQ-110")
@pytest.mark.parametrize("at", KILLED_AT)
def test_a_host_killed_at_a_question_has_lost_no_answer(board, at):
    person = visit(board, at)
    person.process.kill()
    person.process.wait()
    person.close()
    record = on_record(at)
    assert record.state == "crashed" and record.opened["person"] == "B-2"
