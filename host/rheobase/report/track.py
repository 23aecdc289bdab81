"""A record's telemetry as columns over the session's time: states, samples, targets, gaps. Reads; draws nothing.

Time is the board's own (us from the first pulse on, pauses included): no clock of the host is in it. What is not known
is NaN, and a stretch without telemetry is a gap: nothing is drawn or counted across it.
"""

from itertools import pairwise
from math import isnan, nan

from rheocore.messages import BUSY, LIVE, TELEMETRY_MS

from rheobase.dose import AT_AMPLITUDE_PERCENT, configs, number

SLOW_MS = 1000  # telemetry of a board that is neither armed nor live
GAP_PERIODS = 3  # so many periods without telemetry are a gap
BUCKETS = 600  # spans of time in a picture: finer than a printer shows on this width
COLUMNS = ("set_ua", "meas_ua", "ohms")


class Track:
    """zero_us: board time of the start, or of the first line that has one where nothing started. since: that in words.

    states: [(us, state)] at each change. gaps: [(from us, to us)]. times: us of each sample, nothing before the start
    left out; columns: {"1": {"set_ua": [...], ...}}, NaN where nothing is known. targets: {"1": [(us, ua)]}.
    backwards: samples left out because the board's clock went back. ended: an end of the session is on record.
    """

    def __init__(self, reader):
        lines = [line for line in reader.lines if number(line.get("dev_us")) is not None]
        self.states = _changes(lines)
        self.started = any(state in LIVE for _, state in self.states)
        zero_us = next((us for us, state in self.states if state in LIVE), None)
        first = next((line["dev_us"] for line in lines), 0)
        self.zero_us = first if zero_us is None else zero_us
        self.states = [(us - self.zero_us, state) for us, state in self.states]
        self.channels = sorted(configs(reader))
        self.times, self.gaps, self.backwards, self.count = [], [], 0, 0
        self.columns = {n: {name: [] for name in COLUMNS} for n in self.channels}
        self._samples([line for line in lines if line["kind"] == "telemetry"])
        self.end_us = max([*self.times, *(us for us, _ in self.states)], default=0)
        self.targets = _targets(reader, self)
        self.since = "the first pulse" if self.started else "the beginning of the record"
        self.ended = bool(reader.first("close")) or reader.end is not None

    def _samples(self, lines):
        last_us, last_state = None, None
        for line in lines:
            us, state, rows = line["dev_us"] - self.zero_us, line.get("state"), line.get("channels")
            if last_us is not None:
                if us <= last_us:
                    self.backwards += 1
                    continue
                period_ms = TELEMETRY_MS if state in BUSY and last_state in BUSY else SLOW_MS
                if us - last_us > GAP_PERIODS * period_ms * 1000:
                    self.gaps.append((last_us, us))
                    self._append(last_us + 1, {})
            self._append(us, rows if isinstance(rows, dict) else {})
            last_us, last_state = us, state
            self.count += 1

    def _append(self, us, rows):
        self.times.append(us)
        for n, columns in self.columns.items():
            row = rows.get(n)
            for name, column in columns.items():
                value = number(row.get(name)) if isinstance(row, dict) else None
                column.append(nan if value is None else value)

    def spans(self, names):
        """[(from us, to us)] of the stretches in one of the states `names`; the last state stands until the end."""
        edges = [*self.states, (self.end_us, None)]
        return [(us, end) for (us, state), (end, _) in pairwise(edges) if state in names and end > us]

    @property
    def restarts(self):
        """How often the train began anew after a pause."""
        return sum(state in LIVE and before == "paused" for (_, before), (_, state) in pairwise(self.states))

    @property
    def live_ms(self):
        """Time in which pulses could come, in ms, as far as this record tells."""
        return sum(end - start for start, end in self.spans(LIVE)) // 1000

    def means_at_amplitude(self, n):
        """(measured, set): mean currents (uA) of the samples at amplitude; None if nothing was measured there."""
        columns, targets, at, seen = self.columns[n], self.targets[n], 0, []
        for us, set_ua, meas_ua in zip(self.times, columns["set_ua"], columns["meas_ua"], strict=True):
            while at + 1 < len(targets) and targets[at + 1][0] <= us:
                at += 1
            if not isnan(meas_ua) and set_ua * 100 >= max(1, targets[at][1]) * AT_AMPLITUDE_PERCENT:
                seen.append((meas_ua, set_ua))
        return tuple(round(sum(column) / len(seen)) for column in zip(*seen, strict=True)) if seen else None


def _changes(lines):
    """[(dev_us, state)] at each change: by the board's events, and by its telemetry where no event is on record."""
    seen = []
    for line in lines:
        state = line.get("state") if line["kind"] == "telemetry" else None
        if line["kind"] == "event" and line.get("event") == "state":
            state = line.get("detail")
        if isinstance(state, str):
            seen.append((line["dev_us"], state))
    seen.sort(key=lambda item: item[0])
    return [item for k, item in enumerate(seen) if k == 0 or item[1] != seen[k - 1][1]]


def _targets(reader, track):
    """{"1": [(us, ua)]}: the configuration's amplitude, and each change by the operator."""
    targets = {n: [(-(10**15), number(cfg.get("amplitude_ua")) or 0)] for n, cfg in configs(reader).items()}
    for line in reader.of("event"):
        n, ua, us = str(line.get("channel")), number(line.get("ua")), number(line.get("dev_us"))
        if line.get("event") == "amplitude" and n in targets and ua is not None and us is not None:
            targets[n].append((us - track.zero_us, ua))
    return targets


def thin(times, values, buckets=BUCKETS):
    """(times, values) for a picture: of each span of time the first, lowest, highest and last sample, breaks kept.

    No excursion gets lost, however short: the outline is that of all samples. Few samples are given back as they are.
    """
    if len(times) <= 4 * buckets:
        return list(times), list(values)
    width = (times[-1] - times[0]) / buckets or 1
    kept_t, kept_v, group, key = [], [], [], None

    def flush():
        if group and isnan(group[0][1]):
            chosen = group[:1]
        else:
            low, high = min(group, key=lambda p: p[1]), max(group, key=lambda p: p[1])
            chosen = sorted({group[0], low, high, group[-1]})
        kept_t.extend(t for t, _ in chosen)
        kept_v.extend(v for _, v in chosen)

    for t, v in zip(times, values, strict=True):
        here = (int((t - times[0]) / width), isnan(v))
        if here != key and group:
            flush()
            group = []
        key = here
        group.append((t, v))
    if group:
        flush()
    return kept_t, kept_v
