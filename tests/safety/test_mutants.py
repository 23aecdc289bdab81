"""The figures of docs/safety/mutants.md are of this code, nothing in them is unexplained, and the tool finds a hole.

About 15 s of processor time, most of it for a sample of the mutants, which is tried anew in every run.
"""

import hashlib
import json
import subprocess
import sys

import pytest
from rheobase import paths

ROOT = paths.firmware_dir().parent
sys.path.append(str(ROOT / "tools"))

import mutants  # noqa: E402
from mutations import OPERATORS  # noqa: E402

REPORT = json.loads(mutants.JSON.read_text())
AGAIN = "changed since: run `make mutants`"


@pytest.mark.req("REQ-137")
@pytest.mark.parametrize("file", ["limits.py", "plan.py", "session.py", "frames.py"])
def test_the_figures_are_of_the_code_that_is_there(file):
    digest = hashlib.sha256((mutants.CORE / file).read_bytes()).hexdigest()
    part = REPORT["files"][file]
    assert part["sha256"] == digest, f"{file} has {AGAIN}"
    assert part["mutants"] == len(mutants.made(file.removesuffix(".py"))), f"tools/mutations.py has {AGAIN}"
    assert part["mutants"] == part["killed"] + part["explained"] == part["killed"] + len(part["survivors"])


@pytest.mark.req("REQ-137")
def test_every_survivor_has_its_reason_and_every_reason_its_survivor():
    why = mutants.explanations()
    assert mutants.complaints(REPORT["files"], list(mutants.OTHERS)) == []
    files = REPORT["files"].items()
    lived = {(file, s["line"], s["change"]): s["why"] for file, part in files for s in part["survivors"]}
    assert lived == why
    assert all(len(reason.split()) >= 6 for reason in why.values())


def test_the_page_is_what_the_figures_say():
    assert mutants.PAGE.read_text() == mutants.page(REPORT), f"docs/safety/mutants.json has {AGAIN}"


def test_a_survivor_without_a_reason_and_a_reason_without_a_survivor_are_told(tmp_path, monkeypatch):
    part = dict(REPORT["files"]["frames.py"])
    part["survivors"] = [{"at": 7, "line": "if hurt:", "change": "hurt -> False", "operator": "condition", "why": None}]
    stale = tmp_path / "equivalent.toml"
    stale.write_text('[[equivalent]]\nfile = "frames.py"\nline = "gone"\nchanges = ["a -> b"]\nwhy = "It was so."\n')
    monkeypatch.setattr(mutants, "EXPLAINED", stale)
    survivor, reason = mutants.complaints({"frames.py": part}, ["frames"])
    assert survivor == "frames.py:7 no test fails for: hurt -> False"
    assert reason == "equivalent.toml explains what does not survive: frames.py: gone [a -> b]"


@pytest.mark.req("REQ-137")
def test_thirty_mutants_of_all_four_files_are_killed_by_their_own_tests():
    assert {row[0] for row in REPORT["sample"]} == set(REPORT["files"])
    assert len(REPORT["sample"]) >= 28
    done = subprocess.run([sys.executable, mutants.__file__, "--sample"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith(f"{len(REPORT['sample'])} of {len(REPORT['sample'])} killed\n")


# -- the tool ------------------------------------------------------------------------------------------------------

SOURCE = """MOST_UA = 100


def refused(ua, live):
    if ua < 0:
        return "too_low"
    if live and ua > MOST_UA:
        return "too_high"
    while live:
        ua -= 1
        live = ua > 0
    return None
"""
TEST = """from dose import refused


def test_low():
    assert refused(-1, False) == "too_low"
    assert refused(0, False) is None


def test_ends():
    assert refused(3, True) is None
"""
CLOSED = """

def test_high():
    assert refused(100, True) is None
    assert refused(101, True) == "too_high"
    assert refused(101, False) is None
"""
TRY = """
import json, sys
from pathlib import Path
from mutations import mutants
from trial import Target, ground, outcomes
path = Path(sys.argv[1])
target = Target("dose", path, ["test_dose.py"], [], path.parent)
every = [m for m in mutants("dose.py", path.read_text()) if m.line < 9 or m.line == 10 and m.change == "deleted"]
print(json.dumps([[m.line, m.change, killer] for m, killer in outcomes(target, every, ground(target))]))
"""


def tried(folder, test):
    """{(line, change): killer} of SOURCE under a test."""
    (folder / "dose.py").write_text(SOURCE)
    (folder / "test_dose.py").write_text(test)
    run = [sys.executable, "-c", TRY, str(folder / "dose.py")]
    env = {"PYTHONPATH": f"{ROOT / 'tools'}:{folder}", "PATH": ""}
    done = subprocess.run(run, cwd=folder, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return {(line, change): killer for line, change, killer in json.loads(done.stdout)}


@pytest.mark.req("REQ-137")
def test_a_check_that_no_test_covers_is_found_and_is_found_closed_once_one_does(tmp_path):
    hole = tried(tmp_path, TEST)
    missing = {(1, "100 -> 101"), (7, "live and ua > MOST_UA -> False"), (8, "deleted"), (7, "ua > MOST_UA -> >=")}
    assert {key for key in missing if hole[key]} == set()
    assert hole[5, "ua < 0 -> False"] == "test_dose.py::test_low"
    assert hole[10, "deleted"] == "time", "a loop without an end is a mutant killed"
    closed = tried(tmp_path, TEST + CLOSED)
    assert all(closed[key] == "test_dose.py::test_high" for key in missing)


def test_tests_that_fail_by_themselves_prove_nothing_and_are_refused(tmp_path):
    with pytest.raises(AssertionError, match="error: without any mutant these fail: test_dose.py::test_odd"):
        tried(tmp_path, TEST + "\n\ndef test_odd():\n    assert refused(1, False)\n")


def test_each_operator_is_used_and_no_two_mutants_are_alike():
    every = [mutant for name in mutants.OTHERS for mutant in mutants.made(name)]
    assert {mutant.operator for mutant in every} == set(OPERATORS)
    assert len({mutant.key for mutant in every}) == len({(m.file, m.source) for m in every}) == len(every)


def test_every_cap_and_every_refusal_of_the_four_files_is_among_what_is_broken():
    """Each number in capitals, one more and one less; each raise and each refuse(), deleted; each if, both ways."""
    caps = {(m.text.split(" ")[0], m.change) for m in mutants.made("limits") if m.lines is None}
    assert {("NEEDLE_MAX_UA", "10_000 -> 10001"), ("RMS_MAX_UA", "50_000 -> 49999"), ("STEP_UA", "200 -> 201")} <= caps
    for name in mutants.OTHERS:
        every = mutants.made(name)
        for number, text in enumerate((mutants.CORE / f"{name}.py").read_text().splitlines(), 1):
            changes = [m.change for m in every if m.line == number]
            words = text.split()
            if words[:1] == ["raise"] or text.strip().startswith(("refuse(", "self._refuse(", "self._need(")):
                assert any(change.startswith("deleted") for change in changes), text
            if words[:1] == ["if"]:
                assert sum(" -> True" in c or " -> False" in c for c in changes) >= 2, text
