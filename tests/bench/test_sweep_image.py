"""The sweep on the real image, emulated: every kind of cell passes; a killed board, Ctrl-C, and going on after both."""

import json
import os
import signal
import xml.etree.ElementTree as xml
from pathlib import Path

import pytest
from host.calling import finish, start, until
from rheobase import boards
from rheobase.bench import matrix, results, sweep
from rheobase.cli.main import main
from rheobase.emulator import launch
from rheobase.link.greeting import open_board

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("private_folders")]


@pytest.fixture
def small(monkeypatch):
    """The command plays three sessions of one channel instead of its matrix."""
    plays = {play.cells[0].id: play for play in matrix.make([1], quick=True).plays}
    plan = matrix.Matrix(tuple(plays[c] for c in ("100Hz-200us-gap50/1", "stop/1", "interlock/1")), True)
    monkeypatch.setattr(matrix, "make", lambda channels, quick=False: plan)
    return plan


@pytest.mark.slow
def test_every_kind_of_cell_passes_on_the_real_image(tmp_path, board_image):
    """One of each: the trains, a usual combination and the tightest one, every end of output. A channel alone."""
    plays = matrix.make([1], quick=True).plays
    kinds = {play.cells[0].kind: play for play in reversed(plays)}
    tight = next(play for play in plays if play.cells[0].levels == (400, 1023, 3))
    plan = matrix.Matrix((*kinds.values(), tight), True)
    with launch.start(image_bin=board_image) as emulated, open_board(emulated.pty, True) as board:
        result, paths = sweep.Sweep(board, plan, tmp_path, {}, sweep.EmulatedHand(emulated.pty)).run()
    assert {row["cell"]: row["reasons"] for row in result["cells"]} == {cell.id: [] for cell in plan.cells}
    assert set(kinds) == {"combination", *matrix.TRAINS, *matrix.ENDS} - {"train"}
    assert result["verdict"] == "pass" and result["emulated"] and result["board"] == boards.DEFAULT
    [late] = next(row["extra"] for row in result["cells"] if row["kind"] == "interlock")
    assert late["u"] < late["value"] <= 100 - late["u"], "an emulated interlock opens in a phase: its latency is seen"
    assert all(row["pulses"]["pins"] == row["pulses"]["board"] > 0 for row in result["cells"])
    assert len(xml.parse(paths["xml"]).getroot().findall(".//testcase")) == len(plan.cells)


def test_a_board_that_is_killed_in_the_middle_is_exit_3_and_the_same_command_goes_on(
    tmp_path, board_image, small, monkeypatch, capsys
):
    """The process behind the pty is killed while the second session plays: what a pulled cable is."""
    out = str(tmp_path / "out")
    command = ["bench", "sweep", "--out", out, "--json"]
    with launch.start(image_bin=board_image) as emulated:
        monkeypatch.setattr(sweep.Act, "_stop", lambda act, player: os.kill(emulated.pid, signal.SIGKILL))
        assert main([*command, "-p", emulated.pty]) == 3
        answer = json.loads(capsys.readouterr().out)
        assert "1 of 3 cells are kept" in answer["errors"][0]["hint"]
    monkeypatch.undo()
    monkeypatch.setattr(matrix, "make", lambda channels, quick=False: small)
    lines = (tmp_path / "out" / results.PROGRESS).read_text().splitlines()
    assert [json.loads(line).get("cell") for line in lines] == [None, "100Hz-200us-gap50/1"]
    with launch.start(image_bin=board_image) as emulated:
        assert main([*command, "-p", emulated.pty]) == 0
    told, err = capsys.readouterr()
    assert "Resuming: 1 of 3 cells" in err and " stop/1" in err and " 100Hz-200us-gap50/1" not in err
    data = json.loads(told)["data"]
    assert data["verdict"] == "pass" and data["counts"]["pass"] == 3 and data["resumed"] == 1
    assert set(os.listdir(out)) == {os.path.basename(path) for path in data["files"].values()}
    page = Path(data["files"]["html"]).read_text(encoding="utf-8")
    assert "EMULATED BOARD" in page and "Resumed" not in page and "interlock" in page
    assert main(["bench", "compare", data["files"]["json"], data["files"]["json"]]) == 0


def test_ctrl_c_ends_a_sweep_with_the_output_off_and_what_was_judged_kept(tmp_path, board_image):
    with launch.start(image_bin=board_image) as emulated:
        process = start("bench", "sweep", "--quick", "--out", tmp_path / "out", "-p", emulated.pty, "--json")
        try:
            until(lambda: " PASS " in process.stderr.readline(), 120)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=60)
        finally:
            finish([process])
        assert process.returncode == 130 and "Traceback" not in err
        assert "the same command goes on" in json.loads(out)["errors"][0]["hint"]
        with open_board(emulated.pty, True) as board:
            assert board.info["state"] in ("done", "idle", "loaded")
            assert not any(channel["set_ua"] for channel in board.status()["channels"].values())
    kept = [json.loads(line) for line in (tmp_path / "out" / results.PROGRESS).read_text().splitlines()]
    assert [row["verdict"] for row in kept[1:]] == ["pass"] * (len(kept) - 1) and len(kept) >= 3
