"""What the words of a command line ask of an interactive run. Checked before a board is looked for; asks nobody."""

from rheobase import order
from rheobase.errors import UsageError


class Request:
    """ref: protocol named for all channels, or None. parts: {channel: protocol} where channels were named.

    ceilings: {channel, or None for every one: text} from --amplitude and --on. duration, needle, pad: texts or None.
    acknowledged: codes. An amplitude here is only a ceiling of what can be raised: every session starts at zero.
    """

    def __init__(self, ref, channels, amplitudes, ons, duration, needle, pad, acknowledged):
        self.ref, self.duration, self.needle, self.pad = ref, duration, needle, pad
        self.acknowledged = acknowledged
        self.parts, self.ceilings = {}, {}
        if not (ref or channels or amplitudes or ons):
            if duration is not None:
                order.quantity(duration, "duration", "--duration")
            return
        if ref is not None and not amplitudes:
            amplitudes_checked = ("0mA",) * max(1, len(channels))
        else:
            amplitudes_checked = amplitudes
        order.make(ref, channels, amplitudes_checked, ons, duration, needle, pad, acknowledged)
        if ref is not None and ons and not channels:
            raise UsageError("unpaired", f"{ref} has no channel.", "Name one: --channel 1.")
        self.parts = {int(n): ref for n in channels}
        self.ceilings = dict(zip(self.parts or [None], amplitudes, strict=False))
        for text in ons:
            number, _, rest = text.partition("=")
            name, _, amplitude = rest.rpartition("@")
            self.parts[int(number)] = name
            self.ceilings[int(number)] = amplitude
        self.parts = dict(sorted(self.parts.items()))

    def ceiling(self, n):
        """Text of the ceiling of channel n, or None."""
        return self.ceilings.get(n, self.ceilings.get(None))
