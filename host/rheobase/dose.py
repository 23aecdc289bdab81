"""Dose of a session, channel by channel: what the board counted, what telemetry adds to it. Adds up; judges nothing.

Works line by line while a session runs, and the same way over any record afterwards, a crashed one included.
"""

from rheocore.messages import LIVE, TELEMETRY_MS

AT_AMPLITUDE_PERCENT = 90  # of the target: what counts as time at amplitude
HELD_MAX_US = 3 * TELEMETRY_MS * 1000  # a sample stands until the next one, but no longer than this: then nobody knows
FIELDS = ("pulses", "truncated", "charge_nc", "at_amplitude_ms", "peak_ua", "mean_ohms", "contractions")


def number(value):
    """value if it is an integer (no bool), else None: a record is read as it is found."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


class _Channel:
    def __init__(self, cfg):
        self.target_ua = number(cfg.get("amplitude_ua")) or 0
        on_ms = number(cfg.get("on_ms"))
        self.cycle_ms = on_ms + (number(cfg.get("off_ms")) or 0) if on_ms else None
        self.contractions = 0 if self.cycle_ms else None
        self.counted = None  # the last contraction that is counted: (stretch, cycle)
        self.last = {}
        self.full = False  # the newest sample is at amplitude
        self.full_us = self.peak_ua = self.ohms_sum = self.ohms_count = 0

    def take(self, row, held_us, stretch, into_ms):
        if self.full:
            self.full_us += held_us
        set_ua, ohms = number(row.get("set_ua")) or 0, number(row.get("ohms"))
        self.full = self.target_ua > 0 and set_ua * 100 >= self.target_ua * AT_AMPLITUDE_PERCENT
        self.peak_ua = max(self.peak_ua, set_ua)
        if self.cycle_ms and set_ua > 0 and into_ms is not None:
            here = (stretch, into_ms // self.cycle_ms)
            self.contractions += here != self.counted
            self.counted = here
        if ohms is not None:
            self.ohms_sum += ohms
            self.ohms_count += 1
        self.last = row

    def figures(self, counted):
        """counted: {pulses, truncated, charge_nc} by the board, or None: then its last telemetry stands in."""
        if not isinstance(counted, dict):
            counted = {name: number(self.last.get(name)) for name in ("pulses", "charge_nc")}
        return {
            **{name: number(counted.get(name)) for name in ("pulses", "truncated", "charge_nc")},
            "at_amplitude_ms": self.full_us // 1000,
            "peak_ua": self.peak_ua,
            "mean_ohms": (2 * self.ohms_sum // self.ohms_count + 1) // 2 if self.ohms_count else None,
            "contractions": self.contractions,
        }


class Dose:
    """The dose so far. channels: {"1": the channel's configuration}: its amplitude is the first target."""

    def __init__(self, channels):
        self._channels = {str(n): _Channel(cfg) for n, cfg in channels.items()}
        self._last_us = None
        self._stretch = 0  # of output: a pause ends it, and a resume begins the duty cycle anew
        self._whole_ms = max((number(cfg.get("duration_ms")) or 0 for cfg in channels.values()), default=0)
        self._began_ms = self._left_ms = self._whole_ms  # time left: when this stretch began, and now
        self._live = False

    def target(self, n, ua):
        """Channel n has a new target of ua; what telemetry says from now on is held against it."""
        if str(n) in self._channels:
            self._channels[str(n)].target_ua = ua

    def state(self, name):
        """The board tells a new state: a pause may be too short for any sample of telemetry."""
        if name == "paused":
            self._live, self._began_ms = False, self._left_ms

    def contractions(self, n):
        """Contractions of channel n in which current flowed; None where the train has no on/off duty."""
        return self._channels[str(n)].contractions

    def take(self, item, rows):
        """A telemetry item (its dev_us counts) and its channels as {"1": {set_ua, ohms, pulses, charge_nc, ...}}."""
        dev_us = number(item.get("dev_us"))
        held_us = 0
        if dev_us is not None and self._last_us is not None:
            held_us = max(0, min(dev_us - self._last_us, HELD_MAX_US))
        self._last_us = dev_us
        into_ms = self._into_stretch(item)
        for n, channel in self._channels.items():
            if isinstance(rows.get(n), dict):
                channel.take(rows[n], held_us, self._stretch, into_ms)

    def _into_stretch(self, item):
        """Time since this stretch of output began, in ms, by the board's own count; None while there is no output."""
        left_ms, live = number(item.get("t_left_ms")), item.get("state") in LIVE
        if live and not self._live:
            self._stretch += 1
        self._live = live
        self._left_ms = left_ms or (self._left_ms if live else self._whole_ms)
        if live:
            return max(0, self._began_ms - left_ms) if left_ms else None
        self._began_ms = self._left_ms
        return None

    def figures(self, result=None):
        """{"1": {FIELDS}}. result: the board's answer to `result`; None where it cannot be asked any more.

        truncated is None without a result. at_amplitude_ms: set-point at 90 % or more of the target, as far as
        telemetry tells; peak_ua: highest set-point; mean_ohms: of the samples that have an impedance, None if none has;
        contractions: those of the plan's cycle in which current flowed, each once, None without on/off duty.
        """
        counted = (result or {}).get("channels") or {}
        return {n: channel.figures(counted.get(n)) for n, channel in sorted(self._channels.items())}


def of_record(reader):
    """Figures of a whole record, added up anew from its lines; what its close line says of the counts stands."""
    dose = Dose(configs(reader))
    for line in reader.lines:
        if line["kind"] == "telemetry" and isinstance(line.get("channels"), dict):
            dose.take(line, line["channels"])
        elif line["kind"] == "event" and line.get("event") == "state":
            dose.state(line.get("detail"))
        elif line["kind"] == "event" and line.get("event") == "amplitude":
            dose.target(line.get("channel"), number(line.get("ua")) or 0)
    closed = reader.first("close").get("channels")
    return dose.figures({"channels": closed if isinstance(closed, dict) else {}})


def told_by_board(reader):
    """True if the close line's counts are the board's last word; a lost board left its last telemetry there."""
    closed = reader.first("close")
    channels = closed.get("channels")
    rows = channels.values() if isinstance(channels, dict) else ()
    return bool(closed) and all(isinstance(row, dict) and number(row.get("truncated")) is not None for row in rows)


def gave_current(figures):
    """True if a channel with these figures had a set-point above zero, False if it had none, None if nobody knows."""
    charge_nc = number(figures.get("charge_nc"))
    if number(figures.get("peak_ua")) or charge_nc:
        return True
    return None if charge_nc is None else False


def configs(reader):
    """{"1": channel configuration} that a record opened with; {} of a channel that has none there."""
    channels = reader.opened.get("channels")
    if not isinstance(channels, dict):
        channels = dict.fromkeys(reader.first("telemetry").get("channels") or {}, {})
    found = {n: c.get("config") if isinstance(c, dict) else None for n, c in channels.items()}
    return {n: cfg if isinstance(cfg, dict) else {} for n, cfg in found.items()}
