"""The reader: whatever happened to the writer, what is whole is read, and what is missing is said."""

import csv
import io
import json

import pytest
from record.make_record import START_US, begin, channels, session
from rheobase import csv_export, record
from rheobase.errors import HostError, UsageError
from rheobase.record import RecordReader, RecordWriter


def test_a_record_without_close_is_crashed_and_with_it_complete(tmp_path):
    assert RecordReader(session(tmp_path)).state == "complete"
    assert RecordReader(session(tmp_path, close=False)).state == "crashed"


def test_a_record_whose_writer_lives_is_running_not_crashed(tmp_path):
    with begin(tmp_path) as writer:
        assert RecordReader(writer.path).state == "running"
    assert RecordReader(writer.path).state == "crashed"


@pytest.mark.req("REQ-110")
def test_every_cut_of_a_record_reads_as_the_whole_lines_before_it(tmp_path):
    path = session(tmp_path, samples=3)
    raw = path.read_bytes()
    for cut in range(len(raw)):
        path.write_bytes(raw[:cut])
        reader = RecordReader(path)
        assert len(reader.lines) == raw[:cut].count(b"\n")
        assert reader.torn == (cut > 0 and not raw[:cut].endswith(b"\n"))
        assert reader.damaged == 0
        assert reader.summary()["state"] == "crashed"


def test_a_damaged_line_in_the_middle_is_counted_and_the_rest_is_read(tmp_path):
    path = session(tmp_path, samples=5)
    lines = path.read_bytes().split(b"\n")
    lines[4] = lines[4][:20]
    path.write_bytes(b"\n".join(lines))
    reader = RecordReader(path)
    assert (reader.damaged, reader.missing(), reader.state) == (1, [5], "complete")


def test_the_summary_says_what_ran_and_how_it_ended(tmp_path):
    summary = RecordReader(session(tmp_path, fault="interlock_open")).summary()
    assert summary["protocol"] == "tens_conventional"
    assert (summary["stop_reason"], summary["fault"]) == ("interlock_open", "interlock_open")
    assert summary["duration_s"] == 2.0 and summary["modelled"] is True
    assert summary["channels"]["1"] == {"pulses": 200, "truncated": 0, "charge_nc": 400}
    json.dumps(summary)


def test_a_crashed_session_still_tells_its_last_counts(tmp_path):
    summary = RecordReader(session(tmp_path, close=False)).summary()
    assert summary["stop_reason"] is None
    assert summary["channels"]["1"]["pulses"] == 190


def test_records_are_listed_newest_first_and_broken_folders_passed_over(tmp_path, monkeypatch):
    ids = []
    for second in (1, 3, 2):
        monkeypatch.setattr(record, "new_id", lambda serial, now=None, s=second: f"2025030{s}T000000Z-A-000{s}")
        ids.append(session(tmp_path).parent.name)
    (record.sessions_dir(tmp_path) / "stray").mkdir()
    assert [reader.id for reader in record.list_records(tmp_path)] == sorted(ids, reverse=True)
    assert record.list_records(tmp_path / "nothing") == []


def test_a_session_is_found_by_a_prefix_and_an_ambiguous_one_lists_the_matches(tmp_path, monkeypatch):
    for name in ("20250301T000000Z-A-aaaa", "20250301T000000Z-A-bbbb", "20250302T000000Z-A-cccc"):
        monkeypatch.setattr(record, "new_id", lambda serial, now=None, name=name: name)
        session(tmp_path)
    assert record.find("20250302", tmp_path).id.endswith("cccc")
    assert record.find("20250301T000000Z-A-b", tmp_path).id.endswith("bbbb")
    assert record.find("last", tmp_path).id.endswith("cccc")
    with pytest.raises(UsageError) as caught:
        record.find("20250301", tmp_path)
    assert caught.value.code == "ambiguous_record"
    assert "A-aaaa" in caught.value.message and "A-bbbb" in caught.value.message and "cccc" not in caught.value.message
    with pytest.raises(UsageError) as caught:
        record.find("1999", tmp_path)
    assert caught.value.code == "unknown_record" and "rheo log list" in caught.value.hint
    with pytest.raises(UsageError) as caught:
        record.find("last", tmp_path / "nothing")
    assert "no record" in caught.value.hint


def test_what_is_no_record_is_a_sentence(tmp_path):
    with pytest.raises(HostError):
        RecordReader(tmp_path / "none.jsonl")


def test_the_csv_has_the_contracts_columns_and_a_row_a_channel_and_sample(tmp_path):
    out = io.StringIO()
    reader = RecordReader(session(tmp_path, samples=4, fault="interlock_open"))
    assert csv_export.write(reader, out) == 5
    rows = list(csv.DictReader(io.StringIO(out.getvalue())))
    assert out.getvalue().splitlines()[0] == "dev_us,state,channel,set_ua,meas_ua,ohms,pulses,charge_nc,fault"
    assert rows[0]["dev_us"] == str(START_US) and rows[1]["set_ua"] == "1000" and rows[1]["meas_ua"] == "900"
    assert rows[3] == dict(
        zip(
            csv_export.COLUMNS,
            [str(START_US + 300_000), "run", "1", "3000", "2900", "1000", "30", "60", ""],
            strict=True,
        )
    )
    assert (rows[4]["state"], rows[4]["fault"], rows[4]["channel"]) == ("fault", "interlock_open", "")


def test_a_channel_that_knows_nothing_is_an_empty_cell_not_none(tmp_path):
    with begin(tmp_path) as writer:
        values = {**channels(1)["1"], "meas_ua": None, "ohms": None}
        writer.write("telemetry", 1, state="run", fault=None, channels={"1": values})
    out = io.StringIO()
    csv_export.write(RecordReader(writer.path), out)
    assert out.getvalue().splitlines()[1] == "1,run,1,20000,,,10,20,"


def test_answers_are_the_whole_line_or_what_was_given_until_it_broke_off(tmp_path):
    with RecordWriter.create("A", 1000, tmp_path) as writer:
        reader = RecordReader(writer.path)
        assert (reader.answers("before"), reader.answers("after")) == ({}, {})
        for answers in ({"pain": 6, "checks": {"sterile": True}}, {"pairs": [1]}, {"checks": {"stop_shown": True}}):
            writer.write("screening", phase="so_far", part="before", answers=answers)
        writer.write("screening", phase="so_far", part="after", answers={"leads_off": True})
        reader = RecordReader(writer.path)
        told = {"pain": 6, "checks": {"sterile": True, "stop_shown": True}, "pairs": [1]}
        assert reader.answers("before")["answers"] == told and reader.answers("after")["leads_off"] is True
        assert reader.answers("before")["phase"] == reader.answers("after")["phase"] == "so_far"
        writer.write("screening", phase="before", answers={"pain": 7}, yes=False)
        writer.write("screening", phase="after", leads_off=False)
    reader = RecordReader(writer.path)
    assert reader.answers("before")["answers"] == {"pain": 7} and reader.answers("after")["leads_off"] is False


def test_an_order_that_came_later_is_what_the_record_opened_with(tmp_path):
    with RecordWriter.create("A", 1000, tmp_path) as writer:
        writer.write("open", person="A-017", protocol=None, channels={})
        writer.write("event", event="order", protocol="ea_2hz", channels={"1": {}})
    opened = RecordReader(writer.path).opened
    assert (opened["person"], opened["protocol"], opened["channels"]) == ("A-017", "ea_2hz", {"1": {}})
    assert opened["kind"] == "open"


def test_the_end_is_the_boards_word_where_the_record_was_not_closed(tmp_path):
    with RecordWriter.create("A", 1000, tmp_path) as writer:
        writer.write("event", 1, event="end", detail="stop_command")  # of an earlier session
        assert RecordReader(writer.path).end is None
        writer.write("event", 2, event="state", detail="ramp_up")
        writer.write("event", 3, event="end", detail="time_over")
        assert RecordReader(writer.path).end == RecordReader(writer.path).summary()["stop_reason"] == "time_over"
        writer.write("close", stop_reason="operator_key")
    assert RecordReader(writer.path).end == "operator_key"
