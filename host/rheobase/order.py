"""What a run is asked to do: protocols, channels, amplitudes, electrodes; judged against a board. Sends nothing.

The host's judgement is courtesy (the board judges with the same lines), and is shown before anything is sent.
"""

import textwrap

from rheocore import limits
from rheocore.compact import ProtocolError, compact
from rheocore.config import period_us
from rheocore.electrode import ASSUMED_CMM2, needle_cmm2
from rheocore.stress import densest
from rheocore.units import (
    UnitError,
    fmt_area,
    fmt_current,
    fmt_duration,
    fmt_frequency,
    fmt_time,
    parse,
    parse_needle,
)

from rheobase import figures, library
from rheobase.errors import Refused, UsageError
from rheobase.link import words

NEEDLE_ASSUMED = "0.16x15mm"  # the smallest of the usual ones
PAD_ASSUMED = "25cm2"


class Part:
    """One channel's share: n, protocol (checked), amplitude_ua, cfg (the device's configuration).

    area_cmm2: the electrode's (None: as assumed). dense_ok: more than 2 mA/cm2 RMS is acknowledged.
    """

    def __init__(self, n, protocol, amplitude_ua, duration_ms=None, area_cmm2=None, dense_ok=False):
        self.n = n
        self.protocol = protocol
        self.amplitude_ua = amplitude_ua
        try:
            area_cmm2 = area_cmm2 or ASSUMED_CMM2[protocol["electrode"]]
            self.cfg = compact(protocol, amplitude_ua, duration_ms, area_cmm2, dense_ok)
        except ProtocolError as error:
            raise library.as_rheo_error(error) from None


class Order:
    """A whole run. parts: [Part] by channel. load: electrodes as the record has them. assumed: which were not told."""

    def __init__(self, parts, load, assumed, acknowledged=(), yes=False, reason=None):
        self.parts = parts
        self.load = load
        self.assumed = assumed
        self.acknowledged = list(acknowledged)
        self.yes = yes
        self.reason = reason

    @property
    def channels(self):
        return [part.n for part in self.parts]

    @property
    def configs(self):
        """What `configure` sends."""
        return {str(part.n): part.cfg for part in self.parts}

    @property
    def duration_ms(self):
        return max(part.cfg["duration_ms"] for part in self.parts)

    @property
    def protocol_ids(self):
        """The protocol's id, or several joined by +, in the order of the channels."""
        ids = []
        for part in self.parts:
            if part.protocol["id"] not in ids:
                ids.append(part.protocol["id"])
        return "+".join(ids)


def quantity(text, kind, option):
    """Integer of a quantity given to `option`. Raises UsageError."""
    try:
        return parse(text, kind)
    except UnitError as error:
        raise UsageError("bad_quantity", f"{option}: {error.message}.", error.hint) from None


def make(
    ref=None, channels=(), amplitudes=(), ons=(), duration=None, needle=None, pad=None, acknowledged=(), yes=False,
    reason=None,
):  # fmt: skip
    """Order of the words of a command line. Raises UsageError (words), RheoError (protocol or its own limits).

    channels, amplitudes: as they came, in pairs; a lone amplitude is channel 1's. ons: "N=P@Q" each.
    """
    duration_ms = None if duration is None else quantity(duration, "duration", "--duration")
    wanted = []
    if ref is not None:
        if not amplitudes:
            raise UsageError(
                "no_amplitude", f"--amplitude is missing for {ref}.", "For example: --channel 1 --amplitude 2mA"
            )
        if not channels and len(amplitudes) == 1:
            channels = ("1",)
        if len(channels) != len(amplitudes):
            raise UsageError(
                "unpaired", f"{len(channels)} --channel and {len(amplitudes)} --amplitude.", "Give one of each in turn."
            )
        wanted += [(channel_number(n), ref, q, "--amplitude") for n, q in zip(channels, amplitudes, strict=True)]
    elif channels or amplitudes:
        raise UsageError("no_protocol", "No protocol is named.", "`rheo protocol list` shows them.")
    wanted += [_split_on(text) for text in ons]
    if not wanted:
        raise UsageError("no_protocol", "No protocol is named.", "`rheo protocol list` shows them.")
    numbers = [n for n, _, _, _ in wanted]
    for n in numbers:
        if numbers.count(n) > 1:
            raise UsageError("channel_twice", f"Channel {n} is named twice.", "Name each channel once.")
    named = [(n, library.load(name), quantity(text, "current", option)) for n, name, text, option in sorted(wanted)]
    load, assumed = electrodes([protocol for _, protocol, _ in named], needle, pad)
    dense_ok = words.DENSE_CODE in acknowledged
    parts = [Part(n, found, ua, duration_ms, area_cmm2(found, load), dense_ok) for n, found, ua in named]
    return Order(parts, load, assumed, acknowledged, yes, reason)


def channel_number(text):
    """1 of "1". Raises UsageError."""
    if not str(text).isascii() or not str(text).isdigit() or int(text) < 1:
        raise UsageError("bad_channel", f"{text} is not a channel.", "Channels are numbers: 1, 2, 3.")
    return int(text)


def _split_on(text):
    number, equals, rest = text.partition("=")
    name, at, amplitude = rest.rpartition("@")
    if not (equals and at and name and amplitude):
        raise UsageError("bad_on", f"--on {text}: not N=PROTOCOL@AMPLITUDE.", "For example: --on 2=ea_2hz@1mA")
    return channel_number(number), name, amplitude, f"--on {text}"


def electrodes(protocols, needle, pad):
    """(load, assumed): the electrodes of `protocols` as the record has them, and which were not told.

    needle, pad: as typed, or None. Raises UsageError.
    """
    kinds = {protocol["electrode"] for protocol in protocols}
    for kind, given, option in (("needle", needle, "--needle"), ("skin", pad, "--pad")):
        if given is not None and kind not in kinds:
            raise UsageError("wrong_electrode", f"{option} does not apply: no protocol here uses {kind} electrodes.")
    load, assumed = {}, []
    if "needle" in kinds:
        try:
            diameter_um, length_um = parse_needle(needle or NEEDLE_ASSUMED)
        except UnitError as error:
            raise UsageError("bad_quantity", f"--needle: {error.message}.", error.hint) from None
        load["needle"] = {"diameter_um": diameter_um, "length_um": length_um}
        if needle is None:
            assumed.append("needle")
    if "skin" in kinds:
        area_mm2 = quantity(pad or PAD_ASSUMED, "area", "--pad")
        if not 100 <= area_mm2 <= 40_000:
            raise UsageError("bad_quantity", f"--pad: {fmt_area(area_mm2)} is not a pad's area.", "Use 1cm2 to 400cm2.")
        load["pad"] = {"area_mm2": area_mm2}
        if pad is None:
            assumed.append("pad")
    return load, assumed


def area_cmm2(protocol, load):
    """Area of one electrode of `protocol` in hundredths of a mm2, of what electrodes() found."""
    if protocol["electrode"] == "needle":
        return needle_cmm2(load["needle"]["diameter_um"], load["needle"]["length_um"])
    return load["pad"]["area_mm2"] * 100


def ratings(info):
    """The board's description as the limits need it: ours, with what the board itself says on top."""
    from rheobase import boards

    known = boards.load(info["board"]) if info["board"] in boards.names() else {}
    return {**known, **info["limits"]}


def must_have(channels, info):
    """Raise UsageError if the board lacks one of the channels (numbers)."""
    missing = [n for n in channels if n not in info["channels"]]
    if missing:
        raise UsageError(
            "no_channel",
            f"The board has no channel {missing[0]}.",
            "It has " + ", ".join(str(n) for n in info["channels"]) + ".",
        )


def judge(order, info):
    """Raise unless the board may play the order: UsageError for a channel it lacks, Refused with every limit hit."""
    must_have(order.channels, info)
    board = ratings(info)
    refusals = limits.judge_all({part.n: part.cfg for part in order.parts}, board)
    if refusals:
        raise Refused(refusals[0][1], _refusal_words(order, board, refusals), "Nothing was sent to the board.")


def _refusal_words(order, board, refusals):
    by_number = {part.n: part.cfg for part in order.parts}
    sentences = []
    for n, code, field, value, bound in refusals:
        lead = f"Channel {n}: " if n is not None and len(by_number) > 1 else ""
        gives = figures.stress_words(code, by_number[n]) if n is not None else ""
        dense = {**by_number[n], "dense_ok": 1} if code == words.DENSE_CODE else None
        more_ua = limits.amplitude_max_ua(dense, board)[1] if dense else None
        sentences.append(lead + words.refusal(code, field, value, bound, gives, more_ua))
        if n is None:
            alone = [f"channel {part.n} up to {fmt_current(highest(order, part, board)[1])}" for part in order.parts]
            sentences.append("With the others as they are: " + ", ".join(alone) + ".")
    return " ".join(sentences)


def highest(order, part, board):
    """(name, uA) of what binds a part's amplitude: its own caps, and what the other channels leave as ordered."""
    others = [(other.amplitude_ua, densest(other.cfg)) for other in order.parts if other is not part]
    return limits.beside(limits.amplitude_max_ua(part.cfg, board), densest(part.cfg), others)


def rate_words(period):
    """ "120 Hz": the plainest rate whose period this is, in us; 8333 us are those of 120 Hz and of 120.005 Hz."""
    for step in (1000, 100, 10, 1):
        millihz = round(1e9 / period / step) * step
        if millihz and period_us(millihz) == period:
            break
    return fmt_frequency(millihz)


def train_words(cfg):
    """ "100 Hz, 100 µs a phase" of a configuration, with its on/off duty if it has one."""
    if cfg["kind"] == "modulated":
        rate = f"{fmt_frequency(cfg['lo_millihz'])} to {fmt_frequency(cfg['hi_millihz'])}"
        width = f"{fmt_time(cfg['lo_width_us'])} to {fmt_time(cfg['hi_width_us'])}"
    else:
        rate, width = rate_words(cfg["period_us"]), fmt_time(cfg["width_us"])
        if cfg["kind"] == "alternating":
            rate = f"{rate} and {rate_words(cfg['alt_period_us'])} in turn"
        elif cfg["kind"] == "burst":
            rate = f"bursts of {cfg['burst_pulses']} at {rate}, {rate_words(cfg['burst_period_us'])}"
    duty = f", {fmt_duration(cfg['on_ms'])} on, {fmt_duration(cfg['off_ms'])} off" if "on_ms" in cfg else ""
    return f"{rate}, {width} a phase{duty}"


def describe(order, info, emulated):
    """Lines that say what will come out, and the limits that it keeps. At most 80 columns each."""
    kind = "emulated board" if emulated else "board"
    board = ratings(info)
    lines = [f"On {kind} {info['board']} {info['serial']}, {fmt_duration(order.duration_ms)}:"]
    for part in order.parts:
        cfg = part.cfg
        name, cap_ua = highest(order, part, board)
        whose = words.LIMITS["limit_" + name]
        lines.append(f"  channel {part.n}: {part.protocol['id']} ({cfg['mode'].upper()}, {cfg['electrode']})")
        lines.append(f"    {train_words(cfg)}")
        ramp = fmt_duration(cfg["ramp_up_ms"])
        lines.append(f"    0 to {fmt_current(part.amplitude_ua)} in {ramp}")
        lines.append(f"    highest allowed {fmt_current(cap_ua)} ({whose})")
        for code, _, _, bound in limits.warnings(cfg, board):
            lines += textwrap.wrap(words.warning(code, bound), 76, initial_indent="    ! ", subsequent_indent="      ")
    if len(order.parts) > 1:
        together = fmt_current(limits.sum_rms_ua([part.cfg for part in order.parts]))
        lines.append(f"  all channels together: {together} RMS at most, of {fmt_current(limits.RMS_MAX_UA)}")
    for name in order.assumed:
        lines.append(f"  No --{name} given: {NEEDLE_ASSUMED if name == 'needle' else PAD_ASSUMED} assumed.")
    return lines
