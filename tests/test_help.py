"""What `rheo VERB --help` answers: at 80 columns, with examples that are no lies, in words of the user's."""

import re
import shlex
from pathlib import Path

import click
import pytest
from rheobase.cli.main import SUBVERBS, VERBS_FLAT, cli
from rheobase.wording import WORDING

ROOT = Path(__file__).resolve().parents[1]
VERBS = [(verb,) for verb in sorted(VERBS_FLAT)] + [(verb, sub) for verb, subs in SUBVERBS.items() for sub in subs]
NO_EXAMPLE = {("completion",)}  # its lines say where to put them
PROGRAMMERS = re.compile(r"\b(INTEGER|FLOAT|PATH|FILENAME|None|stdin|callback)\b")


def parsed(words):
    """The context that `rheo WORDS` would run in, its parent's inside; runs nothing."""
    context = cli.make_context("rheo", list(words), resilient_parsing=False)
    command = cli
    while isinstance(command, click.Group):
        name, command, rest = command.resolve_command(
            context, [*getattr(context, "_protected_args", ()), *context.args]
        )
        context = command.make_context(name, rest, parent=context)
    return context


def text(words):
    """The help of a verb on a terminal of 80 columns."""
    context = click.Context(cli, info_name="rheo", terminal_width=80)
    command = cli
    for word in words:
        command = command.get_command(context, word)
        context = click.Context(command, info_name=word, parent=context, terminal_width=80)
    return command.get_help(context)


def examples(shown):
    """The command lines in a help text, without what is remarked beside them."""
    return [_command(line) for line in shown.splitlines() if line.startswith("    rheo ")]


def _command(line):
    """A command line as typed: without remark, pipe, redirection and `&`."""
    return re.split(r"  +| #| \| | > | &", line.strip())[0]


@pytest.mark.parametrize("words", [(), *VERBS], ids=" ".join)
def test_a_help_fits_80_columns_says_what_the_verb_does_and_has_an_example_that_is_right(words):
    shown = text(words)
    assert max(map(len, shown.splitlines())) <= 80
    said = shown.partition("\n\n")[2].strip()
    assert said[0].isupper() and re.match(r"[^\n]+(\n[^\n]+)?[.:,]\n", said), said[:160]
    assert not PROGRAMMERS.search(shown)
    found = examples(shown)
    assert found or words in NO_EXAMPLE
    for line in found:
        parsed(shlex.split(line)[1:])


@pytest.mark.parametrize("page", ["README.md", *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))])
def test_what_a_page_tells_to_type_can_be_typed(page):
    blocks = re.findall(r"^```\n(.*?)^```", (ROOT / page).read_text(), re.M | re.S)
    for line in "".join(blocks).splitlines():
        if line.startswith("rheo "):
            parsed(shlex.split(_command(line))[1:])


def test_an_example_that_is_wrong_would_be_found():
    with pytest.raises(click.UsageError):
        parsed(shlex.split("rheo run --duraton 10s")[1:])


def test_the_help_of_rheo_says_every_exit_status_and_what_it_is_not():
    shown = " ".join(text(()).split())
    assert all(re.search(rf"\b{code} \w", shown) for code in (*range(9), 130))
    assert " ".join(WORDING.split()) in shown
