"""The list of deletions is whole, its page is what was run, and its runner can say no. `make deletions` runs them."""

import json
import re
from pathlib import Path

import case
import proof
import pytest
from safety import deletions

CONTROLS = case.read()[0].controls
ENTRIES = deletions.entries()
ROWS = json.loads(deletions.JSON.read_text())


def test_every_deletion_is_of_a_text_that_is_there_once():
    assert len({entry.id for entry in ENTRIES}) == len(ENTRIES) >= 40
    for entry in ENTRIES:
        assert (deletions.ROOT / entry.file).read_text().count(entry.old) == 1, entry.id
        assert entry.old != entry.new and entry.tests and entry.what, entry.id


@pytest.mark.req("REQ-136")
def test_every_control_in_software_has_a_check_that_is_deleted():
    software = {name for name, control in CONTROLS.items() if control["kind"] in case.SOFTWARE}
    assert {entry.control for entry in ENTRIES} == software


def test_every_test_that_is_named_exists_and_shows_a_requirement():
    """By its mark, or by what it showed when it ran: the fault table's marks are made of its cases."""
    marked = proof.marked()
    shown = {each["test"] for row in ROWS for each in row["failed"] if each["shows"]}
    for test in {test for entry in ENTRIES for test in entry.tests}:
        file, name = test.split("[")[0].split("::")
        assert f"def {name}(" in (deletions.ROOT / file).read_text(), test
        assert f"{file}::{name}" in marked or test in shown, test


@pytest.mark.req("REQ-136")
def test_the_page_has_every_deletion_as_it_was_run_and_each_was_seen():
    assert [(row["id"], row["digest"]) for row in ROWS] == [(entry.id, entry.digest) for entry in ENTRIES]
    assert [row["id"] for row in ROWS if not row["red"]] == []
    assert deletions.PAGE.read_text() == deletions.page(ROWS)


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    return deletions.Tree(Path(tmp_path_factory.mktemp("copy")))


@pytest.mark.req("REQ-136")
@pytest.mark.req("REQ-132")
def test_the_runner_says_red_for_a_check_and_green_for_a_comment(tree):
    """The same test, with the check deleted, with a comment deleted, and with a file that does not compile."""
    entry = next(entry for entry in ENTRIES if entry.id == "limits-k")
    comment = re.search(r"  # \[D\]\n", (deletions.ROOT / entry.file).read_text())[0]
    harmless = deletions.Entry(
        **{**vars(entry), "old": "NEEDLE_MAX_UA = 10_000" + comment, "new": "NEEDLE_MAX_UA = 10_000\n"}
    )
    broken = deletions.Entry(**{**vars(entry), "new": "("})
    assert [tree.judge(one)["red"] for one in (entry, harmless, broken)] == [True, False, False]
    assert "does not compile" in tree.judge(broken)["said"]
