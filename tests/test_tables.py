"""docs/wire.md is what rheocore says, and what it says is what the board does: a real Server, and the real image.

About 12 s of processor time, all but 3 of it for one boot of the image.
"""

import ast
import re
import shutil
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest
from core.draw import EACH_KIND
from core.test_core_server import CFG, Host, told
from dut import Dut
from rheobase import boards, paths
from rheobase.link import words
from rheocore import config, frames, limits, messages

ROOT = paths.firmware_dir().parent
sys.path.append(str(ROOT / "tools"))

import tables  # noqa: E402

SAID = tables.notes(messages)
PAGE = tables.WIRE.read_text()
BENCH = dict(CFG, bench=True)
STATES = messages.STATES[1:]  # `safe` is before hello


def listed(method, about):
    return SAID[method].get(about, "").split()


def rows(heading):
    """Cells of the first table below a heading of the page, by the bare first cell."""
    section = PAGE.partition(f"\n{heading}\n")[2].lstrip().partition("\n#")[0]
    cells = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("|")][2:]
    return {row[0].strip("`"): row[1:] for row in cells}


# -- the page and its sources ---------------------------------------------------------------------------------------


def test_the_pages_are_what_their_sources_say():
    done = subprocess.run([sys.executable, tables.__file__, "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_number_that_has_changed_makes_the_page_old(monkeypatch, capsys):
    monkeypatch.setattr(messages, "STALL_MS", 999)
    assert tables.main(["--check"]) == 1
    said = capsys.readouterr().out
    assert "+| `stall` | `ms` | int | yes | ms | 1 to 999 |" in said and "make tables" in said
    assert tables.WIRE.read_text() == PAGE


def test_a_decision_that_is_not_in_the_list_makes_it_old(tmp_path, monkeypatch, capsys):
    assert tables.decisions() == tables.DECISIONS.read_text()
    shutil.copytree(tables.DECISIONS.parent, tmp_path / "adr")
    (tmp_path / "adr" / "0099-a-new-one.md").write_text("# 0099 A new one\n")
    monkeypatch.setattr(tables, "DECISIONS", tmp_path / "adr" / "README.md")
    monkeypatch.setattr(tables, "ROOT", Path("/"))
    assert tables.main(["--check"]) == 1
    assert "+- [0099](0099-a-new-one.md) A new one" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("module", "name", "value", "said"),
    [
        (messages, "METHODS", {**messages.METHODS, "explode": {}}, "explode"),
        (messages, "METHODS", {**messages.METHODS, "status": {"deep": (int,)}}, "status: deep"),
        (messages, "METHODS", {**messages.METHODS, "stall": {"token": int}}, "stall"),  # words for what is gone
        (messages, "TELEMETRY", (*messages.TELEMETRY, "mood"), "TELEMETRY: mood"),
        (messages, "RESULT", messages.RESULT[:-1], "RESULT: words for bad_lines"),
        (config, "OPTIONAL", {**config.OPTIONAL, "odd_ms": (0, 1)}, "odd_ms"),
    ],
)
def test_a_name_without_words_and_words_without_a_name_are_errors(monkeypatch, capsys, module, name, value, said):
    monkeypatch.setattr(module, name, value)
    assert tables.main([]) == 1
    assert said in capsys.readouterr().err
    assert tables.WIRE.read_text() == PAGE


# -- methods, on a real Server over a fake output -------------------------------------------------------------------


class Wires:
    """A capture: two wires, one word of each."""

    pins = {"CH1_A": 2, "INTERLOCK": 9}

    def __init__(self):
        self.rows = {}

    def start(self, wires, edges):
        if edges > 5_000:
            return 5_000
        self.rows = {wire: dict.fromkeys(messages.CAPTURED_WIRE, 0) for wire in wires}
        return None

    def head(self):
        return self.rows and dict.fromkeys(messages.CAPTURED, 0) | {"wires": self.rows}

    def words(self, wire, first):
        return bytes(4) if wire in self.rows and first == 0 else None

    def drop(self):
        self.rows = {}


def host_at(state, cfg=BENCH, **info):
    """(host, token): a host whose board has come to `state`; channel 1 was started, channel 2 was not."""
    host = Host(**info)
    host.server.capture = Wires()
    host.server.inspect = lambda: dict.fromkeys(messages.INSPECT)
    session, token = host.bench.session, 0
    steps = {"safe": 0, "idle": 1, "loaded": 2, "armed": 3}.get(state, 4)
    if steps > 0:
        host.hello()
    if steps > 1:
        host.ask("configure", channels={"1": cfg, "2": cfg})
    if steps > 2:
        token = host.ask("arm")["token"]
    if steps > 3:
        host.ask("start", token=token, channels=[1])
        if state != "ramp_up":
            host.bench.run(10_000, until=lambda: session.state == ("ramp_down" if state == "ramp_down" else "run"))
    if state in ("paused", "done"):
        host.ask("pause" if state == "paused" else "stop")
    elif state == "fault":
        host.bench.output.open_interlock()
        host.bench.run(20)
        host.bench.output.closed = True
    assert session.state == state
    return host, token


def good(method, token):
    """Parameters with which a method is answered where its state allows it."""
    return {
        "hello": {"wire": messages.WIRE},
        "configure": {"channels": {"1": CFG}, "new": 1},
        "start": {"token": token, "channels": [2]},
        "amplitude": {"token": token, "channel": 1, "ua": 900},
        "resume": {"token": token},
        "capture": {"wires": ["CH1_A"]},
        "stall": {"token": token, "ms": 20},
    }.get(method, {})


@pytest.mark.parametrize("method", messages.METHODS)
def test_a_method_is_possible_in_the_states_of_the_table_and_in_no_other_and_gives_what_it_says(method):
    possible = listed(method, "in") or STATES
    ways = [set(getattr(messages, way[0], way)) for way in map(str.split, SAID[method]["gives"].split(" | "))]
    assert set(possible) <= set(STATES)
    for state in STATES:
        host, token = host_at(state)
        host.server.capture.start(["CH1_A"], 1)
        answer = host.ask(method, **good(method, token))
        if state in possible:
            assert set(answer) == ways[0], (state, answer)
        else:
            assert answer in ("wrong_state", "fault", "bad_token"), (state, answer)
            assert answer in listed(method, "errors")


def test_a_capture_tells_the_words_of_a_wire():
    host, _ = host_at("idle")
    host.ask("capture", wires=["CH1_A", "INTERLOCK"], edges=10)
    assert host.ask("captured", wire="CH1_A", **{"from": 0}) == {"words": "AAAAAA=="}
    assert SAID["captured"]["gives"].endswith("| words")


@pytest.mark.parametrize("method", messages.METHODS)
def test_before_hello_a_method_is_answered_only_if_the_page_says_so(method):
    host, _ = host_at("safe")
    assert isinstance(host.ask(method, **good(method, 0)), dict) == (f"`{method}`" in ALWAYS_TOLD)


ALWAYS_TOLD = re.search(r"`safe`, and only\n(.*) are answered", PAGE)[1]


def complaint(host, method, params):
    """(name, field) of the error that a request is answered with."""
    host.ident += 1
    reply = host.line({"jsonrpc": "2.0", "id": host.ident, "method": method, "params": params})
    return told(reply), reply["error"]["data"].get("field")


@pytest.mark.parametrize("method", messages.METHODS)
def test_parameters_are_needed_typed_and_known_as_the_table_says(method):
    wrong = {int: ["1", True, 1.5, None, 1 << 30], str: [5, None], list: [{}, "x", None], dict: [[], "x", None]}
    host, token = host_at((listed(method, "in") or ["idle"])[0])
    params = good(method, token)
    for name, kind in messages.METHODS[method].items():
        python, needed = tables.kind_of(kind)
        for value in wrong[python]:
            assert complaint(host, method, {**params, name: value}) == ("invalid_params", name)
        if needed:
            rest = {key: params[key] for key in params if key != name}
            assert complaint(host, method, rest) == ("invalid_params", name)
    assert complaint(host, method, {**params, "explode": 1}) == ("invalid_params", "explode")
    wanted = messages.METHODS[method]
    least = {name: params[name] for name in params if tables.kind_of(wanted[name])[1]}
    host.server.capture.start(["CH1_A"], 1)
    assert isinstance(host.ask(method, **least), dict)


# method, error, state, parameters beside the good ones, how the board is
SHOWN = [
    ("hello", "wire_mismatch", "idle", {"wire": messages.WIRE + 1}, {}),
    ("configure", "refused", "idle", {"channels": {"1": {}}}, {}),
    ("configure", "wrong_state", "run", {}, {}),
    ("configure", "fault", "fault", {}, {}),
    ("arm", "no_hook", "loaded", {}, {"c_hook": False}),
    ("arm", "bad_calibration", "loaded", {}, {"calibration": {"problem": "damaged", "channels": {}}}),
    ("arm", "wrong_state", "idle", {}, {}),
    ("arm", "fault", "loaded", {}, {"closed": False}),
    ("start", "bad_token", "armed", {"token": 0}, {}),
    ("start", "bench_only", "armed", {"cutoff_ms": 5}, {"cfg": CFG}),
    ("start", "refused", "armed", {"cutoff_ms": 0}, {}),
    ("start", "wrong_state", "paused", {}, {}),
    ("start", "fault", "armed", {}, {"guard": "interlock_open"}),
    ("amplitude", "bad_token", "run", {"token": 0}, {}),
    ("amplitude", "refused", "run", {"ua": -1}, {}),
    ("pause", "wrong_state", "armed", {}, {}),
    ("pause", "fault", "fault", {}, {}),
    ("resume", "bad_token", "paused", {"token": 0}, {}),
    ("resume", "wrong_state", "run", {}, {}),
    ("resume", "fault", "paused", {}, {"closed": False}),
    ("clear_fault", "not_gone", "fault", {}, {"closed": False}),
    ("capture", "no_room", "idle", {"edges": 5_001}, {}),
    ("capture", "wrong_state", "run", {}, {}),
    ("capture", "fault", "fault", {}, {}),
    ("captured", "no_capture", "idle", {}, {}),
    ("captured", "wrong_state", "run", {}, {}),
    ("stall", "bad_token", "run", {"token": 0}, {}),
    ("stall", "bench_only", "run", {}, {"cfg": CFG}),
    ("inspect", "wrong_state", "run", {}, {}),
]


@pytest.mark.parametrize(("method", "error", "state", "params", "board"), SHOWN, ids=lambda value: str(value)[:12])
def test_every_error_that_the_table_lists_of_a_method_can_occur(method, error, state, params, board):
    board = dict(board)
    info = {name: board.pop(name) for name in ("cfg", "c_hook", "calibration") if name in board}
    host, token = host_at(state, **info)
    for name, value in board.items():
        setattr(host.bench.output, name, value)
    assert host.ask(method, **{**good(method, token), **params}) == error


def test_the_errors_shown_are_the_errors_listed():
    assert {row[:2] for row in SHOWN} == {(m, error) for m in messages.METHODS for error in listed(m, "errors")}


def test_every_error_of_the_page_occurs():
    host, _ = host_at("idle")
    line = frames.encode({"jsonrpc": "2.0", "id": 99, "method": "result"})[:-1]
    replies = [host.server.handle(raw, 0) for raw in (line[:20], line[:-1] + b"x", line.replace(b"99", b"98"))]
    general = {told(frames.decode(reply)[0]) for reply in [*replies, host.server.too_long()]}
    general |= {told(host.line({"id": 1})), host.ask("explode"), host.ask("result", deep=1), Host().ask("result")}
    host.ident = 50
    host.ask("result")
    host.ident = 40
    general.add(host.ask("result"))
    assert (
        general | {row[1] for row in SHOWN}
        == set(messages.ERRORS)
        == {row[0].strip("`") for row in rows("## Errors").values()}
    )
    assert all(f"`{name}`" in PAGE.partition("Any request may also")[2].partition("\n")[0] for name in general)


def test_no_method_answers_with_an_error_that_is_not_listed():
    """2500 requests with odd values in every state: what comes is the method's own, or may come to any request."""
    rng = Random(8)
    odd = {
        "token": [0, -1],
        "channels": [[], [1], [2, 2], [9], ["1"], {}, {"1": {}}, {"9": CFG}, {"1": dict(CFG, amplitude_ua=99_999)}],
        "channel": [2, 3, -1],
        "ua": [-1, 0, 9_999, 99_999],
        "cutoff_ms": [0, 1, 99_999],
        "wires": [[], ["CH9"], ["CH1_A"] * 2, ["CH1_A"], [5]],
        "edges": [0, 9_999],
        "wire": ["CH1_A", "CH2_A"],
        "from": [-1, 0, 5],
        "ms": [0, 1_001, 5],
        "reason": ["operator_key", "time_over"],
        "new": [0, 1],
        "bench": [0, 1],
    }
    seen, whys = set(), set()
    own = {error for method in messages.METHODS for error in listed(method, "errors")}
    for _ in range(250):
        state = rng.choice(STATES)
        host, token = host_at(state, rng.choice([CFG, BENCH]))
        host.bench.output.closed = rng.random() < 0.8
        for _ in range(10):
            method = rng.choice(list(messages.METHODS))
            params = good(method, token)
            for name in messages.METHODS[method]:
                if rng.random() < 0.4 and odd.get(name):
                    params[name] = rng.choice(odd[name])
            host.ident += 1
            reply = host.line({"jsonrpc": "2.0", "id": host.ident, "method": method, "params": params})
            if "error" in reply:
                seen.add((method, told(reply)))
                whys.add(reply["error"]["data"].get("why") if told(reply) == "refused" else None)
    unlisted = {(method, error) for method, error in seen if error in own and error not in listed(method, "errors")}
    assert not unlisted
    assert len(seen & {row[:2] for row in SHOWN}) > 20
    assert whys - {None} <= set(rows("## Refusals")) and len(whys) > 4


# -- configurations and refusals ------------------------------------------------------------------------------------


def refused(cfg):
    """(code, field, bound) of a configuration's refusal, or None."""
    try:
        config.check(cfg)
    except config.ConfigError as error:
        return error.args[0], error.args[1], error.args[3]
    return None


def test_a_configuration_is_refused_just_outside_every_range_of_the_table():
    whole = {kind: dict(cfg, on_ms=5_000, off_ms=0, dense_ok=1) for kind, cfg in EACH_KIND.items()}
    table = rows("## Channel configuration")
    looked = set()
    for name, (_, range_text, _, _) in table.items():
        for low, high, electrode in re.findall(r"(\d+) to (\d+)(?: \((\w+)\))?", range_text):
            for cfg in whole.values():
                if name in cfg or name == "area_cmm2":
                    cfg = dict(cfg, electrode=electrode or cfg["electrode"])
                    assert refused({**cfg, name: int(low) - 1}) == ("too_low", name, int(low))
                    assert refused({**cfg, name: int(high) + 1}) == ("too_high", name, int(high))
                    looked.add(name)
        if not re.search(r"\d to \d", range_text):
            for value in ("odd", 2, -1, None):
                assert refused({**whole["continuous"], name: value})[1] == name
            for value in re.findall(r"\w+", range_text):
                value = {"true": True, "false": False}.get(value, int(value) if value.isdigit() else value)
                kind = value if name == "kind" else "continuous"
                assert refused({**whole[kind], name: value}) is None
            looked.add(name)
    assert looked == set(table)


def test_a_field_is_needed_where_the_table_says_so_and_taken_nowhere_else():
    for name, (_, _, needed, _) in rows("## Channel configuration").items():
        for kind, cfg in EACH_KIND.items():
            if needed == "yes" or f"`{kind}`" in needed:
                code, field, _ = refused({key: value for key, value in cfg.items() if key != name})
                assert field == name and code in ("missing", "not_a_choice", "wrong_type")
            elif needed != "no":
                assert refused({**cfg, name: 1})[:2] == ("not_for_kind", name)
            else:
                assert name not in cfg
    assert refused(dict(EACH_KIND["burst"], odd=1))[:2] == ("unknown", "odd")


def test_the_refusals_of_the_page_are_those_that_the_core_gives():
    """By the source: every code of a ConfigError, every cap's name."""
    source = Path(config.__file__).read_text()
    codes = {
        node.args[0].value
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "ConfigError"
    }
    caps = [
        name
        for cfg in (BENCH, dict(BENCH, electrode="needle", mode="dnes"))
        for name, _ in limits.amplitude_caps_ua(cfg, boards.load())
    ]
    caps += ["rms_sum", "step", "duration", "remainder"]
    assert set(rows("## Refusals")) == codes | {f"limit_{name}" for name in caps}
    assert set(words.LIMITS) == {f"limit_{name}" for name in caps}


# -- what the image sends -------------------------------------------------------------------------------------------


def test_the_image_sends_the_fields_of_the_tables_and_no_others(board_image):
    """A captured session of two channels: hello, telemetry, events, result, capture, inspection."""
    dut = Dut(board_image)
    raw = []
    take = dut._take
    dut._take = lambda t_ns, line: (raw.append(frames.decode(line)[0]), take(t_ns, line))
    try:
        assert set(dut.greet()) == set(messages.INFO)
        dut.call("capture", wires=["CH1_A", "INTERLOCK"], edges=400)
        dut.greet = lambda: None  # another hello would drop the capture
        dut.load({1: {}, 2: {"duration_ms": 1_000}})
        dut.start()
        dut.run_ms(300)
        status = dut.call("status")
        assert set(status) == set(messages.STATUS)
        assert {len(row) for row in status["channels"]} == {len(messages.STATUS_CHANNEL)}
        dut.call("stop")
        result, captured, inspected = dut.call("result"), dut.call("captured"), dut.call("inspect")
    finally:
        dut.board.close()
    assert set(result) == set(messages.RESULT)
    assert set(result["channels"]["1"]) == {"pulses", "truncated", "charge_nc"}
    assert set(captured) == set(messages.CAPTURED)
    assert {frozenset(row) for row in captured["wires"].values()} == {frozenset(messages.CAPTURED_WIRE)}
    assert set(inspected) == set(messages.INSPECT)
    told = {name: [m["params"] for m in raw if m.get("method") == name] for name in ("tel", "event")}
    assert {m["method"] for m in raw if "method" in m} == set(told) == set(rows("## Notifications")) - {"ack"}
    live = [dict(zip(messages.TELEMETRY, params, strict=True)) for params in told["tel"]]
    live = [item for item in live if item["state"] in messages.LIVE]
    assert {len(row) for item in live for row in item["channels"]} == {len(messages.CHANNEL)}
    assert all(item["dev_us"] % 1000 == 0 and item["interlock"] is True for item in live)
    gaps_ms = {(b["dev_us"] - a["dev_us"]) // 1000 for a, b in zip(live, live[1:], strict=False)}
    assert gaps_ms and all(messages.TELEMETRY_MS <= gap <= messages.TELEMETRY_MS + 20 for gap in gaps_ms)
    assert {len(params) for params in told["event"]} == {len(messages.EVENT)}
    assert [params[3] for params in told["event"]][-2:] == ["done", "stop_command"]
