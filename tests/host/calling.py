"""Calling `rheo` from tests, in this process or as one of its own; what it answered and what it left behind."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

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


def environment():
    """Of a process that runs this tree's `rheo`."""
    return {**os.environ, "PYTHONPATH": f"{ROOT / 'host'}{os.pathsep}{ROOT / 'firmware' / 'lib'}"}


def start(*words, preexec_fn=None, **options):
    """Popen of `rheo words`, its stdin empty, its output in pipes; it hears Ctrl-C even where the tests must not."""

    def prepare():
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        if preexec_fn is not None:
            preexec_fn()

    env = environment()
    if preexec_fn is not None:
        env.pop(
            "COVERAGE_PROCESS_CONFIG", None
        )  # under a limit of file sizes what `make coverage` measures has no room
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    command = [sys.executable, "-m", "rheobase.cli.main", *map(str, words)]
    return subprocess.Popen(command, text=True, env=env, preexec_fn=prepare, **pipes, **options)


def call(*words, timeout_s=60, **options):
    """Answer of `rheo words` as a process of its own."""
    process = start(*words, **options)
    out, err = process.communicate(timeout=timeout_s)
    return Answer(process.returncode, out, err)


def finish(processes):
    """End what a test has left running."""
    for process in processes:
        if process.poll() is None:
            process.kill()
        process.communicate()


def records(log_dir=None):
    """Records that a test's sessions left, oldest first."""
    from rheobase.record import list_records

    return list_records(log_dir)[::-1]


def until(condition, timeout_s=10):
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)
