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


@pytest.fixture(scope="session")
def checkout(tmp_path_factory):
    """This tree, committed somewhere else."""
    import releasing

    root = tmp_path_factory.mktemp("checkout")
    releasing.commit(root)
    return root


@pytest.fixture(scope="session")
def dist(board_image, checkout):
    """dist/ of a release of that tree, made twice over: the same bytes."""
    import releasing

    made = []
    for _ in range(2):
        done = releasing.release(checkout)
        assert done.returncode == 0, done.stderr
        made.append({path.name: path.read_bytes() for path in (checkout / "dist").iterdir()})
    assert made[0] == made[1]
    return checkout / "dist"
