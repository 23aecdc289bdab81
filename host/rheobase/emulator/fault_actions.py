"""What each key of a fault does to the emulated board. A value is checked when it is read; it acts when called.

Every function here takes (value, entry, board table) and returns a callable(EmulatedBoard), or raises ValueError with
a sentence.
"""

import random

from rheobase.emulator import cpu, loads
from rheobase.emulator.engine import EmulatorError

_PIO0 = 0x50200000
_TXF0 = _PIO0 + 0x10
_INSTR_MEM = _PIO0 + 0x48
_INSTR_WORDS = 32
_DMA = 0x50000000
_DMA_STRIDE = 0x40
_CTRL = 0x10  # without the trigger
_INTERLOCK = {"open": False, "closed": True, "floating": None}


def either(words):
    """'"a", "b" or "c"'"""
    quoted = [f'"{word}"' for word in words]
    return ", ".join(quoted[:-1]) + " or " + quoted[-1]


def number(key, value):
    """`value` if it is a number."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError(f"`{key}` is a number, not {value!r}.")
    return value


def channel_of(value, board):
    """The number of a channel, given as a number or as text."""
    numbers = [entry["n"] for entry in board["channels"]]
    if str(value) not in map(str, numbers):
        raise ValueError(f"there is no channel {value}: it has {', '.join(map(str, numbers))}.")
    return int(value)


def _one_of(key, words):
    def check(value):
        if not isinstance(value, str) or value not in words:
            raise ValueError(f"`{key}` is {either(words)}, not {value!r}.")
        return value

    return check


def _above_zero(key, value):
    if not number(key, value) > 0:
        raise ValueError(f"`{key}` is above 0, not {value}.")
    return value


def _whole(key, value, low, high):
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ValueError(f"`{key}` is a whole number from {low} to {high}, not {value!r}.")
    return value


def _object(key, value, required, optional=()):
    if not isinstance(value, dict) or not set(required) <= set(value) <= {*required, *optional}:
        wanted = ", ".join(required) + (f" and, if you like, {', '.join(optional)}" if optional else "")
        raise ValueError(f"`{key}` is an object with {wanted}.")
    return value


def _per_channel(key, value, board, convert):
    if not isinstance(value, dict) or not value:
        raise ValueError(f'`{key}` is an object with channels, such as {{"1": ...}}.')
    return {channel_of(n, board): convert(one) for n, one in value.items()}


def _interlock(value, entry, board):
    if not isinstance(value, dict):
        level = _INTERLOCK[_one_of("interlock", _INTERLOCK)(value)]
        return lambda emulated: emulated.set_interlock(level)
    _object("interlock", value, ("chatter_hz", "for_ms"))
    half_ns = round(5e8 / _above_zero("chatter_hz", value["chatter_hz"]))
    for_ns = round(_above_zero("for_ms", value["for_ms"]) * 1e6)

    def chatter(emulated):
        start_ns = emulated.now_ns
        for turn, after_ns in enumerate(range(0, for_ns, half_ns)):
            emulated.at(start_ns + after_ns, lambda closed=bool(turn & 1): emulated.set_interlock(closed))
        emulated.at(start_ns + for_ns, lambda: emulated.set_interlock(True))

    return chatter


def _load(value, entry, board):
    table = _per_channel("load", value, board, loads.parse)

    def act(emulated):
        for n, load in table.items():
            emulated.set_load(n, load)

    return act


def _stage_error(name):
    def check(value, entry, board):
        table = _per_channel(name, value, board, lambda one: number(name, one))

        def act(emulated):
            for n, one in table.items():
                emulated.set_error(n, name, one)

        return act

    return check


def _supply_mv(value, entry, board):
    number("supply_mv", value)
    return lambda emulated: emulated.set_supply_mv(value)


def _reset(value, entry, board):
    if value is not True:
        raise ValueError(f"`reset` is true, not {value!r}.")
    return lambda emulated: emulated.reset()


def _send(value, entry, board):
    if not isinstance(value, str):
        raise ValueError("`send` is text.")
    try:
        data = value.encode("latin-1")
    except UnicodeEncodeError as error:
        raise ValueError(f"`send` has {value[error.start]!r}, which is no byte (Latin-1).") from None
    return lambda emulated: emulated.send(data)


def _draining(value, entry, board):
    if not isinstance(value, bool):
        raise ValueError(f"`draining` is true or false, not {value!r}.")
    return lambda emulated: emulated.usb.set_reading(value, "fault")


_USB = {
    "unplugged": lambda usb: usb.set_plugged(False),
    "plugged": lambda usb: usb.set_plugged(True),
    "closed": lambda usb: usb.set_gone(True),
    "opened": lambda usb: usb.set_gone(False),
}


def _usb(value, entry, board):
    act = _USB[_one_of("usb", _USB)(value)]
    return lambda emulated: act(emulated.usb)


_CPU = {"hang": cpu.hang, "dead": cpu.die}


def _cpu(value, entry, board):
    stop = _CPU[_one_of("cpu", _CPU)(value)]
    for_ms = _above_zero("for_ms", entry["for_ms"]) if "for_ms" in entry else None
    return lambda emulated: stop(emulated, for_ms)


def _word(key, value):
    try:
        word = int(value, 0) if isinstance(value, str) else value
        return _whole(key, word, 0, 0xFFFFFFFF)
    except ValueError:
        raise ValueError(f'`{key}` has words of 32 bits, such as 16 or "0x10", not {value!r}.') from None


def _poke(value, entry, board):
    if not isinstance(value, dict) or not value:
        raise ValueError('`poke` is an object such as {"0x50200030": 16}.')
    words = [(_word("poke", address), _word("poke", word)) for address, word in value.items()]
    if any(address & 3 for address, _ in words):
        raise ValueError("`poke` has an address that is no multiple of 4.")

    def act(emulated):
        for address, word in words:
            emulated.poke(address, word)

    return act


def _ring(emulated, channel, draw, count):
    at = _DMA + _DMA_STRIDE * (channel - 1)
    ring_bytes = 1 << (emulated.peek(at + _CTRL) >> 6 & 15)
    read = emulated.peek(at)
    if ring_bytes < 8 or not 0x20000000 <= read < 0x20042000:
        raise EmulatorError(
            "no_ring", f"Channel {channel} has no DMA ring yet.", "Let `random` come after the channel has started."
        )
    base = read & -ring_bytes
    for i in _places(draw, ring_bytes // 4, count):
        emulated.poke(base + 4 * i, draw.getrandbits(32))


def _fifo(emulated, channel, draw, count):
    machine = emulated.mcu.pio[0].machines[channel - 1]
    fifo = machine.tx_fifo
    while not fifo.full:
        emulated.poke(_TXF0 + 4 * (channel - 1), draw.getrandbits(32))
    places = _places(draw, fifo.size, count)
    for i, word in enumerate(fifo.items):
        fifo.pull()
        fifo.push(draw.getrandbits(32) if i in places else word)


def _program(emulated, channel, draw, count):
    for i in _places(draw, _INSTR_WORDS, count):
        emulated.poke(_INSTR_MEM + 4 * i, draw.getrandbits(16))


def _places(draw, size, count):
    return sorted(draw.sample(range(size), size if count is None else min(count, size)))


_WHERE = {"ring": _ring, "fifo": _fifo, "program": _program}


def _random(value, entry, board):
    _object("random", value, ("where", "seed"), ("words",))
    overwrite = _WHERE[_one_of("where", _WHERE)(value["where"])]
    seed = _whole("seed", value["seed"], 0, 2**53)
    count = _whole("words", value["words"], 1, 128) if "words" in value else None
    channel = channel_of(entry.get("channel", 1), board)
    return lambda emulated: overwrite(emulated, channel, random.Random(seed), count)


KEYS = {
    "interlock": _interlock,
    "load": _load,
    **{name: _stage_error(name) for name in ("gain", "offset_ua", "sense_gain", "sense_offset_ua")},
    "supply_mv": _supply_mv,
    "reset": _reset,
    "send": _send,
    "draining": _draining,
    "usb": _usb,
    "cpu": _cpu,
    "poke": _poke,
    "random": _random,
}
