"""The device's side of the link: damaged, odd and repeated requests are answered, counted and never executed twice."""

import json
from random import Random

import pytest
from core.draw import BASE, JSON, THOROUGH
from core.fakes import Bench
from hypothesis import given
from hypothesis import strategies as st
from rheobase import boards
from rheocore import frames, messages
from rheocore.server import Server
from rheocore.session import Session

BOARD = boards.load()
CFG = dict(BASE, duration_ms=3_000, ramp_up_ms=500, ramp_down_ms=500)
INFO = {
    "board": "RHEO_PICO",
    "serial": "E66",
    "firmware": {},
    "micropython": "1.25.0",
    "c_hook": True,
    "reset_cause": "power",
    "was": None,
    "calibration": {"problem": None, "channels": {"1": None, "2": None, "3": None}},
}


class Host:
    """A host that speaks to a Server in lines, on the fake output."""

    def __init__(self, **info):
        self.bench = Bench(BOARD, Session)
        self.server = Server(self.bench.session, BOARD, dict(INFO, **info), lambda n: None)
        self.ident = 0

    def line(self, message):
        reply = self.server.handle(frames.encode(message)[:-1], self.bench.now_ms)
        if reply is None:
            return None
        decoded, error = frames.decode(reply)
        assert error is None and len(reply) <= messages.MAX_LINE
        return decoded

    def ask(self, method, **params):
        """The result, or the error's name."""
        self.ident += 1
        reply = self.line({"jsonrpc": "2.0", "id": self.ident, "method": method, "params": params})
        assert reply["id"] == self.ident
        return reply["result"] if "result" in reply else told(reply)

    def hello(self):
        return self.ask("hello", wire=messages.WIRE)

    def started(self):
        self.hello()
        self.ask("configure", channels={"1": CFG})
        token = self.ask("arm")["token"]
        self.ask("start", token=token)
        return token


def told(reply):
    """Name of an error whose table entry fits it: the same code, and a sentence that its data fill."""
    error = reply["error"]
    code, sentence, _ = messages.ERRORS[error["message"]]
    assert error["code"] == code
    assert sentence.format(**error["data"])
    return error["message"]


def test_the_whole_dialogue():
    host = Host()
    info = host.hello()
    assert set(info) == set(messages.INFO)
    assert (info["wire"], info["channels"], info["state"]) == (messages.WIRE, [1, 2, 3], "idle")
    assert host.ask("configure", channels={"1": CFG, "3": CFG}) == {"state": "loaded"}
    armed = host.ask("arm")
    assert armed["state"] == "armed"
    assert host.ask("start", token=armed["token"], channels=[3]) == {"state": "ramp_up"}
    assert host.ask("start", token=armed["token"], channels=[1]) == {"state": "ramp_up"}
    assert host.ask("amplitude", token=armed["token"], channel=3, ua=500) == {"channel": 3, "ua": 500}
    host.bench.run(1_000)
    status = host.ask("status")
    assert set(status) == set(messages.STATUS) and status["state"] == "run"
    assert [dict(zip(messages.STATUS_CHANNEL, row, strict=True))["n"] for row in status["channels"]] == [1, 3]
    assert host.ask("pause") == {"state": "paused", "confirmed": True}
    assert host.ask("resume", token=armed["token"])["state"] == "ramp_up"
    assert host.ask("stop") == {"state": "done", "confirmed": True}
    result = host.ask("result")
    assert set(result) == set(messages.RESULT) and result["stop_reason"] == "stop_command"
    assert result["channels"]["3"]["pulses"] == len(host.bench.output.truth[3])


@pytest.mark.req("REQ-082")
def test_nothing_but_stop_status_and_hello_is_answered_before_hello():
    for method in messages.METHODS:
        reply = Host().ask(method)
        if method in messages.ALWAYS:
            assert reply != "hello_first"
        else:
            assert reply == "hello_first"


def test_hello_counts_telemetry_anew():
    host = Host()
    host.server.seq = 5
    assert host.ask("hello", wire=messages.WIRE + 1) == "wire_mismatch" and host.server.seq == 5
    host.hello()
    assert host.server.seq == 0


@pytest.mark.req("REQ-018")
def test_hello_tells_what_was_left_and_null_where_it_was_nothing():
    host = Host()
    assert host.hello()["remainder_ms"] is None
    host.started()
    host.bench.run(1_000)
    host.ask("stop")
    assert 1_900 <= host.hello()["remainder_ms"] <= 2_000
    host.ask("configure", channels={"1": CFG}, new=1)
    token = host.ask("arm")["token"]
    host.ask("start", token=token)
    host.bench.run(5_000, until=lambda: host.bench.session.state == "done")
    assert host.hello()["remainder_ms"] is None
    assert host.ask("configure", channels={"1": CFG}) == "refused"


@pytest.mark.req("REQ-082")
def test_another_wire_version_is_refused_and_does_not_greet():
    host = Host()
    assert host.ask("hello", wire=messages.WIRE + 1) == "wire_mismatch"
    assert host.ask("configure", channels={"1": CFG}) == "hello_first"


@pytest.mark.req("REQ-080")
def test_a_request_id_is_never_executed_twice_and_its_reply_is_repeated():
    host = Host()
    host.hello()
    host.ask("configure", channels={"1": CFG})
    request = {"jsonrpc": "2.0", "id": 50, "method": "arm", "params": {}}
    first = host.line(request)
    assert host.line(request) == first
    assert host.bench.output.calls == ["arm"]
    assert told(host.line(dict(request, id=49))) == "stale_id"
    assert host.line(dict(request, id=50, method="start", params={"token": 1}))["result"] == first["result"]
    assert host.bench.output.calls == ["arm"]


def test_hello_begins_a_new_dialogue_with_lower_ids():
    host = Host()
    host.ident = 900
    host.hello()
    host.ident = 0
    assert host.hello()["state"] == "idle"
    assert host.ask("configure", channels={"1": CFG}) == {"state": "loaded"}


@pytest.mark.req("REQ-080")
def test_a_hello_that_is_refused_begins_no_dialogue_so_no_old_line_runs_again():
    host = Host()
    host.hello()
    host.ask("configure", channels={"1": CFG})
    request = {"jsonrpc": "2.0", "id": 50, "method": "arm", "params": {}}
    host.line(request)
    for params in ({"wire": messages.WIRE + 1}, {"wire": "2"}, {}):
        host.line({"jsonrpc": "2.0", "id": 1, "method": "hello", "params": params})
    assert told(host.line(dict(request, id=49))) == "stale_id"
    assert host.line(request)["result"]["state"] == "armed" and host.bench.output.calls == ["arm"]


@pytest.mark.parametrize("ident", [-1, 1 << 30, 1.5, "7", None, True, [], {}])
def test_an_id_that_is_no_small_whole_number_is_refused(ident):
    host = Host()
    reply = host.line({"jsonrpc": "2.0", "id": ident, "method": "hello", "params": {"wire": messages.WIRE}})
    assert told(reply) == "invalid_request" and reply["id"] is None
    assert host.server.bad["rejected"] == 1


@pytest.mark.req("REQ-080")
@pytest.mark.parametrize(
    ("message", "name"),
    [
        ({"id": 1, "method": "status"}, "invalid_request"),
        ({"jsonrpc": "1.0", "id": 1, "method": "status"}, "invalid_request"),
        ({"jsonrpc": "2.0", "id": 1}, "invalid_request"),
        ({"jsonrpc": "2.0", "id": 1, "method": 5}, "invalid_request"),
        ({"jsonrpc": "2.0", "id": 1, "method": "explode"}, "method_not_found"),
        ({"jsonrpc": "2.0", "id": 1, "method": "__init__"}, "method_not_found"),
        ({"jsonrpc": "2.0", "id": 1, "method": "request"}, "method_not_found"),
        ({"jsonrpc": "2.0", "id": 1, "method": "status", "params": []}, "invalid_params"),
        ({"jsonrpc": "2.0", "id": 1, "method": "status", "params": None}, "invalid_params"),
        ({"jsonrpc": "2.0", "id": 1, "method": "status", "params": {"x": 1}}, "invalid_params"),
        ({"jsonrpc": "2.0", "id": 1, "method": "hello", "params": {}}, "invalid_params"),
        ({"jsonrpc": "2.0", "id": 1, "method": "hello", "params": {"wire": True}}, "invalid_params"),
        ({"jsonrpc": "2.0", "id": 1, "method": "stop", "params": {"reason": "time_over"}}, "invalid_params"),
        ({"jsonrpc": "2.0", "id": 1, "method": "x" * 1_900}, "method_not_found"),
    ],
)
def test_odd_requests_are_answered_by_the_right_error(message, name):
    assert told(Host().line(message)) == name


@pytest.mark.req("REQ-044")
@pytest.mark.parametrize("error", [RuntimeError, MemoryError])
def test_what_no_memory_holds_is_refused_at_rest_and_resets_the_board_in_a_session(error, monkeypatch):
    """At rest nothing was changed; in a session nobody knows how far it came, and main() ends in a reset."""

    def fails(*_):
        raise error

    host = Host()
    host.hello()
    monkeypatch.setattr(host.bench.session, "configure", fails)
    assert host.ask("configure", channels={"1": CFG}) == "invalid_params"
    monkeypatch.undo()
    token = host.started()
    monkeypatch.setattr(host.bench.session, "amplitude", fails)
    with pytest.raises(error):
        host.ask("amplitude", token=token, channel=1, ua=1)


def test_damaged_lines_are_counted_answered_and_not_executed():
    host = Host()
    host.hello()
    good = frames.encode({"jsonrpc": "2.0", "id": 7, "method": "configure", "params": {"channels": {"1": CFG}}})
    damaged, cut = good.replace(b"continuous", b"continuouS"), good[:40]
    for line, name in ((damaged, "bad_crc"), (cut, "parse_error")):
        reply, _ = frames.decode(host.server.handle(line, 0))
        assert told(reply) == name and reply["id"] is None
        assert host.server.bad[name] == 1
    assert told(frames.decode(host.server.too_long())[0]) == "too_long"
    assert host.bench.session.state == "idle"


def test_a_notification_gets_no_reply_and_an_odd_one_is_counted():
    host = Host()
    token = host.started()
    host.bench.alive = False
    for _ in range(100):
        host.bench.run(20)
        assert host.line({"jsonrpc": "2.0", "method": "ack", "params": [0, token]}) is None
    assert host.bench.session.state == "run"
    for odd in (None, [], [1], ["x", token], {"seq": 1}, [1, 2, 3]):
        assert host.line({"jsonrpc": "2.0", "method": "ack", "params": odd}) is None
    assert host.line({"jsonrpc": "2.0", "method": "start", "params": {"token": token}}) is None
    assert host.server.bad["rejected"] == 7


@pytest.mark.req("REQ-081")
@pytest.mark.parametrize(("method", "params"), [("start", {}), ("amplitude", {"channel": 1, "ua": 1}), ("resume", {})])
def test_what_raises_output_needs_the_sessions_token(method, params):
    host = Host()
    host.hello()
    host.ask("configure", channels={"1": CFG})
    token = host.ask("arm")["token"]
    assert host.ask(method, token=token + 1, **params) == "bad_token"
    assert host.ask(method, token=0, **params) == "bad_token"
    assert "start" not in host.bench.output.calls


@pytest.mark.req("REQ-080")
@pytest.mark.parametrize("numbers", [[[1]], [{}], [True], [1.0], [None], ["1"], [1 << 30]])
def test_channels_to_start_are_whole_numbers_and_nothing_else_is_looked_up(numbers):
    host = Host()
    host.hello()
    host.ask("configure", channels={"1": CFG})
    token = host.ask("arm")["token"]
    assert host.ask("start", token=token, channels=numbers) == "invalid_params"
    assert host.bench.session.state == "armed" and "start" not in host.bench.output.calls


@pytest.mark.req("REQ-122")
@pytest.mark.parametrize(("ms", "taken"), [(0, False), (-1, False), (1, True), (1_000, True), (1_001, False)])
def test_a_standstill_is_1_ms_to_1_s(ms, taken):
    host = Host()
    host.hello()
    host.ask("configure", channels={"1": dict(CFG, bench=True)})
    token = host.ask("arm")["token"]
    assert host.ask("stall", token=token, ms=ms) == ({"state": "armed"} if taken else "invalid_params")
    assert host.server.stall_ms == (ms if taken else 0)


@pytest.mark.req("REQ-020")
@pytest.mark.parametrize("method", ["pause", "stop", "clear_fault"])
def test_an_end_is_confirmed_only_where_every_leg_reads_low(method):
    for low in (True, False):
        host = Host()
        host.started()
        host.bench.run(700)
        if method == "clear_fault":
            host.bench.session.trip("electrode_open", host.bench.now_ms)
        host.bench.output.quiet = lambda low=low: low
        assert host.ask(method)["confirmed"] is low


class Wires:
    """A capture of five wires that takes whatever it is told."""

    pins = dict.fromkeys(("A", "B", "C", "D", "E"), 1)

    def __init__(self):
        self.begun, self.dropped = [], 0

    def start(self, wires, edges):
        self.begun.append((wires, edges))

    def head(self):
        return {"wires": {}} if self.begun else None

    def words(self, wire, first):
        return None

    def drop(self):
        self.dropped += 1


@pytest.mark.req("REQ-122")
def test_a_capture_is_of_one_to_four_known_wires_once_each_with_room_for_an_edge():
    host = Host()
    assert host.hello() and host.ask("capture", wires=["A"]) == "method_not_found"
    host.server.capture = wires = Wires()
    assert host.ask("captured") == "no_capture"
    for odd in ([], ["F"], ["A", "A"], [1], [["A"]], [None], list(Wires.pins)):
        assert host.ask("capture", wires=odd) == "invalid_params"
    assert [host.ask("capture", wires=["A"], edges=edges) for edges in (0, -1)] == ["invalid_params"] * 2
    assert wires.begun == []
    assert host.ask("capture", wires=["D", "A"], edges=1) == {"wires": ["D", "A"], "edges": 1}
    assert host.ask("captured", wire="A") == "invalid_params"


@pytest.mark.req("REQ-123")
def test_a_session_is_not_disturbed_by_what_reads_the_flash_or_the_capture_nor_by_a_new_hello():
    host = Host()
    host.server.capture = wires = Wires()
    looked = []
    host.server.inspect = lambda: looked.append(1) or {}
    host.started()
    dropped = wires.dropped
    for _ in range(2):  # live, and paused
        assert [host.ask(name) for name in ("inspect", "captured")] == ["wrong_state"] * 2
        assert host.ask("capture", wires=["A"]) == "wrong_state"
        host.hello()
        host.ask("pause")
    assert (looked, wires.begun, wires.dropped) == ([], [], dropped)
    host.ask("stop")
    assert host.ask("inspect") == {} and host.hello() and wires.dropped == dropped + 1


@pytest.mark.req("REQ-020", "REQ-081")
def test_a_second_host_may_stop_without_a_token():
    host = Host()
    host.started()
    host.bench.run(700)
    assert host.ask("stop", reason="operator_key") == {"state": "done", "confirmed": True}
    assert host.ask("result")["stop_reason"] == "operator_key"


@pytest.mark.req("REQ-067")
@pytest.mark.parametrize(
    ("channels", "name"),
    [
        ({}, "invalid_params"),
        ({"4": CFG}, "invalid_params"),
        ({"one": CFG}, "invalid_params"),
        ({"1": None}, "refused"),
        ({"1": dict(CFG, width_us=2_000)}, "refused"),
        ({"1": CFG, "2": dict(CFG, amplitude_ua=99_999, max_ua=99_999)}, "refused"),
    ],
)
def test_a_configuration_is_refused_as_a_whole(channels, name):
    host = Host()
    host.hello()
    assert host.ask("configure", channels=channels) == name
    assert host.bench.session.state == "idle" and host.bench.session.channels == {}


@pytest.mark.req("REQ-067")
def test_an_amplitude_is_capped_by_the_lowest_cap():
    host = Host()
    host.hello()
    host.ask("configure", channels={"1": BASE})
    token = host.ask("arm")["token"]
    assert host.ask("amplitude", token=token, channel=1, ua=BASE["max_ua"]) == {"channel": 1, "ua": BASE["max_ua"]}
    assert host.ask("amplitude", token=token, channel=1, ua=BASE["max_ua"] + 1) == "refused"
    assert host.ask("amplitude", token=token, channel=1, ua=-1) == "refused"
    assert host.ask("amplitude", token=token, channel=2, ua=0) == "invalid_params"


@pytest.mark.req("REQ-034")
def test_a_board_without_the_reset_hook_arms_for_the_bench_only():
    host = Host(c_hook=False)
    host.hello()
    host.ask("configure", channels={"1": CFG})
    assert host.ask("arm") == "no_hook"
    assert host.ask("arm", bench=1) == "no_hook"
    host.ask("configure", channels={"1": dict(CFG, bench=True)})
    assert host.ask("arm") == "no_hook"
    assert host.ask("arm", bench=1)["state"] == "armed"


@pytest.mark.req("REQ-013")
def test_clear_fault_is_refused_while_the_interlock_is_open():
    host = Host()
    host.started()
    host.bench.output.open_interlock()
    host.bench.run(20)
    assert host.ask("arm") == "fault"
    assert host.ask("clear_fault") == "not_gone"
    host.bench.output.closed = True
    assert host.ask("clear_fault") == {"state": "idle", "confirmed": True}


@THOROUGH
@given(st.binary(max_size=60))
def test_any_bytes_are_answered_by_an_error(line):
    host = Host()
    reply, error = frames.decode(host.server.handle(line, 0))
    assert error is None and told(reply) in ("bad_crc", "parse_error")


VALUES = JSON | st.sampled_from([0, 1, 2, 3, "1", "2", [1], [1, 2], {"1": CFG}, "stop_command", messages.WIRE, 1_001])


@THOROUGH
@given(st.integers(0, 2**32 - 1), st.data())
def test_well_framed_nonsense_is_answered_and_leaves_the_session_sound(seed, data):
    """Known methods with values of any kind, with a session running or not; the fake refuses what would hurt."""
    rng = Random(seed)
    host = Host()
    if rng.random() < 0.7:
        host.started()
    for _ in range(6):
        method = rng.choice(sorted(messages.METHODS))
        names = rng.sample(["token", "channels", "channel", "ua", "reason", "wire", "bench"], rng.randint(0, 3))
        params = {name: data.draw(VALUES) for name in names}
        if len(json.dumps(params)) > 400 or (isinstance(params.get("channels"), list) and len(params["channels"]) > 1):
            continue
        host.ask(method, **params)
        host.bench.run(40)
        assert host.bench.session.state in messages.STATES


@pytest.mark.parametrize("kind", ["x" * 1_900, ["x" * 1_900], {"k": [1] * 900}])
def test_a_refusal_that_quotes_a_value_still_fits_a_line(kind):
    host = Host()
    host.hello()
    assert host.ask("configure", channels={"1": {"kind": kind}}) == "refused"
