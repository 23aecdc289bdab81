"""What a sweep plays: its cells, and the sessions they are packed into. Plays nothing, judges nothing.

Combinations of frequency, width and gap: every pair of levels of any two of the three stands together in at least one
combination (an orthogonal array: the gap's level is the sum of the other two's). Levels are the ends of each range,
usual values, and where the item's word or its length breaks: at 60 Hz the period needs a rest item (16 ms), at 1 Hz
sixty; 66 us is the last gap in the lower half of the word, 67 us the first that reaches the upper; the longest width at
400 Hz leaves no rest at all. Each on every channel, two channels captured a session, the others playing the next
combination beside them.

--quick keeps the four corners of the extremes that have every pair of them, one usual train, and every kind of cell
once; the full matrix has those corners too.

Periods and counts here are worked out from the rate by this file's own arithmetic and not by rheocore's: an error that
board and host share is found by the one that does not share it.
"""

import hashlib
import json
from dataclasses import dataclass
from itertools import product

VERSION = 1  # of what the cells mean; part of the matrix's id
FREQUENCIES_HZ = (1, 4, 15, 60, 150, 400)
LONGEST = 1023  # us, or the longest that the rate and the gap leave
WIDTHS_US = (1, 50, 200, 400, LONGEST)
GAPS_US = (3, 50, 66, 67, 255)
USUAL = (100, 200, 50)
FIXED_US = 1375  # pulse-engine.md: an item lasts 2 * width + gap + 1375 at least (1378 beyond the gap's field)
SESSION_MS = 1000  # the shortest that a board takes
SLOW_MS = 2100  # three pulses at 1 Hz
WAIT_MS = 30_000  # for a person to open a real interlock
WAIT_EDGES = 6_200  # on each of three wires, while waiting
CAPTURED = 2  # channels a session: four wires; with the interlock one
OVERHEAD_MS = 450  # configure, arm, the answer and the capture brought over, on a real board: a guess to be measured
EMULATED_MS, EMULATED_FACTOR = 2500, 4  # wall time of an emulated session: so much, and so many times its output

TRAINS = ("burst", "alternating", "modulated", "on_off")
# act: (stop reason or fault at the end, is it a fault, what the cell shows)
ENDS = {
    "train": ("time_over", False, "the train as commanded"),
    "stop": ("stop_command", False, "stopped by command: the last pulse whole"),
    "pause": ("time_over", False, "paused and resumed: nothing replayed, nothing cut"),
    "time_over": ("time_over", False, "down at the session's time"),
    "starvation": ("underrun", True, "the processor stalls: off within 200 ms, the last pulse whole"),
    "cutoff": ("cutoff", True, "the hardware cutoff ends the output, balanced"),
    "interlock": ("interlock_open", True, "interlock opened in the output: legs low at once, none rises after"),
}
CUTOFF_MS = 700  # from the start, in the cutoff's cell
PAUSE_MS = 300
ACT_MS = 550  # from the start to the stop, the pause, the stall, the opening


@dataclass(frozen=True)
class Cell:
    """One thing that is judged. kind: "combination", one of TRAINS or of ENDS. pulses: commanded count, None: the
    train's own plan tells, or the end cuts it. levels: (Hz, width in us, gap in us) of a combination, else None."""

    id: str
    kind: str
    channel: int
    title: str
    pulses: int | None = None
    levels: tuple | None = None


@dataclass(frozen=True)
class Play:
    """One session. act: a key of ENDS. configs: {channel: configuration}. cells: of the captured channels."""

    act: str
    configs: dict
    cells: tuple

    @property
    def captured(self):
        """Channels whose legs are captured, rising."""
        return tuple(sorted({cell.channel for cell in self.cells}))

    @property
    def duration_ms(self):
        """Longest that the session may last."""
        return max(cfg["duration_ms"] for cfg in self.configs.values())

    def output_ms(self, emulated):
        """How long there is output, about: most ends come before the session's time."""
        if self.act == "interlock" and not emulated:
            return WAIT_MS
        ended = {"stop": ACT_MS, "starvation": ACT_MS + 200, "cutoff": CUTOFF_MS, "interlock": ACT_MS}
        return ended.get(self.act, self.duration_ms + (PAUSE_MS if self.act == "pause" else 0))


@dataclass(frozen=True)
class Matrix:
    """Sessions in the order they are played."""

    plays: tuple
    quick: bool

    @property
    def cells(self):
        return [cell for play in self.plays for cell in play.cells]

    @property
    def id(self):
        """12 hex digits: the same for the same cells and configurations."""
        text = json.dumps(
            [VERSION, [(play.act, sorted(play.configs.items()), [c.id for c in play.cells]) for play in self.plays]],
            sort_keys=True,
        )
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def seconds(self, emulated):
        """About how long it takes; on a real board the whole wait for a hand at the interlock is in it."""
        output_ms = sum(play.output_ms(emulated) for play in self.plays)
        if emulated:
            return (output_ms * EMULATED_FACTOR + EMULATED_MS * len(self.plays)) / 1000
        return (output_ms + OVERHEAD_MS * len(self.plays)) / 1000


def make(channels, quick=False):
    """The Matrix of a board with these channel numbers."""
    channels = sorted(channels)
    combos = quick_combinations() if quick else combinations()
    plays = []
    for span_ms in (SESSION_MS, SLOW_MS):
        same = [levels for levels in combos if _span_ms(levels[0]) == span_ms]
        plays += _packed([(_combination(levels), n) for levels in same for n in channels], channels)
    turned = [channels[k:] + channels[:k] for k in range(len(channels))]
    trains = [(kind, turned[k % len(turned)]) for k, kind in enumerate(TRAINS)]
    plays += _packed([(_train(kind), n) for kind, order in trains for n in order[: 1 if quick else None]], channels)
    for k, act in enumerate(act for act in ENDS if act != "train"):
        order = turned[k % len(turned)]
        most = (1 if act == "interlock" else CAPTURED) if quick else None
        plays += _packed([(_ending(act), n) for n in order[:most]], channels)
    return Matrix(tuple(plays), quick)


def combinations():
    """[(Hz, width in us, gap in us)]: the orthogonal array, then the corners that are not in it."""
    array = [
        (hz, WIDTHS_US[w], GAPS_US[(f + w) % len(GAPS_US)])
        for (f, hz), w in product(enumerate(FREQUENCIES_HZ), range(len(WIDTHS_US)))
    ]
    return array + [corner for corner in _corners() if corner not in array]


def quick_combinations():
    """The corners, and a usual train."""
    return [USUAL, *_corners()]


def _corners():
    """Half of the corners of the cube, every pair of extremes in them: an even number of the three is high."""
    levels = (FREQUENCIES_HZ, WIDTHS_US, GAPS_US)
    return [
        tuple(level[-1] if high else level[0] for level, high in zip(levels, highs, strict=True))
        for highs in product((False, True), repeat=3)
        if sum(highs) % 2 == 0
    ]


def _span_ms(hz):
    return SLOW_MS if hz < 2 else SESSION_MS


def period_us(hz):
    """Period of a whole number of hertz, to whole us, half up."""
    return (2_000_000 + hz) // (2 * hz)


def longest_us(hz, gap_us):
    """The longest phase that fits the rate with this gap, 1023 us at most."""
    return min(LONGEST, (period_us(hz) - gap_us - FIXED_US) // 2)


def config(hz=None, width_us=200, gap_us=50, duration_ms=SESSION_MS, **more):
    """A channel configuration for the bench: no current, the shortest ramps. more: fields to add."""
    cfg = {
        "kind": "continuous", "mode": "tens", "electrode": "skin", "bench": True, "gap_us": gap_us,
        "ramp_up_ms": 500, "ramp_down_ms": 500, "duration_ms": duration_ms, "max_ua": 0, "amplitude_ua": 0,
    }  # fmt: skip
    if hz is not None:
        cfg |= {"period_us": period_us(hz), "width_us": width_us}
    return cfg | more


def starts_us(cfg):
    """Commanded starts of the pulses of a continuous train or of bursts, in us from the first.

    A pulse is begun only if its whole item ends by the session's time.
    """
    end_us = cfg["duration_ms"] * 1000 - 2 * cfg["width_us"] - cfg["gap_us"] - FIXED_US
    burst = cfg.get("burst_pulses")
    offsets = [k * cfg["period_us"] for k in range(burst)] if burst else [0]
    every_us = cfg["burst_period_us"] if burst else cfg["period_us"]
    return [at + k for at in range(0, end_us + 1, every_us) for k in offsets if at + k <= end_us]


def _combination(levels):
    hz, width_us, gap_us = levels
    width_us = min(width_us, longest_us(hz, gap_us))
    cfg = config(hz, width_us, gap_us, _span_ms(hz))
    return f"{hz}Hz-{width_us}us-gap{gap_us}", "combination", f"{hz} Hz, {width_us} µs, gap {gap_us} µs", cfg, levels


def _train(kind):
    if kind == "burst":
        cfg, words = config(100, 100, burst_period_us=500_000, burst_pulses=7), "7 pulses at 100 Hz, twice a second"
    elif kind == "alternating":
        # 16,004 us: an item of 16 ms and less than a rest item takes beside it, so that the pulse's must be shorter
        cfg = config(4, 100, alt_period_us=16_004, dwell_ms=400, duration_ms=1600)
        words = "4 Hz and 62.5 Hz, 0.4 s each"
    elif kind == "modulated":
        cfg = config(lo_millihz=10_000, hi_millihz=120_000, lo_width_us=300, hi_width_us=100, duration_ms=1200)
        cfg, words = cfg | {"cycle_ms": 1000}, "10 to 120 Hz, 300 to 100 µs, in 1 s"
    else:
        cfg, words = config(50, 300, on_ms=1000, off_ms=200, duration_ms=2200), "50 Hz, 300 µs, on 1 s, off 0.2 s"
    return kind, kind, f"{kind.replace('_', '/')}: {words}", cfg | ({"kind": kind} if kind != "on_off" else {}), None


def _ending(act):
    cfg = config(50, 200, 50)
    if act == "time_over":  # the last pulse would fit, its whole item would not: it must not be begun
        cfg = config(50, 400, 50, 1001, period_us=3000)
    elif act == "cutoff":
        cfg = config(150, 200, 50, 2000)
    elif act == "interlock":
        cfg = config(97, LONGEST, 50, WAIT_MS)  # a fifth of the time in a phase, in step with nothing: one may be cut
    elif act == "stop":
        cfg = config(400, 400, 50, 2000)
    elif act == "starvation":
        cfg = config(150, 300, 50, 2000)
    return act, act, ENDS[act][2], cfg, None


def _packed(tasks, channels):
    """Sessions of so many tasks, ((id, kind, title, configuration, levels), channel), as the capture has wires for."""
    plays, tasks = [], list(tasks)
    together = [task for task, _ in tasks]
    while tasks:
        taken = [tasks.pop(0)]
        most = 1 if taken[0][0][1] == "interlock" else CAPTURED
        while tasks and len(taken) < most and tasks[0][1] not in [n for _, n in taken]:
            taken.append(tasks.pop(0))
        after = (together.index(taken[-1][0]) + len(channels)) % len(together)
        configs = dict.fromkeys(channels, together[after][3])  # what no wire looks at plays the next combination
        cells = []
        for (ident, kind, title, cfg, levels), n in sorted(taken, key=lambda item: item[1]):
            configs[n] = cfg
            counted = kind in ("combination", "burst", "time_over")
            cells.append(Cell(f"{ident}/{n}", kind, n, title, len(starts_us(cfg)) if counted else None, levels))
        kind = cells[0].kind
        plays.append(Play(kind if kind in ENDS else "train", configs, tuple(cells)))
    return plays
