"""Figures in README and docs, put there by the build: <!--fig NAME-->text<!--/fig-->, and [REQ-…] that must exist.

A page is hand-written but for what stands between such marks. Figures come from what was measured (tables that other
commands make) and from the firmware's own numbers; none is typed.
"""

import json
import re
from functools import cache

import ledger
import proof
from case import ROOT
from rheobase import boards
from rheocore import limits, messages

MARK = re.compile(r"(<!--fig ([\w.%-]+)-->)(.*?)(<!--/fig-->)", re.S)
CITED = re.compile(r"\[(REQ-\d+)\]")
MADE = ("matrix.md",)  # pages that are wholly made


@cache
def rows(name):
    return json.loads((ROOT / "docs" / name).read_text())


def number(value):
    """12, 1.36, 0.032: three figures at most, no trailing zeros."""
    text = f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def all_figures(case, run):
    """{name: text} of every figure that a page may ask for."""
    margins = {f"{name}.margin": asked["margin"] for name, asked in case.requirements.items() if "margin" in asked}
    return {**counts(case, run), **margins, **of_faults(), **of_presets(), **of_benchmark(), **of_firmware()}


def counts(case, run):
    tests = proof.layers(run)
    return {
        **{f"tests.{name.replace(' ', '-')}": str(list(tests.values()).count(name)) for name in ledger.LAYERS},
        "tests": str(len(tests)),
        "hazards": str(len(case.hazards)),
        "controls": str(len(case.controls)),
        "requirements": str(len(case.requirements)),
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
        if ms >= size:
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
    """bench.MAKER.TRAIN.CONDITION.FIELD, lower case and hyphens for blanks; times in their unit."""
    out = {}
    for run in rows("benchmark.json")["runs"]:
        at = re.sub("[, ]+", "-", ".".join(run[key] for key in ("maker", "train", "condition"))).lower()
        for field, value in run.items():
            if isinstance(value, int | float) and field.endswith("_ns"):
                out[f"bench.{at}.{field[:-3]}"] = time(abs(value) / 1e6)
            elif isinstance(value, int | float):
                out[f"bench.{at}.{field}"] = number(value)
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


def filled(text, figures):
    """(text with its figures, [names of figures that there are none of])."""
    unknown = sorted({name for _, name, _, _ in MARK.findall(text) if name not in figures})
    return MARK.sub(lambda m: m[1] + figures.get(m[2], m[3]) + m[4], text), unknown


def problems(case, figures):
    """Sentences: figures and requirements that pages name and that there are not."""
    found = []
    for page in pages():
        text, name = page.read_text(), page.relative_to(ROOT).as_posix()
        unknown = [f"figure {figure}" for figure in filled(text, figures)[1]]
        unknown += sorted(set(CITED.findall(text)) - set(case.requirements))
        found += [f"{name} asks for {one}, which there is not." for one in unknown]
    return found
