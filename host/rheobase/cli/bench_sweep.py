"""`rheo bench sweep` and `rheo bench compare`: a matrix of cells on one board, and what changed between two of them."""

import contextlib
import os
import shutil
import sys
import textwrap

import click

from rheobase.cli.app import pass_app
from rheobase.errors import EXIT_BENCH, HostError, RheoError, UsageError

_TEXT_MAX = 80
WIDTH = 79  # columns of what people read on a terminal
BAR = 24


@click.command()
@click.option("--quick", is_flag=True, help="The extremes and every kind of cell: a minute.")
@click.option("--label", metavar="TEXT", help="What the board is called; in the report.")
@click.option("--operator", metavar="TEXT", help="Who does it: initials or a code.")
@click.option("--instrument", metavar="TEXT", help="What else measured, or where; in the report.")
@click.option("--out", required=True, metavar="DIR", help="Folder for the result, and for going on.")
@pass_app
def sweep(app, quick, label, operator, instrument, out):
    """Judge a board: PASS or FAIL of every cell of a matrix.

    The board times its own edges while it plays short sessions at set-point 0 mA: legs switch, no current flows; take
    every lead off. In DIR: <serial>-<UTC>.json, .xml (JUnit), .html. After a pulled cable or Ctrl-C the same command
    goes on where it was. Exit 7 unless every cell that was run passed.

    \b
    Examples:
      rheo bench sweep --quick --operator AB --out sweeps
      rheo bench sweep --operator AB --label "unit 3" --out sweeps
    """
    named = {
        name: _text("--" + name, value)
        for name, value in (("label", label), ("operator", operator), ("instrument", instrument))
    }
    folder = _folder(out)
    from rheobase import discovery
    from rheobase.bench import matrix
    from rheobase.bench import sweep as sweeps

    with discovery.connect(app.port, app.note) as board:
        if board.emulated:
            named["image_sha256"] = _image(board.info)
        else:
            app.warn("The legs of every channel will switch, at 0 mA: take all leads off.")
        plan = matrix.make(board.info["channels"], quick)
        view = Progress(app)
        hand = sweeps.EmulatedHand(board.port) if board.emulated else Person(app, view)
        try:
            result, paths = sweeps.Sweep(board, plan, folder, named, hand, view).run()
        finally:
            view.clear()
    app.answer(_data(result, paths), lambda: summary(result, paths))
    if result["verdict"] != "pass":
        raise _not_passed(result)


@click.command()
@click.argument("a")
@click.argument("b")
@pass_app
def compare(app, a, b):
    """Say what changed between two sweeps: A before, B after (their .json files).

    Exit 7 if B is worse: a cell of both whose verdict is worse in B, or one that A passed and B has not run.

    \b
    Example:
      rheo bench compare sweeps/before.json sweeps/after.json
    """
    from rheobase.bench import compare as comparing
    from rheobase.bench import results

    found = comparing.compare(results.load(a), results.load(b))
    app.answer(found, lambda: comparing.text(found))
    if found["worse"]:
        cells = ", ".join(found["worse"][:4]) + (", ..." if len(found["worse"]) > 4 else "")
        message = f"B is worse than A in {comparing.many(len(found['worse']))}: {cells}."
        raise RheoError("worse", message, None, EXIT_BENCH)


def _text(option, value):
    """A text of the user's for the report: one line, printable, not too long. None stays None."""
    if value is None:
        return None
    value = value.strip()
    if not 0 < len(value) <= _TEXT_MAX or not value.isprintable():
        hint = "No names of patients and no dates of birth: a code."
        raise UsageError("bad_text", f"{option}: write 1 to {_TEXT_MAX} printable characters on one line.", hint)
    return value


def _folder(out):
    """Absolute path of a folder that can be written into, made if it is not there: asked before anything is played."""
    out = os.path.abspath(out)
    try:
        os.makedirs(out, exist_ok=True)
        if not os.access(out, os.W_OK | os.X_OK):
            raise PermissionError(13, "Permission denied")
    except OSError as error:
        raise HostError("not_writable", f"--out: {out} cannot be written: {error.strerror}.") from None
    return out


def _image(info):
    """SHA-256 of the image that an emulated board was started with, if it is the one in the cache."""
    from rheobase import image

    try:
        found = image.which(info["board"])
    except RheoError:
        return None
    return found.sha256 if found.firmware_hash == info["firmware"]["hash"] else None


def _data(result, paths):
    left = ("verdict", "counts", "serial", "board", "emulated", "matrix", "quick", "resumed")
    return {**{name: result[name] for name in left}, "files": paths, "not_passed": [_short(r) for r in _bad(result)]}


def _bad(result):
    return [row for row in result["cells"] if row["verdict"] != "pass"]


def _short(row):
    return {name: row[name] for name in ("cell", "verdict", "reasons")}


def _not_passed(result):
    numbers = result["counts"]
    told = f"of {len(result['cells'])} cells {numbers['fail']} failed, {numbers['cannot_tell']} could not be told"
    return RheoError("sweep_" + result["verdict"], f"The sweep has not passed: {told}.", None, EXIT_BENCH)


def summary(result, paths):
    """The end of a sweep in a few lines."""
    from rheobase.bench.results import WORDS

    numbers = result["counts"]
    board = f"{result['board']} {result['serial']}" + (" (emulated)" if result["emulated"] else "")
    counted = ", ".join(f"{numbers[name]} {word}" for name, word in WORDS.items() if numbers[name])
    partly = " of what was run" if result["verdict"] == "pass" and numbers["not_run"] else ""
    lines = [f"{WORDS[result['verdict']]}{partly}: {board}", f"  cells      {counted}"]
    bad = _bad(result)
    for row in bad[:8]:
        lines += _wrapped(f"  {WORDS[row['verdict']]:<11}{row['cell']}: {row['reasons'][0]}", 13)
    if len(bad) > 8:
        lines.append(f"  ... and {len(bad) - 8} more: see the report.")
    return "\n".join([*lines, *(f"  {form:<11}{path}" for form, path in paths.items())])


def _wrapped(text, indent):
    """Lines of at most WIDTH columns; what follows the first is indented."""
    return textwrap.wrap(text, WIDTH, subsequent_indent=" " * indent, drop_whitespace=True) or [""]


class Person:
    """The operator at the terminal opens the interlock; without a terminal there is nobody to ask."""

    def __init__(self, app, view):
        self.app = app
        self.view = view
        both = sys.stdin.isatty() and sys.stderr.isatty()
        self.absent = None if both else "There is no terminal to ask an operator on."

    def open(self):
        self.view.clear()
        self.app.warn("Open the interlock NOW (within 30 s).\a")

    def close(self):
        self.view.clear()
        self.app.warn("Close the interlock (within 60 s), so that the sweep can go on.")


class Progress:
    """View of a sweep: a bar on a terminal, a line a session elsewhere. All on stderr."""

    def __init__(self, app, stream=None):
        self.app = app
        self.stream = stream or sys.stderr
        self.is_bar = self.stream.isatty() and os.environ.get("TERM") != "dumb"
        self._drawn = False
        self.done = self.bad = self.of = 0

    def begin(self, plan, done, emulated):
        self.of, self.done = len(plan.cells), done
        if self.app.quiet:
            return
        seconds = plan.seconds(emulated) * (self.of - done) / self.of
        about = f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
        if done:
            self._line(f"Resuming: {done} of {self.of} cells are judged; about {about} for the rest.")
        else:
            self._line(f"{self.of} cells in {len(plan.plays)} sessions at set-point 0 mA: about {about}.")

    def playing(self, play):
        if self.is_bar and not self.app.quiet:
            self._draw(", ".join(cell.id for cell in play.cells))

    def judged(self, rows):
        from rheobase.bench.results import WORDS

        self.done += len(rows)
        self.bad += sum(row["verdict"] in ("fail", "cannot_tell") for row in rows)
        if self.app.quiet:
            return
        for row in rows:
            if not self.is_bar or row["verdict"] != "pass":
                self.clear()
                reason = f": {row['reasons'][0]}" if row["reasons"] else ""
                text = f"{self.done:>4}/{self.of} {WORDS[row['verdict']]:<11} {row['cell']}{reason}"
                self._line("\n".join(_wrapped(text, 10)) if self.is_bar else text)

    def clear(self):
        """Take the bar away, for what is printed next."""
        if self._drawn:
            self._write("\r\x1b[K")
            self._drawn = False

    def _draw(self, words):
        full = BAR * self.done // max(1, self.of)
        bad = f", {self.bad} bad" if self.bad else ""
        text = f"[{'#' * full}{'.' * (BAR - full)}] {self.done}/{self.of}{bad}  {words}"
        width = min(shutil.get_terminal_size().columns - 1, WIDTH)
        self._write("\r" + text[:width] + "\x1b[K")
        self._drawn = True

    def _line(self, text):
        self._write(text + "\n")

    def _write(self, text):
        with contextlib.suppress(OSError, UnicodeEncodeError):
            self.stream.write(text)
            self.stream.flush()
