"""Operate the interlock of an emulated board from outside its process: by signals, one for each way. Nothing else."""

import os
import signal

from rheobase.emulator import register
from rheobase.errors import HostError

OPEN, CLOSE = signal.SIGUSR1, signal.SIGUSR2
OPEN_IN_PHASE = signal.SIGURG
IN_PHASE_NS = 20_013  # from the rise of a leg A, off every tick: whoever asks has phases that are longer
NEXT_NS = 1_000_000_000  # a rise later than this is none that was meant


def set_interlock(port, closed):
    """Open or close the interlock of the emulated board at `port`. Raises HostError if there is none."""
    _tell(port, CLOSE if closed else OPEN)


def open_in_phase(port):
    """Open it 20 us into the next phase A of any channel, within 1 s simulated: the moment that asks most."""
    _tell(port, OPEN_IN_PHASE)


def _tell(port, number):
    entry = register.lookup(port)
    if entry is None:
        raise HostError("no_emulated_board", f"There is no emulated board at {port}.")
    os.kill(entry.pid, number)


def obey(board, soon):
    """Let this process's signals operate the interlock of `board`. soon(act): calls act() where it may act."""
    asked = []  # the time in ns until which a rise is meant

    def on_edge(t_ns, name, level):
        if asked and level and name.endswith("_A") and t_ns < asked.pop():
            board.at(t_ns + IN_PHASE_NS, lambda: board.set_interlock(False))

    board.edge_hooks.append(on_edge)
    for number, closed in ((OPEN, False), (CLOSE, True)):
        signal.signal(number, lambda *_, closed=closed: soon(lambda: board.set_interlock(closed)))
    signal.signal(OPEN_IN_PHASE, lambda *_: soon(lambda: asked.append(board.now_ns + NEXT_NS)))
