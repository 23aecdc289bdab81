"""Figures of a train out of its edges, in integer ns; knows the train that was asked for, not who made it."""

from itertools import pairwise

from rheobase import measure

US = 1_000


def within(edges, train):
    """Pulses that start in the time looked at, which begins half a period before the first; and that time's end."""
    whole = measure.trains(edges)[1]
    first = min([pulse.t_ns for pulse in whole.pulses[:1]] + whole.truncated[:1])
    end = first - train.period_us * US // 2 + train.seconds * 1_000_000_000
    return [pulse for pulse in whole.pulses if pulse.t_ns < end], end


def figures(edges, train):
    """{name: number} of the first `train.seconds` of a train. Deviations in ns, signed where they are means."""
    pulses, end = within(edges, train)
    whole = measure.trains(edges)[1]
    a = [pulse.a_ns - train.width_us * US for pulse in pulses]
    b = [pulse.b_ns - train.width_us * US for pulse in pulses]
    gaps = [pulse.gap_ns - train.gap_us * US for pulse in pulses]
    off = period_errors([pulse.t_ns for pulse in pulses], train)
    mean = sum(off) / len(off)
    high_a, high_b = (_high_ns(edges, f"CH1_{leg}", end) for leg in "AB")
    return {
        "pulses": len(pulses),
        "missing": _commanded([pulse.t_ns for pulse in pulses], train) - len(pulses),
        "cut": sum(t < end for t in whole.truncated),
        "bursts_wrong": _bursts_wrong([pulse.t_ns for pulse in pulses], train),
        "a_mean_ns": round(sum(a) / len(a)),
        "a_worst_ns": max(a, key=abs),
        "b_mean_ns": round(sum(b) / len(b)),
        "b_worst_ns": max(b, key=abs),
        "gap_worst_ns": max(gaps, key=abs),
        "period_mean_ns": round(mean),
        "period_least_ns": min(off),
        "period_most_ns": max(off),
        "jitter_peak_ns": max(off) - min(off),
        "jitter_rms_ns": round((sum((error - mean) ** 2 for error in off) / len(off)) ** 0.5),
        "imbalance_worst_ns": max(abs(pulse.a_ns - pulse.b_ns) for pulse in pulses),
        "net_ppm": round(1e6 * (high_a - high_b) / (high_a + high_b), 1),
    }


def period_errors(starts, train):
    """Periods minus the one asked for, in ns; the rests between bursts left out. A missing pulse is a long period."""
    period = train.period_us * US
    rest = (train.cycle - train.pulses) * period // 2
    return [later - t - period for t, later in pairwise(starts) if train.pulses == train.cycle or later - t < rest]


def points(edges, train):
    """For the picture: errors of the phases and of the period of every pulse, in ns, equal ones once."""
    pulses, _ = within(edges, train)
    phases = {pulse.a_ns - train.width_us * US for pulse in pulses} | {p.b_ns - train.width_us * US for p in pulses}
    return {"width_ns": sorted(phases), "period_ns": sorted(set(period_errors([p.t_ns for p in pulses], train)))}


def after_hang(edges, t_ns, end_ns, train):
    """What the legs did from `t_ns`, when the program hung, to `end_ns`."""
    longest, last_fall, balance = 0, None, 0
    for leg, sign in (("CH1_A", 1), ("CH1_B", -1)):
        for rise, fall in _highs(edges, leg):
            fall_seen = end_ns if fall is None else fall
            if fall_seen <= t_ns:
                continue
            longest = max(longest, fall_seen - rise)
            balance += sign * (fall_seen - rise)
            last_fall = fall_seen if last_fall is None else max(last_fall, fall_seen)
    goes_on = last_fall is not None and last_fall > end_ns - 2 * train.period_us * train.cycle * US
    started = sum(1 for t, name, level in edges if name == "CH1_A" and level and t_ns < t <= end_ns)
    return {
        "high_ms": round(longest / 1e6, 3),
        "off_after_ms": None if goes_on else 0.0 if last_fall is None else round((last_fall - t_ns) / 1e6, 3),
        "pulses_after": started,
        "net_us": None if goes_on and started else round(balance / US, 1),
    }


def _commanded(starts, train):
    """Pulses that should have come by the last one; in all the time if the train ended more than a period early."""
    last = round((starts[-1] - starts[0]) / (train.period_us * US))
    slots = train.seconds * 1_000_000 // train.period_us
    if slots - 1 - last > 1:
        last = slots - 1
    return sum(slot % train.cycle < train.pulses for slot in range(last + 1))


def _bursts_wrong(starts, train):
    """Bursts that have not the pulses asked for."""
    if train.pulses == train.cycle:
        return 0
    bursts, last = [], None
    for t in starts:
        if last is None or t - last > (train.cycle - train.pulses) * train.period_us * US // 2:
            bursts.append(0)
        bursts[-1] += 1
        last = t
    return sum(count != train.pulses for count in bursts)


def _highs(edges, name):
    """(rise, fall) of every time high, fall None if it never came."""
    out, rise = [], None
    for t, which, level in edges:
        if which != name:
            continue
        if level:
            rise = t
        elif rise is not None:
            out.append((rise, t))
            rise = None
    return out if rise is None else [*out, (rise, None)]


def _high_ns(edges, name, end):
    return sum((end if fall is None else fall) - rise for rise, fall in _highs(edges, name) if rise < end)
