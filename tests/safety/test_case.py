"""`make safety` is red where a hazard, a control, a requirement, a test or its result is missing, and says which."""

from types import SimpleNamespace

import case as cases
import figures
import ledger
import matrix
import proof
import pytest

HAZARDS = """
[controls]
"guard" = { kind = "chip", what = "watches", where = "firmware/lib/rheorp2/block.py" }
"rheo" = { kind = "host", what = "stops" }
"operator" = { kind = "person", what = "is there" }
[[hazard]]
id = "HAZ-01"
title = "It goes on"
cause = "Anything."
harm = "Pain."
controls = [
    { by = "guard", requirements = ["REQ-001"] },
    { by = "rheo", requirements = ["REQ-002"] },
    { by = "operator", duty = "Looks." },
]
residual = "Little."
owner = "firmware"
"""
REQUIREMENTS = """
[[requirement]]
id = "REQ-001"
text = "Off."
margin = "5 clocks"
[[requirement]]
id = "REQ-002"
text = "Proved off."
"""
MARKED = {"tests/e2e/test_a.py::test_off": {"REQ-001"}, "tests/host/test_b.py::test_proved": {"REQ-002"}}


def result(outcome, layer, *requirements):
    return {"outcome": outcome, "layer": layer, "requirements": list(requirements)}


def good_run():
    return {
        "tree": "this",
        "boards": {
            "RHEO_PICO": {
                "tests/e2e/test_a.py::test_off[leg A]": result("passed", "real image", "REQ-001"),
                "tests/e2e/test_a.py::test_off[gap]": result("passed", "real image", "REQ-001"),
                "tests/host/test_b.py::test_proved": result("passed", "unit", "REQ-002"),
            }
        },
    }


@pytest.fixture
def written(tmp_path):
    """written(hazards, requirements) -> (Case, problems) of such files."""

    def read(hazards=HAZARDS, requirements=REQUIREMENTS):
        (tmp_path / "hazards.toml").write_text(hazards)
        (tmp_path / "requirements.toml").write_text(requirements)
        return cases.read(tmp_path)

    return read


@pytest.fixture
def judged(written, monkeypatch):
    """judged(run, marked) -> what proof.problems says of a good case."""
    monkeypatch.setattr(ledger, "tree", lambda: "this")

    def judge(run, marked=MARKED):
        monkeypatch.setattr(proof, "marked", lambda: marked)
        return proof.problems(written()[0], run)

    return judge


def test_a_whole_case_whose_tests_passed_has_no_gap(written, judged):
    assert written()[1] == [] == judged(good_run())


LOST = {
    "a hazard without control": (
        'controls = [\n    { by = "guard"',
        'others = [\n    { by = "guard"',
        "HAZ-01 has no controls",
    ),
    "a software control without requirement": (', requirements = ["REQ-002"]', "", '"rheo" is software'),
    "a person's control without duty": (', duty = "Looks."', "", '"operator" needs its duty'),
    "a control that nobody knows": ('by = "rheo"', 'by = "hope"', 'no control "hope"'),
    "a requirement that there is not": ('"REQ-002"', '"REQ-003"', "REQ-003 is no requirement"),
    "a requirement that controls nothing": ('"REQ-002"', '"REQ-001"', "REQ-002 controls no hazard"),
    "a control that controls nothing": (
        '    { by = "operator", duty = "Looks." },\n',
        "",
        '"operator" controls no hazard',
    ),
    "a residual risk that is not told": ('residual = "Little."\n', "", "HAZ-01 has no residual"),
    "an owner that is not told": ('owner = "firmware"\n', "", "HAZ-01 has no owner"),
    "a control in a file that is gone": ("rheorp2/block.py", "rheorp2/blok.py", "is not there"),
}


@pytest.mark.parametrize("name", LOST)
def test_what_is_missing_in_the_hazards_is_a_sentence(written, name):
    old, new, says = LOST[name]
    assert old in HAZARDS
    assert says in " ".join(written(HAZARDS.replace(old, new, 1))[1])


def test_an_id_that_is_there_twice_is_a_sentence(written):
    assert "HAZ-01 is there twice." in written(HAZARDS + HAZARDS[HAZARDS.index("[[") :])[1]
    assert "REQ-001 is there twice." in written(HAZARDS, REQUIREMENTS + REQUIREMENTS[: REQUIREMENTS.index("[[r", 5)])[1]


def without(nodeid):
    run = good_run()
    run["boards"]["RHEO_PICO"] = {k: v for k, v in run["boards"]["RHEO_PICO"].items() if not k.startswith(nodeid)}
    return run


def with_outcome(nodeid, outcome):
    run = good_run()
    run["boards"]["RHEO_PICO"][nodeid]["outcome"] = outcome
    return run


def on(layer):
    run = good_run()
    for test in run["boards"]["RHEO_PICO"].values():
        test["layer"] = layer
    return run


OFF, PROVED = "tests/e2e/test_a.py::test_off[gap]", "tests/host/test_b.py::test_proved"


@pytest.mark.parametrize(
    "run, says",
    [
        ({**good_run(), "tree": "other"}, "No test has run on this tree"),
        (without(PROVED), f"{PROVED} shows REQ-002 and did not run"),
        (without(PROVED), "REQ-002 has no test that passed"),
        (with_outcome(PROVED, "skipped"), "did not run"),
        (with_outcome(OFF, "failed"), "REQ-001: tests/e2e/test_a.py::test_off failed"),
        (on("unit"), 'nothing shows "guard" on the real image'),
        (on("hardware"), "REQ-001 has no test that passed"),
    ],
)
def test_what_the_tests_do_not_show_is_a_sentence(judged, run, says):
    assert says in " ".join(judged(run))


def test_a_test_that_shows_what_is_no_requirement_is_a_sentence(judged):
    assert "shows REQ-999" in " ".join(judged(good_run(), {**MARKED, PROVED: {"REQ-002", "REQ-999"}}))


def test_a_test_of_the_hardware_may_wait_for_a_board(judged):
    run = good_run()
    run["boards"]["RHEO_PICO"]["tests/hardware/test_c.py::test_x"] = result("skipped", "hardware", "REQ-001")
    assert judged(run, {**MARKED, "tests/hardware/test_c.py::test_x": {"REQ-001"}}) == []


def test_marks_are_found_on_functions_and_modules(tmp_path):
    (tmp_path / "test_it.py").write_text(
        "import pytest\npytestmark = [pytest.mark.slow, pytest.mark.req('REQ-001')]\n"
        "@pytest.mark.req('REQ-002', 'REQ-003')\n@pytest.mark.parametrize('a', [1])\ndef test_one(a): ...\n"
        "def test_two(): ...\ndef helper(): ...\n"
    )
    at = f"{tmp_path.name}/test_it.py::"
    every = {"REQ-001", "REQ-002", "REQ-003"}
    assert proof.marked(tmp_path) == {f"{at}test_one": every, f"{at}test_two": {"REQ-001"}}


def test_the_matrix_leads_from_each_hazard_to_results(written):
    page = matrix.page(written()[0], good_run())
    for words in (
        "1 hazards, 3 controls, 2 requirements, 2 tests that show them: 1 unit, 0 PIO cycle-exact, 1 real image",
        "| guard | chip | [REQ-001](#req-001) |",
        "| operator | person | Looks. |",
        "Off. *Margin:* 5 clocks. *Against:* [HAZ-01](#haz-01)",
        "| `tests/e2e/test_a.py::test_off` | real image | 2 passed |",
    ):
        assert words in page


def test_figures_are_put_between_their_marks_and_unknown_ones_and_claims_are_told(written, monkeypatch, tmp_path):
    page = tmp_path / "README.md"
    page.write_text("<!--fig faults-->0<!--/fig--> faults, <!--fig no.such-->1<!--/fig--> [REQ-001] [REQ-777]")
    text, unknown = figures.filled(page, {"faults": "57"})
    assert text.startswith("<!--fig faults-->57<!--/fig--> faults") and unknown == ["no.such"]
    monkeypatch.setattr(figures, "pages", lambda: [page])
    monkeypatch.setattr(figures, "ROOT", tmp_path)
    found = " ".join(figures.problems(written()[0], {"faults": "57"}))
    assert "README.md asks for figure no.such" in found and "asks for REQ-777" in found and "REQ-001" not in found


@pytest.mark.parametrize(
    "ms, text", [(3.2e-05, "32 ns"), (0.2932, "293 µs"), (120.48, "120 ms"), (999.8, "1 s"), (2050, "2.05 s")]
)
def test_a_time_is_told_in_its_unit_with_three_figures(ms, text):
    assert figures.time(ms) == text


def test_the_case_of_this_tree_is_whole():
    case, gaps = cases.read()
    assert gaps == []
    assert {control["end"] for control in case.controls.values() if "end" in control} == {1, 2, 3, 4, 5}


def test_a_run_of_this_tree_adds_up_and_one_of_another_begins_anew(tmp_path, monkeypatch):
    monkeypatch.setattr(ledger, "FILE", tmp_path / "safety" / "last-run.json")
    for tree, board, nodeid in (("old", "A", "one"), ("new", "A", "two"), ("new", "B", "three")):
        monkeypatch.setattr(ledger, "tree", lambda tree=tree: tree)
        book = ledger.Ledger(board)
        book.tests[nodeid] = result("passed", "unit", "REQ-001")
        book.pytest_sessionfinish()
    known = ledger.last_run()
    assert known["tree"] == "new" and {board: list(tests) for board, tests in known["boards"].items()} == {
        "A": ["two"],
        "B": ["three"],
    }


def test_a_run_during_which_the_tree_changed_says_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(ledger, "FILE", tmp_path / "last-run.json")
    monkeypatch.setattr(ledger, "tree", iter(["before", "after"]).__next__)
    book = ledger.Ledger("A")
    book.tests["one"] = result("passed", "unit", "REQ-001")
    book.pytest_sessionfinish()
    assert not (tmp_path / "last-run.json").exists()


def test_the_worst_of_setup_call_and_teardown_counts():
    book = ledger.Ledger("A")
    for outcome in ("passed", "failed", "passed"):
        said = [(ledger.PROPERTY, ["unit", "REQ-001"])]
        book.pytest_runtest_logreport(SimpleNamespace(nodeid="x", outcome=outcome, user_properties=said))
    assert book.tests == {"x": result("failed", "unit", "REQ-001")}


def test_a_table_that_was_measured_with_another_firmware_is_told_as_such(tmp_path, monkeypatch):
    monkeypatch.setattr(ledger, "EVIDENCE", tmp_path / "evidence.json")
    assert figures.of_evidence()["evidence.faults"] == "an earlier firmware"
    ledger.made("faults")
    assert figures.of_evidence()["evidence.faults"] == "this firmware"
    assert figures.of_evidence()["evidence.presets"] == "an earlier firmware"
    monkeypatch.setattr(ledger, "firmware", lambda: "another")
    assert figures.of_evidence()["evidence.faults"] == "an earlier firmware"


@pytest.mark.parametrize("port, layer", [("", "hardware"), ("/dev/ttyACM0", "hardware"), ("/dev/pts/7", "real image")])
def test_what_passes_at_an_emulated_boards_port_is_no_proof_of_the_hardware(monkeypatch, port, layer):
    monkeypatch.setenv("RHEO_PORT", port)
    item = SimpleNamespace(
        get_closest_marker=lambda name: name == "hardware", fixturenames=(), nodeid="tests/hardware/x"
    )
    assert ledger.layer(item) == layer
