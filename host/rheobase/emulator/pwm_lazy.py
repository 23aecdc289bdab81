"""PWM slices without an event per wrap: duty and counter are computed when asked for. Knows no output stage.

The emulator schedules three events a wrap: at 30 kHz that is most of the wall time of a whole session, and nobody
looks at the edges of a DAC. A slice is simulated wrap by wrap only if its interrupt is enabled or somebody watches
one of its pins. Levels are double-buffered as on the chip: a new compare value counts from the next wrap on.
Not modelled on a lazy slice: the raw wrap flag and the wrap's DMA request.
"""

from rp2040py.peripherals.pwm import (
    CHN_CC,
    CHN_TOP,
    CSR_A_INV,
    CSR_B_INV,
    CSR_PH_CORRECT,
    INTE,
    RPPWM,
    PWMChannel,
)


class LazySlice(PWMChannel):
    """One slice; `exact` turns the emulator's own wrap events on."""

    def __init__(self, pwm, clock, index):
        super().__init__(pwm, clock, index)
        self._latch_alarm = clock.create_alarm(self._latch)
        self._exact = True
        self.set_exact(False)

    def set_exact(self, exact):
        """Simulate every wrap (a listener needs the edges) or none."""
        if exact != self._exact:
            self._exact = exact
            for alarm in (self.alarm_a, self.alarm_b, self.alarm_bottom):
                alarm.enable = exact
            self._settle()

    def write_register(self, offset, value):
        super().write_register(offset, value)
        if offset in (CHN_CC, CHN_TOP) and self.timer.enable and not self._exact:
            self._latch_alarm.schedule(self.timer.to_nanos(self.timer.top + 1 - self.timer.counter))
        if not self._exact:
            self._settle()
        self.pwm.changed(self.index)

    def reset(self):
        self._latch_alarm.cancel()
        super().reset()

    def _latch(self):
        self._update_double_buffered()
        self._settle()
        self.pwm.changed(self.index)

    def _update_double_buffered(self):
        super()._update_double_buffered()
        if self._exact:
            self.pwm.changed(self.index)

    def _settle(self):
        """The level that the pins would show now; a halted slice keeps it."""
        counter = self.timer.counter
        self.set_a(counter < self.alarm_a.target)
        self.set_b(counter < self.alarm_b.target)

    def duty(self, b):
        """Mean level of output A (b false) or B, 0..1. A halted slice gives 0 or 1: it stays where it stopped."""
        target = (self.alarm_b if b else self.alarm_a).target
        if self.timer.enable:
            span = self.timer.top if self.csr & CSR_PH_CORRECT else self.timer.top + 1
            duty = min(1.0, target / span) if span else float(target > 0)
        else:
            duty = float(self.timer.counter < target)
        return 1.0 - duty if self.csr & (CSR_B_INV if b else CSR_A_INV) else duty


class LazyPwm(RPPWM):
    """The PWM block. on_change(slice index) is called after anything that may have changed a duty."""

    def __init__(self, chip, name):
        super().__init__(chip, name)
        self.channels = [LazySlice(self, chip.clock, i) for i in range(8)]
        self.on_change = lambda index: None
        self._watched = set()

    def changed(self, index):
        """A slice's registers or latched levels changed."""
        self.on_change(index)

    def watch(self, index, watched=True):
        """Simulate every wrap of slice `index`, because somebody looks at its pins (or no longer)."""
        (self._watched.add if watched else self._watched.discard)(index)
        self._choose()

    def write_uint32(self, offset, value):
        super().write_uint32(offset, value)
        if offset == INTE:
            self._choose()
        elif offset > INTE - 0x10:
            for index in range(8):
                self.changed(index)

    def reset(self):
        super().reset()
        self._int_raw = self._int_enable = self._int_force = 0
        self._choose()

    def duty(self, gpio):
        """Duty 0..1 that the block offers at pin `gpio`."""
        return self.channels[(gpio >> 1) & 7].duty(gpio & 1)

    def _choose(self):
        for channel in self.channels:
            channel.set_exact(channel.index in self._watched or bool(self._int_enable >> channel.index & 1))
