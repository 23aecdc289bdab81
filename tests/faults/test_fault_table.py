"""The fault table: one run of every fault again, and the pages are what the rows say. `make faults` runs them all."""

import json
from dataclasses import replace

import pytest
from dut import MS
from faults import bench, cases, table
from rheobase.emulator.fault_python import Mailbox
from rheobase.emulator.snapshot import in_child
from rheobase.emulator.usb_host import UsbHost

send = UsbHost.send
ROWS = json.loads(table.JSON.read_text())
WALL_S = 300.0  # of a machine that has other things to do


@pytest.fixture(scope="module")
def board(board_image):
    """board(key) -> a live board of that key (rate, how it was brought up), made once a worker."""
    made = {}

    def get(key):
        if key not in made:
            made[key] = bench.live_board(board_image, key)
        return made[key]

    return get


def shows(this):
    return pytest.param(this, id=this.id, marks=pytest.mark.req("REQ-133", cases.shown_by(this.fault)))


@pytest.mark.parametrize("this", [shows(this) for this in bench.few()])
def test_every_fault_ends_as_promised(board, this):
    """Bounds are the table's; all times simulated."""
    row, wrong = in_child(bench.run, board(this.board), this, timeout_s=WALL_S)
    assert not wrong
    assert row["verdict"] == "PASS"
    assert row["bound_ms"] == next(r for r in ROWS if r["id"] == row["id"])["bound_ms"]


@pytest.mark.req("REQ-133")
def test_the_table_has_every_run_and_every_run_passed():
    assert [row["id"] for row in ROWS] == [this.id for this in bench.runs()]
    assert all(tuple(row) == bench.COLUMNS for row in ROWS)
    assert {row["verdict"] for row in ROWS} == {"PASS"}
    assert all(row["measured_ms"] <= row["bound_ms"] for row in ROWS if row["balanced"] != "goes on")


def test_the_page_is_what_the_rows_say():
    assert table.MARKDOWN.read_text() == table.markdown(ROWS)


def test_a_check_finds_what_has_changed():
    changed = [dict(row) for row in ROWS[:3]]
    changed[0]["measured_ms"] += table.SLACK_MS + 1
    changed[1]["state"] = "idle"
    changed[2]["verdict"] = "FAIL"
    found = table.differences(ROWS[:4], changed)
    assert len(found) == 4
    assert all(row["id"] in " ".join(found) for row in ROWS[:4])


@pytest.mark.req("REQ-132")
def test_a_fault_that_output_survives_must_show_that_it_was_there():
    """By Python that ran to its end, by `shown`, or by runs of its own that it did end."""
    ended = {row["fault"] for row in ROWS if row["balanced"] != "goes on"}
    for fault in bench.FAULTS:
        run_to_its_end = any("python" in what for what in fault.what)
        assert fault.promise == "off" or run_to_its_end or fault.shown or fault.host or fault.id in ended, fault.id
        assert fault.what or fault.promise == "off" or fault.shown, f"{fault.id}: only the host does something"


@pytest.mark.req("REQ-132")
@pytest.mark.parametrize("ident", ["flash-erase", "exception-in-handler", "collection-storm", "ctrl-d"])
def test_a_fault_that_never_happens_fails(board, monkeypatch, ident):
    """The board goes on and keeps every promise, since nothing was done to it: that must not pass for surviving."""
    this = next(run for run in bench.runs() if run.fault.id == ident and run.hz == 100)
    live = board(this.board)  # which needs what is taken away next
    monkeypatch.setattr(Mailbox, "run", lambda mailbox, slot: None)
    monkeypatch.setattr(UsbHost, "send", lambda usb, data: data == b"\x04" or send(usb, data))
    row, wrong = in_child(bench.run, live, this, timeout_s=WALL_S)
    assert row["verdict"] == "FAIL" and row["state"] == "run"
    assert len(wrong) == 1 and ("nothing shows" in wrong[0] or "has not happened" in wrong[0])


@pytest.mark.req("REQ-132")
def test_output_that_ends_unseen_does_not_go_on(board, monkeypatch):
    """The pins fall silent while the board says that it runs: every period so far is exact, and that is not enough."""
    this = next(run for run in bench.runs() if run.fault.id == "ctrl-d" and run.hz == 100)

    def silent(dut, this):
        at_ns = dut.board.now_ns + 300 * MS
        dut.board.at(at_ns, lambda: setattr(dut.board, "_edge", lambda *edge: None))
        return bench.run(dut, this)

    row, wrong = in_child(silent, board(this.board), this, timeout_s=WALL_S)
    assert row["verdict"] == "FAIL" and any("no pulse for" in sentence for sentence in wrong)


@pytest.mark.req("REQ-132")
def test_a_run_that_breaks_its_promise_fails(board):
    """The judge must be able to say no: the same run, with a bound that no hardware keeps and a name nobody gave."""
    this = next(run for run in bench.few() if run.fault.id == "interlock-open")
    fault = replace(this.fault, bound_ms=-1.0, names=("host_lost",))
    row, wrong = in_child(bench.run, board(this.board), replace(this, fault=fault), timeout_s=WALL_S)
    assert row["verdict"] == "FAIL"
    assert len(wrong) == 2
