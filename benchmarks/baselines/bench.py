"""Runs one case on the emulated board and returns its row. Simulated time only: the machine's speed is in no figure."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
for _folder in ("host", "firmware/lib", "tests/e2e"):
    sys.path.insert(0, str(ROOT / _folder))

import cases  # noqa: E402
import figures  # noqa: E402
from dut import MS, Dut  # noqa: E402
from rheobase.emulator import EmulatedBoard, cpu, faults, rawrepl  # noqa: E402

_FIRST_PULSE_NS = 2_000 * MS
_COLLECT = """
import gc, machine
collector = machine.Timer(period={}, tick_hz=1_000_000, callback=lambda t: gc.collect())
from rheorp2 import app
app.main()
"""
_WAIT = "import time\nwhile True:\n    time.sleep_ms(10)"


def probe(image_bin):
    """(True if machine.Timer takes hard=True, what it says otherwise)."""
    board = _fresh(image_bin)
    code = (
        "import machine\n"
        "try:\n    machine.Timer(period=1000, hard=True, callback=print).deinit()\n    print('ok')\n"
        "except TypeError as error:\n    print('TypeError:', error)\n"
    )
    said = rawrepl.finish(board, rawrepl.start(board, code)).strip()
    return said == "ok", said


def timing(image_bin, maker, train, condition):
    """Row of a maker's train under a condition."""
    source = _Rheobase if maker.name == cases.RHEOBASE else _Script
    run = source(image_bin, maker, train, collect=condition == "garbage")
    if condition == "USB":
        run.talk()
    run.watch(train.seconds * 1000 + 2 * train.period_us / 1000)
    row = {"maker": maker.name, "train": train.name, "condition": condition}
    row |= figures.figures(run.edges, train)
    row["answers"] = run.answers if condition == "USB" else None
    if train == cases.TRAINS[0]:
        row["points"] = figures.points(run.edges, train)
    return row


def hang(image_bin, maker, how, watchdog):
    """Row of what a maker's legs do once its program hangs. watchdog: a baseline arms machine.WDT as well."""
    train = cases.TRAINS[0]
    if maker.name == cases.RHEOBASE:
        run = _Rheobase(image_bin, maker, train, python=how == "waits")
    else:
        run = _Script(image_bin, maker, train, watchdog=watchdog)
    t_ns = run.hang(how)
    run.watch(cases.HANG_SECONDS * 1000)
    row = {"maker": maker.name, "how": how, "watchdog": watchdog}
    return row | figures.after_hang(run.edges, t_ns, t_ns + cases.HANG_SECONDS * 1000 * MS, train)


def _fresh(image_bin):
    """A board at a raw REPL with nothing of Rheobase running."""
    board = EmulatedBoard(image_bin)
    board.boot()
    rawrepl.enter(board)
    rawrepl.soft_reset(board)
    return board


class _Run:
    """A board whose train has begun. Its legs are CH1_A and CH1_B in `edges`, whatever pins they are on."""

    board: EmulatedBoard

    def begun(self):
        came = self.board.run_until(lambda: self.edges, _FIRST_PULSE_NS)
        assert came, f"no pulse came: {bytes(self.board.received[-400:])!r}"

    def _legs(self):
        return self.board.edges

    @property
    def edges(self):
        return [edge for edge in self._legs() if edge[1] in ("CH1_A", "CH1_B")]

    def watch(self, ms):
        self.board.run_for(round(ms * MS))

    def talk(self):
        """A host asks from now on."""
        self.ask()
        self.board.at(self.board.now_ns + round(cases.LINE_MS * MS), self.talk)

    def hang(self, how):
        """Let it hang in this manner; returns when it did."""
        board = self.board
        board.run_for(cases.HANG_AFTER_MS * MS)
        if how == "waits":
            t_ns = board.now_ns
            self.wait_for_ever()
            return t_ns
        start = len(board.edges)
        assert board.run_until(lambda: any(e[1:] == ("CH1_A", 1) for e in board.edges[start:]), 100 * MS)
        board.run_for(20_000)
        if how == "locks up":
            board.mcu.core.pm = False  # a lock-up asks for no interrupt to be enabled
            cpu.die(board)
        else:
            cpu.hang(board)
        return board.now_ns


class _Script(_Run):
    """A baseline, through the raw REPL."""

    def __init__(self, image_bin, maker, train, collect=False, watchdog=False):
        self.board = _fresh(image_bin)
        self._leg_b = "CH2_A" if maker.name == "PWM" else "CH1_B"
        self._id = 0
        self._start = rawrepl.start(self.board, cases.script(maker, train, collect, watchdog))
        self.begun()

    def _legs(self):
        return [(t, "CH1_B" if name == self._leg_b else name, level) for t, name, level in self.board.edges]

    def ask(self, method="status"):
        self._id += 1
        self.board.send(b'{"id": %d, "method": "%s", "params": {"verbose": false}}\n' % (self._id, method.encode()))

    def wait_for_ever(self):
        self.ask("wait")

    @property
    def answers(self):
        return self.board.received[self._start :].count(b"\n")


class _Rheobase(_Run):
    """The product, through its link. collect: the same collector runs beside it. python: faults may run Python."""

    def __init__(self, image_bin, maker, train, collect=False, python=False):
        self._dut = Dut(image_bin, boot=not python)
        self.board = self._dut.board
        if python:
            faults.python_ready(self.board)
        if collect:
            rawrepl.enter(self.board)
            rawrepl.start(self.board, _COLLECT.format(round(cases.COLLECT_MS * 1000)))
            self.watch(200)
        config = {"period_us": train.period_us, "width_us": train.width_us, "gap_us": train.gap_us}
        config["duration_ms"] = train.seconds * 1000 + 4000
        if train.cycle > train.pulses:
            config |= {"kind": "burst", "burst_period_us": train.cycle * train.period_us, "burst_pulses": train.pulses}
        self._dut.load({1: config})
        self._dut.start()
        self._asked = len(self._dut.replies)
        self.begun()

    def ask(self):
        self._dut.post("status")

    def wait_for_ever(self):
        event = {"after_ms": 0, "python": _WAIT, "moment": "rest"}
        schedule = faults.schedule(faults.parse([event], self.board.board), self.board)
        assert self.board.run_until(lambda: schedule.fired, 500 * MS)

    @property
    def answers(self):
        return len(self._dut.replies) - self._asked
