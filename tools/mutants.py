"""`make mutants`: breaks the safety code in every small way, and a test must fail. Writes docs/safety/mutants.*.

ARGS=--check: run again and compare, write nothing. ARGS=session: one file; ARGS=session:120: a line, shown only.
ARGS=--sample: those that the pages name as the sample, by their own tests. Exit status 1: a mutant survives that
docs/safety/equivalent.toml does not explain, an explanation has no survivor, or the pages are not what was found.
"""

import argparse
import functools
import hashlib
import json
import sys
import tomllib
import warnings
from collections import Counter
from dataclasses import replace

from mutations import OPERATORS, Mutant, mutants
from trial import ROOT, Ground, Target, ground, outcomes

CORE = ROOT / "firmware" / "lib" / "rheocore"
SAFETY = ROOT / "docs" / "safety"
JSON, PAGE, EXPLAINED = SAFETY / "mutants.json", SAFETY / "mutants.md", SAFETY / "equivalent.toml"
OWN = {"session": ["tests/core/test_core_session.py", "tests/core/test_core_session_edges.py"]}
OTHERS = {
    "limits": ["tests/core/test_core_stress.py", "tests/host/test_limits_agree.py"],
    "plan": ["tests/core/test_core_small_ints.py"],
    "session": ["tests/core/test_core_server.py"],
    "frames": [],
}
SAMPLE = 30

_HEAD = """# Mutants

Made by `make mutants`; `make mutants ARGS=--check` runs it again and compares. Do not edit.

Four files decide what may leave the board: what is allowed, the sequence of pulses, when output may begin and must
end, and what is a message. Here each is broken in one small way after another, and the tests are run until one fails.
A change that no test notices is a hole in the tests, or makes no difference; each of the latter is explained below.

What is changed, one thing at a time, wherever it stands, the caps at the top of `limits.py` included:

| operator | what it does |
|---|---|
| statement | deletes it: a check, a refusal, a `return`, one target of an assignment; `break` for `continue` |
| condition | always true, always false, the opposite |
| comparison | the boundary (`<` for `<=`), the opposite |
| and/or/not | `or` for `and`, one side left out, `not` left out |
| arithmetic | the inverse operation |
| constant | one more and one less, `True` for `False`, another word |
| return | `None` instead |
| call | each argument `None` or left out, the first argument instead of the call, `max` for `min` |
| list | a member of a tuple, list or dict left out |

Not tried: one name taken for another, several changes at once, and any other file. The tests run on CPython; that the
board computes the same is shown by tests of their own. Killed by time: the test did not end within 20 times its usual
processor time; its usual cause is a loop without an end, which on the board the watchdog ends.

"""
_TOOLS = """
## Why a tool of our own

Two libraries were looked at. mutmut 3.8 is fast, and changes only what stands in functions, so none of the caps of
`limits.py`, and deletes no statement. cosmic-ray 8.7 starts the tests in a new process for each mutant, hours here, and
deletes no statement without a plug-in. `tools/mutations.py` makes the mutants, `tools/trial.py` runs the tests in forks
of one process.
"""


def target(name: str) -> Target:
    own = OWN.get(name, [f"tests/core/test_core_{name}.py"])
    return Target(f"rheocore.{name}", CORE / f"{name}.py", own, OTHERS[name])


def explanations() -> dict[tuple[str, str, str], str]:
    """{(file, line, change): why}"""
    entries = tomllib.loads(EXPLAINED.read_text())["equivalent"] if EXPLAINED.exists() else []
    return {(e["file"], e["line"], change): " ".join(e["why"].split()) for e in entries for change in e["changes"]}


@functools.cache
def made(name: str) -> list[Mutant]:
    return mutants(f"{name}.py", (CORE / f"{name}.py").read_text())


def run(name: str, line: int | None = None) -> list[tuple[Mutant, str]]:
    """(mutant, what killed it or "") in the order of the source."""
    each = [mutant for mutant in made(name) if line in (None, mutant.line)]
    print(f"{name}.py: {len(each)} mutants", flush=True)
    found: dict[tuple[str, str, str], str] = {}
    for mutant, killer in outcomes(target(name), each, ground(target(name))):
        found[mutant.key] = killer
        if not killer:
            print(f"  {name}.py:{mutant.line} survives: {mutant.text}   [{mutant.change}]", flush=True)
        elif len(found) % 50 == 0:
            print(f"  {len(found)} done", flush=True)
    return [(mutant, found[mutant.key]) for mutant in each]


def entry(name: str, found: list[tuple[Mutant, str]]) -> dict:
    """A file's part of mutants.json."""
    every = Counter(mutant.operator for mutant, _ in found)
    lived = Counter(mutant.operator for mutant, killer in found if not killer)
    return {
        "sha256": hashlib.sha256((CORE / f"{name}.py").read_bytes()).hexdigest(),
        "mutants": len(found),
        "killed": sum(bool(killer) for _, killer in found),
        "by_time": sum(killer == "time" for _, killer in found),
        "explained": 0,
        "operators": {o: [every[o], every[o] - lived[o]] for o in OPERATORS if every[o]},
        "survivors": [
            {"at": m.line, "line": m.text, "change": m.change, "operator": m.operator, "why": None}
            for m, killer in found
            if not killer
        ],
    }


def explain(files: dict) -> None:
    """Put the reasons beside the survivors."""
    why = explanations()
    for file, part in files.items():
        for survivor in part["survivors"]:
            survivor["why"] = why.get((file, survivor["line"], survivor["change"]))
        part["explained"] = sum(survivor["why"] is not None for survivor in part["survivors"])


def sample(name: str, found: list[tuple[Mutant, str]], share: int) -> list[list[str]]:
    """[file, line, change, test] of mutants that their own tests kill, evenly over the file."""
    own = [(m, killer) for m, killer in found if killer.split("::")[0] in target(name).own]
    chosen = [own[k * len(own) // share] for k in range(share)]
    return [[*mutant.key, killer] for mutant, killer in chosen]


def complaints(files: dict, names: list[str]) -> list[str]:
    """Survivors without a reason, reasons without a survivor."""
    out = []
    lived = {(f, s["line"], s["change"]) for f, part in files.items() for s in part["survivors"]}
    for file, part in files.items():
        out += [f"{file}:{s['at']} no test fails for: {s['change']}" for s in part["survivors"] if not s["why"]]
    for key in explanations():
        if key not in lived and key[0].removesuffix(".py") in names:
            out.append(f"equivalent.toml explains what does not survive: {key[0]}: {key[1]} [{key[2]}]")
    return out


def row(*cells) -> str:
    return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |\n"


def page(report: dict) -> str:
    """mutants.md, from mutants.json alone."""
    files = report["files"]
    keys = ("mutants", "killed", "by_time", "explained")
    total = {key: sum(part[key] for part in files.values()) for key in keys}
    out = _HEAD + "## Figures\n\n" + row("file", "mutants", "killed", "of these by time", "explained", "unexplained")
    out += "|---" * 6 + "|\n"
    for file, part in [*((f"`{file}`", part) for file, part in files.items()), ("together", total)]:
        counts = [part[key] for key in keys]
        out += row(file, *counts, counts[0] - counts[1] - counts[3])
    out += "\nKilled of made, by operator:\n\n" + row("operator", *(f"`{file}`" for file in files))
    out += "|---" * (1 + len(files)) + "|\n"
    for operator in OPERATORS:
        pairs = [part["operators"].get(operator) for part in files.values()]
        out += row(operator, *(f"{pair[1]} of {pair[0]}" if pair else "–" for pair in pairs))
    out += "\n## Survivors, and why each may\n\nReasons: `docs/safety/equivalent.toml`.\n"
    for file, part in files.items():
        if part["survivors"]:
            out += f"\n`{file}`\n\n" + row("line", "source", "change", "why nothing can notice it") + "|---" * 4 + "|\n"
        for s in part["survivors"]:
            out += row(s["at"], f"`{s['line']}`", f"`{s['change']}`", s["why"] or "**not explained**")
    return out + _TOOLS


def run_sample() -> list[str]:
    """What of the sample is not killed any more, or is not there."""
    out = []
    rows = json.loads(JSON.read_text())["sample"]
    for name in OTHERS:
        killers = {(file, line, change): test for file, line, change, test in rows if file == f"{name}.py"}
        here = [mutant for mutant in made(name) if mutant.key in killers]
        out += [f"{key[0]}: there is no more {key[1]} [{key[2]}]" for key in killers.keys() - {m.key for m in here}]
        alone = Ground({}, {}, [])
        alone.only = killers
        for mutant, killer in outcomes(replace(target(name), others=[]), here, alone):
            if not killer:
                out.append(f"{mutant.file}:{mutant.line} is no more killed by its own tests: {mutant.change}")
    print(f"{len(rows) - len(out)} of {len(rows)} killed")
    return out


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", default="", help="a file, or file:line")
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    parser.add_argument("--sample", action="store_true", help="the sample alone")
    args = parser.parse_args(argv)
    warnings.simplefilter("ignore", SyntaxWarning)  # mutants say odd things
    if args.sample:
        return tell(run_sample())
    name, _, line = args.what.removesuffix(".py").partition(":")
    if name and name not in OTHERS or line and not line.isdigit():
        parser.error(f"`{args.what}` is none of {', '.join(OTHERS)}, nor one of them with :line")
    if line:
        found = run(name, int(line))
        for mutant, killer in found:
            print(f"{mutant.change:60} {killer or 'SURVIVES'}")
        return 0
    names = [name] if name else list(OTHERS)
    tried = {each: run(each) for each in names}
    old = json.loads(JSON.read_text()) if JSON.exists() else {"files": {}, "sample": []}
    files, samples = {}, []
    for each in OTHERS:
        if each in tried:
            found = tried[each]
            files[f"{each}.py"] = entry(each, found)
            samples += sample(each, found, SAMPLE * len(found) // sum(len(made(n)) for n in OTHERS))
        elif f"{each}.py" in old["files"]:
            files[f"{each}.py"] = old["files"][f"{each}.py"]
            samples += [row for row in old["sample"] if row[0] == f"{each}.py"]
    explain(files)
    wrong = complaints(files, names)
    if args.check:
        for file, part in files.items():
            if differs(part, old["files"].get(file)):
                wrong.append(f"{file}: the figures are not those of docs/safety/mutants.json: run `make mutants`")
        return tell(wrong)
    report = {"files": files, "sample": samples}
    JSON.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n")
    PAGE.write_text(page(report))
    return tell(wrong)


def differs(part: dict, other: dict | None) -> bool:
    """A mutant killed by time here may be killed by its test there; that it is killed is what counts."""
    keys = part.keys() - {"by_time"}
    return other is None or any(part[key] != other[key] for key in keys)


def tell(wrong: list[str]) -> int:
    for sentence in wrong:
        print(f"error: {sentence}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
