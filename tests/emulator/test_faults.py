"""The fault language: each `when` and each `what` does what it says, at its time, on the unmodified image.

The session is that of fault_session.py; `usb` and `draining` are in test_fault_usb.py. Times are simulated.
"""

import json
import random
import re
from pathlib import Path

import pytest
from dut import MS
from emulator.fault_session import BOARD, begun, last_edge_ms
from rheobase.emulator import cpu, faults
from rheobase.emulator.engine import EmulatorError
from rheobase.measure import trains

NOTHING = {"gain": {"3": 1}}  # channel 3 plays nothing
DOCS = (Path(__file__).parents[2] / "docs" / "faults.md").read_text()


# -- when ------------------------------------------------------------------------------------------------------------


def times(dut):
    at_ms = dut.board.now_ns / MS + 70
    first_ns, schedule = begun(
        dut,
        {"at_ms": at_ms, **NOTHING},
        {"after_ms": 60.0005, **NOTHING},
        {"after_ms": 0, "moment": "leg_a", **NOTHING},
        {"after_ms": 25, "moment": "leg_a", **NOTHING},
        {"after_ms": 25, "moment": "leg_a", "channel": 2, **NOTHING},
        {"after_ms": 20.1, "moment": "gap", **NOTHING},
        {"after_ms": 25, "moment": "gap", **NOTHING},
        {"after_ms": 25, "moment": "rest", **NOTHING},
        {"at_ms": at_ms, "moment": "rest", "channel": 2, **NOTHING},
        ms=120,
    )
    return round(at_ms * MS), first_ns, dict((index, t) for t, index in schedule.fired), trains(dut.board.edges)


def test_events_come_at_the_nanosecond_they_say(armed):
    """`gap` at 20.1 ms is asked for in leg A of a pulse: the next pulse is the one after it."""
    at_ns, first_ns, fired, played = armed(times)
    one, two = ([p for p in played[n].pulses] for n in (1, 2))
    assert fired[0] == at_ns
    assert fired[1] == first_ns + 60_000_500
    assert fired[2] == one[0].t_ns + 20_000
    assert fired[3] == one[2].t_ns + 20_000
    assert fired[4] == next(p.t_ns for p in two if p.t_ns >= first_ns + 25 * MS) + 20_000
    assert fired[5] == fired[6] == one[2].t_ns + 200_000 + 20_000
    assert fired[7] == one[2].t_ns + 500_000 + 200_000
    after = next(p for p in two if p.t_ns >= at_ns)
    assert fired[8] == after.t_ns + after.a_ns + after.gap_ns + after.b_ns + 200_000


def late(dut):
    """Scheduled in the middle of a session: the first edge was long ago."""
    first_ns, _ = begun(dut, ms=25)
    now_ns = dut.board.now_ns
    plan = faults.parse([{"at_ms": 1, "interlock": "closed"}, {"after_ms": 30, "interlock": "closed"}], BOARD)
    schedule = faults.schedule(plan, dut.board)
    dut.run_ms(10)
    return first_ns, now_ns, schedule.fired


def test_a_plan_may_be_scheduled_in_the_middle_of_a_session(armed):
    first_ns, now_ns, fired = armed(late)
    assert fired == [(now_ns, 0), (first_ns + 30 * MS, 1)]


# -- what ------------------------------------------------------------------------------------------------------------


def interlock(dut, value, expected):
    first_ns, schedule = begun(dut, {"after_ms": 30, "moment": "leg_a", "interlock": value}, ms=100)
    at_ns = schedule.fired[0][0]
    edges = [(t - at_ns, level) for t, name, level in dut.board.edges if name == "INTERLOCK"][1:]
    assert edges == expected
    assert 0 <= last_edge_ms(dut, at_ns) * MS <= 100  # ns: it is the guard that ends output
    assert dut.call("status")["fault"] == "interlock_open"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("open", [(0, 0)]),
        ("floating", [(0, 0)]),
        (
            {"chatter_hz": 1000, "for_ms": 2.2},
            [(0, 0), (500_000, 1), (1_000_000, 0), (1_500_000, 1), (2_000_000, 0), (2_200_000, 1)],
        ),
    ],
)
def test_interlock_opens_floats_and_chatters(armed, value, expected):
    armed(interlock, value, expected)


def stage(dut):
    stage = dut.board.stage
    event = {"load": {"1": "open", "2": 500}, "gain": {"3": 1.4}, "supply_mv": 4100}

    def now():
        return [stage.channels[1].load.name, stage.channels[2].load.name, stage.channels[3].gain, stage.supply_mv]

    before = now()
    at_ms = dut.board.now_ns / MS + 1
    faults.schedule(faults.parse([{"at_ms": at_ms, **event}], BOARD), dut.board)
    dut.run_ms(0.99)
    assert now() == before
    dut.run_ms(0.02)
    return now()


def test_load_gain_and_supply_change_the_output_stage(armed):
    assert armed(stage) == ["open", "ohms:500", 1.4, 4100]


def power_cycle(dut):
    resets = dut.board.engine.resets
    first_ns, schedule = begun(dut, {"after_ms": 30, "moment": "leg_a", "reset": True}, ms=41)
    assert dut.board.engine.resets == resets + 1
    return last_edge_ms(dut, schedule.fired[0][0])


def test_reset_is_a_power_cycle(armed):
    assert armed(power_cycle) == 0  # the leg falls with the power


def ctrl_c(dut):
    _, schedule = begun(dut, {"after_ms": 30, "moment": "rest", "send": "\u0003"}, ms=200)
    assert b"rheobase: output off" in dut.board.received
    return last_edge_ms(dut, schedule.fired[0][0])


def test_send_is_what_a_host_sends(armed):
    assert armed(ctrl_c) <= 10


def stopped(dut, how):
    """The CPU stopped for good, 250 ms later: (stopped, ms to the last edge, pulses cut)."""
    _, schedule = begun(dut, {"after_ms": 30, "moment": "gap", "cpu": how}, ms=290)
    return cpu.stopped(dut.board), last_edge_ms(dut, schedule.fired[0][0]), trains(dut.board.edges)[1].truncated


def paused(dut, how):
    """Stopped for 40 ms: (stopped before that, after it, and whether the session goes on 150 ms later)."""
    _, schedule = begun(dut, {"after_ms": 30, "moment": "gap", "cpu": how, "for_ms": 40}, ms=79)
    before = cpu.stopped(dut.board)
    dut.run_ms(3)
    after = cpu.stopped(dut.board)
    dut.run_ms(150)
    return before, after, last_edge_ms(dut, schedule.fired[0][0]) > 130 and dut.state()


@pytest.mark.parametrize("how", ["hang", "dead"])
def test_a_stopped_cpu_ends_output_by_the_lease_and_a_short_stall_does_not(armed, how):
    still, off_ms, truncated = armed(stopped, how)
    assert still
    assert 50 < off_ms <= 200
    assert not truncated
    assert armed(paused, how) == (True, False, "ramp_up")


def poked(dut):
    _, schedule = begun(dut, {"after_ms": 30, "moment": "rest", "poke": {"0x50200034": "0x10", "0x4005800C": 7}}, ms=90)
    return last_edge_ms(dut, schedule.fired[0][0]), dut.board.peek(0x4005800C)


def test_poke_writes_words_to_the_bus(armed):
    """The hold flag: nothing begins any more, and the pulse in play of channel 2 completes."""
    off_ms, word = armed(poked)
    assert off_ms <= 1
    assert word == 7


def overwritten(dut, *values):
    """[(words before, words after)] of channel 2's place that each `random` is for, looked at in the same instant."""
    board = dut.board
    look = {
        "ring": lambda: [board.peek((board.peek(0x50000040) & -512) + 4 * i) for i in range(128)],
        "fifo": lambda: board.mcu.pio[0].machines[1].tx_fifo.items,
        "program": lambda: list(board.mcu.pio[0].instructions),
    }
    begun(dut, ms=41)
    out = []
    for value in values:
        before = look[value["where"]]()
        for action in faults.parse([{"at_ms": 0, "channel": 2, "random": value}], BOARD)[0].actions:
            action(board)
        out.append((before, look[value["where"]]()))
    return out


def changed(before, after):
    return sum(old != new for old, new in zip(before, after, strict=True))


def test_random_overwrites_the_whole_ring_with_words_of_its_seed(armed):
    seven, eight, again = armed(overwritten, *({"where": "ring", "seed": seed} for seed in (7, 8, 7)))
    draw = random.Random(7)
    draw.sample(range(128), 128)
    assert changed(*seven) == changed(*eight) == 128
    assert seven[1] == again[1] == [draw.getrandbits(32) for _ in range(128)]


PLACES = {"ring": 128, "fifo": 4, "program": 32}


def test_random_overwrites_as_many_words_as_it_says(armed):
    """One of all may be the same as before by chance; instructions have 16 bits."""
    two = armed(overwritten, *({"where": where, "seed": 3, "words": 2} for where in PLACES))
    every = armed(overwritten, *({"where": where, "seed": 3} for where in PLACES))
    assert [changed(*pair) for pair in two] == [2, 2, 2]
    for (before, after), size in zip(every, PLACES.values(), strict=True):
        assert len(before) == len(after) == size
        assert changed(before, after) >= size - 1
    assert max(every[2][1]) < 1 << 16


def no_ring_yet(dut):
    faults.schedule(faults.parse([{"at_ms": 0, "random": {"where": "ring", "seed": 1}}], BOARD), dut.board)
    with pytest.raises(EmulatorError, match="Channel 1 has no DMA ring yet"):
        dut.run_ms(1)


def test_a_ring_that_is_not_there_is_told(armed):
    armed(no_ring_yet)


# -- python ----------------------------------------------------------------------------------------------------------


def pythons(dut):
    """GPIO21 and 22 moved by several events, one of which raises; then a reset, and one that comes too late."""
    out = "Pin(21).value"
    first_ns, schedule = begun(
        dut,
        {"after_ms": 30, "python": "from machine import Pin\nPin(21, Pin.OUT).value(1)\nPin(22, Pin.OUT).value(0)"},
        {"after_ms": 34, "python": f"{out}(0)\nraise ValueError('on purpose')"},
        {"after_ms": 38, "moment": "leg_a", "python": f"{out}(1)"},
        {"after_ms": 45, "moment": "rest", "channel": 2, "python": f"{out}(0)"},
        {"after_ms": 70, "python": f"{out}(1)"},
        {"after_ms": 70, "python": "Pin(22).value(1)"},
        {"after_ms": 90, "python": "import machine\nmachine.reset()"},
        {"after_ms": 105, "python": f"{out}(1)"},
        ms=88,
    )
    alive = last_edge_ms(dut, first_ns)
    resets = dut.board.engine.resets
    dut.run_ms(30)
    edges = [(t, name, level) for t, name, level in dut.board.edges if name in ("GPIO21", "GPIO22")]
    noise = b"".join(dut.noise)
    return schedule.fired, edges, alive, noise, dut.board.engine.resets - resets, first_ns


def test_python_runs_within_2_ms_of_its_moment_one_after_another(armed):
    fired, edges, alive, noise, resets, first_ns = armed(pythons)
    at = {index: t for t, index in fired}
    assert sorted(at) == [0, 1, 2, 3, 4, 5, 6]  # the last has nobody left to run it
    assert [at[n] - first_ns for n in (0, 1, 4, 5, 6)] == [n * MS for n in (30, 34, 70, 70, 90)]
    moved = {0: ("GPIO21", 1), 1: ("GPIO21", 0), 2: ("GPIO21", 1), 3: ("GPIO21", 0), 4: ("GPIO21", 1), 5: ("GPIO22", 1)}
    for (t_ns, *what), (index, expected) in zip(edges, moved.items(), strict=False):
        assert tuple(what) == expected
        assert 0 < t_ns - at[index] < 2 * MS
    assert alive > 70  # an exception in a handler ends nothing
    assert b"on purpose" in noise
    assert resets == 1


def unready(dut):
    dut.board.mailbox = None
    with pytest.raises(EmulatorError, match="has `python`, and the board is not ready for it"):
        faults.schedule(faults.parse([{"at_ms": 1, "python": "pass"}], BOARD), dut.board)


def test_python_needs_a_board_that_is_ready_for_it(armed):
    plan = faults.parse([{"at_ms": 1, "python": "pass"}], BOARD)
    assert faults.needs_python(plan)
    assert not faults.needs_python(faults.parse([{"at_ms": 1, "cpu": "hang"}], BOARD))
    armed(unready)


# -- the page ----------------------------------------------------------------------------------------------------------


def status(dut):
    """The state and fault that the board tells once it answers again."""
    dut._line.clear()
    dut.greet()
    return dut.call("status")["state"], dut.call("status")["fault"]


def example(dut, number):
    """Example `number` of the page: the fall-out."""
    events = json.loads(re.findall(r"```json\n(.*?)```", DOCS, re.S)[number])
    resets = dut.board.engine.resets
    _, schedule = begun(dut, *events, ms=150)
    dut.run_ms(200)
    off_ms = last_edge_ms(dut, schedule.fired[0][0])
    dut.token = 0  # no keep-alive: nothing for a board that may be at its prompt
    if number and dut.board.engine.resets == resets:
        assert dut.board.run_until(lambda: dut.board.engine.resets > resets, 3000 * MS)
    dut.run_ms(100)
    return off_ms, trains(dut.board.edges)[1].truncated, status(dut)


@pytest.mark.parametrize(
    ("number", "off_ms", "cut", "fault"),
    [(0, 0.0001, 1, "interlock_open"), (1, 200, 0, "watchdog"), (2, 200, 0, "internal")],
)
def test_the_examples_of_the_page_do_what_it_says(armed, number, off_ms, cut, fault):
    last_ms, truncated, told = armed(example, number)
    assert 0 <= last_ms <= off_ms
    assert len(truncated) == cut
    assert told == ("fault", fault)
