"""No field of a board's message is trusted: a wrong shape is counted or refused, and nothing steers a terminal."""

import pytest
from fuzz.mutate import corpus
from rheobase import halt
from rheobase.errors import DeviceLost, Incompatible, RheoError
from rheobase.link import trust
from rheobase.link.client import RpcError
from rheobase.link.greeting import open_board
from rheobase.link.words import to_error
from rheocore import frames, messages

HEARD = [frames.decode(line)[0] for line in corpus("to_host")]
TELEMETRY = next(m["params"] for m in HEARD if m.get("method") == "tel" and m["params"][6])
ROW = {"set": [0, 0], "sense": [0, 0], "load_ohms": 1000, "made": "2026-11-22"}  # of a calibration
STEERING = ["\x1b[2J", "\x1b]0;title\x07", "\x9b31m", "\r", "\n", "\x00", "\x7f", "\u202e", "\ud800"]


def lines(board, *messages_):
    for message in messages_:
        board.say(frames.encode({"jsonrpc": "2.0", **message}))


def test_everything_that_a_real_board_said_is_believed():
    for message in HEARD:
        if message.get("method") == "tel":
            assert list(trust.telemetry(message["params"]).values()) == message["params"]
        elif message.get("method") == "event":
            assert list(trust.event(message["params"]).values()) == message["params"]
        elif "error" in message:
            assert trust.error(message["error"]) == (message["error"]["message"], message["error"]["data"])
        else:
            fitting = [told for told in map(result_of(message["result"]), messages.METHODS) if told]
            assert fitting and all(told == message["result"] for told in fitting)


def result_of(value):
    def told(method):
        try:
            return trust.result(method, value)
        except trust.Misshapen:
            return None

    return told


WRONG = ["1", -1, 1.5, 1 << 60, True, None, [], {}, "\x1b[2J", float("nan")]
RIGHT = [["interlock", True], ["fault", None], ["fault", "1"], ["channels", []]]


@pytest.mark.req("REQ-084")
@pytest.mark.parametrize(
    ("field", "value"), [(f, v) for f in messages.TELEMETRY for v in WRONG if [f, v] not in RIGHT], ids=ascii
)
def test_telemetry_with_a_field_of_the_wrong_type_or_range_is_dropped_and_counted(field, value):
    place = messages.TELEMETRY.index(field)
    with pytest.raises(trust.Misshapen):
        trust.telemetry([*TELEMETRY[:place], value, *TELEMETRY[place + 1 :]])


@pytest.mark.parametrize("place", range(len(messages.CHANNEL)), ids=messages.CHANNEL)
@pytest.mark.parametrize("value", ["1", -1 << 40, 1.5, 1 << 60, True, [], {}], ids=repr)
def test_so_is_telemetry_with_such_a_field_of_a_channel(place, value):
    row = [*TELEMETRY[6][0][:place], value, *TELEMETRY[6][0][place + 1 :]]
    for rows in ([row], [row[:-1]], [[*row, 1]], row):
        with pytest.raises(trust.Misshapen):
            trust.telemetry([*TELEMETRY[:6], rows])


def test_telemetry_that_is_dropped_ends_no_session_and_the_good_ones_count_on(board):
    with open_board(board.port, emulated=False) as link:
        lines(
            board,
            {"method": "tel", "params": [1, 0, "idle", 0, True, None, []]},
            {"method": "tel", "params": [2, 0, "on fire", 0, True, None, []]},
            {"method": "tel", "params": [3, 0, "idle", "soon", True, None, [["much"]]]},
            {"method": "event", "params": [1, 2, "state", "\x1b[2J", None]},
            {"method": "tel", "params": [4, 0, "idle", 0, True, None, []]},
        )
        link.call("status")
        assert link.client.damaged == 3 and link.client.lost_telemetry == 2
        assert [item["seq"] for item in link.client.telemetry][:2] == [1, 4]
        assert [event["detail"] for event in link.client.events] == ["idle"]  # its own


@pytest.mark.req("REQ-084")
@pytest.mark.parametrize("steering", STEERING, ids=ascii)
def test_nothing_that_steers_a_terminal_comes_through_in_any_text(steering):
    assert trust.printable(f"a{steering}b").isprintable()
    assert trust.plain({steering: [steering]}) == {trust.printable(steering): [trust.printable(steering)]}
    name, data = trust.error({"message": steering, "data": {"field": steering, "value": [steering], "why": steering}})
    error = to_error(RpcError(name, data, "arm"))
    assert error.message.isprintable() and (error.hint or "").isprintable()
    for method, field in (("hello", "board"), ("hello", "serial"), ("hello", "micropython"), ("result", "stop_reason")):
        result = next(m["result"] for m in HEARD if result_of(m.get("result"))(method))
        with pytest.raises(trust.Misshapen):
            trust.result(method, {**result, field: f"a{steering}"})


@pytest.mark.parametrize(
    "data",
    [
        {"field": None, "value": 10**400, "why": None, "bound": [1]},
        {"field": ["ua"], "value": {"a": 1}, "why": ["limit_k"], "bound": float("inf")},
        {"field": "_us", "value": True, "why": "too_high", "bound": "\x1b[2J"},
        {"method": "{0.__class__}", "fault": ["x"], "state": 3},
        "no object",
    ],
)
@pytest.mark.parametrize("name", [*messages.ERRORS, "strange", None])
def test_every_error_with_any_data_is_a_sentence(name, data):
    error = to_error(RpcError(*trust.error({"message": name, "data": data}), "arm"))
    assert isinstance(error, RheoError) and error.message.isprintable() and len(error.message) < 1000


@pytest.mark.req("REQ-084")
@pytest.mark.parametrize(
    ("method", "result"),
    [("arm", {"state": "armed"}), ("arm", {"state": "armed", "token": "1"}), ("status", []), ("result", None)],
)
def test_an_answer_that_is_none_of_its_method_is_refused(board, method, result):
    with open_board(board.port, emulated=False) as link:
        setattr(board.server, "_" + method, lambda params, now_ms: result)
        if method == "arm":
            board.session.state = "loaded"
        with pytest.raises(Incompatible) as error:
            link.call(method)
    assert error.value.code == "bad_reply" and error.value.exit_code == 4 and method in error.value.message


@pytest.mark.req("REQ-020")
def test_a_stop_that_is_confirmed_by_something_else_than_true_is_not_confirmed(board, monkeypatch):
    monkeypatch.setattr(halt, "BREAK_S", 0.2)
    with open_board(board.port, emulated=False) as link:
        board.server._stop = lambda params, now_ms: {"state": "done", "confirmed": "yes"}
        assert halt.halt(link.client)["broken"]  # so it was broken off, and proved by the boot


@pytest.mark.req("REQ-082")
def test_a_greeting_that_lies_about_its_shape_is_an_incompatible_board(board):
    hello = board.server._hello
    lies = [{"channels": ["1"]}, {"firmware": {}}, {"limits": None}, {"state": "happy"}, {"serial": "\x1b[2J"}]
    lies += [{"calibration": {"problem": None, "channels": wrong}} for wrong in (None, {"1": {}}, {"x": None}, [ROW])]
    lies += [{"calibration": wrong} for wrong in (None, "", {}, {"problem": "\x1b[2J", "channels": {}})]
    lies += [
        {"calibration": {"problem": None, "channels": {"1": {**ROW, **wrong}}}}
        for wrong in ({"set": [-100_000, 0]}, {"sense": ["1", 0]}, {"sense": [0]}, {"load_ohms": 0}, {"made": "\x9b1m"})
    ]
    for lie in lies:
        board.server._hello = lambda params, now_ms, lie=lie: {**hello(params, now_ms), **lie}
        with pytest.raises(Incompatible) as error:
            open_board(board.port, emulated=False)
        assert error.value.code == "bad_info" and error.value.message.isprintable()


def test_an_answer_to_another_id_is_not_taken_and_true_is_no_id(board):
    with open_board(board.port, emulated=False) as link:
        board.deaf_to = {"status"}
        link.client.forget_ids()
        ident = link.client._next_id  # 1, which True equals
        for other in (ident + 7, ident - 1, True, str(ident), [ident], None):
            lines(board, {"id": other, "result": {}})
        with pytest.raises(DeviceLost):
            link.call("status", timeout_s=0.1, tries=1)
        assert link.client.strangers == 1 and len(link.client._replies) <= 2
