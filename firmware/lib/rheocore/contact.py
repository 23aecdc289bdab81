"""Judges what the output stage measured: open, short, or a current that is not the one set. Pure.

Thresholds are decided for the reference output stage [D]: open where the voltage stands at the stage's limit and the
current does not come; short below 50 ohm; wrong beyond 20 % (the field's standard accuracy) of a steady set-point.
"""

LEAST_UA = 500  # below it (1 % of full scale) nothing is judged
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
        if pulses < 2 or set_ua < LEAST_UA:
            self.bad = 0
            return None
        kind = self._kind(set_ua, meas_ua, mv, pulses)
        self.bad = self.bad + 1 if kind and kind == self.kind else 1 if kind else 0
        self.kind = kind
        return kind if self.bad >= BAD else None

    def _kind(self, set_ua, meas_ua, mv, pulses):
        if mv >= self.open_mv and meas_ua < set_ua // 2:
            return "electrode_open"
        if meas_ua >= LEAST_UA and mv * 1000 < SHORT_OHMS * meas_ua:
            return "electrode_short"
        if self.steady >= STEADY and pulses >= self.steady_pulses + 2:
            if abs(meas_ua - set_ua) > max(set_ua * WRONG_PER_CENT // 100, WRONG_LEAST_UA):
                return "amplitude_error"
        return None
