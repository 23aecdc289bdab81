"""The whole firmware as files on stock MicroPython, through real mpremote over a real pty: bench only."""

import json
import os
import signal
import subprocess
import sys
import threading

import pytest
import rheobase
from rheobase import deploy, library, paths
from rheobase.emulator import launch
from rheobase.errors import DeviceLost
from rheobase.image import firmware_files

BENCH = """schema = 1
id = "bench_1khz_load"
title = "Bench"
mode = "tens"
electrode = "skin"
conditions = []
pairs = 1
bench = true
[train]
kind = "continuous"
frequency_hz = 100
width_us = 100
gap_us = 50
[envelope]
ramp_up_s = 0.5
ramp_down_s = 0.5
[session]
duration_s = 1
[limits]
max_ma = 10
"""


@pytest.fixture
def rheo(stock_image, tmp_path, monkeypatch):
    """Call the rheo command against an emulated stock board; returns (exit code, envelope)."""
    for name in ("RHEO_RUNTIME", "RHEO_DATA"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    board = launch.start(image_bin=stock_image)

    def call(*words):
        command = [sys.executable, "-m", "rheobase.cli.main", "--json", "--port", board.pty, *words]
        done = subprocess.run(command, capture_output=True, text=True, env=dict(os.environ))
        return done.returncode, json.loads(done.stdout)

    yield call
    board.stop()


def test_deployed_firmware_runs_says_that_it_is_files_and_arms_for_the_bench_only(rheo, tmp_path):
    code, envelope = rheo("deploy")
    assert code == 0, envelope
    assert "main.py" in envelope["data"]["files"]

    code, envelope = rheo("info")
    assert code == 0, envelope
    digest = firmware_files.firmware_hash("RHEO_PICO")
    assert envelope["data"]["firmware"] == {"version": rheobase.__version__, "hash": digest, "origin": "files"}
    assert envelope["data"]["c_hook"] is False

    code, envelope = rheo("run", "tens_conventional", "--amplitude", "1mA", "--duration", "1s", "--yes")
    assert code == 4
    assert envelope["errors"][0]["code"] == "no_hook"

    protocol = tmp_path / "bench.toml"
    protocol.write_text(BENCH)
    assert library.load(str(protocol))["bench"] is True
    code, envelope = rheo("run", str(protocol), "--amplitude", "1mA", "--yes")
    assert code == 0, envelope
    assert envelope["data"]["pulses"] == {"1": 100}
    assert str(paths.data_dir()) in envelope["data"]["log"]


def test_a_cable_pulled_while_it_writes_is_told_with_what_still_starts(stock_image, tmp_path, monkeypatch):
    """That it does: tests/e2e/test_deploy_cut.py."""
    monkeypatch.setenv("RHEO_RUNTIME", str(tmp_path))
    board = launch.start(image_bin=stock_image)
    pulls = []

    def note(text):  # "Writing ...": that takes some ten seconds
        pulls.append(threading.Timer(1, os.kill, (board.pid, signal.SIGKILL)))
        pulls[-1].start()

    with pytest.raises(DeviceLost, match="went away.*What was on the board before still starts"):
        deploy.deploy(board.pty, note, emulated=True)
    board.stop()
    assert len(pulls) == 1
