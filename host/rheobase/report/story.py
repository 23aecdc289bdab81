"""What a record tells, as one dict for the page: the end, what to know about it, both sides of each channel, evidence.

Says only what the record holds, and says what it does not hold. No text here is HTML: the page escapes all of it.
"""

import hashlib
from datetime import UTC, datetime

from rheocore import faults
from rheocore.units import decimal, fmt_area, fmt_resistance

import rheobase
from rheobase import dose as doses
from rheobase import library
from rheobase.dose import gave_current, number
from rheobase.link import words as link_words
from rheobase.report import pictures, screening, sides, words
from rheobase.report.track import Track
from rheobase.wording import TAGS, WORDING

GAPS_SHOWN = 8


def tell(reader):
    """The page's dict of a RecordReader."""
    track, dose, over = Track(reader), doses.of_record(reader), reader.state != "running"
    board, ended = sides.ratings(reader), doses.told_by_board(reader)
    configs = {n: sides.playable(cfg) for n, cfg in doses.configs(reader).items()}
    return {
        "id": reader.id,
        "modelled": reader.modelled,
        "verdict": _verdict(reader, track, dose),
        "alerts": _alerts(reader, track, dose, configs, board) + screening.alerts(reader, over, track.started),
        "head": _head(reader, track),
        "dose": [_dose_row(n, figures, "" if ended else " so far") for n, figures in dose.items()],
        "ended": ended,
        "channels": [_channel(reader, track, n, configs[n], dose[n], board, ended) for n in sorted(configs)],
        "screening": screening.table(reader),
        "since": track.since,
        "events": [_event(track, *told) for told in words.sentences(reader)],
        "protocols": _protocols(reader),
        "rules": sides.rules(),
        "tags": TAGS,
        "aftercare": screening.aftercare(reader, configs.values(), track.started),
        "versions": _versions(reader),
        "wording": WORDING,
    }


def _verdict(reader, track, dose):
    """(level, head, text): how it ended, first of all."""
    closed = reader.first("close")
    state, reason = reader.state, closed.get("stop_reason")
    fault = closed.get("fault") or (reason if str(reason) in faults.FAULTS else None)
    ran = words.span(closed.get("duration_ms") if closed else track.live_ms)
    if state == "running":
        return "warn", "The session is still running", f"This page tells what was on record until now, {ran} of output."
    if state == "crashed":
        return _broken_off(reader, track, ran)
    if fault:
        name = str(fault)
        text = f"{faults.sentence(name)} {faults.remedy(name)} "
        if closed.get("fault") is None or not doses.told_by_board(reader):
            told = any(line.get("event") == "fault" and line.get("detail") == name for line in reader.of("event"))
            text += "The board told so, and " if told else "Inferred by the host: the board "
            text += f"could not be asked afterwards. Output lasted at least {ran}; "
            text += "counts are those of the board's last telemetry."
        else:
            text += f"Output lasted {ran}."
        return "stop", f"Ended by a fault: {words.label(name)}", text
    if not track.started and not closed.get("duration_ms"):
        why = closed.get("not_started")
        told = str(why.get("message")) if isinstance(why, dict) else _sentence(reason)
        return "warn", "Nothing came out", told + " The session was not started."
    if dose and all(gave_current(figures) is False for figures in dose.values()):
        text = f"{_sentence(reason)} The output was on for {ran}, at set-point zero all the time."
        return "warn", "No current was given", text
    if not doses.told_by_board(reader):
        ran = f"at least {ran}: the board could not be asked afterwards"
    if reason == "time_over":
        return "good", "Ran to its planned end", f"{faults.sentence(reason)} Output lasted {ran}."
    return "warn", "Ended before its time", f"{_sentence(reason)} Output lasted {ran}."


def _broken_off(reader, track, ran):
    """The verdict on a record without an end."""
    why = "The host ended (it was killed, crashed or lost power) before it could close this record. "
    if not track.started:
        ms = number(reader.lines[-1].get("host_ms")) if reader.lines else None
        last = "" if ms is None else f" The last word came {words.span(ms)} after the beginning of the record."
        return "stop", "The record breaks off: no output is on record", why + "The session had not started." + last
    if reader.end is not None:
        head = "The record breaks off after the end of the output"
        text = f"The board told its end: {_sentence(reader.end)} Output lasted {ran}. " + why
        return "stop", head, text + "What came after the output is not on record, but for what follows."
    latched = [line for line in reader.of("fault")] + [e for e in reader.of("event") if e.get("event") == "fault"]
    text = why + (
        f"What follows is what was on record until then: {ran} of output, the last word {track.end_us / 1e6:.1f} s "
        "after the start. What the board did after that is not on record; it is made to end its output by itself when "
        "its host is gone."
    )
    if latched:
        text += " The last fault on record: " + words.event(latched[-1])
    return "stop", "The record breaks off: no end is on record", text


def _sentence(reason):
    return faults.sentence(reason) if isinstance(reason, str) else "Why is not on record."


def _alerts(reader, track, dose, configs, board):
    """[(level, head, text)] of what makes this record less than it should be, or other than it was planned."""
    found, closed = [], reader.first("close")
    lost = len(reader.missing())
    if reader.torn or reader.damaged or lost:
        parts = [f"{reader.damaged} damaged" if reader.damaged else "", f"{lost} missing" if lost else "",
                 "the last one torn" if reader.torn else ""]  # fmt: skip
        text = ", ".join(part for part in parts if part) + ". What is shown comes from the lines that are whole."
        found.append(("warn", "Lines of this record are lost", text))
    if track.gaps:
        found.append(("warn", "Telemetry is missing", _gap_words(track)))
    if track.backwards:
        text = f"{track.backwards} samples after it are left out: the board was reset."
        found.append(("stop", "The board's clock went back", text))
    if not track.count and track.started:
        found.append(("warn", "No telemetry is on record", "Amplitude, impedance and time at amplitude are unknown."))
    for line in reader.of("event"):
        if line.get("event") == "clock_jump":
            found.append(("warn", "The host's clock jumped", words.jump(line)))
        if line.get("event") == "not_confirmed":
            text = words.event(line) + " The operator was told to open the interlock."
            found.append(("stop", "The stop was not confirmed", text))
    for n, figures in dose.items():
        allowed_ua = sides.highest_allowed_ua(configs.get(n), board)
        if allowed_ua is not None and figures["peak_ua"] > allowed_ua:
            text = f"{words.current(figures['peak_ua'])}; the highest allowed is {words.current(allowed_ua)}."
            found.append(("stop", f"Channel {n}: the set-point was above the limit", text))
        if track.started and gave_current(figures) is False:
            text = "Its set-point stayed at zero; the pulses that are counted are those of the train, without current."
            found.append(("warn", f"No current was given on channel {n}", text))
        if figures["truncated"]:
            found.append(
                ("stop", f"Channel {n}: a pulse was cut", "Its second phase may be missing: it is not counted.")
            )
        if configs.get(n):
            whole = closed.get("stop_reason") == "time_over" and not track.spans(("paused",))
            found += _other_count(n, figures["pulses"], sides.planned(configs[n]), whole, track.restarts)
    found += _other_firmware(reader.opened)
    told = reader.opened.get("hash")
    for name, protocol in _carried(reader).items():
        if isinstance(told, dict) and told.get(name) != _hash(protocol):
            found.append(("stop", "A protocol on record does not match its hash", name))
    for kind in map(str, screening.listed(reader.opened.get("assumed"))):
        load = reader.opened.get("load")
        text = f"Assumed: {_electrodes({kind: load.get(kind)} if isinstance(load, dict) else None)}."
        found.append(("warn", f"The size of the {kind} was not told", text))
    return found


def _other_firmware(opened):
    """An alert if the board ran another firmware than the one that its host carried, and was tested with."""
    ours, theirs = opened.get("host_firmware"), opened.get("firmware")
    theirs = theirs.get("hash") if isinstance(theirs, dict) else None
    if not ours or ours == theirs:
        return []
    return [("warn", "The board's firmware was not the one that its rheo carried", f"{theirs}, and not {ours}.")]


def _other_count(n, pulses, planned, whole, restarts):
    """An alert if channel n reports other pulses than its plan has; fewer are right unless it was played as a whole.

    Each restart after a pause plays up to a cycle's pulses anew: that is the train's own, and no alarm.
    """
    most = planned.pulses + restarts * (planned.pulses_of_cycle + 1)
    if number(pulses) is None or pulses == planned.pulses or (pulses <= most and not whole):
        return []
    text = f"{words.count(planned.pulses)} were planned, {words.count(pulses)} are reported."
    return [("stop" if pulses > most else "warn", f"Channel {n}: other pulses than planned", text)]


def _gap_words(track):
    shown = ", ".join(f"{start / 1e6:.1f} to {end / 1e6:.1f} s" for start, end in track.gaps[:GAPS_SHOWN])
    more = f" and {len(track.gaps) - GAPS_SHOWN} more" if len(track.gaps) > GAPS_SHOWN else ""
    total = words.span(sum(end - start for start, end in track.gaps) // 1000)
    return (
        f"{total} in {len(track.gaps)} gaps, hatched in the pictures: {shown}{more}. Time at amplitude and the highest "
        "set-point are at least what is shown; the mean impedance is that of the samples that came. Pulses and charge "
        "are the board's own count."
    )


def _head(reader, track):
    opened, plan = reader.opened, reader.opened.get("plan")
    rows = [
        ("started", _stamp(opened.get("host_utc"))),
        ("protocol", str(opened.get("protocol") or words.UNKNOWN)),
        ("person", str(opened.get("person") or "no code given")),
        ("board", f"{opened.get('board') or words.UNKNOWN}, serial {opened.get('serial') or words.UNKNOWN}"),
        ("electrodes", _electrodes(opened.get("load"))),
        ("pauses", _pauses(track)),
    ]
    if isinstance(plan, dict):
        rows.insert(
            3, ("course", f"{plan.get('course')}, session {plan.get('number')} of {plan.get('planned') or 'as needed'}")
        )
    return rows


def _stamp(utc):
    return f"{str(utc)[:10]} {str(utc)[11:19]} UTC" if isinstance(utc, str) else words.UNKNOWN


def _electrodes(load):
    if not isinstance(load, dict):
        return words.UNKNOWN
    needle, pad, parts = load.get("needle"), load.get("pad"), []
    if isinstance(needle, dict):
        size = (decimal(number(needle.get(name)) or 0, 1000) for name in ("diameter_um", "length_um"))
        parts.append("needle {} \u00d7 {} mm inserted".format(*size))
    if isinstance(pad, dict):
        parts.append(f"pad {fmt_area(number(pad.get('area_mm2')) or 0)}")
    return ", ".join(parts) or words.UNKNOWN


def _pauses(track):
    spans = track.spans(("paused",))
    if not spans:
        return "none"
    return (
        f"{len(spans)}, {words.span(sum(end - start for start, end in spans) // 1000)} in all, not counted as duration"
    )


def _dose_row(n, figures, so_far):
    return {
        "n": n,
        "pulses": sides.known(words.count(figures["pulses"]), so_far) + sides.without_current(figures),
        "truncated": words.count(figures["truncated"]),
        "charge": sides.known(words.charge(figures["charge_nc"]), so_far),
        "at_amplitude": words.span(figures["at_amplitude_ms"]) + so_far,
        "peak": words.current(figures["peak_ua"]),
        "ohms": "not measured" if figures["mean_ohms"] is None else fmt_resistance(figures["mean_ohms"]),
    }


def _channel(reader, track, n, cfg, figures, board, ended):
    protocol = _carried(reader).get(_protocol_of(reader, n), {})
    drawn_ua = sides.highest_target_ua(track, n) or (cfg or {}).get("max_ua") or 0
    return {
        "n": n,
        "protocol": _protocol_of(reader, n) or words.UNKNOWN,
        "title": str(protocol.get("title") or ""),
        "sides": sides.rows(track, n, cfg, figures, board, ended, _ceiling(cfg, protocol)),
        "drawn_at": words.current(drawn_ua),
        "planned_image": pictures.planned(cfg, drawn_ua) if cfg else None,
        "delivered_image": pictures.delivered(track, n, reader.modelled) if track.count else None,
    }


def _ceiling(cfg, protocol):
    """True if the configuration allows less than its protocol: the operator wanted it so."""
    bound = protocol.get("limits")
    most_ma = bound.get("max_ma") if isinstance(bound, dict) else None
    return bool(cfg) and isinstance(most_ma, (int, float)) and cfg["max_ua"] < 1000 * most_ma


def _protocol_of(reader, n):
    channels = reader.opened.get("channels")
    channel = channels.get(n) if isinstance(channels, dict) else None
    name = channel.get("protocol") if isinstance(channel, dict) else None
    return name if isinstance(name, str) else None


def _carried(reader):
    """{id: protocol} that the record carries with it."""
    found = reader.opened.get("protocols")
    return {k: p for k, p in found.items() if isinstance(p, dict)} if isinstance(found, dict) else {}


def _hash(protocol):
    try:
        return library.protocol_hash(protocol)
    except (TypeError, ValueError):
        return None


def _event(track, line, text, grave):
    us = number(line.get("dev_us"))
    return {
        "session": "" if us is None else words.clock(us - track.zero_us),
        "board": "" if us is None else words.clock(us),
        "host": str(line.get("host_utc") or "")[11:23],
        "text": text,
        "grave": grave,
    }


def _protocols(reader):
    """[{id, title, hash, sources: [(tag, for, cite)]}]: where the numbers come from, and how well they are known."""
    told = reader.opened.get("hash")
    found = []
    for name, protocol in _carried(reader).items():
        sources = [
            (str(s.get("tag")), ", ".join(map(str, screening.listed(s.get("for")))), str(s.get("cite")))
            for s in screening.listed(protocol.get("source"))
            if isinstance(s, dict)
        ]
        digest = told.get(name) if isinstance(told, dict) else None
        title = str(protocol.get("title") or "")
        found.append({"id": name, "title": title, "hash": str(digest or words.UNKNOWN), "sources": sources})
    return found


def _calibration(told):
    """Which calibration was in use; a record of before there were any, or one gone wrong, does not tell."""
    try:
        return link_words.calibration(told)
    except (TypeError, KeyError, AttributeError):
        return words.UNKNOWN


def _versions(reader):
    firmware = reader.opened.get("firmware")
    firmware = firmware if isinstance(firmware, dict) else {}
    known = lambda name: str(firmware.get(name) or words.UNKNOWN)  # noqa: E731
    return [
        ("firmware", f"{known('version')}, {known('origin')}, library hash {known('hash')}"),
        ("calibration", _calibration(reader.opened.get("calibration"))),
        ("MicroPython", f"{known('micropython')}, wire version {known('wire')}"),
        ("host", f"rheo {reader.opened.get('host') or words.UNKNOWN} kept the record"),
        ("record", f"{len(reader.lines)} lines, SHA-256 {hashlib.sha256(reader.path.read_bytes()).hexdigest()}"),
        ("this page", f"made by rheo {rheobase.__version__} on {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC"),
    ]
