"""Captures from and to files: tells what a file is by its content, maps its names, finds the sample period.

Reading each form is vcd.py's, csv_read.py's and sr_read.py's; nothing here judges a pulse.
"""

import contextlib
import re
from difflib import SequenceMatcher
from pathlib import Path

import numpy as np
from rheocore.config import ConfigError, check

from rheobase.bench import csv_read, sample_period, sr_read, trace, vcd
from rheobase.bench.capture import INTERLOCK, Capture
from rheobase.emulator.vcd import VcdWriter
from rheobase.errors import HostError, UsageError

_SIGNAL = re.compile(rf"CH[1-9]\d{{0,2}}_[AB]|{INTERLOCK}")
_MAPS = "Say which is which: --map {}=CH1_A --map ...=CH1_B."
_FOREIGN = (
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"GIF8", "a picture"),
    (b"%PDF", "a PDF document"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
    (b"\x1f\x8b", "packed with gzip; unpack it first"),
    (b"\xfd7zXZ", "packed with xz; unpack it first"),
    (b"\xff\xfe", "text in UTF-16; save it as UTF-8"),
    (b"\xfe\xff", "text in UTF-16; save it as UTF-8"),
    (b"<SALEAE>", "Saleae's binary export; export it as CSV"),
    (b"{", "JSON"),
    (b"[", "JSON"),
    (b"<", "XML or HTML"),
)


def load(path, mapping=None, sample_rate_hz=None):
    """The Capture in a file: VCD, CSV (Saleae's, sigrok's and their like), or .sr where sigrok-cli is installed.

    mapping: {name in the file: CH1_A, CH1_B, ... or INTERLOCK}. Names of the file that are such names already are taken
    without it, in any case of letters; all others are left out. sample_rate_hz: whole Hz, for a file that does not say
    it; without it the edges bound it. A level at the first time in the file is no edge.

    Raises UsageError, a sentence, for whatever is no capture or has no leg or no edge; HostError if sigrok-cli is
    needed and missing.
    """
    path = Path(path)
    if sample_rate_hz is not None and not 0 < sample_rate_hz <= trace.MAX_RATE_HZ:
        raise UsageError("bad_sample_rate", f"A sample rate of {sample_rate_hz} Hz is none that an instrument has.")
    try:
        with path.open("rb") as source:
            found = _read(source, path, sample_rate_hz)
    except OSError as error:
        raise UsageError(
            "unreadable_file", f"{path} cannot be read: {error.strerror or error}.", "Check the path."
        ) from None
    signals = _mapped(found.signals, mapping or {}, path)
    edges = [signal.edges_ps for signal in found.signals.values()]
    if not any(len(signal.edges_ps) for signal in signals.values()):
        raise UsageError(
            "no_edges",
            f"{path} has no edge of {', '.join(list(signals)[:20])}: nothing moved while it was recorded.",
            found.torn or "Check the probes, and which signal is which.",
        )
    sampling = _sampling(found, np.sort(np.concatenate(edges), kind="stable"), sample_rate_hz, path)
    return Capture(
        signals,
        found.start_ps,
        found.end_ps,
        sampling.resolution_ps,
        found.about.get("source", str(path)),
        sampling.words,
        found.about.get("own_clock", False),
        found.torn or found.about.get("torn"),
        found.setpoints,
        _trains(found.about, signals),
    )


def _trains(about, signals):
    """{channel: configuration} that the file says was played; what is no such thing is left out."""
    told = about.get("trains")
    trains = {}
    for key, cfg in told.items() if isinstance(told, dict) else ():
        if f"CH{key}_A" in signals:
            with contextlib.suppress(ConfigError):
                trains[int(key)] = check(cfg)
    return trains


def save(path, capture):
    """Write a Capture as a VCD file, from which load() makes the same again: in ns if that is exact, else in ps.

    Raises HostError if the file cannot be written. Edges at or before start_ps become the level at the start.
    """
    origin_ps = min(0, capture.start_ps)
    series = [signal.edges_ps for signal in capture.signals.values()]
    series += [np.asarray(times_ps, np.int64) for times_ps, _ in capture.setpoints.values()]
    exact = not any((times_ps - origin_ps) % 1000 != 0 for times_ps in (capture.start_ps, capture.end_ps))
    exact = exact and not any(((times_ps - origin_ps) % 1000).any() for times_ps in series)
    unit_ps = 1000 if exact else 1
    about = {
        "resolution_ps": int(capture.resolution_ps),
        "own_clock": bool(capture.own_clock),
        "origin_ps": int(origin_ps),
        "source": capture.source,
        "instrument": capture.instrument,
        "torn": capture.torn,
        "trains": {str(channel): cfg for channel, cfg in capture.trains.items()},
    }
    changes = []
    for name, signal in capture.signals.items():
        times = (signal.edges_ps - origin_ps) // unit_ps
        levels = (np.arange(len(times)) + signal.initial + 1) & 1
        changes += zip(times.tolist(), [name] * len(times), levels.tolist(), strict=True)
    for channel, (times_ps, microamps) in capture.setpoints.items():
        times = (np.asarray(times_ps, np.int64) - origin_ps) // unit_ps
        name = f"CH{channel}_UA"
        changes += zip(times.tolist(), [name] * len(times), np.asarray(microamps).tolist(), strict=True)
    changes.sort(key=lambda change: change[0])
    names = dict.fromkeys(capture.signals, "wire") | {f"CH{n}_UA": "real" for n in capture.setpoints}
    try:
        writer = VcdWriter(
            path,
            names,
            timescale="1 ns" if exact else "1 ps",
            start=(capture.start_ps - origin_ps) // unit_ps,
            initial={name: signal.initial for name, signal in capture.signals.items()},
            about=about,
        )
        for t, name, value in changes:
            writer.change(t, name, value)
        writer.close((capture.end_ps - origin_ps) // unit_ps)
    except OSError as error:
        raise HostError("unwritable_file", f"{path} cannot be written: {error.strerror}.", "Check the path.") from None


def _read(source, path, sample_rate_hz):
    """The Trace of an open binary file, by what it starts with."""
    start = source.read(512)
    source.seek(0)
    plain = start.removeprefix(b"\xef\xbb\xbf").lstrip()
    if not plain:
        raise _foreign(path, "empty" if not start else "blank")
    if start.startswith(b"PK\x03\x04"):
        return sr_read.read(path)
    for magic, what in _FOREIGN:
        if start.startswith(magic) or (magic in (b"{", b"[", b"<") and plain.startswith(magic)):
            raise _foreign(path, what)
    if b"\0" in start:
        raise _foreign(path, "no text")
    if plain.startswith(b"$"):
        source.seek(start.index(b"$"))
        return vcd.read(source, path).trace()
    return csv_read.read(source, path, sample_rate_hz)


def _foreign(path, what):
    return UsageError(
        "not_a_capture",
        f"{path} is not a capture: it is {what}.",
        "Captures are VCD, CSV of Saleae or sigrok, and .sr files.",
    )


def _mapped(signals, mapping, path):
    """The signals by our names. Raises UsageError for names that the file has not, and if there is no leg."""
    folded = {name.casefold(): name for name in signals}
    chosen = {}
    for name, ours in mapping.items():
        target = ours.upper()
        if not _SIGNAL.fullmatch(target):
            raise UsageError(
                "unknown_signal",
                f"{ours!r} is no signal of a board.",
                f"Signals are CH1_A, CH1_B, CH2_A, ... and {INTERLOCK}.",
            )
        if target in chosen:
            raise UsageError("signal_twice", f"{target} is mapped twice.", "Map one name of the file to each signal.")
        known = name if name in signals else folded.get(name.casefold())
        if known is None:
            raise UsageError(
                "unknown_name", f"{path} has no signal {name!r}; it has {_list(signals, name)}.", "Check --map."
            )
        chosen[target] = signals[known]
    used = {id(signal) for signal in chosen.values()}
    for name, signal in signals.items():
        if _SIGNAL.fullmatch(name.upper()) and id(signal) not in used:
            chosen.setdefault(name.upper(), signal)
    if not any(name != INTERLOCK for name in chosen):
        if not signals:
            raise UsageError("no_signals", f"{path} has no one-bit signal.", "Record the legs as digital channels.")
        raise UsageError(
            "no_legs",
            f"{path} has no leg (CH1_A, CH1_B, ...); its signals are {_list(signals)}.",
            _MAPS.format(next(iter(signals))),
        )
    return chosen


def _list(signals, near=None):
    """Names for a sentence, the nearest to `near` first, twenty at most."""
    names = list(signals)
    if near is not None:
        names.sort(key=lambda name: -SequenceMatcher(None, name.casefold(), near.casefold()[:100]).ratio())
    return ", ".join(name[:40] for name in names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")


def _sampling(found, edges_ps, given_hz, path):
    """The Sampling of a Trace: what our own file says, what the file or the user says, or what the edges show."""
    own_ps, file_hz = found.about.get("resolution_ps"), found.rate_hz
    if given_hz and file_hz and abs(given_hz - file_hz) > file_hz // 1000:
        raise UsageError(
            "sample_rate_differs",
            f"{path} says that it was sampled at {sample_period.rate_text(file_hz)}, "
            f"not at {sample_period.rate_text(given_hz)}.",
            "Leave the sample rate to the file.",
        )
    if own_ps:
        return sample_period.Sampling(own_ps, found.about.get("instrument", "as the file says"))
    if file_hz:
        return sample_period.at_rate(file_hz, found.rounding_ps, "as the file says")
    if given_hz:
        return sample_period.at_rate(given_hz, found.rounding_ps, "as given")
    return sample_period.found(edges_ps, found.rounding_ps)
