"""The board that the tests run on (--board), and fixtures that several folders share: the images, built once."""

import os
import sys

import ledger
import pytest
import running_order


def pytest_addoption(parser):
    parser.addoption("--board", metavar="NAME", default="RHEO_PICO", help="board to run tests/e2e on [RHEO_PICO]")


def pytest_configure(config):
    """Before any test module is read: what they know of the board comes from boards.load()."""
    os.environ["RHEO_BOARD"] = config.getoption("--board")
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(ledger.Ledger(config.getoption("--board")), "ledger")


def pytest_collection_modifyitems(config, items):
    for item in items:
        ledger.note(item)
    items[:] = running_order.slow_first(items, getattr(config, "workerinput", {}).get("workercount", 1))


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


@pytest.fixture
def spawn():
    """spawn(*words) -> Popen of `rheo words`; what is left over is ended."""
    from host.calling import finish, start

    started = []

    def begin(*words, **options):
        started.append(start(*words, **options))
        return started[-1]

    yield begin
    finish(started)


@pytest.fixture(scope="session")
def board_image():
    """Path of the .bin of the board's image with this tree's firmware frozen in (RHEO_BOARD)."""
    from rheobase import image

    return image.ensure(log=_say).bin_path


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
