"""The host's side of the wire, against the firmware's own server behind a pty: damage, silence, strangers, hang-ups."""

import os
import threading
import time

import pytest
from host.fake_board import FakeBoard
from rheobase.errors import DeviceFault, DeviceLost, Incompatible, Refused, UsageError
from rheobase.link.client import LINE_MAX, Client, RpcError
from rheobase.link.greeting import at_prompt, hello, open_board
from rheobase.link.transport import SerialTransport
from rheobase.link.words import refusal, to_error
from rheocore import frames, messages

CONFIG = {
    "kind": "continuous", "mode": "tens", "electrode": "skin", "bench": False, "period_us": 10_000, "width_us": 100,
    "gap_us": 50, "ramp_up_ms": 500, "ramp_down_ms": 500, "duration_ms": 20_000, "max_ua": 10_000,
    "amplitude_ua": 2_000,
}  # fmt: skip


def opened(board):
    return open_board(board.port, emulated=False)


def started(board):
    """A greeted board with a session of 20 s that runs."""
    link = opened(board)
    link.call("configure", {"channels": {"1": CONFIG}})
    link.client.token = link.call("arm")["token"]
    link.call("start", {"token": link.client.token})
    return link


def test_hello_gives_every_field_of_info(board):
    with opened(board) as link:
        assert set(messages.INFO) <= set(link.info)


def test_a_damaged_answer_is_asked_for_again_and_nothing_runs_twice(board):
    with opened(board) as link:
        link.call("configure", {"channels": {"1": CONFIG}})
        board.damage = 1
        token = link.call("arm", tries=1)["token"]  # at once: not after the time limit
    assert board.tokens == 1 and token == board.session.token
    assert board.seen.count("arm") == 2  # asked twice, executed once


def test_a_lost_answer_is_asked_for_again_with_the_same_id(board):
    with opened(board) as link:
        link.call("configure", {"channels": {"1": CONFIG}})
        board.drop = 1
        link.call("arm", timeout_s=0.2)
    assert board.tokens == 1


def test_a_damaged_request_is_sent_again(board):
    with opened(board) as link:
        write, spoilt = link.client.transport.write, []

        def spoil(data):
            if not spoilt and b"status" in data:
                spoilt.append(data)
                data = data[:20] + b"~" + data[21:]
            write(data)

        link.client.transport.write = spoil
        assert link.call("status", tries=1)["state"] == "idle"
    assert board.server.bad["bad_crc"] == 1


@pytest.mark.parametrize(
    "noise", [b"\x00\xff\xfe noise\r\n", b'{"jsonrpc":', b"x" * 9000, b'{"a":1} 00000000\n', b"\n\n"]
)
def test_garbage_on_the_line_is_passed_over(board, noise):
    with opened(board) as link:
        board.say(noise)
        assert link.call("status", timeout_s=0.3)["state"] == "idle"
        assert link.call("status", timeout_s=0.3)["state"] == "idle"


class Bytes:
    """A transport that delivers what it is given, piece by piece."""

    port = "bytes"

    def __init__(self, pieces):
        self.pieces = list(pieces)

    def read(self):
        return self.pieces.pop(0) if self.pieces else b""


EVENT = frames.encode({"jsonrpc": "2.0", "method": "event", "params": [1, 2, "state", "run", None]})


def test_a_frame_in_pieces_is_put_together():
    client = Client(Bytes(EVENT[i : i + 1] for i in range(len(EVENT))))
    while client.receive():
        pass
    assert client.events.pop()["detail"] == "run" and not client.damaged


def test_endless_noise_without_a_newline_takes_no_memory_and_ends_with_the_next_line():
    client = Client(Bytes([b"\xaa" * 4096] * 100 + [b"\n", EVENT]))
    while client.receive():
        assert len(client._buffer) <= LINE_MAX and len(client.raw) <= 400
    assert client.events.pop()["detail"] == "run"


def test_telemetry_of_the_wrong_shape_is_counted_and_dropped(board):
    with opened(board) as link:
        board.say(frames.encode({"jsonrpc": "2.0", "method": "tel", "params": [1, 2]}))
        board.say(frames.encode({"jsonrpc": "2.0", "method": "tel", "params": {"seq": 1}}))
        link.call("status")
        assert link.client.damaged == 2


def test_missing_telemetry_is_counted(board):
    with opened(board) as link:
        for seq in (5, 6, 9):
            params = [seq, 0, "idle", 0, True, None, []]
            board.say(frames.encode({"jsonrpc": "2.0", "method": "tel", "params": params}))
        link.call("status")
        assert link.client.lost_telemetry == 2


def test_a_silent_board_is_no_answer_not_a_hang(board):
    board.mute = True
    with pytest.raises(DeviceLost, match="does not answer"):
        opened(board)


def test_a_pulled_cable_in_the_middle_of_a_frame_is_a_lost_board(board):
    with opened(board) as link:
        board.say(b'{"jsonrpc":"2.0","id":7,"resu')
        board.unplug()
        with pytest.raises(DeviceLost) as lost:
            link.call("status")
    assert lost.value.code == "lost" and lost.value.exit_code == 3


@pytest.mark.parametrize("silent", [False, True], ids=["telemetry", "no telemetry"])
def test_keep_alive_holds_a_session_that_asks_nothing_for_1500_ms(board, silent):
    with started(board) as link:
        board.no_telemetry = silent
        until = time.monotonic() + 1.5
        while time.monotonic() < until:
            link.client.wait(0.1)
        assert link.call("status")["state"] in messages.LIVE


def test_without_keep_alive_the_board_ends_the_session_itself(board):
    link = started(board)
    link.client.token = None
    time.sleep(1.2)
    assert link.status()["fault"] == "host_lost"
    link.close()


def test_a_board_left_at_its_repl_is_restarted_and_greeted():
    with FakeBoard(at_repl=True) as board, opened(board) as link:
        assert link.info["state"] == "idle"
        assert board.breaks == 0  # nobody sent Ctrl-C


@pytest.mark.parametrize(
    "end", [b">>> ", b"raw REPL; CTRL-B to exit\r\n>", b"\x04Traceback\r\nKeyboardInterrupt: \r\n\x04>"]
)
def test_every_prompt_of_a_repl_is_known(end):
    class Silent:
        port = "x"

    client = Client(Silent())
    client._buffer = b"something\r\n" + end
    assert at_prompt(client)


def test_a_repl_is_known_by_its_prompt_at_once_and_not_by_its_silence():
    with FakeBoard(at_repl=True) as board:
        client = Client(SerialTransport(board.port))
        begin = time.monotonic()
        with pytest.raises(DeviceLost):
            hello(client, timeout_s=20, tries=1)
        assert time.monotonic() - begin < 10 and at_prompt(client)
        client.close()


def test_discovery_leaves_a_board_at_its_repl_alone():
    with FakeBoard(at_repl=True) as board:
        with pytest.raises(DeviceLost) as error:
            open_board(board.port, emulated=False, boot=False)
        assert error.value.code == "at_repl" and board.repl


def test_a_micropython_without_our_firmware_is_told_apart():
    with FakeBoard(firmware=False) as board, pytest.raises(Incompatible) as error:
        opened(board)
    assert error.value.exit_code == 4 and "deploy" in error.value.hint


@pytest.mark.req("REQ-082")
def test_another_wire_version_is_incompatible():
    with FakeBoard(wire=messages.WIRE + 1) as board, pytest.raises(Incompatible, match="wire version 3"):
        opened(board)


def test_a_busy_port_names_who_holds_it(board):
    with opened(board), pytest.raises(DeviceLost) as error:
        SerialTransport(board.port)
    assert error.value.code == "busy" and error.value.exit_code == 3
    assert str(os.getpid()) in error.value.message


def test_a_port_that_is_held_for_a_moment_is_waited_for(board):
    link = opened(board)
    threading.Timer(0.3, link.close).start()
    open_board(board.port, emulated=False, patience_s=2.0).close()


def test_a_port_that_is_not_there_and_one_that_is_no_port(tmp_path):
    with pytest.raises(DeviceLost, match="There is no port"):
        SerialTransport("/dev/ttyNOWHERE")
    plain = tmp_path / "plain"
    plain.write_text("")
    with pytest.raises(DeviceLost, match="cannot be opened as a serial port"):
        SerialTransport(str(plain))


@pytest.mark.parametrize(
    "name, data, kind",
    [
        ("fault", {"fault": "interlock_open"}, DeviceFault),
        ("not_gone", {"fault": "interlock_open"}, DeviceFault),
        ("refused", {"field": "amplitude_ua", "value": 9000, "why": "limit_board", "bound": 5000}, Refused),
        ("wrong_state", {"method": "pause", "state": "idle"}, UsageError),
        ("bad_token", {}, DeviceLost),
        ("no_hook", {}, Incompatible),
        ("stale_id", {"id": 3, "last": 7}, DeviceLost),
        ("invalid_params", {"field": "channels", "why": "missing"}, UsageError),
    ],
)
def test_every_refusal_of_a_board_is_a_sentence_with_its_own_exit_code(name, data, kind):
    error = to_error(RpcError(name, data, "pause"))
    assert type(error) is kind and error.message.endswith(".") and "{" not in error.message


@pytest.mark.req("REQ-082")
def test_a_board_that_greets_and_names_another_wire_version_is_incompatible():
    with FakeBoard() as board:
        hello = board.server._hello
        board.server._hello = lambda params, now_ms: {**hello(params, now_ms), "wire": messages.WIRE + 1}
        with pytest.raises(Incompatible, match="wire version 3"):
            open_board(board.port)


def test_every_error_of_the_wire_has_words():
    for name in messages.ERRORS:
        assert to_error(RpcError(name, {}, "x")).message


def test_an_error_that_this_host_does_not_know_is_still_a_sentence():
    assert "strange" in to_error(RpcError("strange", {}, "x")).message


def test_a_refusal_says_the_limit_the_value_and_what_passes():
    text = refusal("limit_board", "amplitude_ua", 60_000, 50_000)
    assert text == "Amplitude 60 mA is above the board's rating: the highest that passes is 50 mA."
    text = refusal("limit_slew", "amplitude_ua", 20_000, 12_500)
    assert text.endswith("what the ramps can climb: the highest that passes is 12.5 mA.")
