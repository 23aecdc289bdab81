"""`stop`, `status`, `clear-fault`, `watch`, `devices` on boards that nobody holds; which board is meant."""

import json
import signal
import time

import pytest
from host.calling import until
from host.fake_board import FakeBoard
from host.test_link import started
from rheobase import discovery, halt
from rheobase.errors import DeviceLost, Incompatible
from rheobase.halt import halt as stop_board
from rheobase.link.client import Client
from rheobase.link.greeting import open_board
from rheobase.link.transport import SerialTransport
from rheobase.session import Session


@pytest.fixture
def usb(monkeypatch):
    """usb(*boards): these are what hangs on this computer's USB."""

    def plug(*boards):
        monkeypatch.setattr(discovery, "_usb_ports", lambda: [(b.port, False, b.serial) for b in boards])

    return plug


@pytest.fixture
def two():
    with FakeBoard(serial="ONE") as one, FakeBoard(serial="TWO") as other:
        yield one, other


# -- stop ------------------------------------------------------------------------------------------------------


def test_an_acknowledged_stop_sends_no_ctrl_c(board):
    with started(board) as link:
        assert stop_board(link.client) == {"state": "done", "confirmed": True}
    assert board.breaks == 0 and board.session.stop_reason == "stop_command"


@pytest.mark.req("REQ-086")
def test_an_unacknowledged_stop_is_followed_by_ctrl_c_after_300_ms_and_proved(board):
    with started(board) as link:
        board.deaf_to = {"stop"}
        begin = time.monotonic()
        reply = stop_board(link.client)
        waited = time.monotonic() - begin
    assert reply == {"state": "idle", "confirmed": True, "broken": True} and board.breaks == 1
    assert waited >= 0.3


@pytest.mark.req("REQ-020")
def test_a_stop_that_leaves_a_leg_high_is_not_confirmed(board):
    with started(board) as link:
        board.output.quiet = lambda: False
        board.deaf_to = set()
        assert stop_board(link.client)["broken"]


@pytest.mark.req("REQ-020")
def test_nothing_claims_a_stop_when_the_board_says_nothing(board, monkeypatch):
    monkeypatch.setattr(halt, "BREAK_S", 0.2)
    with started(board) as link:
        board.mute = True
        with pytest.raises(DeviceLost, match="open the interlock"):
            stop_board(link.client)
    assert board.breaks >= 1  # it was tried


@pytest.mark.req("REQ-086")
@pytest.mark.parametrize("at_repl", [True, False])
def test_a_prompt_alone_is_no_proof_that_output_is_off(rheo, at_repl, monkeypatch):
    """A MicroPython without our firmware, or with one that does not start any more and said nothing on its way out."""
    monkeypatch.setattr(halt, "restart", lambda client: _no_firmware())
    with FakeBoard(firmware=at_repl is False, at_repl=at_repl) as fake:
        fake.deaf_to = {"stop"}
        answer = rheo("stop", "--json", "-p", fake.port)
    confirmed = not at_repl  # there the firmware said that output is off, before its prompt
    assert answer.code == (0 if confirmed else 3) and answer.json["data"]["confirmed"] is confirmed


def _no_firmware():
    raise Incompatible("no_firmware", "No firmware.")


@pytest.mark.req("REQ-103")
def test_output_is_off_only_if_the_board_confirms_it_and_every_set_point_is_zero(board, monkeypatch):
    with open_board(board.port) as link:
        session = Session(link)
        assert session.output_off() is True
        for ua, off in ((1, False), (0, True)):
            monkeypatch.setattr(link, "status", lambda ua=ua: {"channels": {"1": {"set_ua": 0}, "2": {"set_ua": ua}}})
            assert session.output_off() is off
        board.output.quiet = lambda: False
        board.deaf_to = {"stop"}
        monkeypatch.setattr(halt, "OFF_WORDS", b"never said")
        monkeypatch.setattr(halt, "restart", lambda client: _no_firmware())
        assert session.output_off() is False


def test_stop_needs_no_greeting(board):
    with started(board) as link:
        link.close()
    board.seen.clear()
    client = Client(SerialTransport(board.port))
    stop_board(client)
    client.close()
    assert board.seen == ["stop"] and board.session.state == "done"


def test_stop_without_a_port_stops_every_board(rheo, usb, two):
    usb(*two)
    for fake in two:
        started(fake).close()
    answer = rheo("stop", "--json")
    assert answer.code == 0 and answer.json["data"]["state"] == "done" and answer.json["data"]["confirmed"] is True
    assert {b["port"] for b in answer.json["data"]["boards"]} == {fake.port for fake in two}
    assert [fake.session.state for fake in two] == ["done", "done"]


@pytest.mark.req("REQ-086")
def test_stop_exits_3_if_one_of_several_boards_does_not_confirm(rheo, usb, two, monkeypatch):
    monkeypatch.setattr(halt, "BREAK_S", 0.2)
    usb(*two)
    started(two[0]).close()
    two[1].mute = True
    answer = rheo("stop", "--json")
    assert answer.code == 3 and answer.error["code"] == "not_confirmed"
    assert answer.json["data"]["confirmed"] is False
    assert two[0].session.state == "done"


@pytest.mark.req("REQ-086")
def test_a_config_file_that_cannot_be_read_keeps_no_board_from_being_stopped(rheo, usb, board, tmp_path):
    """It may name a board that no search finds, so exit 0 would say too much."""
    usb(board)
    started(board).close()
    (tmp_path / "config.toml").write_text("port = [")
    answer = rheo("stop", "--json")
    assert board.session.state == "done" and board.session.stop_reason == "stop_command"
    assert answer.code == 8 and answer.error["code"] == "bad_config" and answer.json["data"]["confirmed"] is False
    assert {"port": board.port, "state": "done", "confirmed": True} in answer.json["data"]["boards"]


@pytest.mark.req("REQ-086")
def test_a_bug_of_ours_at_one_board_never_passes_for_a_stop_of_it(rheo, usb, two, monkeypatch):
    usb(*two)
    started(two[0]).close()
    resolve = discovery.resolve
    monkeypatch.setattr(discovery, "resolve", lambda name: 1 / 0 if name == two[1].port else resolve(name))
    answer = rheo("stop", "--json")
    assert two[0].session.state == "done"
    assert answer.code == 3 and answer.error["code"] == "not_confirmed" and two[1].port in answer.error["message"]
    assert "open the interlock" in answer.error["message"] and "ZeroDivisionError" in answer.error["hint"]


@pytest.mark.req("REQ-086")
@pytest.mark.parametrize("reply", [{"state": "run"}, {"state": "run", "confirmed": False}, {}, None, "done"])
def test_what_a_run_answers_is_no_proof_unless_it_says_so(rheo, board, monkeypatch, reply):
    class Owner:
        who = {"port": board.port}
        call = staticmethod(lambda method: reply)

        def __enter__(self):
            return self

        def __exit__(self, *exc):
            pass

    monkeypatch.setattr("rheobase.control.socket_paths", lambda: ["elsewhere"])
    monkeypatch.setattr("rheobase.control.connect", lambda path: Owner())
    answer = rheo("stop", "--json")
    assert answer.code == 3 and answer.error["code"] == "not_confirmed" and answer.json["data"]["confirmed"] is False


def test_stop_with_a_port_leaves_the_others_alone(rheo, usb, two):
    usb(*two)
    links = [started(fake) for fake in two]
    links[0].close()
    assert rheo("stop", "-p", two[0].port).code == 0
    assert two[1].session.state in ("ramp_up", "run")
    links[1].close()


def test_stop_with_no_board_is_exit_3(rheo):
    answer = rheo("stop", "--json")
    assert answer.code == 3 and answer.error["code"] == "no_board"


def test_stop_on_a_port_that_another_program_holds_says_open_the_interlock(rheo, board):
    with started(board):
        answer = rheo("stop", "--json", "-p", board.port)
    assert answer.code == 3 and answer.error["code"] == "busy" and "open the interlock" in answer.error["message"]
    assert "another port" not in answer.error["hint"]  # that stops no board


@pytest.mark.parametrize("verb", ["stop", "status", "pause", "resume", "watch", "clear-fault", "deploy"])
def test_these_verbs_refuse_port_emu(rheo, verb):
    answer = rheo(verb, "--json", "--port", "emu")
    assert answer.code == 2 and answer.error["code"] == "no_emu"


# -- others ----------------------------------------------------------------------------------------------------


def test_status_of_a_fault_names_it_and_what_to_do(rheo, board):
    board.session.trip("electrode_open", board.now_ms())
    answer = rheo("status", "-p", board.port)
    assert "An electrode or a lead has no contact." in answer.out and "Check leads" in answer.out


@pytest.mark.req("REQ-013")
def test_a_fault_whose_cause_is_there_is_not_cleared(rheo, board):
    board.session.trip("interlock_open", board.now_ms())
    board.output.causes.add("interlock_open")
    answer = rheo("clear-fault", "-p", board.port, "--json")
    assert answer.code == 6 and answer.error["code"] == "not_gone" and "interlock" in answer.error["message"]
    board.output.causes.clear()
    assert rheo("clear-fault", "-p", board.port, "--json").json["data"]["state"] == "idle"


def test_pause_of_an_idle_board_is_a_usage_error(rheo, board):
    answer = rheo("pause", "-p", board.port, "--json")
    assert answer.code == 2 and answer.error["code"] == "wrong_state"


def test_resume_without_the_run_that_owned_the_session_is_refused(rheo, board):
    with started(board) as link:
        link.call("pause")
    answer = rheo("resume", "-p", board.port, "--json")
    assert answer.code == 3 and answer.error["code"] == "bad_token" and board.session.state == "paused"


def test_watch_streams_an_idle_boards_telemetry(spawn, board):
    process = spawn("watch", "-p", board.port)
    lines = [json.loads(process.stdout.readline()) for _ in range(3)]
    assert [line["state"] for line in lines] == ["idle"] * 3
    process.terminate()


def test_watch_ends_at_ctrl_c_with_130_and_whole_lines_only(spawn, board):
    process = spawn("watch", "-p", board.port, "--json")
    json.loads(process.stdout.readline())
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=10)
    assert process.returncode == 130 and "Traceback" not in err
    assert all(json.loads(line)["state"] == "idle" for line in out.splitlines())


def test_watch_writes_to_a_file(spawn, board, tmp_path):
    process = spawn("watch", "-p", board.port, "--out", tmp_path / "lines")
    lines = tmp_path / "lines"
    until(lambda: lines.exists() and "\n" in lines.read_text())
    process.terminate()
    assert json.loads((tmp_path / "lines").read_text().splitlines()[0])["state"] == "idle"


# -- which board -----------------------------------------------------------------------------------------------


def test_the_one_board_that_answers_is_meant(rheo, usb, two):
    two[1].mute = True
    usb(*two)
    assert rheo("info", "--json").json["data"]["serial"] == "ONE"


@pytest.mark.req("REQ-085")
def test_several_boards_are_an_error_that_lists_them(rheo, usb, two):
    usb(*two)
    for verb in ("info", "status"):
        answer = rheo(verb, "--json")
        assert answer.code == 3 and answer.error["code"] == "several_boards"
        assert all(fake.port in answer.error["message"] for fake in two) and "--port" in answer.error["hint"]


def test_no_board_is_exit_3_with_what_to_do(rheo):
    for verb in ("info", "status", "pause"):
        answer = rheo(verb, "--json")
        assert answer.code == 3 and answer.error["code"] == "no_board" and "emu" in answer.error["hint"]


@pytest.mark.req("REQ-085")
def test_a_port_that_exists_but_does_not_answer_is_never_taken(rheo, usb, board):
    board.mute = True
    usb(board)
    answer = rheo("info", "--json")
    assert answer.code == 3 and answer.error["code"] == "no_answer"


def test_the_option_wins_over_the_environment_and_that_over_the_config_file(rheo, two, tmp_path, monkeypatch):
    (tmp_path / "config.toml").write_text(f'port = "{two[0].port}"\n')
    assert rheo("info", "--json").json["data"]["serial"] == "ONE"
    monkeypatch.setenv("RHEO_PORT", two[1].port)
    assert rheo("info", "--json").json["data"]["serial"] == "TWO"
    assert rheo("info", "--json", "-p", two[0].port).json["data"]["serial"] == "ONE"


@pytest.mark.parametrize("text", ["port = 3\n", "port = \n", "\xff"])
def test_a_config_file_that_cannot_be_read_is_a_sentence(rheo, tmp_path, text):
    (tmp_path / "config.toml").write_bytes(text.encode("latin-1"))
    answer = rheo("info", "--json")
    assert answer.code == 8 and "config.toml" in answer.error["message"]


def test_devices_lists_every_board_with_why_it_cannot_be_used(rheo, usb, two):
    with FakeBoard(serial="THREE", firmware=False) as third, FakeBoard(serial="FOUR") as fourth:
        two[1].mute = True
        usb(*two, third, fourth)
        with started(fourth):
            answer = rheo("devices", "--json")
    rows = {row["serial"]: row for row in answer.json["data"]["devices"]}
    assert {name: row["state"] for name, row in rows.items()} == {
        "ONE": "idle", "TWO": "silent", "THREE": "repl", "FOUR": "busy",
    }  # fmt: skip
    assert set(rows["ONE"]) == {"port", "serial", "board", "firmware", "state"}
    assert rows["ONE"]["board"] == "RHEO_PICO" and rows["TWO"]["board"] is None


def test_a_board_with_other_firmware_of_the_same_wire_is_used_with_a_word_about_it(rheo, board):
    answer = rheo("info", "-p", board.port)
    assert answer.code == 0 and "is not this rheo's" in answer.err and "rheo flash" in answer.err
