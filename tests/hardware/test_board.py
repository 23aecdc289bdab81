"""A board on the table: what the emulated one shows, asked of silicon. Needs RHEO_PORT, the board's port; no wires.

    RHEO_PORT=/dev/ttyACM0 make test ARGS=tests/hardware

Output stays at 0 mA: the legs switch, no current is asked for. Into test loads only, and with nobody connected.
Each claim is the bench's own: `rheo bench` judges, this asks for its verdict. A fail usually is: docs/bench.md.
"""

import json
import os
import subprocess
import sys

import pytest

PORT = os.environ.get("RHEO_PORT")
pytestmark = [
    pytest.mark.hardware,
    pytest.mark.skipif(not PORT, reason="no board: RHEO_PORT names the port of one"),
]
QUICK_S = 120  # of a sweep that takes 60 s at most, the hand at the interlock not counted


def rheo(*words, timeout_s=60):
    """(exit code, data, errors) of `rheo ... --json -p RHEO_PORT`."""
    command = [sys.executable, "-m", "rheobase.cli.main", *map(str, words), "--json", "-p", PORT]
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=False)
    answer = json.loads(done.stdout)
    return done.returncode, answer["data"], answer["errors"]


@pytest.mark.req("REQ-036")
def test_it_runs_this_firmware_and_has_the_reset_hook():
    code, info, errors = rheo("info")
    assert code == 0, errors
    from rheobase.image.firmware_files import firmware_hash

    assert info["firmware"]["hash"] == firmware_hash(info["board"]), "deploy or flash this tree's firmware first"
    assert info["c_hook"], "stock MicroPython: flash the board's image"


@pytest.mark.req("REQ-001", "REQ-005")
def test_a_plain_train_is_as_commanded_by_the_boards_own_capture(tmp_path):
    """100 pulses of 200, 50 and 200 us at 100 Hz: half a tick of 1 us, seen every 40 ns or finer."""
    file = tmp_path / "own.vcd"
    code, data, errors = rheo("bench", "capture", "-o", file)
    assert code == 0, errors
    assert data["resolution_ns"] <= 40 and data["pulses"] == {"1": 100}
    code, data, errors = rheo("bench", "analyze", file, "--expect", 100)
    assert (code, data["verdict"], data["findings"]) == (0, "pass", [])


@pytest.mark.req("REQ-020")
def test_stop_is_confirmed_while_nothing_runs():
    code, data, errors = rheo("stop")
    assert (code, data["confirmed"]) == (0, True), errors


@pytest.mark.req("REQ-005", "REQ-014")
def test_the_quick_sweep_passes(tmp_path):
    """The interlock's cell needs a hand at a terminal: here it is not run, and that is no fail."""
    code, data, errors = rheo("bench", "sweep", "--quick", "--out", tmp_path, timeout_s=QUICK_S)
    assert code == 0, (errors, data)
