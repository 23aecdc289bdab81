"""Pulses out of edges: pairs the phases of each channel and measures them, in integer nanoseconds. No verdicts.

Edges are (t_ns, name, level) with names CH1_A, CH1_B, ... as in our VCD files; several sources, one reader.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Pulse:
    """One pulse: start of leg A, and the lengths of phase A, gap and phase B, all in ns."""

    t_ns: int
    a_ns: int
    gap_ns: int
    b_ns: int


@dataclass
class Train:
    """What one channel put out. `truncated` are starts of what never became a whole pulse, a phase that has not ended
    included; `overlaps`: both legs high. last_fall_ns says nothing of a leg that is high still.
    """

    pulses: list[Pulse] = field(default_factory=list)
    truncated: list[int] = field(default_factory=list)
    overlaps: list[int] = field(default_factory=list)
    last_fall_ns: int = 0

    @property
    def periods_ns(self):
        """Times between the starts of successive pulses, in ns."""
        starts = [p.t_ns for p in self.pulses]
        return [b - a for a, b in zip(starts, starts[1:], strict=False)]


def trains(edges):
    """{channel number: Train} of every channel that has an edge. `edges` in order of time."""
    legs = {}
    for t_ns, name, level in edges:
        if name.startswith("CH") and name[-2:] in ("_A", "_B"):
            legs.setdefault(int(name[2:-2]), []).append((t_ns, name[-1], level))
    return {channel: _train(sequence) for channel, sequence in sorted(legs.items())}


def _train(sequence):
    train = Train()
    high = {"A": None, "B": None}
    waiting = None  # (rise, fall) of a phase A without its phase B
    for t_ns, leg, level in sequence:
        if level:
            if high["B" if leg == "A" else "A"] is not None:
                train.overlaps.append(t_ns)
            if leg == "A" and waiting:
                train.truncated.append(waiting[0])
                waiting = None
            high[leg] = t_ns
            continue
        rise, high[leg] = high[leg], None
        if rise is None:
            continue
        train.last_fall_ns = t_ns
        if leg == "A":
            waiting = (rise, t_ns)
        elif waiting:
            train.pulses.append(Pulse(waiting[0], waiting[1] - waiting[0], rise - waiting[1], t_ns - rise))
            waiting = None
        else:
            train.truncated.append(rise)
    if waiting:
        train.truncated.append(waiting[0])
    elif high["B"] is not None:
        train.truncated.append(high["B"])
    if high["A"] is not None:
        train.truncated.append(high["A"])
    return train


def drop_unequal(train, tolerance_ns):
    """Move pulses whose phases differ by more than tolerance_ns (a hard kill inside phase B) to `truncated`."""
    whole = []
    for pulse in train.pulses:
        if abs(pulse.a_ns - pulse.b_ns) > tolerance_ns:
            train.truncated.append(pulse.t_ns)
        else:
            whole.append(pulse)
    train.pulses = whole
    return train
