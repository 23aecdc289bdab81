"""README, CONTRIBUTING.md, the Makefile, the changelog and every page name what is there, and only that."""

import functools
import re
import subprocess

import pytest
import rheobase
from rheobase import paths

ROOT = paths.firmware_dir().parent
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text()
MAKEFILE = (ROOT / "Makefile").read_text()
TARGETS = set(re.findall(r"^([a-z]+):", MAKEFILE, re.M))
HABITS = {"format", "lint", "types", "test", "coverage", "benchmark"}  # one command each
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]


def test_make_alone_lists_every_target_with_what_it_does():
    done = subprocess.run(["make", "-s"], cwd=ROOT, capture_output=True, text=True)
    listed = dict(line.split(maxsplit=1) for line in done.stdout.splitlines())
    assert done.returncode == 0, done.stderr
    assert set(listed) == TARGETS == set(re.search(r"^\.PHONY: (.*)", MAKEFILE, re.M)[1].split())
    assert set(listed) >= HABITS
    assert all(len(text) < 100 for text in listed.values())


def test_every_target_asks_for_files_that_exist():
    """Scripts that recipes run; modules by their names."""
    scripts = re.findall(r"\$\(BIN\)/python ([\w/.]+)", MAKEFILE)
    assert "tools/tables.py" in scripts
    for script in [*scripts, "tools/setup"]:
        assert (ROOT / script).exists(), script


def test_contributing_names_targets_that_exist_and_all_habits():
    named = {name for words in re.findall(r"`make ([^`]*)`", CONTRIBUTING) for name in words.split() if name.isalpha()}
    assert HABITS <= named <= TARGETS


@functools.cache
def every_test():
    """(file, name) of all tests."""
    return {
        (path.relative_to(ROOT).as_posix(), name)
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", path.read_text(), re.M)
    }


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_every_link_and_path_leads_to_a_file_and_every_test_named_exists(page):
    text = page.read_text()
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", text):
        assert target.startswith("https://") or (page.parent / target).exists(), target
    for path in re.findall(r"`((?:tests|docs|host|firmware|boards|tools|benchmarks)/[\w/.-]+)[`:]", text):
        assert (ROOT / path).exists(), path
    for path in re.findall(r"`(test_[a-z0-9_]+\.py)[`:]", text):
        assert list((ROOT / "tests").rglob(path)), path
    assert set(re.findall(r"`(tests/[\w/.-]+\.py)::(test_\w+)`", text)) <= every_test()
    assert set(re.findall(r"`(test_[a-z0-9_]+)`", text)) <= {name for _, name in every_test()}
    assert {words.split()[0] for words in re.findall(r"`make ([a-z]+[^`]*)`", text)} <= TARGETS


def test_contributing_is_one_page():
    assert len(CONTRIBUTING.split()) < 650 and CONTRIBUTING.count("\n") < 60


@pytest.mark.parametrize("page", [path for path in PAGES if path.name.startswith("001")], ids=lambda path: path.name)
def test_a_decision_is_one_page_with_its_reasons(page):
    text = page.read_text()
    assert text.startswith(f"# {page.name[:4]} ") and len(text.split()) < 500
    for part in (
        "**Context.**",
        "**Decided.**",
        "**Not chosen.**",
        "**Consequences.**",
        "**What would change our mind.**",
    ):
        assert text.count(part) == 1, part


def test_the_version_stands_in_the_changelog():
    headings = re.findall(r"^## \[(.*?)\]", (ROOT / "CHANGELOG.md").read_text(), re.M)
    assert rheobase.__version__ in headings


def test_the_changelog_names_commands_that_exist():
    from rheobase.cli.main import cli

    text = (ROOT / "CHANGELOG.md").read_text()
    for command in re.findall(r"`rheo ([a-z-]+)", text):
        assert command in cli.list_commands(None), command
