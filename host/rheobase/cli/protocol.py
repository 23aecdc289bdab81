"""`rheo protocol`: list, show, validate, plot and push protocols. Output stays off in all of them."""

import textwrap

import click
from rheocore.config import FIELDS, period_us
from rheocore.units import decimal, fmt_current, fmt_duration, fmt_frequency, scaled

from rheobase.cli.app import pass_app
from rheobase.wording import TAGS

WIDTH = 80  # columns of what people read
AMPLITUDE_MAX_UA = FIELDS["max_ua"][1]  # what can be written at all


@click.group()
def protocol():
    """List, show, check and push protocols.

    PROTOCOL is an id of `rheo protocol list`, or a TOML file of your own.

    \b
    Examples:
      rheo protocol list --condition sciatica
      rheo protocol show ea_2_100hz
    """


@protocol.command("list")
@click.option("--condition", metavar="C", help='Only for this condition, in your words: "heel pain".')
@click.option("--mode", metavar="M", help="Only dnes, tens or nmes.")
@click.option("--electrode", metavar="E", help="Only needle or skin.")
@pass_app
def list_command(app, condition, mode, electrode):
    """List the shipped protocols and your own.

    \b
    Examples:
      rheo protocol list
      rheo protocol list --condition "heel pain"
      rheo protocol list --mode tens --json
    """
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
@click.option("--needle", metavar="DxL", help="Diameter x inserted length; else 0.16x15mm is assumed.")
@click.option("--pad", metavar="AREA", help="Area of a skin electrode; else 25cm2 is assumed.")
@pass_app
def show_command(app, ref, needle, pad):
    """Show a protocol, what follows from it, and which limit binds.

    The highest amplitude depends on the electrodes: name yours.

    \b
    Examples:
      rheo protocol show ea_2_100hz --needle 0.25x30mm
      rheo protocol show tens_conventional --pad 20cm2
    """
    from rheobase import boards, figures, library, order

    found, board = library.load(ref), boards.load()
    load, assumed = order.electrodes([found], needle, pad)
    area = order.area_cmm2(found, load)
    derived, limits = figures.derived(found, board, area), figures.limits_of(found, board, area)
    data = {
        "protocol": found,
        "hash": library.protocol_hash(found),
        "board": board["name"],
        "derived": derived,
        "limits": limits,
        "load": load,
        "assumed": assumed,
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


def _electrode_words(data):
    area = f"{data['limits']['area_cm2']:.3g} cm\u00b2"
    if "pad" in data["load"]:
        text = f"pads of {area}"
    else:
        needle = data["load"]["needle"]
        size = f"{decimal(needle['diameter_um'], 1000)} x {decimal(needle['length_um'], 1000)} mm"
        text = f"needles of {size} inserted, {area} each"
    return text + (" (assumed)" if data["assumed"] else "")


def _highest_rows(limits, board):
    from rheobase.link import words

    def text(which):
        return f"{fmt_current(which['amplitude_max_ua'])}, bound by {words.LIMITS['limit_' + which['binds']]}"

    rows = [_row("at most", f"{text(limits)} ({board})")]
    if limits["acknowledged"]["amplitude_max_ua"] > limits["amplitude_max_ua"]:
        rows.append(_row("", f"with --acknowledge {words.DENSE_CODE}: {text(limits['acknowledged'])}"))
    return rows


def _limit_lines(at_max, limits):
    """The table of limits: what the highest amplitude makes of each, and the amplitude that each alone would allow."""
    line = "  {:<16}{:>14}{:>14}  {:<6}{:>14}  {}"
    lines = [
        f"Limits, at {fmt_current(at_max['amplitude_ua'])}",
        line.format("", "value", "limit", "tag", "alone allows", ""),
    ]
    lines.append(line.format("charge a phase", _amount(at_max["charge_per_phase_uc"], "\u00b5C"), "", "", "", ""))
    if "charge_density" not in limits["caps"]:  # bounds needles only
        density = _amount(at_max["charge_density_uc_cm2"], "\u00b5C/cm\u00b2")
        lines.append(line.format("charge density", density, "", "", "", ""))
    for row in limits["rows"]:
        value, most = _amount(row["value"], row["unit"]), _amount(row["at_most"], row["unit"])
        alone = fmt_current(row["alone_ua"]) if row["alone_ua"] <= AMPLITUDE_MAX_UA else "any"
        lines.append(line.format(row["what"], value, most, row["tag"], alone, "binds" if row["binds"] else ""))
    notes = [_row("", f"{row['what']}: {row['note']}") for row in limits["rows"] if row["note"]]
    return [text.rstrip() for text in lines] + notes


def _amount(value, unit):
    return "" if value is None else f"{value:.3g} {unit}".strip()


def _show_text(found, data):
    derived, limits = data["derived"], data["limits"]
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
        _row("electrode", _electrode_words(data)),
        *_highest_rows(limits, data["board"]),
        _row("hash", data["hash"][:16]),
    ]
    lines += [_row("note", note) for note in derived["notes"]]
    lines += ["", *_limit_lines(derived["at_max"], limits)]
    if found["source"]:
        lines += ["", "Sources"]
        lines += [_row(s["tag"], f"{', '.join(s['for'])}: {s['cite']}") for s in found["source"]]
    used = {"V", "D", *(s["tag"] for s in found["source"])}  # the limits' own, and the sources'
    lines += ["", *textwrap.wrap("; ".join(f"{tag} = {words}" for tag, words in TAGS.items() if tag in used), WIDTH)]
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
    """Check a protocol file: the first thing that is wrong, with its line.

    Its title and sources go into records and reports whole: no name of a person belongs there. Exit 0: it is valid.

    \b
    Example:
      rheo protocol validate mine.toml
    """
    import os

    from rheobase import library

    found = library.load(ref)
    notes = library.remarks(found, ref if os.path.isfile(ref) else None)
    digest = library.protocol_hash(found)
    data = {"valid": True, "id": found["id"], "title": found["title"], "hash": digest, "notes": notes}
    lines = [f"{ref}: a valid protocol, id {found['id']}, hash {digest[:16]}.", *[_row("note", note) for note in notes]]
    app.answer(data, "\n".join(lines))


@protocol.command("plot")
@click.argument("ref", metavar="PROTOCOL")
@click.option("-o", "out", metavar="FILE", help="PNG to write [ID.png, here].")
@pass_app
def plot_command(app, ref, out):
    """Draw what a protocol plans: a PNG, and a sketch here.

    One pulse, the train and the ramps, at the largest amplitude that the board allows.

    \b
    Examples:
      rheo protocol plot ea_2_100hz
      rheo protocol plot mine.toml -o mine.png
    """
    from rheocore.compact import compact

    from rheobase import boards, figures, library, planned

    found = library.load(ref)
    ua = figures.limits_of(found, boards.load())["amplitude_max_ua"]
    out, cfg = out or f"{found['id']}.png", compact(found, ua)
    planned.png(out, cfg, found["id"], found["title"])
    data = {"path": out, "id": found["id"], "amplitude_ua": ua}
    app.answer(data, lambda: f"{planned.sketch(cfg, found['id'], found['title'])}\n\n{out}: the same as a picture.")


@protocol.command("push")
@click.argument("ref", metavar="PROTOCOL")
@pass_app
def push_command(app, ref):
    """Send a protocol to the board and configure it: no output.

    The amplitude is 0 and nothing is armed; `rheo run` does all of it by itself.

    \b
    Example:
      rheo protocol push ea_2hz
    """
    from rheobase import library
    from rheobase.push import push

    found = library.load(ref)
    state = push(app, found)
    data = {"id": found["id"], "hash": library.protocol_hash(found), "state": state}
    app.answer(data, f"{found['id']} is on the board; its state is {state}. Output is off.")
