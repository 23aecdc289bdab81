"""Fixtures of the host tests: a fake board at a real pty, and `rheo` called in this process or as one of its own."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from host.fake_board import FakeBoard
from rheobase import discovery
from rheobase.cli.main import main

ROOT = Path(__file__).resolve().parents[2]

SHORT = """schema = 1
id = "short"
title = "Short ramps"
mode = "tens"
electrode = "skin"
[train]
kind = "continuous"
frequency_hz = 100
width_us = 100
gap_us = 50
[envelope]
ramp_up_s = 0.5
ramp_down_s = 0.5
[session]
duration_s = 60
[limits]
max_ma = 10
"""


@pytest.fixture(autouse=True)
def private_folders(tmp_path, monkeypatch):
    """No test sees this user's boards, records or settings."""
    for name in ("DATA", "RUNTIME"):
        monkeypatch.setenv(f"RHEO_{name}", str(tmp_path / name.lower()))
    monkeypatch.setenv("RHEO_CONFIG", str(tmp_path / "config.toml"))
    monkeypatch.delenv("RHEO_PORT", raising=False)
    monkeypatch.setattr(discovery, "_usb_ports", lambda: [])
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def board():
    with FakeBoard() as fake:
        yield fake


@pytest.fixture
def short(tmp_path):
    """Path of a protocol with the shortest ramps."""
    path = tmp_path / "short.toml"
    path.write_text(SHORT)
    return str(path)


@pytest.fixture
def rheo(capsys):
    """rheo(*words) -> Answer, in this process."""

    def call(*words):
        capsys.readouterr()
        code = main([str(w) for w in words])
        out, err = capsys.readouterr()
        return Answer(code, out, err)

    return call


class Answer:
    """Exit code, stdout, stderr of a command; json: the one object on stdout."""

    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    @property
    def json(self):
        assert self.out.count("\n") == 1, f"not one line on stdout: {self.out!r}"
        return json.loads(self.out)

    @property
    def error(self):
        return self.json["errors"][0]


@pytest.fixture
def spawn(tmp_path):
    """spawn(*words) -> Popen of `rheo words`; what is left over is ended."""
    started = []

    def start(*words, **options):
        env = {**os.environ, "PYTHONPATH": f"{ROOT / 'host'}{os.pathsep}{ROOT / 'firmware' / 'lib'}"}
        process = subprocess.Popen(
            [sys.executable, "-m", "rheobase.cli.main", *map(str, words)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env, **options,
        )  # fmt: skip
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


def records(tmp_path):
    """Records that a test's sessions left, oldest first."""
    from rheobase.record import list_records

    return list_records()[::-1]


def until(condition, timeout_s=10):
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)
