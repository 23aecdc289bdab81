"""Fixture of the end-to-end tests: a freshly booted board with the real image and a host beside it."""

import pytest
from dut import Dut


@pytest.fixture
def dut(board_image):
    """The device under test, booted, greeted by nobody."""
    device = Dut(board_image)
    yield device
    device.board.close()


@pytest.fixture
def make_dut(board_image):
    """make_dut(**EmulatedBoard options) -> Dut."""
    made = []

    def make(**options):
        made.append(Dut(board_image, **options))
        return made[-1]

    yield make
    for device in made:
        device.board.close()
