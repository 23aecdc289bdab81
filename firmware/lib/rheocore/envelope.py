"""Amplitude over time: ramps, on/off duty, slew. Pure integers; the device steps it, the host draws it.

Fractions are Q16: 0..65536. Ramps are linear in time; with on/off duty they lie inside the on-time.
"""

ONE = 65536
STEP_PER_MILLE = 5  # largest set-point step, of full scale: keeps both phases of a pulse alike (pulse-engine.md)


class Envelope:
    """Fraction of the target amplitude at a time from the first item.

    cfg: a checked channel configuration. duration_us: length of the train (after a pause: what is left).
    """

    def __init__(self, cfg, duration_us=None):
        self.end_ms = (cfg["duration_ms"] * 1000 if duration_us is None else duration_us) // 1000
        self.up_ms = cfg["ramp_up_ms"]
        self.down_ms = cfg["ramp_down_ms"]
        self.on_ms = cfg.get("on_ms", 0)
        self.cycle_ms = self.on_ms + cfg.get("off_ms", 0)

    def level(self, t_ms):
        """Fraction (Q16) at t_ms from the first item. 0 before the start and from the end on."""
        if t_ms < 0 or t_ms >= self.end_ms:
            return 0
        level = self._slope(t_ms, self.end_ms)
        if self.cycle_ms:
            t_ms %= self.cycle_ms
            if t_ms >= self.on_ms:
                return 0
            level = min(level, self._slope(t_ms, self.on_ms))
        return level

    def _slope(self, t_ms, end_ms):
        level = ONE
        if t_ms < self.up_ms:
            level = t_ms * 1024 // self.up_ms * 64
        if end_ms - t_ms < self.down_ms:
            level = min(level, (end_ms - t_ms) * 1024 // self.down_ms * 64)
        return level

    def phase(self, t_ms):
        """Name of the session state at t_ms: ramp_up, run or ramp_down (the whole train's, not a contraction's)."""
        if t_ms < self.up_ms:
            return "ramp_up"
        if self.end_ms - t_ms <= self.down_ms:
            return "ramp_down"
        return "run"


def max_step_ua(full_scale_ua):
    """Largest step of the set-point in one pass, in uA: 0.5 % of full scale."""
    return full_scale_ua * STEP_PER_MILLE // 1000


def slew(now_ua, wanted_ua, step_ua):
    """Next set-point on the way from now to wanted, by at most step_ua. (Ends of output zero the DAC themselves.)"""
    if wanted_ua > now_ua + step_ua:
        return now_ua + step_ua
    if wanted_ua < now_ua - step_ua:
        return now_ua - step_ua
    return wanted_ua
