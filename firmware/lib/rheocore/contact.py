"""Judges what the output stage measured: open, short, or a current that is not the one set. Pure.

Thresholds are decided for the reference output stage [D], and are the same on every board: open where the voltage
stands at the stage's limit and the current does not come; short below 50 ohm; wrong beyond 20 % (the field's standard
accuracy) of a steady set-point. Too much is wrong at once: a set-point on its way excuses too little alone.
"""

LEAST_UA = 500  # below it (1 % of the reference stage's full scale) only a current too high by as much is judged
SHORT_OHMS = 50
OPEN_PER_CENT = 90  # of the compliance voltage
WRONG_PER_CENT = 20
WRONG_LEAST_UA = 300
BAD = 2  # readings in a row that make a fault
STEADY = 3  # readings with one set-point before its current is judged


class Contact:
    """One channel. judge() takes each reading and returns None or a fault."""

    def __init__(self, compliance_mv):
        self.open_mv = compliance_mv * OPEN_PER_CENT // 100
        self.begin()

    def begin(self):
        """A stretch of output begins: nothing measured before it counts."""
        self.set_ua = 0
        self.steady = 0
        self.pulses = 0
        self.steady_pulses = 0
        self.most_ua = self.before_ua = self.older_ua = 0  # highest set-point since the newest reading's pulse; before
        self.kind = None
        self.bad = 0

    def judge(self, set_ua, meas_ua, mv, pulses):
        """set_ua: set-point now. meas_ua, mv: as held from the last pulse. pulses: played so far in this stretch."""
        if set_ua != self.set_ua:
            self.set_ua = set_ua
            self.steady = 0
            self.steady_pulses = pulses
        else:
            self.steady += 1
        if pulses != self.pulses:
            self.pulses = pulses
            self.older_ua = self.before_ua
            self.before_ua = self.most_ua
            self.most_ua = 0
        if set_ua > self.most_ua:
            self.most_ua = set_ua
        kind = None if pulses < 2 else self._kind(set_ua, meas_ua, mv, pulses)
        self.bad = self.bad + 1 if kind and kind == self.kind else 1 if kind else 0
        self.kind = kind
        return kind if self.bad >= BAD else None

    def _kind(self, set_ua, meas_ua, mv, pulses):
        # What is held was set by the last pulse's time, or some ms before: the stage's filter lags.
        most_ua = max(self.most_ua, self.before_ua, self.older_ua)
        if meas_ua - most_ua > max(most_ua * WRONG_PER_CENT // 100, LEAST_UA):
            return "amplitude_error"
        if set_ua < LEAST_UA:
            return None
        if mv >= self.open_mv and meas_ua < set_ua // 2:
            return "electrode_open"
        if meas_ua >= LEAST_UA and mv * 1000 < SHORT_OHMS * meas_ua:
            return "electrode_short"
        if self.steady >= STEADY and pulses >= self.steady_pulses + 2:
            if abs(meas_ua - set_ua) > max(set_ua * WRONG_PER_CENT // 100, WRONG_LEAST_UA):
                return "amplitude_error"
        return None
