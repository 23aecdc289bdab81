"""`rheo deploy` onto stock MicroPython through real mpremote over a real pty. The whole of it: tests/walk.py."""

import os
import signal
import threading

import pytest
from rheobase import deploy
from rheobase.emulator import launch
from rheobase.errors import DeviceLost


def test_a_cable_pulled_while_it_writes_is_told_with_what_still_starts(stock_image, tmp_path, monkeypatch):
    """That it does: tests/e2e/test_deploy_cut.py."""
    monkeypatch.setenv("RHEO_RUNTIME", str(tmp_path))
    board = launch.start(image_bin=stock_image)
    pulls = []

    def note(text):  # writing takes some ten seconds
        if text.startswith("Writing"):
            pulls.append(threading.Timer(1, os.kill, (board.pid, signal.SIGKILL)))
            pulls[-1].start()

    with pytest.raises(DeviceLost, match="went away.*What was on the board before still starts"):
        deploy.deploy(board.pty, note, emulated=True)
    board.stop()
    assert len(pulls) == 1
