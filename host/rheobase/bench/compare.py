"""What changed between two sweeps: who was tested with what, verdicts, figures. Reads two results; judges no board.

B is worse if a cell of both has a worse verdict in B than in A: pass before not run and cannot tell, these before
fail. A cell that only one of them has, as between a quick and a full matrix, makes neither worse; it is named. A figure
has moved if the two differ by more than both uncertainties together: less may be nothing at all.
"""

from rheobase.bench.results import WORDS

RANK = {"pass": 0, "not_run": 1, "cannot_tell": 1, "fail": 2}
SAME = (  # field of a result: what it is called
    ("serial", "serial"),
    ("board", "board"),
    ("emulated", "emulated"),
    ("firmware_version", "firmware version"),
    ("firmware_hash", "firmware"),
    ("firmware_origin", "firmware's place"),
    ("micropython", "MicroPython"),
    ("image_sha256", "image"),
    ("rheo", "rheo"),
    ("library_hash", "library of rheo"),
    ("matrix", "matrix"),
    ("instrument", "instrument"),
    ("label", "label"),
    ("operator", "operator"),
)
SHOWN = 20  # lines of a kind, for people


def compare(a, b):
    """What changed from result a to result b, JSON-ready.

    {"identity": [{what, a, b}], "verdicts": [{cell, a, b, worse, reason}], "figures": [{cell, figure, a, b, by, u,
    unit}], "only_a": [cell], "only_b": [cell], "worse": [cell], "same": nothing changed at all}
    """
    before, after = ({row["cell"]: row for row in result["cells"]} for result in (a, b))
    both = [cell for cell in before if cell in after]
    identity = [
        {"what": words, "a": a.get(name), "b": b.get(name)} for name, words in SAME if a.get(name) != b.get(name)
    ]
    verdicts = [
        _verdict(cell, before[cell], after[cell]) for cell in both if before[cell]["verdict"] != after[cell]["verdict"]
    ]
    figures = [moved for cell in both for moved in _moved(cell, before[cell], after[cell])]
    only_a = [cell for cell in before if cell not in after]
    only_b = [cell for cell in after if cell not in before]
    return {
        "same": not (identity or verdicts or figures or only_a or only_b),
        "identity": identity,
        "verdicts": verdicts,
        "figures": figures,
        "only_a": only_a,
        "only_b": only_b,
        "worse": [change["cell"] for change in verdicts if change["worse"]],
    }


def _verdict(cell, before, after):
    was, now = before["verdict"], after["verdict"]
    reasons = after["reasons"] or [None]
    return {"cell": cell, "a": was, "b": now, "worse": RANK[now] > RANK[was], "reason": reasons[0]}


def _moved(cell, before, after):
    """Figures of a cell that differ by more than both uncertainties together."""
    was, now = _figures(before), _figures(after)
    for name in (name for name in was if name in now):
        (value_a, u_a, unit), (value_b, u_b, _) = was[name], now[name]
        by, u = value_b - value_a, u_a + u_b
        if abs(by) > u:
            yield {"cell": cell, "figure": name, "a": value_a, "b": value_b, "by": by, "u": u, "unit": unit}


def _figures(row):
    """{name: (value, its uncertainty, unit)}. What has no bound, as the length of a pause, is the host's moment."""
    found = {f"worst {name}": (worst["off_ns"], worst["u_ns"], "ns") for name, worst in row["worst"].items()}
    ends = {extra["what"]: (extra["value"], extra["u"], extra["unit"]) for extra in row["extra"] if extra.get("most")}
    return found | ends


def text(found):
    """A comparison in lines."""
    if found["same"]:
        return "Nothing changed: the same identity, the same verdicts, no figure beyond its uncertainty."
    lines = [f"{c['what']}: {_known(c['a'])} -> {_known(c['b'])}" for c in found["identity"]]
    if not found["verdicts"]:
        lines.append("No verdict changed.")
    lines += _some(
        f"{'worse ' if c['worse'] else ''}{c['cell']}: {WORDS[c['a']]} -> {WORDS[c['b']]}"
        + (f" ({c['reason']})" if c["reason"] and c["b"] != "pass" else "")
        for c in sorted(found["verdicts"], key=lambda c: not c["worse"])
    )
    if not found["figures"]:
        lines.append("No figure moved beyond both uncertainties together.")
    lines += _some(
        f"{c['cell']}: {c['figure']} {c['a']:.6g} -> {c['b']:.6g} {c['unit']} (by {c['by']:+.6g}, ± {c['u']:.2g})"
        for c in sorted(found["figures"], key=lambda c: -abs(c["by"]) / (c["u"] or 1))
    )
    for side in ("a", "b"):
        cells = found[f"only_{side}"]
        if cells:
            shown = ", ".join(cells[:4]) + (", ..." if len(cells) > 4 else "")
            lines.append(f"only in {side.upper()}: {many(len(cells))} ({shown})")
    return "\n".join(lines)


def many(number):
    """ "1 cell", "2 cells"."""
    return f"{number} cell" + "s" * (number != 1)


def _some(lines):
    lines = list(lines)
    return lines[:SHOWN] + [f"... and {len(lines) - SHOWN} more (--json has them all)"] * (len(lines) > SHOWN)


def _known(value):
    return "none" if value is None else str(value)
