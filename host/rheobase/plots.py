"""Pictures (PNG) of the first pulses and of a session's envelope. Draws; judges nothing, changes nothing.

matplotlib is imported when a picture is made and not before. Currents of an emulated board are called modelled.
"""

from io import BytesIO
from pathlib import Path

from rheocore.envelope import ONE, Envelope
from rheocore.items import GAP_MIN_US, LEAD_US
from rheocore.messages import LIVE
from rheocore.plan import Plan
from rheocore.units import decimal, fmt_duration

from rheobase import measure
from rheobase.errors import HostError, UsageError

FIRST_PULSES = 12
_A, _B, _SET, _MEAS = "#0b6e99", "#c8553d", "#37474f", "#e08e0b"
_STATES = {
    "armed": "#eceff1",
    "ramp_up": "#d7ecd9",
    "run": "#b9ddbd",
    "paused": "#fdeec7",
    "ramp_down": "#d7ecd9",
    "done": "#eceff1",
    "fault": "#f6c9c4",
}
_FOOT = "Research, education and bench use only, into test loads. Not a medical device."


class Pulse:
    """One biphasic pulse: a_ns, b_ns = (rise, fall) of each leg; ua: its current."""

    def __init__(self, a_ns, b_ns, ua):
        self.a_ns = a_ns
        self.b_ns = b_ns
        self.ua = ua


def pulses_of_vcd(vcd):
    """{channel: [Pulse]} of a Vcd: its whole pulses, with the commanded current at their start."""
    return {
        channel: [
            Pulse(
                (p.t_ns, p.t_ns + p.a_ns),
                (p.t_ns + p.a_ns + p.gap_ns, p.t_ns + p.a_ns + p.gap_ns + p.b_ns),
                vcd.value(f"CH{channel}_UA", p.t_ns),
            )
            for p in train.pulses
        ]
        for channel, train in measure.trains(vcd.edges).items()
    }


def pulses_of_plan(cfg, most=None):
    """The first `most` pulses (default: up to the first at full amplitude) that a channel configuration plays."""
    plan, envelope = Plan(cfg), Envelope(cfg)
    found, full, at_us = [], False, 0
    while plan.next():
        if plan.pulse:
            rise = (at_us + LEAD_US) * 1000
            width = (plan.lo & 0x3FF) * 1000
            level = envelope.level(at_us // 1000)
            second = rise + width + (plan.gap_field + GAP_MIN_US) * 1000
            ua = cfg["amplitude_ua"] * level // ONE
            found.append(Pulse((rise, rise + width), (second, second + width), ua))
            full = full or level == ONE
        at_us = plan.at_us
        if len(found) >= (most or FIRST_PULSES) and (most or full):
            break
    return found


def pulses_png(path, source, title="", modelled=False, channels=None):
    """Picture of each channel's first pulses, and of the first one at full amplitude close up.

    source: a Vcd, or {channel number: channel configuration} to draw what is planned. modelled: the currents come from
    the emulated board's model. channels: which (default: all that pulse). Raises UsageError if none does, HostError
    if `path` cannot be written.
    """
    if isinstance(source, dict):
        trains = {int(n): pulses_of_plan(cfg) for n, cfg in source.items()}
        kind = "planned"
    else:
        trains = pulses_of_vcd(source)
        kind = "modelled, emulated board" if modelled else "as captured"
    trains = {n: pulses for n, pulses in trains.items() if pulses and (channels is None or n in channels)}
    if not trains:
        raise UsageError("no_pulses", "There is no pulse to draw.", "Was the session stopped before its first pulse?")
    figure, rows = _figure(len(trains), 2, (3, 2), 2.7)
    for row, channel in zip(rows, sorted(trains), strict=True):
        _draw_first(row[0], trains[channel], channel)
        draw_close_up(row[1], trains[channel])
    head(figure, f"{title}: first pulses" if title else "First pulses", kind)
    save(figure, path)


def _steps(leg, value, scale_ns, zero_ns):
    """Corner points (x, y) of one phase's outline."""
    x = [(t - zero_ns) / scale_ns for t in (leg[0], leg[0], leg[1], leg[1])]
    return x, [0, value, value, 0]


def _draw_first(axis, pulses, channel):
    shown = pulses[:FIRST_PULSES]
    zero_ns = shown[0].a_ns[0]
    last_ns = shown[-1].b_ns[1] - zero_ns
    scale_ns, unit = (1e9, "s") if last_ns >= 2_000_000_000 else (1e6, "ms")
    left, right = -0.03 * last_ns / scale_ns, 1.03 * last_ns / scale_ns
    for sign, colour in ((1, _A), (-1, _B)):
        x, y = [left], [0]
        for pulse in shown:
            leg = pulse.a_ns if sign > 0 else pulse.b_ns
            more_x, more_y = _steps(leg, sign * pulse.ua / 1000, scale_ns, zero_ns)
            x += more_x
            y += more_y
        axis.plot([*x, right], [*y, 0], color=colour, linewidth=1.2, solid_joinstyle="miter")
    axis.axhline(0, color=_SET, linewidth=1.2)
    axis.set_xlim(left, right)
    peak = max(p.ua for p in shown) / 1000
    axis.set_ylim(-1.25 * peak or -1, 1.25 * peak or 1)
    axis.set_xlabel(f"time from the first pulse ({unit})")
    axis.set_ylabel(f"channel {channel}\ncurrent (mA)")
    words = f"the first {len(shown)} pulses" if len(shown) > 1 else "the only pulse"
    if shown[-1].ua < 0.999 * max(p.ua for p in pulses):
        words += ", while the amplitude ramps up"
    axis.set_title(words, loc="left", fontsize=9)


def draw_close_up(axis, pulses):
    """The first of `pulses` at full amplitude, with its times."""
    top = max(p.ua for p in pulses)
    chosen = next(n for n, p in enumerate(pulses) if p.ua >= 0.999 * top)
    pulse = pulses[chosen]
    start, end = pulse.a_ns[0], pulse.b_ns[1]
    high = pulse.ua / 1000 or 1
    pad = 0.18 * (end - start)
    x, y = _steps(pulse.a_ns, high, 1000, start)
    more_x, more_y = _steps(pulse.b_ns, -high, 1000, start)
    x, y = x + more_x, y + more_y
    axis.plot([-pad / 1000, *x, (end - start + pad) / 1000], [0, *y, 0], color=_SET, linewidth=1.3)
    for leg, value, colour, name in ((pulse.a_ns, high, _A, "A"), (pulse.b_ns, -high, _B, "B")):
        left, right = (leg[0] - start) / 1000, (leg[1] - start) / 1000
        axis.fill_between([left, right], [value, value], color=colour, alpha=0.35, linewidth=0)
        side = 1 if value > 0 else -1
        axis.text((left + right) / 2, value / 2, name, ha="center", va="center", color=colour, weight="bold")
        label = decimal(leg[1] - leg[0], 1000) + " µs"
        _measure(axis, left, right, 1.22 * value, label, "bottom" if side > 0 else "top")
    left, right = (pulse.a_ns[1] - start) / 1000, (pulse.b_ns[0] - start) / 1000
    middle = (left + right) / 2
    label = f"gap {decimal(pulse.b_ns[0] - pulse.a_ns[1], 1000)} µs"
    arrow = {"arrowstyle": "-", "color": "0.5", "linewidth": 0.8}
    beside = (middle + 0.3 * (end - start) / 1000, 0.62 * high)
    axis.annotate(label, (middle, 0), beside, ha="center", fontsize=8, arrowprops=arrow)
    axis.set_xlim(-pad / 1000, (end - start + pad) / 1000)
    axis.set_ylim(-1.75 * high, 1.75 * high)
    axis.set_xlabel("time in the pulse (µs)")
    if pulse.ua:
        charge_uc = pulse.ua * (pulse.a_ns[1] - pulse.a_ns[0]) / 1e9
        words = f"pulse {chosen + 1}: {pulse.ua / 1000:.4g} mA, {charge_uc:.4g} µC a phase"
    else:
        axis.set_yticks([])
        words = f"pulse {chosen + 1}: legs only, the current is 0"
    axis.set_title(words, loc="left", fontsize=9)


def _measure(axis, left, right, height, label, va):
    axis.annotate("", (left, height), (right, height), arrowprops={"arrowstyle": "<->", "color": "0.35"})
    axis.text((left + right) / 2, 1.06 * height, label, ha="center", va=va, fontsize=8)


def envelope_png(path, reader, title=""):
    """Picture of set and measured amplitude against time, with the states, from a record.

    reader: a RecordReader. Raises UsageError if the record holds no telemetry, HostError if `path` cannot be written.
    """
    telemetry = [line for line in reader.of("telemetry") if isinstance(line.get("dev_us"), int)]
    channels = sorted({c for line in telemetry for c in line.get("channels") or {}}, key=int)
    if not channels:
        raise UsageError("no_telemetry", f"The record {reader.id} holds no telemetry.", "There is nothing to draw.")
    states = _timeline(reader)
    zero_us = next((t for t, state in states if state in LIVE), telemetry[0]["dev_us"])
    closed = reader.first("close")
    ends = closed.get("channels") or {}
    figure, rows = _figure(len(channels), 1, (1,), 2.4)
    for (axis,), channel in zip(rows, channels, strict=True):
        _draw_states(axis, states, telemetry, zero_us)
        _draw_envelope(axis, telemetry, channel, zero_us, reader.modelled, ends.get(channel) or {})
        _draw_ends(axis, reader, zero_us)
    rows[0][0].legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False, fontsize=8)
    rows[-1][0].set_xlabel("time from the start (s)")
    kind = "modelled, emulated board" if reader.modelled else "as measured by the board"
    head(figure, f"{title or _name(reader)}: set and measured amplitude", kind)
    end = f"ended by {closed.get('stop_reason')}" if closed else "no end on record"
    if isinstance(closed.get("duration_ms"), int):
        end += f" after {fmt_duration(closed['duration_ms'])}"
    figure.text(0.985, 0.012, f"{reader.id}: {end}", fontsize=7, color="0.45", ha="right")
    save(figure, path)


def pictures(reader, folder, vcd=None):
    """Write pulses.png and envelope.png of a session into `folder` (made if missing). Returns their paths.

    vcd: the Vcd captured in the session; without it the pulses are those that the record's configuration plans. Without
    telemetry there is no envelope.png. Raises UsageError if there is nothing at all to draw, HostError.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise HostError("picture_not_writable", f"{folder} cannot be made: {error.strerror}.") from None
    known = reader.opened.get("channels") or {}
    planned = {n: channel["config"] for n, channel in known.items() if channel.get("config")}
    made = []
    if vcd is not None or planned:
        made.append(folder / "pulses.png")
        pulses_png(made[0], vcd or planned, _name(reader), reader.modelled)
    if reader.first("telemetry") or not made:
        made.append(folder / "envelope.png")
        envelope_png(made[-1], reader)
    return [str(path) for path in made]


def _name(reader):
    protocol = reader.opened.get("protocol")
    return (protocol.get("id") if isinstance(protocol, dict) else protocol) or reader.id


def _draw_envelope(axis, telemetry, channel, zero_us, modelled, closed):
    points = [(line["dev_us"], line["channels"][channel]) for line in telemetry if channel in line["channels"]]
    seconds = [(t - zero_us) / 1e6 for t, _ in points]
    ma = [(v.get("set_ua") or 0) / 1000 for _, v in points]
    axis.step(seconds, ma, where="post", color=_SET, linewidth=1.6, label="set")
    seen = [(s, v["meas_ua"] / 1000) for s, (_, v) in zip(seconds, points, strict=True) if v.get("meas_ua") is not None]
    label = "measured\n(modelled)" if modelled else "measured"
    axis.plot(*zip(*seen, strict=True) if seen else ([], []), ".", color=_MEAS, markersize=3.5, label=label)
    top = max([*ma, *(m for _, m in seen), 0.001])
    axis.set_ylim(0, 1.25 * top)
    if len(seconds) > 1:
        axis.set_xlim(seconds[0], seconds[-1])
    axis.set_ylabel(f"channel {channel}\namplitude (mA)")
    words = f"{points[-1][1].get('pulses')} pulses at the last telemetry"
    if closed.get("pulses") is not None:
        words = f"{closed['pulses']} pulses"
    axis.set_title(words, loc="left", fontsize=9)


def _timeline(reader):
    """[(dev_us, state)] at each change: by the board's events, and by its telemetry where no event is on record."""
    seen = []
    for line in reader.lines:
        state = line.get("state") if line["kind"] == "telemetry" else None
        if line["kind"] == "event" and line.get("event") == "state":
            state = line.get("detail")
        if state and isinstance(line.get("dev_us"), int):
            seen.append((line["dev_us"], state))
    seen.sort(key=lambda item: item[0])
    return [item for n, item in enumerate(seen) if n == 0 or item[1] != seen[n - 1][1]]


def _draw_states(axis, states, telemetry, zero_us):
    first_us, last_us = telemetry[0]["dev_us"], telemetry[-1]["dev_us"]
    for n, (since_us, state) in enumerate(states):
        until_us = states[n + 1][0] if n + 1 < len(states) else last_us
        left, right = ((max(t, first_us) - zero_us) / 1e6 for t in (since_us, until_us))
        if right <= left:
            continue
        axis.axvspan(left, right, color=_STATES.get(state, "#ffffff"), linewidth=0, zorder=0)
        if (right - left) * 1e6 > 0.07 * (last_us - first_us):
            at = {"transform": axis.get_xaxis_transform(), "ha": "center", "va": "top"}
            axis.text((left + right) / 2, 0.97, state.replace("_", " "), fontsize=8, color="0.35", **at)


def _draw_ends(axis, reader, zero_us):
    """A line where a fault came; the reason of the end at the right."""
    for line in reader.of("fault"):
        if isinstance(line.get("dev_us"), int):
            at = (line["dev_us"] - zero_us) / 1e6
            axis.axvline(at, color=_B, linewidth=1.2)
            axis.text(
                at,
                0.86,
                f" {line.get('fault')}",
                transform=axis.get_xaxis_transform(),
                color=_B,
                fontsize=8,
                va="top",
            )


def _figure(rows, columns, ratios, row_inches):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.6, 1.1 + row_inches * rows), dpi=150, layout="constrained")
    figure.get_layout_engine().set(rect=(0, 0.045, 1, 0.945), w_pad=0.08, h_pad=0.08)
    axes = figure.subplots(rows, columns, squeeze=False, width_ratios=ratios)
    for row in axes:
        for axis in row:
            plain(axis)
    return figure, axes


def plain(axis):
    """The look of every axis."""
    axis.spines[["top", "right"]].set_visible(False)
    axis.tick_params(labelsize=8)
    axis.xaxis.label.set_size(9)
    axis.yaxis.label.set_size(9)
    axis.grid(True, color="0.9", linewidth=0.6)
    axis.set_axisbelow(True)
    axis.axhline(0, color="0.6", linewidth=0.6)


def head(figure, title, kind):
    """Title, and the foot that every picture carries."""
    figure.suptitle(f"{title} ({kind})", x=0.015, ha="left", fontsize=12, weight="bold")
    figure.text(0.015, 0.012, _FOOT, fontsize=7, color="0.45")


def save(figure, path):
    """Write a PNG. Raises HostError."""
    picture = BytesIO()
    figure.savefig(picture, format="png", metadata={"Software": "Rheobase"})
    try:
        with open(path, "wb") as out:
            out.write(picture.getvalue())
    except OSError as error:
        hint = "Check the folder, its rights and the free space."
        raise HostError("picture_not_writable", f"{path} cannot be written: {error.strerror}.", hint) from None
