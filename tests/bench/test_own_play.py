"""`rheo bench capture` and own.play() on the real image, emulated, over a real pty. No claim is about wall time."""

import functools
import os
import signal

import numpy as np
import pytest
from host.calling import call
from rheobase.bench import files, own
from rheobase.cli.main import main
from rheobase.emulator import launch
from rheobase.errors import UsageError
from rheobase.link.greeting import open_board

SHORT = {**own.TRAIN, "duration_ms": 1_000}

pytestmark = pytest.mark.usefixtures("private_folders")


@pytest.fixture
def emulated(board_image, private_folders):
    """An emulated board with the real image, at a pty."""
    with launch.start(image_bin=board_image) as board:
        yield board


def test_rheo_bench_capture_plays_captures_and_keeps_a_file(tmp_path, board_image):
    answer = call("bench", "capture", "--port", "emu", "--json")
    assert answer.code == 0, answer.err
    data = answer.json["data"]
    assert answer.json["command"] == "bench capture"
    assert data["wires"] == {"CH1_A": 200, "CH1_B": 200, "INTERLOCK": 0} and data["pulses"] == {"1": 100}
    assert (data["resolution_ns"], data["torn"], data["stop_reason"]) == (16.0, None, "time_over")
    assert "at 0 mA" in answer.err and "emulated board" in answer.err
    [path] = tmp_path.glob("*.vcd")
    assert str(path) == data["path"] and path.name.startswith(data["serial"] + "-20") and path.name.endswith("Z.vcd")
    capture = files.load(path)
    rises, falls = capture.signals["CH1_A"].highs()
    assert set(falls - rises) <= {200_000_000 - 16_000, 200_000_000, 200_000_000 + 16_000}
    assert abs(int(rises[-1] - rises[0]) - 99 * 10_000_000_000) <= 16_000
    assert (capture.own_clock, capture.resolution_ps) == (True, 16_000)
    assert capture.signals["INTERLOCK"].level(0) == 1
    judged = call("bench", "analyze", path, "--expect", 100, "--json")
    assert (judged.code, judged.json["data"]["verdict"]) == (0, "pass"), "the file says what was played"


def test_a_player_hears_of_the_time_and_may_pause_resume_and_stop(emulated):
    """No current flows: the set-point commanded is 0 whatever the configuration says."""
    seen, done = [], []

    def during(player):
        seen.append((player.elapsed_ms, player.state))
        for word, at_ms in (("pause", 200), ("resume", 200), ("stop", 400)):
            if word not in done and player.elapsed_ms >= at_ms:
                done.append(word)
                getattr(player, word)()
                return

    with open_board(emulated.pty, True) as board:
        capture, result = own.play(board, {1: {**SHORT, "amplitude_ua": 1_000}, 2: SHORT}, during=during)
        assert board.status()["state"] == "done"
    assert done == ["pause", "resume", "stop"]
    assert result["stop_reason"] == "stop_command" and result["fault"] is None
    states = [e["detail"] for e in result["events"] if e["kind"] == "state"]
    assert states[:1] == ["ramp_up"] and "paused" in states
    times = [t for t, _ in seen]
    assert times == sorted(times)
    rises = {n: capture.signals[f"CH{n}_A"].edges_ps[::2] for n in (1, 2)}
    for n in (1, 2):
        assert len(capture.signals[f"CH{n}_A"].edges_ps) == len(capture.signals[f"CH{n}_B"].edges_ps)
        assert result["channels"][str(n)]["pulses"] == len(rises[n])
        assert result["channels"][str(n)]["charge_nc"] == 0
    paused_ms = next(e["t_ms"] for e in result["events"] if e["detail"] == "paused")
    gap = int(np.argmax(np.diff(rises[1])))
    assert (
        -1 <= paused_ms - int(rises[1][gap]) / 1e9 <= 26
    )  # the last pulse before the pause: a period, and a stop's 15 ms


def test_ctrl_c_stops_the_output_first_and_leaves_no_file(emulated, tmp_path, monkeypatch, capsys):

    def press(player):
        if player.elapsed_ms >= 100:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(own, "play", functools.partial(own.play, during=press))
    code = main(["bench", "capture", "--duration", "40s", "-p", emulated.pty])
    assert code == 130 and "Stopped. The output is off." in capsys.readouterr().err
    assert not list(tmp_path.glob("*.vcd"))
    with open_board(emulated.pty, True) as board:
        assert board.status()["state"] == "done" and board.call("result")["stop_reason"] == "stop_command"
        with pytest.raises(UsageError, match="about [0-9]+ a leg"):
            own.arm(board, [1], edges=10_000_000)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--channel", "1", "--channel", "2", "--channel", "3"), 2, "4 wires at once"),
        (("--channel", "x"), 2, "not a channel"),
        (("--duration", "10"), 2, "--duration"),
        (("nothing_like_it",), 2, "nothing_like_it"),
        (("-o", "no/such/folder/x.vcd"), 8, "cannot be written"),
    ],
)
def test_words_that_cannot_be_used_are_refused_before_any_board_is_asked(words, code, said):
    answer = call("bench", "capture", *words, "-p", "/dev/there-is-no-such-port")
    assert answer.code == code and said in answer.err, answer.err


@pytest.mark.parametrize("duration", ["0s", "500ms", "100h"])
def test_a_duration_that_the_board_would_refuse_is_refused_before_it_is_played_or_counted(
    emulated, tmp_path, monkeypatch, duration
):
    """0 is not "unless told otherwise"; and the pulses of 100 hours are not counted for half a minute first."""
    monkeypatch.setattr(own, "room", lambda cfg: pytest.fail("counted"))
    answer = call("bench", "capture", "--duration", duration, "-p", emulated.pty)
    assert answer.code == 5 and "Duration" in answer.err and "Playing" not in answer.err, answer.err
    assert not list(tmp_path.glob("*.vcd"))
