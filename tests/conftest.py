"""Fixtures that several test folders share: the images. Each is built once and cached by its content."""

import sys

import pytest


def _say(*words):
    print(*words, file=sys.stderr)


@pytest.fixture
def private_folders(tmp_path, monkeypatch):
    """Boards, records and settings of this test only, and a folder to work in; images come from the user's cache."""
    for name in ("DATA", "RUNTIME"):
        monkeypatch.setenv(f"RHEO_{name}", str(tmp_path / name.lower()))
    monkeypatch.setenv("RHEO_CONFIG", str(tmp_path / "config.toml"))
    monkeypatch.delenv("RHEO_PORT", raising=False)
    monkeypatch.chdir(tmp_path)


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
