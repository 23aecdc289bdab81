"""An engineer's first walk, in commands as they are typed (docs/install.md), from an environment with the wheel alone.

`python tests/walk.py WHEEL` says how long each step takes; tests/test_packages.py walks the same.
"""

import contextlib
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import emptyenv

TRAIN = """schema = 1
id = "walk"
title = "First walk"
mode = "tens"
electrode = "skin"
conditions = []
pairs = 1
bench = true
[train]
kind = "continuous"
frequency_hz = 100
width_us = 200
gap_us = 50
[envelope]
ramp_up_s = 0.5
ramp_down_s = 0.5
[session]
duration_s = 2
[limits]
max_ma = 10
"""
PULSES = 200


def step(env, *words, code=0):
    """Run `words` in the environment; its output. The exit status must be `code`."""
    begun = time.monotonic()
    done = env.call(*words)
    print(f"$ {' '.join(words)}\n  {done.returncode}, {time.monotonic() - begun:.1f} s", flush=True)
    assert done.returncode == code, f"{words}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout + done.stderr if code and not done.stdout else done.stdout


@contextlib.contextmanager
def emulated(env, *words):
    """The port of an emulated board that `words` boot; ended by Ctrl-C."""
    board = env.start(*words)
    try:
        yield json.loads(board.stdout.readline())["pty"]
    finally:
        board.send_signal(2)
        board.communicate(timeout=60)


def arrive(env):
    """What comes first: does this computer fit, and the image."""
    checks = json.loads(step(env, "rheo", "--json", "doctor"))["data"]["checks"]
    assert not [check for check in checks if check["status"] == "fail"]
    step(env, "rheo", "image", "build")


def play(env, port, origin):
    """mpremote and rheo in turn on one port, then a session that is recorded; what `rheo info` told."""
    assert "RP2040" in step(env, "mpremote", "connect", port, "exec", "import os; print(os.uname().machine)")
    about = json.loads(step(env, "rheo", "info", "-p", port, "--json"))["data"]
    assert about["firmware"]["origin"] == origin
    (env.here / "walk.toml").write_text(TRAIN)
    words = ("walk.toml", "--channel", "1", "--amplitude", "2mA", "-p", port, "--yes", "--json")
    ran = json.loads(step(env, "rheo", "run", *words))["data"]
    assert (ran["stop_reason"], ran["pulses"], ran["truncated"]) == ("time_over", {"1": PULSES}, {"1": 0})
    assert Path(ran["log"]).is_file() and Path(ran["report"]).is_file()
    return about


def with_the_image(env):
    """The board's image: nothing is to be deployed, and `rheo deploy` says so."""
    with emulated(env, "rheo", "emulate") as port:
        assert port in step(env, "rheo", "devices")
        play(env, port, "frozen")
        assert "flash instead" in step(env, "rheo", "deploy", "-p", port, code=4)


def with_files(env):
    """Stock MicroPython, with the firmware deployed onto it."""
    step(env, "rheo", "image", "build", "--board", "RPI_PICO")
    with emulated(env, "rheo", "emulate", "--board", "RPI_PICO") as port:
        deployed = json.loads(step(env, "rheo", "deploy", "-p", port, "--json"))["data"]
        assert deployed["from"] is None and {"boot.py", "main.py"} <= set(deployed["files"])
        assert "nothing to do" in step(env, "rheo", "deploy", "-p", port, "--dry-run")
        about = play(env, port, "files")
        assert about["firmware"]["hash"] == deployed["to"] and not about["c_hook"]
        words = ("--amplitude", "1mA", "-p", port, "--yes", "--json")
        refused = json.loads(step(env, "rheo", "run", "tens_conventional", *words, code=4))
        assert refused["errors"][0]["code"] == "no_hook"


def main(wheel):
    """The whole walk with the wheel at this path."""
    with tempfile.TemporaryDirectory() as scratch:
        begun = time.monotonic()
        env = emptyenv.by_wheel(Path(wheel).resolve(), Path(scratch))
        print(f"installed in {time.monotonic() - begun:.1f} s")
        arrive(env)
        with_the_image(env)
        with_files(env)
        subprocess.run(["du", "-sh", scratch + "/venv"], check=False)


if __name__ == "__main__":
    main(sys.argv[1])
