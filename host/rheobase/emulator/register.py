"""Which emulated boards run on this machine: one small file per process. Imports nothing heavy (host verbs use it)."""

import contextlib
import json
import os
from dataclasses import asdict, dataclass

from rheobase import paths


@dataclass(frozen=True)
class Entry:
    """A running emulated board: the pty to open, the board's name, its serial number, the process behind it."""

    pty: str
    board: str
    serial: str
    pid: int

    @property
    def port(self):
        """The pty, under the name that serial ports have."""
        return self.pty


def _folder():
    return paths.runtime_dir() / "emulated"


def add(entry):
    """Announce a board of this process; returns the file that `remove` takes."""
    folder = _folder()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / f"{entry.pid}.json"
    scratch = path.with_suffix(".new")
    scratch.write_text(json.dumps(asdict(entry)))
    os.replace(scratch, path)
    return path


def remove(path):
    """Withdraw an announcement."""
    with contextlib.suppress(OSError):
        path.unlink()


def _alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def list_boards():
    """[Entry] of every emulated board that still runs, oldest process number first; files of dead ones are removed."""
    entries = []
    with contextlib.suppress(OSError):
        for path in sorted(_folder().glob("*.json")):
            try:
                entry = Entry(**json.loads(path.read_text()))
            except (OSError, ValueError, TypeError):
                remove(path)
                continue
            if _alive(entry.pid) and os.path.exists(entry.pty):
                entries.append(entry)
            else:
                remove(path)
    return sorted(entries, key=lambda entry: entry.pid)


def lookup(port):
    """The Entry whose pty is `port` (links followed), or None."""
    real = os.path.realpath(port)
    return next((entry for entry in list_boards() if os.path.realpath(entry.pty) == real), None)
