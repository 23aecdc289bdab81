"""Fixtures of the end-to-end tests: a freshly booted board with the real image and a host beside it.

`dut` is imported when a test needs it: it reads the description of the board that --board has named by then.
"""

import pytest


@pytest.fixture
def dut(make_dut):
    """The device under test, booted, greeted by nobody."""
    return make_dut()


@pytest.fixture
def make_dut(board_image):
    """make_dut(**EmulatedBoard options) -> Dut."""
    from dut import Dut

    made = []

    def make(**options):
        made.append(Dut(board_image, **options))
        return made[-1]

    yield make
    for device in made:
        device.board.close()
