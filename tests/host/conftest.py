"""Fixtures of the host tests: a fake board at a real pty, and `rheo` called in this process or as one of its own."""

import pytest
from host.calling import SHORT, Answer
from host.fake_board import FakeBoard
from rheobase import discovery
from rheobase.cli.main import main


@pytest.fixture(autouse=True)
def alone(private_folders, monkeypatch):
    """No test sees this user's boards, records or settings."""
    monkeypatch.setattr(discovery, "_usb_ports", lambda: [])


@pytest.fixture(autouse=True)
def plain_report(request, monkeypatch):
    """Sessions in this process write a report of one word (tests/record has the real one), but for those marked."""
    if "real_report" not in request.fixturenames:
        monkeypatch.setattr("rheobase.report.page", lambda reader: "report")


@pytest.fixture
def real_report():
    """This test wants the report as it is."""


@pytest.fixture
def board():
    with FakeBoard() as fake:
        yield fake


@pytest.fixture
def short(tmp_path):
    """Path of a protocol with the shortest ramps."""
    path = tmp_path / "short.toml"
    path.write_text(SHORT)
    return str(path)


@pytest.fixture
def rheo(capsys):
    """rheo(*words) -> Answer, in this process."""

    def call(*words):
        capsys.readouterr()
        code = main([str(w) for w in words])
        out, err = capsys.readouterr()
        return Answer(code, out, err)

    return call
