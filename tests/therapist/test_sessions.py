"""`rheo run` as a person meets it: a pty of 80x24, the real image on an emulated board, every question by its words.

No claim here is about wall time; pulses and amplitudes are the board's, the record is the file. About 30 s of wall.
"""

import re
from datetime import datetime

import pytest
from host.calling import records
from rheobase import vcd_read
from rheobase.emulator import switch
from rheobase.link.greeting import open_board
from rheobase.measure import trains

STOPS = {"esc": "\x1b", "space": " ", "q": "q", "ctrl-c": "\x03"}


def state_of(port):
    """(state, any set-point) of the board, asked anew."""
    with open_board(port) as board:
        status = board.status()
        return status["state"], any(row["set_ua"] for row in status["channels"].values())


def events(record, name):
    return [line for line in record.of("event") if line["event"] == name]


def test_a_needle_session_from_the_first_question_to_the_last_is_a_whole_record(sit_down, tmp_path):
    person = sit_down("--port", "emu", "--vcd", "edges.vcd", "--duration", "4s")
    person.go("Protocol, 1 to", **{"Code:": ["Jo Smith", "A-017"], "Course": "2", "Sessions planned": "4",
                                   "Condition:": ["elbo", "sciatica"]})  # fmt: skip
    assert "[D] For tests of sciatica only." in person.text and "PENS and TENS did not differ" in person.text
    number = re.search(r"(\d+)  needles:", person.text)[1]
    person.type(number + "\r")
    person.go("Enter starts", **{"Numbers of all": ["none", "1"], "Reason": "INR 2.1", "Pain now": ["11", "6"],
                                 "or the size": ["0.25", "0.25x30mm"], "needles stay": ["20", "6s"],
                                 "needles are in": ["0", "3"]})  # fmt: skip
    assert any("names stay out" in asked for asked in person.asked)
    assert any("has no unit" in asked for asked in person.asked)
    assert person.bells == 0
    person.type("\r")
    person.shows("RUNNING")
    assert person.bells == 0 and "OUTPUT ZERO" in person.text
    person.raise_once("0.2 mA")
    person.reaches("0.20")
    person.type("s")
    person.shows("sensory at 0.2 mA")
    person.shows("sensory 0.20")
    person.until(lambda: person.bells == 1, "the sound of an active output")
    person.type("c")
    person.shows("comfortable at 0.2 mA")
    assert re.search(r"needles in \d:\d\d of 0:06", person.text)
    code = person.finish(**{"needles are out": "3"})
    assert code == 0
    assert not re.search(rb"\x1b\[[0-9;]*m", person.raw)  # no colour, anywhere
    [record] = records()
    assert record.state == "complete" and record.lines[-1]["kind"] == "close" and not record.missing()
    assert record.opened["person"] == "A-017"
    assert record.opened["plan"] == {"course": "chronic", "number": 1, "planned": 4}
    assert (
        record.opened["load"] == {"needle": {"diameter_um": 250, "length_um": 30000}} and not record.opened["assumed"]
    )
    before, after = record.answers("before"), record.answers("after")
    answers = before["answers"]
    assert before["phase"] == "before" and not before["yes"]
    assert answers["condition"] == "sciatica" and answers["consent"] and answers["risks_told"] and answers["pain"] == 6
    assert not any(answers["stops"].values()) and answers["cautions"] == {"blood_thinners": "INR 2.1"}
    assert answers["needles"] == {"in": 3, "unstimulated": 1}
    assert answers["pairs"] == [
        {"channel": 1, "site": "piriformis", "lead_a": "medial needle", "lead_b": "lateral needle"}
    ]
    assert answers["checks"] == dict.fromkeys(("sterile", "output_zero", "stop_shown", "interlock_tested"), True)
    assert after["phase"] == "after" and after["dwell_ms"] >= 6000 and after["mismatch"] is False
    assert (after["needles_in"], after["needles_out"], after["pain"]) == (3, 3, 6)
    assert after["output_zero"] and after["leads_off"] and after["sharps"] and after["aftercare_told"]
    [needles_in] = events(record, "needles_in")
    assert needles_in["in"] == 3
    since_ms = (
        datetime.fromisoformat(after["host_utc"]) - datetime.fromisoformat(needles_in["host_utc"])
    ).seconds * 1000
    assert after["dwell_ms"] <= since_ms + 1000
    assert [(e["channel"], e["ua"]) for e in events(record, "amplitude")] == [(1, 200)]
    assert [(e["level"], e["ua"]) for e in events(record, "titration")] == [("sensory", 200), ("comfortable", 200)]
    states = [e["detail"] for e in events(record, "state")]
    assert states.index("armed") > 0 and events(record, "end")[0]["n"] < after["n"]
    pins = trains(vcd_read.read("edges.vcd").edges)[1]
    assert len(pins.pulses) == record.first("close")["channels"]["1"]["pulses"] == 200


@pytest.mark.req("REQ-102")
@pytest.mark.parametrize("key", [*STOPS, "closed terminal"])
def test_every_way_to_stop_leaves_the_output_off_and_the_record_whole(sit_down, emulated, key):
    person = sit_down("needles", "-p", emulated.pty)
    person.start()
    person.raise_once("0.2 mA")
    if key in STOPS:
        person.type(STOPS[key])
        person.go("all leads off")
        assert "Output zero: the board confirms" in person.text
        assert person.finish() == 130
    else:
        person.hang_up()
        assert person.end() == 6  # nobody has counted the needles out
    assert state_of(emulated.pty) == ("done", False)
    [record] = records()
    assert record.state == "complete"
    close = record.first("close")
    reasons = {"ctrl-c": "operator_interrupt", "closed terminal": "terminal_lost"}
    assert close["stop_reason"] == reasons.get(key, "operator_key")
    after = record.answers("after")
    assert after["output_zero"] is True and after["needles_in"] == 2
    if key in STOPS:
        assert after["mismatch"] is False
    else:  # nobody counted, and the record does not pretend
        assert after["mismatch"] is None and after["needles_out"] is None
        assert "The terminal was closed" in events(record, "note")[-1]["text"]


@pytest.mark.req("REQ-023")
def test_pause_brings_the_output_to_zero_and_resume_ramps_from_zero(sit_down, emulated):
    person = sit_down("needles", "-p", emulated.pty, "--duration", "20s")
    person.start()
    person.raise_once("0.2 mA")
    person.shows("OUTPUT ON")
    person.type("p")
    person.shows("PAUSED, output zero")
    person.shows("OUTPUT ZERO   the session ends by itself in 4:59")
    person.type("\x1b[A")
    person.shows("Nothing is raised while the output is paused")
    person.type("p")
    person.shows("RUNNING")
    person.type("\x1b")
    assert person.finish() == 130
    [record] = records()
    shown = [(t["state"], t["channels"]["1"]["set_ua"]) for t in record.of("telemetry")]
    paused = [at for at, (state, _) in enumerate(shown) if state == "paused"]
    assert {ua for state, ua in shown if state == "paused"} == {0}
    after_pause = [ua for _, ua in shown[paused[-1] + 1 :]]
    assert after_pause[0] < 100 < max(after_pause) <= 200
    assert [e["event"] for e in record.of("event") if e["event"] in ("pause", "resume")] == ["pause", "resume"]


@pytest.mark.req("REQ-104")
def test_a_fault_is_shown_in_plain_words_with_what_to_do_and_the_steps_after_it_still_run(sit_down, emulated):
    person = sit_down("needles", "-p", emulated.pty)
    person.start()
    person.raise_once("0.2 mA")
    heard = person.bells
    switch.set_interlock(emulated.pty, closed=False)
    try:
        person.go("all leads off")
        assert "The interlock is open." in person.text and "Close the interlock" in person.text
        assert "`rheo clear-fault`" in " ".join(person.text.split()).replace("!!! ", "")
        assert person.bells > heard
        assert person.finish() == 6
    finally:
        switch.set_interlock(emulated.pty, closed=True)
    [record] = records()
    assert record.first("close")["stop_reason"] == "interlock_open"
    assert record.answers("after")["mismatch"] is False
    with open_board(emulated.pty) as board:
        assert board.call("clear_fault")["state"] == "idle"
