"""What nobody has proved is said: a board that speaks another version, a stop that failed in an error of our own."""

import pytest
from host.fake_board import FakeBoard
from rheobase import ending
from rheobase.errors import Incompatible
from rheobase.link.greeting import open_board
from rheocore import messages
from rheocore.server import Server


class TakesAnyHello(FakeBoard):
    """Greets every host, and says which wire version it speaks itself."""

    def _other_wire(self, params, now_ms):
        return {**Server._hello(self.server, {"wire": messages.WIRE}, now_ms), "wire": self.wire}


@pytest.mark.req("REQ-082")
def test_a_board_that_greets_any_host_is_not_taken_if_it_speaks_another_version():
    with TakesAnyHello(wire=messages.WIRE + 1) as board, pytest.raises(Incompatible) as error:
        open_board(board.port)
    assert error.value.code == "wire_mismatch"


@pytest.mark.req("REQ-086", "REQ-087")
def test_a_stop_that_breaks_in_an_error_of_ours_too_says_open_the_interlock(rheo, board, short, monkeypatch, tmp_path):
    def bug(*args):
        raise RuntimeError("a bug")

    def telemetry(self, item, channels):
        if item["state"] == "run":
            monkeypatch.setattr(ending, "halt", bug)
            bug()

    monkeypatch.setenv("RHEO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("rheobase.cli.progress.Progress.telemetry", telemetry)
    answer = rheo("run", short, "--amplitude", "2mA", "--yes", "--reason", "test", "-p", board.port)
    assert answer.code == 1 and "not confirmed: open the interlock" in answer.err
