"""Protocol -> items: the finite sequence of item words that one channel plays. Pure integers; no clock, no hardware.

next() allocates nothing on the device as long as times stay below 2**30 us (17.9 min); above, a few words a pulse.
Rounding: a period is whole us, rounded half up, never accumulated; a segment (dwell, burst) is the whole number of
periods nearest to it; a modulated pulse takes rate and width at its start. The sum of all items is the duration.
"""

from rheocore import items
from rheocore.config import period_us, shapes

_MAX = items.ITEM_MAX_US
_REST = items.REST_FIXED_US


def between(lo, hi, part, whole):
    """lo + (hi - lo) * part // whole; in small integers while whole is below 32768, as one product it would not be."""
    span = hi - lo
    return lo + span // whole * part + span % whole * part // whole


class Plan:
    """Items of one channel from a checked configuration.

    cfg: as config.check() passed it. duration_us: length of the train (default: the configuration's own; shorter
    after a pause). After each next(): lo, hi (halves of the word), dur_us (its duration), pulse (1 or 0).
    at_us is the time, from the first item, at which the item that next() makes begins.
    """

    def __init__(self, cfg, duration_us=None):
        self.cfg = cfg
        self.kind = cfg["kind"]
        self.end_us = cfg["duration_ms"] * 1000 if duration_us is None else duration_us
        self.gap_field = cfg["gap_us"] - items.GAP_MIN_US
        self.cycle_us = 0
        if "on_ms" in cfg:
            self.on_us = cfg["on_ms"] * 1000
            self.cycle_us = self.on_us + cfg["off_ms"] * 1000
            self.most_us = items.min_period_us(max([width for _, width in shapes(cfg)]), cfg["gap_us"])
        self.cycle_start_us = 0
        self.at_us = 0
        self.rest_left_us = 0
        self.lo = self.hi = self.dur_us = self.pulse = 0
        self._restart()

    def _restart(self):
        """Begin the burst or alternation cycle anew: at the start, at resume, at each on-time."""
        cfg = self.cfg
        self.index = 0
        self.second = False
        if self.kind == "modulated":
            self.width_us = cfg["lo_width_us"]
            self.period_us = period_us(cfg["lo_millihz"])
            return
        self.width_us = cfg["width_us"]
        self.period_us = cfg["period_us"]
        if self.kind == "alternating":
            self.count = self._periods(cfg["dwell_ms"] * 1000, self.period_us)
        elif self.kind == "burst":
            self.count = cfg["burst_pulses"]
            self.tail_us = cfg["burst_period_us"] - (self.count - 1) * self.period_us

    @staticmethod
    def _periods(segment_us, one_us):
        return max(1, (2 * segment_us // one_us + 1) // 2)

    def _interval(self):
        """Set width and return the time from this pulse's start to the next one's, by the train alone."""
        kind = self.kind
        if kind == "continuous":
            return self.period_us
        if kind == "burst":
            self.index += 1
            if self.index < self.count:
                return self.period_us
            self.index = 0
            return self.tail_us
        if kind == "alternating":
            interval = self.period_us
            self.index += 1
            if self.index >= self.count:
                self.index = 0
                self.second = not self.second
                self.period_us = self.cfg["alt_period_us" if self.second else "period_us"]
                self.count = self._periods(self.cfg["dwell_ms"] * 1000, self.period_us)
            return interval
        cfg = self.cfg
        cycle_ms = cfg["cycle_ms"]
        phase_ms = (self.at_us - self.cycle_start_us) // 1000 % cycle_ms
        up_ms = 2 * (phase_ms if 2 * phase_ms <= cycle_ms else cycle_ms - phase_ms)
        self.width_us = between(cfg["lo_width_us"], cfg["hi_width_us"], up_ms, cycle_ms)
        return period_us(between(cfg["lo_millihz"], cfg["hi_millihz"], up_ms, cycle_ms))

    def next(self):
        """Make the next item. Returns False at the end of the plan (nothing made), else True."""
        left_us = self.end_us - self.at_us
        if self.rest_left_us:
            return self._rest(self.rest_left_us)
        if left_us < _REST:
            return False
        interval_us = self._interval()
        width_us = self.width_us
        # The next pulse is made only if the widest would end, whole, within this on-time.
        if self.cycle_us and self.at_us + interval_us + self.most_us > self.cycle_start_us + self.on_us:
            self.cycle_start_us += self.cycle_us
            interval_us = self.cycle_start_us - self.at_us
            self._restart()
        least_us = 2 * width_us + self.gap_field + items.PULSE_FIXED_US
        if interval_us > left_us or left_us - interval_us < _REST:
            interval_us = left_us
        if interval_us < least_us:  # no room for a whole pulse before the end: rest it out
            self.rest_left_us = left_us
            return self._rest(left_us)
        dur_us = interval_us if interval_us <= _MAX else _MAX
        if 0 < interval_us - dur_us < _REST:
            dur_us -= _REST
        self.lo = (width_us | self.gap_field << 10) & 0xFFFF
        self.hi = self.gap_field >> 6 | (dur_us - least_us) << 2
        self.dur_us = dur_us
        self.pulse = 1
        self.rest_left_us = interval_us - dur_us
        self.at_us += dur_us
        return True

    def _rest(self, left_us):
        dur_us = left_us if left_us <= _MAX else _MAX
        if 0 < left_us - dur_us < _REST:
            dur_us -= _REST
        self.lo = 0
        self.hi = (dur_us - _REST) << 2
        self.dur_us = dur_us
        self.pulse = 0
        self.rest_left_us = left_us - dur_us
        self.at_us += dur_us
        return True
