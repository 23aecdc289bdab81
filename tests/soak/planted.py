"""Errors planted in a kept stream of a soak, each with the word that the oracle must find for it. Plays nothing."""

from rheocore import frames
from soak.wire import LIVE, read


def by_lines(seen):
    """The stream with each line of the board in one piece, as a message where it is one."""
    rest, out = b"", []
    for item in seen:
        if item[0] == "connected":
            rest = b""
        if item[0] != "came":
            out.append(item)
            continue
        *lines, rest = (rest + item[2]).split(b"\n")
        out += [("came", item[1], read(line) or line + b"\n") for line in lines]
    return out


def in_bytes(items):
    return [(*i[:2], frames.encode(i[2])) if i[0] == "came" and isinstance(i[2], dict) else i for i in items]


def messages(items):
    """(index, message) of what the board says."""
    return ((i, item[2]) for i, item in enumerate(items) if item[0] == "came" and isinstance(item[2], dict))


def told(method, change):
    """change(params or result) of every such notification or answer while output is on; False: it is left out."""

    def plant(seen):
        items = by_lines(seen)
        for i, message in list(messages(items)):
            said = message["params"] if message.get("method") == method else message.get("result")
            is_it = message.get("method") == method or method == "result" and said and "bad_lines" in said
            if is_it and change(said) is False:
                items[i] = ("came", items[i][1], b"\n")
        return in_bytes(items)

    return plant


def live(seen):
    """The stream up to the last telemetry while the output was on; the number of the last event there."""
    items = by_lines(seen)
    end = max(i for i, m in messages(items) if m.get("method") == "tel" and m["params"][2] == "run")
    number = max(m["params"][0] for i, m in messages(items[:end]) if m.get("method") == "event")
    return items[: end + 1], number


def said(t_ns, number, *events):
    """Events of the board."""
    return [
        ("came", t_ns, {"jsonrpc": "2.0", "method": "event", "params": [number + i, 0, kind, detail, None]})
        for i, (kind, detail) in enumerate(events, 1)
    ]


def asked(t_ns, ident, method, **params):
    return ("sent", t_ns, frames.encode({"jsonrpc": "2.0", "id": ident, "method": method, "params": params}))


def zeros(t_ns):
    return [("ua", t_ns, f"CH{n}_UA", 0) for n in (1, 2, 3)]


def channels_apart(seen):
    """Channel 2 is 50 us behind the others throughout."""
    late = [(k, t + 50_000, *w) if k == "edge" and w[0].startswith("CH2") else (k, t, *w) for k, t, *w in seen]
    return sorted(late, key=lambda item: item[1])


def tail_missing(seen):
    """The pulses of channel 1 stop 1.5 s before a stop that is asked for."""
    items, number = live(seen)
    t_ns = items[-1][1]
    gone = ("CH1_A", "CH1_B")
    kept = [i for i in items if not (i[0] == "edge" and i[2] in gone and i[1] > t_ns - 1_500_000_000)]
    stop = [asked(t_ns, 9_000, "stop", reason="stop_command"), *zeros(t_ns + 1)]
    return in_bytes([*kept, *stop, *said(t_ns + 2, number, ("state", "done"), ("end", "stop_command"))])


def over_in_a_pause(seen):
    items, number = live(seen)
    t_ns = items[-1][1]
    paused = [asked(t_ns, 9_000, "pause"), *zeros(t_ns + 1), *said(t_ns + 2, number, ("state", "paused"))]
    return in_bytes([*items, *paused, *said(t_ns + 9, number + 1, ("state", "done"), ("end", "time_over"))])


def falls_in_a_pulse(seen):
    """The set-point of channel 1 falls at once while its leg is high."""
    level, out = 0, []
    rises = [i for i, item in enumerate(seen) if item[0] == "edge" and item[2:] == ("CH1_A", 1)]
    for i, item in enumerate(seen):
        out.append(item)
        if item[0] == "ua" and item[2] == "CH1_UA":
            level = item[3]
        if level > 300 and i in rises:
            return [*out, ("ua", item[1] + 8, "CH1_UA", 0), *seen[i + 1 :]]


def unlatched(seen):
    """A fault after everything, and the next hello finds none."""
    t_ns = seen[-1][1]
    number = max(m["params"][0] for _, m in messages(by_lines(seen)) if m.get("method") == "event")
    hello = {"jsonrpc": "2.0", "id": 1, "result": {"state": "idle"}}
    fault = [("cause", t_ns, "interlock"), *said(t_ns, number, ("fault", "interlock_open"))]
    return in_bytes([*by_lines(seen), *fault, ("connected", t_ns), asked(t_ns, 1, "hello"), ("came", t_ns, hello)])


def stale_is_done(seen):
    items, _number = live(seen)
    t_ns = items[-1][1]
    answer = {"jsonrpc": "2.0", "id": 1, "result": {"state": "paused", "confirmed": True}}
    return in_bytes([*items, asked(t_ns, 1, "pause"), ("came", t_ns + 1, answer)])


def zero_told(params):
    for row in params[6]:
        row[0] = 0


def open_told(params):
    params[4] = False


def fault_told(params):
    if params[2] in LIVE:
        params[5] = "clock"


def no_time_left(params):
    params[3] = 0


def another_reason(result):
    result["stop_reason"] = result["stop_reason"] and "auto_disarm"


PLANTED = {
    "channels do not begin together": (channels_apart, "started with it"),
    "pulses stop before the end": (tail_missing, "were due"),
    "a pause is the end": (over_in_a_pause, "something left"),
    "a set-point falls in a pulse": (falls_in_a_pulse, "in its pulse"),
    "a set-point is told that is not there": (told("tel", zero_told), "on the pins lately"),
    "the interlock is told open": (told("tel", open_told), "interlock is told"),
    "a fault is told while it runs": (told("tel", fault_told), "and the fault clock"),
    "hello clears a fault": (unlatched, "is latched"),
    "an old id is done": (stale_is_done, "came again"),
    "no time is told to be left": (told("tel", no_time_left), "to be left"),
    "another reason is told": (told("result", another_reason), "the result says"),
    "half the telemetry is left out": (told("tel", lambda params: params[0] % 2 > 0), "left out"),
    "an event is left out": (told("event", lambda params: params[3] != "ramp_up"), "follows"),
}
