"""The writer: the contract's folder and lines, each line one write, the sync rule, checks before any output."""

import json
import os
import re
import subprocess
import sys
import textwrap
from datetime import UTC, datetime

import pytest
from record.make_record import begin, channels, session
from rheobase import record
from rheobase.errors import EXIT_HOST, HostError, UsageError
from rheobase.record import RecordReader, RecordWriter


def test_a_record_lies_where_the_contract_says(tmp_path, monkeypatch):
    monkeypatch.setenv("RHEO_DATA", str(tmp_path / "share" / "rheobase"))
    with RecordWriter.create("E66:14C", 1000, now=datetime(2025, 3, 1, 12, 0, 5, tzinfo=UTC)) as writer:
        pass
    assert writer.path.parent.parent == tmp_path / "share" / "rheobase" / "sessions"
    assert re.fullmatch(r"20250301T120005Z-E6614C-[0-9a-f]{4}", writer.id)
    assert writer.path.name == "record.jsonl"
    with RecordWriter.create("E6614C", 1000, tmp_path / "logs") as writer:
        pass
    assert writer.path.parent.parent == tmp_path / "logs" / "rheobase" / "sessions"


def test_every_line_has_the_contracts_fields_and_counts_up(tmp_path):
    lines = [json.loads(line) for line in session(tmp_path).read_text().splitlines()]
    assert [line["n"] for line in lines] == list(range(1, len(lines) + 1))
    for line in lines:
        assert list(line)[:4] == ["n", "host_utc", "dev_us", "kind"]
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["host_utc"])
        assert line["kind"] in ("open", "screening", "event", "telemetry", "fault", "close")
    assert (lines[0]["kind"], lines[-1]["kind"]) == ("open", "close")


@pytest.mark.req("REQ-110")
def test_each_line_is_one_write_and_all_but_telemetry_are_synced(tmp_path, monkeypatch):
    calls = []
    write, fsync = os.write, os.fsync
    with begin(tmp_path) as writer:
        monkeypatch.setattr(os, "write", lambda fd, raw: calls.append(raw) or write(fd, raw))
        monkeypatch.setattr(os, "fsync", lambda fd: calls.append("sync") or fsync(fd))
        writer.write("telemetry", 1, channels=channels(1))
        writer.write("event", 2, event="state", detail="run")
        writer.write("fault", 3, fault="interlock_open")
        writer.write("close", 4, stop_reason="interlock_open")
        monkeypatch.undo()
    kinds = ["sync" if call == "sync" else json.loads(call)["kind"] for call in calls]
    assert kinds == ["telemetry", "event", "sync", "fault", "sync", "close", "sync"]
    assert all(call.endswith(b"\n") and call.count(b"\n") == 1 for call in calls if call != "sync")


def test_telemetry_from_the_wire_is_written_with_names(tmp_path):
    with begin(tmp_path) as writer:
        writer.telemetry([7, 123, "run", 900, 1, None, [[2000, 1990, 1000, 5, 3], [0, None, None, 0, 0]]], [1, 3])
    line = RecordReader(writer.path).lines[-1]
    assert (line["kind"], line["seq"], line["dev_us"], line["state"]) == ("telemetry", 7, 123, "run")
    assert line["channels"]["1"] == {"set_ua": 2000, "meas_ua": 1990, "ohms": 1000, "pulses": 5, "charge_nc": 3}
    assert line["channels"]["3"]["meas_ua"] is None


def test_two_sessions_in_one_second_have_two_folders(tmp_path):
    now = datetime(2025, 3, 1, tzinfo=UTC)
    writers = [RecordWriter.create("A", 1000, tmp_path, now=now) for _ in range(40)]
    assert len({writer.folder for writer in writers}) == 40
    for writer in writers:
        writer.release()


@pytest.mark.parametrize("serial", ["", "../../etc", "a b/c", "x" * 500, "\u00e9"])
def test_any_serial_gives_a_folder_name_that_stays_in_its_place(tmp_path, serial):
    with RecordWriter.create(serial, 1000, tmp_path) as writer:
        assert writer.folder.parent == record.sessions_dir(tmp_path)
        assert re.fullmatch(r"[A-Za-z0-9-]{20,60}", writer.id)


@pytest.mark.req("REQ-111")
def test_no_room_is_told_before_any_output(tmp_path):
    with pytest.raises(HostError) as caught:
        RecordWriter.create("A", 1_800_000, tmp_path, room_bytes=5_000_000)
    assert (caught.value.code, caught.value.exit_code) == ("record_full", EXIT_HOST)
    assert "5000 kB free" in caught.value.message and "--log-dir" in caught.value.hint
    assert list(record.sessions_dir(tmp_path).iterdir()) == []


def test_the_room_asked_for_covers_what_a_session_writes(tmp_path):
    path = session(tmp_path, samples=300)  # 30 s
    assert path.stat().st_size < record.bytes_needed(30_000) - record.MARGIN_BYTES / 2
    longest = {str(n): dict.fromkeys(("set_ua", "meas_ua", "ohms", "pulses", "charge_nc"), 10**7) for n in (1, 2, 3)}
    with begin(tmp_path) as writer:
        before = writer.path.stat().st_size
        writer.write(
            "telemetry", 10**10, seq=10**5, state="ramp_down", t_left_ms=10**6, interlock=1,
            fault="electrode_short", channels=longest,
        )  # fmt: skip
        assert writer.path.stat().st_size - before <= record.LINE_BYTES


def test_a_folder_that_cannot_be_written_is_told_before_any_output(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    with pytest.raises(HostError) as caught:
        RecordWriter.create("A", 1000, blocked)
    assert (caught.value.code, caught.value.exit_code) == ("record_not_writable", EXIT_HOST)
    assert str(blocked) in caught.value.message and "--log-dir" in caught.value.hint


def test_a_folder_without_rights_is_told_before_any_output(tmp_path, monkeypatch):
    def refuse(path, *_):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(HostError) as caught:
        RecordWriter.create("A", 1000, tmp_path)
    assert caught.value.code == "record_not_writable" and "Permission denied" in caught.value.message


FULL = """
import resource, signal, sys
from rheobase.errors import HostError
from rheobase.record import RecordWriter
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
with RecordWriter.create("A", 1000, sys.argv[1]) as writer:
    writer.write("open", 0, protocol="x")
    resource.setrlimit(resource.RLIMIT_FSIZE, (3000, resource.RLIM_INFINITY))
    try:
        while True:
            writer.write("telemetry", writer.n, channels={})
    except HostError as error:
        print(error.code, error.exit_code, writer.n)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    writer.write("close", 1, stop_reason="stop_command")
    print(writer.path)
"""


@pytest.mark.req("REQ-110")
def test_a_disk_that_fills_up_loses_nothing_that_was_written(tmp_path):
    """The system takes only part of the line at the limit: it is cut off again, and the record goes on when it can."""
    run = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(FULL), str(tmp_path)], capture_output=True, text=True, timeout=60,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert run.stderr == ""
    told, path = run.stdout.splitlines()
    code, exit_code, count = told.split()
    assert (code, int(exit_code)) == ("record_full", EXIT_HOST)
    reader = RecordReader(path)
    assert (reader.torn, reader.damaged, reader.missing()) == (False, 0, [])
    assert len(reader.lines) == int(count) + 1 > 20
    assert reader.state == "complete"


def test_a_line_of_no_kind_is_our_own_bug_not_a_line(tmp_path):
    with begin(tmp_path) as writer:
        with pytest.raises(ValueError):
            writer.write("note", 1, text="x")
        with pytest.raises(ValueError):
            writer.write("telemetry", 1, channels={"1": {"ohms": float("nan")}})  # no JSON has it
        assert len(RecordReader(writer.path).lines) == 2


@pytest.mark.parametrize("code", ["A-017", "x", "1234567890_-abcdefghijkl"])
def test_a_session_may_carry_a_free_code(code):
    assert record.check_code(code) == code


@pytest.mark.req("REQ-107")
@pytest.mark.parametrize("code", ["", "Ann Lee", "1970-01-01 x", "a" * 25, "m\u00fcller", "a@b.c"])
def test_what_could_name_a_person_is_no_code(code):
    with pytest.raises(UsageError) as caught:
        record.check_code(code)
    assert "identifiers do not belong here" in caught.value.hint
