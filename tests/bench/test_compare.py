"""What changed between two sweeps: who, with what, verdicts, figures; and whether B is the worse one. No board."""

import copy
import json

import pytest
from bench.stand_in import Board, Playing
from rheobase.bench import compare, matrix, results, sweep
from rheobase.cli.main import main

SWEEP = '{"tool": "rheo bench sweep", '
CELLS = ("100Hz-200us-gap50/1", "stop/1", "cutoff/2")


@pytest.fixture
def made(tmp_path, monkeypatch):
    """A result of some cells, all passed, and its file."""
    monkeypatch.setattr("rheobase.bench.sheet.page", lambda result: "page")
    plays = [p for p in matrix.make([1, 2, 3], True).plays if {c.id for c in p.cells} & set(CELLS)]
    plan = matrix.Matrix(tuple(plays), True)
    result, paths = sweep.Sweep(Board(), plan, tmp_path / "a", {}, play=Playing()).run()
    return json.loads(json.dumps(result)), paths["json"]


def other(result, **changes):
    """A copy of a result with fields changed."""
    return copy.deepcopy(result) | changes


def cell(result, name):
    return next(row for row in result["cells"] if row["cell"] == name)


def changed(made, tmp_path, result):
    """(exit code, path) of a comparison of the file with `result` as B."""
    path = tmp_path / "b.json"
    path.write_bytes(results.text(result))
    return main(["bench", "compare", made[1], str(path)])


def test_a_sweep_compared_with_itself_says_that_nothing_changed(made, capsys):
    assert main(["bench", "compare", made[1], made[1]]) == 0
    assert capsys.readouterr().out.startswith("Nothing changed")
    assert main(["bench", "compare", made[1], made[1], "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["data"]["same"] is True


def test_differences_of_identity_are_told_and_make_nothing_worse(made, tmp_path, capsys):
    b = other(made[0], serial="E66141", firmware_hash="f" * 16, instrument="bench 2", matrix="0" * 12)
    assert changed(made, tmp_path, b) == 0
    out = capsys.readouterr().out
    for said in ("serial: E6614103E7000001 -> E66141", "firmware: ", "instrument: none -> bench 2", "matrix: "):
        assert said in out


@pytest.mark.parametrize("a", results.WORDS)
@pytest.mark.parametrize("b", results.WORDS)
def test_b_is_worse_where_a_cell_falls_behind(made, tmp_path, a, b, capsys):
    before, after = other(made[0]), other(made[0])
    cell(before, CELLS[1])["verdict"] = a
    cell(after, CELLS[1]).update(verdict=b, reasons=["So it is."])
    found = compare.compare(before, after)
    bad = ("cannot_tell", "not_run")
    worse = (a == "pass" and b != "pass") or (a in bad and b == "fail")
    assert found["worse"] == ([CELLS[1]] if worse else [])
    assert [c["cell"] for c in found["verdicts"]] == ([CELLS[1]] if a != b else [])


def test_a_worse_cell_is_exit_7_and_named_with_its_reason(made, tmp_path, capsys):
    b = other(made[0])
    cell(b, CELLS[0]).update(verdict="fail", reasons=["Phase B is 201.008 us, commanded 200 us."])
    assert changed(made, tmp_path, b) == 7
    out, err = capsys.readouterr()
    assert f"worse {CELLS[0]}: PASS -> FAIL (Phase B is 201.008" in out
    assert f"B is worse than A in 1 cell: {CELLS[0]}." in err


@pytest.mark.parametrize(("by_ns", "moved"), [(0, False), (32, False), (33, True), (-33, True)])
def test_a_figure_has_moved_only_beyond_both_uncertainties(made, tmp_path, by_ns, moved):
    b = other(made[0])
    worst = cell(b, CELLS[0])["worst"]["width"]
    assert worst["u_ns"] == 16
    worst["off_ns"] += by_ns
    found = compare.compare(made[0], b)
    assert [(f["cell"], f["figure"]) for f in found["figures"]] == ([(CELLS[0], "worst width")] if moved else [])
    assert found["worse"] == []


def test_the_figures_of_an_end_are_compared_too(made, tmp_path, capsys):
    b = other(made[0])
    cell(b, CELLS[2])["extra"][0]["value"] += 3
    assert changed(made, tmp_path, b) == 0
    assert "cutoff/2: last edge after the first" in capsys.readouterr().out


def test_a_figure_that_nothing_bounds_is_not_said_to_have_moved(made):
    """How long a pause lasted is the host's doing."""
    before, after = other(made[0]), other(made[0])
    for result, ms in ((before, 417.0), (after, 419.5)):
        low = {"what": "low in the pause", "value": ms, "u": 0.001, "unit": "ms", "most": None}
        cell(result, CELLS[1])["extra"] = [low]
    assert compare.compare(before, after)["same"]


def test_cells_of_only_one_are_named_and_make_neither_worse(made, tmp_path, capsys):
    b = other(made[0])
    gone = b["cells"].pop(0)
    b["cells"].append({**copy.deepcopy(gone), "cell": "new/1", "verdict": "fail"})
    assert changed(made, tmp_path, b) == 0
    out = capsys.readouterr().out
    assert f"only in A: 1 cell ({gone['cell']})" in out and "only in B: 1 cell (new/1)" in out


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is not JSON"),
        ("{", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("\udcff", "is not JSON"),
        ("[]", "is not the result of a sweep"),
        ('{"schema": 1}', "is not the result of a sweep"),
        (SWEEP + '"schema": 2}', "has version 2"),
        (SWEEP + '"schema": 1}', "is damaged"),
        (SWEEP + '"schema": 1, "cells": [{"cell": "a/1"}]}', "is damaged"),
        (SWEEP + '"schema": 1, "cells": [{"cell": "a/1", "verdict": "pass", "worst": 3}]}', "is damaged"),
        (SWEEP + '"schema": 1, "cells": [{"cell": "a/1", "verdict": "pass", "extra": [{}]}]}', "is damaged"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_result_is_a_sentence(made, tmp_path, text, says, capsys):
    path = tmp_path / "other.json"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    for pair in ((made[1], str(path)), (str(path), made[1])):
        assert main(["bench", "compare", *pair]) == 2
        assert says in capsys.readouterr().err


def test_a_file_that_is_not_there_is_a_sentence(made, tmp_path, capsys):
    assert main(["bench", "compare", made[1], str(tmp_path / "none.json")]) == 2
    assert "cannot be read: No such file" in capsys.readouterr().err
    assert main(["bench", "compare", made[1], str(tmp_path)]) == 2
