"""Judges a capture by what protocols command: pass, fail or cannot tell, with what was found. Reads no files.

One clock ratio is fitted over all channels and judged apart; every tick is judged with it taken out. Every figure
carries a bound on its error, and a claim that the bound does not support is neither passed nor failed.
"""

from rheobase import boards
from rheobase.bench import clock, figures, interlock, pulses, verdict
from rheobase.bench.track import Track
from rheobase.bench.verdict import CANNOT_TELL, FAIL, PASS, Findings
from rheobase.errors import UsageError


class Analysis:
    """What analyse() found. verdict: "pass", "fail" or "cannot_tell". findings: dicts. series: {channel: for plots}."""

    def __init__(self, capture, findings, data, series):
        self.capture = capture
        self.findings = findings
        self.series = series
        self.verdict = data["verdict"]
        self._data = data

    def data(self):
        """The data of `bench analyze`, JSON-safe."""
        return self._data

    def text(self):
        """For people, at 80 columns."""
        from rheobase.bench import text

        return text.text(self)


def analyse(capture, configs, clock_ppm=None, expect=None, board=None, pauses=0):
    """Analysis of a Capture. configs: {channel: configuration as config.check() passed it} of the channels to judge.

    clock_ppm: bound on the instrument's clock error (None: 100). expect: {channel: pulses} the capture must hold.
    board: BOARD table (None: the reference board's), for its clock's bound. pauses: that the session had; so many times
    each channel may fall silent and go on out of step. Raises UsageError for a channel of which the capture has not
    both legs.
    """
    findings = Findings()
    for channel in configs:
        for leg in "AB":
            if f"CH{channel}_{leg}" not in capture.signals:
                has = ", ".join(sorted(capture.signals)) or "none"
                message = f"The capture has no signal CH{channel}_{leg}; it has {has}."
                raise UsageError("no_signal", message, f"Name it: --map NAME=CH{channel}_{leg}.")
    board = boards.load() if board is None else board
    board_ppm = board["clock_ppm"]
    instrument_ppm = verdict.INSTRUMENT_PPM if clock_ppm is None else clock_ppm
    if capture.torn:
        findings.add("torn", None, capture.end_ps, None, None, None, capture.torn, CANNOT_TELL)
    opened = interlock.openings(capture)
    tracks = [Track(capture, channel, cfg, opened, findings) for channel, cfg in sorted(configs.items())]
    runs = [run for track in tracks for run in track.runs]
    ratio = clock.fit(runs, capture.resolution_ps, verdict.TICK_PS, capture.own_clock)
    told = _judge_clock(ratio, runs, capture, board_ppm, instrument_ppm, findings)
    slack = ratio.slack if ratio.slack is not None else (board_ppm + instrument_ppm) / clock.PPM
    for track in tracks:
        track.judge(ratio, (expect or {}).get(track.channel), slack, pauses)
    _other_overlaps(capture, configs, findings)
    locked = interlock.judge_interlock(capture, _both_legs(capture), findings)
    data = {
        "verdict": findings.verdict,
        "clock_ppm": told,
        "capture": {
            "source": capture.source,
            "instrument": capture.instrument,
            "resolution_ns": capture.resolution_ps / 1000,
            "duration_s": (capture.end_ps - capture.start_ps) / 1e12,
            "edges": capture.edges,
            "torn": capture.torn,
        },
        "tolerances": {
            "tick_ns": verdict.TICK_PS // 1000,
            "imbalance_percent": verdict.IMBALANCE_PER_MILLION / 10_000,
            "imbalance_least_ns": verdict.IMBALANCE_LEAST_PS // 1000,
            "interlock_ns": verdict.INTERLOCK_PS // 1000,
            "board_clock_ppm": board_ppm,
            "instrument_clock_ppm": None if capture.own_clock else instrument_ppm,
        },
        "interlock": locked,
        "channels": {},
        "not_judged": [n for n in capture.channels if n not in configs],
        "findings": findings.list,
    }
    for track in tracks:
        own = [f["verdict"] for f in findings.list if f["channel"] == track.channel]
        data["channels"][str(track.channel)] = {**figures.data(track), "verdict": verdict.worst(own)}
    return Analysis(capture, findings.list, data, {track.channel: figures.series(track) for track in tracks})


def _judge_clock(ratio, runs, capture, board_ppm, instrument_ppm, findings):
    """{value, u, verdict, wander} in ppm; a finding where it is not a pass."""
    if capture.own_clock:
        return {"value": None, "u": None, "verdict": None, "wander": None}
    if not runs:  # nothing of the protocol was found: that is told already
        return {"value": None, "u": None, "verdict": None, "wander": None}
    if ratio.value is None:
        text = "One pulse is too few to tell the board's clock from the instrument's."
        findings.add("clock", None, None, 0, None, None, text, CANNOT_TELL)
        return {"value": None, "u": None, "verdict": CANNOT_TELL, "wander": None}
    value, u = ratio.value * clock.PPM, ratio.u * clock.PPM
    places = [(value, u)] + [(v * clock.PPM, e * clock.PPM) for v, e in ratio.local]
    judged = [verdict.judge_clock(v, e, board_ppm, instrument_ppm) for v, e in places]
    how = judged[0] if judged[0] == FAIL else FAIL if FAIL in judged else judged[0]
    wander = max(v for v, _ in places) - min(v for v, _ in places) if ratio.local else None
    if how != PASS:
        off, by = next((p for p, j in zip(places, judged, strict=True) if j == how))
        text = f"The board's clock is {off:+.3g} \u00b1 {by:.2g} ppm off the instrument's; the board may be off by"
        text += f" {board_ppm:g} ppm and the instrument by {instrument_ppm:g} ppm."
        if how == CANNOT_TELL:
            better = "A better clock in the instrument (--clock-ppm) could tell."
            text += " A longer capture could tell." if by > board_ppm else f" {better}"
        findings.add("clock", None, None, 0, round(off, 4), round(by, 4), text, how)
    elif ratio.local and (sure := min(v + e for v, e in places)) + verdict.WANDER_PPM < max(v - e for v, e in places):
        how = CANNOT_TELL
        apart = max(v - e for v, e in places) - sure
        text = (
            f"The two clocks wander against each other by {apart:.3g} ppm or more; crystals do by {verdict.WANDER_PPM}"
        )
        text += " ppm at most, so one of them is none, or samples were lost."
        findings.add("clock", None, None, verdict.WANDER_PPM, round(apart, 4), None, text, how)
    return {
        "value": round(value, 4),
        "u": round(u, 4),
        "verdict": how,
        "wander": None if wander is None else round(wander, 4),
    }


def _both_legs(capture):
    return [n for n in capture.channels if f"CH{n}_A" in capture.signals and f"CH{n}_B" in capture.signals]


def _other_overlaps(capture, configs, findings):
    """Both legs of a channel high at once is a fact, whatever protocol runs there."""
    for channel in _both_legs(capture):
        if channel in configs:
            continue
        both = pulses.overlaps(capture, capture.signals[f"CH{channel}_A"], capture.signals[f"CH{channel}_B"])
        for begin, end in zip(*both, strict=True):
            ns = int(end - begin) / 1000
            text = f"Both legs were high for {ns:g} ns."
            findings.add("overlap", channel, int(begin), 0, ns, capture.resolution_ps / 1000, text)
