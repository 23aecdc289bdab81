"""A lock between processes on the image cache, held by the build's children too. Protects files, not threads."""

import contextlib
import os

from rheobase import paths
from rheobase.errors import HostError


@contextlib.contextmanager
def image_lock(log):
    """Hold the cache's lock; says so through log(text) when another process has it. Yields a file descriptor.

    Give the descriptor to child processes (pass_fds): if we are killed, the lock is free only when they have ended.
    """
    try:
        import fcntl
    except ImportError as error:  # Windows
        raise HostError("no_build_here", "Images are built on Linux only.", "Use: rheo image fetch") from error
    path = paths.cache_dir() / "image.lock"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise HostError(
            "cache_not_writable",
            f"The cache {path.parent} cannot be written: {error.strerror}.",
            "Set RHEO_CACHE to a folder that can be written.",
        ) from error
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            log("Another process is working on images; waiting for it.")
            fcntl.flock(fd, fcntl.LOCK_EX)
        yield fd
    finally:
        os.close(fd)
