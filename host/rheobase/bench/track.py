"""One channel of a capture against its plan: finds its pulses and judges each, once the clocks' ratio is known."""

from functools import partial

import numpy as np
from rheocore.config import shapes

from rheobase.bench import clock, match, pulses, verdict
from rheobase.bench.capture import INTERLOCK
from rheobase.bench.expected import US, expected
from rheobase.bench.train import Train
from rheobase.bench.verdict import CANNOT_TELL, FAIL, judge

BY_HAND_PS = 2_000_000 * US  # sooner after the interlock opened nobody has cleared the fault and begun a new session
FAR_OFF = 0.10  # widths of most pulses off by more: another protocol


class Track:
    """A channel: prepare, then (the ratio fitted over all) judge(). cfg: its compact configuration."""

    def __init__(self, capture, channel, cfg, openings, findings):
        self.capture, self.channel, self.cfg, self.findings = capture, channel, cfg, findings
        self.u = capture.resolution_ps
        self.train = Train(expected(cfg))
        widths = [width * US for _, width in shapes(cfg)]
        self.least_ps, self.most_ps, self.gap_ps = min(widths), max(widths), cfg["gap_us"] * US
        legs = [capture.signals[f"CH{channel}_{leg}"] for leg in "AB"]
        self.blind = 2 * self.u > min(self.least_ps, self.gap_ps)
        runt_ps = 0 if self.blind else self.least_ps // 2
        self.pulses = pulses.pair(capture, *legs, runt_ps, self.most_ps, self.gap_ps)
        if not self.blind and len(self.pulses) > 1 and np.median(self.pulses.gaps) > 2 * self.gap_ps:
            other = pulses.pair(capture, *legs[::-1], runt_ps, self.most_ps, self.gap_ps)
            if len(other) and abs(np.median(other.gaps) - self.gap_ps) < US:
                self.pulses = other
                text = "Phase B comes before phase A: the wires of the legs, or their names, are exchanged."
                self.add("legs_swapped", int(other.starts[0]), None, None, None, text)
        self.openings = openings
        whole = ~self._opened(self.pulses.a_rise, self.pulses.b_fall)
        self.truncated = int((~whole).sum())
        if self.truncated:
            for name in ("a_rise", "a_fall", "b_rise", "b_fall"):
                setattr(self.pulses, name, getattr(self.pulses, name)[whole])
        self.segments, self.runs, self.extra = [], [], np.zeros(0, dtype=bool)
        self.wrong = False
        self.verdicts = {}
        if len(self.pulses) and not self.blind:
            self._match()

    def _opened(self, begin, end):
        """Mask: the interlock opened between begin and end."""
        after = np.searchsorted(self.openings, end, side="right")
        return after > np.searchsorted(self.openings, begin, side="left")

    def _match(self):
        breaks = np.searchsorted(self.pulses.starts, self.openings).tolist()
        self.breaks = set(breaks)
        found = self.pulses
        self.segments, self.extra = match.match(self.capture, found.starts, found.widths_a, self.train, breaks)
        matched = sum(len(s.pulse) for s in self.segments)
        self.wrong = 2 * matched <= len(self.pulses)
        if not self.wrong:
            at = np.concatenate([s.pulse for s in self.segments])
            wanted = np.concatenate([self.train.width(s.of) for s in self.segments])
            off = np.abs(self.pulses.widths_a[at] - wanted)
            self.wrong = bool(np.median(off - FAR_OFF * wanted) > 2 * US)
        if self.wrong:
            self.segments = []
            return
        for segment in self.segments:
            run = clock.Run(self.train.at(segment.of), self.pulses.starts[segment.pulse])
            self.runs.append(run)

    # What is found, code by code

    def add(self, code, t_ps, wanted, found, u, text, how=FAIL):
        self.findings.add(code, self.channel, t_ps, wanted, found, u, text, how)

    def judge(self, ratio, expect, slack, pauses):
        """All verdicts of this channel. ratio: clock.Ratio. expect: pulses or None. slack: bound on the ratio. pauses:
        that its session had."""
        self.ratio, self.slack = ratio, slack
        self._facts()
        self._counts(expect)
        if self.blind:
            need = min(self.least_ps, self.gap_ps) // 2
            self.too_slow(
                "phases", f"phases of {self.least_ps // US} \u00b5s and gaps of {self.gap_ps // US} \u00b5s", need
            )
            return
        if not len(self.pulses):
            self._none()
            return
        if self.wrong:
            self._wrong_protocol()
            return
        self._ticks()
        self._starts()
        self._absences(pauses)

    def too_slow(self, figure, what, need_ps):
        text = (
            f"At {self.u / 1000:.4g} ns a sample, {what} cannot be told: capture at {need_ps / 1000:.3g} ns"
            f" ({1e6 / need_ps:.3g} MHz) or faster."
        )
        self.verdicts[figure] = CANNOT_TELL
        self.add("too_slow", None, need_ps / 1000, self.u / 1000, None, text, CANNOT_TELL)

    def _facts(self):
        """What needs no plan: overlaps, runts, lone phases, a leg that stays high."""
        for leg in "AB" if self.blind else "":
            begin, end = pulses.all_highs(self.capture, self.capture.signals[f"CH{self.channel}_{leg}"])
            for i in np.flatnonzero(end - begin > self.most_ps + self.u + pulses.SLACK_PS):
                self._long(leg, int(begin[i]), int(end[i]), "")
        found = self.pulses
        for begin, end in zip(*found.overlaps, strict=True):
            ns = int(end - begin) / 1000
            self.add("overlap", int(begin), 0, ns, self.u / 1000, f"Both legs were high for {ns:g} ns.")
        if self.blind:
            return
        for rises, falls, leg in found.runts:
            cut = self._opened(rises - verdict.INTERLOCK_PS, falls + self.u)
            self.truncated += int(cut.sum())
            for rise, fall in zip(rises[~cut], falls[~cut], strict=True):
                us, wanted = int(fall - rise) / US, self.least_ps / US
                text = f"Leg {leg} was high for {us:g} \u00b5s; the shortest phase is {wanted:g} \u00b5s."
                self.add("runt", int(rise), wanted, us, self.u / US, text)
        for rises, falls, leg in found.lone:
            cut = self._opened(rises - self.most_ps - self.gap_ps, falls + self.most_ps + self.gap_ps)
            self.truncated += int(cut.sum()) if leg == "A" else 0
            for rise, fall in zip(rises[~cut], falls[~cut], strict=True):
                us = int(fall - rise) / US
                other = "B" if leg == "A" else "A"
                text = f"A phase {leg} of {us:g} \u00b5s has no phase {other}."
                self.add("lone_phase", int(rise), 2, 1, None, text)
        for begin, end, leg in found.stuck:
            self._long(leg, begin, end, " at an end of the capture")

    def _long(self, leg, begin, end, where):
        us, most = (end - begin) / US, self.most_ps / US
        text = f"Leg {leg} was high for at least {us:.10g} \u00b5s{where}; a phase is {most:g} \u00b5s."
        self.add(f"width_{leg.lower()}", begin, most, us, self.u / US, text)

    def _counts(self, expect):
        count = len(self.pulses)
        if expect is None or count == expect:
            return
        partly = count < expect and (self.capture.torn or any(self.pulses.cut))
        text = f"{count} pulses, expected {expect}."
        if partly:
            text = f"{count} pulses, expected {expect}; but the capture does not hold the whole train."
        self.add("count", None, expect, count, 0, text, CANNOT_TELL if partly else FAIL)

    def _none(self):
        span = self.capture.end_ps - self.capture.start_ps
        longest = int(self.train.intervals.max()) if len(self.train.intervals) else 0
        short = span <= longest + 2 * self.most_ps + self.gap_ps
        if self.truncated or self.capture.torn or any(self.pulses.cut) or short:
            text = "No whole pulse; the capture is shorter than the time between two."
            if self.truncated:
                text = "No whole pulse: the interlock cut what there was."
            elif not short:
                text = "No whole pulse: the capture's ends cut what there was."
            self.add("no_pulses", None, 1, 0, 0, text, CANNOT_TELL)
        else:
            self.add("no_pulses", None, 1, 0, 0, "No whole pulse in the capture.")

    def _wrong_protocol(self):
        width, wide = np.median(self.pulses.widths_a) / US, np.median(self.train.widths) / US
        interval = np.median(np.diff(self.pulses.starts)) / US if len(self.pulses) > 1 else None
        every = np.median(self.train.intervals) / US if len(self.train.intervals) else None
        text = f"This is another train: phases of {width:g} \u00b5s, commanded {wide:g} \u00b5s"
        if interval and every:
            text += f"; mostly {interval:.10g} \u00b5s from pulse to pulse, commanded {every:.10g} \u00b5s"
        if abs(width - wide) < 1 and (not interval or not every or abs(interval - every) < 1):
            text = "Pulses do not follow the plan, though most are as wide and as far apart as it wants"
        wanted, found = (every, interval) if interval and every else (wide, width)
        self.add("wrong_protocol", int(self.pulses.starts[0]), wanted, found, self.u / US, text + ".")

    def _of(self):
        """(measured pulses, plan's pulses) that match, of all segments."""
        if not self.segments:
            return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
        return np.concatenate([s.pulse for s in self.segments]), np.concatenate([s.of for s in self.segments])

    def _ticks(self):
        """Widths, gap and imbalance of each matched pulse."""
        at, of = self._of()
        found, wanted = self.pulses, self.train.width(of)
        starts = found.starts[at]
        for code, name, values, target in (
            ("width_a", "Phase A", found.widths_a[at], wanted),
            ("width_b", "Phase B", found.widths_b[at], wanted),
            ("gap", "The gap", found.gaps[at], np.full(len(at), self.gap_ps)),
        ):
            values = self.ratio.board(values)
            u = self.u + np.rint(target * self.slack).astype(np.int64)
            judged = judge(values - target, u, verdict.TICK_PS)
            self._tell(code, judged, starts, target / US, values / US, u / US,
                       lambda w, f, name=name: f"{name} is {f:g} \u00b5s, commanded {w:g} \u00b5s.",
                       f"{name.lower()} to {verdict.TICK_PS // 1000} ns", verdict.TICK_PS // 2)  # fmt: skip
        off = found.widths_a[at] - found.widths_b[at]
        least_ps = verdict.IMBALANCE_LEAST_PS
        tolerance = np.maximum(least_ps, wanted * verdict.IMBALANCE_PER_MILLION // 1_000_000)
        judged = judge(off, 2 * self.u, tolerance)
        least = int(tolerance.min())
        self._tell("imbalance", judged, starts, 0, off / 1000, 2 * self.u / 1000,
                   lambda w, f: f"Phase A is {abs(f):g} ns {'longer' if f > 0 else 'shorter'} than phase B.",
                   f"a difference of {least / 1000:g} ns between the phases", least // 3)  # fmt: skip

    def _tell(self, code, judged, times, wanted, found, u, sentence, what, need_ps):
        self.verdicts[code] = judged.verdict
        self.findings.each(code, self.channel, judged, times, wanted, found, u, sentence)
        if judged.blind.any() and not judged.fail.any():
            self.too_slow(code, what, need_ps)

    def _starts(self):
        """Each start against its commanded time, and each interval against the plan's."""
        off = np.concatenate([run.off for run in self.runs])
        at, _ = self._of()
        starts = self.pulses.starts[at]
        judged = judge(off, self.u, verdict.TICK_PS)
        unsure = judged.fail & (np.abs(off) - 2 * self.u <= verdict.TICK_PS)  # the line through samples is off as well
        judged.fail &= ~unsure
        judged.doubt |= unsure
        self._tell("start", judged, starts, 0, off / 1000, self.u / 1000,
                   lambda w, f: f"A pulse starts {abs(f):.10g} ns {'late' if f > 0 else 'early'} of its time.",
                   f"starts of pulses to {verdict.TICK_PS // 1000} ns", verdict.TICK_PS // 2)  # fmt: skip
        self.off, self.off_times = off, starts
        fields = [self._intervals(run, s, judged.fail, n) for run, s, n in self._numbered()]
        self.intervals, wanted, times, told = (np.concatenate(v) for v in zip(*fields, strict=True))
        late = self.intervals - wanted
        self.late = late
        u = self.u + np.rint(wanted * self.slack).astype(np.int64)
        judged = judge(late, u, verdict.TICK_PS)
        self.verdicts["period"] = judged.verdict
        for mask in (judged.fail, judged.doubt):
            mask &= ~told
        self._tell("period", judged, times, wanted / US, self.intervals / US, u / US,
                   lambda w, f: f"{f:.10g} \u00b5s from this pulse to the next, commanded {w:.10g} \u00b5s.",
                   f"the time from pulse to pulse to {verdict.TICK_PS // 1000} ns", verdict.TICK_PS // 2)  # fmt: skip

    def _numbered(self):
        n = 0
        for run, segment in zip(self.runs, self.segments, strict=True):
            yield run, segment, n
            n += len(segment.pulse)

    def _intervals(self, run, segment, failed, n):
        """(intervals in the board's time, commanded ones, starts, mask of those that a displaced pulse explains)."""
        next_ = np.diff(segment.of) == 1
        found = self.ratio.board(np.diff(run.measured))
        wanted = np.diff(run.commanded)
        late = found - wanted
        pulse = failed[n : n + len(segment.pulse)]
        alone = np.zeros(len(late) + 1, dtype=bool)  # pulses that are off by themselves: late, and the next is not
        alone[1:-1] = pulse[1:-1] & (np.abs(late[:-1] + late[1:]) <= verdict.TICK_PS + 2 * self.u)
        told = alone[1:] | alone[:-1]
        return found[next_], wanted[next_], run.measured[:-1][next_], told[next_]

    def _absences(self, pauses):
        """Missing and extra pulses: one finding for each row of them, however long. Of the silences that the plan does
        not have, as many as the session had pauses are theirs: the longest."""
        self.missing = 0
        silences = []  # (how long, findings to add)
        for n, segment in enumerate(self.segments):
            if n == 0:
                self._missing_before(segment)
            for k, many, before in segment.missing():
                begin, end = (int(t) for t in self.pulses.starts[[before, before + 1]])
                t = begin + int(self.train.at(k) - self.train.at(k - 1))
                silences.append((end - begin, partial(self._miss, t, many)))
            if n:
                silences += self._between(self.segments[n - 1], segment)
        paused = sorted(range(len(silences)), key=lambda i: -silences[i][0])[:pauses]
        for i, (_, tell) in enumerate(silences):
            if i not in paused:
                tell()
        where = np.flatnonzero(self.extra)
        for row in np.split(where, np.flatnonzero(np.diff(where) > 1) + 1) if len(where) else ():
            words = "A pulse" if len(row) == 1 else f"{len(row)} pulses in a row"
            t = int(self.pulses.starts[row[0]])
            self.add("extra", t, 0, len(row), 0, f"{words} that the protocol does not command.")

    def _miss(self, t, many):
        self.missing += many
        words = "A commanded pulse is" if many == 1 else f"{many} commanded pulses in a row are"
        self.add("missing", t, many, 0, 0, f"{words} missing.")

    def _missing_before(self, segment):
        """Commanded pulses that the capture should hold before the first one it does."""
        k, t = int(segment.of[0]), int(segment.pulse[0])
        many = 0
        first = int(self.pulses.starts[t])
        while many < k:
            at = first - int(self.train.at(k) - self.train.at(k - many - 1))
            if at - self.train.least_ps // 4 <= self.capture.start_ps:
                break
            many += 1
        if many:
            self._miss(first - int(self.train.at(k) - self.train.at(k - many)), many)

    def _between(self, before, after):
        """[(silence, findings to add)] where one run of the plan ends and the next begins: a pause, a stall; [] for
        another session."""
        k, last, first = int(before.of[-1]), int(before.pulse[-1]), int(after.pulse[0])
        begin, end = int(self.pulses.starts[last]), int(self.pulses.starts[first])
        opened = any(last < b <= first for b in self.breaks)
        over = k >= self.train.count - 1 and int(after.of[0]) == 0  # one session's end, another's beginning
        if opened:
            self._goes_on(k, begin, end)
        if opened or over or self.extra[last + 1 : first].any():
            return []
        every = int(self.train.interval(k))
        many = 0
        while (
            k + many + 1 < self.train.count
            and int(self.train.at(k + many + 1)) < int(self.train.at(k)) + end - begin - every // 2
        ):
            many += 1
        if many:
            return [(end - begin, partial(self._miss, begin + every, many))]
        late = int(self.ratio.board(end - begin)) - every
        return [(end - begin, partial(self._off_from, end, late))] if abs(late) > verdict.TICK_PS + 2 * self.u else []

    def _goes_on(self, k, begin, end):
        """An opening ends the session: the next one is begun by hand, and in step with the last only by chance."""
        opened = int(self.openings[np.searchsorted(self.openings, end, side="right") - 1])
        c = int(self.train.at(np.int64(k)) + self.ratio.board(end - begin))
        off = c - int(self.train.at(self.train.nearest(np.array([c], dtype=float))[0]))
        closed = self.capture.signals[INTERLOCK].level(end)  # output while it is open has a finding of its own
        if closed and abs(off) <= verdict.TICK_PS + 2 * self.u and end - opened <= BY_HAND_PS:
            text = "The interlock opened, and the train went on as if it had not."
            self.add("goes_on", end, None, None, None, text)

    def _off_from(self, t, late):
        self.verdicts["start"] = FAIL
        text = f"From here on the train is {late / 1e6:.10g} \u00b5s off its commanded times."
        self.add("start", t, 0, late / 1000, self.u / 1000, text)
