"""What a train does to electrode and tissue: its densest and widest pulse, RMS current, square roots. Integers only.

RMS current is that of a pulse over the time to the next one, I * sqrt(2w/T): the in-burst rate, during on-time.
Products here pass 31 bits and are heap objects on the device: for configure and amplitude, never for the loop.
"""

from rheocore.config import period_us, shapes
from rheocore.plan import between


def isqrt(n):
    """Largest integer whose square is n or less; n >= 0. Newton from above, so it only falls until it has arrived."""
    if n < 1:
        return 0
    root = 1
    while root * root <= n:
        root <<= 1
    while True:
        lower = (root + n // root) // 2
        if lower >= root:
            return root
        root = lower


def widest_us(cfg):
    """Longest phase that the train reaches, in us; exact."""
    if cfg["kind"] == "modulated":
        return max(cfg["lo_width_us"], _at(cfg, _last_ms(cfg))[1])
    return cfg["width_us"]


def densest(cfg):
    """(period_us, width_us) of the pulse with the most width for its period, at any moment of the train; exact.

    A modulation peaks between its ends when its width falls as its rate rises: of each width the latest pulse is the
    densest, so one look per width will do. With on/off duty the pulse before an off-time may have the next one sooner
    than its period; the ramp has by then taken it so low that a pulse each ramp_down_ms is denser.
    """
    if cfg["kind"] == "modulated":
        candidates = _modulation(cfg)
    else:
        candidates = list(shapes(cfg))
    if "on_ms" in cfg:
        candidates.append((cfg["ramp_down_ms"] * 1000, widest_us(cfg)))
    period, width = candidates[0]
    for other_period, other_width in candidates:
        if other_width * period > width * other_period:
            period, width = other_period, other_width
    return period, width


def _modulation(cfg):
    """(period_us, width_us) of the latest pulse of each width on the way from lo to hi, by the plan's arithmetic."""
    falls_us = max(0, cfg["lo_width_us"] - cfg["hi_width_us"])
    found = [_at(cfg, fallen * cfg["cycle_ms"] // falls_us // 2 * 2) for fallen in range(falls_us)]
    found.append(_at(cfg, _last_ms(cfg)))
    return found


def _last_ms(cfg):
    """The modulation's place next to hi: the plan goes by even numbers of ms, from 0 to its cycle and back."""
    return cfg["cycle_ms"] // 2 * 2


def _at(cfg, place_ms):
    """(period_us, width_us) of a modulated pulse at a place of the way from lo to hi."""
    cycle_ms = cfg["cycle_ms"]
    millihz = between(cfg["lo_millihz"], cfg["hi_millihz"], place_ms, cycle_ms)
    return period_us(millihz), between(cfg["lo_width_us"], cfg["hi_width_us"], place_ms, cycle_ms)


def rms_ua(ua, shape):
    """RMS current in uA of `ua` at a (period_us, width_us), rounded up."""
    period, width = shape
    square = -(-ua * ua * 2 * width // period)
    root = isqrt(square)
    return root if root * root == square else root + 1


def ua_of_rms(rms, shape):
    """Highest amplitude in uA whose RMS current at a (period_us, width_us) is `rms` uA or less."""
    period, width = shape
    return isqrt(rms * rms * period // (2 * width))
