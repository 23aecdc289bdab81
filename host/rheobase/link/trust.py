"""What a board's messages may hold: the shape of each field. Nothing that has another shape gets past this file.

The CRC keeps noise out, not a firmware that is wrong or a device that only says that it is ours. Texts come out
printable, so that none of them can steer a terminal. Knows the shapes; decides nothing.
"""

import binascii
import re

from rheocore import calibration, messages

_TEXT_MAX = 200  # characters of a text without a shape of its own
_MANY = 64  # entries of a list or an object without a shape of its own
_DEEP = 4
_CHANNELS = 16


class Misshapen(ValueError):
    """A field that is not what the wire says; args: what it is about."""


def printable(text, most=_TEXT_MAX):
    """The text without anything that a terminal would obey or that cannot be printed, `most` characters at most."""
    return "".join(c if c.isprintable() else "?" for c in text[:most])


def plain(value, depth=_DEEP):
    """A value of no known shape, harmless: printable texts, finite numbers below 2**53, few entries, not deep."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, (int, float)):
        return value if abs(value) < 1 << 53 else None  # so neither NaN nor Infinity
    if depth and isinstance(value, list):
        return [plain(inner, depth - 1) for inner in value[:_MANY]]
    if depth and isinstance(value, dict):
        return {printable(key): plain(inner, depth - 1) for key, inner in list(value.items())[:_MANY]}
    return None


# -- shapes: functions of a value that return it, or raise Misshapen -------------------------------------------------


def _whole(low, high):
    def check(value):
        if type(value) is not int or not low <= value <= high:
            raise Misshapen(f"a number from {low} to {high}")
        return value

    return check


def _text(pattern):
    whole = re.compile(pattern)

    def check(value):
        if not isinstance(value, str) or not whole.fullmatch(value):
            raise Misshapen("a text")
        return value

    return check


def _choice(values):
    def check(value):
        if not isinstance(value, str) or value not in values:
            raise Misshapen("one of " + ", ".join(values))
        return value

    return check


def _maybe(shape):
    return lambda value: None if value is None else shape(value)


def _truth(value):
    if not isinstance(value, bool):
        raise Misshapen("true or false")
    return value


def _each(shape, most=_CHANNELS):
    def check(value):
        if not isinstance(value, list) or len(value) > most:
            raise Misshapen(f"a list of at most {most}")
        return [shape(inner) for inner in value]

    return check


def _row(*shapes):
    def check(value):
        if not isinstance(value, list) or len(value) != len(shapes):
            raise Misshapen(f"a list of {len(shapes)}")
        return [shape(inner) for shape, inner in zip(shapes, value, strict=True)]

    return check


def _named(key, shape, most=_CHANNELS):
    def check(value):
        if not isinstance(value, dict) or len(value) > most:
            raise Misshapen(f"an object of at most {most}")
        return {key(name): shape(inner) for name, inner in value.items()}

    return check


def _object(_names=(), **shapes):
    """An object: fields of a known shape must be there; the others of _names too, and any other may: made plain."""

    def check(value):
        if not isinstance(value, dict):
            raise Misshapen("an object")
        for name in (*shapes, *_names):
            if name not in value:
                raise Misshapen(name)
        known = (*shapes, *(name for name in _names if name not in shapes))
        out = {}
        for name in (*known, *[name for name in value if name not in known][:_MANY]):
            try:
                out[printable(name)] = shapes.get(name, plain)(value[name])
            except Misshapen as error:
                raise Misshapen(f"{printable(name)}: {error}") from None
        return out

    return check


_SMALL = _whole(-(1 << 30), (1 << 30) - 1)  # what the board takes and gives
_NAME = _text(r"[A-Za-z0-9_-]{1,32}")
_LABEL = _text(r"[ -~]{0,80}")
_STATE = _choice(messages.STATES)
_CHANNEL_N = _whole(1, _CHANNELS)
_NUMBER = _text(r"[0-9]{1,2}")
_MS = _whole(0, 1 << 40)
_US = _whole(0, 1 << 52)
_UA = _whole(0, 1_000_000)
_MEASURED = _maybe(_whole(-10_000_000, 1_000_000_000))
_COUNT = _whole(0, 1 << 52)


def _base64(value):
    try:
        if isinstance(value, str) and len(value) % 4 == 0:
            return binascii.b2a_base64(binascii.a2b_base64(value, strict_mode=True), newline=False).decode()
    except ValueError:
        pass
    raise Misshapen("base64")


def _detail(value):
    return _SMALL(value) if isinstance(value, int) else _NAME(value)


def _file_name(value):
    if not isinstance(value, str):
        raise Misshapen("a text")
    return printable(value)


_TELEMETRY = _row(
    _whole(0, (1 << 30) - 1),  # seq: goes back to the board, which takes no larger one
    _US,
    _STATE,
    _MS,
    _truth,
    _maybe(_NAME),
    _each(_row(_UA, _MEASURED, _MEASURED, _COUNT, _COUNT)),
)
_EVENT = _row(_whole(0, 1 << 40), _US, _NAME, _maybe(_detail), _maybe(_CHANNEL_N))
_CONFIRMED = _object(state=_STATE, confirmed=_truth)
_WIRE = _text(r"[A-Z0-9_]{1,32}")
_CAPTURED = _object(
    messages.CAPTURED,
    clk_hz=_whole(1, 1 << 40),
    began_ms=_MS,
    took_ms=_MS,
    wires=_named(
        _WIRE,
        _object(messages.CAPTURED_WIRE, count=_COUNT, full=_truth, stalled=_truth, left=_maybe(_whole(0, 0xFFFFFFFF))),
    ),
)
_CORRECTION = _row(_whole(-calibration.GAIN_MAX, calibration.GAIN_MAX), _whole(-10_000, 10_000))  # uA
_CALIBRATION = _object(
    problem=_maybe(_NAME),
    channels=_named(
        _NUMBER,
        _maybe(_object(set=_CORRECTION, sense=_CORRECTION, load_ohms=_whole(1, 1 << 30), made=_text(r"[ -~]{0,10}"))),
    ),
)
_RESULTS = {
    "hello": _object(
        messages.INFO,
        wire=_SMALL,
        board=_text(r"[A-Za-z0-9_-]{1,40}"),
        serial=_text(r"[ -~]{1,40}"),
        firmware=_object(version=_LABEL, hash=_LABEL, origin=_LABEL),
        micropython=_LABEL,
        channels=_each(_CHANNEL_N),
        limits=_object(max_ua=_UA, full_scale_ua=_UA),
        c_hook=_truth,
        reset_cause=_LABEL,
        was=_maybe(_LABEL),
        state=_STATE,
        remainder_ms=_maybe(_MS),
        calibration=_CALIBRATION,
    ),
    "status": _object(
        messages.STATUS,
        state=_STATE,
        t_left_ms=_MS,
        interlock=_truth,
        fault=_maybe(_NAME),
        fault_channel=_maybe(_CHANNEL_N),
        channels=_each(_row(_CHANNEL_N, _UA, _MEASURED, _MEASURED, _COUNT)),
    ),
    "configure": _object(state=_STATE),
    "arm": _object(state=_STATE, token=_SMALL),
    "start": _object(state=_STATE),
    "amplitude": _object(channel=_CHANNEL_N, ua=_UA),
    **dict.fromkeys(("pause", "resume", "stop", "clear_fault"), _CONFIRMED),
    "result": _object(
        messages.RESULT,
        state=_STATE,
        stop_reason=_maybe(_NAME),
        fault=_maybe(_NAME),
        fault_channel=_maybe(_CHANNEL_N),
        duration_ms=_MS,
        channels=_named(_NUMBER, _object(pulses=_COUNT, truncated=_COUNT, charge_nc=_COUNT)),
    ),
    "capture": _object(wires=_each(_WIRE), edges=_COUNT),
    "stall": _object(state=_STATE),
    "inspect": _object(
        messages.INSPECT,
        clk_sys_hz=_COUNT,
        guard=_NAME,
        gate_open=_truth,
        legs_low=_truth,
        supply_mv=_whole(0, 1_000_000),
        flash_free=_maybe(_COUNT),
        flash_bytes=_maybe(_COUNT),
        files=_each(_file_name, 1000),
    ),
}


def result(method, value):
    """The result of a request; raises Misshapen. A method that has no shape here: made plain."""
    if method == "captured":
        pieces = isinstance(value, dict) and "words" in value
        return _object(words=_base64)(value) if pieces else _CAPTURED(value)
    return _RESULTS.get(method, plain)(value)


def telemetry(value):
    """{messages.TELEMETRY: value}; raises Misshapen."""
    return dict(zip(messages.TELEMETRY, _TELEMETRY(value), strict=True))


def event(value):
    """{messages.EVENT: value}; raises Misshapen."""
    found = dict(zip(messages.EVENT, _EVENT(value), strict=True))
    if found["kind"] == "state":
        _STATE(found["detail"])
    elif found["kind"] in ("end", "fault"):
        _NAME(found["detail"])
    return found


def error(value):
    """(name, data) of an error: a word, and {word: number, text or None}."""
    value = value if isinstance(value, dict) else {}
    name, data = value.get("message"), value.get("data")
    data = plain(data) if isinstance(data, dict) else {}
    flat = {key: printable(str(v)) if isinstance(v, (list, dict)) else v for key, v in data.items()}
    return printable(str(name), 40), flat
