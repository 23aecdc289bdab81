"""A stock image booted once a worker; each case runs in a forked child of it (rheobase.emulator.snapshot)."""

import pytest
from emulator import device_scripts, fault_session
from rheobase.emulator import EmulatedBoard, rawrepl
from rheobase.emulator.snapshot import in_child

_booted = {}


def _snapshot(key, make):
    if key not in _booted:
        _booted[key] = make()
    return _booted[key]


def _at_prompt(image):
    board = EmulatedBoard(image)
    board.boot()
    rawrepl.enter(board)
    return board


def _with_program(image):
    board = _at_prompt(image)
    rawrepl.run(board, device_scripts.PROGRAM)
    return board


def _case(board):
    def run(fn, *args, timeout_s=60.0):
        return in_child(fn, board, *args, timeout_s=timeout_s)

    return run


@pytest.fixture
def stock(stock_image):
    """case(fn, *args): `fn(board, *args)` on a board that stands at the raw REPL, in a child; returns its result."""
    return _case(_snapshot("stock", lambda: _at_prompt(stock_image)))


@pytest.fixture
def pulses(stock_image):
    """The same with the pulse program of device_scripts defined and its guard running."""
    return _case(_snapshot("pulses", lambda: _with_program(stock_image)))


@pytest.fixture
def armed(board_image):
    """case(fn, *args): `fn(dut, *args)` on the board's image with an armed session, ready for Python, in a child."""
    return _case(_snapshot("armed", lambda: fault_session.make(board_image)))
