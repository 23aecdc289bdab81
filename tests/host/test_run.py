"""`rheo run` from its first word to its record, on the fake board: every way a session can end, and its exit code."""

import contextlib
import json
import os
import signal
import threading
from pathlib import Path

import pytest
from host.calling import Answer, records, until
from host.test_link import started
from rheobase import control, ending
from rheobase.interrupt import Interrupts
from rheobase.report import story
from rheocore import faults, frames

RUN_KEYS = {
    "session_id", "protocol", "board", "firmware", "stop_reason", "duration_s", "pulses", "truncated", "charge_uc",
    "log", "report", "vcd",
}  # fmt: skip


@pytest.fixture
def run_words(board, short):
    """Words of a session of 2 s (0.4 s of wall) on the fake board."""
    return ["run", short, "--amplitude", "2mA", "--duration", "2s", "--yes", "--reason", "test", "-p", board.port]


def later(seconds, act):
    timer = threading.Timer(seconds, act)
    timer.start()
    return timer


def test_a_session_ends_by_itself_and_its_data_are_the_contracts(rheo, run_words, tmp_path):
    answer = rheo(*run_words, "--json")
    data = answer.json["data"]
    assert answer.code == 0 and answer.json["ok"] and set(data) == RUN_KEYS
    assert data["stop_reason"] == "time_over" and data["protocol"] == "short" and data["board"] == "RHEO_PICO"
    assert data["pulses"] == {"1": 200} and data["truncated"] == {"1": 0}
    assert data["duration_s"] == pytest.approx(2.0, abs=0.1)
    assert data["charge_uc"]["1"] == pytest.approx(30, rel=0.05)  # 200 pulses of 100 us, 2 mA but for two ramps
    assert data["vcd"] is None and data["report"] == str(Path(data["log"]).with_name("report.html"))


def test_the_record_tells_the_whole_session(rheo, run_words, tmp_path):
    data = rheo(*run_words, "--json", "--acknowledge", "limit_current_density").json["data"]
    [record] = records()
    assert str(record.path) == data["log"] and record.state == "complete" and not record.missing()
    assert [line["kind"] for line in record.lines][:2] == ["open", "screening"]
    assert record.lines[-1]["kind"] == "close"
    assert record.opened["assumed"] == ["pad"] and record.opened["modelled"] is False
    assert record.first("screening")["acknowledged"] == ["limit_current_density"]
    assert record.first("screening")["reason"] == "test"
    states = [line["detail"] for line in record.of("event") if line["event"] == "state"]
    assert states[-4:] == ["ramp_up", "run", "ramp_down", "done"]
    assert len(record.of("telemetry")) >= 15
    assert record.first("close")["channels"]["1"]["pulses"] == 200


def test_log_dir_takes_the_record(rheo, run_words, tmp_path):
    data = rheo(*run_words, "--json", "--log-dir", tmp_path / "elsewhere").json["data"]
    assert data["log"].startswith(str(tmp_path / "elsewhere"))


def test_for_people_it_says_what_comes_out_before_and_what_came_out_after(rheo, run_words):
    answer = rheo(*run_words)
    assert answer.code == 0
    assert "0 to 2 mA" in answer.err and "highest allowed 6.25 mA (what the ramps can climb)" in answer.err
    assert "The session time is over." in answer.out and "200 pulses" in answer.out


def test_quiet_is_quiet(rheo, run_words):
    assert rheo("-q", *run_words).err == ""


def test_two_channels_with_two_protocols_count_each_for_itself(rheo, board, short):
    answer = rheo("run", "--on", f"1={short}@2mA", "--on", "3=ea_2hz@1mA", "--duration", "8s", "--yes", "--json",
                  "--reason", "test", "-p", board.port)  # fmt: skip
    data = answer.json["data"]
    assert data["pulses"] == {"1": 800, "3": 16} and data["protocol"] == "short+ea_2hz"


# -- refused before anything is sent ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change, code, exit_code",
    [
        (["--amplitude", "2mA", "--duration", "10"], "bad_quantity", 2),
        (["--amplitude", "11mA"], "limit_slew", 5),
        (["--amplitude", "2mA", "--acknowledge", "limit_k"], "bad_code", 2),
        (["--amplitude", "2mA", "--channel", "4"], "no_channel", 2),
        (["--amplitude", "2mA", "--duration", "2h"], "limit_duration", 5),
        (["--amplitude", "2mA", "--vcd", "x.vcd"], "vcd_needs_emu", 2),
        (["--amplitude", "2mA", "--acknowledge", "a b"], "bad_code", 2),
        ([], "no_amplitude", 2),
    ],
)
def test_an_order_that_cannot_be_played_never_reaches_configure(rheo, board, short, change, code, exit_code):
    answer = rheo("run", short, "--yes", "--reason", "test", "--json", "-p", board.port, *change)
    assert (answer.code, answer.error["code"]) == (exit_code, code)
    assert answer.json["exit_code"] == exit_code and answer.json["ok"] is False
    assert "configure" not in board.seen


def test_a_vcd_that_cannot_be_written_is_found_before_a_board_is_started(rheo, short, monkeypatch):
    monkeypatch.setattr("rheobase.discovery.connect", lambda *_, **__: pytest.fail("a board was started"))
    answer = rheo("run", short, "--amplitude", "2mA", "--yes", "--json", "--port", "emu", "--vcd", "/nowhere/x.vcd")
    assert answer.code == 8 and answer.error["code"] == "not_writable" and "/nowhere/x.vcd" in answer.error["message"]


@pytest.mark.req("REQ-101")
def test_json_without_yes_is_a_usage_error(rheo, board, short):
    answer = rheo("run", short, "--amplitude", "2mA", "--json", "-p", board.port)
    assert answer.code == 2 and answer.error["code"] == "yes_missing" and "--json" in answer.error["message"]


@pytest.mark.req("REQ-101")
def test_without_yes_and_without_a_terminal_nothing_starts(rheo, board, short):
    answer = rheo("run", short, "--amplitude", "2mA", "-p", board.port)
    assert answer.code == 2 and "Add --yes" in answer.err and board.seen == []


@pytest.mark.req("REQ-101")
def test_yes_on_a_real_board_needs_a_reason(rheo, board, short):
    answer = rheo("run", short, "--amplitude", "2mA", "--yes", "--json", "-p", board.port)
    assert answer.code == 2 and answer.error["code"] == "reason_missing" and "configure" not in board.seen


@pytest.mark.req("REQ-111")
def test_a_record_that_cannot_be_written_is_found_before_any_output(rheo, run_words, board, tmp_path):
    (tmp_path / "file").write_text("")
    answer = rheo(*run_words, "--json", "--log-dir", tmp_path / "file" / "below")
    assert answer.code == 8 and answer.error["code"] == "record_not_writable"
    assert "configure" not in board.seen


@pytest.mark.req("REQ-013")
def test_a_board_in_fault_is_not_run_on(rheo, run_words, board):
    board.session.trip("interlock_open", board.now_ms())
    answer = rheo(*run_words, "--json")
    assert answer.code == 6 and answer.error["code"] == "interlock_open"
    assert "Close the interlock" in answer.error["hint"] and "`rheo clear-fault`" in answer.error["hint"]
    assert records() == []


def test_after_a_session_that_was_cut_off_run_warns_that_it_is_a_new_one_and_push_does_not_begin_one(
    rheo, run_words, board, short
):
    board.session.remainder_ms = 1500
    answer = rheo("protocol", "push", short, "--json", "-p", board.port)
    assert answer.code == 5 and "what is left of the last session" in answer.error["message"]
    assert "`rheo run` begins a new one" in answer.error["hint"] and board.session.state == "idle"
    answer = rheo(*run_words)
    assert answer.code == 0 and "Warning: The last session on this board was cut off with 2 s left." in answer.err
    [override] = [line for line in records()[0].of("event") if line["event"] == "override"]
    assert override["what"] == "remainder" and "without a question" in override["reason"]
    assert not board.session.remainder_ms
    assert rheo("protocol", "push", short, "--json", "-p", board.port).code == 0


@pytest.mark.req("REQ-081")
def test_a_board_that_another_host_left_armed_is_not_taken_over(rheo, run_words, board):
    with started(board) as link:
        link.call("pause")
    answer = rheo(*run_words, "--json")
    assert answer.code == 3 and answer.error["code"] == "in_session" and "rheo stop" in answer.error["hint"]


def test_what_an_earlier_session_still_says_does_not_end_this_one(rheo, run_words, board):
    configure = board.server._configure

    def late(params, now_ms):
        for channels in ([], [[0, None, None, 5, 5]], [[0, None, None, 5, 5]] * 3):
            params_of_old = [7, 0, "done", 0, True, None, channels]
            board.say(frames.encode({"jsonrpc": "2.0", "method": "tel", "params": params_of_old}))
        board.say(frames.encode({"jsonrpc": "2.0", "method": "event", "params": [99, 0, "end", "time_over", None]}))
        return configure(params, now_ms)

    board.server._configure = late
    assert rheo(*run_words, "--json").json["data"]["pulses"] == {"1": 200}


def test_a_boards_own_refusal_is_exit_5_and_the_record_is_closed(rheo, run_words, board, tmp_path):
    board.server.board = {**board.board, "max_ua": 1_000}  # what it says in INFO is another thing than what it keeps
    board.server.info["limits"] = None
    original = board.server._hello
    board.server._hello = lambda p, n: {**original(p, n), "limits": {"max_ua": 50_000, "full_scale_ua": 50_000}}
    answer = rheo(*run_words, "--json")
    assert answer.code == 5 and "highest that passes is 1 mA" in answer.error["message"]
    assert records()[0].state == "complete"


def test_an_open_interlock_at_arming_is_the_boards_fault_and_nothing_comes_out(rheo, run_words, board):
    board.output.closed = False
    answer = rheo(*run_words, "--json")
    assert answer.code == 6 and answer.error["code"] == "interlock_open"
    assert ("start", (1,)) not in board.output.calls


# -- ended in the middle ---------------------------------------------------------------------------------------


def test_a_fault_in_the_session_is_exit_6_with_sentence_and_remedy_and_it_is_recorded(rheo, run_words, board, tmp_path):
    later(0.25, lambda: setattr(board.output, "closed", False))
    answer = rheo(*run_words, "--json")
    assert answer.code == 6 and answer.error["code"] == "interlock_open"
    assert "interlock is open" in answer.error["message"] and "Close the interlock" in answer.error["hint"]
    data = answer.json["data"]
    assert data["stop_reason"] == "interlock_open" and 0 < data["pulses"]["1"] < 200
    [record] = records()
    assert record.first("fault")["fault"] == "interlock_open" and record.state == "complete"


def test_a_pulled_cable_is_exit_3_and_the_record_is_closed_as_host_lost(rheo, run_words, board, tmp_path):
    later(0.3, board.unplug)
    answer = rheo(*run_words, "--json")
    assert answer.code == 3 and answer.error["code"] == "lost"
    data = answer.json["data"]
    assert data["stop_reason"] == "host_lost" and data["truncated"] == {"1": None} and data["pulses"]["1"] > 0
    [record] = records()
    assert record.state == "complete" and record.first("close")["stop_reason"] == "host_lost"


@pytest.mark.req("REQ-112")
@pytest.mark.parametrize("how", ["fault", "time over", "stop"])
def test_a_board_lost_after_it_told_its_end_keeps_that_end(spawn, run_words, board, how):
    board.deaf_to = {"result"}
    process = spawn(*run_words, "--json")
    until(lambda: board.session.state in ("ramp_up", "run"))
    if how == "fault":
        board.output.closed = False
    if how == "stop":
        process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=20)
    answer = Answer(process.returncode, out, err)
    reason = {"fault": "interlock_open", "time over": "time_over", "stop": "terminated"}[how]
    assert answer.json["data"]["stop_reason"] == reason and records()[0].first("close")["stop_reason"] == reason
    assert answer.code == 3 and answer.error["code"] == "lost"
    assert faults.sentence(reason) in answer.error["message"] and "in the middle" not in answer.error["message"]
    if how == "fault":
        _, head, text = story.tell(records()[0])["verdict"]
        assert head == "Ended by a fault: interlock open" and "The board told so, and could not be asked" in text


@pytest.mark.req("REQ-087")
def test_a_board_that_falls_silent_is_lost_too(spawn, run_words, board):
    process = spawn(*run_words, "--json")
    until(lambda: board.session.state in ("ramp_up", "run"))
    board.mute = True
    out, _err = process.communicate(timeout=20)
    assert process.returncode == 3 and json.loads(out)["data"]["stop_reason"] == "host_lost"


@pytest.mark.req("REQ-087")
@pytest.mark.parametrize(
    "number, reason",
    [
        (signal.SIGINT, "operator_interrupt"),
        (signal.SIGTERM, "terminated"),
        (signal.SIGHUP, "terminal_lost"),
    ],
)
def test_ctrl_c_and_its_kin_stop_first_and_exit_130_and_the_record_says_which(spawn, board, short, number, reason):
    process = spawn("run", short, "--amplitude", "2mA", "--yes", "--reason", "test", "--json", "-p", board.port)
    until(lambda: board.session.state == "run")
    process.send_signal(number)
    out, err = process.communicate(timeout=10)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert board.session.state == "done" and board.session.stop_reason == "operator_interrupt"
    assert json.loads(out)["data"]["stop_reason"] == reason
    assert records()[0].first("close")["stop_reason"] == reason


@pytest.mark.req("REQ-087")
def test_every_signal_but_the_first_sends_ctrl_c_at_once_whatever_the_host_is_doing():
    read, write = os.pipe()
    os.set_blocking(read, False)
    with Interrupts() as interrupts:
        interrupts.emergency_fd = write
        for number in (signal.SIGINT, signal.SIGINT, signal.SIGTERM):
            os.kill(os.getpid(), number)
        assert os.read(read, 10) == b"\x03\x03" and interrupts.cause == "terminated"
        interrupts.emergency_fd = None  # before the output, and after it
        os.kill(os.getpid(), signal.SIGINT)
    os.close(write)
    assert os.read(read, 10) == b""
    os.close(read)


def test_ctrl_c_on_a_board_that_does_not_acknowledge_sends_it_ctrl_c(spawn, board, short, tmp_path):
    process = spawn("run", short, "--amplitude", "2mA", "--yes", "--reason", "test", "--json", "-p", board.port)
    until(lambda: board.session.state == "run")
    board.deaf_to = {"stop"}
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert board.breaks == 1 and "Traceback" not in err
    data = json.loads(out)["data"]
    assert data["stop_reason"] == "host_break" and data["pulses"]["1"] > 0  # the last that was known
    assert records()[0].state == "complete"


@pytest.mark.req("REQ-086")
def test_a_stop_that_nobody_confirms_says_open_the_interlock_and_is_exit_3(spawn, board, short):
    process = spawn("run", short, "--amplitude", "2mA", "--yes", "--reason", "test", "--json", "-p", board.port)
    until(lambda: board.session.state == "run")
    board.mute = True
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 3
    error = json.loads(out)["errors"][0]
    assert error["code"] == "not_confirmed" and "open the interlock" in error["message"]
    [record] = records()
    assert [e["event"] for e in record.of("event")][-1] == "not_confirmed" and record.state == "complete"
    told = story.tell(record)  # who reads it later must not take it for a stop like any other
    assert ("stop", "The stop was not confirmed") in [(level, head) for level, head, _ in told["alerts"]]


@pytest.mark.req("REQ-087")
def test_a_full_disk_stops_the_session_first_and_keeps_what_was_recorded(spawn, board, short, tmp_path):
    def small_files():
        import resource

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (6000, 6000))

    process = spawn("run", short, "--amplitude", "2mA", "--yes", "--reason", "test", "--json", "-p", board.port,
                    preexec_fn=small_files)  # fmt: skip
    out, err = process.communicate(timeout=20)
    assert process.returncode == 8, err
    assert json.loads(out)["errors"][0]["code"] == "record_full" and "Traceback" not in err
    assert board.session.state == "done" and board.session.stop_reason == "stop_command"
    [record] = records()
    assert record.of("telemetry") and not record.torn


@pytest.mark.req("REQ-087")
def test_a_bug_of_ours_stops_the_board_and_closes_the_record(rheo, run_words, board, tmp_path, monkeypatch):
    def broken(self, item, channels):
        if item["state"] == "run":
            raise RuntimeError("a bug")

    monkeypatch.setenv("RHEO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("rheobase.cli.progress.Progress.telemetry", broken)
    answer = rheo(*run_words, "--json")
    assert answer.code == 1 and answer.error["code"] == "bug"
    assert list((tmp_path / "cache").glob("crash-*.txt"))
    [record] = records()
    assert board.session.state == "done" and record.state == "complete"
    close = record.first("close")
    assert close["stop_reason"] == "host_error" and close["channels"]["1"]["pulses"] > 0
    assert "An error of rheo itself ended the session" in answer.err and str(record.path) in answer.err


def test_a_bug_after_the_end_breaks_no_board_off_and_the_end_stays_on_record(rheo, run_words, board, monkeypatch):
    real, calls = ending._fetch_result, []

    def broken(session):
        real(session)
        calls.append(session)
        if len(calls) == 1:
            raise RuntimeError("a bug")

    monkeypatch.setattr(ending, "_fetch_result", broken)
    assert rheo(*run_words).code == 1
    assert board.breaks == 0 and records()[0].first("close")["stop_reason"] == "time_over"


# -- the control socket ----------------------------------------------------------------------------------------


@pytest.fixture
def running(spawn, board, short):
    """A `rheo run` of 60 s in a process of its own, in state run."""
    process = spawn("run", short, "--amplitude", "2mA", "--yes", "--reason", "test", "--json", "-p", board.port)
    until(lambda: board.session.state == "run")
    return process


def test_stop_reaches_a_board_that_run_holds(rheo, running, board):
    answer = rheo("stop", "--json")
    assert answer.code == 0 and answer.json["data"]["confirmed"] is True and answer.json["data"]["state"] == "done"
    out, _ = running.communicate(timeout=10)
    assert running.returncode == 0
    assert json.loads(out)["data"]["stop_reason"] == "stop_command"
    assert board.breaks == 0


def test_two_stops_at_once_both_hear_that_it_is_off(spawn, running, board):
    stops = [spawn("stop", "--json", "-p", board.port) for _ in range(2)]
    for process in stops:
        out, err = process.communicate(timeout=20)
        assert process.returncode == 0, out + err
    running.communicate(timeout=10)
    assert board.breaks == 0 and board.session.stop_reason == "stop_command"


def test_stop_finds_a_run_on_a_port_that_no_search_finds(rheo, running, board):
    answer = rheo("stop", "--json")  # the fake is neither on USB nor registered
    assert [b["port"] for b in answer.json["data"]["boards"]] == [board.port]


def test_status_pause_resume_reach_it_too(rheo, running, board):
    status = rheo("status", "--json").json["data"]
    assert status["state"] == "run" and set(status["channels"]["1"]) == {"set_ua", "meas_ua", "ohms", "pulses"}
    assert {"state", "t_left_ms", "interlock", "fault", "channels"} <= set(status)
    assert rheo("pause", "--json", "-p", board.port).json["data"] == {"state": "paused", "confirmed": True}
    assert rheo("status", "--json").json["data"]["state"] == "paused"
    assert rheo("resume", "--json").json["data"]["state"] == "ramp_up"
    answer = rheo("resume", "--json")
    assert answer.code == 2 and answer.error["code"] == "wrong_state"


def test_watch_streams_the_runs_telemetry_as_json_lines(spawn, rheo, running, tmp_path):
    watcher = spawn("watch")
    lines = [json.loads(watcher.stdout.readline()) for _ in range(3)]
    assert lines[0]["state"] == "run" and set(lines[0]["channels"]["1"]) >= {"set_ua", "pulses", "charge_nc"}
    assert lines[2]["seq"] == lines[0]["seq"] + 2
    rheo("stop")
    watcher.communicate(timeout=10)
    assert watcher.returncode == 0  # it ends with the run


@pytest.mark.req("REQ-088")
def test_a_second_run_on_the_same_board_is_told_who_holds_it(rheo, running, board, short):
    answer = rheo("run", short, "--amplitude", "1mA", "--yes", "--reason", "x", "--json", "-p", board.port)
    assert answer.code == 3 and answer.error["code"] == "busy" and str(running.pid) in answer.error["message"]
    assert "rheo run" in answer.error["message"] and "stop" in answer.error["hint"]


def test_devices_asks_the_run_that_holds_a_board(rheo, running, board, monkeypatch):
    monkeypatch.setattr("rheobase.discovery._usb_ports", lambda: [(board.port, False, None)])
    [row] = rheo("devices", "--json").json["data"]["devices"]
    assert row["state"] == "run" and row["serial"] == "FAKE0001" and row["board"] == "RHEO_PICO"


def test_rubbish_on_the_control_socket_does_not_disturb_the_run(rheo, running, board):
    import socket

    path = control.socket_path(board.port)
    for rubbish in (b"\x00" * 100, b"{}\n", b"[1]\n", b'{"method": "dance"}\n', b"x" * 10_000, b'{"method": 3}\n'):
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
            client.send(rubbish)
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(5)
        client.connect(str(path))
        client.send(b"x" * 10_000)  # no newline: no request will ever come of it
        with contextlib.suppress(ConnectionResetError):
            assert client.recv(100) == b""
    assert rheo("status", "--json").json["data"]["state"] == "run"


@pytest.mark.req("REQ-086")
def test_a_run_that_hangs_does_not_let_stop_claim_anything(rheo, running, board, monkeypatch):
    monkeypatch.setattr(control, "WHO_S", 0.5)
    running.send_signal(signal.SIGSTOP)
    answer = rheo("stop", "--json", "-p", board.port)
    running.send_signal(signal.SIGCONT)
    assert answer.code == 3 and answer.json["data"].get("confirmed") is not True
    until(lambda: board.session.fault == "host_lost" or board.session.state == "run")


def test_the_socket_of_a_killed_run_is_passed_over(rheo, running, board):
    running.kill()
    running.wait()
    until(lambda: board.session.fault == "host_lost")
    assert control.socket_path(board.port).exists()
    answer = rheo("status", "--json", "-p", board.port)
    assert answer.code == 0 and answer.json["data"]["fault"] == "host_lost"
    assert rheo("clear-fault", "--json", "-p", board.port).json["data"] == {"state": "idle", "confirmed": True}


def test_after_an_end_another_session_runs(rheo, run_words):
    assert rheo(*run_words).code == 0
    assert rheo(*run_words).code == 0
