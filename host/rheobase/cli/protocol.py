"""`rheo protocol`: list, show, validate, plot and push protocols. Output stays off in all of them."""

import textwrap

import click
from rheocore.config import period_us
from rheocore.units import decimal, fmt_charge, fmt_current, fmt_duration, fmt_frequency, scaled

from rheobase.cli.app import pass_app

WIDTH = 80  # columns of what people read
TAGS = {
    "V": "read in a stored source",
    "V-low": "read in a weak source",
    "G": "general knowledge, unconfirmed",
    "PC": "practice convention",
    "D": "decided for this project",
}
BINDS = {
    "preset": "the protocol's max_ma",
    "electrode": "the cap for this kind of electrode",
    "board": "the board's rating",
    "slew": "the shorter ramp at the board's largest step",
}


@click.group()
def protocol():
    """List, show, check and push protocols."""


@protocol.command("list")
@click.option("--condition", metavar="C", help='Only for this condition, in your words: "heel pain".')
@click.option("--mode", metavar="M", help="Only dnes, tens or nmes.")
@click.option("--electrode", metavar="E", help="Only needle or skin.")
@pass_app
def list_command(app, condition, mode, electrode):
    """List the shipped protocols and your own."""
    from rheobase import library

    found, problems = library.catalogue(condition, mode, electrode)
    for problem in problems:
        app.warn(f"left out: {problem}")
    keys = ("id", "title", "mode", "electrode", "conditions", "pairs")
    app.answer({"protocols": [{key: p[key] for key in keys} for p in found]}, lambda: _list_text(found))


def _list_text(found):
    if not found:
        return "No protocol matches."
    wide = max(len(p["id"]) for p in found)
    lines = [f"{'id':<{wide}}  mode  electrode  title"]
    for p in found:
        leads = p["electrode"] + (f" x{p['pairs']}" if p["pairs"] > 1 else "")
        line = f"{p['id']:<{wide}}  {p['mode']:<4}  {leads:<9}  {p['title']}"
        lines.append(line if len(line) <= WIDTH else line[: WIDTH - 1] + "\u2026")
    return "\n".join(lines)


@protocol.command("show")
@click.argument("ref", metavar="PROTOCOL")
@pass_app
def show_command(app, ref):
    """Show a protocol, what follows from it, and which limit binds."""
    from rheobase import boards, figures, library

    found, board = library.load(ref), boards.load()
    derived, limits = figures.derived(found, board), figures.limits_of(found, board)
    data = {
        "protocol": found,
        "hash": library.protocol_hash(found),
        "board": board["name"],
        "derived": derived,
        "limits": limits,
    }
    app.answer(data, lambda: _show_text(found, data))


def _row(name, text):
    indent = " " * 14
    return textwrap.fill(text, WIDTH, initial_indent=f"  {name:<12}", subsequent_indent=indent, break_long_words=False)


def _train_words(train):
    kind = train["kind"]
    gap = f"gap {train['gap_us']} \u00b5s"
    if kind == "modulated":
        lo, hi = (fmt_frequency(scaled(f, 1000)) for f in train["frequency_hz"])
        at_lo, at_hi = train["width_us"]
        cycle = decimal(scaled(train["cycle_s"], 1000), 1000)
        return f"{lo} to {hi} and back in {cycle} s, with {at_lo} to {at_hi} \u00b5s a phase, {gap}"
    rate = fmt_frequency(scaled(train["frequency_hz"], 1000))
    shape = f"{train['width_us']} \u00b5s a phase, {gap}"
    if kind == "burst":
        bursts = fmt_frequency(scaled(train["burst_hz"], 1000))
        return f"bursts at {bursts} of {train['burst_pulses']} pulses at {rate}, {shape}"
    if kind == "alternating":
        other = fmt_frequency(scaled(train["alt_frequency_hz"], 1000))
        return f"{rate} and {other} in turn, {decimal(scaled(train['dwell_s'], 1000), 1000)} s each, {shape}"
    return f"{rate}, {shape}"


def _envelope_words(envelope):
    words = "up {} s, down {} s".format(
        *(decimal(scaled(envelope[k], 1000), 1000) for k in ("ramp_up_s", "ramp_down_s"))
    )
    if "on_s" in envelope:
        on, off = (decimal(scaled(envelope[k], 1000), 1000) for k in ("on_s", "off_s"))
        words += f", within {on} s on; then {off} s off"
    return words


def _show_text(found, data):
    derived, limits, at_max = data["derived"], data["limits"], data["derived"]["at_max"]
    pairs = f"{found['pairs']} pair" + ("s" if found["pairs"] > 1 else "")
    lines = [
        *textwrap.wrap(f"{found['id']}: {found['title']}", WIDTH),
        _row("mode", f"{found['mode']}, {found['electrode']}, {pairs}" + (", bench only" if found["bench"] else "")),
        _row("conditions", ", ".join(found["conditions"]) or "none"),
        _row("train", f"{found['train']['kind']}: {_train_words(found['train'])}"),
        _row("period", _periods(found["train"], derived)),
        _row("ramps", _envelope_words(found["envelope"])),
        _row("session", _session_words(found, derived)),
        _row("pulses", f"{derived['pulses']} a session and channel, {derived['mean_rate_hz']:g} Hz on average"),
        _row("duty", f"{derived['duty_percent']:g} % of the time with current, at its densest"),
        _row(
            "at most", f"{fmt_current(limits['amplitude_max_ua'])}, bound by {BINDS[limits['binds']]} ({data['board']})"
        ),
        _row("", f"= {fmt_charge(at_max['charge_per_phase_nc'])} a phase, {fmt_current(at_max['i_rms_ua'])} RMS"),
        _row("limits", ", ".join(f"{name} {fmt_current(ua)}" for name, ua in limits["caps"].items())),
        _row("hash", data["hash"][:16]),
    ]
    lines += [_row("note", note) for note in derived["notes"]]
    if found["source"]:
        lines += ["", "Sources"]
        lines += [_row(s["tag"], f"{', '.join(s['for'])}: {s['cite']}") for s in found["source"]]
        used = [tag for tag in TAGS if any(s["tag"] == tag for s in found["source"])]
        lines += ["", *textwrap.wrap("; ".join(f"{tag} = {TAGS[tag]}" for tag in used), WIDTH)]
    return "\n".join(lines)


def _periods(train, derived):
    if train["kind"] == "burst":
        between = period_us(scaled(train["burst_hz"], 1000))
        return f"{derived['shapes'][0]['period_us']} \u00b5s in the burst, bursts every {between} \u00b5s, exact"
    shapes = " and ".join(f"{shape['period_us']} \u00b5s" for shape in derived["shapes"])
    return shapes + (" at the ends, exact for each pulse" if train["kind"] == "modulated" else ", exact")


def _session_words(found, derived):
    words = fmt_duration(derived["duration_ms"])
    if "contractions" in derived:
        words += f", {derived['contractions']} contractions"
    return words


@protocol.command("validate")
@click.argument("ref", metavar="FILE")
@pass_app
def validate_command(app, ref):
    """Check a protocol file; says the first thing that is wrong."""
    from rheobase import library

    found = library.load(ref)
    digest = library.protocol_hash(found)
    data = {"valid": True, "id": found["id"], "title": found["title"], "hash": digest}
    app.answer(data, f"{ref}: a valid protocol, id {found['id']}, hash {digest[:16]}.")


@protocol.command("plot")
@click.argument("ref", metavar="PROTOCOL")
@click.option("-o", "out", metavar="FILE", help="PNG to write (default: the protocol's id.png, here).")
@pass_app
def plot_command(app, ref, out):
    """Draw the pulses that a protocol plans, at the largest amplitude the board allows."""
    from rheocore.compact import compact

    from rheobase import boards, figures, library, plots

    found = library.load(ref)
    ua = figures.limits_of(found, boards.load())["amplitude_max_ua"]
    out = out or f"{found['id']}.png"
    plots.pulses_png(out, {1: compact(found, ua)}, found["id"])
    app.answer({"path": out, "id": found["id"], "amplitude_ua": ua}, f"{out}: pulses planned at {fmt_current(ua)}.")


@protocol.command("push")
@click.argument("ref", metavar="PROTOCOL")
@pass_app
def push_command(app, ref):
    """Send a protocol to the board and configure it; no output, amplitude 0."""
    from rheobase import library, session

    found = library.load(ref)
    state = session.push(app, found)
    data = {"id": found["id"], "hash": library.protocol_hash(found), "state": state}
    app.answer(data, f"{found['id']} is on the board; its state is {state}. Output is off.")
