"""One cell's verdict: what the analyser says of the capture, and whether the board's own word and the end agree with it.

Asks no board. A row is a dict that JSON takes: cell, kind, channel, title, levels, verdict, reasons (sentences), pulses
(commanded, by the board, on the pins), worst (deviations), extra (figures of an end), jitter, shape_us, findings.
"""

import numpy as np

from rheobase.bench import matrix
from rheobase.bench.analysis import analyse
from rheobase.bench.capture import INTERLOCK, PS_PER_NS, Capture, Signal
from rheobase.link.words import fault_sentence

PS_PER_MS = 10**9
STALLED_OFF_MS = 200  # pulse-engine.md: last falling edge after the loop's last pass
CUTOFF_LATE_MS = 20  # the hold stands at its time; the pulse in play then ends whole, and the board counts in ms
INTERLOCK_OFF_NS = 100
BIN_NS = 8  # of the jitter's histogram: one clock


def _row(cell, verdict, reasons=(), **more):
    row = {
        "cell": cell.id,
        "kind": cell.kind,
        "channel": cell.channel,
        "title": cell.title,
        "levels": list(cell.levels) if cell.levels else None,
        "verdict": verdict,
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
    return _row(cell, "not_run", [reason])


def failed(cell, reason):
    return _row(cell, "fail", [reason])


def untold(cell, reason):
    return _row(cell, "cannot_tell", [reason])


def judge(play, cell, capture, result):
    """The row of a cell. capture, result: what own.play() returned of its session."""
    judging = _Judging(play, cell, capture, result)
    judging.analyse()
    judging.compare()
    getattr(judging, cell.kind, lambda: None)()
    return judging.row()


class _Judging:
    def __init__(self, play, cell, capture, result):
        self.play, self.cell, self.result = play, cell, result
        self.cfg = play.configs[cell.channel]
        self.capture = of_channel(capture, cell.channel)
        self.told = result["channels"][str(cell.channel)]
        self.verdict = "pass"
        self.reasons = []
        self.extra = []
        self.findings = []
        self.pulses = 0
        legs = [self.capture.signals[f"CH{cell.channel}_{leg}"] for leg in "AB"]
        self.edges = np.sort(np.concatenate([leg.edges_ps for leg in legs]))
        self.rises = legs[0].edges_ps[legs[0].initial :: 2]

    def say(self, holds, sentence, verdict="fail"):
        """Note what does not hold."""
        if not holds:
            self.reasons.append(sentence)
            if verdict == "fail" or self.verdict == "pass":
                self.verdict = verdict

    def figure(self, what, value, u, unit, most):
        """A figure of an end, judged by the bench's rule."""
        self.extra.append({"what": what, "value": value, "u": u, "unit": unit, "most": most})
        told = f"{what}: {value:.6g} {unit} ± {u:.2g} {unit}, at most {most:.6g} {unit} is asked."
        self.say(value - u <= most, told)
        self.say(value + u <= most, told, "cannot_tell") if value - u <= most else None

    def compare(self):
        """The board's own word against the cell and the pins."""
        wanted, is_fault, _ = matrix.ENDS[self.play.act]
        reason, fault = self.result["stop_reason"], self.result["fault"]
        if reason != wanted or bool(fault) != is_fault:
            self.say(False, f"It should have ended by {wanted}, and ended by {reason}: {fault_sentence(reason)}")
        board, commanded = self.told["pulses"], self.cell.pulses
        self.say(board == self.pulses, f"The board counted {board} pulses, {self.pulses} are on the pins.")
        if commanded is not None:
            self.say(self.pulses == commanded, f"{commanded} pulses were commanded, {self.pulses} are on the pins.")
        self.say(self.pulses > 0, "No pulse is on the pins.")
        cut = self.told["truncated"]
        self.say(not cut or self.play.act == "interlock", f"The board cut {cut} pulse short.")
        self.say(self.capture.torn is None, f"The capture is not whole: {self.capture.torn}.", "cannot_tell")
