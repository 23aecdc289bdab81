"""What a board's description may say: its keys, and what cannot be together. One sentence for each mistake; no file.

Called by boards.load(), and so by everything that reads a description: host, emulator, bench, image and deploy. The
firmware trusts what passed here. Docs: docs/new-board.md, whose table of keys a test compares with KEYS and CHANNEL.
"""

import difflib
from dataclasses import dataclass

CHANNELS_MAX = 3  # of a PIO block: its fourth machine is the guard
CLK_SYS_HZ = 125_000_000  # pulse ticks and the cutoff's timer are divided from it
SMALL = 1 << 30  # the firmware computes below it: no number allocates
HEADROOM = 1.2  # of the current sense over max_ua: a current 20 % off is a fault, so it must be seen
NOT_FREE = {
    15: "the port takes it at a USB reset (erratum E5)",
    23: "on the Pico it switches the mode of the supply",
    24: "on the Pico it senses USB power",
    25: "on the Pico it is the LED",
    29: "on the Pico it measures VSYS",
}
_ACTIVE_LOW = (
    "legs and stage enable are active-high everywhere: low is off in the guard, in the kill, after a reset and in the "
    "pull-downs. Put an inverter on the stage's side of the barrier, and write nothing here."
)


@dataclass(frozen=True)
class Key:
    """kind: text, bool, int, gpio, gpios (a list of them), adc (a GPIO with an ADC), channels. low, high: of an int,
    or how many in a list."""

    kind: str
    low: int = 0
    high: int = 0
    optional: bool = False

    @property
    def says(self):
        """What may be written, as the page has it."""
        count = f"{self.low} to {self.high}"
        words = {
            "text": "the folder's name",
            "bool": "`True`",
            "int": f"{self.low:_}" if self.low == self.high else f"{self.low:_} to {self.high:_}",
            "gpio": "a GPIO",
            "gpios": f"{count} GPIOs",
            "adc": "26, 27 or 28",
            "channels": f"{count} dicts",
        }[self.kind]
        return words + (", or left out" if self.optional else "")


KEYS = {
    "name": Key("text"),
    "schema": Key("int", 1, 1),
    "clk_sys_hz": Key("int", CLK_SYS_HZ, CLK_SYS_HZ),
    "clock_ppm": Key("int", 1, 500),
    "leg_base": Key("gpio"),
    "channels": Key("channels", 1, CHANNELS_MAX),
    "isolated": Key("bool"),
    "interlock": Key("gpio"),
    "stage_enable": Key("gpio", optional=True),
    "mux_select": Key("gpios", 1, 3),
    "mux_supply": Key("int", 0, 7),
    "sense_adc": Key("adc"),
    "full_scale_ua": Key("int", 10_000, 100_000),
    "max_ua": Key("int", 500, 100_000),
    "compliance_mv": Key("int", 1_000, 150_000),
    "filter_tau_us": Key("int", 100, 6_000),
    "dac_top": Key("int", 1_023, 16_383),
    "sense_current_full_ua": Key("int", 10_000, 200_000),
    "sense_voltage_full_mv": Key("int", 1_000, 200_000),
    "sense_supply_full_mv": Key("int", 1_000, 100_000),
    "supply_mv": Key("int", 1_000, 100_000),
    "supply_min_mv": Key("int", 1_000, 100_000),
    "spare": Key("gpios", 0, 16, optional=True),
}
CHANNEL = {
    "n": Key("int", 1, CHANNELS_MAX),
    "leg_a": Key("gpio"),
    "leg_b": Key("gpio"),
    "dac": Key("gpio"),
    "mux_current": Key("int", 0, 7),
    "mux_voltage": Key("int", 0, 7),
}


def problems(board, name):
    """[sentence] of everything that is wrong in the BOARD table of the folder `name`; empty: it can be used.

    Keys and values first; what they are together only once each is right by itself.
    """
    if not isinstance(board, dict):
        return ["BOARD must be a dict: write BOARD = {...}."]
    found = _keys(board, KEYS, "")
    for i, entry in enumerate(_channels(board)):
        found += _keys(entry, CHANNEL, f"channel {i + 1}: ") if isinstance(entry, dict) else []
    if found:
        return found
    return [*_who(board, name), *_legs(board), *_pins(board), *_set_points(board), *_mux(board), *_ratings(board)]


def _channels(board):
    return board["channels"] if isinstance(board.get("channels"), list) else []


def _keys(table, keys, where):
    """Unknown and missing keys of one dict, and values that cannot be."""
    found = []
    for key in table:
        if key not in keys:
            found.append(f"{where}{_unknown(key, keys)}")
    for key, rule in keys.items():
        if key in table:
            wrong = _value(table[key], rule)
            found += [f"{where}`{key}` {wrong}"] if wrong else []
        elif not rule.optional:
            found.append(f"{where}`{key}` is missing: write {rule.says}.")
    return found


def _unknown(key, keys):
    word = str(key)
    if any(part in word.lower() for part in ("active", "invert", "polarity")):
        return f"`{word}` is not for here: {_ACTIVE_LOW}"
    near = difflib.get_close_matches(word.lower(), keys, 1)
    return f"`{word}` is no key" + (f": did you mean `{near[0]}`?" if near else f". Keys: {', '.join(keys)}.")


def _value(value, rule):
    """What is wrong with one value, or None."""
    if rule.kind in ("gpios", "channels"):
        each = _gpio if rule.kind == "gpios" else lambda item: None if isinstance(item, dict) else "must be a dict"
        if not isinstance(value, list) or not rule.low <= len(value) <= rule.high:
            return f"must be a list of {rule.says.partition(',')[0]}."
        wrong = [each(item) for item in value]
        return next((f"holds one that {text}" for text in wrong if text), None)
    if rule.kind == "text":
        return None if isinstance(value, str) else f"must be a text: {rule.says}."
    if rule.kind == "bool":
        if value is True:
            return None
        return (
            "must be True: the limits judge each channel alone, which holds only for channels isolated from each other."
        )
    if rule.kind in ("gpio", "adc"):
        wrong = _gpio(value)
        return wrong or (
            f"must be {rule.says}: GPIO {value} has no ADC." if rule.kind == "adc" and value < 26 else None
        )
    if isinstance(value, bool) or not isinstance(value, int) or not rule.low <= value <= rule.high:
        return f"must be a whole number, {rule.says}; it is {value!r}."
    return None


def _gpio(pin):
    if isinstance(pin, bool) or not isinstance(pin, int) or not 0 <= pin <= 29:
        return f"must be a GPIO, 0 to 22 or 26 to 28; it is {pin!r}."
    return f"must be another GPIO than {pin}: {NOT_FREE[pin]}." if pin in NOT_FREE else None


def _who(board, name):
    if board["name"] != name:
        yield f"`name` is {board['name']!r}, and its folder is {name}: write {name!r}."


def _legs(board):
    """Machine n - 1 plays channel n; the guard and the gate reach one run of pins."""
    for i, channel in enumerate(board["channels"]):
        if channel["n"] != i + 1:
            yield f"channel {i + 1}: `n` is {channel['n']}: channels are numbered from 1 on, in order; write {i + 1}."
        for key, pin in (("leg_a", board["leg_base"] + 2 * i), ("leg_b", board["leg_base"] + 2 * i + 1)):
            if channel[key] != pin:
                yield (
                    f"channel {i + 1}: `{key}` is {channel[key]}: legs are contiguous from leg_base, A then B of each "
                    f"channel; write {pin}, or move `leg_base`."
                )


def uses(board):
    """[(GPIO, what it is for)] of a description whose values are right by themselves."""
    found = []
    for channel in board["channels"]:
        found += [(channel[key], f"{key} of channel {channel['n']}") for key in ("leg_a", "leg_b", "dac")]
    found += [(board[key], key) for key in ("interlock", "stage_enable", "sense_adc") if key in board]
    found += [(pin, f"{key}[{i}]") for key in ("mux_select", "spare") for i, pin in enumerate(board.get(key, ()))]
    return found


def _pins(board):
    taken = {}
    for pin, use in uses(board):
        if pin in taken:
            yield f"GPIO {pin} is {taken[pin]} and {use} as well: give each a pin of its own."
        taken.setdefault(pin, use)


def _slice(pin):
    """(slice, its A or B) of the PWM behind a GPIO (RP2040 datasheet, 4.5.2)."""
    return pin >> 1 & 7, "AB"[pin & 1]


def _set_points(board):
    """A and B of one slice share clock and top, which all set-points do; GPIO n and n + 16 share the level too."""
    taken = {}
    for channel in board["channels"]:
        pin, who = channel["dac"], f"dac of channel {channel['n']}"
        if _slice(pin) in taken and taken[_slice(pin)][0] != pin:
            at = "PWM %d%s" % _slice(pin)
            yield f"{taken[_slice(pin)][1]} and {who} are both {at}, one level for two: move one to another GPIO."
        taken.setdefault(_slice(pin), (pin, who))
    slices = {one for one, _ in taken}
    for pin in board.get("spare", ()):
        if _slice(pin)[0] in slices and pin not in [p for p, _ in taken.values()]:
            yield (
                f"`spare` GPIO {pin} is on PWM slice {_slice(pin)[0]}, which is a set-point's: a PWM there would "
                "change its frequency. Leave it out."
            )


def _mux(board):
    inputs = 1 << len(board["mux_select"])
    taken = {}
    rows = [(board["mux_supply"], "mux_supply")]
    for channel in board["channels"]:
        rows += [(channel[key], f"{key} of channel {channel['n']}") for key in ("mux_current", "mux_voltage")]
    for at, use in rows:
        if at >= inputs:
            count = len(board["mux_select"])
            yield f"{use} is {at}: the {count} pins of `mux_select` reach 0 to {inputs - 1}; add one, or write less."
        if at in taken:
            yield f"multiplexer input {at} is {taken[at]} and {use} as well: give each its own."
        taken.setdefault(at, use)


def _ratings(board):
    for low, high, why in (
        ("max_ua", "full_scale_ua", "the set-point goes no further"),
        ("compliance_mv", "sense_voltage_full_mv", "an open lead is found by the voltage standing at the compliance"),
        ("supply_mv", "sense_supply_full_mv", "the supply must be seen"),
    ):
        if board[low] > board[high]:
            yield f"`{low}` is {board[low]}, above `{high}`, {board[high]}: {why}. Lower the one or raise the other."
    if board["supply_min_mv"] >= board["supply_mv"]:
        yield f"`supply_min_mv` is {board['supply_min_mv']}: write less than `supply_mv`, {board['supply_mv']}."
    least = round(board["max_ua"] * HEADROOM)
    if board["sense_current_full_ua"] < least:
        yield (
            f"`sense_current_full_ua` is {board['sense_current_full_ua']}: a current 20 % above `max_ua` must be seen; "
            f"write {least} at least, or lower `max_ua`."
        )
    if board["full_scale_ua"] * (board["dac_top"] + 1) >= SMALL:
        most = SMALL // board["full_scale_ua"] - 2
        yield f"`dac_top` is {board['dac_top']}: with this `full_scale_ua` write {most} (counted below 2**30)."
