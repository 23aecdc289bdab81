"""GPIO pins of the emulated chip: a pad reads back what it drives, and inputs wake the PIO exactly.

The emulator's own pin reads 0 where the chip itself drives, and tells a waiting state machine of a change without
saying when. Both matter to firmware that checks its own legs and to a guard that polls a pin.
"""

from rp2040py._gpio_pin import GPIOPinState
from rp2040py.gpio_pin import GPIOPin

_DRIVEN = (GPIOPinState.LOW, GPIOPinState.HIGH)
OUTPUT_DISABLE = 0x80  # PADS_BANK0 GPIOn.OD
_IN_FROM_PAD = 1 << 17  # GPIOn_STATUS


def pad_level(pin):
    """0 or 1 as driven at the pad: overrides and the pad's output-disable applied; not driven is 0."""
    return 1 if pin.value is GPIOPinState.HIGH and not pin.pad_value & OUTPUT_DISABLE else 0


class BoardPin(GPIOPin):
    """A GPIO pin with a pad that reads back its own level and event-run PIO behind it.

    shorted: None, or the level of something outside that is stronger than the pad's own drive.
    """

    shorted = None

    @property
    def input_value(self):
        """Level the chip sees: the pad's own drive if it drives, else what drives it from outside, else the pull."""
        value = self.value
        if value in _DRIVEN and not self.pad_value & OUTPUT_DISABLE:
            seen = value is GPIOPinState.HIGH and self.input_enable
            return (seen, not seen, False, True)[self.input_override]
        return GPIOPin.input_value.__get__(self)

    @property
    def status(self):
        """GPIOn_STATUS; INFROMPAD is the pad's own drive if it drives: what `stop` and the self-test look at."""
        status = GPIOPin.status.__get__(self)
        if self.shorted is not None:
            return status | _IN_FROM_PAD if self.shorted else status & ~_IN_FROM_PAD
        value = self.value
        if value in _DRIVEN and not self.pad_value & OUTPUT_DISABLE:
            status &= ~_IN_FROM_PAD
            if value is GPIOPinState.HIGH and self.input_enable:
                status |= _IN_FROM_PAD
        return status

    def _apply_input_value(self, value):
        blocks = self.rp2040.pio
        for block in blocks:
            enter = getattr(block, "enter", None)
            if enter is not None:
                enter()
        super()._apply_input_value(value)
        for block in blocks:
            changed = getattr(block, "input_changed", None)
            if changed is not None:
                changed(self.index)
