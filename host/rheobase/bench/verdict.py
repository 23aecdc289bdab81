"""When a figure passes, fails or cannot be told, and the list of what was found. Numbers come in; nothing is measured.

A figure that is off by d with a bound u on its error passes if |d| + u <= tolerance, fails if |d| - u > tolerance, and
cannot be told in between: bounds, no assumption on how errors are spread.
"""

from dataclasses import dataclass

import numpy as np

PASS, FAIL, CANNOT_TELL = "pass", "fail", "cannot_tell"
TICK_PS = 500_000  # half a tick of 1 us: width, gap, period and start of a pulse
IMBALANCE_PER_MILLION = 500  # 0.05 % of a phase
IMBALANCE_LEAST_PS = 50_000  # at 400 Hz and 50 mA it is 1 uA of direct current; 10 ns and 16 ns a sample can tell it
INTERLOCK_PS = 100_000  # interlock edge to all legs low
WANDER_PPM = 5  # of two crystals within a capture: warming up, not more
INSTRUMENT_PPM = 100  # the instrument's clock, where nobody says
MOST = 20  # findings of one code and channel that are told one by one


def worst(verdicts):
    """The verdict of several: fail before cannot tell before pass."""
    verdicts = set(verdicts)
    return FAIL if FAIL in verdicts else CANNOT_TELL if CANNOT_TELL in verdicts else PASS


@dataclass
class Judged:
    """Masks over the figures of one kind: fail; doubt: off, and perhaps too far; blind: on the mark as far as can be
    seen, and the instrument cannot see far enough."""

    fail: np.ndarray
    doubt: np.ndarray
    blind: np.ndarray

    @property
    def verdict(self):
        return FAIL if self.fail.any() else CANNOT_TELL if self.doubt.any() or self.blind.any() else PASS


def judge(off_ps, u_ps, tolerance_ps):
    """Judged of deviations (int64 ps), their bounds and tolerances (numbers or arrays)."""
    off = np.abs(off_ps)
    fail = off - u_ps > tolerance_ps
    unsure = ~fail & (off + u_ps > tolerance_ps)
    doubt = unsure & (off > u_ps)
    return Judged(fail, doubt, unsure & ~doubt)


def judge_clock(value_ppm, u_ppm, board_ppm, instrument_ppm):
    """Verdict on a ratio: fail if no instrument this good explains it, pass if the board alone may be so far off."""
    if value_ppm is None:
        return CANNOT_TELL
    if abs(value_ppm) - u_ppm - instrument_ppm > board_ppm:
        return FAIL
    return PASS if abs(value_ppm) + u_ppm <= board_ppm else CANNOT_TELL


class Findings:
    """What was found, in order, as dicts: at most MOST of one code and channel, then one that counts the rest."""

    def __init__(self):
        self.list = []
        self._told = {}
        self._rest = {}  # the finding that counts, by code and channel

    def add(self, code, channel, t_ps, expected, measured, u, text, verdict=FAIL):
        """One finding. expected, measured, u: in the unit that text names. t_ps: in the capture's time, or None."""
        if self._room(code, channel, verdict):
            self.list.append(_finding(code, channel, t_ps, expected, measured, u, text, verdict))

    def each(self, code, channel, judged, times_ps, expected, measured, u, sentence):
        """Findings of all figures that fail, else of all in doubt. expected, measured, u: arrays or numbers; sentence:
        of an expected and a measured one."""
        mask, verdict = (judged.fail, FAIL) if judged.fail.any() else (judged.doubt, CANNOT_TELL)
        where = np.flatnonzero(mask)
        expected, measured, u = (np.broadcast_to(values, mask.shape) for values in (expected, measured, u))
        for i in where[:MOST]:
            values = [_plain(each[i]) for each in (expected, measured, u)]
            self.add(code, channel, times_ps[i], *values, sentence(*values[:2]), verdict)
        if len(where) > MOST:
            self._room(code, channel, verdict, len(where) - MOST)

    def _room(self, code, channel, verdict, many=1):
        """True if a finding may be listed; else it, or as many, are counted."""
        key = (code, channel)
        if many == 1 and self._told.get(key, 0) < MOST:
            self._told[key] = self._told.get(key, 0) + 1
            return True
        if key not in self._rest:
            self._rest[key] = _finding(code, channel, None, None, 0, None, "", verdict)
            self.list.append(self._rest[key])
        rest = self._rest[key]
        rest["measured"] += many
        rest["text"] = f"{rest['measured']} more like these."
        rest["verdict"] = worst((rest["verdict"], verdict))
        return False

    @property
    def verdict(self):
        return worst(f["verdict"] for f in self.list)


def _finding(code, channel, t_ps, expected, measured, u, text, verdict):
    return {
        "code": code,
        "channel": channel,
        "t_ns": None if t_ps is None else int(t_ps) // 1000,
        "expected": expected,
        "measured": measured,
        "u": u,
        "verdict": verdict,
        "text": text,
    }


def _plain(value):
    value = value.item() if hasattr(value, "item") else value
    return round(value, 6) if isinstance(value, float) else value
