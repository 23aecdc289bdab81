"""Files that are whole and on disk, or not there. Says nothing to users: callers make their sentence of an OSError."""

import os
from contextlib import suppress
from pathlib import Path


def write_whole(path, data):
    """Write bytes to `path`, whole and on disk; otherwise what stood there stays. Raises OSError."""
    part = Path(f"{path}.part")
    try:
        with open(part, "wb") as out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        part.replace(path)
    except OSError:
        with suppress(OSError):
            part.unlink()
        raise
    sync_folder(Path(path).parent)


def sync_folder(folder):
    """Names of files in `folder` are on disk. Systems that cannot open a folder do it by themselves."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
