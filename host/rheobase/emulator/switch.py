"""Operate the interlock of an emulated board from outside its process: a signal opens it, another closes it."""

import os
import signal

from rheobase.emulator import register
from rheobase.errors import HostError

OPEN, CLOSE = signal.SIGUSR1, signal.SIGUSR2


def set_interlock(port, closed):
    """Open or close the interlock of the emulated board at `port`. Raises HostError if there is none."""
    entry = register.lookup(port)
    if entry is None:
        raise HostError("no_emulated_board", f"There is no emulated board at {port}.")
    os.kill(entry.pid, CLOSE if closed else OPEN)


def obey(board, soon):
    """Let this process's signals operate the interlock of `board`. soon(act): calls act() where it may act."""
    for number, closed in ((OPEN, False), (CLOSE, True)):
        signal.signal(number, lambda *_, closed=closed: soon(lambda: board.set_interlock(closed)))
