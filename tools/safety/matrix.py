"""docs/safety/matrix.md as text: hazard, control, requirement, test, result, layer. Judges nothing."""

import ledger
import proof
from case import SOFTWARE

HEAD = """# Safety matrix

Made by `make safety` of [hazards.toml](hazards.toml), [requirements.toml](requirements.toml), the marks in the tests
and what they did in the last run. Do not edit. What it is about, in ten minutes: [the safety case](README.md).

"""
LAYERS = """
- *unit*: CPython, and MicroPython's Unix port for `tests/vectors` and `tests/fuzz`.
- *PIO cycle-exact*: the assembled programs in a PIO emulator, clock by clock.
- *real image*: the MicroPython image with this firmware on the emulated RP2040, edges at the pins, simulated time.
- *hardware*: a board at `RHEO_PORT`. None has run yet.

"""


def page(case, run):
    """Text of the page. case: case.Case; run: ledger.last_run()."""
    tests = proof.shown(run)
    functions = proof.layers(run)
    counts = ", ".join(f"{list(functions.values()).count(name)} {name}" for name in ledger.LAYERS)
    title = f"{len(case.hazards)} hazards, {len(case.controls)} controls, {len(case.requirements)} requirements, "
    out = [HEAD, f"{title}{len(functions)} tests that show them: {counts}.\n", LAYERS, "## Controls\n\n"]
    out.append(table(("control", "kind", "what", "hazards"), controls(case)))
    out.append("## Hazards\n\n")
    out += [of_hazard(case, hazard) for hazard in case.hazards]
    out.append("## Requirements\n\n")
    out += [of_requirement(case, name, tests.get(name, {})) for name in case.requirements]
    return "".join(out).rstrip() + "\n"


def table(head, rows):
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(cells) + " |\n" for cells in lines) + "\n"


def controls(case):
    for name, control in case.controls.items():
        end = f", end {control['end']}" if "end" in control else ""
        what = control["what"] + (f" (`{control['where']}`)" if "where" in control else "")
        used = dict.fromkeys(hazard["id"] for hazard, _, use in case.uses() if use["by"] == name)
        yield name, control["kind"] + end, what, " ".join(map(link, used))


def of_hazard(case, hazard):
    rows = []
    for use in hazard["controls"]:
        kind = case.controls[use["by"]]["kind"]
        by = " ".join(map(link, use["requirements"])) if kind in SOFTWARE else use["duty"]
        rows.append((use["by"], kind, by))
    return (
        f"### {hazard['id']}\n\n**{hazard['title']}.** {hazard['cause']} *Harm:* {hazard['harm']}\n\n"
        + table(("control", "kind", "requirement, or duty"), rows)
        + f"*Left:* {hazard['residual']} *Owner:* {hazard['owner']}.\n\n"
    )


def of_requirement(case, name, tests):
    asked = case.requirements[name]
    margin = f" *Margin:* {asked['margin']}." if "margin" in asked else ""
    rows = [(f"`{function}`", one.layer, one.says()) for function, one in tests.items()]
    hazards = " ".join(map(link, case.hazards_of(name)))
    return f"### {name}\n\n{asked['text']}{margin} *Against:* {hazards}\n\n" + table(("test", "layer", "result"), rows)


def link(name):
    return f"[{name}](#{name.lower()})"
