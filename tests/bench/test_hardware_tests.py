"""The tests for a real board run as they stand, on an emulated one; and without a board they are skipped, with a word.

The sweep is left to tests/bench/test_sweep_image.py.
"""

import os
import subprocess
import sys
from pathlib import Path

from rheobase.emulator import launch

HARDWARE = Path(__file__).resolve().parents[1] / "hardware"


def run(port, *words):
    environment = {key: value for key, value in os.environ.items() if key != "RHEO_PORT"}
    if port:
        environment["RHEO_PORT"] = port
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-rs",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:ledger",
        str(HARDWARE),
        *words,
    ]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False).stdout


def test_without_a_board_each_is_skipped_and_says_what_to_set():
    out = run(None)
    assert "RHEO_PORT names the port of one" in out and " skipped" in out and "passed" not in out


def test_all_but_the_sweep_pass_on_the_emulated_board(board_image):
    with launch.start(image_bin=board_image) as emulated:
        out = run(emulated.pty, "-k", "not sweep")
    assert "3 passed" in out, out
