"""Quantities with units <-> integers (uA, us, ms, mHz, ohm, mm2, um). No floating arithmetic, no I/O.

Rounding: half up, on the exact decimal digits that were written. Nothing passes through a binary fraction.
"""

# kind: ({unit: (numerator, denominator) to the kind's integer}, the form to show people)
UNITS = {
    "current": ({"uA": (1, 1), "mA": (1000, 1), "A": (1000000, 1)}, ("mA", "uA")),  # uA
    "time_us": ({"us": (1, 1), "ms": (1000, 1), "s": (1000000, 1)}, ("us", "ms")),  # us
    "duration": ({"ms": (1, 1), "s": (1000, 1), "min": (60000, 1), "h": (3600000, 1)}, ("s", "min")),  # ms
    "frequency": ({"mHz": (1, 1), "Hz": (1000, 1), "kHz": (1000000, 1)}, ("Hz",)),  # mHz
    "resistance": (  # ohm
        {"ohm": (1, 1), "ohms": (1, 1), "kohm": (1000, 1), "k": (1000, 1), "Mohm": (1000000, 1)},
        ("ohm", "kohm"),
    ),
    "length": ({"um": (1, 1), "mm": (1000, 1), "cm": (10000, 1)}, ("mm",)),  # um
    "area": ({"mm2": (1, 1), "cm2": (100, 1)}, ("cm2",)),  # mm2
    "percent": ({"%": (100, 1)}, ("%",)),  # hundredths of a percent
}
BARE = {"resistance": "ohm"}  # kinds whose bare number can mean one thing only
NAMES = {
    "current": "a current",
    "time_us": "a time",
    "duration": "a duration",
    "frequency": "a frequency",
    "resistance": "a resistance",
    "length": "a length",
    "area": "an area",
    "percent": "a percentage",
}
DIGITS_MAX = 15  # of a number as written; more is a slip of the keyboard
_DIGITS = "0123456789"
_SAME = (("\u00b5", "u"), ("\u03bc", "u"), ("\u03a9", "ohm"), ("\u2126", "ohm"), ("\u00b2", "2"))


class UnitError(Exception):
    """A text that is not the quantity asked for. message: what is wrong; hint: what to write instead."""

    def __init__(self, message, hint):
        super().__init__(message)
        self.message = message
        self.hint = hint


def scaled(number, numerator=1, denominator=1):
    """number * numerator / denominator as an integer, rounded half up.

    number: an int, a float (as the shortest decimal that names it) or decimal text ("2.5", "1e-05"); 0 or more.
    Raises ValueError for anything else.
    """
    if isinstance(number, int):
        if number < 0:
            raise ValueError("negative")
        return (2 * number * numerator + denominator) // (2 * denominator)
    text = number if isinstance(number, str) else repr(number)
    mantissa, e, exponent = text.partition("e")
    whole, point, part = mantissa.partition(".")
    digits = whole + part
    if not digits or (point and not part) or not _all_digits(digits) or len(digits) > 40:
        raise ValueError("not a number")
    power = -len(part)
    if e:
        minus = exponent[:1] == "-"
        figures = exponent[1:] if exponent[:1] in ("-", "+") else exponent
        if not figures or not _all_digits(figures) or len(figures) > 3:
            raise ValueError("not a number")
        power += -int(figures) if minus else int(figures)
    if power > 0:
        numerator *= 10**power
    else:
        denominator *= 10**-power
    return (2 * int(digits) * numerator + denominator) // (2 * denominator)


def _all_digits(text):
    for c in text:
        if c not in _DIGITS:
            return False
    return True


def parse(text, kind):
    """The integer that `text` ("2mA", "250us", "1.5 s") means. kind: a key of UNITS; it fixes the unit.

    0 needs no unit; other bare numbers are refused, except a resistance in ohms. Raises UnitError.
    """
    units, forms = UNITS[kind]
    shown = text.strip()
    plain = shown
    for sign, letters in _SAME:
        plain = plain.replace(sign, letters)
    cut = 0
    while cut < len(plain) and plain[cut] in "0123456789.":
        cut += 1
    number, unit = plain[:cut], plain[cut:].strip()
    if plain[:1] == "-":
        raise UnitError(f"{shown} is negative; {NAMES[kind]} is 0 or more", _example(forms))
    if unit[:1] == "," and number:
        raise UnitError(f"{shown} has a decimal comma", "Write {}.".format(shown.replace(",", ".")))
    if len(number) > DIGITS_MAX:
        raise UnitError(f"{shown[:40]} has more than {DIGITS_MAX} digits", _example(forms))
    try:
        scaled(number)
    except ValueError:
        raise UnitError("{} is not {}".format(shown[:40] or "an empty text", NAMES[kind]), _example(forms)) from None
    if not unit:
        if kind in BARE:
            unit = BARE[kind]
        elif not number.strip("0."):
            return 0
        else:
            raise UnitError(f"{shown} has no unit", _example(forms, number))
    if unit not in units:
        for known in units:
            if known.lower() == unit.lower():
                raise UnitError(f"{shown[:40]}: there is no unit {unit[:20]}", f"Write {number}{known}.")
        raise UnitError(f"{shown[:40]} is not {NAMES[kind]}", _example(forms, number))
    numerator, denominator = units[unit]
    return scaled(number, numerator, denominator)


def _example(forms, number="2"):
    return "Write {}.".format(" or ".join([number + form for form in forms]))


def parse_needle(text):
    """(diameter_um, inserted length_um) of a needle written "0.25x30mm". Raises UnitError."""
    hint = "Write diameter x inserted length, as 0.25x30mm."
    plain = text.strip().lower().replace("\u00d7", "x")
    diameter, x, length = plain.partition("x")
    if not x or not length.endswith("mm"):
        raise UnitError("{} is not a needle".format(text.strip()[:40] or "an empty text"), hint)
    diameter = diameter.strip()
    if diameter.endswith("mm"):
        diameter = diameter[:-2]
    try:
        size = scaled(diameter.strip(), 1000), scaled(length[:-2].strip(), 1000)
    except ValueError:
        raise UnitError(f"{text.strip()[:40]} is not a needle", hint) from None
    if not 100 <= size[0] <= 1000 or not 5000 <= size[1] <= 150000:
        raise UnitError(f"{text.strip()[:40]} is not a needle's size: 0.1 to 1 mm by 5 to 150 mm", hint)
    return size


def decimal(value, unit):
    """value / unit in decimals, exact, without trailing zeros. unit: a power of ten, 1 or more."""
    whole, part = value // unit, value % unit
    if not part:
        return str(whole)
    return str(whole) + "." + str(unit + part)[1:].rstrip("0")


def _fmt(value, steps):
    """value in the largest of `steps` ((size, name), largest first) that it reaches."""
    for size, name in steps:
        if value >= size:
            break
    return decimal(value, size) + " " + name


def fmt_current(ua):
    """ "2 mA", "250 µA" from uA."""
    return _fmt(ua, ((1000, "mA"), (1, "\u00b5A"))) if ua else "0 mA"


def fmt_time(us):
    """ "250 µs", "66.667 ms", "1 s" from us."""
    return _fmt(us, ((1000000, "s"), (1000, "ms"), (1, "\u00b5s")))


def fmt_duration(ms):
    """ "20 min", "90 s", "500 ms" from ms."""
    if ms and ms % 60000 == 0:
        return f"{ms // 60000} min"
    return _fmt(ms, ((1000, "s"), (1, "ms"))) if ms else "0 s"


def fmt_frequency(millihz):
    """ "2.5 Hz" from millihertz."""
    return decimal(millihz, 1000) + " Hz"


def fmt_resistance(ohms):
    """ "470 Ω", "1.5 kΩ" from ohms."""
    return _fmt(ohms, ((1000, "k\u03a9"), (1, "\u03a9")))


def fmt_charge(nc):
    """ "2.5 µC", "900 nC" from nC."""
    return _fmt(nc, ((1000, "\u00b5C"), (1, "nC")))


def fmt_area(mm2):
    """ "25 cm²" from mm2."""
    return decimal(mm2, 100) + " cm\u00b2"
