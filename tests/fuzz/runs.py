"""Runs of so many mutants at each parser: device, micropython, host, image. Each returns its counts, or raises."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from unittest import mock

from fuzz.device import Device
from fuzz.drive import Fire
from fuzz.host import Host
from rheobase import boards, paths
from rheobase.link import busy
from rheocore import frames

TESTS = Path(__file__).resolve().parents[1]


def blame(seed, number, mutant):
    """Say which mutant it was, for a run that fails."""
    print(f"seed {seed}, mutant {number}: {mutant[:500]!r}", file=sys.stderr)


def device(count, seed):
    """The device's parser under CPython: the firmware's own server and session on a fake output."""
    fire, under_fire = Fire(seed), Device(boards.load())
    for number in range(count):
        valid, mutant, ms = fire.shot()
        try:
            under_fire.feed(valid)
            under_fire.feed(mutant)
            if ms:
                under_fire.pass_time(ms)
        except BaseException:
            blame(seed, number, mutant)
            raise
    return under_fire.counts


def micropython_path():
    """The Unix VM's program, or None."""
    beside = Path(sys.executable).parent / "micropython"
    return str(beside) if beside.exists() else shutil.which("micropython")


def micropython(count, seed):
    """The same files and the same shots under MicroPython; every reply must be a line that the host can read."""
    fire = Fire(seed)
    with tempfile.TemporaryDirectory() as folder:
        board, shots, out = (Path(folder) / name for name in ("board.json", "shots", "out"))
        board.write_text(json.dumps(boards.load()))
        with shots.open("w") as file:
            for _ in range(count):
                valid, mutant, ms = fire.shot()
                file.write(f"0 {valid.hex()}\n{ms} {mutant.hex()}\n")
        script = Path(__file__).with_name("on_micropython.py")
        command = [micropython_path(), script, paths.firmware_dir() / "lib", TESTS, board, shots]
        with out.open("wb") as answers:
            done = subprocess.run([*map(os.fspath, command)], stdout=answers, stderr=subprocess.PIPE, cwd=folder)
        *replies, last = out.read_bytes().splitlines()
    if done.returncode:
        said = b"\n".join([*replies[-12:], last, done.stderr])  # its traceback is among what it says
        raise AssertionError(said.decode(errors="replace"))
    for reply in replies:
        message, error = frames.decode(reply)
        assert error is None, reply
    return {**json.loads(last), "replies": len(replies)}


def host(count, seed):
    """The host's parser under CPython."""
    under_fire = Host(seed)
    with mock.patch.object(busy, "opener", return_value=None):  # it looks through every process there is
        for number in range(count):
            try:
                under_fire.fire()
            except BaseException:
                blame(seed, number, under_fire.mutant)
                raise
    return under_fire.counts


def image(count, seed):
    """The real image on the emulated board."""
    from fuzz import board
    from rheobase import image as images

    latest = [0, b""]

    def note(*shot):
        latest[:] = shot

    try:
        return board.fire(images.ensure("RHEO_PICO", log=print).bin_path, count, seed, note)
    except BaseException:
        blame(seed, *latest)
        raise
