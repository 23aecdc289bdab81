"""Screening as data: the items of screening.toml, and what an answer to them means. Pure; asks nobody."""

import tomllib
from functools import cache
from pathlib import Path

KINDS = ("stop", "caution", "before", "after")
ANSWERS = ("yes", "scale", "count", "text", "board")
FILE = Path(__file__).with_name("screening.toml")


@cache
def tables():
    """The whole file as a dict. Callers must not change it."""
    return tomllib.loads(FILE.read_text("utf-8"))


def _for(rows, electrodes):
    return [row for row in rows if row.get("electrode") in (None, *electrodes)]


def items(kind, electrodes):
    """Items of a kind that are asked for these electrodes ("needle", "skin"), in the order of the file."""
    return [item for item in _for(tables()["item"], electrodes) if item["kind"] == kind]


def item(name):
    """The item with this id."""
    return next(item for item in tables()["item"] if item["id"] == name)


def ask(name):
    """The question of an item."""
    return item(name)["ask"]


def risks(electrodes):
    """[text with its tag] of the risks to tell."""
    return [f"{row['text']} [{row['tag']}]" for row in _for(tables()["risk"], electrodes)]


def aftercare(electrodes):
    """[text with its tag] of what to tell afterwards."""
    return [f"{row['text']} [{row['tag']}]" for row in _for(tables()["aftercare"], electrodes)]


def evidence():
    """[text with its tag] of what is known of these methods as a whole."""
    return [f"{row['text']} [{row['tag']}]." for row in tables()["evidence"]]


def dwell_ms(condition):
    """(shortest, longest, tag) of how long needles stay in for a condition, or None where nothing says so."""
    for row in tables()["dwell"]:
        if condition in row["conditions"]:
            return (*row["ms"], row["tag"])
    return None


def sizes(electrode):
    """Electrode sizes to choose from."""
    return tables()["sizes"][electrode]


def pick(text, count):
    """Zero-based positions that a person means by "2 5", "2,5" or "none" in a list of `count`.

    Raises ValueError with a sentence. An empty answer is none: a checklist has to be read.
    """
    words = text.lower().replace(",", " ").split()
    if words in (["none"], ["no"], ["0"]):
        return []
    picked = []
    for word in words:
        if not word.isascii() or not word.isdigit() or not 1 <= int(word) <= count:
            raise ValueError(f"{word[:20]} is no number of the list.")
        picked.append(int(word) - 1)
    if not picked:
        raise ValueError("Nothing is answered yet.")
    return sorted(set(picked))
