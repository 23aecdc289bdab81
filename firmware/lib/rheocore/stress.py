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
    """(T, w): no pulse of the train has more width for the time to the next one than w / T. Their ratio is what counts.

    In us, and exact, but for a modulation whose width falls as its rate rises (_falling). With on/off duty the pulse
    before an off-time may have the next one sooner than its period; the ramp has by then taken it so low that a pulse
    each ramp_down_ms is denser.
    """
    if cfg["kind"] == "modulated":
        falls = cfg["lo_width_us"] > cfg["hi_width_us"]
        found = [_falling(cfg) if falls else _at(cfg, _last_ms(cfg))]
    else:
        found = list(shapes(cfg))
    if "on_ms" in cfg:
        found.append((cfg["ramp_down_ms"] * 1000, widest_us(cfg)))
    dense = found[0]
    for other in found:
        if other[1] * dense[0] > dense[1] * other[0]:
            dense = other
    return dense


def _falling(cfg):
    """Bound of w / T where width falls from w to w - d us while the rate rises from f to f + g mHz.

    At a share u of the way the product is (w - d*u) * (f + g*u), and its peak between the ends (w*g + d*f)^2 / (4*d*g).
    A rounded period is 1e9 / f - 1/2 us or more. Above the exact peak by 0.2 % at most from 10 us a phase on.
    """
    lo_us, lo_millihz = cfg["lo_width_us"], cfg["lo_millihz"]
    falls, rises = lo_us - cfg["hi_width_us"], cfg["hi_millihz"] - lo_millihz
    period = 2_000_000_000 - cfg["hi_millihz"]
    slope = lo_us * rises - falls * lo_millihz  # of the product at lo; at hi it is 2 * falls * rises less
    if slope <= 0:
        return period, 2 * lo_us * lo_millihz
    if slope >= 2 * falls * rises:
        return period, 2 * cfg["hi_width_us"] * cfg["hi_millihz"]
    return period * 4 * falls * rises, 2 * (lo_us * rises + falls * lo_millihz) ** 2


def _last_ms(cfg):
    """The modulation's place next to hi: the plan goes by even numbers of ms, from 0 to its cycle and back."""
    return cfg["cycle_ms"] // 2 * 2


def _at(cfg, place_ms):
    """(period_us, width_us) of a modulated pulse at a place of the way from lo to hi."""
    cycle_ms = cfg["cycle_ms"]
    millihz = between(cfg["lo_millihz"], cfg["hi_millihz"], place_ms, cycle_ms)
    return period_us(millihz), between(cfg["lo_width_us"], cfg["hi_width_us"], place_ms, cycle_ms)


def rms_ua(ua, shape):
    """RMS current in uA of `ua` at a densest(), rounded up."""
    period, width = shape
    square = -(-ua * ua * 2 * width // period)
    root = isqrt(square)
    return root if root * root == square else root + 1


def ua_of_rms(rms, shape):
    """Highest amplitude in uA whose RMS current at a densest() is `rms` uA or less."""
    period, width = shape
    return isqrt(rms * rms * period // (2 * width))
