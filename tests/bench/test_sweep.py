"""The sweep without a board: what its matrix holds, what it keeps, how it goes on, what it leaves behind.

Times and pulses are those of the plan (stand_in.py); the real image is in test_sweep_image.py and test_sweep_broken.py.
"""

import json
import os
import xml.etree.ElementTree as xml
from itertools import combinations
from pathlib import Path

import pytest
from bench.stand_in import Board, Playing
from rheobase import boards
from rheobase.bench import matrix, results, sweep
from rheobase.cli.bench_sweep import summary
from rheobase.cli.main import main
from rheobase.errors import EXIT_BENCH, DeviceFault, DeviceLost, HostError, Refused, RheoError, UsageError
from rheocore import config, items, limits
from rheocore.plan import Plan

CHANNELS = [1, 2, 3]
NAMED = {"label": "one", "operator": "QA", "instrument": None, "image_sha256": None}


@pytest.fixture(autouse=True)
def plain_page(request, monkeypatch):
    """Sweeps here write a page of one word, but for tests of the page."""
    if "real_page" not in request.fixturenames:
        monkeypatch.setattr("rheobase.bench.sheet.page", lambda result: "page")


@pytest.fixture
def real_page():
    """This test wants the report as it is."""


class Hand(sweep.Hand):
    """Opens what the stand-in opens by itself."""


def part(*cells, quick=True):
    """The matrix of the sessions that hold these cells."""
    plays = [p for p in matrix.make(CHANNELS, quick).plays if {c.id for c in p.cells} & set(cells)]
    return matrix.Matrix(tuple(plays), quick)


def swept(folder, plan=None, board=None, play=None, named=NAMED, hand=None):
    plan = plan or part("100Hz-200us-gap50/1", "burst/1")
    return sweep.Sweep(board or Board(), plan, folder, named, hand or Hand(), play=play or Playing()).run()


def lost():
    return DeviceLost("lost", "The board on /dev/nowhere has gone.", "Check the cable.")


# -- the matrix ----------------------------------------------------------------------------------------------------


def test_every_pair_of_levels_is_in_the_matrix_on_every_channel():
    found = matrix.combinations()
    levels = (matrix.FREQUENCIES_HZ, matrix.WIDTHS_US, matrix.GAPS_US)
    for i, j in combinations(range(3), 2):
        assert {(c[i], c[j]) for c in found} == {(a, b) for a in levels[i] for b in levels[j]}
    assert len(found) >= 30 and len(set(found)) == len(found)
    cells = [c for c in matrix.make(CHANNELS).cells if c.kind == "combination"]
    assert {(c.levels, c.channel) for c in cells} == {(levels, n) for levels in found for n in CHANNELS}


def test_the_matrix_reaches_the_ends_of_every_range():
    configs = [p.configs[c.channel] for p in matrix.make(CHANNELS).plays for c in p.cells if c.kind == "combination"]
    assert {1_000_000, 2_500} <= {c["period_us"] for c in configs}
    assert {1, 1023} <= {c["width_us"] for c in configs}
    assert {3, 255} <= {c["gap_us"] for c in configs}
    tightest = [c for c in configs if c["period_us"] == 2_500]
    rests = {2_500 - items.min_period_us(c["width_us"], c["gap_us"]) for c in tightest}
    assert {0, 1} & rests and min(rests) >= 0, "the longest phase that fits 400 Hz leaves no rest"


@pytest.mark.parametrize("quick", [False, True])
@pytest.mark.parametrize("channels", [[1], [1, 2], CHANNELS, [1, 2, 3, 4, 5, 6]])
def test_every_session_may_be_played_and_every_cell_is_captured_once(quick, channels):
    plan = matrix.make(channels, quick)
    ids = [cell.id for cell in plan.cells]
    assert len(ids) == len(set(ids))
    for play in plan.plays:
        wires = 2 * len(play.captured) + (play.act == "interlock")
        assert wires <= 4 and len(play.cells) == len(play.captured)
        assert set(play.configs) == set(channels)
        assert not limits.judge_all(play.configs, boards.load())
        assert all(cfg["amplitude_ua"] == 0 and cfg["bench"] for cfg in play.configs.values())


def test_the_commanded_counts_are_the_plans_though_nothing_of_the_plan_is_in_them():
    for play in matrix.make(CHANNELS).plays:
        for cell in play.cells:
            cfg = play.configs[cell.channel]
            if cell.kind == "combination":
                assert cfg["period_us"] == config.period_us(cell.levels[0] * 1000)
            if cell.pulses is not None:
                plan, starts = Plan(cfg), []
                at_us = 0
                while plan.next():
                    starts += [at_us] * plan.pulse
                    at_us = plan.at_us
                assert starts == matrix.starts_us(cfg) and len(starts) == cell.pulses


def test_quick_has_every_kind_of_cell_and_every_pair_of_extremes_in_a_minute_on_a_real_board():
    """Margin: 60 s, the whole wait for a hand at the interlock in it."""
    plan, full = matrix.make(CHANNELS, quick=True), matrix.make(CHANNELS)
    assert plan.seconds(emulated=False) <= 60
    assert {c.kind for c in plan.cells} == {c.kind for c in full.cells}
    assert {play.act for play in plan.plays} == set(matrix.ENDS)
    ends = [(levels[0], levels[-1]) for levels in (matrix.FREQUENCIES_HZ, matrix.WIDTHS_US, matrix.GAPS_US)]
    corners = [c for c in matrix.quick_combinations() if all(v in e for v, e in zip(c, ends, strict=True))]
    for i, j in combinations(range(3), 2):
        assert {(c[i], c[j]) for c in corners} == {(a, b) for a in ends[i] for b in ends[j]}
    assert plan.id != full.id and plan.id == matrix.make(CHANNELS, quick=True).id


def test_a_full_sweep_of_an_emulated_board_is_meant_to_take_less_than_ten_minutes():
    assert matrix.make(CHANNELS).seconds(emulated=True) <= 600


# -- a whole sweep -------------------------------------------------------------------------------------------------


def test_a_good_board_passes_every_kind_of_cell_and_leaves_three_files(tmp_path):
    plan = matrix.make(CHANNELS, quick=True)
    result, paths = swept(tmp_path, plan)
    assert {row["cell"]: row["reasons"] for row in result["cells"]} == {c.id: [] for c in plan.cells}
    assert result["verdict"] == "pass" and result["counts"]["pass"] == len(plan.cells)
    assert [row["cell"] for row in result["cells"]] == [c.id for c in plan.cells]
    assert {os.path.basename(p) for p in paths.values()} == set(os.listdir(tmp_path))
    assert all(os.path.basename(p).startswith("E6614103E7000001-") for p in paths.values())
    assert results.load(paths["json"]) == json.loads(json.dumps(result))


def test_what_a_board_says_of_itself_names_no_file_outside_the_folder(tmp_path):
    _, paths = swept(tmp_path / "out", board=Board(serial="../../x"))
    assert all(Path(path).resolve().parent == tmp_path / "out" for path in paths.values())


def spoiled(**legs):
    """A spoil() that does something to channel 1: leg=function of its times."""

    def spoil(n, found):
        for leg, change in legs.items():
            if n == 1:
                found[leg] = change(found[leg])

    return spoil


@pytest.mark.parametrize(
    ("spoil", "result", "verdict", "says"),
    [
        (spoiled(B=lambda t: [v + k % 2 for k, v in enumerate(t)]), {}, "fail", "Phase B is 201"),
        (spoiled(A=lambda t: t[:-2], B=lambda t: t[:-2]), {}, "fail", "counted 100 pulses, 99 are on the pins."),
        (None, {"stop_reason": "underrun", "fault": "underrun"}, "fail", "It ended by underrun, and should"),
        (spoiled(A=lambda t: [], B=lambda t: []), {}, "fail", "There is no pulse on the pins."),
    ],
    ids=["phase", "count", "end", "silent"],
)  # fmt: skip
def test_a_bad_channel_fails_its_own_cell_and_no_other(tmp_path, spoil, result, verdict, says):
    found, _ = swept(tmp_path, part("100Hz-200us-gap50/1"), play=Playing(spoil, result))
    one, two = found["cells"]
    assert one["verdict"] == verdict and says in " ".join(one["reasons"]), one["reasons"]
    assert two["verdict"] == ("fail" if result else "pass")
    assert found["verdict"] == "fail"
    assert (tmp_path / one["capture"]).exists()


def late(after_ms):
    """Pulses go on for so long after they should have ended."""

    def spoil(n, legs):
        for leg, times in legs.items():
            period = times[-1] - times[-3]
            more = int(after_ms * 1000 / period)
            legs[leg] = times + [t + k * period for k in range(1, more + 1) for t in times[-2:]]

    return spoil


@pytest.mark.parametrize(
    ("cell", "after_ms", "says"),
    [
        ("starvation/1", 300, "Last edge after the stall"),
        ("cutoff/2", 60, "Last edge after the first"),
        ("interlock/3", 100, "interlock"),
        ("time_over/1", 20, "Last edge after the first"),
    ],
)
def test_an_output_that_ends_too_late_fails_the_cell_of_that_end(tmp_path, cell, after_ms, says):
    found, _ = swept(tmp_path, part(cell), play=Playing(late(after_ms)))
    row = next(row for row in found["cells"] if row["cell"] == cell)
    assert row["verdict"] == "fail" and says in " ".join(row["reasons"]), row["reasons"]


@pytest.mark.parametrize(("late_ns", "verdict"), [(40, "pass"), (84, "pass"), (100, "cannot_tell"), (120, "fail")])
def test_a_pulse_that_the_interlock_cuts_passes_if_it_is_low_in_100_ns(tmp_path, late_ns, verdict):
    """Uncertainty: one look of 16 ns. The opening lies 300 us into phase A of the last pulse."""
    playing = Playing()

    def play(*args, **options):
        capture, result = playing(*args, **options)
        a, b = (capture.signals[f"CH3_{leg}"] for leg in "AB")
        opened = int(a.edges_ps[-2]) + 300_000_000
        capture.signals["INTERLOCK"].edges_ps[:] = opened
        a.edges_ps[-1], b.edges_ps = opened + late_ns * 1000, b.edges_ps[:-2]
        told = result["channels"]["3"]
        told.update(pulses=told["pulses"] - 1, truncated=1)
        return capture, result

    found, _ = swept(tmp_path, part("interlock/3"), play=play)
    [row] = found["cells"]
    assert row["verdict"] == verdict, row["reasons"]
    assert row["extra"][0]["value"] == late_ns and row["extra"][0]["most"] == 100


def test_a_cutoff_that_comes_too_early_fails(tmp_path):
    early = spoiled(A=lambda t: t[:-8], B=lambda t: t[:-8])
    found, _ = swept(tmp_path, part("cutoff/1", quick=False), play=Playing(early))
    row = next(row for row in found["cells"] if row["cell"] == "cutoff/1")
    assert row["verdict"] == "fail" and "before the cutoff" in " ".join(row["reasons"])


def test_a_fault_in_a_cell_fails_it_with_the_boards_sentence_and_the_sweep_goes_on(tmp_path):
    board = Board()
    board.status_now = {"state": "fault", "fault": "self_test", "fault_channel": None, "interlock": True}
    fault = DeviceFault("self_test", "The board is in fault: The self-test at arming failed.")
    found, _ = swept(tmp_path, board=board, play=Playing(raises={1: fault}))
    assert [row["verdict"] for row in found["cells"]] == ["fail", "fail", "pass", "pass"]
    assert found["cells"][0]["reasons"] == [fault.message]
    assert board.calls == ["clear_fault"]


def test_a_refusal_fails_and_a_capture_that_cannot_be_trusted_is_not_told(tmp_path):
    refusal = Refused("refused", "Channel 1: Width 1023 us is too high.")
    crowded = RheoError(
        "capture_stalled", "Edges on CH1_A came faster than the board could store them.", None, EXIT_BENCH
    )
    found, _ = swept(tmp_path, play=Playing(raises={1: refusal, 2: crowded}))
    assert [row["verdict"] for row in found["cells"]] == ["fail", "fail", "cannot_tell", "cannot_tell"]


def test_a_board_whose_fault_stays_ends_the_sweep(tmp_path):
    board = Board()
    board.status_now = {"state": "fault", "fault": "supply_low", "fault_channel": None, "interlock": True}

    def refuse(method, params=None, **options):
        raise DeviceFault("not_gone", "It is still there.")

    board.call = refuse
    with pytest.raises(DeviceFault) as told:
        swept(tmp_path, board=board)
    assert "supply" in told.value.message and "goes on" in told.value.hint


def test_without_anybody_at_the_interlock_its_cell_is_not_run_and_neither_passes_nor_fails(tmp_path, real_page):
    hand = Hand()
    hand.absent = "There is no terminal to ask an operator on."
    found, paths = swept(tmp_path, part("interlock/3", "stop/1"), hand=hand)
    assert found["counts"] == {"pass": 2, "fail": 0, "cannot_tell": 0, "not_run": 1} and found["verdict"] == "pass"
    assert found["cells"][-1]["reasons"] == [hand.absent]
    page = Path(paths["html"]).read_text()
    assert hand.absent in page
    assert "PASS OF WHAT WAS RUN: 2 of 3 cells; 1 NOT RUN" in page and 'class="box warn result"' in page
    assert summary(found, paths).startswith("PASS of what was run:")
    alone, _ = swept(tmp_path / "alone", part("interlock/3"), hand=hand)
    assert alone["verdict"] == "cannot_tell"


def test_an_interlock_that_is_not_seen_to_open_cannot_be_told(tmp_path):
    """Nobody opened it, or the board does not see it: the second must not look like a pass."""
    playing = Playing()

    def play(*args, **options):
        capture, result = playing(*args, **options)
        if "INTERLOCK" in capture.signals:
            capture.signals["INTERLOCK"].edges_ps = capture.signals["INTERLOCK"].edges_ps[:0]
            result.update(stop_reason="time_over", fault=None)
        return capture, result

    found, _ = swept(tmp_path, part("interlock/3", "stop/1"), play=play)
    assert [row["verdict"] for row in found["cells"]] == ["pass", "pass", "cannot_tell"]
    row = found["cells"][-1]
    assert "30 s" in row["reasons"][0]
    assert found["verdict"] == "cannot_tell"


def test_an_interlock_that_is_open_at_the_start_is_asked_to_be_closed_and_fails_no_cell(tmp_path):
    board = Board()
    board.status_now = {"state": "idle", "fault": None, "fault_channel": None, "interlock": False}
    asked = []

    class Closer(Hand):
        def close(self):
            asked.append(True)
            board.status_now = {**board.status_now, "interlock": True}

    playing = Playing()

    def play(*args, **options):
        assert board.status_now["interlock"], "a session was begun with the interlock open"
        return playing(*args, **options)

    found, _ = swept(tmp_path, board=board, play=play, hand=Closer())
    assert asked == [True] and found["verdict"] == "pass"


def test_a_pause_that_gives_time_back_fails(tmp_path):
    """One pulse more than commanded may be: the stretches end with a whole item each."""

    def spoil(more):
        def change(n, legs):
            for times in legs.values():
                for _ in range(more):
                    times += [times[-2] + 20_000, times[-1] + 20_000]

        return change

    for more, verdict in ((1, "pass"), (2, "fail")):
        found, _ = swept(tmp_path / str(more), part("pause/2"), play=Playing(spoil(more)))
        row = next(row for row in found["cells"] if row["cell"] == "pause/2")
        said = any("make the session" in reason for reason in row["reasons"])
        assert said == (verdict == "fail"), row["reasons"]


# -- going on ------------------------------------------------------------------------------------------------------


def test_after_a_pulled_cable_the_same_command_repeats_the_session_in_play_and_no_other(tmp_path):
    plan = part("100Hz-200us-gap50/1", "burst/1", "stop/1")
    with pytest.raises(DeviceLost) as told:
        swept(tmp_path, plan, play=Playing(raises={2: lost()}))
    assert f"2 of {len(plan.cells)} cells" in told.value.hint
    again = Playing()
    found, _ = swept(tmp_path, plan, play=again)
    assert again.calls == len(plan.plays) - 1
    assert found["resumed"] == 1 and found["verdict"] == "pass"
    assert [row["cell"] for row in found["cells"]] == [c.id for c in plan.cells]
    assert not (tmp_path / results.PROGRESS).exists()


@pytest.mark.parametrize("cut", [1, 20, 200])
def test_a_torn_last_line_costs_its_cell_and_nothing_else(tmp_path, cut):
    plan = part("100Hz-200us-gap50/1", "burst/1")
    with pytest.raises(DeviceLost):
        swept(tmp_path, plan, play=Playing(raises={2: lost()}))
    path = tmp_path / results.PROGRESS
    path.write_bytes(path.read_bytes()[:-cut])
    with pytest.raises(DeviceLost):  # once more: what is appended now must not hang on the torn line
        swept(tmp_path, plan, play=Playing(raises={1 + (cut > 1): lost()}))
    found, _ = swept(tmp_path, plan)
    assert found["verdict"] == "pass" and len(found["cells"]) == 4
    assert found["resumed"] == 2


@pytest.mark.parametrize("keep", [0, 1, 30])
def test_a_head_that_was_never_whole_begins_anew(tmp_path, keep):
    with pytest.raises(DeviceLost):
        swept(tmp_path, play=Playing(raises={1: lost()}))
    path = tmp_path / results.PROGRESS
    path.write_bytes(path.read_bytes()[:keep])
    found, _ = swept(tmp_path)
    assert found["resumed"] == 0 and found["verdict"] == "pass"


@pytest.mark.parametrize(
    ("board", "plan", "named", "says"),
    [
        (Board(serial="E6614103E7000002"), None, NAMED, "was begun with board E6614103E7000001; this is board E66141"),
        (Board(firmware="fedcba9876543210"), None, NAMED, "was begun with firmware 0123456789abcdef"),
        (None, part("stop/1"), NAMED, "the matrix"),
        (None, None, {**NAMED, "label": None}, "was begun with --label one; this is --label (none)"),
        (None, None, {**NAMED, "operator": "XY"}, "was begun with --operator QA; this is --operator XY"),
    ],
    ids=["serial", "firmware", "matrix", "label", "operator"],
)
def test_a_sweep_goes_on_only_as_it_was_begun(tmp_path, board, plan, named, says):
    with pytest.raises(DeviceLost):
        swept(tmp_path, play=Playing(raises={2: lost()}))
    before = (tmp_path / results.PROGRESS).read_bytes()
    play = Playing()
    with pytest.raises(UsageError) as told:
        swept(tmp_path, plan, board, play, named)
    assert says in told.value.message and results.PROGRESS in told.value.hint
    assert play.calls == 0 and (tmp_path / results.PROGRESS).read_bytes() == before


@pytest.mark.parametrize("text", ["hello\n", "{}\n", "[1]\n", '{"tool": "rheo bench sweep", "schema": 99}\n', "\0\n"])
def test_a_file_that_is_no_progress_is_left_alone(tmp_path, text):
    (tmp_path / results.PROGRESS).write_text(text)
    with pytest.raises(UsageError, match="not the progress"):
        swept(tmp_path)
    assert (tmp_path / results.PROGRESS).read_text() == text


def test_two_sweeps_into_one_folder_are_refused(tmp_path):
    board = Board()
    head = sweep.identity(board, part("stop/1"), NAMED)
    with results.Progress(tmp_path, head), pytest.raises(HostError, match="Another rheo"):
        swept(tmp_path)


def test_a_full_disk_is_a_sentence_and_the_sweep_goes_on_once_there_is_room(tmp_path, monkeypatch):
    real = os.write
    full = []

    def write(fd, data):
        if len(full) < 3 and b'"cell"' in data:  # takes a part of the line, as a full disk does
            full.append(1)
            return real(fd, data[:40])
        return real(fd, data)

    monkeypatch.setattr(results.os, "write", write)
    with pytest.raises(HostError, match="No space"):
        swept(tmp_path)
    monkeypatch.undo()
    found, _ = swept(tmp_path)
    assert found["verdict"] == "pass"


# -- what is left behind ---------------------------------------------------------------------------------------------


def bad_result(tmp_path, words="Edges came too fast. <b>"):
    """A result with one of each verdict."""
    crowded = RheoError("capture_stalled", words, None, EXIT_BENCH)
    hand = Hand()
    hand.absent = "There is no terminal to ask an operator on."
    plan = part("100Hz-200us-gap50/1", "burst/1", "stop/1", "interlock/3")
    spoil = spoiled(B=lambda t: [v + k % 2 for k, v in enumerate(t)])
    named = {**NAMED, "label": "<script>alert(1)</script> & co"}
    play = Playing(spoil, raises={3: crowded})
    return swept(tmp_path, plan, play=play, hand=hand, named=named)


def test_the_junit_file_is_well_formed_and_its_counts_are_those_of_its_cases(tmp_path):
    found, paths = bad_result(tmp_path, "No XML can hold \0 or \x1b; <b> & ]]> it can.")
    root = xml.parse(paths["xml"]).getroot()
    assert root.tag == "testsuites"
    for node in [root, *root.findall("testsuite")]:
        cases = list(node.iter("testcase"))
        told = {name: int(node.get(name)) for name in ("tests", "failures", "errors", "skipped")}
        tags = {"failures": "failure", "errors": "error", "skipped": "skipped"}
        assert told == {"tests": len(cases)} | {n: len(list(node.iter(tag))) for n, tag in tags.items()}
    assert int(root.get("failures")) == found["counts"]["fail"] > 0
    assert int(root.get("errors")) == found["counts"]["cannot_tell"] > 0
    assert int(root.get("skipped")) == found["counts"]["not_run"] > 0


def test_the_report_is_one_page_that_escapes_every_text_and_hides_no_bad_cell(tmp_path, real_page):
    found, paths = bad_result(tmp_path)
    page = Path(paths["html"]).read_text(encoding="utf-8")
    assert "<script" not in page and "&lt;script&gt;" in page
    for forbidden in ("http://", "https://", "@import", "url(", "<link"):
        assert forbidden not in page.replace("http://www.w3.org", "")
    for row in found["cells"]:
        for reason in row["reasons"]:
            assert reason.split("<")[0].strip() in page
    for said in (
        "FAIL",
        "CANNOT TELL",
        "NOT RUN",
        "How soon a stop command is obeyed",
        "those of the other trains are not",
        found["matrix"],
        found["firmware_hash"],
        "Not a medical device",
    ):
        assert said in page
    assert "EMULATED" not in page
    emulated, paths = swept(tmp_path / "e", part("stop/1"), board=Board(emulated=True))
    assert Path(paths["html"]).read_text(encoding="utf-8").count("emulated") > 1


def test_a_text_for_the_report_is_one_short_printable_line(tmp_path, capsys):
    for option in ("--label", "--operator", "--instrument"):
        for text in ("", " ", "x" * 81, "two\nlines", "bell\a"):
            assert main(["bench", "sweep", "--out", str(tmp_path), option, text, "-p", "/dev/nowhere"]) == 2
            assert "printable" in capsys.readouterr().err


def test_a_folder_that_cannot_be_is_said_before_anything_is_played(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert main(["bench", "sweep", "--out", str(tmp_path / "file"), "-p", "/dev/nowhere"]) == 8
    assert "cannot be written" in capsys.readouterr().err
