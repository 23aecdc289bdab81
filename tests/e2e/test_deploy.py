"""The whole firmware as files on stock MicroPython, through real mpremote over a real pty: bench only."""

import json
import os
import subprocess
import sys

import pytest
from rheobase import library, paths
from rheobase.emulator import launch

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
    assert envelope["data"]["firmware"]["origin"] == "files"
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
