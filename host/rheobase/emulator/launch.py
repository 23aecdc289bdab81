"""Start an emulated board in a process of its own (`--port emu`) and stop it. Imports nothing of the emulator."""

import contextlib
import json
import os
import select
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rheobase import boards
from rheobase.emulator import require
from rheobase.errors import HostError, RheoError

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 30.0


class Running:
    """An emulated board that was started: `.pty`, `.board`, `.serial`, `.stop()`. A context manager."""

    def __init__(self, process, errors, hello):
        self._process = process
        self._errors = errors
        self.pty = hello["pty"]
        self.board = hello["board"]
        self.serial = hello["serial"]

    @property
    def pid(self):
        """Process behind the pty."""
        return self._process.pid

    @property
    def alive(self):
        """False once the process has ended."""
        return self._process.poll() is None

    @property
    def last_words(self):
        """Its error as one line, or else the last line that it wrote to stderr; "" for nothing."""
        self._errors.seek(0)
        text = self._errors.read().decode(errors="replace").strip()
        _, found, error = text.rpartition("error: ")
        return " ".join(error.split()) if found else text.rpartition("\n")[2]

    def stop(self, timeout_s=STOP_TIMEOUT_S):
        """Ask it to end (the VCD is finished then), insist after `timeout_s`. Returns its exit status."""
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        self._errors.close()
        return self._process.returncode

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.stop()


def _first_line(stream, timeout_s):
    """The first line of a pipe, or what came of it until its end or the timeout."""
    line = b""
    end = time.monotonic() + timeout_s
    while not line.endswith(b"\n"):
        ready, _, _ = select.select([stream], [], [], max(0.0, end - time.monotonic()))
        chunk = os.read(stream.fileno(), 4096) if ready else b""
        if not chunk:
            break
        line += chunk
    return line


def start(
    board=None,
    image_bin=None,
    vcd=None,
    load=None,
    faults=None,
    flash=None,
    speed=1.0,
    interlock="closed",
    serial=None,
):
    """Start `board` (None: boards.chosen()) running `image_bin` and wait until it has enumerated; returns Running.

    Raises HostError `no_emulator` (package missing) or `emulator_failed` (its last words in the message).
    """
    require()
    command = [
        sys.executable,
        "-m",
        "rheobase.emulator",
        "--board",
        board or boards.chosen(),
        "--image",
        os.fspath(image_bin),
    ]
    command += ["--speed", str(speed), "--interlock", interlock]
    for option, value in (
        ("--vcd", vcd),
        ("--load", load),
        ("--faults", faults),
        ("--flash", flash),
        ("--serial", serial),
    ):
        if value is not None:
            command += [option, os.fspath(value) if isinstance(value, os.PathLike) else str(value)]
    package_root = str(Path(__file__).resolve().parents[2])
    search = [package_root, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed by Running.stop
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=errors,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(search)},
        start_new_session=True,  # Ctrl-C is for the command, which then stops the board in its own order
    )
    line = _first_line(process.stdout, START_TIMEOUT_S)
    try:
        return Running(process, errors, json.loads(line))
    except (ValueError, KeyError, TypeError):
        process.kill()
        status = process.wait()
        process.stdin.close()
        process.stdout.close()
        errors.seek(0)
        words = errors.read().decode(errors="replace").strip().splitlines()
        errors.close()
        if status > 0 and words and words[0].startswith("error: "):
            hint = " ".join(words[1:]) or None
            raise RheoError("emulator_failed", words[0][7:], hint, exit_code=status) from None
        last = words[-1] if words else "it said nothing"
        raise HostError("emulator_failed", f"The emulated board did not start: {last}", None) from None
