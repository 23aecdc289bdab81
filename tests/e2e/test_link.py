"""The device's side of the link on the real image: damage is counted and answered, nothing runs twice, nothing blocks.

Times are simulated. Margins are the issue's: a status within 5 ms in the median.
"""

import binascii
import statistics
from random import Random

import pytest
from dut import BASE, BOARD, MS, NUMBERS, Refusal, here
from rheobase.emulator import rawrepl
from rheocore import frames, messages

THREE_AT_100_HZ = {n: {"duration_ms": 20_000} for n in NUMBERS}


def answer(dut, line, ms=40):
    """Send raw bytes; the error names that came back without an id."""
    dut.replies.pop(None, None)
    dut.board.send(line)
    dut.run_ms(ms)
    reply = dut.replies.get(None)
    return reply and reply["error"]["message"]


@pytest.mark.req("REQ-082")
def test_nothing_but_hello_status_and_stop_before_the_greeting(dut):
    with pytest.raises(Refusal, match="hello_first"):
        dut.call("configure", channels={})
    assert dut.call("status")["state"] == "safe"
    assert dut.call("stop")["confirmed"] is True


@pytest.mark.req("REQ-080")
def test_damaged_lines_are_answered_and_not_executed(dut):
    dut.greet()
    good = frames.encode({"jsonrpc": "2.0", "id": 99, "method": "stop"})
    assert answer(dut, good.replace(b"stop", b"stpp")) == "bad_crc"
    assert answer(dut, b"hello, board\n") == "parse_error"
    assert answer(dut, frames.encode([1, 2])) == "parse_error"
    assert answer(dut, frames.encode({"jsonrpc": "2.0", "id": "x", "method": "stop"})) == "invalid_request"
    assert answer(dut, b"x" * (messages.MAX_LINE + 500) + b"\n", 200) == "too_long"
    assert answer(dut, bytes(range(128, 256)) * 3 + b"\n") == "parse_error"
    assert dut.state() == "idle"


def test_a_line_cut_in_the_middle_costs_only_itself(dut):
    dut.greet()
    line = frames.encode({"jsonrpc": "2.0", "id": 98, "method": "status"})
    assert answer(dut, line[:20]) is None  # unfinished: the board waits, and goes on working
    assert answer(dut, b"\n") == "parse_error"
    assert dut.state() == "idle"


@pytest.mark.req("REQ-065")
def test_wrong_parameters_name_the_field(dut):
    dut.greet()
    for method, params, field in (
        ("configure", {"channels": 3}, "channels"),
        ("configure", {}, "channels"),
        ("configure", {"channels": {"9": {}}}, "channels"),
        ("arm", {"token": 1}, "token"),
        ("stop", {"reason": "because"}, "reason"),
    ):
        with pytest.raises(Refusal) as refusal:
            dut.call(method, **params)
        assert refusal.value.args == ("invalid_params", {"field": field, "why": refusal.value.args[1]["why"]})
    with pytest.raises(Refusal, match="method_not_found"):
        dut.call("reboot")


@pytest.mark.req("REQ-080")
def test_a_request_id_is_never_executed_twice(dut):
    dut.load({1: {}})
    dut.start()
    ident = dut._id
    again = frames.encode({"jsonrpc": "2.0", "id": ident, "method": "pause"})
    dut.replies.clear()
    dut.board.send(again)  # the same id, other words: the remembered reply comes back
    dut.run_ms(40)
    assert dut.replies[ident]["result"] == {"state": "ramp_up"}
    dut.board.send(frames.encode({"jsonrpc": "2.0", "id": ident - 1, "method": "pause"}))
    dut.run_ms(40)
    assert dut.replies[ident - 1]["error"]["message"] == "stale_id"
    assert dut.state() == "ramp_up"


def test_status_within_5_ms_median_with_three_channels_and_telemetry(dut):
    dut.load(THREE_AT_100_HZ)
    dut.start()
    times_ns = []
    moments = Random(1)  # evenly spaced ones would meet the telemetry each time, or never
    for _ in range(40):
        dut.run_ms(moments.uniform(20, 60))
        times_ns.append(dut.round_trip_ns("status"))
    assert dut.state() == "run"
    assert statistics.median(times_ns) <= 5 * MS


@pytest.mark.req("REQ-044")
def test_no_underrun_in_2_s_with_three_channels_and_a_collection_every_40_ms(dut):
    rawrepl.enter(dut.board)
    begin = rawrepl.start(
        dut.board,
        "import gc, machine\n"
        "t = machine.Timer(period=40, mode=machine.Timer.PERIODIC, callback=lambda t: gc.collect())\n"
        "from rheorp2 import app\napp.main()\n",
    )
    dut.run_ms(200)
    assert not bytes(dut.board.received[begin:])
    dut.load(THREE_AT_100_HZ)
    dut.start()
    start_ns, before = dut.board.now_ns, len(dut.telemetry)
    while dut.board.now_ns - start_ns < 2_000 * MS:
        dut.run_ms(243.7)
        dut.call("status")
    assert dut.state() == "run"
    assert 18 <= len(dut.telemetry) - before <= 25
    dut.call("stop")
    result = dut.call("result")
    for n, train in dut.trains().items():
        assert set(train.periods_ns) == {10 * MS}
        assert result["channels"][str(n)]["pulses"] == len(train.pulses)


@pytest.mark.req("REQ-004", "REQ-014")
@pytest.mark.parametrize("at_ms", [1500, 1511])
def test_a_loop_stalled_for_700_ms_is_an_underrun_that_stays_off(dut, at_ms):
    """Several moments: a stall between two steps of one renewal must not bring a pulse back either."""
    rawrepl.enter(dut.board)
    rawrepl.start(
        dut.board,
        "import machine, time\n"
        f"t = machine.Timer(period={at_ms}, mode=machine.Timer.ONE_SHOT, callback=lambda t: time.sleep_ms(700))\n"
        "from rheorp2 import app\napp.main()\n",
    )
    dut.run_ms(200)
    long = {"duration_ms": 5000}
    dut.load(here({1: long, 2: {**long, "period_us": 2500}, 3: {**long, "period_us": 500_000}}))
    dut.start()
    dut.run_ms(2400)
    result = dut.call("result")
    assert result["fault"] == "underrun"
    stalled_ns = max(t["dev_us"] for t in dut.telemetry if t["state"] == "run") * 1000
    for n, train in dut.trains().items():
        assert train.last_fall_ns - stalled_ns <= 300 * MS  # 200 ms after the last pass; telemetry is up to 100 ms old
        assert not train.truncated
        assert result["channels"][str(n)]["pulses"] == len(train.pulses)


@pytest.mark.req("REQ-014")
def test_a_stall_inside_a_renewal_brings_no_pulse_back(dut):
    """700 ms between the look at the state machine and the trigger of its DMA."""
    rawrepl.enter(dut.board)
    rawrepl.start(
        dut.board,
        "import time\nfrom rheocore import feeder\nold = feeder.Feeder.fill\nn = [0]\n"
        "def slow(self):\n    n[0] += 1\n    if n[0] == 60: time.sleep_ms(700)\n    return old(self)\n"
        "feeder.Feeder.fill = slow\nfrom rheorp2 import app\napp.main()\n",
    )
    dut.run_ms(200)
    dut.load({1: {"duration_ms": 5000}})
    dut.start()
    dut.run_ms(2800)
    result = dut.call("result")
    train = dut.trains()[1]
    assert result["fault"] == "underrun"
    assert set(train.periods_ns) == {10 * MS}  # one unbroken train: nothing after the silence
    assert result["channels"]["1"]["pulses"] == len(train.pulses)


def test_a_loop_stalled_for_100_ms_ends_balanced_on_the_channels_that_were_still_fed(dut):
    rawrepl.enter(dut.board)
    rawrepl.start(
        dut.board,
        "import machine, time\n"
        "t = machine.Timer(period=1500, mode=machine.Timer.ONE_SHOT, callback=lambda t: time.sleep_ms(112))\n"
        "from rheorp2 import app\napp.main()\n",
    )
    dut.run_ms(200)
    dut.load(
        {1: {"duration_ms": 5000, "period_us": 2_500}, 2: {"duration_ms": 5000, "period_us": 7_000, "width_us": 900}}
    )
    dut.start()
    dut.run_ms(2000)
    result = dut.call("result")
    assert result["fault"] == "underrun"
    for n, train in dut.trains().items():
        assert not train.truncated
        assert result["channels"][str(n)]["pulses"] == len(train.pulses)


@pytest.mark.req("REQ-083")
@pytest.mark.parametrize(
    "params",
    [
        {"channels": {"1": {"kind": [[[[[["deep"]]]]]]}}},
        {"channels": {"1": {**BASE, "period_us": 10**600}}},
        {"channels": {"1": {**BASE, "width_us": 100.5, "gap_us": "x" * 700}}},
    ],
)
def test_no_request_can_end_a_live_session_by_being_odd(dut, params):
    dut.load({1: {"duration_ms": 5000}})
    dut.start()
    dut.run_ms(700)
    with pytest.raises(Refusal):
        dut.call("configure", **params)
    dut.run_ms(200)
    assert dut.state() == "run"
    assert set(dut.trains()[1].periods_ns) == {10 * MS}


def test_a_request_nested_200_deep_is_refused_and_nothing_breaks(dut):
    dut.load({1: {"duration_ms": 5000}})
    dut.start()
    dut.run_ms(700)
    text = (
        b'{"jsonrpc":"2.0","id":500,"method":"configure","params":{"channels":{"1":{"kind":'
        + b"[" * 200
        + b"]" * 200
        + b"}}}}"
    )
    dut._id = 500
    dut.board.send(b"%s %08x\n" % (text, binascii.crc32(text)))
    dut.run_ms(300)
    assert dut.state() == "run"
    assert set(dut.trains()[1].periods_ns) == {10 * MS}


@pytest.mark.req("REQ-035")
def test_a_stray_file_cannot_stand_in_for_frozen_firmware(dut):
    rawrepl.enter(dut.board)
    rawrepl.run(dut.board, "f = open('/rheo_board.py', 'w')\nf.write('BOARD = {}')\nf.close()\n")
    dut.board.send(b"\x02\x04")
    dut.run_ms(600)
    assert dut.greet()["limits"]["max_ua"] == BOARD["max_ua"]
    dut.call("configure", channels={"1": BASE})


@pytest.mark.req("REQ-083")
def test_a_host_that_stops_reading_cannot_block_the_loop(dut):
    dut.load({1: {"duration_ms": 10_000}})
    dut.start()
    dut.run_ms(700)
    dut.board.stop_reading(True)
    for _ in range(20):
        dut.post("status")
        dut.run_ms(50)
    dut.board.stop_reading(False)
    dut.run_ms(300)
    result = dut.call("result")
    assert result["fault"] in (None, "host_lost")  # never underrun: the loop went on
    periods_ns = set(dut.trains()[1].periods_ns)
    assert periods_ns == {10 * MS}


@pytest.mark.req("REQ-083")
def test_a_flood_of_requests_cannot_starve_the_pulses(dut):
    dut.load({1: {"duration_ms": 10_000, "period_us": 2_500}})
    dut.start()
    dut.run_ms(700)
    for _ in range(100):
        dut.post("status")
    dut.run_ms(600)
    assert dut.state() == "run"
    assert set(dut.trains()[1].periods_ns) == {2_500_000}


@pytest.mark.req("REQ-006")
def test_the_programs_that_the_image_assembles_are_the_ones_the_cycle_tests_ran(dut):
    from pio.assembler import opcodes

    rawrepl.enter(dut.board)
    out = rawrepl.run(
        dut.board,
        "from rheorp2.pio_programs import biphasic, edges, guard\n"
        "print(*[[op for op in program[0]] for program in (biphasic, edges, guard)])\n",
    )
    assert out.strip() == f"{list(opcodes('biphasic'))} {list(opcodes('edges'))} {list(opcodes('guard'))}"
