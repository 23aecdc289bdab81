"""Fixtures that several test folders share: the images. Each is built once and cached by its content."""

import sys

import pytest


def _say(*words):
    print(*words, file=sys.stderr)


@pytest.fixture(scope="session")
def board_image():
    """Path of the .bin of the board's image with this tree's firmware frozen in."""
    from rheobase import image

    return image.ensure("RHEO_PICO", log=_say).bin_path


@pytest.fixture(scope="session")
def stock_image():
    """Path of the .bin of stock MicroPython for RPI_PICO, built from the same sources."""
    from rheobase import image

    return image.ensure("RPI_PICO", log=_say).bin_path
