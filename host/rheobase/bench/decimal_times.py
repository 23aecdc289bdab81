"""Times of rows as decimal text or ISO 8601, to integer picoseconds without a float in between. Reads no file."""

import math
import re
from array import array
from datetime import date

import numpy as np

from rheobase.bench import trace
from rheobase.bench.trace import PS_PER_S
from rheobase.errors import UsageError

_DECIMAL = re.compile(rb"(-?)(\d{1,20})(?:\.(\d{0,30}))?(?:[eE]([+-]?\d{1,2}))?")
ISO = re.compile(rb"(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,15}))?(Z|[+-]\d\d:?\d\d)?")


def samples_ps(numbers, rate):
    """Times of sample numbers (int64) at a rate in Hz, in ps, rounded down; exact in integers."""
    whole, part = numbers // rate, numbers % rate
    return whole * PS_PER_S + part * (PS_PER_S // rate) + part * (PS_PER_S % rate) // rate


class Times:
    """Times of rows, as decimal text, to integer ps; knows in what step the file wrote them.

    As long as all rows have as many digits after the point, their last digit is the step. Once digits vary, either
    zeros at the end or digits beyond so many that count were dropped; the coarser of the two is the step.
    """

    def __init__(self, unit_ps, path):
        self._unit_ps = unit_ps
        self._path = path
        self._values = array("q")  # steps while _places is a number, ps afterwards
        self._places = None  # digits after the point, while they are the same
        self._varied = False
        self._most = self._count = 0  # most decimals, most digits that count
        self._lead = -30  # highest place of a digit: 0 is the first after the point
        self._origin = None  # of ISO 8601

    def add(self, text):
        """Take the time of a row."""
        whole, _, fraction = text.partition(b".")
        digits = whole + fraction
        try:
            if len(fraction) == self._places and digits.isdigit():
                self._values.append(int(digits))
            else:
                value = self._iso(text.strip()) if self._unit_ps == 0 else self._decimal(text.strip())
                self._values.append(value)
        except OverflowError:
            raise trace.too_long(self._path) from None
        except ValueError:
            raise bad_csv(self._path, f"{text[:40].decode('ascii', 'replace').strip()!r} is no time") from None

    def _decimal(self, text):
        found = _DECIMAL.fullmatch(text)
        if not found:
            raise ValueError
        fraction, power = found[3] or b"", int(found[4] or 0)
        value, places = int(found[1] + found[2] + fraction), len(fraction) - power
        if not self._varied and not power and self._places in (None, places):
            self._places = places
            return value
        if not self._varied:
            self._varied = True
            if self._places is not None:
                self._note(max(map(abs, self._values)), self._places)
                self._values, self._places = array("q", self.all_ps().tolist()), None
        self._note(abs(value), places)
        value *= self._unit_ps
        return value * 10**-places if places < 0 else value // 10**places

    def _note(self, value, places):
        """Note which digits of a time count."""
        digits = len(str(value)) if value else 0
        self._count = max(self._count, digits)
        self._lead = max(self._lead, digits - places) if digits else self._lead
        self._most = max(self._most, places)

    def _iso(self, text):
        found = ISO.fullmatch(text)
        if not found:
            raise ValueError
        year, month, day, hour, minute, second = (int(found[n]) for n in range(1, 7))
        fraction = found[7] or b""
        zone = found[8] or b"Z"
        away = 0 if zone == b"Z" else int(zone[:1] + b"1") * (int(zone[1:3]) * 60 + int(zone[-2:])) * 60
        total = date(year, month, day).toordinal() * 86400 + hour * 3600 + minute * 60 + second - away
        self._most = max(self._most, len(fraction))
        ps = total * PS_PER_S + int((fraction or b"0").ljust(12, b"0")[:12])
        if self._origin is None:
            self._origin = ps
        return ps - self._origin

    @property
    def rounding_ps(self):
        """The step in which the file wrote times, 1 ps at least."""
        unit_ps = self._unit_ps or PS_PER_S
        if self._places is not None:
            finest = -self._places
        else:
            finest = -self._most if self._unit_ps == 0 else max(-self._most, self._lead - self._count)
        return max(1, unit_ps * 10 ** max(0, finest) // 10 ** max(0, -finest))

    def all_ps(self):
        """All of them, int64."""
        values = np.array(self._values, np.int64)
        if self._places is None:
            scale = divisor = 1
        else:
            part = math.gcd(self._unit_ps, 10**self._places)
            scale, divisor = self._unit_ps // part, 10**self._places // part
        if len(values) and max(abs(int(values.min())), int(values.max())) > trace.MAX_PS // scale:
            raise trace.too_long(self._path)
        return values * scale // divisor

    def samples(self, step):
        """Numbers of the samples, from 0, if every time is a whole number of steps of sigrok's count; or None."""
        if self._places != 0 or not step:
            return None
        values = np.array(self._values, np.int64)
        return values // step - 1 if values.min() >= step and not (values % step).any() else None


def bad_csv(path, what):
    """The error for a file that cannot be a capture in rows."""
    return UsageError(
        "bad_csv", f"{path} is not a capture that can be read: {what}.", "Export it as VCD, or as CSV again."
    )
