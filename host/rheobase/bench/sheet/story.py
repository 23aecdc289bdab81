"""What a sweep's result tells, as one dict for the page: what was tested, with what, how sure it is, what came out.

Says only what the result holds. No text here is HTML: the page escapes all of it.
"""

from datetime import datetime

from rheobase.bench import matrix, results
from rheobase.bench.sheet import pictures
from rheobase.report.words import count
from rheobase.wording import WORDING

UNKNOWN = "not known"
TITLES = {"combination": "frequency, width and gap", "on_off": "on/off duty"}
MEANS = {
    "combination": "A plain train at each combination of rate, phase and gap, on each channel.",
    "burst": "Groups of pulses with a pause between them.",
    "alternating": "Two rates in turn, each for a set time.",
    "modulated": "Rate and width sweep up and down together.",
    "on_off": "Output on and off in turn, with ramps inside each on-time.",
    "stop": "Stopped by command in the middle of a train.",
    "pause": "Paused and resumed: the train begins anew and replays nothing.",
    "time_over": "The session's time runs out: no pulse is begun that would not end whole.",
    "starvation": "The processor is made to stall: the pulse engine must run dry with its last pulse whole.",
    "cutoff": "The hardware cutoff is set early: it must end the output with no help from the processor.",
    "interlock": "The interlock is opened while pulses run: legs low at once, and none rises after.",
}
LEVEL = {"pass": "good", "fail": "stop", "cannot_tell": "warn", "not_run": "warn"}
MARK = {"pass": "\u2713", "fail": "\u2717", "cannot_tell": "?", "not_run": "\u2013"}


def tell(result):
    """The page's dict of a result."""
    rows = result["cells"]
    kinds = list(dict.fromkeys(row["kind"] for row in rows))
    combos = [row for row in rows if row["levels"]]
    return {
        "name": f"{result['serial']}, {_when(result['begun_utc'])}",
        "emulated": result["emulated"],
        "verdict": _verdict(result),
        "head": _head(result),
        "kinds": [_kind(kind, [row for row in rows if row["kind"] == kind]) for kind in kinds],
        "bad": [_entry(row) for row in rows if row["verdict"] in ("fail", "cannot_tell")],
        "unrun": [_entry(row) for row in rows if row["verdict"] == "not_run"],
        "grids": [_grid(n, combos) for n in sorted({row["channel"] for row in combos})],
        "special": [
            _special(row)
            for kind in kinds
            for row in sorted(rows, key=lambda row: row["channel"])
            if row["kind"] == kind and not row["levels"]
        ],
        "pairs": "extremes of any two of the three" if result["quick"] else "levels of any two of the three",
        "pictures": pictures.of(rows),
        "tolerances": result["tolerances"],
        "judged": [(name.replace("_", " "), text) for name, text in result["judged_by"].items()],
        "versions": _versions(result),
        "operator": result["operator"] or "",
        "wording": WORDING,
    }


def _when(utc):
    return datetime.fromisoformat(utc).strftime("%Y-%m-%d %H:%M UTC")


def _verdict(result):
    """(level, head, text): the result, first of all."""
    numbers = result["counts"]
    done = sum(numbers.values()) - numbers["not_run"]
    head = f"{results.WORDS[result['verdict']]}: {numbers['pass']} of {done} cells passed"
    if result["verdict"] == "pass" and numbers["not_run"]:
        head = f"PASS OF WHAT WAS RUN: {numbers['pass']} of {len(result['cells'])} cells; {numbers['not_run']} NOT RUN"
    more = [f"{numbers[name]} {words}" for name, words in (("fail", "failed"), ("cannot_tell", "could not be told"))
            if numbers[name]]  # fmt: skip
    if numbers["not_run"]:
        more.append(f"{numbers['not_run']} not run, which is neither: see below")
    text = (", ".join(more).capitalize() + ".") if more else "Every cell of the matrix was run."
    if result["verdict"] == "pass":
        text += " Every figure lies within its tolerance, its uncertainty added."
    return "warn" if numbers["not_run"] and result["verdict"] == "pass" else LEVEL[result["verdict"]], head, text


def _head(result):
    board = result["board"] + (" (emulated)" if result["emulated"] else "")
    span = "quick matrix" if result["quick"] else "full matrix"
    rows = [
        ("board", board),
        ("serial", result["serial"]),
        ("label", result["label"] or "none given"),
        ("operator", result["operator"] or "none given"),
        ("begun", _when(result["begun_utc"])),
        ("ended", _when(result["ended_utc"])),
        ("tested", f"{len(result['cells'])} cells in {result['sessions']} sessions, {span}"),
        ("pulses measured", count(sum(row["pulses"]["pins"] or 0 for row in result["cells"]))),
    ]
    times = result["resumed"]
    return rows + [("resumed", "once" if times == 1 else f"{times} times")] * bool(times)


def _versions(result):
    same = result["firmware_hash"] == result["library_hash"]
    library = result["library_hash"] or UNKNOWN
    return [
        ("firmware", f"{result['firmware_version']}, {result['firmware_hash']}, {result['firmware_origin']}"),
        ("library of this rheo", library + ("" if same else ": NOT the firmware that was tested")),
        ("MicroPython", result["micropython"]),
        ("image (SHA-256)", result["image_sha256"] or "not readable from a board"),
        ("rheo", result["rheo"]),
        ("matrix", f"{result['matrix']}{' (quick)' if result['quick'] else ''}"),
    ]


def _kind(kind, rows):
    numbers = results.counts(rows)
    worst = next(verdict for verdict in results.WORST if numbers[verdict])
    told = [f"{numbers[v]} {results.WORDS[v]}" for v in results.WORDS if numbers[v]]
    return {"title": _title(kind), "means": MEANS.get(kind, ""), "cells": len(rows), "told": told, "level": worst}


def _title(kind):
    return TITLES.get(kind, kind.replace("_", " "))


def _entry(row):
    return {
        "cell": row["cell"],
        "verdict": results.WORDS[row["verdict"]],
        "level": row["verdict"],
        "title": f"channel {row['channel']}, {row['title']}",
        "reasons": row["reasons"],
        "capture": row["capture"],
    }


def _grid(channel, combos):
    """The heat table of a channel: a row a rate, a column a width, in each cell the gaps with their verdicts."""
    rows = [row for row in combos if row["channel"] == channel]
    rates = sorted({row["levels"][0] for row in rows})
    widths = sorted({row["levels"][1] for row in rows})
    found = {(hz, width): [] for hz in rates for width in widths}
    for row in sorted(rows, key=lambda row: row["levels"][2]):
        hz, width, gap = row["levels"]
        entry = {"gap": gap, "mark": MARK[row["verdict"]], "word": results.WORDS[row["verdict"]]}
        found[hz, width].append({**entry, "level": row["verdict"], "title": row["title"]})
    longest = f"longest ({matrix.LONGEST} µs or what fits)"
    return {
        "channel": channel,
        "widths": [longest if width == matrix.LONGEST else f"{width} µs" for width in widths],
        "rows": [(f"{hz} Hz", [found[hz, width] for width in widths]) for hz in rates],
    }


def _special(row):
    off = [row["worst"].get(name) for name, _ in pictures.FIGURES]
    return {
        **_entry(row),
        "kind": _title(row["kind"]),
        "channel": row["channel"],
        "pulses": _pulses(row["pulses"]),
        "off": " / ".join("\u2013" if worst is None else f"{worst['off_ns']:.0f}" for worst in off),
        "figures": [_figure(figure) for figure in row["extra"]],
    }


def _pulses(pulses):
    told = [pulses[name] for name in ("commanded", "board", "pins")]
    return " / ".join("\u2013" if n is None else count(n) for n in told)


def _figure(figure):
    """ "last edge after the stall 63.1 ms ± 2 ms, at most 200 ms"."""
    unit, value, u = figure["unit"], figure["value"], figure["u"]
    if unit == "ns" and not value:
        return f"no {figure['what']}: no leg was high at that moment"
    text = f"{figure['what']} {value:.6g} {unit}"
    text += f" ± {1e6 * u:.3g} ns" if unit == "ms" and u < 0.001 else f" ± {u:.3g} {unit}"
    return text if figure["most"] is None else f"{text}, at most {figure['most']:.6g} {unit}"
