"""docs/benchmark.svg from docs/benchmark.json: the 100 Hz train, by maker and condition. Runs nothing."""

import cases
import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot

HANG = "locks up"
STUCK, GOING = "#c0392b", "#8c8c8c"
COLOURS = {"idle": "#0072b2", "garbage": "#d55e00", "USB": "#009e73"}
LINEAR_US = 0.1  # within it the axis is linear, beyond it logarithmic
PANELS = (
    ("width_ns", "Width of a phase: measured minus 200 µs", 30, (-10, -1, -0.1, 0, 0.1, 1, 10)),
    ("period_ns", "Period: measured minus 10 ms", 30_000, (-10_000, -100, -1, 0, 1, 100, 10_000)),
)


def draw(results, path):
    """Write the picture. The same results give the same bytes."""
    train = cases.TRAINS[0].name
    rows = [row for row in results["runs"] if row["train"] == train]
    made_by = {row["maker"] for row in rows}
    makers = [maker.name for maker in cases.MAKERS if maker.name in made_by]
    settings = {"svg.hashsalt": "rheobase", "svg.fonttype": "path", "font.size": 10}
    with pyplot.rc_context(settings):
        figure, axes = pyplot.subplots(
            1, 3, figsize=(13, 4.4), sharey=True, layout="constrained", width_ratios=(5, 5, 3)
        )
        for axis, (key, title, most_us, ticks) in zip(axes, PANELS, strict=False):
            for row in rows:
                step = cases.CONDITIONS.index(row["condition"]) - 1
                y = makers.index(row["maker"]) + 0.24 * step
                x = [ns / 1000 for ns in row["points"][key]]
                axis.plot(x, [y] * len(x), "|", ms=9, mew=1.1, color=COLOURS[row["condition"]])
            axis.axvline(0, color="#999999", lw=0.8, zorder=0)
            axis.set_xscale("symlog", linthresh=LINEAR_US, linscale=0.6)
            axis.set_xlim(-most_us, most_us)
            axis.set_xticks(ticks, [_amount(us) for us in ticks])
            axis.minorticks_off()
            axis.set_xlabel("linear within 0.1 µs, logarithmic beyond", fontsize=8, color="#666666")
            _dress(axis, title)
        _hang(axes[2], results["hangs"], makers)
        axes[0].set_yticks(range(len(makers)), makers)
        axes[0].set_ylim(len(makers) - 0.5, -0.5)
        for name, colour in COLOURS.items():
            axes[0].plot([], [], "|", ms=9, mew=2, color=colour, label=name)
        for label, colour in (("a leg is high", STUCK), ("pulses go on", GOING)):
            axes[2].barh([0], [0], color=colour, label=label)
        figure.legend(loc="outside lower center", ncols=5, frameon=False)
        figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None})
        pyplot.close(figure)


def _hang(axis, rows, makers):
    """How long it goes on after a lock-up, without machine.WDT, to the end of what was watched."""
    end_ms = cases.HANG_SECONDS * 1000
    for row in rows:
        if row["how"] != HANG or row["watchdog"]:
            continue
        y, off_ms = makers.index(row["maker"]), row["off_after_ms"]
        axis.barh([y], [end_ms if off_ms is None else off_ms], 0.5, color=STUCK if row["high_ms"] > 1 else GOING)
        axis.text(
            (off_ms or end_ms) + 60, y, "and on" if off_ms is None else f"{off_ms:.0f} ms", va="center", fontsize=8
        )
    axis.set_xlim(0, end_ms * 1.25)
    axis.set_xticks(range(0, end_ms + 1, 1000), [f"{ms // 1000} s" for ms in range(0, end_ms + 1, 1000)])
    _dress(axis, "After the core locks up in leg A")


def _dress(axis, title):
    axis.set_title(title, fontsize=10)
    axis.grid(axis="x", color="#e5e5e5", lw=0.6)
    axis.set_axisbelow(True)


def _amount(us):
    if us == 0:
        return "0"
    return (f"{us / 1000:+g} ms" if abs(us) >= 1000 else f"{us:+g} µs").replace("-", "−")
