"""Fixtures of the doctor's tests: folders of their own, a fake board at a real pty, `rheo` in this process."""

import pytest
from host.calling import SHORT, Answer, finish, start, until
from host.fake_board import FakeBoard
from rheobase import discovery
from rheobase.cli.main import main
from rheobase.image.firmware_files import firmware_hash


@pytest.fixture(autouse=True)
def alone(private_folders, monkeypatch):
    """No test sees this user's boards, records or settings."""
    monkeypatch.setattr(discovery, "_usb_ports", lambda: [])


@pytest.fixture
def plug(monkeypatch):
    """plug(*boards): these, and nothing else, hang on this computer's USB."""

    def put(*boards):
        monkeypatch.setattr(discovery, "_usb_ports", lambda: [(b.port, False, b.serial) for b in boards])

    return put


@pytest.fixture
def make(plug):
    """make(**FakeBoard options) -> a fake board with this rheo's firmware, plugged in."""
    made = []

    def begin(**options):
        firmware = {"version": "0.1.0", "hash": firmware_hash("RHEO_PICO"), "origin": "frozen"}
        options["info"] = {"firmware": firmware, **options.get("info", {})}
        made.append(FakeBoard(**options).__enter__())
        plug(*made)
        return made[-1]

    yield begin
    for board in made:
        board.__exit__()


@pytest.fixture
def board(make):
    return make()


@pytest.fixture
def rheo(capsys):
    """rheo(*words) -> Answer, in this process."""

    def call(*words):
        capsys.readouterr()
        code = main([str(word) for word in words])
        out, err = capsys.readouterr()
        return Answer(code, out, err)

    return call


@pytest.fixture
def doctor(rheo):
    """doctor(*words) -> ({id: check}, exit code); ids must be told once a board."""

    def call(*words):
        answer = rheo("doctor", "--json", *words)
        checks = answer.json["data"]["checks"]
        by_id = {check["id"]: check for check in checks}
        assert len(by_id) == len(checks)
        return by_id, answer.code

    return call


@pytest.fixture
def session(board, tmp_path):
    """A `rheo run` of 60 s on the fake board, in a process of its own, in state run."""
    path = tmp_path / "short.toml"
    path.write_text(SHORT)
    words = ("run", path, "--amplitude", "2mA", "--yes", "--reason", "test", "--json", "-p", board.port)
    process = start(*words)
    until(lambda: board.session.state == "run")
    yield process
    finish([process])
