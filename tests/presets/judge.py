"""Plays shipped presets on the real image and judges every edge and the set-point by what their files command.

A preset's file is shortened line by line (every changed line is told), goes through the host's own path (order.make) at
the highest amplitude that the host allows, and plays on the emulated board in simulated time. The judgement comes from
commanded.py, which knows the file and nothing else. A tick is 1 us; the emulator resolves 8 ns.
"""

import re
import tomllib
from bisect import bisect_right
from dataclasses import dataclass
from itertools import groupby, pairwise

from dut import MS
from presets import commanded
from rheobase import boards, library, order
from rheobase.emulator.stage import Filtered
from rheobase.link import words

TICK_NS = 1000
EDGE_NS = 8  # one clock: what an edge may lie off its tick
AMPLITUDE_PERCENT = 5  # of full scale, of the set-point off its ramp
STEP_PERCENT = 0.5  # the device's step: a smaller target may be off by this and AMPLITUDE_PERCENT of itself
NET_PER_MILLE = 1  # of the charge of a phase at full scale: while the amplitude moves, phase B is not phase A
END_MS = 2  # the train is down at the session's end, and the board says so within a pass and a line
END_SAID_MS = 50
TOGETHER_NS = 100  # between the first pulses of channels started together
NEEDLE = "0.25x30mm"
FIGURES = ("start", "width_a", "gap", "width_b")
COLUMNS = (
    "preset", "channels", "changed", "commanded", "delivered", "pulses", *[f"{name}_ticks" for name in FIGURES],
    "amplitude_ma", "amplitude_percent", "net_nc", "verdict",
)  # fmt: skip


@dataclass
class Wanted:
    """One preset to play: its file, shortened; `changed` says in words where it differs from the shipped one."""

    name: str
    text: str
    changed: str

    @property
    def doc(self):
        return tomllib.loads(self.text)


def shortened(name, brief):
    """The Wanted of a shipped preset. brief: some seconds that still hold everything; else the shape as it is, with
    fewer repetitions: two contractions of the file's on-time, two cycles, two turns of each rate, a hold of 4 s."""
    text = (library.presets_dir() / f"{name}.toml").read_text()
    doc = tomllib.loads(text)
    train, envelope = doc["train"], doc["envelope"]
    if brief:
        ramp = 0.5 if "on_s" in envelope else 0.8
        new = {"ramp_up_s": ramp, "ramp_down_s": ramp, "dwell_s": 0.8, "cycle_s": 1.5, "on_s": 1, "off_s": 0.2}
        new |= {"contractions": 2, "duration_s": 2}
    else:
        spans = {"alternating": 4 * train.get("dwell_s", 0) + 1, "modulated": 2 * train.get("cycle_s", 0) + 1}
        ramps = envelope["ramp_up_s"] + envelope["ramp_down_s"]
        new = {"off_s": 2, "contractions": 2, "duration_s": max(ramps + 4, spans.get(train["kind"], 0))}
    changed = []
    for key, value in new.items():
        was = re.search(rf"(?m)^{key} = (.*)$", text)
        if was and float(was[1]) > value:
            text = text[: was.start(1)] + str(value) + text[was.end(1) :]
            changed.append(f"{key} {was[1]} \u2192 {value}")
    return Wanted(name, text, ", ".join(changed))


def pairs(name):
    """How many channels of the board a preset has pairs for."""
    return min(library.shipped(name)["pairs"], len(boards.load()["channels"]))


def commanded_words(wanted, cfg):
    """What the host says of its order's train; gap, ramps and contractions as played."""
    envelope = wanted.doc["envelope"]
    out = f"{order.train_words(cfg)}, gap {wanted.doc['train']['gap_us']} \u00b5s"
    out += f", up {envelope['ramp_up_s']} s, down {envelope['ramp_down_s']} s"
    if "contractions" in envelope:
        out += f", {envelope['contractions']} contractions"
    return out


def _order(channels, folder, info):
    """The order of {channel: Wanted} at the highest amplitude that each may have."""
    ons, kinds = {}, set()
    for n, wanted in channels.items():
        path = folder / f"{wanted.name}.toml"
        path.write_text(wanted.text)
        ons[n] = f"{n}={path}@"
        kinds.add(wanted.doc["electrode"])
    needle = NEEDLE if "needle" in kinds else None
    zero = order.make(ons=[on + "0mA" for on in ons.values()], needle=needle, acknowledged=(words.DENSE_CODE,))
    most = {part.n: order.highest(zero, part, order.ratings(info))[1] for part in zero.parts}
    asked = order.make(
        ons=[f"{on}{most[n]}uA" for n, on in ons.items()], needle=needle, acknowledged=(words.DENSE_CODE,)
    )
    order.judge(asked, info)
    return asked


def play(dut, channels, folder):
    """Play {channel: Wanted} together. Returns ({channel: row}, [what is wrong]); folder takes the shortened files."""
    asked = _order(channels, folder, dut.greet())
    dut.call("configure", channels=asked.configs, new=1)
    dut.token = dut.call("arm")["token"]
    dut.start()
    result = dut.run_to_end(asked.duration_ms + 1_000)
    wrong = [] if result["stop_reason"] == "time_over" else [f"ended by {result['stop_reason']}"]
    trains = dut.trains()
    rows, firsts = {}, []
    for part in asked.parts:
        if part.n not in trains:
            return {}, [*wrong, f"{channels[part.n].name}, channel {part.n}: no pulse"]
        judge = _Judge(dut, part, channels[part.n], trains.pop(part.n), result["channels"][str(part.n)])
        rows[part.n] = judge.row()
        firsts.append(judge.first_ns)
        wrong += [f"{judge.wanted.name}, channel {part.n}: {sentence}" for sentence in judge.wrong]
    if trains:
        wrong.append(f"channels {sorted(trains)} were not asked for and pulse")
    if max(firsts) - min(firsts) > TOGETHER_NS:
        wrong.append(f"channels started {max(firsts) - min(firsts)} ns apart")
    longest_ms = max(commanded.duration_us(w.doc) for w in channels.values()) / 1000
    said_ms = next(t_us for _n, t_us, kind, _ in dut.events if kind == "end") / 1000 - min(firsts) / MS
    if not -END_MS <= said_ms - longest_ms <= END_SAID_MS or abs(result["duration_ms"] - longest_ms) > END_SAID_MS:
        wrong.append(f"the board says done after {said_ms:.0f} ms, its session took {result['duration_ms']} ms")
    return rows, wrong


def merged(rows):
    """One row of those of several channels that played the same preset: pulses summed, the worst of each figure."""
    out = dict(rows[0], channels=len(rows), pulses=sum(row["pulses"] for row in rows))
    for key in COLUMNS:
        if key.endswith("_ticks") or key in ("amplitude_percent", "net_nc"):
            out[key] = max(row[key] for row in rows)
    out["verdict"] = "PASS" if all(row["verdict"] == "PASS" for row in rows) else "FAIL"
    return out


class _Judge:
    def __init__(self, dut, part, wanted, train, told):
        self.dut, self.part, self.wanted, self.train, self.told = dut, part, wanted, train, told
        self.doc = wanted.doc
        self.full_ua = dut.board.board["full_scale_ua"]
        self.first_ns = train.pulses[0].t_ns
        self.wrong = []
        steps = [(t, ua) for t, name, ua in dut.board.setpoints if name == f"CH{part.n}_UA"]
        self.steps_ns = [t for t, _ in steps]
        self.filters = [Filtered(dut.board.board["filter_tau_us"] * 1000)]
        for t_ns, ua in steps:
            after = Filtered(self.filters[0].tau_ns)
            after._from, after._t_ns, after.target = self.filters[-1].at(t_ns), t_ns, ua
            self.filters.append(after)
        self.last_ua = steps[-1][1] if steps else None

    def say(self, holds, sentence):
        if not holds:
            self.wrong.append(sentence)

    def ua(self, t_ns):
        """Set-point behind the output stage's filter."""
        return self.filters[bisect_right(self.steps_ns, t_ns)].at(t_ns)

    def row(self):
        pulses, asked = self.train.pulses, list(commanded.pulses(self.doc))
        self.say(not self.train.overlaps, "both legs were high")
        self.say(not self.train.truncated, "a pulse was cut")
        self.say(len(pulses) == len(asked), f"{len(pulses)} pulses, commanded {len(asked)}")
        self.say(self.told["pulses"] == len(pulses) and not self.told["truncated"], f"the board tells {self.told}")
        worst = self._edges(pulses, asked)
        low_ns = [b.t_ns - (a.t_ns + a.a_ns + a.gap_ns + a.b_ns) for a, b in pairwise(pulses)]
        self.say(min(low_ns) >= commanded.DEAD_US * TICK_NS, f"legs low for {min(low_ns)} ns between two pulses")
        end_ns = self.first_ns + commanded.duration_us(self.doc) * TICK_NS
        self.say(self.train.last_fall_ns <= end_ns, "a pulse after the session's end")
        percent, net_nc = self._amplitude(end_ns), self._net_nc(pulses)
        return {
            "preset": self.wanted.name,
            "channels": 1,
            "changed": self.wanted.changed,
            "commanded": commanded_words(self.wanted, self.part.cfg),
            "delivered": self._delivered(pulses),
            "pulses": len(pulses),
            **{f"{name}_ticks": round(worst[name] / TICK_NS, 3) for name in FIGURES},
            "amplitude_ma": self.part.amplitude_ua / 1000,
            "amplitude_percent": round(percent, 2),
            "net_nc": round(net_nc, 3),
            "verdict": "FAIL" if self.wrong else "PASS",
        }

    def _edges(self, pulses, asked):
        """Worst deviation of each figure, in ns; the first pulse that is off is told."""
        worst = dict.fromkeys(FIGURES, 0)
        gap_ns, told = self.doc["train"]["gap_us"] * TICK_NS, False
        for k, (pulse, (at_us, width_us)) in enumerate(zip(pulses, asked, strict=False)):
            is_ns = (pulse.t_ns - self.first_ns, pulse.a_ns, pulse.gap_ns, pulse.b_ns)
            be_ns = (at_us * TICK_NS, width_us * TICK_NS, gap_ns, width_us * TICK_NS)
            for name, here, there in zip(FIGURES, is_ns, be_ns, strict=True):
                off = abs(here - there)
                worst[name] = max(worst[name], off)
                if off > EDGE_NS and not told:
                    told = True
                    self.say(False, f"pulse {k + 1}: {name} {here / 1000:g} us, commanded {there / 1000:g} us")
        return worst

    def _amplitude(self, end_ns):
        """Largest distance of the set-point from the ramp, at every pulse and every 10 ms, in % of full scale."""
        target = self.part.amplitude_ua
        times = [p.t_ns + p.a_ns // 2 for p in self.train.pulses] + list(range(self.first_ns, end_ns, 10 * MS))
        off = [abs(self.ua(t) - target * commanded.share(self.doc, (t - self.first_ns) / TICK_NS)) for t in times]
        percent = 100 * max(off) / self.full_ua
        most = min(AMPLITUDE_PERCENT, STEP_PERCENT + AMPLITUDE_PERCENT * target / self.full_ua)
        self.say(percent <= most, f"the set-point is {percent:.2f} % of full scale off the ramp")
        self.say(self.ua(self.first_ns) == 0, "a set-point before the first pulse")
        self.say(self.last_ua == 0 and self.ua(self.dut.board.now_ns) < 0.002 * self.full_ua, "a set-point stands")
        return percent

    def _net_nc(self, pulses):
        """Largest net charge of a pulse, from the set-point in the middle of each phase, in nC; 0 at a steady one."""
        worst = 0.0
        for p in pulses:
            b_ns = p.t_ns + p.a_ns + p.gap_ns
            net = self.ua(p.t_ns + p.a_ns // 2) * p.a_ns - self.ua(b_ns + p.b_ns // 2) * p.b_ns  # uA ns
            self.say(
                abs(net) <= NET_PER_MILLE * self.full_ua * p.a_ns / 1000, f"net charge of a pulse {net / 1e6:.3f} nC"
            )
            worst = max(worst, abs(net) / 1e6)
        return worst

    def _delivered(self, pulses):
        """Periods and widths as counted on the pins."""
        periods = [round((b.t_ns - a.t_ns) / TICK_NS) for a, b in pairwise(pulses)]
        runs = [(period, len(list(same))) for period, same in groupby(periods)]
        if len(set(periods)) > 3:
            text = f"{max(periods)} to {min(periods)} \u00b5s"
        else:
            text = ", ".join(f"{period} \u00b5s \u00d7 {n}" for period, n in runs[:4]) + (
                ", \u2026" if runs[4:] else ""
            )
        widths = sorted({round(p.a_ns / TICK_NS) for p in pulses})
        return text + "; " + "/".join(f"{w}" for w in sorted({widths[0], widths[-1]})) + " \u00b5s a phase"
