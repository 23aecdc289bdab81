"""The same files under the MicroPython Unix VM: same integers, same refusals, same sentences."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from rheobase import library, paths
from rheocore import units
from rheocore.protocol import ProtocolError, compact, validate

SCRIPT = """
import sys, json
sys.path.insert(0, sys.argv[1])
from rheocore import units
from rheocore.protocol import ProtocolError, compact, validate
job = json.load(open(sys.argv[2]))
out = {"compact": [compact(validate(doc), 1000) for doc in job["docs"]], "refused": [], "units": []}
for doc in job["bad"]:
    try:
        validate(doc)
    except ProtocolError as error:
        out["refused"].append([error.path, error.message, error.hint, error.code])
for text, kind in job["units"]:
    try:
        out["units"].append(units.parse(text, kind))
    except units.UnitError as error:
        out["units"].append([error.message, error.hint])
print(json.dumps(out))
"""
QUANTITIES = [
    ("2mA", "current"),
    ("2.5005 mA", "current"),
    ("250\u00b5s", "time_us"),
    ("0.5h", "duration"),
    ("1.5k\u03a9", "resistance"),
    ("25cm\u00b2", "area"),
    ("2", "current"),
    ("2ma", "current"),
    ("1,5s", "duration"),
    ("-1mA", "current"),
]


def bad(doc, section, key, value):
    out = json.loads(json.dumps(doc))
    out[section][key] = value
    return out


def micropython():
    beside = Path(sys.executable).parent / "micropython"
    return str(beside) if beside.exists() else shutil.which("micropython")


@pytest.mark.skipif(micropython() is None, reason="the MicroPython Unix VM is not installed")
def test_protocols_and_units_are_the_same_on_both_interpreters(tmp_path):
    docs = [library.load(name) for name in library.shipped_ids()]
    first = docs[0]
    refused = [
        bad(first, "train", "width_us", 2000),
        {**first, "title": "\x1b[2J"},
        {**first, "title": "\x9b2J"},
        bad(first, "train", "widht_us", 200),
        bad(first, "train", "frequency_hz", 0.5),
        bad(first, "envelope", "ramp_up_s", 0.1),
        bad(first, "session", "duration_s", 4),
        bad(first, "limits", "max_ma", -1),
        bad(first, "train", "kind", "burst"),
        bad(first, "train", "frequency_hz", [1, 2]),
    ]
    job, script = tmp_path / "job.json", tmp_path / "job.py"
    job.write_text(json.dumps({"docs": docs, "bad": refused, "units": QUANTITIES}))
    script.write_text(SCRIPT)
    lib = str(paths.firmware_dir() / "lib")
    run = subprocess.run([micropython(), str(script), lib, str(job)], capture_output=True, text=True, timeout=60)
    assert run.stderr == "" and run.returncode == 0
    out = json.loads(run.stdout)
    assert out["compact"] == [compact(validate(doc), 1000) for doc in docs]
    sentences = []
    for doc in refused:
        with pytest.raises(ProtocolError) as caught:
            validate(doc)
        sentences.append([caught.value.path, caught.value.message, caught.value.hint, caught.value.code])
    assert out["refused"] == sentences
    for (text, kind), value in zip(QUANTITIES, out["units"], strict=True):
        try:
            assert units.parse(text, kind) == value
        except units.UnitError as error:
            assert value == [error.message, error.hint]
