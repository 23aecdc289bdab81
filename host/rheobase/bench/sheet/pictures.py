"""The pictures of a sweep's report: the worst deviations against their tolerances, the jitter, one pulse a channel.

SVG in data URIs, as in a session's report. Draws what the rows hold; judges nothing.
"""

from rheobase.report.pictures import picture
from rheobase.report.words import count

LEAST_NS = 1  # on a logarithmic scale nought has no place: what is less stands here
FIGURES = (
    ("width", "width of a phase"),
    ("gap", "gap between the phases"),
    ("start", "start of a pulse"),
    ("balance", "balance: phase A less phase B"),
)
_COLOURS = ("#0b6e99", "#c8553d", "#5b7f2b", "#7a4fa3", "#b26a00", "#455a64")
_DARK, _RED, _GREY = "#263238", "#b3261e", "#78909c"


def of(rows):
    """[(data URI, what it shows, alternative text)] of the pictures that the rows have figures for."""
    made = [_deviations(rows), _jitter(rows), _shapes(rows)]
    return [entry for entry in made if entry]


def _channels(rows):
    return sorted({row["channel"] for row in rows})


def _deviations(rows):
    found = [row for row in rows if row["worst"]]
    if not found:
        return None
    found = sorted(found, key=lambda row: row["channel"])  # stable: within a channel as they were played
    channels = _channels(found)

    def draw(*axes):
        for axis, (name, title) in zip(axes, FIGURES, strict=True):
            _strip(axis, found, channels, name, title)
        axes[-1].set_xlabel("cell, in the order of the matrix, channel after channel")

    margins = {"left": 0.085, "right": 0.985, "bottom": 0.075, "top": 0.96, "hspace": 0.32}
    words = (
        "Worst deviation from what was commanded, of every cell (ns). The bar is the uncertainty, the red line the "
        "tolerance; a cell passes if its bar ends below the line. What is less than 1 ns stands at 1 ns."
    )
    return (
        picture(5.2, draw, margins, len(FIGURES), 1, sharex=True),
        words,
        "Worst deviation of each cell against its tolerance",
    )


def _strip(axis, rows, channels, name, title):
    known = [k for k, row in enumerate(rows) if name in row["worst"]]
    worst = {k: rows[k]["worst"][name] for k in known}
    for colour, n in zip(_COLOURS * len(channels), channels, strict=False):
        everywhere = [k for k, row in enumerate(rows) if row["channel"] == n]
        if n != channels[0]:
            axis.axvline(everywhere[0] - 0.5, color="0.8", linewidth=0.8)
        middle = (everywhere[0] + everywhere[-1]) / 2
        at = {"transform": axis.get_xaxis_transform(), "ha": "center", "va": "top", "fontsize": 7}
        axis.text(middle, 0.98, f"channel {n}", color=colour, **at)
        mine = [k for k in everywhere if k in worst]
        least, off, most = (
            [max(LEAST_NS, abs(worst[k]["off_ns"]) + sign * worst[k]["u_ns"]) for k in mine] for sign in (-1, 0, 1)
        )
        axis.vlines(mine, least, most, color=colour, linewidth=1.2, alpha=0.55)
        axis.plot(mine, off, ".", color=colour, markersize=4)
    axis.step(known, [worst[k]["most_ns"] for k in known], where="mid", color=_RED, linewidth=1.1)
    beyond = [k for k in known if abs(worst[k]["off_ns"]) - worst[k]["u_ns"] > worst[k]["most_ns"]]
    axis.plot(beyond, [abs(worst[k]["off_ns"]) for k in beyond], "x", color=_RED, markersize=6)
    axis.set_yscale("log")
    axis.set_ylim(0.7 * LEAST_NS, max(axis.get_ylim()[1], 4000))
    axis.set_xlim(-1, len(rows))
    axis.set_title(title)
    axis.set_ylabel("ns")


def _jitter(rows):
    total = {}
    for row in rows:
        for ns, number in row["jitter"].items():
            total[int(ns)] = total.get(int(ns), 0) + number
    if not total:
        return None
    values = sorted(total)
    step = min((b - a for a, b in zip(values, values[1:], strict=False)), default=8)

    def draw(axis):
        axis.bar(values, [total[v] for v in values], width=0.8 * step, color=_COLOURS[0])
        axis.set_yscale("log")
        axis.set_ylim(0.5, 2.5 * max(total.values()))
        reach = max(3 * step, 1.2 * max(map(abs, values)))
        axis.set_xlim(-reach, reach)
        axis.set_xlabel("start of a pulse, from its commanded time (ns)")
        axis.set_ylabel("pulses")

    margins = {"left": 0.085, "right": 0.985, "bottom": 0.25, "top": 0.95}
    words = f"Jitter: how far each of {count(sum(total.values()))} pulses, of all cells, began from its commanded time."
    return picture(1.7, draw, margins), words, "Histogram of the starts of pulses"


def _shapes(rows):
    """One measured pulse of each channel, of the same combination where there is one."""
    shown = {}
    usual = sorted((row for row in rows if row.get("shape_us")), key=lambda row: abs(row["shape_us"][1] - 200))
    for row in usual:
        shown.setdefault(row["channel"], row)
    if not shown:
        return None
    channels = sorted(shown)

    def draw(axis):
        for place, (colour, n) in enumerate(zip(_COLOURS * len(channels), channels, strict=False)):
            a0, a1, b0, b1 = shown[n]["shape_us"]
            y, pad = -2.6 * place, 0.2 * b1
            axis.plot([-pad, a0, a0, a1, a1, b0, b0, b1, b1, b1 + pad], [y, y, y + 1, y + 1, y, y, y - 1, y - 1, y, y],
                      color=colour, linewidth=1.3)  # fmt: skip
            axis.fill_between([a0, a1], [y, y], [y + 1, y + 1], color=colour, alpha=0.25, linewidth=0)
            axis.fill_between([b0, b1], [y, y], [y - 1, y - 1], color=colour, alpha=0.25, linewidth=0)
            for left, right, height, va in ((a0, a1, y + 0.5, "center"), (b0, b1, y - 0.5, "center")):
                axis.text((left + right) / 2, height, f"{right - left:.3f} µs", ha="center", va=va, fontsize=7)
            axis.text((a1 + b0) / 2, y + 0.12, f"{b0 - a1:.3f}", ha="center", va="bottom", fontsize=6, color=_GREY)
            axis.text(b1 + 1.15 * pad, y, f"channel {n}\n{shown[n]['title']}", fontsize=7, color=colour, va="center")
        widest = max(shown[n]["shape_us"][3] for n in channels)
        axis.set_xlim(-0.25 * widest, 1.75 * widest)
        axis.set_ylim(-2.6 * (len(channels) - 1) - 1.3, 1.3)
        axis.set_yticks([])
        axis.grid(False)
        axis.spines["left"].set_visible(False)
        axis.set_xlabel("time in the pulse (µs)")

    height = 0.7 + 0.62 * len(channels)
    margins = {"left": 0.03, "right": 0.985, "bottom": 0.5 / height, "top": 0.97}
    words = "One measured pulse of each channel, leg A up, leg B down: times as captured, height without a scale."
    return picture(height, draw, margins), words, "One measured pulse of each channel"
