"""The output stage around the chip, as the board description has it: set-point, electrodes, sense, multiplexer.

Modelled: set-point = duty x full scale through a first-order filter (computed when asked for, no events); a current
source with limited voltage into a load per channel, which gives nothing while the stage enable is low (on boards that
have one); sample-and-hold of current and voltage at the end of leg A;
an 8:1 multiplexer in front of one ADC input. The hold is discharged while the set-point stands below 0.2 % of full
scale (decided: so that an idle channel reads zero). Not modelled: noise, leg B's current, charge left on tissue.
"""

import math

from rheobase.emulator import loads

HELD_ABOVE = 0.002  # of full scale
ADC_TOP = 4095


class Filtered:
    """A first-order filter driven by steps. tau in ns, times in ns."""

    def __init__(self, tau_ns):
        self.tau_ns = tau_ns
        self._t_ns, self._from, self.target = 0.0, 0.0, 0.0

    def at(self, t_ns):
        """Output at `t_ns`, not before the last step."""
        if not self.tau_ns:
            return self.target
        return self.target + (self._from - self.target) * math.exp(-(t_ns - self._t_ns) / self.tau_ns)

    def step(self, t_ns, target):
        """From `t_ns` on the input is `target`."""
        self._from = self.at(t_ns)
        self._t_ns, self.target = t_ns, target


class Channel:
    """One output: its commanded set-point, its load, what its sample-and-hold holds. ua: microamps.

    Delivered is gain x commanded + offset_ua; the current sense shows sense_gain x held + sense_offset_ua. held_ua and
    held_mv are what is there.
    """

    def __init__(self, board, entry, load):
        self.number = entry["n"]
        self.load = load
        self.gain, self.offset_ua = 1.0, 0.0
        self.sense_gain, self.sense_offset_ua = 1.0, 0.0
        self.held_ua = self.held_mv = 0.0
        self.set_point = Filtered(board["filter_tau_us"] * 1000)
        self._compliance_v = board["compliance_mv"] / 1000
        self._floor_ua = board["full_scale_ua"] * HELD_ABOVE

    def end_of_leg_a(self, t_ns, width_ns, enabled=True):
        """Leg A fell: hold what flows and stands at that moment."""
        amps = max(0.0, self.set_point.at(t_ns) * self.gain + self.offset_ua) * 1e-6 if enabled else 0.0
        current, volts = self.load.end_of_phase(amps, self._compliance_v, width_ns * 1e-9)
        self.held_ua, self.held_mv = current * 1e6, volts * 1e3

    def sensed(self, t_ns):
        """(microamps, millivolts) that the hold shows now."""
        if self.set_point.at(t_ns) < self._floor_ua:
            self.held_ua = self.held_mv = 0.0
            return 0.0, 0.0
        return self.held_ua * self.sense_gain + self.sense_offset_ua, self.held_mv


class OutputStage:
    """All channels and the multiplexer of a board description `board`."""

    def __init__(self, board, load):
        self.board = board
        numbers = [entry["n"] for entry in board["channels"]]
        each = loads.parse_all(load, numbers)
        self.channels = {e["n"]: Channel(board, e, each[e["n"]]) for e in board["channels"]}
        self.supply_mv = board["supply_mv"]
        self.enabled = "stage_enable" not in board
        self._inputs = {board["mux_supply"]: (None, None)}
        for entry in board["channels"]:
            self._inputs[entry["mux_current"]] = (self.channels[entry["n"]], 0)
            self._inputs[entry["mux_voltage"]] = (self.channels[entry["n"]], 1)

    def end_of_leg_a(self, number, t_ns, width_ns):
        """Leg A of channel `number` fell, after so long."""
        self.channels[number].end_of_leg_a(t_ns, width_ns, self.enabled)

    def command(self, number, t_ns, duty):
        """The DAC of channel `number` stands at `duty` from `t_ns` on; returns commanded microamps."""
        ua = duty * self.board["full_scale_ua"]
        self.channels[number].set_point.step(t_ns, ua)
        return ua

    def code(self, select, t_ns):
        """ADC code 0..4095 at multiplexer position `select`; an unused position reads 0."""
        if select not in self._inputs:
            return 0
        channel, which = self._inputs[select]
        if channel is None:
            share = self.supply_mv / self.board["sense_supply_full_mv"]
        elif which == 0:
            share = channel.sensed(t_ns)[0] / self.board["sense_current_full_ua"]
        else:
            share = channel.sensed(t_ns)[1] / self.board["sense_voltage_full_mv"]
        return max(0, min(ADC_TOP, round(share * ADC_TOP)))
