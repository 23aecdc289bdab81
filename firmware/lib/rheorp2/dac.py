"""Current set-points: one PWM channel each, filtered outside. Steps and slew are the session's; zero is always here."""

from rheocore.calibration import corrected

from rheorp2 import hw


class Dac:
    """board: the description; calibration: rheocore's. Slices run for ever once constructed; off is compare 0."""

    def __init__(self, board, calibration):
        self.top = board["dac_top"]
        self.full_ua = board["full_scale_ua"]
        self.pins = {c["n"]: c["dac"] for c in board["channels"]}
        self.corrections = {n: calibration.set(n) for n in self.pins}
        self.compare = [0] * 8  # shadow of CC: a half cannot be written alone
        self.now_ua = {n: 0 for n in self.pins}
        self.slices = 0
        for pin in self.pins.values():
            self.slices |= 1 << (pin >> 1 & 7)
        self.used = [i for i in range(8) if self.slices >> i & 1]
        for i in self.used:
            at = hw.PWM + 0x14 * i
            hw.wr(at + 12, 0)
            hw.wr(at + 16, self.top)
            hw.wr(at + 4, 1 << 4)
            hw.wr(at, 1)
        for pin in self.pins.values():
            hw.wr(hw.PADS + 4 * pin, hw.PAD_RESET)
            hw.wr(hw.IO + 8 * pin + 4, hw.FUNC_PWM)

    def rows(self):
        """[(register, mask, value)] that hold from now on: a slice or a pin gone wrong is a current nobody set."""
        out = []
        for i in self.used:
            at = hw.PWM + 0x14 * i
            out.append((at, 0xFF, 1))
            out.append((at + 4, 0xFFF, 1 << 4))
            out.append((at + 16, 0xFFFF, self.top))
        for pin in self.pins.values():
            out.append((hw.IO + 8 * pin + 4, 0xFFFFFFFF, hw.FUNC_PWM))
            out.append((hw.PADS + 4 * pin, 0xFF, hw.PAD_RESET))
        return out

    def astray(self):
        """True if a set-point's register is not what was written last."""
        for i in self.used:
            if not hw.same(hw.PWM + 0x14 * i + 12, self.compare[i]):
                return True
        return False

    def quiet(self):
        """True if every set-point's pin reads low at its pad: so it does at zero, from the next wrap (33 us) on."""
        for pin in self.pins.values():
            if hw.field(hw.IO + 8 * pin, 17, 1):
                return False
        return True

    def set_ua(self, n, ua):
        """Set-point of channel n in true uA, 0..full scale, to the DAC's step below it: rounding passes no cap.

        What the calibration asks for beyond full scale is full scale.
        """
        if ua == self.now_ua[n]:
            return
        self.now_ua[n] = ua
        pin = self.pins[n]
        i = pin >> 1 & 7
        duty = min(corrected(ua, self.corrections[n]), self.full_ua) * (self.top + 1) // self.full_ua
        if pin & 1:
            self.compare[i] = self.compare[i] & 0xFFFF | duty << 16
        else:
            self.compare[i] = self.compare[i] & 0xFFFF0000 | duty
        hw.wr(hw.PWM + 0x14 * i + 12, self.compare[i])

    def ua(self, n):
        return self.now_ua[n]

    def zero(self):
        """Every set-point to zero, whatever the shadow believes."""
        for i in range(8):
            if self.slices >> i & 1:
                hw.wr(hw.PWM + 0x14 * i + 12, 0)
        self.forget()

    def forget(self):
        """The compare registers were zeroed elsewhere (kill)."""
        for i in range(8):
            self.compare[i] = 0
        for n in self.now_ua:
            self.now_ua[n] = 0
