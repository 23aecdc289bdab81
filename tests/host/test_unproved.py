"""What nobody has proved is said: a stop that failed in an error of our own."""

import pytest
from rheobase import ending


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
