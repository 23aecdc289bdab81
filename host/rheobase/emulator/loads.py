"""Electrode loads: what current flows and what voltage stands at the end of a phase. Pure; SI units inside.

A load is a series resistance, and for tissue a resistance in parallel with a capacitance behind it (electrode and
skin): Rs + (Rp || C). Each phase starts with the capacitance discharged: the two phases of a pulse cancel.
Typical values, decided [D] within the general range of the literature [G]: about 1 kohm seen at the end of 200 us.
"""

import math
from dataclasses import dataclass

from rheobase.errors import UsageError


@dataclass(frozen=True)
class Load:
    """Rs in ohm (inf: open), Rp in ohm (0: plain resistor), C in farad."""

    name: str
    series_ohm: float
    parallel_ohm: float = 0.0
    farad: float = 0.0

    def end_of_phase(self, amps, volts_max, seconds):
        """(current in A, voltage in V) at the end of a phase of `seconds` driven with `amps`, never above
        `volts_max`: where the source runs out of voltage it becomes a voltage source.
        """
        rs, rp = self.series_ohm, self.parallel_ohm
        if amps <= 0:
            return 0.0, 0.0
        if math.isinf(rs):
            return 0.0, volts_max
        if not rp:
            current = min(amps, volts_max / rs) if rs else amps
            return current, current * rs
        tau = rp * self.farad
        across = amps * rp * -math.expm1(-seconds / tau)
        if amps * rs + across <= volts_max:
            return amps, amps * rs + across
        # Compliance is reached at t1; from there the capacitance charges from volts_max through Rs.
        start = max(0.0, volts_max - amps * rs)
        t1 = -tau * math.log1p(-start / (amps * rp)) if start else 0.0
        final = volts_max * rp / (rs + rp)
        across = final + (start - final) * math.exp(-(seconds - t1) / (self.farad * rs * rp / (rs + rp)))
        return (volts_max - across) / rs, volts_max


OPEN = Load("open", math.inf)
SHORT = Load("short", 0.0)
NEEDLE = Load("needle", 800.0, 3_000.0, 1.0e-6)  # pair of filiform needles in muscle [D], range [G]
SKIN = Load("skin", 400.0, 4_000.0, 0.3e-6)  # pair of 25 cm2 gel pads [D], range [G]
NAMED = {load.name: load for load in (OPEN, SHORT, NEEDLE, SKIN)}


def parse(text):
    """A Load from `open`, `short`, `needle`, `skin`, `ohms:N` or a bare number of ohms. Raises UsageError."""
    if isinstance(text, Load):
        return text
    word = str(text).strip().lower()
    if word in NAMED:
        return NAMED[word]
    number = word.removeprefix("ohms:").removesuffix("ohm")
    try:
        ohms = float(number)
    except ValueError:
        ohms = -1.0
    if not 0 <= ohms < math.inf:
        raise UsageError("bad_load", f"'{text}' is not a load.", "Give ohms, or one of " + ", ".join(NAMED) + ".")
    return Load(f"ohms:{ohms:g}", ohms)


def parse_all(spec, channels):
    """{channel: Load} for every channel number in `channels`, from a spec, {channel: spec} or `1=needle,2=open`."""
    if spec is None:
        spec = "ohms:1000"
    if isinstance(spec, str) and "=" in spec:
        spec = dict(part.split("=", 1) for part in spec.split(","))
    if not isinstance(spec, dict):
        spec = dict.fromkeys(channels, spec)
    loads = {}
    for number, one in spec.items():
        if int(number) not in channels:
            raise UsageError(
                "bad_load", f"There is no channel {number}.", f"Channels: {', '.join(map(str, channels))}."
            )
        loads[int(number)] = parse(one)
    return {n: loads.get(n, parse("ohms:1000")) for n in channels}
