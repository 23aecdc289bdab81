"""`rheo log`: list, show, export; the words for a crash, a fault and an emulated board; mistakes as sentences."""

import json

import pytest
from record.make_record import session
from rheobase.cli.main import main


@pytest.fixture
def rheo(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def call(*words):
        code = main(["--log-dir", str(tmp_path / "logs"), *words])
        out, err = capsys.readouterr()
        return code, out, err

    return call


@pytest.fixture
def logs(tmp_path):
    return tmp_path / "logs"


def test_list_is_empty_in_words_and_in_json(rheo, logs):
    code, out, _ = rheo("log", "list")
    assert code == 0 and f"no record in {logs}" in out
    assert json.loads(rheo("--json", "log", "list")[1])["data"] == {"records": []}


def test_list_shows_every_session_with_its_end(rheo, logs):
    paths = [session(logs), session(logs, fault="interlock_open"), session(logs, close=False)]
    code, out, _ = rheo("log", "list")
    assert code == 0 and all(path.parent.name in out for path in paths)
    assert "time_over" in out and "interlock_open" in out and "crashed" in out
    assert max(map(len, out.splitlines())) <= 80
    data = json.loads(rheo("--json", "log", "list")[1])["data"]["records"]
    assert {r["state"] for r in data} == {"complete", "crashed"} and len(data) == 3


def test_show_says_how_it_ended_and_that_it_is_modelled(rheo, logs):
    name = session(logs, fault="interlock_open").parent.name
    code, out, _ = rheo("log", "show", name[:-2])
    assert code == 0
    assert "The interlock is open." in out
    assert "emulated board: every current and impedance here is modelled" in out
    assert "200 pulses, 400 nC of one phase in sum" in out
    data = json.loads(rheo("--json", "log", "show", "last")[1])["data"]
    assert data["record"]["id"] == name and data["close"]["stop_reason"] == "interlock_open"


def test_show_says_that_a_record_without_an_end_is_a_crash(rheo, logs):
    session(logs, close=False)
    _, out, _ = rheo("log", "show", "last")
    assert "crashed: the host ended before it could close the record" in out
    assert "190 pulses" in out and "at the last telemetry" in out


def test_a_crash_after_the_output_is_a_crash_that_tells_the_boards_own_end(rheo, logs):
    path = session(logs, close=False)
    line = {"n": 99, "host_utc": "", "dev_us": 5_000_000, "kind": "event", "event": "end", "detail": "time_over"}
    path.write_text(path.read_text() + json.dumps(line) + "\n")
    assert "  crashed " in rheo("log", "list")[1]
    out = rheo("log", "show", "last")[1]
    assert "crashed: the host ended before it could close the record" in out
    assert "time_over: The session time is over." in out


def test_show_says_that_no_current_was_given(rheo, logs):
    path = session(logs, samples=1)
    path.write_text(path.read_text().replace('"charge_nc":20', '"charge_nc":0'))
    assert "10 pulses, 0 nC of one phase in sum, no current was given" in rheo("log", "show", "last")[1]


def test_show_says_at_least_for_a_board_that_was_lost(rheo, logs):
    path = session(logs, fault="host_lost")
    assert "duration   2 s" in rheo("log", "show", "last")[1]
    path.write_text(path.read_text().replace('"truncated":0', '"truncated":null'))
    out = rheo("log", "show", "last")[1]
    assert "duration   at least 2 s" in out and "at the last telemetry" in out


def test_show_counts_lines_that_are_lost(rheo, logs):
    path = session(logs)
    path.write_bytes(path.read_bytes()[:-5])
    assert "1 damaged, 0 missing" in rheo("log", "show", "last")[1]


def test_export_writes_the_csv_to_a_file_or_to_stdout(rheo, logs, tmp_path):
    name = session(logs, samples=4).parent.name
    code, out, _ = rheo("--json", "log", "export", "last")
    assert (code, json.loads(out)["data"]) == (0, {"id": name, "path": f"{name}.csv", "rows": 4})
    text = (tmp_path / f"{name}.csv").read_text()
    assert text.startswith("dev_us,state,channel,set_ua,meas_ua,ohms,pulses,charge_nc,fault\n")
    assert rheo("log", "export", name, "--csv", "-")[1] == text
    assert rheo("log", "export", name, "--csv", "other.csv")[0] == 0
    assert (tmp_path / "other.csv").read_text() == text


def test_export_draws_what_the_record_holds(rheo, logs, tmp_path):
    session(logs, fault="interlock_open")
    code, out, _ = rheo("--json", "log", "export", "last", "--pictures", "drawn")
    data = json.loads(out)["data"]
    assert code == 0 and (data["path"], data["pictures"]) == (None, ["drawn/pulses.png", "drawn/envelope.png"])
    for name in ("pulses", "envelope"):
        assert (tmp_path / "drawn" / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    assert not list(tmp_path.glob("*.csv"))
    code, _, err = rheo("log", "export", "last", "--pictures", "/dev/null/x")
    assert code == 8 and "cannot be made" in err


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("show", "nope"), 2, "There is no session nope."),
        (("show", "2"), 2, "2 sessions begin with '2'"),
        (("export", "last", "--csv", "no/such/folder/x.csv"), 8, "No such file or directory"),
        (("export", "last", "--csv", "-", "--json"), 2, "both want stdout"),
    ],
)
def test_a_mistake_is_a_sentence_and_the_right_exit_code(rheo, logs, words, code, says):
    session(logs), session(logs)
    got, out, err = rheo("log", *words)
    assert got == code and says in out + err and "Traceback" not in err
