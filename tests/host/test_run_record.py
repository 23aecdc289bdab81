"""What `rheo run` leaves: a report beside the record, and a record that a jumping clock cannot harm. Wall: 5 s."""

import threading
import time
from pathlib import Path

import pytest
from host.calling import records
from rheobase import dose
from rheobase.image.firmware_files import firmware_hash
from rheobase.record import Clock, RecordReader
from rheobase.report import story


@pytest.fixture
def run_words(board, short):
    """Words of a session of 2 s (0.4 s of wall) on the fake board."""
    return ["run", short, "--amplitude", "2mA", "--duration", "2s", "--yes", "--reason", "test", "-p", board.port]


def test_the_report_lies_beside_the_record_and_tells_how_it_ended(rheo, run_words, board, real_report):
    answer = rheo(*run_words)
    [record] = records()
    assert record.opened["limits"] == {name: board.board[name] for name in ("max_ua", "full_scale_ua")}
    page = record.path.with_name("report.html").read_text("utf-8")
    assert str(record.path.with_name("report.html")) in answer.out
    assert "Ran to its planned end" in page and "200 (100 %), none cut" in page and "MODELLED LOAD" not in page


@pytest.mark.req("REQ-112")
def test_a_board_with_other_firmware_than_rheos_is_on_record_and_in_the_report(rheo, run_words, board):
    heads = []
    for digest in ("fake", firmware_hash("RHEO_PICO")):
        board.server.info["firmware"]["hash"] = digest
        answer = rheo(*run_words, "-q", "--json")  # which hides the note, and not this
        record = RecordReader(answer.json["data"]["log"])
        assert record.opened["host_firmware"] == firmware_hash("RHEO_PICO")
        heads.append([head for _, head, _ in story.tell(record)["alerts"]])
    assert ["firmware was not the one" in " ".join(found) for found in heads] == [True, False]


@pytest.mark.parametrize("error", [RuntimeError("a bug"), OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_report_that_fails_never_fails_the_run(rheo, run_words, monkeypatch, error):
    def fails(reader):
        raise error

    monkeypatch.setattr("rheobase.report.page", fails)
    answer = rheo(*run_words, "--json")
    assert answer.code == 0 and answer.json["data"]["stop_reason"] == "time_over"
    assert answer.json["data"]["report"] is None and "rheo log report last" in answer.err


def test_a_session_in_fault_has_its_report_too(rheo, run_words, board):
    threading.Timer(0.2, lambda: board.session.trip("electrode_open", board.now_ms())).start()
    answer = rheo(*run_words, "--json")
    assert answer.code == 6
    assert Path(answer.json["data"]["report"]).read_text() == "report"


@pytest.mark.req("REQ-113")
@pytest.mark.parametrize("jump_s", [-7200.0, 90.0])
def test_a_clock_set_in_mid_session_ends_nothing_and_is_on_record(rheo, run_words, monkeypatch, jump_s):
    begun = time.monotonic()

    def wall_s():
        return time.time() + (jump_s if time.monotonic() - begun > 0.3 else 0)

    monkeypatch.setattr(Clock, "wall_s", staticmethod(wall_s))
    data = rheo(*run_words, "--json").json["data"]
    assert data["stop_reason"] == "time_over" and data["duration_s"] == pytest.approx(2.0, abs=0.1)
    [record] = records()
    [jump] = [line for line in record.of("event") if line["event"] == "clock_jump"]
    assert jump["s"] == pytest.approx(jump_s, abs=0.5)
    assert record.state == "complete" and record.missing() == []
    since = [line["host_ms"] for line in record.lines]
    assert since == sorted(since)


def test_the_close_line_holds_the_dose_that_the_records_own_lines_add_up_to(rheo, run_words):
    rheo(*run_words)
    [record] = records()
    told = record.first("close")["channels"]
    assert told == dose.of_record(record)
    assert told["1"]["pulses"] == 200 and told["1"]["peak_ua"] == 2000 and told["1"]["truncated"] == 0
    assert told["1"]["at_amplitude_ms"] == pytest.approx(1100, abs=150)  # 2 s but for 90 % of two ramps of 0.5 s
