"""Doctor changes nothing: what it sends, what a session beside it notices, what is on board and disk afterwards."""

import hashlib

import pytest
from host.calling import call
from rheobase import device_scripts, discovery, mpremote
from rheobase.emulator import launch

READS = {"hello", "status", "inspect"}


def tree(*folders):
    """Every file below with its content and time."""
    return {
        str(path): (path.stat().st_mtime_ns, path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest())
        for folder in folders
        for path in sorted(folder.rglob("*"))
    }


def test_a_board_is_greeted_and_asked_and_nothing_else(board, doctor):
    doctor()
    assert set(board.seen) == READS and board.breaks == 0 and not board.output.calls
    assert board.session.state == "idle"


@pytest.mark.req("REQ-123")
def test_a_board_at_its_repl_is_left_there(make, doctor):
    board = make(at_repl=True)
    checks, code = doctor()
    assert board.repl and board.breaks == 0 and checks["handshake"]["status"] == "warn" and code == 0


@pytest.mark.req("REQ-123")
def test_beside_a_session_the_board_hears_no_word_of_doctors(session, board, doctor):
    before, seen = board.session.channels[1].pulses_now(), list(board.seen)
    checks, code = doctor()
    assert code == 0
    assert f"process {session.pid}" in checks["handshake"]["message"] and "run" in checks["handshake"]["message"]
    assert checks["firmware"]["status"] == checks["interlock"]["status"] == checks["fault"]["status"] == "ok"
    assert not {"clock", "guard", "files", "flash"} & set(checks)
    assert board.session.state == "run" and board.session.fault is None and board.breaks == 0
    assert set(board.seen[len(seen) :]) <= {"status"}  # asked by the run itself, on our behalf
    assert board.session.channels[1].pulses_now() >= before
    assert session.poll() is None


def test_it_makes_no_file_and_no_folder(board, doctor, tmp_path):
    doctor()  # the first call finds the runtime folder missing
    before = tree(tmp_path)
    doctor("--log-dir", tmp_path / "records")
    assert tree(tmp_path) == before


@pytest.fixture
def emulated(board_image, private_folders):
    with launch.start(image_bin=board_image) as running:
        yield running.pty


def files_of(port):
    """{path: hash} of everything that mpremote finds on the board; the app runs again afterwards."""
    there = mpremote.evaluate(port, device_scripts.hashes(""))
    assert discovery.try_port(port, True).info
    return there


@pytest.mark.req("REQ-123")
def test_on_the_real_image_state_and_files_are_what_they_were_and_the_fix_for_a_stray_file_works(emulated):
    """Real mpremote, real pty. A stray main.py is found, removed by the command that the fix says, and gone."""
    mpremote.run(emulated, "exec", "f = open('/main.py', 'w')\nf.write('print(1)')\nf.close()")
    before = files_of(emulated)
    assert set(before) == {"/main.py"}
    status = call("status", "--json", "-p", emulated).json["data"]

    answer = call("doctor", "--json", "-p", emulated)
    assert answer.code == 0, answer.out
    checks = {check["id"]: check for check in answer.json["data"]["checks"]}
    ill = {name for name, check in checks.items() if check["port"] and check["status"] != "ok"}
    assert ill == {"files", "calibration"} and "main.py" in checks["files"]["message"]

    assert call("status", "--json", "-p", emulated).json["data"] == status
    assert files_of(emulated) == before

    _, _, port, *words = checks["files"]["fix"].split()
    mpremote.run(port, *words)
    assert files_of(emulated) == {}
    checks = {check["id"]: check for check in call("doctor", "--json", "-p", emulated).json["data"]["checks"]}
    assert checks["files"]["status"] == "ok" and "No file" in checks["files"]["message"]
