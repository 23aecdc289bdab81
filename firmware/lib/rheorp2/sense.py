"""Measured current and impedance: the output stage's sample-and-hold through the multiplexer into the ADC."""

import machine
from rheocore.calibration import corrected


class Sense:
    """board: the description; calibration: rheocore's, of the current (the voltage is as read).

    read(n) measures, last[n] is (ua, ohms) of the newest reading; ohms None below 50 uA.
    """

    LEAST_UA = 50  # below it the impedance is noise

    def __init__(self, board, calibration):
        self.board = board
        self.select = [machine.Pin(p, machine.Pin.OUT, value=0) for p in board["mux_select"]]
        self.adc = machine.ADC(board["sense_adc"])
        self.channels = {c["n"]: c for c in board["channels"]}
        self.corrections = {n: calibration.sense(n) for n in self.channels}
        self.last = {}

    def _input(self, index):
        for i in range(len(self.select)):
            self.select[i](index >> i & 1)
        return self.adc.read_u16()

    def read(self, n):
        """Measure channel n: current in uA and impedance in ohms as sampled in the last pulse's leg A.

        Returns (uA, mV).
        """
        ua = corrected(self.raw_ua(n), self.corrections[n])
        mv = self._input(self.channels[n]["mux_voltage"]) * (self.board["sense_voltage_full_mv"] >> 4) // 4096
        self.last[n] = (ua, mv * 1000 // ua if ua >= self.LEAST_UA else None)
        return ua, mv

    def raw_ua(self, n):
        """Measure the current of channel n, before its calibration."""
        return self._input(self.channels[n]["mux_current"]) * (self.board["sense_current_full_ua"] >> 4) // 4096

    def of(self, n):
        return self.last.get(n)

    def supply_mv(self):
        """Supply of the output stage in mV."""
        board = self.board
        return self._input(board["mux_supply"]) * (board["sense_supply_full_mv"] >> 4) // 4096

    def supply_low(self):
        """True if the supply is below the board's least now, looked at twice."""
        least_mv = self.board["supply_min_mv"]
        return self.supply_mv() < least_mv and self.supply_mv() < least_mv
