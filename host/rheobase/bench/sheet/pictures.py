"""The pictures of a sweep's report: the worst deviations against their tolerances, the jitter, one pulse a channel.

SVG in data URIs, as in a session's report. Draws what the rows hold; judges nothing.
"""

from rheobase.report.pictures import picture

LEAST_NS = 1  # on a logarithmic scale nought has no place: what is less stands here
FIGURES = (("width", "width of a phase"), ("gap", "gap"), ("start", "start of a pulse"))
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

    margins = {"left": 0.085, "right": 0.985, "bottom": 0.09, "top": 0.95, "hspace": 0.28}
    words = (
        "Worst deviation from what was commanded, of every cell (ns). The bar is the uncertainty, the red line the "
        "tolerance; a cell passes if its bar ends below the line. What is less than 1 ns stands at 1 ns."
    )
    return picture(4.3, draw, margins, 3, 1, sharex=True), words, "Worst deviation of each cell against its tolerance"


def _strip(axis, rows, channels, name, title):
    edge = 0
    for colour, channel in zip(_COLOURS * len(channels), channels, strict=False):
        mine = [(k, row["worst"][name]) for k, row in enumerate(rows) if row["channel"] == channel and name in row["worst"]]
        if edge:
            axis.axvline(edge - 0.5, color="0.8", linewidth=0.8)
        edge += sum(row["channel"] == channel for row in rows)
        if not mine:
            continue
        x = [k for k, _ in mine]
        off = [max(LEAST_NS, worst["off_ns"]) for _, worst in mine]
        least = [max(LEAST_NS, worst["off_ns"] - worst["u_ns"]) for _, worst in mine]
        most = [max(LEAST_NS, worst["off_ns"] + worst["u_ns"]) for _, worst in mine]
        axis.vlines(x, least, most, color=colour, linewidth=1.2, alpha=0.55)
        axis.plot(x, off, ".", color=colour, markersize=4)
        axis.text(sum(x) / len(x), 0.97, f"channel {channel}", transform=axis.get_xaxis_transform(), ha="center", va="top",
                  fontsize=7, color=colour)  # fmt: skip
        tolerance = mine[0][1]["most_ns"]
        axis.axhline(tolerance, color=_RED, linewidth=1.1)
        beyond = [k for k, worst in mine if worst["off_ns"] - worst["u_ns"] > worst["most_ns"]]
        axis.plot(beyond, [max(LEAST_NS, rows[k]["worst"][name]["off_ns"]) for k in beyond], "x", color=_RED, markersize=6)
    axis.set_yscale("log")
    low, high = axis.get_ylim()
    axis.set_ylim(0.7 * LEAST_NS, max(high, 3000))
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
    words = f"Jitter: {sum(total.values()):,} pulses of all cells, by how far each began from its commanded time.".replace(
        ",", "\u202f", 1
    )
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
    words = "One measured pulse of each channel, leg A upwards, leg B downwards: times as captured, height not to scale."
    return picture(height, draw, margins), words, "One measured pulse of each channel"
