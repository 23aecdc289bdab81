"""An analysis in words for people, at 80 columns. Computes nothing."""

import textwrap

WIDTH = 80
WORDS = {"pass": "pass", "fail": "FAIL", "cannot_tell": "cannot tell", None: ""}
ROWS = (  # figure in us, its name, its verdict's key
    ("width_a_us", "phase A", "width_a"),
    ("width_b_us", "phase B", "width_b"),
    ("gap_us", "gap", "gap"),
    ("period_us", "period", "period"),
    ("dead_us", "dead time", None),
)


def text(analysis):
    """Tables of the channels, the clock, and what was found, as sentences."""
    data = analysis.data()
    capture = data["capture"]
    lines = [
        *_fill("capture", f"{capture['source']}: {capture['duration_s']:.6g} s, {capture['edges']} edges,"
               f" {capture['resolution_ns']:.4g} ns a sample"),
        *_fill("instrument", capture["instrument"]) * bool(capture["instrument"]),
        *_fill("clock", _clock(data)),
        *(_fill("interlock", _interlock(data["interlock"])) if data["interlock"] else ()),
    ]  # fmt: skip
    for number, channel in data["channels"].items():
        lines += ["", *_channel(number, channel)]
    if data["not_judged"]:
        lines += ["", *_fill("not judged", "channel " + ", ".join(map(str, data["not_judged"])))]
    found = data["findings"]
    if found:
        lines += ["", "Found"]
        lines += [line for one in found for line in _finding(one)]
    lines += ["", _verdict(data)]
    return "\n".join(lines)


def _fill(name, words):
    return textwrap.wrap(words, WIDTH, initial_indent=f"{name:<12}", subsequent_indent=" " * 12, break_long_words=True)


def _clock(data):
    clock, allowed = data["clock_ppm"], data["tolerances"]
    if allowed["instrument_clock_ppm"] is None:
        return "the board's own: it cannot judge itself"
    if clock["value"] is None:
        return "not told"
    words = f"board {clock['value']:+.3g} \u00b1 {clock['u']:.2g} ppm against the instrument"
    words += f" (allowed: board {allowed['board_clock_ppm']:g}, instrument {allowed['instrument_clock_ppm']:g} ppm)"
    return f"{words}: {WORDS[clock['verdict']]}"


def _interlock(locked):
    latency, many = locked["latency_ns"], locked["openings"]
    words = {0: "did not open", 1: "opened once"}.get(many, f"opened {many} times")
    if latency["max"] is not None:
        words += f"; legs low after {latency['max']:g} \u00b1 {latency['u']:.3g} ns at most"
    return f"{words}: {WORDS[locked['verdict']]}"


def _channel(number, channel):
    counts = [f"{channel['pulses']} pulses"]
    counts += [f"{channel[key]} {key}" for key in ("missing", "extra", "truncated") if channel[key]]
    lines = [f"Channel {number}: {', '.join(counts)}: {WORDS[channel['verdict']]}"]
    if not channel["pulses"]:
        return lines
    row = "  {:<9}{:>15} {:>10} {:>10} {:>10} {:>7} {}"
    lines.append(row.format("", "commanded", "min", "mean", "max", "\u00b1", "").rstrip())
    for key, name, code in ROWS:
        figures = channel[key]
        values = [_us(figures[v]) for v in ("min", "mean", "max", "u")]
        said = WORDS[channel["verdicts"].get(code)]
        lines.append(row.format(name, channel["commanded"].get(key, ""), *values, said).rstrip())
    start, off, drift = channel["start_ns"], channel["imbalance_ns"], channel["period_ns"]
    verdicts = channel["verdicts"]
    if start["peak"] is not None:
        words = f"{start['peak']:.4g} ns off its time at most, {start['rms']:.3g} rms, \u00b1 {start['u']:.3g}"
        lines += _row("start", words, WORDS[verdicts.get("start")])
    if drift["peak"] is not None:
        lines += _row("jitter", f"of the period {drift['peak']:.4g} ns at most, {drift['rms']:.3g} rms", "")
    words = f"{off['max']:.4g} ns at most, {off['mean']:.3g} mean, \u00b1 {off['u']:.3g};"
    words += f" {off['accumulated']:.6g} \u00b1 {off['u_accumulated']:.3g} in all"
    lines += _row("A - B", words, WORDS[verdicts.get("imbalance")])
    if channel["charge_nc"]:
        net, u, whole = (channel["charge_nc"][key] for key in ("net", "u", "u_accumulated"))
        words = f"{net['max']:.4g} nC a pulse at most, \u00b1 {u:.2g};"
        words += f" {net['accumulated']:.4g} \u00b1 {whole:.2g} in all"
        lines += _row("net", words, "")
    for key, name in (("burst", "bursts"), ("on_off", "on-times")):
        if key in channel and channel[key]["groups"]:
            lines += _row(name, _groups(channel[key]), "")
    return lines


def _row(name, words, said):
    """A figure in words, its verdict below those of the table."""
    lines = textwrap.wrap(words, 56)
    lead = [f"  {name:<9}", *[" " * 11] * (len(lines) - 1)]
    out = [a + b for a, b in zip(lead, lines, strict=True)]
    out[0] = f"{out[0]:<67} {said}".rstrip()
    return out


def _groups(groups):
    least, most, wanted = (groups["pulses"][k] for k in ("min", "max", "commanded"))
    words = f"{groups['groups']} whole ones of {least if least == most else f'{least} to {most}'} pulses"
    if wanted:
        words += f" (commanded {wanted})"
    period = groups["period_us"]
    return f"{words}, every {_us(period['mean'])} \u00b5s"


def _us(value):
    if value is None:
        return "-"
    return f"{value:.3f}" if abs(value) < 1e5 else f"{value:.1f}" if abs(value) < 1e7 else f"{value:.0f}"


def _finding(one):
    where = f"{one['t_ns'] / 1e9:.9f} s: " if one["t_ns"] is not None else ""
    channel = f"channel {one['channel']}, " if one["channel"] is not None else ""
    lead = f"  {WORDS[one['verdict']]}  {channel}{one['code']}  {where}"
    return textwrap.wrap(lead + one["text"], WIDTH, subsequent_indent="    ", break_long_words=True)


def _verdict(data):
    return {
        "pass": "PASS: all that was measured is as commanded, beyond doubt of the instrument.",
        "fail": "FAIL: the capture is not what the protocol commands.",
        "cannot_tell": "CANNOT TELL: nothing is wrong for sure, and not all could be told.",
    }[data["verdict"]]
