"""`make deletions`: safety checks are deleted, one at a time, in a copy of the tree, and a test must fail each time.

Which: deletions.toml; what came of it: docs/safety/deletions.md. Ids as arguments run those. Never changes this tree.
Red is a test of a requirement that ran and failed, so that `make safety` is red too; what does not compile, build or
end by itself is none. Exit status 1 if a check can be deleted and nothing fails.
"""

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path
from subprocess import PIPE, STDOUT
from textwrap import shorten

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "host"), str(ROOT / "firmware" / "lib")]

import ledger  # noqa: E402
from releasing import kept  # noqa: E402
from rheobase import paths  # noqa: E402

LIST = ROOT / "tests" / "safety" / "deletions.toml"
JSON = ROOT / "docs" / "safety" / "deletions.json"
PAGE = ROOT / "docs" / "safety" / "deletions.md"
LONGEST_S = 1800  # that tests may take
NO_FINDING = ("NameError", "ImportError", "ModuleNotFoundError", "SyntaxError", "UnboundLocalError")  # a slip of ours
_HEAD = """# Checks that were deleted, and the tests that saw it

Made by `make deletions`. Do not edit; what is deleted stands in `tests/safety/deletions.toml`.

Each row is one safety check, deleted or neutered as somebody might by mistake, in a copy of the tree; where the test
runs on an image, on one built of that copy. The same tests pass on the copy as it is. Seen is only what made a test of
a requirement run and fail, so that `make safety` is red with it; what does not compile or build counts for nothing.

{} checks of {} controls were deleted; {} of them were seen.

| control | file | deleted | test that failed | layer | how |
|---|---|---|---|---|---|
"""


@dataclass(frozen=True)
class Entry:
    """One deletion. old stands in file once; what: in words; tests: ids, with or without parameters."""

    id: str
    control: str
    file: str
    what: str
    old: str
    new: str
    tests: list
    board: str = "RHEO_PICO"

    @property
    def digest(self):
        """Changes with anything that is done, and with no words."""
        return hashlib.sha256(json.dumps([self.file, self.old, self.new, self.tests]).encode()).hexdigest()[:12]


def entries():
    return [Entry(**table) for table in tomllib.loads(LIST.read_text())["deletion"]]


class Tree:
    """A copy of the tree at `root` to delete things in. Its cache of images keeps only those of the copy as it is."""

    def __init__(self, root):
        self.root = root
        for name in kept():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, root / name)
        self.cache = paths.cache_dir().resolve() / "deletions"
        if not (self.cache / "sources").is_symlink():
            self.cache.mkdir(parents=True, exist_ok=True)
            (self.cache / "sources").symlink_to(self.cache.parent / "sources")
        self.layers = {}  # of each test that passed on the copy as it is

    def run(self, *words):
        """(exit status, what it said) of a Python command in the copy; the status is None if it hung."""
        mine = {"RHEO_CACHE": str(self.cache), "PYTHONPATH": f"{self.root}/host:{self.root}/firmware/lib"}
        mine |= {"PYTHONDONTWRITEBYTECODE": "1", "COLUMNS": "400"}  # an edit must not meet yesterday's bytecode
        others = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST_", "RHEO_", "COVERAGE"))}
        options = {"cwd": self.root, "env": others | mine, "start_new_session": True, "text": True, "errors": "replace"}
        with subprocess.Popen([sys.executable, *words], stdout=PIPE, stderr=STDOUT, **options) as process:
            try:
                said = process.communicate(timeout=LONGEST_S)[0]
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                return None, f"not over after {LONGEST_S} s"
        return process.returncode, re.sub(r"(?<![\w.])/(?:[\w.@+-]+/)+", "", said)  # without paths of this machine

    def tests(self, ids, board):
        """(exit status, {test: its part of the ledger}, what pytest said)."""
        ledger = self.root / "build" / "safety" / "last-run.json"
        ledger.unlink(missing_ok=True)
        status, said = self.run("-m", "pytest", "-n", "0", "-p", "no:cacheprovider", "--board", board, *ids)
        return status, json.loads(ledger.read_text())["boards"].get(board, {}) if ledger.exists() else {}, said

    def prove(self, wanted):
        """Every test of these entries passes on the copy as it is. Raises SystemExit with what does not."""
        for board in sorted({entry.board for entry in wanted}):
            ids = sorted({test for entry in wanted if entry.board == board for test in entry.tests})
            status, found, said = self.tests(ids, board)
            if status != 0:
                raise SystemExit(f"Without any deletion:\n{said[-3000:]}")
            self.layers |= {test: one["layer"] for test in ids for one in of(test, found)}

    def judge(self, entry):
        """The row of an entry: it is deleted, tested and put back."""
        path, images = self.root / entry.file, set((self.cache / "images").glob("*"))
        text = path.read_text()
        assert text.count(entry.old) == 1, f"{entry.id}: its text stands {text.count(entry.old)} times in {entry.file}"
        path.write_text(text.replace(entry.old, entry.new))
        try:
            wrong = self._wrong(entry, path)
            return row(entry, *((None, {}, wrong) if wrong else self.tests(entry.tests, entry.board)))
        finally:
            path.write_text(text)
            for folder in set((self.cache / "images").glob("*")) - images:
                shutil.rmtree(folder)

    def _wrong(self, entry, path):
        """What is wrong with the copy as a whole: a mistake of the entry and no finding of a test; else None."""
        if path.suffix == ".py":
            try:
                compile(path.read_text(), entry.file, "exec")
            except SyntaxError as error:
                return f"it does not compile: {error}"
        if entry.file.startswith(("firmware/", "boards/")) and "real image" in map(self.layers.get, entry.tests):
            status, said = self.run("-c", f"from rheobase import image; image.build({entry.board!r})")
            if status != 0:
                return f"no image: {said[-500:]}"


def of(test, found):
    """Of a ledger's tests, those of an id: itself, or all its parameters'."""
    return [one for nodeid, one in found.items() if nodeid == test or nodeid.startswith(test + "[")]


def row(entry, status, found, said):
    """What the page and deletions.json hold of an entry. red: pytest says that tests failed, and each of them did."""
    failed = []
    for test in entry.tests:
        mine = [one for one in of(test, found) if one["outcome"] == "failed"]
        line = re.search(rf"^(?:FAILED|ERROR) {re.escape(test)}(?:\[.*?\])?(?= - |$)(?: - (.*))?$", said, re.M)
        if mine and line and not (line[1] or "").startswith(NO_FINDING):
            how = " ".join((line[1] or "failed").split())
            failed.append({"test": test, "layer": mine[0]["layer"], "shows": mine[0]["requirements"], "how": how})
    red = status == 1 and len(failed) == len(entry.tests)
    told = {"id": entry.id, "control": entry.control, "file": entry.file, "what": entry.what, "digest": entry.digest}
    return {**told, "red": red, "failed": failed, "said": None if red else said[-2000:]}


def page(rows):
    """Text of deletions.md."""
    out = [_HEAD.format(len(rows), len({one["control"] for one in rows}), sum(one["red"] for one in rows))]
    for one in rows:
        tests = ", ".join(f"`{each['test'].split('[')[0]}`" for each in one["failed"]) if one["red"] else "**none**"
        layer, how = (one["failed"][0]["layer"], one["failed"][0]["how"]) if one["red"] else ("", "")
        how = shorten(how.replace("`", "'").replace("|", "¦"), 110, placeholder=" …")
        out.append(f"| {one['control']} | `{one['file']}` | {one['what']} | {tests} | {layer} | `{how}` |\n")
    return "".join(out)


def keep(found):
    """Add a row to both files: those of entries that there are, in their order and in their words of today."""
    rows = {one["id"]: one for one in json.loads(JSON.read_text())} if JSON.exists() else {}
    rows[found["id"]] = found
    known = [entry for entry in entries() if entry.id in rows]
    there = [rows[entry.id] | {"control": entry.control, "what": entry.what} for entry in known]
    JSON.write_text(json.dumps(there, indent=1, ensure_ascii=False) + "\n")
    PAGE.write_text(page(there))


def main(names):
    wanted = [entry for entry in entries() if entry.id in names or not names]
    if len(wanted) < len(set(names)):
        raise SystemExit(f"{LIST.name} has no {', '.join(set(names) - {entry.id for entry in wanted})}.")
    green = []
    with tempfile.TemporaryDirectory(prefix="rheo-deletions-") as folder:
        tree = Tree(Path(folder))
        tree.prove(wanted)
        for entry in wanted:
            keep(found := tree.judge(entry))
            green += [] if found["red"] else [entry.id]
            print(
                entry.id, "red:" if found["red"] else "GREEN:", found["said"] or found["failed"][0]["how"], flush=True
            )
    if not names and not green:
        ledger.made("deletions")
    print(f"{len(wanted) - len(green)} of {len(wanted)} deletions are seen.", *green)
    return 1 if green else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
