"""Who comes and goes on the wire: two hosts at one board, a host that is back, a board that is reset under a host."""

import os
import subprocess
import sys
import threading
import time

import pytest
from host.calling import records, until
from host.fake_board import FakeBoard
from host.test_link import CONFIG, opened, started
from host.test_run import later
from rheobase import control, discovery
from rheobase import session as session_module
from rheobase.errors import DeviceLost
from rheobase.link import transport as transport_module
from rheobase.link.client import Client
from rheobase.link.greeting import hello
from rheobase.link.transport import SerialTransport
from rheocore import frames, messages


@pytest.fixture
def run_words(board, short):
    """Words of a session of 20 s on the fake board."""
    return ["run", short, "--amplitude", "2mA", "--duration", "20s", "--yes", "--reason", "test", "-p", board.port]


class Thief:
    """A program without a lock, such as `cat`, that reads from the port too: about half of what the board says."""

    def __init__(self, port):
        self._fd = os.open(port, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        self._end = threading.Event()
        self.stolen = b""
        self._thread = threading.Thread(target=self._steal)
        self._thread.start()

    def _steal(self):
        while not self._end.is_set():
            try:
                self.stolen += os.read(self._fd, 16)
            except BlockingIOError:
                time.sleep(0.0005)

    def write(self, data):
        os.write(self._fd, data)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self._end.set()
        self._thread.join()
        os.close(self._fd)


def unlocked(port):
    """A second client of ours on a port that is held, as on a system without locks."""
    import serial

    transport = SerialTransport.__new__(SerialTransport)
    transport.port, transport._shut, transport._broken = port, None, (serial.SerialException, OSError)
    transport._serial = serial.Serial(port, timeout=0, write_timeout=2)
    return Client(transport)


# -- two hosts -------------------------------------------------------------------------------------------------


@pytest.mark.req("REQ-081")
def test_a_second_host_without_the_token_raises_nothing_and_may_stop(board):
    with started(board) as first:
        token = first.client.token
        second = unlocked(board.port)  # the first is silent as long as this one speaks: no byte is split
        hello(second)
        for method, params in (("amplitude", {"channel": 1, "ua": 500}), ("start", {}), ("resume", {})):
            with pytest.raises(Exception, match="bad_token"):
                second.call(method, {"token": token + 1, **params})
        with pytest.raises(Exception, match="wrong_state"):
            second.call("configure", {"channels": {"1": CONFIG}})
        assert board.session.channels[1].target_ua == CONFIG["amplitude_ua"]
        assert second.call("stop") == {"state": "done", "confirmed": True}
        second.close()


def test_the_first_host_is_told_that_another_began_a_dialogue(board):
    with started(board) as first:
        for _ in range(3):
            first.call("status")
        second = unlocked(board.port)
        hello(second)
        for _ in range(9):
            second.call("result")
        second.close()
        with pytest.raises(DeviceLost) as error:
            first.call("pause")
        assert error.value.code == "stale_id" and "Another program" in error.value.hint
        first.call("stop")  # in whatever order of ids


@pytest.mark.req("REQ-088")
def test_a_program_that_reads_along_is_named_and_no_mixed_line_is_executed(board):
    with opened(board) as link:
        board.deaf_to = {"status"}
        source = f"import time; f = open({board.port!r}, 'rb'); time.sleep(60)"
        reader = subprocess.Popen([sys.executable, "-c", source])
        try:
            until(lambda: transport_module.busy.opener(board.port), 60)
            with pytest.raises(DeviceLost) as error:
                link.call("status", timeout_s=0.1, tries=1)
        finally:
            reader.kill()
            reader.wait()
    assert f"(process {reader.pid}) has the port open too" in error.value.message
    assert error.value.hint == "Close that program."


def test_with_a_reader_that_takes_half_of_it_every_answer_is_whole_or_none(board):
    with opened(board) as link, Thief(board.port) as thief:
        answers = lost = 0
        for asked in range(3000):
            if asked >= 60 and lost:  # until the other one was quick enough once
                break
            try:
                assert link.call("status", timeout_s=0.02, tries=1)["state"] == "idle"
                answers += 1
            except DeviceLost as error:
                assert error.code in ("no_answer", "lost")
                lost += 1
                if error.code == "lost":  # taken between the port's word that it has something and our read
                    break
        assert thief.stolen and lost, "nothing was taken: this test is blind"
        assert set(board.server.bad.values()) == {0}  # what is taken from us is nothing that the board hears


def test_two_hosts_that_write_into_each_other_cost_lines_and_execute_none_that_is_mixed(board):
    with opened(board) as link:
        link.call("configure", {"channels": {"1": CONFIG}})
        with Thief(board.port) as other:  # which takes answers too: from here on none is waited for
            line = frames.encode({"jsonrpc": "2.0", "id": 900, "method": "arm", "params": {}})
            link.client.transport.write(line[:25])
            other.write(frames.encode({"jsonrpc": "2.0", "method": "ack", "params": [0, 0]})[:-1])
            link.client.transport.write(line[25:])
            until(lambda: sum(board.server.bad.values()))
        assert board.session.state == "loaded" and board.output.calls == []


def test_an_open_port_is_marked_exclusive_for_those_who_ask_for_no_lock_and_freed_again(board, monkeypatch):
    """TIOCEXCL, which keeps `cat` off; not on a pty, so this one has to pass for a serial port."""
    import fcntl
    import struct

    def exclusive():
        return struct.unpack("i", fcntl.ioctl(board._slave, 0x80045440, struct.pack("i", 0)))[0]  # TIOCGEXCL, Linux

    transport = SerialTransport(board.port)
    assert exclusive() == 0
    transport.close()
    monkeypatch.setattr(transport_module.os, "ttyname", lambda fd: "/dev/ttyACM0")
    transport = SerialTransport(board.port)
    assert exclusive() == 1
    transport.close()
    assert exclusive() == 0
    monkeypatch.setattr(transport_module.busy, "opener", lambda port: "cat (process 1)")
    transport = SerialTransport(board.port)  # somebody is in already: the mark would stay as long as that one does
    assert exclusive() == 0
    transport.close()


# -- a host that comes back ------------------------------------------------------------------------------------


def test_a_host_that_is_back_within_the_keep_alive_finds_its_session_and_may_only_stop_it(rheo, board):
    with started(board) as link:
        token = link.client.token
    with opened(board) as link:  # at once
        assert link.info["state"] in messages.LIVE
        link.client.token = token  # what only the same process can know
        link.call("amplitude", {"token": token, "channel": 1, "ua": 1500})
    answer = rheo("stop", "--json", "-p", board.port)
    assert answer.code == 0 and answer.json["data"]["state"] == "done"


@pytest.mark.parametrize("verb", ["status", "stop"])
def test_after_the_keep_alive_the_board_has_ended_it_and_says_so(rheo, board, verb):
    started(board).close()
    until(lambda: board.session.state == "fault")
    answer = rheo(verb, "--json", "-p", board.port)
    assert answer.code == 0 and answer.json["data"]["state"] == "fault"
    if verb == "status":
        assert answer.json["data"]["fault"] == "host_lost"
    assert not board.output.playing and board.session.state == "fault"  # and nothing has begun again


@pytest.mark.req("REQ-018")
def test_nothing_resumes_by_itself_and_a_new_run_has_to_clear_the_fault_first(rheo, board, run_words):
    started(board).close()
    until(lambda: board.session.state == "fault")
    answer = rheo(*run_words, "--json")
    assert answer.code == 6 and answer.error["code"] == "host_lost" and "clear-fault" in answer.error["hint"]
    assert [call for call, _ in board.output.calls].count("start") == 1


def test_after_its_output_has_ended_a_host_that_comes_back_finds_it_done_and_can_fetch_the_result(board):
    with started(board) as link:
        link.call("stop")
    with opened(board) as link:
        assert link.info["state"] == "done"
        assert link.call("result")["stop_reason"] == "stop_command"
        with pytest.raises(DeviceLost):
            link.call("start", {"token": 4001})


# -- a board that is reset under a host --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cause", "code", "exit_code"), [("watchdog", "watchdog", 6), ("run_pin", "reset", 6), ("power", "reset", 3)]
)
def test_a_board_reset_in_a_session_ends_the_run_with_its_cause_and_a_closed_record(
    rheo,
    board,
    run_words,
    cause,
    code,
    exit_code,
    monkeypatch,
):
    monkeypatch.setattr(session_module, "SILENCE_S", 0.3)
    timer = later(0.6, lambda: board.reset(cause))
    answer = rheo(*run_words, "--json")
    timer.join()
    assert answer.code == exit_code and answer.error["code"] == code, answer.out
    assert answer.json["data"]["stop_reason"] == code and answer.json["data"]["pulses"]["1"] > 0
    assert answer.json["data"]["truncated"] == {"1": None}  # nobody knows
    [record] = records()
    assert record.state == "complete" and record.first("fault")["fault"] == code
    assert board.session.state in ("safe", "fault") and "start" not in [call for call, _ in board.output.calls]


def test_a_board_reset_between_arming_and_start_is_told_and_not_started(board):
    with opened(board) as link:
        link.call("configure", {"channels": {"1": CONFIG}})
        token = link.call("arm")["token"]
        board.reset("watchdog")
        until(lambda: board.session.fault)
        with pytest.raises(DeviceLost) as error:
            link.call("start", {"token": token})
    assert error.value.code == "hello_first" and "reset" in error.value.hint


def test_a_failed_hello_begins_no_dialogue_so_that_an_old_line_cannot_run_again(board):
    with opened(board) as link:
        link.call("configure", {"channels": {"1": CONFIG}})
        ident = link.client._next_id
        link.call("arm")
        link.call("stop")
        link.client.forget_ids()
        with pytest.raises(Exception, match="wire version|board speaks"):
            link.call("hello", {"wire": messages.WIRE + 1})
        board.session.may_configure()
        link.client._next_id = ident
        with pytest.raises(Exception, match="not newer|arm"):
            link.call("arm")
    assert board.tokens == 1


def test_a_board_that_is_unplugged_and_comes_back_elsewhere_is_found_by_its_serial_number(rheo, monkeypatch):
    """Renumbered: ttyACM0 has gone, ttyACM1 is the same board."""
    with FakeBoard(serial="E6614C311B2F5A2D") as board, FakeBoard(serial="OTHER") as other:
        monkeypatch.setattr(discovery, "_usb_ports", lambda: [(b.port, False, b.serial) for b in (other, board)])
        assert rheo("info", "--json", "-p", "id:e6614c311b2f5a2d").json["data"]["serial"] == board.serial
        first = board.port
        board.unplug()
        answer = rheo("info", "--json", "-p", first)
        assert answer.code == 3 and answer.error["code"] in ("no_port", "no_answer", "lost")
    with FakeBoard(serial="OTHER") as other, FakeBoard(serial="E6614C311B2F5A2D") as board:
        assert board.port != first or other.port == first
        assert discovery.port_of("E6614C311B2F5A2D") == board.port
        monkeypatch.setenv("RHEO_PORT", "id:E6614C311B2F5A2D")
        assert rheo("status", "--json").code == 0
        assert rheo("stop", "--json", "-p", "id:E6614C311B2F5A2D").code == 0
        monkeypatch.setenv("RHEO_PORT", "id:GONE")
        for verb in ("status", "stop", "info", "flash --bootloader --dry-run"):
            answer = rheo(*verb.split(), "--json")
            assert answer.code == 3 and "GONE" in str(answer.json["errors"]), verb
        assert board.session.state != "done"


def test_a_port_named_by_a_link_is_the_same_port(rheo, board, tmp_path):
    """/dev/serial/by-id/... is a link to whatever number the board has now."""
    by_id = tmp_path / "usb-MicroPython_Board_in_FS_mode_E66-if00"
    by_id.symlink_to(board.port)
    assert rheo("status", "--json", "-p", by_id).code == 0
    assert control.socket_path(str(by_id)) == control.socket_path(board.port)


def test_when_the_only_board_is_busy_deploy_and_flash_say_so(rheo, board, monkeypatch):
    monkeypatch.setattr(discovery, "_usb_ports", lambda: [(board.port, False, board.serial)])
    with opened(board):
        for words in (("deploy", "--dry-run"), ("flash", "--bootloader", "--dry-run")):
            answer = rheo(*words, "--json")
            assert answer.code == 3 and answer.error["code"] == "busy" and str(os.getpid()) in answer.error["message"]
