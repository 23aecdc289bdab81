"""Figures in README and docs, put there by the build: <!--fig NAME-->text<!--/fig-->, and [REQ-…] that must exist.

A page is hand-written but for what stands between such marks. Figures come from what was measured (tables that other
commands make) and from the firmware's own numbers; none is typed.
"""

import json
import os
import re
from functools import cache

import ledger
import proof
from case import FOLDER, ROOT
from rheobase import boards
from rheocore import limits, messages

MARK = re.compile(r"(<!--fig ([\w.%-]+)-->)(.*?)(<!--/fig-->)", re.S)
CITED = re.compile(r"\[(REQ-\d+)\]")
TABLES = ("faults", "presets", "benchmark", "soak", "deletions")
MADE = ("matrix.md",)  # pages that are wholly made


@cache
def rows(name):
    return json.loads((ROOT / "docs" / name).read_text())


def rounded(value):
    """Three figures of it."""
    return float(f"{value:.3g}")


def number(value):
    """12, 1.36, 0.032, 1023: three figures at most, no trailing zeros."""
    return f"{rounded(value):.10g}"


def all_figures(case, run):
    """{name: text} of every figure that a page may ask for."""
    margins = {f"{name}.margin": asked["margin"] for name, asked in case.requirements.items() if "margin" in asked}
    return {
        **counts(case, run),
        **margins,
        **of_evidence(),
        **of_breaking(),
        **of_soak(),
        **of_faults(),
        **of_presets(),
        **of_benchmark(),
        **of_firmware(),
    }


def counts(case, run):
    tests = proof.layers(run)
    return {
        **{f"tests.{name.replace(' ', '-')}": str(list(tests.values()).count(name)) for name in ledger.LAYERS},
        "tests": str(len(tests)),
        "hazards": str(len(case.hazards)),
        "controls": str(len(case.controls)),
        "requirements": str(len(case.requirements)),
    }


def of_evidence():
    """evidence.TABLE: which firmware each table of docs/ was measured with."""
    now, made = ledger.firmware(), ledger.evidence()
    return {f"evidence.{name}": "this firmware" if made.get(name) == now else "an earlier firmware" for name in TABLES}


def of_breaking():
    """Deletions of checks, and how many a test saw; mutants made, killed, explained."""
    deleted = rows("safety/deletions.json")
    files = rows("safety/mutants.json")["files"].values()
    return {
        "deletions": str(len(deleted)),
        "deletions.red": str(sum(row["red"] for row in deleted)),
        "mutants": str(sum(file["mutants"] for file in files)),
        "mutants.killed": str(sum(file["killed"] for file in files)),
        "mutants.explained": str(sum(file["explained"] for file in files)),
    }


def of_soak():
    """What the last long soak was, and how much of it was not as it must be."""
    told = rows("safety/soak.json")
    return {
        "soak.minutes": number(told["asked_s"] / 60),
        "soak.acts": str(sum(told["acts"].values())),
        "soak.faults": str(sum(told["faults"].values())),
        "soak.pulses": str(sum(row["pulses"] for row in told["channels"].values())),
        "soak.differences": str(len(told["differences"])),
    }


def of_faults():
    """fault.ID.worst and .bound in words, of the rows of each fault; how many there are and passed."""
    table = rows("fault-table.json")
    out = {
        "faults": str(len({row["fault"] for row in table})),
        "faults.runs": str(len(table)),
        "faults.passed": str(sum(row["verdict"] == "PASS" for row in table)),
    }
    for name in {row["fault"] for row in table}:
        mine = [row for row in table if row["fault"] == name]
        if all(row["bound_ms"] is not None for row in mine):
            out[f"fault.{name}.worst"] = time(max(row["measured_ms"] for row in mine))
            out[f"fault.{name}.bound"] = time(max(row["bound_ms"] for row in mine))
    return out


def time(ms):
    """A time in its unit: 32 ns, 293 µs, 120 ms, 1.02 s."""
    for unit, size in (("s", 1000), ("ms", 1), ("µs", 1e-3)):
        if rounded(ms / size) >= 1:
            return f"{number(ms / size)} {unit}"
    return f"{number(ms * 1e6)} ns"


def of_presets():
    table = rows("preset-table.json")
    return {
        "presets": str(len(table)),
        "presets.passed": str(sum(row["verdict"] == "PASS" for row in table)),
        "presets.pulses": str(sum(row["pulses"] for row in table)),
    }


def of_benchmark():
    """bench.MAKER.width, .period, .count, .locked: the worst of all trains and conditions; bench.image: what ran."""
    told = rows("benchmark.json")
    out = {"bench.image": f"{told['image']['board']}, MicroPython {told['image']['micropython']}"}
    for maker in {run["maker"] for run in told["runs"]}:
        mine = [run for run in told["runs"] if run["maker"] == maker]
        locked = [hang for hang in told["hangs"] if hang["maker"] == maker and not hang["watchdog"]]
        at = "bench." + re.sub("[, ]+", "-", maker.lower())
        out[f"{at}.width"] = time(max(abs(run[key]) for run in mine for key in ("a_worst_ns", "b_worst_ns")) / 1e6)
        out[f"{at}.period"] = time(max(run["jitter_peak_ns"] for run in mine) / 1e6)
        out[f"{at}.imbalance"] = time(max(run["imbalance_worst_ns"] for run in mine) / 1e6)
        ends = [hang["off_after_ms"] for hang in locked]
        out[f"{at}.locked"] = "goes on" if None in ends else f"{time(max(ends))}"
        out[f"{at}.high"] = time(max(hang["high_ms"] for hang in locked))
    return out


def of_firmware():
    board = boards.load("RHEO_PICO")
    return {
        "keepalive": time(messages.KEEPALIVE_MS),
        "arm": time(messages.ARM_MS),
        "cutoff.margin": time(messages.CUTOFF_MARGIN_MS),
        "rms": f"{limits.RMS_MAX_UA // 1000} mA",
        "step.needle": f"{limits.STEP_UA['needle'] / 1000:g} mA",
        "step.skin": f"{limits.STEP_UA['skin'] / 1000:g} mA",
        "duration.needle": f"{limits.DURATION_MAX_MS['needle'] // 60_000} min",
        "duration.tens": f"{limits.DURATION_MAX_MS['tens'] // 60_000} min",
        "duration.nmes": f"{limits.DURATION_MAX_MS['nmes'] // 60_000} min",
        "full-scale": f"{board['full_scale_ua'] // 1000} mA",
    }


def pages():
    """Every page that people read and write."""
    return [page for page in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))) if page.name not in MADE]


def links(text, page):
    """What makes every [REQ-…] of a page a link; a page asks for it by <!--fig links--> at its end."""
    matrix = os.path.relpath(FOLDER / "matrix.md", page.parent)
    return "".join(f"\n[{name}]: {matrix}#{name.lower()}" for name in sorted(set(CITED.findall(text)))) + "\n"


def filled(page, figures):
    """(text of a page with its figures, [names of figures that there are none of])."""
    text = page.read_text()
    figures = {**figures, "links": links(MARK.sub("", text), page)}
    unknown = sorted({name for _, name, _, _ in MARK.findall(text) if name not in figures})
    return MARK.sub(lambda m: m[1] + figures.get(m[2], m[3]) + m[4], text), unknown


def problems(case, figures):
    """Sentences: figures and requirements that pages name and that there are not."""
    found = []
    for page in pages():
        text, name = page.read_text(), page.relative_to(ROOT).as_posix()
        unknown = [f"figure {figure}" for figure in filled(page, figures)[1]]
        unknown += sorted(set(CITED.findall(text)) - set(case.requirements))
        found += [f"{name} asks for {one}, which there is not." for one in unknown]
    return found
