"""Runs the faults of `cases.py` on the real image and judges the edges: one row of the table for each run.

A board is booted and brought to full amplitude once for each rate, then every run is a forked child of it. Times are
simulated; nothing here depends on the machine's speed.
"""

from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

from dut import MS, Dut, Refusal
from faults.cases import FAULTS, PASS_MS, Fault, rng_of
from rheobase.emulator import faults as injection
from rheobase.emulator.snapshot import ChildFailed, in_child
from rheocore import messages

COLUMNS = ("id", "fault", "moment", "hz", "bound_ms", "measured_ms", "balanced", "state", "record", "verdict")
PHASE_MAX_NS = 1023_500
RUNNING_MS = {2: 1600, 100: 800, 400: 800}  # to here the ramp is up, and at 2 Hz three pulses are out
WIDTH_US, OTHER_WIDTH_US, GAP_US = 500, 200, 100
CLOCK_NS = 8  # what the two phases of a whole pulse may differ by


@dataclass(frozen=True)
class Run:
    """One row to be: a fault at a moment, at a rate, with a seed or None."""

    fault: Fault
    moment: str
    hz: int
    seed: int | None

    @property
    def id(self):
        tail = "" if self.seed is None else f"-{self.seed}"
        return f"{self.fault.id}/{self.moment}/{self.hz}{tail}"

    @property
    def board(self):
        """Key of the board that it runs on: the rate, and how that was brought up."""
        needs_python = any("python" in event for event in self.fault.what)
        return self.hz, needs_python, self.fault.before if self.fault.before == "time_over" else None


def runs():
    """All runs, in the table's order."""
    return [Run(f, moment, hz, seed) for f in FAULTS for hz in f.rates_hz for moment in f.moments for seed in f.seeds]


def few():
    """One run of each fault, the moments in turn, on as few boards as show every rate: what the test suite repeats."""
    out = []
    for number, fault in enumerate(FAULTS):
        mine = [this for this in runs() if this.fault is fault]
        cheap = [this for this in mine if this.hz == (100 if this.board[1] or number % 4 else 400)] or mine
        out.append(cheap[number % len(cheap)])
    return out


def live_board(image, key):
    """A Dut at full amplitude: channel 1 at the rate, channel 2 at 100 Hz, both 4 mA."""
    hz, needs_python, before = key
    dut = Dut(image, boot=not needs_python)
    if needs_python:
        injection.python_ready(dut.board)
    duration_ms = 1500 if before == "time_over" else 30_000
    train = {"width_us": WIDTH_US, "gap_us": GAP_US, "amplitude_ua": 4000, "duration_ms": duration_ms}
    dut.load({1: {**train, "period_us": 1_000_000 // hz}, 2: {**train, "width_us": OTHER_WIDTH_US}})
    dut.start()
    dut.run_ms(700 if before else RUNNING_MS[hz])
    return dut


def run(dut, this):
    """Let it happen to `dut` and judge. Returns (row, [what is wrong])."""
    fault = this.fault
    if fault.after == "soft_reset":
        dut.alive = False  # its lines would go to the REPL
    if fault.before == "paused":
        dut.call("pause")
    schedule = _happen(dut, this)
    watch_ms = fault.watch_ms + (2_000 / this.hz if fault.period_counts else 0)
    dut.run_ms(watch_ms)
    told = _reach(dut, fault)
    return _Judge(dut, this, schedule, told).row()


def _happen(dut, this):
    """Inject; returns the schedule, its first event fired."""
    fault = this.fault
    rng = rng_of(fault, this.seed)
    events = []
    for number, what in enumerate(fault.what or ({"draining": True},)):
        when = {"after_ms": 0} if fault.before == "paused" else {"after_ms": 0, "moment": this.moment}
        if number:
            when = {"at_ms": dut.board.now_ns / MS + fault.later_ms + 3_000 / this.hz}
        what = dict(what)
        if "random" in what:
            what["random"] = {**what["random"], "seed": rng.randrange(1 << 30)}
        events.append({**when, **what})
    schedule = injection.schedule(injection.parse(events, dut.board.board), dut.board)
    assert dut.board.run_until(lambda: schedule.fired, 2_000 * MS), "the moment did not come"
    if fault.host:
        fault.host(dut, rng)
    return schedule


def _reach(dut, fault):
    """Reach the board after the fact; returns its status, or None if it cannot be reached for good."""
    board = dut.board
    if fault.after == "dead":
        return None
    if fault.after == "reset":
        booted = board.run_until(lambda: board.engine.resets > 1 and board.usb.connected, 4_000 * MS)
        if not booted:
            return {"state": "no reset", "fault": None}
        dut.run_ms(300)
    undo = {"reconnect": {"usb": "opened"}, "replug": {"usb": "plugged"}, "drain": {"draining": True}}.get(fault.after)
    if undo:
        injection.schedule(injection.parse([{"at_ms": board.now_ns / MS, **undo}], board.board), board)
        dut.run_ms(200)
    if fault.after in ("reset", "soft_reset", "replug"):
        dut.token = 0
        dut._line.clear()
    if fault.after == "soft_reset":
        dut.alive = False
        board.send(b"\x02")
        dut.run_ms(20)
        board.send(b"\x04")
        dut.run_ms(600)
        board.send(b"\n")
        dut.run_ms(50)
    if fault.after in ("reset", "soft_reset", "replug"):
        info = dut.greet()
        return {**dut.call("status"), "cause": info["reset_cause"], "was": info["was"]}
    return dut.call("status")


class _Judge:
    def __init__(self, dut, this, schedule, told):
        self.dut, self.this, self.schedule, self.told = dut, this, schedule, told
        self.t_ns = schedule.fired[0][0]
        self.fault = this.fault
        self.trains = dut.trains(CLOCK_NS)
        self.wrong = []

    def say(self, holds, sentence):
        if not holds:
            self.wrong.append(sentence)

    def row(self):
        fault, told = self.fault, self.told
        state = told["state"] if told else "dead"
        went_on = state in messages.LIVE
        expects_on = fault.promise == "on" or (fault.promise == "either" and went_on)
        name = self._name()
        bound_ms, measured_ms, balanced = None, None, None
        if fault.foreign:
            bound_ms, measured_ms = fault.bound_ms, self._foreign_ms()
            self.say(measured_ms <= bound_ms, f"foreign pulses for {measured_ms} ms, the bound is {bound_ms} ms")
        if expects_on:
            self._judge_there()
            self._judge_on(state)
        else:
            bound_ms = self._bound_ms()
            measured_ms = self._foreign_ms() if fault.foreign else self._off_ms()
            balanced = self._manner()
            self._judge_off(state, name, bound_ms, measured_ms, balanced)
        if fault.shape:
            self._judge_shape()
        row = (
            self.this.id,
            fault.id,
            self.this.moment,
            self.this.hz,
            bound_ms,
            measured_ms,
            balanced or "goes on",
            state,
            name,
            "FAIL" if self.wrong else "PASS",
        )
        return dict(zip(COLUMNS, row, strict=True)), self.wrong

    def _bound_ms(self):
        fault = self.fault
        if fault.before == "time_over":
            start_ns = min(t for t, *_ in self.dut.leg_edges())
            return round((start_ns - self.t_ns) / MS + 1500 + messages.CUTOFF_MARGIN_MS + 2, 3)
        if fault.period_counts:
            return max(fault.bound_ms, 1000 / self.this.hz + PASS_MS)
        return fault.bound_ms

    def _off_ms(self):
        falls = [t for t, _name, level in self.dut.leg_edges() if t > self.t_ns and not level]
        return round((max(falls) - self.t_ns) / MS, 6) if falls else 0.0

    def _foreign_ms(self):
        """From the fault to the last fall of a pulse that is not as commanded."""
        wrong = [0]
        for n, train in self.trains.items():
            odd = self._odd(n, train)
            wrong += [p.t_ns + p.a_ns + p.gap_ns + p.b_ns - self.t_ns for p in odd if p.t_ns > self.t_ns]
            last_ns = max(t for t, name, level in self.dut.leg_edges() if name == f"CH{n}_A" and level)
            wrong += [t - self.t_ns for t in train.truncated if self.t_ns < t < last_ns]
        return round(max(wrong) / MS, 6)

    def _odd(self, n, train):
        """Whole pulses that are not the ones commanded."""
        width_ns = 1000 * (WIDTH_US, OTHER_WIDTH_US)[n - 1]
        return [p for p in train.pulses if (p.a_ns, p.gap_ns, p.b_ns) != (width_ns, GAP_US * 1000, width_ns)]

    def _manner(self):
        """How the pulses ended: the last one whole, or cut, or wrong before."""
        trains = self.trains.values()
        odd = any(len(t.truncated) > 1 or t.overlaps for t in trains)
        odd = odd or any(max(p.a_ns, p.b_ns) > PHASE_MAX_NS for t in trains for p in t.pulses)
        return "no" if odd else "cut" if any(t.truncated for t in trains) else "yes"

    def _judge_shape(self):
        for n, train in self.trains.items():
            self.say(not train.overlaps, "both legs high")
            self.say(len(train.truncated) <= 1, "more than one pulse was cut")
            if not self.fault.foreign:
                self.say(not self._odd(n, train), f"channel {n}: a whole pulse is not the one commanded")
            long = [p for p in train.pulses if max(p.a_ns, p.b_ns) > PHASE_MAX_NS]
            self.say(not long, "a phase is longer than its field")

    def _name(self):
        """What telemetry, events and the handshake say; None if nobody can say it any more."""
        if not self.told:
            return None
        name = self.told["fault"]
        if name is None:
            ends = [detail for _n, _t, kind, detail in self.dut.events if kind == "end"]
            name = ends[-1] if ends else None
        was = self.told.get("was")
        return f"{name}, was {was}" if was and name in ("watchdog", "reset") else name

    def _judge_there(self):
        """A fault that output survives may as well not have happened: something must show that it did."""
        fault = self.fault
        if fault.shown:
            self.say(fault.shown(self.dut, self.t_ns), "nothing shows that the fault was there")
        else:
            self.say(not self.schedule.missing, "the fault has not happened, or not to its end")

    def _judge_on(self, state):
        self.say(state in messages.LIVE, f"output ended: {state}, {self._name()}")
        if self.fault.counts:
            for n, period_ns in ((1, 1_000 * MS // self.this.hz), (2, 10 * MS)):
                self.say(set(self.trains[n].periods_ns) == {period_ns}, f"channel {n}: a period is off")
                began_ns = max(t for t, name, level in self.dut.leg_edges() if name == f"CH{n}_A" and level)
                self.say(set(self.trains[n].truncated) <= {began_ns}, f"channel {n}: a pulse was cut")
                silent_ns = self.dut.board.now_ns - began_ns
                self.say(silent_ns <= period_ns, f"channel {n}: no pulse for {silent_ns / MS} ms")

    def _judge_off(self, state, name, bound_ms, measured_ms, balanced):
        fault, dut = self.fault, self.dut
        if not fault.foreign:
            self.say(measured_ms <= bound_ms, f"off after {measured_ms} ms, the bound is {bound_ms} ms")
        self.say((name or "").split(",")[0] in [n or "" for n in fault.names], f"the board says {name}")
        self.say(balanced == "yes" or not fault.balanced, "a pulse was cut")
        self.say(not any(dut.board.level(n) for n in dut.board._levels if n.startswith("CH")), "a leg is high")
        if not self.told:
            return
        last = {name: ua for _t, name, ua in dut.board.setpoints}
        self.say(not any(last.values()), f"a set-point stands: {last}")
        if fault.after is None and fault.counts:
            self._judge_counts()
        if state == "fault":
            self._judge_next_start()
        else:
            self.say(state == "done" and fault.names == ("stop_command",), f"state {state}: not latched")

    def _judge_counts(self):
        for n, channel in self.dut.call("result")["channels"].items():
            train = self.trains[int(n)]
            pins = (len(train.pulses), len(train.truncated))
            self.say((channel["pulses"], channel["truncated"]) == pins, f"channel {n}: {channel}, on the pins {pins}")

    def _judge_next_start(self):
        """Latched: nothing starts before it is cleared, nor clears while the cause is there."""
        dut = self.dut
        self.say(self._refused("configure", channels={"1": {}}) == "fault", "a latched fault does not refuse")
        if self.fault.id == "clock-changed":  # and it stays changed until a reset
            self.say(self._refused("clear_fault") == "not_gone", "cleared with its cause still there")
            return
        if self.fault.id in ("interlock-open", "interlock-floating", "interlock-open-paused", "supply-low"):
            self.say(self._refused("clear_fault") == "not_gone", "cleared with its cause still there")
            dut.board.set_interlock(True)
            dut.board.set_supply_mv(dut.board.board["supply_mv"])
        self.say(self._refused("clear_fault") is None and dut.call("status")["state"] == "idle", "it cannot be cleared")
        again = self._refused("start", token=dut.token)
        self.say(again in ("wrong_state", "bad_token"), "it starts without being armed")

    def _refused(self, method, **params):
        try:
            self.dut.call(method, **params)
        except Refusal as refusal:
            return refusal.args[0]
        return None


# -- many runs ---------------------------------------------------------------------------------------------------

_boards = {}
_wanted = []


def _in_worker(number):
    """A run cannot travel to a worker process (it has functions), its number can."""
    this = _wanted[number]
    try:
        return in_child(run, _boards[this.board], this, timeout_s=600.0)
    except ChildFailed as failure:  # the bench itself, or a board that cannot be reached
        cells = (this.id, this.fault.id, this.moment, this.hz, None, None, None, None, None, "FAIL")
        return dict(zip(COLUMNS, cells, strict=True)), [str(failure).strip().rsplit("\n", 1)[-1]]


def table(image, wanted, workers=2, say=lambda row, wrong: None):
    """Rows of `wanted` in their order. say(row, wrong) is called as they come."""
    _wanted[:] = wanted
    for key in sorted({this.board for this in wanted}, key=str):
        if key not in _boards:
            _boards[key] = live_board(image, key)
    rows = []
    with ProcessPoolExecutor(workers, mp_context=get_context("fork")) as pool:
        for row, wrong in pool.map(_in_worker, range(len(wanted))):
            say(row, wrong)
            rows.append(row)
    return rows
