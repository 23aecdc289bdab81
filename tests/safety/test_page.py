"""The ten-minute page says nothing that a test does not show, types no figure, and can be read in ten minutes."""

import re

import case as cases
import figures
import ledger
import pytest
from rheobase.wording import WORDING

PAGE = cases.FOLDER / "README.md"
TEXT = PAGE.read_text()
WORDS_A_MINUTE = 200
NAMES = ("RP2040",)  # with a digit, and no figure


def section(title):
    return re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", TEXT, re.M | re.S)[1]


def test_every_promise_names_the_requirement_whose_tests_show_it():
    promises = [line for line in section("What is promised").splitlines() if line.startswith(("- ", "| "))]
    rows = [line for line in promises if not line.startswith(("| end", "|---"))]
    assert len(rows) > 20
    for line in rows:
        sentences = [line] if line.startswith("|") else re.split(r"(?<=\.) ", line)
        assert figures.CITED.search(sentences[0]), line


def test_no_figure_is_typed():
    """Whatever has a digit is put in by the build, or is a name."""
    text = figures.MARK.sub("", TEXT).replace(WORDING, "")
    text = re.sub(r"\[?REQ-\d+\]?|\]\([^)]*\)", "", text)
    for name in NAMES:
        text = text.replace(name, "")
    assert re.findall(r"[^\s]*\d[^\s]*", text) == []


def test_a_typed_figure_would_be_found():
    assert re.findall(r"[^\s]*\d[^\s]*", figures.MARK.sub("", "off in 200 ms, <!--fig a-->3<!--/fig-->")) == ["200"]


def test_every_figure_of_the_page_is_made():
    known = figures.all_figures(cases.read()[0], ledger.last_run())
    assert figures.filled(PAGE, known)[1] == []
    assert all(value for value in known.values())


def test_it_can_be_read_in_ten_minutes():
    words = re.sub(r"<!--.*?-->|^\[REQ.*$", "", TEXT, flags=re.M).split()
    assert len(words) <= 10 * WORDS_A_MINUTE


def test_it_says_what_this_is_not_and_what_is_not_promised():
    assert WORDING in TEXT
    missing = section("What is not promised")
    for word in ("output stage", "Isolation", "emulated", "crystal", "wired", "hard end"):
        assert word in missing
    assert "No hardware has run this firmware yet" in TEXT


@pytest.mark.parametrize("end", range(1, 6))
def test_the_five_ends_of_the_page_are_those_of_the_hazards(end):
    [name] = [name for name, control in cases.read()[0].controls.items() if control.get("end") == end]
    assert f"| {name} |" in section("What is promised")
