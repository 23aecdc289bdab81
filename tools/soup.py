"""`make soup`: docs/safety/soup.md, the third-party parts, of docs/safety/soup.toml and of what soup_parts finds.

--check: compare with the page that is there, show the difference, write nothing. Exit status 1 if they differ, if a
part is found that soup.toml does not explain, if it explains one that is gone, or if a licence is not known. What we
did not pin may have another version here than when the page was made: that is said, and is no error.
"""

import argparse
import difflib
import platform
import re
import sys
import tomllib
from pathlib import Path

import soup_parts
from rheobase.cli.main import SUBVERBS, VERBS
from rheobase.image import debian
from rheocore import faults, messages

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "safety" / "soup.md"
HEADINGS = {
    "board": ("On the board", "Linked into the images, or in the chip: by the link map and the files compiled."),
    "build": ("What builds it", "None of it runs on the board; what it makes does, and is what the tests boot."),
    "host": (
        "What `rheo` runs on",
        "The board keeps limits, session time and cutoff itself; a silent host ends output.",
    ),
    "evidence": ("What the evidence rests on", "A failure here cannot move a pulse. It can hide one that is wrong."),
}
NEEDED = {"where", "why", "fails", "control"}
OPTIONAL = {"licence", "version", "version_in", "of", "by", "given", "source"}
HEAD = "| part | version | licence | why this one | if it fails | what catches it |\n|---|---|---|---|---|---|\n"


class Soup:
    """Parts found and parts explained, side by side. faults: sentences that make it red; notes: what is only said."""

    def __init__(self, explained: dict, project: dict, page: str):
        self.faults: list[str] = []
        self.notes: list[str] = []
        self.others: list[str] = []  # versions that are not the page's
        self.explained = explained
        self.before = cells(page)
        self.python = project["project"]["requires-python"]
        self.asked, users = soup_parts.declared(project)
        self.brought = soup_parts.brought(users, self.notes.append)
        self.along = soup_parts.brought(set(self.asked), self.notes.append)
        self.linked, self.image = soup_parts.on_boards(self.notes.append)
        self.sources = soup_parts.of_sources(self.image)
        self.notes = list(dict.fromkeys(self.notes))
        self.compare()

    def compare(self) -> None:
        packages = soup_parts.debian_packages()
        found = {name: "pyproject.toml asks for it" for name in self.asked}
        found |= {name: f"{' and '.join(sorted(by))} brings it" for name, by in sorted(self.brought.items())}
        found |= {name: "an image's build needs it" for name in packages}
        found |= {name: "it is linked into a board's image" for name in self.linked or ()}
        for name, how in found.items():
            if name not in self.explained:
                self.faults.append(f"{name}: {how}, and docs/safety/soup.toml does not explain it.")
        for name, by in sorted(self.along.items()):
            if name not in self.explained and soup_parts.python_version(name) and not soup_parts.python_licence(name):
                by = " and ".join(sorted(by))
                self.faults.append(f"{name}: {by} brings it, and its licence is not known; give it in soup.toml.")
        for name, entry in self.explained.items():
            odd = set(entry) - NEEDED - OPTIONAL | NEEDED - {key for key in NEEDED if entry.get(key)}
            if odd or entry["where"] not in HEADINGS:
                self.faults.append(f"{name}: its entry lacks or has too much: {', '.join(sorted(odd)) or 'where'}.")
                continue
            self.look_at(name, entry, found.keys() | self.along.keys())

    def look_at(self, name: str, entry: dict, found: set) -> None:
        if name not in found and "given" not in entry:
            if entry.get("by") in self.asked:  # another version of what brings it may well do without
                self.notes.append(f"{name}: {entry['by']} does not bring it here.")
            elif entry["where"] != "board" or self.linked is not None:
                self.faults.append(f"{name}: docs/safety/soup.toml explains it, and nothing here needs it any more.")
        stated, typed = self.stated(name, entry), entry.get("licence", "")
        if typed and not soup_parts.spdx(typed):
            self.faults.append(f"{name}: its licence {typed!r} is no SPDX expression.")
        elif typed and stated and stated != soup_parts.spdx(typed):
            self.faults.append(f"{name}: soup.toml says its licence is {typed}, the part says {stated}.")
        if not self.licence(name, entry):
            self.faults.append(f"{name}: its licence is not known; find it, and give `licence` in soup.toml.")
        looked = "version_in" in entry and soup_parts.source_file(self.image, entry["version_in"][0])
        if looked and not self.version(name, entry):
            self.faults.append(f"{name}: its version is not where soup.toml looks for it: {entry['version_in'][0]}.")
        for cited in re.findall(r"`([^`]+)`", entry["control"]):
            if not exists(cited):
                self.faults.append(f"{name}: its control cites {cited}, which is no end, fault, error, file or test.")

    def stated(self, name: str, entry: dict) -> str:
        """The licence as the part itself has it, if it is here and says so."""
        if name in self.asked or "by" in entry:
            return soup_parts.python_licence(name)
        tag = soup_parts.spdx_tag(soup_parts.source_file(self.image, entry["source"])) if "source" in entry else ""
        return soup_parts.spdx(tag) if tag else ""

    def licence(self, name: str, entry: dict) -> str:
        if entry.get("licence"):
            return entry["licence"]
        away = (name in self.asked or "by" in entry) and not soup_parts.python_version(name)
        return self.stated(name, entry) or (self.before.get(name, ("", ""))[1] if away else "")

    def version(self, name: str, entry: dict) -> str:
        """What is here; "" if it is not."""
        if "version" in entry:
            return entry["version"]
        if "version_in" in entry:
            file, pattern = entry["version_in"]
            text = soup_parts.source_file(self.image, file)
            match = re.search(pattern, text) if text else None
            return ".".join(match.groups()) if match else ""
        if "of" in entry:
            return self.version(entry["of"], self.explained.get(entry["of"], {}))
        if name == "cpython":
            return platform.python_version()
        if entry.get("where") in ("host", "evidence") or name in self.asked:
            return soup_parts.python_version(name) or soup_parts.debian_version(name)
        return self.sources.get(name) or soup_parts.debian_version(name) or soup_parts.python_version(name)

    def asks(self, name: str, entry: dict) -> str:
        """What we ask for: a pin, a range, whose company it comes in, whose part it is."""
        if name in self.asked:
            return str(self.asked[name].specifier)
        if name == "cpython":
            return self.python
        if entry["where"] == "board":
            return f"with {entry['of']}" if "of" in entry else f"Debian {debian.SUITE}"
        return f"by {entry['by']}" if "by" in entry else "any"

    def page(self, compared: bool) -> str:
        """docs/safety/soup.md; compared: with the versions that it has already, wherever we did not pin one."""
        return INTRO + self.tables(compared)

    def of_release(self) -> str:
        """SOUP.md of a release: the versions that are here, and all that others bring along."""
        return EXACT + self.tables() + self.company()

    def tables(self, compared: bool | None = None) -> str:
        """A table for each place. compared: None for no word of the page that is there."""
        out = ""
        for where, (title, about) in HEADINGS.items():
            out += f"\n## {title}\n\n{about}\n\n{HEAD}"
            for name, entry in sorted(self.explained.items()):
                if entry.get("where") == where:
                    out += "| " + " | ".join(self.row(name, entry, compared)) + " |\n"
        return out

    def row(self, name: str, entry: dict, compared: bool | None) -> list[str]:
        asks, here = self.asks(name, entry), self.version(name, entry)
        if asks.startswith("=="):
            version = asks
        elif "version" in entry:
            version = here
        else:
            version = f"{asks}: {here or 'not here'}"
            before = self.before.get(name, ("", ""))[0]
            if compared is not None and (compared or not here) and before.partition(": ")[0] == asks:
                if here and before != version:
                    self.others.append(f"{name} {here} (page: {before.partition(': ')[2]})")
                version = before
        licence = self.licence(name, entry)
        return [f"`{name}`", version, licence, entry["why"], entry["fails"], entry["control"]]

    def company(self) -> str:
        out = "\n## What others bring along\n\nFor build and evidence; each fails as who brings it does.\n\n"
        out += "| part | version | licence | brought by |\n|---|---|---|---|\n"
        for name, by in sorted(self.along.items()):
            if name not in self.explained:
                here, licence = soup_parts.python_version(name), soup_parts.python_licence(name)
                out += f"| `{name}` | {here or 'not here'} | {licence} | {', '.join(sorted(by))} |\n"
        return out


INTRO = """# Third-party parts

Made by `make soup` of [soup.toml](soup.toml) (why, failure, control) and of what the build says: link map, package
metadata, sources. `make soup ARGS=--check` compares. Do not edit. IEC 62304's word for these is SOUP; that the list is
informed by it is no claim of conformity.

A version with `==` is pinned. Any other is `what we ask for: what was there when this page was last made`; elsewhere it
may be another, which the check says and does not refuse. Each release carries its own in `SOUP.md`, with everything
that the build's and the evidence's parts bring along in turn.
"""
EXACT = """# Third-party parts of this release

The versions with which this release was made; an installed `rheo` may run on others within what it asks for.
"""


def cells(page: str) -> dict[str, tuple[str, str]]:
    """{part: (version, licence)} as a page has them."""
    return {row[0]: (row[1], row[2]) for row in re.findall(r"^\| `([^`]+)` \| ([^|]+) \| ([^|]+) \|", page, re.M)}


def exists(cited: str) -> bool:
    """Whether what a control names is there: a fault, an end, an error of the wire, a command, a file, a test."""
    if cited in faults.FAULTS or cited in faults.ENDS or cited in messages.ERRORS or cited == "rheo":
        return True
    program, *words = cited.split()
    if program == "make":
        return re.search(rf"^{' '.join(words)}:", (ROOT / "Makefile").read_text(), re.M) is not None
    if program == "rheo":
        known = [verb for verbs in VERBS.values() for verb in verbs]
        return words[0] in known and set(words[1:]) <= set(SUBVERBS.get(words[0], ()))
    name, _, test = cited.partition("::")
    path = ROOT / name
    return path.exists() and "/" in name and (not test or f"def {test}(" in path.read_text())


def load() -> Soup:
    explained = tomllib.loads((PAGE.with_suffix(".toml")).read_text())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    return Soup(explained, project, PAGE.read_text() if PAGE.exists() else "")


def exact() -> tuple[str, list[str], list[str]]:
    """(the page of a release, why it must not be made, what is to be said)."""
    soup = load()
    return "" if soup.faults else soup.of_release(), soup.faults, soup.notes


def main(argv=None) -> int:
    """Returns the exit status."""
    parser = argparse.ArgumentParser(prog="make soup", description=__doc__.split("\n")[0])
    parser.add_argument("--check", action="store_true", help="compare with the page that is there; write nothing")
    check = parser.parse_args(argv).check
    soup = load()
    now = "" if soup.faults else soup.page(compared=check)
    others = [f"Other versions here than on the page: {', '.join(soup.others)}."] if soup.others else []
    for note in soup.notes + others:
        print(note)
    for fault in soup.faults:
        print(fault, file=sys.stderr)
    if soup.faults:
        return 1
    before, name = PAGE.read_text() if PAGE.exists() else "", "docs/safety/soup.md"
    if not check:
        PAGE.write_text(now)
        print(f"Written: {name}")
        return 0
    lines = (before.splitlines(True), now.splitlines(True))
    sys.stdout.writelines(difflib.unified_diff(*lines, name, "what the build says"))
    print(f"{name} is what the build says." if now == before else f"{name} is old: make soup")
    return int(now != before)


if __name__ == "__main__":
    sys.exit(main())
