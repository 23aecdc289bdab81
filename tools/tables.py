"""`make tables`: docs/wire.md of rheocore's own tables and the comments beside them, and the list of docs/adr.

--check: compare with the pages that are there, show the difference, write nothing. Exit status 1 if they differ, or if
a name has no words beside its definition.
"""

import argparse
import difflib
import re
import sys
from pathlib import Path

from rheobase import ending, errors
from rheobase.link import words
from rheobase.link.client import RpcError
from rheocore import config, electrode, faults, frames, messages

ROOT = Path(__file__).resolve().parents[1]
WIRE = ROOT / "docs" / "wire.md"
DECISIONS = ROOT / "docs" / "adr" / "README.md"
UNITS = {
    "us": "µs",
    "ms": "ms",
    "ua": "µA",
    "mv": "mV",
    "nc": "nC",
    "hz": "Hz",
    "millihz": "mHz",
    "cmm2": "0.01 mm²",
    "ohms": "Ω",
    "free": "bytes",
    "bytes": "bytes",
}
ANSWERS = ("INFO", "STATUS", "STATUS_CHANNEL", "RESULT", "CAPTURED", "CAPTURED_WIRE", "INSPECT")
STREAMS = ("TELEMETRY", "CHANNEL", "EVENT")
ABOUT = ("", "in", "gives", "errors")  # what a note on a method says besides its parameters


class Wordless(Exception):
    """A name has no words beside its definition, or words stand there for a name that is gone."""


# -- words, from the sources' comments -----------------------------------------------------------------------------


def notes(module) -> dict[str, dict[str, str]]:
    """{name: {key: text}} of the comments above a module's definitions; key "" is the text that is of no `key: text`.

    A run of comments with an empty line below is known by its first word.
    """
    found: dict[str, dict[str, str]] = {}
    run: list[str] = []
    for line in Path(module.__file__).read_text().splitlines():
        if line.lstrip().startswith("#"):
            run.append(line.lstrip()[1:])
            continue
        named = re.match(r'\s*(?:class )?"?(\w+)"?\s*[=:(]', line)
        if run and named:
            found[named[1]] = entries(run)
        elif run and not line.strip():
            found[run[0].split()[0].strip(".")] = entries(run)
        run = []
    return found


def entries(run: list[str]) -> dict[str, str]:
    """{key: text} of one run of comments; {NAME} becomes the number of that name in messages."""
    out = {"": ""}
    key = ""
    for line in run:
        entry = re.match(r"   (\w+): (.*)", line)
        if entry:
            key, text = entry[1], entry[2]
        else:
            key, text = (key if line.startswith("    ") else ""), line.strip()
        text = re.sub(r"\{([A-Z_]+)\}", lambda name: str(getattr(messages, name[1])), text)
        out[key] = f"{out.get(key, '')} {text}".strip()
    return out


def beside(module) -> dict[str, str]:
    """{NAME: text} of the comments behind a module's numbers, in their order."""
    rows = re.findall(r"^([A-Z_]+) = \d[\d_]*  # (.+)$", Path(module.__file__).read_text(), re.M)
    numbers = [name for name, value in vars(module).items() if name.isupper() and isinstance(value, int)]
    own = [name for name in numbers if re.search(rf"^{name} =", Path(module.__file__).read_text(), re.M)]
    if [name for name, _ in rows] != own:
        raise Wordless(f"{module.__name__}: a number has no comment behind it: {set(own) - set(dict(rows))}")
    return dict(rows)


def field_words(names, said: dict[str, dict[str, str]], table: str) -> list[str]:
    """The text of each field of a table: its own, or what the one other table that has it says."""
    own = said.get(table, {})
    unknown = set(own) - set(names) - {""}
    if unknown:
        raise Wordless(f"{table}: words for {', '.join(sorted(unknown))}, which it does not have.")
    out = []
    for name in names:
        others = [said[other][name] for other in (*STREAMS, *ANSWERS) if name in said.get(other, {})]
        texts = [own[name]] if name in own else others
        if len(texts) != 1:
            raise Wordless(f"{table}: {name} needs a line `#   {name}: text` above the table.")
        out += texts
    return out


# -- tables --------------------------------------------------------------------------------------------------------


def table(head, rows) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(str(cell) for cell in cells) + " |\n" for cells in lines) + "\n"


def code(text) -> str:
    return f"`{text}`"


def codes(names) -> str:
    return ", ".join(code(name) for name in names)


def unit(field: str) -> str:
    return UNITS.get(field.rpartition("_")[2], "")


def kind_of(kind) -> tuple[type, bool]:
    """(type, needed) of a parameter of messages.METHODS."""
    return (kind[0], False) if isinstance(kind, tuple) else (kind, True)


def gives(text: str) -> str:
    """What a method gives: a table of this page, or an object of fields."""
    ways = [way.split() for way in text.split(" | ")]
    return " or ".join(
        f"[{way[0]}](#{way[0].lower()})" if way[0].isupper() else code("{" + ", ".join(way) + "}") for way in ways
    )


def methods(said) -> str:
    rows, details = [], []
    own_errors: set[str] = set()
    for name, wanted in messages.METHODS.items():
        note = said.get(name, {})
        unknown = set(note) - set(ABOUT) - set(wanted)
        if unknown or not note.get("") or "gives" not in note:
            raise Wordless(f"{name}: needs a sentence and `#   gives: ...` above it, and no {unknown or 'other'}.")
        own = note.get("errors", "").split()
        own_errors.update(own)
        where = note.get("in", "").split()
        rows.append([code(name), note[""], codes(where) or "all", gives(note["gives"]), codes(own) or "–"])
        for field, kind in wanted.items():
            text = note.get(field) or said["METHODS"].get(field)
            if not text:
                raise Wordless(f"{name}: {field} needs a line `#   {field}: text` above the method.")
            python, needed = kind_of(kind)
            details.append([code(name), code(field), python.__name__, "yes" if needed else "no", unit(field), text])
    general = [name for name in messages.ERRORS if name not in own_errors]
    out = table(["method", "does", "possible in", "gives", "errors of its own"], rows)
    out += f"Any request may also be answered by {codes(general)}. Before `hello` the board is `safe`, and only\n"
    out += f"{codes(messages.ALWAYS)} are answered.\n\n"
    out += f"- `confirmed`: {said['METHODS']['confirmed']}\n- `words`: {said['METHODS']['words']}\n\n"
    return out + "### Parameters\n\n" + table(["method", "parameter", "type", "needed", "unit", "is"], details)


def fields(name: str, said) -> str:
    names = getattr(messages, name)
    rows = zip([code(n) for n in names], [unit(n) for n in names], field_words(names, said, name), strict=True)
    return f"### {name}\n\n" + table(["field", "unit", "is"], rows)


def configuration() -> str:
    """Every field of a channel configuration; its range as config.check() has it."""
    ranges = {name: f"{low} to {high}" for name, (low, high, _) in config.FIELDS.items()}
    ranges |= {name: f"{low} to {high}" for name, (low, high) in config.OPTIONAL.items()}
    ranges |= {name: codes(choices) for name, choices in config.CHOICES.items()}
    areas = [f"{low} to {high} ({name})" for name, (low, high) in electrode.AREA_CMM2.items()]
    ranges |= {"bench": "`true`, `false`", "area_cmm2": ", ".join(areas), "dense_ok": "0, 1"}
    needed = {name: codes(kinds) if kinds else "yes" for name, (_, _, kinds) in config.FIELDS.items()}
    needed |= dict.fromkeys([*config.CHOICES, "bench"], "yes")
    said = notes(config)["FIELDS"]
    if set(said) - {""} != set(ranges):
        raise Wordless(f"config.FIELDS: words and fields differ: {set(said) ^ set(ranges) ^ {''}}")
    rows = [[code(n), unit(n), ranges[n], needed.get(n, "no"), said[n]] for n in said if n]
    return table(["field", "unit", "range", "needed", "is"], rows)


def refusals() -> str:
    said = notes(config)["ConfigError"]
    rows = [[code(why), text] for why, text in said.items() if why]
    rows += [[code(why), f"above {text}"] for why, text in words.LIMITS.items()]
    return table(["`why`", "the value is"], rows)


def device_errors() -> str:
    rows = []
    for name, (number, sentence, remedy) in messages.ERRORS.items():
        exit_code = words.to_error(RpcError(name, {}, "")).exit_code
        rows.append([number, code(name), sentence, remedy, exit_code])
    return table(["code", "name", "says", "what to do", "exit of `rheo`"], rows)


def ends() -> str:
    rows = [[code(n), text, ending.EXITS.get(n, errors.EXIT_BUG)] for n, text in faults.ENDS.items()]
    out = "### Ordinary ends\n\n" + table(["stop reason", "says", "exit of `rheo run`"], rows)
    rows = [[code(name), *texts] for name, texts in faults.FAULTS.items()]
    return out + "### Faults\n\n" + table(["fault", "says", "what to do"], rows)


def wire() -> str:
    """docs/wire.md. Raises Wordless."""
    said = notes(messages)
    line = frames.encode({"jsonrpc": "2.0", "id": 1, "method": "hello", "params": {"wire": messages.WIRE}})
    numbers = [[code(name), getattr(messages, name), text] for name, text in beside(messages).items()]
    exits = [[getattr(errors, name), text] for name, text in beside(errors).items()]
    told = [[code(n), text] for n, text in said["Notifications"].items() if n]
    return f"""# The wire

Made by `make tables` of `firmware/lib/rheocore`, comments included; `make tables ARGS=--check` compares. Do not edit.

JSON-RPC 2.0 over USB CDC, one message a line: JSON, a space, the CRC-32 of the JSON as 8 hex digits, a newline. Why:
[ADR 0011](adr/0011-json-rpc-lines.md). The first line of every dialogue:

```
{line.decode().strip()}
```

An id is an integer, higher than any before it since `hello`; the last request's answer is repeated and never executed
again. A name tells its unit: `_us` µs, `_ms` ms, `_ua` µA, `_nc` nC. Numbers are integers: of 31 bits what the board
takes; what it tells may be larger, `dev_us` after 18 min and `charge_nc` after 1 C (64 bits hold both). The board
checks everything again: what the host checks is courtesy.

{table(["number", "", "is"], numbers)}States: {codes(messages.STATES)}.
Live, pulses may leave the pins: {codes(messages.LIVE)}.

## Methods

{methods(said)}## Answers

{"".join(fields(name, said) for name in ANSWERS)}## Notifications

{table(["notification", "is"], told)}{"".join(fields(name, said) for name in STREAMS)}## Channel configuration

What `configure` takes for each channel: compact, integers. `kind` says which are needed.

{configuration()}## Refusals

`refused` carries `field`, `value`, `why` and `bound`, and `channel` where it is one's; a bound that is a number
passes. Limits: [limits.md](limits.md).

{refusals()}## Errors

Sentences are the host's; what stands in braces travels as the error's `data`, the name as its `message`.

{device_errors()}## Why output ended

{ends()}How fast and in which manner each fault ends output: [fault-table.md](fault-table.md). `rheo` exits with
{errors.EXIT_FAULT} on a fault.

## Exit statuses of rheo

{table(["status", "is"], exits)}"""


def decisions() -> str:
    """docs/adr/README.md: number and title of every page there."""
    titles = [(path.name, path.read_text().partition("\n")[0]) for path in sorted(DECISIONS.parent.glob("0*.md"))]
    rows = "".join(f"- [{name[:4]}]({name}) {title.removeprefix(f'# {name[:4]} ')}\n" for name, title in titles)
    return f"""# Decisions

Made by `make tables`. Why things are as they are, one page each. A decision that is overturned keeps its page, which
says by which.

{rows}"""


def main(argv=None) -> int:
    """Returns the exit status."""
    parser = argparse.ArgumentParser(prog="make tables", description=__doc__.split("\n")[0])
    parser.add_argument("--check", action="store_true", help="compare with the pages that are there; write nothing")
    check = parser.parse_args(argv).check
    try:
        pages = {WIRE: wire().rstrip() + "\n", DECISIONS: decisions()}
    except Wordless as error:
        print(error, file=sys.stderr)
        return 1
    old = False
    for path, now in pages.items():
        name = str(path.relative_to(ROOT))
        before = path.read_text() if path.exists() else ""
        old |= now != before
        if check:
            lines = (before.splitlines(True), now.splitlines(True))
            sys.stdout.writelines(difflib.unified_diff(*lines, name, "what the sources say"))
            print(f"{name} is what the sources say." if now == before else f"{name} is old: make tables")
        else:
            path.write_text(now)
            print(f"Written: {name}")
    return int(check and old)


if __name__ == "__main__":
    sys.exit(main())
