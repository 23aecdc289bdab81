"""The report of what went wrong, and of screening: what it says first, what it does not make up. Wall: 2 s."""

import json

import pytest
from record.make_record import AFTER, SCREENED, START_US, begin, channels, treatment
from record.page import change, page_of
from rheobase.record import RecordReader, RecordWriter

# -- when it went wrong ----------------------------------------------------------------------------------------------


def test_a_fault_comes_first_with_its_cause_and_what_to_do(tmp_path, plain):
    page = page_of(treatment(tmp_path, channel_count=1, fault="electrode_open", stop_ms=9_000))
    assert "!! Ended by a fault: electrode open. An electrode or a lead has no contact. Check leads" in page.text
    assert "Ran to its planned end" not in page.text
    assert page.text.count("Fault: An electrode or a lead has no contact.") == 1  # the board's event; not twice


@pytest.mark.req("REQ-112")
def test_a_crash_is_said_and_nothing_is_made_up_for_what_came_after(tmp_path, plain):
    page = page_of(treatment(tmp_path, channel_count=1, close=False, stop_ms=20_000))
    assert "!! The record breaks off: no end is on record." in page.text
    assert "19.9 s of output" in page.text and "What the board did after that is not on record" in page.text
    assert page.row("duration")[1] == "19.9 s so far"
    assert page.row("whole pulses")[1].endswith("so far (33.17 %); whether one was cut is unknown")
    assert "!! Needles were not counted out. 8 went in; no count of what came out is on record." in page.text
    assert "! The steps after the session are not on record." in page.text


def test_a_guided_session_that_was_killed_tells_what_was_answered(tmp_path, plain):
    with RecordWriter.create("A", 1000, tmp_path) as writer:
        writer.write("open", None, modelled=True)
        for answers in (
            {"history": True},
            {"electrodes": {"needle": "0.25x30mm", "dwell_ms": 1_200_000}},
            {"stops": SCREENED["stops"]},
            {"pain": 6},
        ):
            writer.write("screening", phase="so_far", part="before", answers=answers)
    page = page_of(writer.path)
    assert "!! The record breaks off: no output is on record. The host ended" in page.text
    assert "The session had not started. The last word came" in page.text and "after the start" not in page.text
    assert "unknown so far" not in page.text and "No telemetry is on record" not in page.text
    assert page.row("history") == ["yes"] and page.row("stops") == ["4 asked, none applies"]
    assert page.row("electrodes") == ["needle: 0.25x30mm; dwell: 20 min"]
    assert page.row("cautions") == ["not recorded"] and "Pain (0 to 10): 6 before" in page.text
    assert "Before, as far as it was answered" in page.text and "No question was asked" not in page.text
    with RecordWriter.create("A", 1000, tmp_path) as writer:
        writer.write("screening", phase="before", answers={}, yes=False)  # it ended before the first question
    text = page_of(writer.path).text
    assert "No answer is on record." in text and "--yes" not in text and "No question was asked" not in text


def test_a_host_killed_after_the_output_leaves_the_boards_own_end(tmp_path, plain):
    lines = treatment(tmp_path, channel_count=1).read_text().splitlines()
    path = tmp_path / "record.jsonl"
    so_far = {"kind": "screening", "phase": "so_far", "part": "after", "answers": {"leads_off": True}}
    path.write_text("\n".join([*lines[:-2], json.dumps(so_far)]) + "\n")
    page = page_of(path)
    head = "!! The record breaks off after the end of the output. The board told its end: The session time is over."
    assert f"{head} Output lasted 1 min." in page.text and "What the board did after" not in page.text
    assert "!! Needles were not counted out." in page.text and page.row("leads off") == ["yes"]
    assert "! The steps after the session were not finished." in page.text
    assert "After, as far as it was answered" in page.text


def test_a_session_whose_record_is_being_written_is_called_running(tmp_path, plain):
    with begin(tmp_path) as writer:
        writer.write("telemetry", START_US, state="run", channels=channels(0))
        assert "! The session is still running." in page_of(writer.path).text


@pytest.mark.req("REQ-112")
def test_a_lost_board_is_told_with_the_counts_that_are_known(tmp_path, plain):
    path = treatment(tmp_path, channel_count=1, end="host_lost", stop_ms=5_000)
    change(path, "close", channels={"1": {"pulses": 490, "truncated": None, "charge_nc": 5}})
    page = page_of(path)
    assert "!! Ended by a fault: host lost." in page.text and "Inferred by the host" in page.text
    assert "Output lasted at least 5 s; counts are those of the board's last telemetry." in page.text
    assert page.row("duration")[1] == "5 s so far" and "so far, by its last telemetry" in page.text
    assert page.row("1")[0] == "490 so far" and page.row("charge of one phase, in sum")[1] == "5 nC so far"
    assert "whether one was cut is unknown" in page.row("whole pulses")[1]


def test_a_session_that_never_started_says_that_nothing_came_out(tmp_path, plain):
    with begin(tmp_path) as writer:
        writer.write("close", None, stop_reason=None, fault=None, duration_ms=0, channels={})
    page = page_of(writer.path)
    assert "! Nothing came out. Why is not on record. The session was not started." in page.text
    why = {"code": "screening_stop", "message": "Not started: pacemaker."}
    assert "Not started: pacemaker. The session" in page_of(change(writer.path, "close", not_started=why)).text
    assert "There is no telemetry to draw." in page.text and "No telemetry is on record" not in page.text
    assert "Aftercare" not in page.text  # nothing was done


def test_times_of_a_session_that_never_started_are_from_the_beginning_of_its_record(tmp_path, plain):
    with begin(tmp_path) as writer:
        change(writer.path, "open", dev_us=None), change(writer.path, "screening", dev_us=None)
        writer.write("event", 7_000_000, event="needles_in", **{"in": 1})
        writer.write("telemetry", 8_000_000, state="armed", channels=channels(0, 0))
        writer.write("event", 9_500_000, event="state", detail="idle")
    page = page_of(writer.path)
    assert "seconds from the beginning of the record, by the board's clock" in page.text
    assert "first pulse" not in page.text
    assert [row[0] for row in page.rows if row[-1] == "The board is idle: output off."] == ["0:02.500"]
    assert "seconds from the first pulse, by the board's clock" in page_of(treatment(tmp_path)).text


@pytest.mark.req("REQ-112")
def test_torn_damaged_and_missing_lines_are_counted(tmp_path, plain):
    path = treatment(tmp_path, channel_count=1)
    lines = path.read_bytes().split(b"\n")
    lines[50] = lines[50][:40]
    path.write_bytes(b"\n".join(lines[:-2])[:-9])
    text = page_of(path).text
    assert "! Lines of this record are lost. 1 damaged, 1 missing, the last one torn." in text


def test_missing_telemetry_is_listed_and_drawn_as_a_gap(tmp_path):
    from rheobase.report.track import Track

    path = treatment(tmp_path, channel_count=1, lost=[(20_000, 25_000), (40_000, 40_500)])
    track = Track(RecordReader(path))
    assert track.gaps == [(19_900_000, 25_000_000), (39_900_000, 40_500_000)]
    inside = [v for t, v in zip(track.times, track.columns["1"]["set_ua"], strict=True) if 19.9e6 < t < 25e6]
    assert len(inside) == 1 and inside[0] != inside[0]  # NaN: no line is drawn across
    page = page_of(path)
    assert (
        "! Telemetry is missing. 5.7 s in 2 gaps, hatched in the pictures: 19.9 to 25.0 s, 39.9 to 40.5 s." in page.text
    )
    assert page.row("time at amplitude")[1] == "47.6 s"  # 52.7 s but for the gaps; 0.3 s of each still stand


def test_telemetry_from_before_a_reset_is_not_mixed_with_what_came_after(tmp_path, plain):
    with begin(tmp_path) as writer:
        for us in (9_000_000, 9_100_000, 100_000, 200_000, 9_200_000):
            writer.write("telemetry", us, state="run", channels=channels(1))
    text = page_of(writer.path).text
    assert "!! The board's clock went back. 2 samples after it are left out" in text


def test_a_protocol_that_was_changed_in_the_record_is_found_by_its_hash(tmp_path, plain):
    path = treatment(tmp_path, channel_count=1)
    assert "does not match its hash" not in page_of(path).text
    protocols = RecordReader(path).opened["protocols"]
    protocols["tens_conventional"]["limits"]["max_ma"] = 61
    change(path, "open", protocols=protocols)
    assert "!! A protocol on record does not match its hash. tens_conventional" in page_of(path).text


@pytest.mark.parametrize("modelled", [True, False])
def test_an_emulated_board_is_loud_and_a_real_one_is_not_called_modelled(tmp_path, plain, modelled):
    text = page_of(treatment(tmp_path, channel_count=1, modelled=modelled)).text
    assert ("EMULATED BOARD, MODELLED LOAD" in text) == modelled
    assert ("odelled" in text) == modelled


# -- screening -------------------------------------------------------------------------------------------------------


def test_screening_before_and_after_stand_side_by_side(tmp_path, plain):
    page = page_of(treatment(tmp_path))
    assert page.row("stops") == ["4 asked, none applies"]
    assert page.row("cautions") == ["Takes blood thinners: low dose aspirin, agreed with the clinic"]
    assert page.row("consent") == ["yes"] and page.row("needles in") == ["8, of these 2 dwell without current"]
    assert page.row("needles were in for") == ["25 min"] and page.row("needles out") == ["8"]
    assert "Pain (0 to 10): 6 before, 3 after." in page.text
    assert ["2", "red", "black", "right upper trapezius"] in page.rows
    assert "!" not in page.text.replace("What this is not", "")


def test_needles_that_do_not_add_up_are_loud(tmp_path, plain):
    head = "!! Needles in and needles out do not agree. 8 in, 7 out."
    assert head in page_of(treatment(tmp_path, needles_out=7)).text
    path = treatment(tmp_path)
    change(path, "screening", 1, needles_out=9, mismatch=False)  # whatever the record says of it
    assert "!! Needles in and needles out do not agree. 8 in, 9 out." in page_of(path).text
    text = page_of(treatment(tmp_path, after=False)).text
    assert "!! Needles were not counted out. 8 went in" in text
    assert "! The steps after the session are not on record." in text


def test_an_overridden_stop_an_adverse_event_and_a_missing_step_are_told_with_their_reasons(tmp_path, plain):
    path = treatment(tmp_path, channel_count=1)
    change(
        path, "screening", answers={**SCREENED, "stops": {"pregnancy": "arm only, midwife agrees", "implant": False}}
    )
    change(path, "screening", 1, **{**AFTER, "adverse": "fainted, recovered", "sharps": False})
    text = page_of(path).text
    assert "!! A screening stop was overridden. Pregnancy: arm only, midwife agrees" in text
    assert "!! An adverse event was noted. fainted, recovered" in text
    assert "! Not confirmed. needles into the sharps container" in text


def test_a_stop_that_ended_the_session_stands_and_is_not_called_overridden(tmp_path, plain):
    stops = {**SCREENED["stops"], "implant": True}
    with begin(tmp_path) as writer:
        why = {"code": "screening", "message": "Not started: pacemaker."}
        writer.write("close", None, stop_reason=None, fault=None, duration_ms=0, channels={}, not_started=why)
    change(writer.path, "screening", answers={"condition": "neck_pain", "stops": stops}, yes=False)
    page = page_of(writer.path)
    assert "! A screening stop stands: the session was refused. Pacemaker, defibrillator" in page.text
    assert page.row("stops")[0].endswith(": it stands")
    assert "overridden" not in page.text and "The steps after" not in page.text  # nothing began: nothing to undo
    path = treatment(tmp_path, channel_count=1)
    change(path, "screening", answers={**SCREENED, "stops": stops})
    assert "!! A screening stop stood, and the session was started all the same. Pacemaker" in page_of(path).text


def test_steps_that_were_left_unfinished_are_told_and_none_is_taken_for_done(tmp_path, plain):
    path = treatment(tmp_path, channel_count=1)
    change(path, "screening", 1, **{**dict.fromkeys(AFTER), "needles_in": 8})  # the terminal was closed
    page = page_of(path)
    assert "! The steps after the session were not finished." in page.text
    assert "!! Needles were not counted out. 8 went in" in page.text
    assert page.row("leads off") == ["not recorded"] and "6 before, not recorded after" in page.text


@pytest.mark.parametrize(
    ("event", "fields", "says"),
    [
        ("needles_in", {"in": 6, "unstimulated": 2}, "6 went in; no count of what came out is on record."),
        ("needles_begun", {"in": None}, "Needles were being inserted, nobody knows how many; no count of what"),
    ],
)
def test_needles_of_a_killed_host_are_known_from_their_events(tmp_path, plain, event, fields, says):
    """Before any answer's line is there, and before any output; not while somebody may still count them out."""
    with begin(tmp_path) as writer:
        writer.write("event", None, event=event, **fields)
        change(writer.path, "screening", answers=None, phase="so_far", part="before", yes=False)
        assert "counted out" not in page_of(writer.path).text.replace(says, "")
    text = page_of(writer.path).text
    assert f"!! Needles were not counted out. {says}" in text
    assert "! The steps after the session are not on record." in text


def test_the_latest_word_on_the_needles_counts(tmp_path, plain):
    with begin(tmp_path) as writer:
        change(writer.path, "screening", answers={"needles": {"in": 0}}, phase="so_far", part="before", yes=False)
        writer.write("event", None, event="needles_begun")
        unknown = writer.path.read_text()
        writer.write("screening", phase="so_far", part="before", answers={"needles": {"in": 0}})  # none went in
    assert "counted out" not in page_of(writer.path).text
    writer.path.write_text(unknown)
    assert "!! Needles were not counted out. Needles were being inserted, nobody knows" in page_of(writer.path).text


def test_needles_that_nobody_could_count_in_agree_with_no_count_out(tmp_path, plain):
    path = treatment(tmp_path, channel_count=1)
    change(path, "screening", answers={**SCREENED, "needles": {"in": None}})
    change(path, "screening", 1, **{**AFTER, "needles_in": None, "needles_out": 5})
    page = page_of(path)
    assert "!! Needles in and needles out do not agree. unknown in, 5 out." in page.text
    assert page.row("needles in") == ["unknown"]


def test_overrides_and_needles_in_are_told_in_words(tmp_path, plain):
    path = treatment(tmp_path, channel_count=1)
    change(path, "event", 1, **{"in": 8, "unstimulated": 2, "dwell_planned_ms": 1_200_000})
    change(path, "event", 2, event="override", what="fewer_pairs", reason="3 of 4 pairs, confirmed")
    page = page_of(path)
    assert "Needles are in: 8, 2 of them without current. The dwell time begins: 20 min are planned." in page.text
    assert "Override: fewer pairs. 3 of 4 pairs, confirmed" in page.text


def test_an_acknowledgement_says_of_what(tmp_path, plain):
    path = treatment(tmp_path, channel_count=1)
    change(path, "screening", acknowledged=["limit_current_density"])
    change(path, "event", 1, event="acknowledged", code="limit_current_density", value=3331)
    page = page_of(path)
    assert "Acknowledged before the start: more than 2 mA/cm² RMS." in page.text
    assert "Acknowledged: more than 2 mA/cm² RMS, from 3.331 mA on." in page.text


def test_the_operators_own_ceiling_is_not_called_the_protocols(tmp_path, plain):
    path = treatment(tmp_path, channel_count=1)
    assert "the protocol's limit" in page_of(path).row("highest allowed")[0]
    channels = RecordReader(path).opened["channels"]
    channels["1"]["config"]["max_ua"] = 9_000
    change(path, "open", channels=channels)
    assert page_of(path).row("highest allowed")[0].startswith("9 mA: the operator's ceiling")


def test_a_session_without_questions_says_so_and_why(tmp_path, plain):
    text = page_of(treatment(tmp_path, screened=False)).text
    assert "! No screening: the session was started with --yes. Reason given: bench" in text


def test_every_event_has_its_device_and_host_time_and_a_sentence(tmp_path, plain):
    path = treatment(tmp_path, channel_count=1, pause=(20_000, 3_000))
    page, events = page_of(path), RecordReader(path).of("event")
    line = next(line for line in events if line["event"] == "pause")
    assert ["0:20.000", "0:23.000", line["host_utc"][11:23], "The operator paused."] in page.rows
    assert page.text.count("Output on: ramping up from zero.") == 2
    assert "1, 3 s in all, not counted as duration" in page.text and page.row("duration")[1] == "1 min"
