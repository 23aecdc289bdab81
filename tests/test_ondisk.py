"""A file that is written whole: after a write that breaks off, what stood there stands there, and nothing beside it."""

import resource
import signal

import pytest
from rheobase import ondisk


@pytest.fixture
def room():
    """No file may grow beyond 1000 bytes."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    was = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    signal.signal(signal.SIGXFSZ, was)


def test_a_write_that_breaks_off_leaves_what_stood_there(tmp_path, room):
    path = tmp_path / "report.html"
    ondisk.write_whole(path, b"before")
    with pytest.raises(OSError):
        ondisk.write_whole(path, bytes(2_000))
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"] and path.read_bytes() == b"before"
    ondisk.write_whole(path, b"after")
    assert path.read_bytes() == b"after"
