"""The report's pictures, as SVG in data URIs: the planned train, the delivered amplitude and impedance. Judges nothing.

matplotlib is imported when a picture is made and not before. No text of a user's stands in a picture.
"""

import json
from base64 import b64encode
from functools import lru_cache
from io import BytesIO
from itertools import pairwise
from math import isnan, nan

from rheocore.envelope import ONE, Envelope
from rheocore.plan import Plan

from rheobase import plots
from rheobase.report.track import thin

WIDE_IN = 7.1  # inches: A4 within its margins
_A, _B, _SET, _MEAS, _TARGET, _GREY = "#0b6e99", "#c8553d", "#263238", "#d97b00", "#3f6fb5", "#78909c"
_STATES = {"ramp_up": "#dcefe0", "run": "#c3e3c8", "ramp_down": "#dcefe0", "paused": "#fdeec7", "fault": "#f6c9c4"}
STYLE = {
    "svg.hashsalt": "rheobase",  # the same record gives the same picture
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "0.9",
    "grid.linewidth": 0.6,
    "hatch.linewidth": 0.4,
    "hatch.color": "0.55",
}


def picture(height_in, draw, margins, rows=1, columns=1, **grid):
    """A data URI of what `draw(*axes)` draws. margins: of subplots_adjust: a layout engine takes as long as drawing."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(STYLE):
        figure = Figure(figsize=(WIDE_IN, height_in))
        axes = figure.subplots(rows, columns, squeeze=False, **grid).flat
        figure.subplots_adjust(**margins)
        draw(*axes)
        out = BytesIO()
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": "Rheobase"})
    return "data:image/svg+xml;base64," + b64encode(out.getvalue()).decode("ascii")


def planned(cfg, ua):
    """One pulse close up, the train's beginning without its ramp, and the envelope of the whole session, at `ua`."""
    return _planned(json.dumps({**cfg, "amplitude_ua": ua}, sort_keys=True))


@lru_cache(maxsize=8)
def _planned(text):
    """Channels that play the same share the picture."""
    cfg = json.loads(text)

    def draw(pulse_axis, train_axis, envelope_axis):
        _pulse(pulse_axis, cfg)
        (_modulation if cfg["kind"] == "modulated" else _train)(train_axis, cfg)
        _envelope(envelope_axis, cfg)

    margins = {"left": 0.055, "right": 0.985, "bottom": 0.25, "top": 0.86, "wspace": 0.22}
    return picture(1.75, draw, margins, 1, 3, width_ratios=(1, 1.35, 1.35))


def _pulse(axis, cfg):
    pulse = plots.pulses_of_plan(cfg)[-1]  # the first one at full amplitude, or as near to it as the ramps let it come
    ma, start = cfg["amplitude_ua"] / 1000, pulse.a_ns[0]
    a, b = ([(edge - start) / 1000 for edge in leg] for leg in (pulse.a_ns, pulse.b_ns))
    pad = 0.15 * b[1]
    axis.plot([-pad, 0, 0, a[1], a[1], b[0], b[0], b[1], b[1], b[1] + pad], [0, 0, ma, ma, 0, 0, -ma, -ma, 0, 0],
              color=_SET, linewidth=1.2)  # fmt: skip
    for leg, value, colour in ((a, ma, _A), (b, -ma, _B)):
        axis.fill_between(leg, [value, value], color=colour, alpha=0.35, linewidth=0)
        place = "bottom" if value > 0 else "top"
        axis.text(sum(leg) / 2, 1.05 * value, f"{leg[1] - leg[0]:g} µs", ha="center", va=place, fontsize=7)
    axis.set_ylim(-1.4 * ma or -1, 1.4 * ma or 1)
    axis.set_title(f"one pulse (mA), gap {b[0] - a[1]:g} µs")
    axis.set_xlabel("µs")


def _span_us(cfg):
    """Of the train, so much as shows what kind it is; and what to call it."""
    if cfg["kind"] == "burst":
        return int(2.2 * cfg["burst_period_us"]), "bursts"
    if cfg["kind"] == "alternating":
        return 2 * cfg["dwell_ms"] * 1000, "one alternation"
    return 8 * cfg["period_us"], "the train"


def _train(axis, cfg):
    """The train's beginning at the amplitude of the caption: a very short session never gets beyond its ramps."""
    span_us, name = _span_us(cfg)
    plan, ma, at_us, up, down = Plan(cfg), cfg["amplitude_ua"] / 1000, 0, [], []
    while plan.next() and at_us < span_us:
        if plan.pulse:
            t = at_us / 1000
            up += [(t, 0), (t, ma), (nan, nan)]
            down += [(t, 0), (t, -ma), (nan, nan)]
        at_us = plan.at_us
    scale, unit = (1000, "s") if span_us > 2_000_000 else (1, "ms")
    for points, colour in ((up, _A), (down, _B)):
        axis.plot([t / scale for t, _ in points], [v for _, v in points], color=colour, linewidth=0.8)
    axis.axhline(0, color=_SET, linewidth=0.8)
    axis.set_title(f"{name} at full amplitude (mA)")
    axis.set_xlabel(unit)


def _modulation(axis, cfg):
    """One cycle of a modulated train: too many pulses to draw, so rate and width of each."""
    plan, times, rates, widths = Plan(cfg), [], [], []
    while plan.next() and plan.at_us <= cfg["cycle_ms"] * 1000:
        if plan.pulse:
            times.append(plan.at_us / 1e6)
            widths.append(plan.lo & 0x3FF)
    rates = [1 / (later - t) for t, later in pairwise(times)]
    for values, colour, unit in ((rates, _A, "Hz"), (widths[:-1], _B, "µs")):
        axis.plot(times[:-1], values, color=colour, linewidth=1.2)
        top = values.index(max(values))
        side = {"ha": "left" if top < len(values) / 4 else "center", "va": "bottom", "color": colour, "fontsize": 7}
        axis.annotate(unit, (times[top], values[top]), (2, 1), textcoords="offset points", **side)
    axis.set_ylim(0, 1.18 * max(rates + widths))
    axis.set_title("one modulation: rate and width")
    axis.set_xlabel("s")


def _envelope(axis, cfg):
    envelope, end_ms = Envelope(cfg), cfg["duration_ms"]
    cycle_ms, on_ms = envelope.cycle_ms or end_ms, envelope.on_ms or end_ms
    corners = {0, envelope.up_ms, end_ms - envelope.down_ms, end_ms - 1, end_ms}
    for start in range(0, end_ms, cycle_ms):
        corners |= {start, start + envelope.up_ms, start + on_ms - envelope.down_ms, start + on_ms}
    times = sorted(t for t in corners if 0 <= t <= end_ms)
    scale, unit = (60_000, "min") if end_ms > 180_000 else (1000, "s")
    levels = [100 * envelope.level(t) / ONE for t in times]
    axis.fill_between([t / scale for t in times], levels, color=_A, alpha=0.2, linewidth=0)
    axis.plot([t / scale for t in times], levels, color=_A, linewidth=1)
    axis.set_ylim(0, 112)
    axis.set_xlim(0, end_ms / scale)
    axis.set_title("envelope, % of the target")
    axis.set_xlabel(unit)


def delivered(track, n, modelled):
    """Channel n's amplitude (target, set, measured) and impedance over the session; gaps and states are shaded."""
    scale, unit = (60e6, "min") if track.end_us > 180e6 else (1e6, "s")
    what = " (modelled)" if modelled else ""
    columns = track.columns[n]

    def curve(axis, name, **style):
        times, values = thin(track.times, columns[name])
        padded = [nan, *values, nan]
        alone = [k for k in range(len(values)) if isnan(padded[k]) and isnan(padded[k + 2])]  # no line would show them
        dots = {"marker": ".", "markersize": 3, "markevery": alone} if alone else {}
        axis.plot([t / scale for t in times], [v / 1000 for v in values], **style, **dots)

    def draw(amplitude, impedance):
        for axis in (amplitude, impedance):
            _shade(axis, track, scale)
            axis.set_xlim(min(0, track.times[0]) / scale, max(1.01 * track.end_us, 1) / scale)
        _target(amplitude, track, n, scale)
        curve(amplitude, "set_ua", color=_SET, linewidth=1.3, drawstyle="steps-post", label="set")
        curve(amplitude, "meas_ua", color=_MEAS, linewidth=0.9, label="measured" + what)
        word, colour = _end_word(track)
        at = {"xy": (track.end_us / scale, 0.93), "xycoords": amplitude.get_xaxis_transform(), "xytext": (-3, 0)}
        amplitude.annotate(word, **at, textcoords="offset points", color=colour, fontsize=7, ha="right", va="top")
        amplitude.set_ylim(0, 1.3 * _highest(track, n) / 1000)
        amplitude.set_ylabel(f"channel {n}\nmA")
        amplitude.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=3, frameon=False, fontsize=7, borderpad=0)
        curve(impedance, "ohms", color=_GREY, linewidth=1.1)
        known = [v for v in columns["ohms"] if not isnan(v)]
        if known and max(known) > 30 * max(1, min(known)):
            impedance.set_yscale("symlog", linthresh=0.1)
        impedance.set_ylim(0, 1.25 * max(known, default=0) / 1000 or 1)
        if not known:
            impedance.text(
                0.5, 0.5, "no impedance was measured", transform=impedance.transAxes, ha="center", va="center"
            )
        impedance.set_ylabel("kΩ" + what.replace(" ", "\n"))
        for axis in (amplitude, impedance):
            axis.yaxis.set_label_coords(-0.05, 0.5)
        impedance.set_xlabel(f"time from {track.since} ({unit}), by the board's clock")

    margins = {"left": 0.085, "right": 0.985, "bottom": 0.155, "top": 0.91, "hspace": 0.1}
    return picture(2.75, draw, margins, 2, 1, sharex=True, height_ratios=(1.7, 1))


def _highest(track, n):
    seen = [v for name in ("set_ua", "meas_ua") for v in track.columns[n][name] if not isnan(v)]
    return max([*seen, *(ua for _, ua in track.targets[n])], default=0) or 1000  # 1 mA where nothing came out


def _target(axis, track, n, scale):
    points = track.targets[n] + [(track.end_us, track.targets[n][-1][1])]
    times = [max(0, us) / scale for us, _ in points]
    axis.step(
        times, [ua / 1000 for _, ua in points], where="post", color=_TARGET, linewidth=1, dashes=(4, 2), label="target"
    )


def _shade(axis, track, scale):
    """States as grounds, gaps hatched, the end as a line."""
    for state, colour in _STATES.items():
        for start, end in track.spans((state,)):
            axis.axvspan(start / scale, end / scale, color=colour, linewidth=0, zorder=0)
    for start, end in track.gaps:
        axis.axvspan(
            start / scale, end / scale, facecolor="white", edgecolor="0.55", hatch="////", linewidth=0, zorder=1
        )
    for us, state in track.states:
        if state in ("fault", "done"):
            axis.axvline(us / scale, color=_B if state == "fault" else _SET, linewidth=1.2)
    if not track.ended:
        axis.axvline(track.end_us / scale, color=_B, linewidth=1.2, linestyle=":")


def _end_word(track):
    """(word, colour) for the right end of the picture."""
    if track.ended:
        last = track.states[-1][1] if track.states else ""
        return ("fault", _B) if last == "fault" else ("off", _SET) if last == "done" else ("", _SET)
    return "the record stops here", _B
