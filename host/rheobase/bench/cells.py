"""One cell's verdict: what the analyser says of the capture; whether the board's own word and the end agree with it.

Asks no board. A row is a dict that JSON takes: cell, kind, channel, title, levels, verdict, reasons (sentences), pulses
(commanded, by the board, on the pins), worst (signed deviations), extra (figures of an end), jitter ({ns: pulses}),
shape_us (edges of the first pulse), findings (the analyser's), capture (a file's name).
"""

import numpy as np
from rheocore import faults

from rheobase.bench import matrix, verdict
from rheobase.bench.analysis import analyse
from rheobase.bench.capture import INTERLOCK, PS_PER_NS, Capture
from rheobase.bench.expected import expected

PS_PER_MS = 10**9
EVENT_U_MS = 2  # the board stamps an event, and its capture's begin, to a millisecond each
STALLED_OFF_MS = 200  # pulse-engine.md: last falling edge after the loop's last pass
CUTOFF_LATE_MS = 3  # the hold stands at its time by the board's own clock; the pulse in play then ends whole
JITTER_NS = 8  # of the histogram: one clock


def _row(cell, how, reasons=(), **more):
    row = {
        "cell": cell.id,
        "kind": cell.kind,
        "channel": cell.channel,
        "title": cell.title,
        "levels": list(cell.levels) if cell.levels else None,
        "verdict": how,
        "reasons": list(reasons),
        "pulses": {"commanded": cell.pulses, "board": None, "pins": None},
        "worst": {},
        "extra": [],
        "jitter": {},
        "shape_us": None,
        "findings": [],
        "capture": None,
    }
    return row | more


def not_run(cell, reason):
    """The row of a cell that could not be played."""
    return _row(cell, "not_run", [reason])


def failed(cell, reason):
    """The row of a cell whose session the board refused or ended by a fault before it began."""
    return _row(cell, "fail", [reason])


def untold(cell, reason):
    """The row of a cell whose capture cannot be trusted, or does not show what was to be seen."""
    return _row(cell, "cannot_tell", [reason])


def judge(play, cell, capture, result):
    """The row of a cell. capture, result: what own.play() returned of its session."""
    if play.act == "interlock" and result["stop_reason"] == "time_over" and not len(_opened(capture)):
        seen = f"The board saw no opening of the interlock within {matrix.WAIT_MS // 1000} s"
        return untold(cell, f"{seen}: nobody opened it, or the board does not see it.")
    return _Judging(play, cell, capture, result).row()


def _opened(capture):
    """Times in ps at which the interlock was seen to open."""
    signal = capture.signals[INTERLOCK]
    return signal.edges_ps[0 if signal.initial else 1 :: 2]


class _Judging:
    def __init__(self, play, cell, capture, result):
        self.play, self.cell, self.result = play, cell, result
        self.cfg = play.configs[cell.channel]
        self.told = result["channels"][str(cell.channel)]
        self.capture = _of_channel(capture, cell.channel)
        self.how = "pass"
        self.reasons = []
        self.extra = []
        self.commanded = cell.pulses
        if play.act == "train" and self.commanded is None:
            self.commanded = len(expected(self.cfg).starts_ps)

    def row(self):
        n = self.cell.channel
        count = self.told["pulses"] if self.commanded is None else self.commanded
        analysis = analyse(self.capture, {n: self.cfg}, expect={n: count}, pauses=self.play.act == "pause")
        self.data = analysis.data()["channels"][str(n)]
        self._end()
        self._counts()
        if self.data["pulses"]:
            getattr(self, "_" + self.play.act, lambda: None)()
        findings = [finding for finding in analysis.findings if finding["code"] != "count"]  # said already, and better
        for sentence, how in _in_short(findings):
            self._say(False, sentence, how)
        if analysis.verdict != "pass" and self.how == "pass":
            self._say(False, "The analyser does not pass it.", analysis.verdict)
        return _row(
            self.cell,
            self.how,
            self.reasons,
            pulses={"commanded": self.commanded, "board": self.told["pulses"], "pins": self.data["pulses"]},
            worst=self._worst(),
            extra=self.extra,
            jitter=_jitter(analysis.series[n]["histogram"]),
            shape_us=self._shape(),
            findings=findings,
        )

    def _say(self, holds, sentence, how="fail"):
        """Note what does not hold."""
        if not holds:
            self.reasons.append(sentence)
            self.how = verdict.worst((self.how, how))

    def _figure(self, what, value, u, unit, most):
        """A figure of an end, judged as every other: with its uncertainty."""
        self.extra.append({"what": what, "value": round(value, 6), "u": u, "unit": unit, "most": most})
        if value + u > most:
            told = f"{what}: {value:.6g} ± {u:.3g} {unit}, {most:g} {unit} at most is asked."
            self._say(False, told[0].upper() + told[1:], "fail" if value - u > most else "cannot_tell")

    def _end(self):
        wanted, is_fault, _ = matrix.ENDS[self.play.act]
        reason = self.result["stop_reason"]
        if reason != wanted or bool(self.result["fault"]) != is_fault:
            told = f"It ended by {reason}, and should have by {wanted}. {faults.sentence(str(reason))}"
            self._say(False, told)
        cut = self.told["truncated"]
        self._say(not cut or self.play.act == "interlock", "The board says that it cut a pulse.")

    def _counts(self):
        pins, board = self.data["pulses"], self.told["pulses"]
        self._say(board == pins, f"The board counted {board} pulses, {pins} are on the pins.")
        if self.commanded is not None:
            self._say(pins == self.commanded, f"{self.commanded} pulses are commanded, {pins} are on the pins.")
        self._say(pins > 0, "There is no pulse on the pins.")

    # -- ends: figures of their own ---------------------------------------------------------------------------------

    def _legs(self):
        return [self.capture.signals[f"CH{self.cell.channel}_{leg}"] for leg in "AB"]

    def _last_edge_ms(self):
        return max(int(leg.edges_ps[-1]) for leg in self._legs() if len(leg.edges_ps)) / PS_PER_MS

    def _event_ms(self, kind, detail=None):
        """When the board says that something happened, in the capture's time; None if it does not."""
        times = (e["t_ms"] for e in self.result["events"] if e["kind"] == kind and detail in (None, e["detail"]))
        return next(times, None)

    def _pause(self):
        """The longest time low must be the pause's, and one period at most on both sides of it."""
        paused, resumed = self._event_ms("state", "paused"), None
        if paused is not None:
            resumed = next((e["t_ms"] for e in self.result["events"]
                            if e["detail"] == "ramp_up" and e["t_ms"] > paused), None)  # fmt: skip
        if paused is None or resumed is None:
            return self._say(False, "The board did not pause and resume.")
        # The stretches last as long as the session without the pause; each ends with an item, whole or not begun.
        most = len(matrix.starts_us(self.cfg)) + 1
        pins = self.data["pulses"]
        self._say(most - 2 <= pins <= most, f"{most - 2} to {most} pulses make the session, {pins} are on the pins.")
        starts = self._legs()[0].edges_ps[::2]
        low_ms = int(np.diff(starts).max()) / PS_PER_MS
        self.extra.append({"what": "low in the pause", "value": low_ms, "u": 0.001, "unit": "ms", "most": None})
        self._say(
            low_ms >= resumed - paused - EVENT_U_MS,
            f"Paused for {resumed - paused} ms by the board's word; the legs were low for {low_ms:.3f} ms.",
        )

    def _time_over(self):
        first_ms = int(self._legs()[0].edges_ps[0]) / PS_PER_MS
        u_ms = self.capture.resolution_ps / PS_PER_MS
        self._figure("last edge after the first", self._last_edge_ms() - first_ms, u_ms, "ms", self.cfg["duration_ms"])

    def _starvation(self):
        stalled_ms = self._event_ms("stall")
        if stalled_ms is None:
            return self._say(False, "The board's processor did not stall.", "cannot_tell")
        self._figure("last edge after the stall", self._last_edge_ms() - stalled_ms, EVENT_U_MS, "ms", STALLED_OFF_MS)

    def _cutoff(self):
        first_ms = int(self._legs()[0].edges_ps[0]) / PS_PER_MS
        pulse_ms = (2 * self.cfg["width_us"] + self.cfg["gap_us"]) / 1000
        last_ms = self._last_edge_ms() - first_ms
        u_ms = 1.0  # the cutoff's timer ticks in ms
        self._figure("last edge after the first", last_ms, u_ms, "ms", matrix.CUTOFF_MS + pulse_ms + CUTOFF_LATE_MS)
        early_ms = matrix.CUTOFF_MS - self.cfg["period_us"] / 1000 - CUTOFF_LATE_MS
        before_ms = matrix.CUTOFF_MS - last_ms
        self._say(last_ms + u_ms >= early_ms, f"The output ended {before_ms:.1f} ms before the cutoff.")

    def _interlock(self):
        opened = _opened(self.capture)
        if not len(opened):
            return self._say(False, "The capture does not hold the interlock's opening.", "cannot_tell")
        edges = np.sort(np.concatenate([leg.edges_ps for leg in self._legs()]))
        after = edges[edges > opened[0]]
        late_ns = int(after[-1] - opened[0]) / PS_PER_NS if len(after) else 0.0
        u_ns = self.capture.resolution_ps / PS_PER_NS
        self._figure("last edge after the interlock's", late_ns, u_ns, "ns", verdict.INTERLOCK_PS / PS_PER_NS)

    # -- figures ------------------------------------------------------------------------------------------------------

    def _worst(self):
        """{figure: {off_ns, u_ns, most_ns}}: the largest deviation of each, signed, its bound, its tolerance."""
        tick_ns = verdict.TICK_PS / PS_PER_NS
        found = {}
        if "width_us" in self.cfg:
            legs = [self.data["width_a_us"], self.data["width_b_us"]]
            found["width"] = (_furthest(legs, self.cfg["width_us"]), legs[0]["u"] * 1000, tick_ns)
        gap, start, balance = (self.data[name] for name in ("gap_us", "start_ns", "imbalance_ns"))
        found["gap"] = (_furthest([gap], self.cfg["gap_us"]), gap["u"] * 1000, tick_ns)
        ends = [value for value in (start["min"], start["max"]) if value is not None]
        found["start"] = (max(ends, key=abs, default=None), start["u"], tick_ns)
        least_ns = max(verdict.IMBALANCE_LEAST_PS / PS_PER_NS, verdict.IMBALANCE_PER_MILLION * self._least_us() / 1000)
        found["balance"] = (balance["max"], balance["u"], least_ns)
        return {
            name: {"off_ns": round(off, 3), "u_ns": round(u, 3), "most_ns": most}
            for name, (off, u, most) in found.items()
            if off is not None
        }

    def _least_us(self):
        return self.cfg.get("width_us") or min(self.cfg["lo_width_us"], self.cfg["hi_width_us"])

    def _shape(self):
        """Edges of the first pulse in us from its start, or None."""
        a, b = (leg.edges_ps[:2] if not leg.initial else () for leg in self._legs())
        if len(a) < 2 or len(b) < 2 or not a[1] <= b[0]:
            return None
        return [round(int(t - a[0]) / 1e6, 6) for t in (*a, *b)]


def _in_short(findings):
    """[(sentence, verdict)]: the first finding of each kind, and how many more there are of it."""
    for code in dict.fromkeys(finding["code"] for finding in findings):
        same = [finding for finding in findings if finding["code"] == code]
        told = [finding for finding in same if finding["t_ns"] is not None] or same
        rest = sum(finding["measured"] for finding in same if finding not in told)  # the analyser's own "so many more"
        more = len(told) - 1 + rest
        sentence = told[0]["text"] + (f" {more} more like this." if more else "")
        yield sentence, verdict.worst(finding["verdict"] for finding in same)


def _of_channel(capture, n):
    """The capture with the legs of one channel, and the interlock where it is among the wires."""
    names = [name for name in capture.signals if name.startswith(f"CH{n}_") or name == INTERLOCK]
    fields = {name: value for name, value in vars(capture).items() if name != "signals"}
    return Capture(signals={name: capture.signals[name] for name in names}, **fields)


def _furthest(stats, commanded_us):
    """Deviation in ns that is furthest from what is commanded; None without figures."""
    off = [1000 * (s[end] - commanded_us) for s in stats for end in ("min", "max") if s[end] is not None]
    return max(off, key=abs, default=None)


def _jitter(histogram):
    """{ns: pulses} on the board's own grid, so that cells can be added up."""
    found = {}
    edges, numbers = histogram["edges_ns"], histogram["counts"]
    for left, right, number in zip(edges, edges[1:], numbers, strict=False):
        if number:
            ns = str(JITTER_NS * round((left + right) / 2 / JITTER_NS))
            found[ns] = found.get(ns, 0) + number
    return found


def tolerances(resolution_ps):
    """Rows for the report: what each figure may be off by, how well it is known, and why so."""
    tick, u = f"{verdict.TICK_PS // PS_PER_NS} ns", resolution_ps / PS_PER_NS
    per_cent = verdict.IMBALANCE_PER_MILLION / 10_000
    rows = [
        ("width of each phase", tick, f"{u:g} ns", "half a tick of 1 µs: the tick meant, and no other"),
        ("gap between the phases", tick, f"{u:g} ns", "half a tick"),
        ("start of each pulse", tick, f"{u:g} ns", "half a tick, from the first pulse on: nothing accumulates"),
        (
            "balance: phase A less phase B",
            f"{per_cent:g} % of the phase, {verdict.IMBALANCE_LEAST_PS // PS_PER_NS} ns at least",
            f"{2 * u:g} ns",
            "equal times are equal charge at a steady set-point; the least: 1 µA of direct current at 400 Hz, 50 mA",
        ),
        ("count of pulses", "none", "none", "commanded, counted by the board and seen on the pins: all the same"),
        ("off after a stall", f"{STALLED_OFF_MS} ms", f"{EVENT_U_MS} ms", "the lease of items, and the item in play"),
        (
            "off after the cutoff's time",
            f"{CUTOFF_LATE_MS} ms and the pulse in play",
            "1 ms",
            "the cutoff's timer counts in ms",
        ),
        (
            "legs low after the interlock's edge",
            f"{verdict.INTERLOCK_PS // PS_PER_NS} ns",
            f"{u:g} ns",
            "five clocks of 8 ns of the guard, and the pads' synchroniser",
        ),
    ]
    names = ("figure", "tolerance", "u", "why")
    return [dict(zip(names, row, strict=True)) for row in rows]


def rules(instrument, said):
    """How it was judged, as {what: sentence}. said: the operator's word on the instrument, or None."""
    return {
        "instrument": instrument[0].upper() + instrument[1:] + ".",
        "said_of_it": said or "nothing was said with --instrument",
        "its_clock": "The board's own, so the crystal is not judged here: a logic analyser's file can "
        "(`rheo bench analyze`). Rates and widths are right as far as the crystal is.",
        "commanded": "By the plan in the library of this rheo, which a firmware of the same hash shares. Rates and "
        "counts of the combinations, bursts and of time over are worked out by the bench itself as well, those of the "
        "other trains are not.",
        "uncertainty": "A hard bound, not a standard deviation: no figure is off by more than it.",
        "rule": "A figure passes if its deviation and its uncertainty together are within the tolerance, fails if the "
        "deviation less the uncertainty is beyond it, and cannot be told in between.",
        "not_judged": "Currents, loads and leads: the set-point was 0 mA, and nothing beyond the pads was looked at. "
        "How soon a stop command is obeyed. The cutoff where it stands in a session: it was brought near.",
    }
