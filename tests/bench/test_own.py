"""From the counters that the board stores to times: exact across the counter's turn, refused where they may lie."""

import base64
import random

import numpy as np
import pytest
from rheobase.bench import looks, own
from rheobase.bench.looks import TURN
from rheobase.errors import RheoError, UsageError

HZ = 125_000_000
LOOK_PS = 16_000
TOP = TURN - 1


def stored(found):
    """Counters that a wire stores whose edges are found by these looks: every other look counts down by one."""
    return np.array([(TOP - (at - k)) % TURN for k, at in enumerate(found)], dtype=np.uint32)


def wire(found, end, full=False, stalled=False):
    """(CAPTURED_WIRE, words): the last look that was taken is number `end`."""
    left = None if full else (TOP - (end + 1 - len(found))) % TURN
    return {"count": len(found), "full": full, "stalled": stalled, "left": left}, stored(found)


def decode(took_ms=None, **wires):
    rows = {name: row for name, (row, _) in wires.items()}
    if took_ms is None:
        took_ms = 1000
    head = {"clk_hz": HZ, "began_ms": 5, "took_ms": took_ms, "wires": rows}
    return looks.decode(head, {name: words for name, (_, words) in wires.items()}, "here", "this")


@pytest.mark.parametrize("seed", range(20))
def test_looks_are_exact_also_where_the_counter_comes_round(seed):
    rng = random.Random(seed)
    at, found = 0, []
    for _ in range(rng.randrange(1, 60)):
        at += rng.choice((1, 1, 2, 3, 12_500, rng.randrange(1, 10**6), rng.randrange(1, TURN)))
        found.append(at)
    assert list(looks.samples(stored(found))) == found


def test_a_capture_has_the_times_the_bounds_and_the_words():
    capture = decode(CH1_B=wire([100, 700, 900], 1000), CH1_A=wire([50, 60], 999), INTERLOCK=wire([0, 800], 1000))
    assert list(capture.signals) == ["CH1_A", "CH1_B", "INTERLOCK"]
    assert list(capture.signals["CH1_B"].edges_ps) == [100 * LOOK_PS, 700 * LOOK_PS, 900 * LOOK_PS]
    assert (capture.signals["INTERLOCK"].initial, list(capture.signals["INTERLOCK"].edges_ps)) == (1, [800 * LOOK_PS])
    assert (capture.start_ps, capture.end_ps, capture.resolution_ps) == (0, 999 * LOOK_PS, LOOK_PS)
    assert capture.own_clock and capture.torn is None and (capture.source, capture.instrument) == ("here", "this")


def test_a_wire_without_an_edge_has_an_end_all_the_same():
    assert decode(CH1_A=wire([], 777)).end_ps == 777 * LOOK_PS


def test_a_full_wire_ends_the_capture_for_all():
    found = [1000 * k for k in range(1, 21)]
    capture = decode(CH1_A=wire(found[:10], 0, full=True, stalled=True), CH1_B=wire(found, 30_000))
    assert capture.torn == "room for CH1_A was full at 0.160 ms: later edges are missing"
    assert capture.end_ps == 10_000 * LOOK_PS and len(capture.signals["CH1_B"].edges_ps) == 10


@pytest.mark.parametrize("full", [False, True])
def test_edges_that_came_too_fast_to_be_stored_are_said_not_told(full):
    """Nine within the time that the DMA may need: a stall before the end cannot be excluded; it shifts all times."""
    fast = [1000, *range(2000, 2009), 90_000]
    with pytest.raises(RheoError, match="faster than the board could store") as error:
        decode(CH1_A=wire(fast, 100_000, full=full, stalled=True))
    assert (error.value.code, error.value.exit_code) == ("capture_stalled", 7)


def test_a_burst_of_edges_without_a_stall_is_fine():
    assert decode(CH1_A=wire([1000, *range(2000, 2030), 90_000], 100_000)).edges == 32


@pytest.mark.parametrize("gap", [TURN - 20_000, TURN + 5])
def test_a_long_silence_is_told_where_it_can_be_and_said_where_it_cannot(gap):
    """One turn is 68.7 s. Lost without a trace between two edges, or after the last: nobody can tell."""
    found = [1000, 1000 + gap]
    took_ms = (found[1] + 5_000) * LOOK_PS // 10**9
    if gap < TURN:
        assert list(decode(took_ms, CH1_A=wire(found, found[1] + 5_000)).signals["CH1_A"].edges_ps // LOOK_PS) == found
    else:
        with pytest.raises(RheoError, match="CH1_A was still for more than 68 s") as error:
            decode(took_ms, CH1_A=wire(found, found[1] + 5_000))
        assert (error.value.code, error.value.exit_code) == ("capture_ambiguous", 7)


def test_a_long_capture_with_edges_all_along_is_exact():
    found = [k * 10**9 for k in range(1, 60)]  # 16 s apart, for 15 minutes
    capture = decode(60 * 16_000, CH1_A=wire(found, 60 * 10**9))
    assert list(capture.signals["CH1_A"].edges_ps // LOOK_PS) == found
    assert capture.end_ps == 60 * 10**9 * LOOK_PS


def test_after_a_turn_a_full_wire_cannot_be_checked():
    found = [10**9, 2 * 10**9]
    with pytest.raises(RheoError):
        decode(70_000, CH1_A=wire(found, 0, full=True))


# -- the wires and the words -----------------------------------------------------------------------------------------


def test_wires_are_two_channels_or_one_and_the_interlock():
    assert own.wires([2, 1]) == ["CH1_A", "CH1_B", "CH2_A", "CH2_B"]
    assert own.wires([3], interlock=True) == ["CH3_A", "CH3_B", "INTERLOCK"]
    assert own.wires([], interlock=True) == ["INTERLOCK"]
    for channels, interlock in (([1, 2, 3], False), ([1, 2], True), ([], False)):
        with pytest.raises(UsageError):
            own.wires(channels, interlock)


def test_room_is_for_every_pulse_of_the_train():
    assert own.room(own.TRAIN) - 16 == 2 * 100
    assert own.room({**own.TRAIN, "period_us": 1_000_000, "duration_ms": 5_000}) - 16 == 2 * 5


class Answering:
    """A board that answers `captured` from a table of edges."""

    emulated = False
    info = {"board": "RHEO_PICO", "serial": "E66"}

    def __init__(self, **wires):
        self.wires = wires
        self.asked = []

    def call(self, method, params=None, **options):
        self.asked.append(params)
        if params is None:
            rows = {name: row for name, (row, _) in self.wires.items()}
            return {"clk_hz": HZ, "began_ms": 5, "took_ms": 10, "wires": rows}
        words = self.wires[params["wire"]][1]
        return {"words": base64.b64encode(words[params["from"] : params["from"] + 256].tobytes()).decode()}


def test_the_words_of_a_wire_come_in_pieces_and_in_order():
    found = [70 * k for k in range(1, 1001)]
    board = Answering(CH1_A=wire(found, 80_000), CH1_B=wire([], 80_000))
    capture = own.fetch(board)
    assert list(capture.signals["CH1_A"].edges_ps // LOOK_PS) == found
    assert len(board.asked) == 1 + 4
    assert capture.source == "own capture of board RHEO_PICO E66"
    assert "16 ns" in capture.instrument and "emulated" not in capture.instrument
