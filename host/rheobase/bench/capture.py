"""What a capture is, whatever it came from: edges of named signals in integer ps. Reads nothing, judges nothing.

An instrument looks at its inputs once a sample period, so an edge told at t happened after t - resolution and not after
t: an interval between two edges is off by less than one resolution either way. That bound, and no standard deviation,
is what every figure carries as its uncertainty; so a verdict needs no assumption on how errors are spread.
"""

from dataclasses import dataclass, field

import numpy as np

PS_PER_NS = 1000
INTERLOCK = "INTERLOCK"


@dataclass
class Signal:
    """One wire. initial: its level before the first edge, 0 or 1. edges_ps: int64, rising; each toggles the level."""

    initial: int
    edges_ps: np.ndarray

    def level(self, t_ps):
        """Level at t_ps, an edge at that very time included."""
        return (self.initial + int(np.searchsorted(self.edges_ps, t_ps, side="right"))) & 1

    def highs(self):
        """(rises, falls) in ps of every whole time high: those with both ends in the capture."""
        first = self.initial  # high from before the capture: its rise was not seen
        rises, falls = self.edges_ps[first::2], self.edges_ps[first + 1 :: 2]
        return rises[: len(falls)], falls


@dataclass
class Capture:
    """Signals by name (CH1_A, CH1_B, ... and INTERLOCK once names are mapped) from start_ps to end_ps.

    resolution_ps: sample period of the instrument, with what the file's rounding adds. own_clock: the board timed its
    own edges, so its clock cannot be judged. source: the file or the board, for people. instrument: what is known of
    it, in words. torn: a sentence on what is missing at the end, or None. setpoints: {channel: (times_ps, microamps)},
    commanded, where the source knows them. trains: {channel: device configuration} of what was played, where the source
    knows that: rheo's own captures do.
    """

    signals: dict
    start_ps: int
    end_ps: int
    resolution_ps: int
    source: str
    instrument: str
    own_clock: bool = False
    torn: str | None = None
    setpoints: dict = field(default_factory=dict)
    trains: dict = field(default_factory=dict)

    @property
    def edges(self):
        """How many edges there are in all."""
        return sum(len(signal.edges_ps) for signal in self.signals.values())

    @property
    def channels(self):
        """Numbers of the channels that have a leg among the signals."""
        numbers = {name[2:-2] for name in self.signals if name.startswith("CH") and name[-2:] in ("_A", "_B")}
        return sorted(int(number) for number in numbers if number.isdigit())

    def moves(self, channel):
        """True if a leg of the channel has an edge or is high."""
        legs = (self.signals.get(f"CH{channel}_{leg}") for leg in "AB")
        return any(leg is not None and (leg.initial or len(leg.edges_ps)) for leg in legs)
