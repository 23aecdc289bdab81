"""`rheo` on the real image, emulated, each command a process of its own: a session's data, its ends, its record.

Pulses are counted on the pins (VCD) where a claim is about pulses; no claim here is about wall time.
"""

import json
import os
import signal

import pytest
from host.calling import SHORT, call, records, until
from rheobase import boards, control, mpremote, session, vcd_read
from rheobase.cli.main import main
from rheobase.emulator import launch
from rheobase.errors import DeviceLost
from rheobase.measure import drop_unequal, trains

SECONDS = ("--amplitude", "2mA", "--yes", "--json")


@pytest.fixture(autouse=True)
def short(private_folders, tmp_path):
    (tmp_path / "short.toml").write_text(SHORT)


@pytest.fixture
def emulated(board_image, private_folders):
    """An emulated board with the real image, at a pty."""
    with launch.start(image_bin=board_image) as board:
        yield board


def status(port):
    answer = call("status", "-p", port, "--json")
    assert answer.code == 0, answer.err
    return answer.json["data"]


def running(port, spawn):
    """A session of 60 s on the board at `port`, in state run."""
    process = spawn("run", "short.toml", *SECONDS, "-p", port)
    until(lambda: control.socket_path(port).exists() and status(port)["state"] == "run", 30)
    return process


def train(vcd_path):
    """Channel 1's train in a VCD file."""
    return trains(vcd_read.read(vcd_path).edges)[1]


@pytest.mark.req("REQ-007")
def test_run_on_port_emu_its_data_its_record_and_the_pins_agree(tmp_path, board_image):
    answer = call("run", "short.toml", *SECONDS, "--duration", "1500ms", "--port", "emu", "--vcd", "edges.vcd")
    assert answer.code == 0, answer.err
    data = answer.json["data"]
    assert data["stop_reason"] == "time_over" and data["protocol"] == "short" and data["board"] == boards.chosen()
    assert data["pulses"] == {"1": 150} and data["truncated"] == {"1": 0}
    assert data["duration_s"] == pytest.approx(1.5, abs=0.05)
    assert data["vcd"] == str(tmp_path / "edges.vcd")
    pins = train("edges.vcd")
    assert len(pins.pulses) == 150 and not pins.truncated and not pins.overlaps
    assert {p.a_ns for p in pins.pulses} == {p.b_ns for p in pins.pulses} == {100_000}
    [record] = records()
    assert str(record.path) == data["log"] and record.state == "complete" and record.modelled
    assert record.first("close")["channels"]["1"]["pulses"] == 150
    assert "emulated board" in answer.err


@pytest.mark.req("REQ-086")
def test_stop_status_and_watch_from_other_processes_reach_a_run(emulated, spawn):
    process = running(emulated.pty, spawn)
    now = status(emulated.pty)
    assert now["modelled"] is True and now["channels"]["1"]["pulses"] > 0 and now["interlock"] is True
    watcher = spawn("watch", "-p", emulated.pty)
    assert json.loads(watcher.stdout.readline())["modelled"] is True
    assert call("pause", "--json").json["data"]["state"] == "paused"
    assert call("resume", "--json").json["data"]["state"] == "ramp_up"
    answer = call("stop", "--json")
    assert answer.code == 0 and answer.json["data"]["confirmed"] is True and answer.json["data"]["state"] == "done"
    out, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    assert json.loads(out)["data"]["stop_reason"] == "stop_command"
    assert status(emulated.pty)["channels"]["1"]["pulses"] == json.loads(out)["data"]["pulses"]["1"]
    watcher.communicate(timeout=30)
    assert watcher.returncode == 0


@pytest.mark.req("REQ-087")
def test_ctrl_c_stops_first_and_the_record_is_whole(emulated, spawn):
    process = running(emulated.pty, spawn)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130 and "Traceback" not in err
    assert json.loads(out)["data"]["stop_reason"] == "operator_interrupt"
    assert status(emulated.pty)["state"] == "done"
    assert records()[0].first("close")["stop_reason"] == "operator_interrupt"


def test_a_board_that_vanishes_is_exit_3_with_its_record_closed(board_image, spawn):
    with launch.start(image_bin=board_image) as board:
        process = running(board.pty, spawn)
        os.kill(board.pid, signal.SIGKILL)
        out, err = process.communicate(timeout=30)
    assert process.returncode == 3 and "Traceback" not in err
    assert json.loads(out)["data"]["stop_reason"] == "host_lost"
    [record] = records()
    assert record.state == "complete" and record.first("close")["stop_reason"] == "host_lost"


@pytest.mark.req("REQ-021")
def test_a_host_that_is_killed_leaves_a_board_that_stops_by_itself(emulated, spawn):
    process = running(emulated.pty, spawn)
    process.kill()
    process.wait()
    until(lambda: status(emulated.pty)["fault"] == "host_lost", 60)
    assert records()[0].state == "crashed"
    assert call("run", "short.toml", *SECONDS, "-p", emulated.pty).code == 6
    assert call("clear-fault", "-p", emulated.pty, "--json").json["data"] == {"state": "idle", "confirmed": True}


@pytest.mark.req("REQ-087")
def test_a_full_disk_stops_the_output_and_keeps_the_record(emulated):
    def small_files():
        import resource

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))

    answer = call("run", "short.toml", *SECONDS, "-p", emulated.pty, preexec_fn=small_files)
    assert answer.code == 8 and answer.error["code"] == "record_full"
    assert status(emulated.pty)["state"] == "done"
    assert records()[0].of("telemetry")


@pytest.mark.req("REQ-024")
def test_mpremote_and_rheo_take_turns_on_one_port(emulated, spawn):
    assert "idle" in call("devices").out
    assert mpremote.evaluate(emulated.pty, "print(6 * 7)") == 42
    assert call("info", "-p", emulated.pty, "--json").json["data"]["board"] == boards.chosen()  # out of the REPL again
    process = running(emulated.pty, spawn)
    with pytest.raises(DeviceLost):
        mpremote.evaluate(emulated.pty, "print(6 * 7)")
    assert status(emulated.pty)["state"] in ("run", "ramp_up")  # undisturbed
    assert call("stop", "-p", emulated.pty).code == 0
    process.communicate(timeout=30)


@pytest.mark.req("REQ-086")
def test_a_board_that_hangs_is_stopped_by_ctrl_c_and_proved(emulated):
    mpremote.run(emulated.pty, "exec", "--no-follow", "while True: pass")
    answer = call("stop", "-p", emulated.pty, "--json", timeout_s=90)
    assert answer.code == 0 and answer.json["data"]["confirmed"] is True
    assert answer.json["data"]["boards"][0]["broken"] is True
    assert status(emulated.pty)["state"] == "idle"


def test_a_frozen_board_is_not_deployed_to(emulated):
    answer = call("deploy", "-p", emulated.pty, "--json")
    assert answer.code == 4 and answer.error["code"] == "frozen" and "flash instead" in answer.error["message"]


def test_a_stock_board_is_told_apart_and_a_dry_run_of_deploy_writes_nothing(stock_image):
    with launch.start(image_bin=stock_image) as board:
        answer = call("info", "-p", board.pty, "--json")
        assert answer.code == 4 and answer.error["code"] == "no_firmware"
        answer = call("deploy", "-p", board.pty, "--dry-run", "--json")
        assert answer.code == 0 and {"boot.py", "main.py"} < set(answer.json["data"]["files"])
        assert mpremote.evaluate(board.pty, "import os\nprint(os.listdir('/'))") == []


def test_emulate_prints_its_pty_first_and_ends_at_ctrl_c(spawn, board_image):
    process = spawn("emulate", "--load", "470")
    first = json.loads(process.stdout.readline())
    assert first["board"] == boards.chosen() and os.path.exists(first["pty"])
    assert [d["port"] for d in call("devices", "--json").json["data"]["devices"]] == [first["pty"]]
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 0 and not os.path.exists(first["pty"])


def test_a_board_that_is_reset_under_a_run_ends_it_with_a_closed_record(board_image, tmp_path, monkeypatch, capsys):
    """Power gone and back, 900 ms into the train, the port still open: no pulse after it, and nothing resumes."""
    monkeypatch.setattr(session, "SILENCE_S", 0.15)  # times 20 on an emulated board; so in this process
    (tmp_path / "faults.json").write_text(json.dumps([{"after_ms": 900, "moment": "leg_a", "reset": True}]))
    with launch.start(image_bin=board_image, faults="faults.json", vcd="edges.vcd") as board:
        code = main(["run", "short.toml", *SECONDS, "-p", board.pty])
        answer = json.loads(capsys.readouterr().out)
        assert code == 3 and answer["errors"][0]["code"] == "reset", answer
        assert answer["data"]["stop_reason"] == "reset"
        [record] = records()
        assert record.state == "complete"
        known = record.first("close")["channels"]["1"]["pulses"]
        assert status(board.pty)["state"] in ("safe", "idle")  # greeted anew
    pins = train("edges.vcd")
    assert known <= len(pins.pulses) <= known + 12  # the last telemetry is up to 100 ms old
    assert pins.last_fall_ns - pins.pulses[0].t_ns < 1_000_000_000


@pytest.mark.req("REQ-112")
@pytest.mark.parametrize(
    ("what", "fault", "truncated"),
    [({"interlock": "open"}, "interlock_open", 1), ({"cpu": "hang", "for_ms": 700}, "underrun", 0)],
    ids=["interlock", "stall"],
)
def test_what_ended_a_session_is_in_its_record(board_image, tmp_path, what, fault, truncated):
    """A fault file as people use it: 900 ms into the train, in leg A; the record has the fault and the pins' counts."""
    (tmp_path / "faults.json").write_text(json.dumps([{"after_ms": 900, "moment": "leg_a", **what}]))
    with launch.start(image_bin=board_image, faults="faults.json", vcd="edges.vcd") as board:
        answer = call("run", "short.toml", *SECONDS, "-p", board.pty)
    assert answer.code == 6, answer.err
    assert answer.json["data"]["stop_reason"] == fault
    [record] = records()
    assert record.state == "complete"
    assert record.first("fault")["fault"] == fault
    close = record.first("close")
    pins = drop_unequal(train("edges.vcd"), 500)
    assert close["stop_reason"] == fault
    assert close["channels"]["1"]["pulses"] == len(pins.pulses)
    assert close["channels"]["1"]["truncated"] == len(pins.truncated) == truncated
