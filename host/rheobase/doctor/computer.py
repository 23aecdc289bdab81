"""Checks of folders, room and records on this computer. Makes no folder and writes no file."""

import os
import shutil
from pathlib import Path

from rheobase import boards, discovery, paths, record
from rheobase.doctor.finding import fail, ok, warn
from rheobase.image import firmware_files

LONGEST_MS = 3_600_000  # the longest session there is
NEWEST = 3  # records that are looked at


def settings(_):
    """The config file, if there is one, RHEO_PORT and RHEO_BOARD."""
    board = boards.chosen()
    if board not in firmware_files.known_boards():
        known = ", ".join(firmware_files.known_boards())
        return fail(f"RHEO_BOARD names {board}: there is no such board.", f"Unset it, or name one of {known}.")
    named = discovery.configured_port()
    path = Path(discovery.config_path())
    where = str(path) if path.exists() else "no config file"
    return ok(f"{where}; " + (f"the port is set to {named}." if named else "no port is set: the one board is taken."))


def cache(_):
    """Where images are kept."""
    return _writable("Images", paths.cache_dir(), "RHEO_CACHE=DIR")


def records(log_dir):
    """Where sessions are recorded."""
    return _writable("Records", record.sessions_dir(log_dir), "--log-dir DIR")


def disk(log_dir):
    """Room for a session's record."""
    folder = _existing(record.sessions_dir(log_dir))
    free, need = shutil.disk_usage(folder).free, record.bytes_needed(LONGEST_MS)
    said = f"{free / 1e9:.1f} GB are free at {folder}; an hour's record may take {need / 1e6:.0f} MB"
    if free < need:
        return fail(said + ".", "Free some space, or name another folder with --log-dir.")
    if free < 10 * need:
        return warn(said + ".", "Free some space before it runs out in a session: that session would be stopped.")
    return ok(said + ".")


def last_sessions(log_dir):
    """How the newest sessions ended, by their records."""
    from rheocore import faults

    folder = record.sessions_dir(log_dir)
    newest = sorted(folder.glob("*/" + record.FILE), reverse=True)[:NEWEST] if folder.is_dir() else []
    for reader in map(record.RecordReader, newest):
        told = reader.summary()
        if told["fault"]:
            name = str(told["fault"])
            return warn(f"Session {told['id']} ended in {name}: {faults.sentence(name)}", faults.remedy(name) or None)
        if told["state"] == "crashed":
            return warn(
                f"Session {told['id']} has no end in its record: the computer or rheo broke off.",
                f"`rheo log show {told['id']}` shows what is there.",
            )
    if not newest:
        return ok("No session is on record yet.")
    return ok(f"The newest on record ({len(newest)} looked at) ended without a fault.")


def _existing(path):
    """The path, or the nearest folder above it that can be seen: where it would be made."""
    return next(p for p in (path, *path.parents) if os.path.exists(p))  # Path.exists raises below a closed folder


def _writable(what, path, option):
    """Finding of a folder that is written to, or would be made."""
    there = _existing(path)
    if there.is_dir() and os.access(there, os.W_OK | os.X_OK):
        return ok(f"{what} go to {path}" + ("." if there == path else ", made when it is needed."))
    what_is = "cannot be written" if there.is_dir() else "is no folder"
    return fail(f"{what} cannot go to {path}: {there} {what_is}.", f"Mend its rights, or name another: {option}.")
