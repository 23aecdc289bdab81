"""What a protocol plans, as a picture (PNG) and as a sketch of 80 columns: one pulse, the train, the amplitude.

From the very plan and envelope that the board plays. Draws; judges nothing.
"""

from itertools import pairwise

from rheocore.envelope import ONE, Envelope
from rheocore.plan import Plan
from rheocore.units import decimal, fmt_charge, fmt_current, fmt_duration, fmt_frequency, fmt_time

from rheobase import plots
from rheobase.order import rate_words

COLUMNS = 72  # of the sketch, after its margin
_BLOCKS = " \u2581\u2582\u2583\u2584\u2585\u2586\u2587\u2588"
_A, _B, _SET = "#0b6e99", "#c8553d", "#37474f"


def span_us(cfg):
    """So much of the train as shows its kind: eight periods, two bursts and a bit, a turn of each rate, one cycle."""
    if cfg["kind"] == "burst":
        return cfg["burst_period_us"] * 9 // 4
    if cfg["kind"] == "alternating":
        return 2 * cfg["dwell_ms"] * 1000
    if cfg["kind"] == "modulated":
        return cfg["cycle_ms"] * 1000
    return 8 * cfg["period_us"]


def train(cfg):
    """[(start, width, time to the next)] in us of the pulses in the first span_us()."""
    plan, found, at_us, span = Plan(cfg), [], 0, span_us(cfg)
    while plan.next():
        if plan.pulse:
            found.append((at_us, plan.lo & 0x3FF))
            if at_us >= span:
                break
        at_us = plan.at_us
    return [(t, width, after - t) for (t, width), (after, _) in pairwise([*found, (at_us, 0)]) if t < span]


def train_title(cfg):
    """ "bursts of 8 at 100 Hz, 2 a second" and the like: what train() shows."""
    if cfg["kind"] == "modulated":
        rates = f"{fmt_frequency(cfg['lo_millihz'])} to {fmt_frequency(cfg['hi_millihz'])} and back"
        widths = f"{cfg['lo_width_us']} to {cfg['hi_width_us']} \u00b5s"
        return f"the train: {rates}, {widths}, in {fmt_duration(cfg['cycle_ms'])}"
    if cfg["kind"] == "burst":
        bursts = rate_words(cfg["burst_period_us"])
        return f"the train: bursts of {cfg['burst_pulses']} at {rate_words(cfg['period_us'])}, {bursts}"
    if cfg["kind"] == "alternating":
        rates = f"{rate_words(cfg['period_us'])} and {rate_words(cfg['alt_period_us'])} in turn"
        return f"the train: {rates}, {fmt_duration(cfg['dwell_ms'])} each"
    return f"the train: {rate_words(cfg['period_us'])}, a pulse every {fmt_time(cfg['period_us'])}"


def _amplitude_title(cfg):
    words = f"the session: {fmt_duration(cfg['duration_ms'])}"
    if "on_ms" in cfg:
        cycle_ms = cfg["on_ms"] + cfg["off_ms"]
        times = -(-cfg["duration_ms"] // cycle_ms)
        on, off = fmt_duration(cfg["on_ms"]), fmt_duration(cfg["off_ms"])
        words += f", {times} contractions of {on}, {off} between them" if times > 1 else ", one contraction"
    return words


def _ramp_words(cfg):
    return f"ramps: up {fmt_duration(cfg['ramp_up_ms'])}, down {fmt_duration(cfg['ramp_down_ms'])}"


def _stretches(cfg):
    """[(from, to)] in ms that show the ramps: the beginning and the end, or two contractions."""
    end = cfg["duration_ms"]
    if "on_ms" in cfg:
        return [(0, min(end, 2 * cfg["on_ms"] + cfg["off_ms"] + cfg["on_ms"] // 4))]
    up, down = cfg["ramp_up_ms"] * 3 // 2, cfg["ramp_down_ms"] * 3 // 2
    return [(0, up), (end - down, end + down // 8)] if up + down < end else [(0, end * 33 // 32)]


# -- picture -----------------------------------------------------------------------------------------------------


def png(path, cfg, name, title):
    """Picture of a channel configuration of the protocol `name`. Raises HostError if `path` cannot be written."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.6, 5.6), dpi=150, layout="constrained")
    figure.get_layout_engine().set(rect=(0, 0.03, 1, 0.965), w_pad=0.08, h_pad=0.08)
    above, below = figure.subfigures(2, 1, height_ratios=(1.15, 1))
    pulse, shape = above.subplots(1, 2, width_ratios=(2, 3))
    stretches = _stretches(cfg)
    ramps = below.subplots(1, len(stretches), sharey=True, squeeze=False, width_ratios=[b - a for a, b in stretches])[0]
    for axis in (pulse, shape, *ramps):
        plots.plain(axis)
    plots.draw_close_up(pulse, plots.pulses_of_plan(cfg))
    pulse.set_ylabel("current (mA)")
    (_draw_modulation if cfg["kind"] == "modulated" else _draw_train)(shape, cfg)
    shape.set_title(train_title(cfg), loc="left", fontsize=9)
    for axis, stretch in zip(ramps, stretches, strict=True):
        _draw_amplitude(axis, cfg, *stretch)
    ramps[0].set_title(f"{_amplitude_title(cfg)}; {_ramp_words(cfg)}", loc="left", fontsize=9)
    ramps[0].set_ylabel("amplitude (mA)")
    _join(ramps)
    plots.head(figure, f"{name}: {title}", "planned")
    plots.save(figure, path)


def _draw_train(axis, cfg):
    pulses, span = train(cfg), span_us(cfg)
    scale, unit = (1e6, "s") if span > 2_000_000 else (1e3, "ms")
    ma = cfg["amplitude_ua"] / 1000
    dense = 0.5 if len(pulses) > 150 else 1.2
    for sign, colour in ((1, _A), (-1, _B)):
        axis.vlines([t / scale for t, *_ in pulses], 0, sign * ma, color=colour, linewidth=dense)
    axis.axhline(0, color=_SET, linewidth=1)
    axis.set_xlim(-0.02 * span / scale, span / scale)
    axis.set_ylim(-1.3 * ma or -1, 1.3 * ma or 1)
    axis.set_xlabel(f"time ({unit})")
    if cfg["kind"] == "alternating":
        for period, middle in ((cfg["period_us"], 0.25), (cfg["alt_period_us"], 0.75)):
            at = {"transform": axis.transAxes, "ha": "center", "va": "top", "fontsize": 9}
            axis.text(middle, 0.985, rate_words(period), **at)


def _draw_modulation(axis, cfg):
    """Rate and width of each pulse of one cycle: too many pulses to draw."""
    starts, widths, intervals = zip(*train(cfg), strict=True)
    times, rates = [t / 1e6 for t in starts], [1e6 / interval for interval in intervals]
    right = axis.twinx()
    for side, values, colour, label in (
        (axis, rates, _A, "rate (Hz)"),
        (right, widths, _B, "width of a phase (\u00b5s)"),
    ):
        side.plot(times, values, ".-", color=colour, markersize=2.5, linewidth=1)
        side.set_ylabel(label, color=colour, fontsize=9)
        side.tick_params(axis="y", labelcolor=colour, labelsize=8)
        side.set_ylim(0, 1.12 * max(values))
    right.spines[["top"]].set_visible(False)
    axis.set_xlabel("time (s)")


def _draw_amplitude(axis, cfg, first_ms, last_ms):
    envelope, ma = Envelope(cfg), cfg["amplitude_ua"] / 1000
    scale, unit = (60_000, "min") if last_ms > 180_000 and last_ms - first_ms > 60_000 else (1000, "s")
    step = max(1, (last_ms - first_ms) // 2000)
    times = range(first_ms, last_ms + 1, step)
    levels = [ma * envelope.level(t) / ONE for t in times]
    axis.fill_between([t / scale for t in times], levels, color=_A, alpha=0.18, linewidth=0)
    axis.plot([t / scale for t in times], levels, color=_A, linewidth=1.4)
    axis.set_xlim(first_ms / scale, last_ms / scale)
    axis.set_ylim(0, 1.15 * ma or 1)
    axis.set_xlabel(f"time ({unit})")
    axis.locator_params(axis="x", nbins=max(3, min(9, (last_ms - first_ms) // 500)), steps=[1, 2, 5, 10])


def _join(axes):
    """Marks of a broken axis between neighbours."""
    for left, right in pairwise(axes):
        right.spines["left"].set_visible(False)
        right.tick_params(left=False, labelleft=False)
        mark = {"marker": [(-0.5, -1), (0.5, 1)], "markersize": 9, "linestyle": "none", "color": _SET, "clip_on": False}
        left.plot([1], [0], transform=left.transAxes, **mark)
        right.plot([0], [0], transform=right.transAxes, **mark)


# -- sketch ------------------------------------------------------------------------------------------------------


def sketch(cfg, name, title):
    """The same in characters: lines of 80 columns at most."""
    lines = [f"{name}: {title}"[:80], ""]
    lines += _pulse_lines(cfg) + [""] + _train_lines(cfg) + [""] + _amplitude_lines(cfg)
    return "\n".join(line.rstrip() for line in lines)


def _pulse_lines(cfg):
    pulse = max(plots.pulses_of_plan(cfg), key=lambda each: each.ua)
    width = (pulse.a_ns[1] - pulse.a_ns[0]) // 1000
    label = f" {width} \u00b5s ".center(20, "\u2500")
    space = " " * len(label)
    gap = f" gap {cfg['gap_us']} \u00b5s ".center(15, "\u2500")
    charge = fmt_charge(round(pulse.ua * width / 1000))
    return [
        f"  one pulse: {fmt_current(pulse.ua)}, {charge} a phase",
        f"     A  \u250c{label}\u2510",
        f"  \u2500\u2500\u2500\u2500\u2500\u2500\u2518{space}\u2514{gap}\u2510{space}\u250c\u2500\u2500\u2500\u2500",
        f"         {space} {' ' * len(gap)}\u2514{label}\u2518  B",
    ]


def _train_lines(cfg):
    """A column with one pulse has a bar, with two a thick one, with more a block as high as their rate."""
    pulses, span = train(cfg), span_us(cfg)
    inside = [[] for _ in range(COLUMNS)]
    for t, _, interval in pulses:
        inside[t * COLUMNS // span].append(interval)
    least, most = min(interval for *_, interval in pulses), max(map(len, inside))
    drawn = ""
    for found in inside:
        drawn += " \u2502\u2503"[len(found)] if len(found) < 3 else _BLOCKS[max(1, 8 * least // min(found))]
    middle = fmt_time(span // 2).center(COLUMNS - 2 * 10)
    scale = f"{'0':<10}{middle}{fmt_time(span):>10}"
    legend = ["    (\u2502 a pulse, \u2503 two" + (", a block more: as high as their rate)" if most > 2 else ")")]
    shape = [f"  {train_title(cfg)}", "    " + drawn, "    " + "\u2500" * COLUMNS, "    " + scale]
    return shape + legend if most > 1 else shape


def _amplitude_lines(cfg, rows=3):
    envelope, stretches = Envelope(cfg), _stretches(cfg)
    wide = (COLUMNS - 5 * (len(stretches) - 1)) // len(stretches)
    bars, scale = [""] * rows, ""
    for n, (first, last) in enumerate(stretches):
        if n:
            bars = [bar + "  \u2026  " for bar in bars]
            scale += " " * 5
        for column in range(wide):
            level = envelope.level(first + (2 * column + 1) * (last - first) // (2 * wide))
            eighths = (level * 8 * rows + ONE // 2) // ONE
            for row in range(rows):
                bars[row] += _BLOCKS[max(0, min(8, eighths - 8 * (rows - 1 - row)))]
        left, right = _clock(first), _clock(min(last, cfg["duration_ms"]))
        scale += left + right.rjust(wide - len(left))
    top = f"  {_amplitude_title(cfg)}"
    return [
        top,
        *["    " + bar for bar in bars],
        "    " + "\u2500" * len(bars[0]),
        "    " + scale,
        f"    {_ramp_words(cfg)}",
    ]


def _clock(ms):
    """ "0", "4.5 s", "29:57" of a time from the start."""
    if ms < 180_000:
        return f"{decimal(ms, 1000)} s" if ms else "0"
    return f"{ms // 60_000}:{ms % 60_000 // 1000:02d} min"
