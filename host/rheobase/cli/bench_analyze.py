"""`rheo bench analyze`: a capture's file against a protocol. Reads files; touches no board."""

import click

from rheobase.cli.app import pass_app
from rheobase.errors import EXIT_BENCH, UsageError


@click.command("analyze")
@click.argument("file", metavar="FILE")
@click.option("--protocol", "ref", metavar="P", help="Preset's id or TOML file that was played.")
@click.option("--channel", "numbers", metavar="N", type=click.IntRange(1, 99), multiple=True,
              help="Channel that played it; may be repeated [all that move].")  # fmt: skip
@click.option("--map", "pairs", metavar="NAME=CH1_A", multiple=True, help="Signal of the file that is a leg's.")
@click.option(
    "--clock-ppm", metavar="N", type=click.FloatRange(0, 10_000), help="The instrument's clock error, ppm [100]."
)
@click.option("--sample-rate", metavar="Q", help="Of a file that does not say its own: 24MHz.")
@click.option("--expect", metavar="N", type=click.IntRange(0), help="Pulses that each channel must have.")
@click.option("--record", metavar="FILE", help="Session's record: says how many pulses and pauses it had.")
@pass_app
def analyze(app, file, ref, numbers, pairs, clock_ppm, sample_rate, expect, record):
    """Judge a capture by what a protocol commands: pass, fail or cannot tell.

    FILE: VCD, or CSV as logic analysers write it. It may begin and end anywhere in the train; pulses are counted only
    with --expect or --record; a pause passes only where --record tells of it. A file of `rheo bench capture` says what
    was played, all others need --protocol. Exit 7 for fail and for cannot tell.

    \b
    Examples:
      rheo bench analyze own.vcd
      rheo bench analyze capture.csv --protocol ea_2hz --map D0=CH1_A
      rheo bench analyze edges.vcd --protocol ea_2hz --channel 1 --expect 20
      rheo bench analyze edges.vcd --protocol ea_2hz --record last
    """
    from rheobase.bench import files
    from rheobase.bench.analysis import analyse
    from rheobase.bench.verdict import PASS

    if expect is not None and record is not None:
        raise UsageError("expect_twice", "--expect and --record both say how many pulses.", "Give one of them.")
    cfg = _config(ref)
    capture = files.load(file, mapping=_mapping(pairs), sample_rate_hz=_rate(sample_rate))
    channels = sorted(set(numbers)) or _channels(capture, cfg)
    if not channels:
        has = ", ".join(sorted(capture.signals)) or "none"
        message = f"{file}: no signal is a leg of a channel; its signals: {has}."
        raise UsageError("no_signal", message, "Name the legs: --map NAME=CH1_A --map NAME=CH1_B.")
    trains = dict.fromkeys(channels, cfg) if cfg else capture.trains
    for channel in channels:
        if channel not in trains:
            message = f"{file} does not say what channel {channel} was to play."
            raise UsageError("no_protocol", message, "Say it with --protocol.")
    counts, pauses = _of_record(record, channels, app.log_dir) if record else (None, 0)
    if expect is not None:
        counts = dict.fromkeys(channels, expect)
    result = analyse(capture, {channel: trains[channel] for channel in channels}, clock_ppm, counts, pauses=pauses)
    app.answer(result.data(), result.text)
    if result.verdict != PASS:
        raise click.exceptions.Exit(EXIT_BENCH)


def _channels(capture, cfg):
    """Channels to judge where nobody names them: those that the file says were to play, else all that move."""
    if cfg is None and capture.trains:
        return sorted(capture.trains)
    return [n for n in capture.channels if capture.moves(n)] or capture.channels


def _config(ref):
    """The device's configuration of a protocol, without current; None for None."""
    if ref is None:
        return None
    from rheocore.compact import compact

    from rheobase import library

    return compact(library.load(ref), 0)


def _mapping(pairs):
    """{name in the file: our name} of NAME=CH1_A words. Raises UsageError."""
    import re

    mapping = {}
    for pair in pairs:
        name, _, ours = pair.rpartition("=")
        ours = ours.upper()
        if not name or not re.fullmatch(r"CH[1-9]\d?_[AB]|INTERLOCK", ours):
            hint = "Right of = stands CH1_A, CH1_B, ... or INTERLOCK."
            raise UsageError("bad_map", f"--map {pair} is not NAME=CH1_A.", hint)
        if name in mapping or ours in mapping.values():
            raise UsageError("bad_map", f"--map {pair}: mapped already.", "Map each signal once, to one leg.")
        mapping[name] = ours
    return mapping or None


def _rate(text):
    """Whole hertz of "24MHz". Raises UsageError."""
    if text is None:
        return None
    import re
    from fractions import Fraction

    units = {"hz": 1, "khz": 1_000, "mhz": 1_000_000, "ghz": 1_000_000_000}  # nobody samples in millihertz
    found = re.fullmatch(r"(\d{1,12}(?:\.\d{1,9})?) ?([kmg]?hz)", text.strip(), re.IGNORECASE)
    hertz = Fraction(found[1]) * units[found[2].lower()] if found else Fraction(0)
    if not hertz or hertz.denominator != 1:
        raise UsageError("bad_rate", f"--sample-rate {text} is no rate in whole Hz.", "Write it with its unit: 24MHz.")
    return int(hertz)


def _of_record(path, channels, log_dir):
    """({channel: pulses}, how often it was paused and went on) as a session's record tells. Raises RheoError."""
    import os

    from rheobase.record import RecordReader, find

    reader = RecordReader(path) if os.path.exists(path) else find(path, log_dir)
    told = reader.first("close").get("channels")
    if not isinstance(told, dict):
        hint = "Its session did not end in order; give --expect N if you know the count."
        raise UsageError("no_count", f"{path}: the record has no close line that counts pulses.", hint)
    counts = {}
    for channel in channels:
        pulses = told.get(str(channel), {})
        pulses = pulses.get("pulses") if isinstance(pulses, dict) else None
        if not isinstance(pulses, int):
            hint = f"Name other channels with --channel; the record has {', '.join(told) or 'none'}."
            raise UsageError("no_count", f"{path}: the record counts no pulses of channel {channel}.", hint)
        counts[channel] = pulses
    states = [line.get("detail") for line in reader.of("event") if line.get("event") == "state"]
    pauses = sum("ramp_up" in states[n:] for n, state in enumerate(states) if state == "paused")
    return counts, pauses
