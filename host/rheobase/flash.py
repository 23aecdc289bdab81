"""Check a UF2 file and copy it onto a BOOTSEL volume; bring a running board to BOOTSEL. Does not wait for its return.

What came of it is comeback.py's to find out: a file that was copied is not yet a board that runs.
"""

import contextlib
import errno
import hashlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from rheobase import bootsel, mpremote
from rheobase.errors import EXIT_INTERRUPT, DeviceLost, HostError, Incompatible, RheoError, UsageError
from rheobase.image import info, inside
from rheobase.image import uf2 as uf2_file

SUMS_FILE = "SHA256SUMS"
_TARGET = "RHEOBASE.UF2"
_CHUNK_BYTES = 64 * 1024  # each is on the volume before the next is written: progress and errors are true
_FILE_MAX_BYTES = uf2_file.FLASH_BYTES // uf2_file.PAYLOAD_BYTES * uf2_file.BLOCK_BYTES
_LEAVES_S = 3.0  # from the last block to a volume that is gone for the operating system too
_AGAIN = "Hold BOOTSEL, plug the board in again and repeat: the boot loader itself cannot be lost."


@dataclass(frozen=True)
class Checked:
    """A UF2 file that an RP2040 would take.

    data: its bytes. image: what the flash holds afterwards, from its start. inside: what that says of itself.
    compared: in words, what its SHA-256 was found to agree with; "" for nothing.
    """

    path: Path
    data: bytes
    image: bytes
    sha256: str
    inside: inside.Inside
    compared: str

    def describe(self) -> str:
        """Two lines for people."""
        compared = self.compared or f"nothing to compare it with: no {SUMS_FILE} beside it, not in the cache"
        return f"{self.path.name}: {self.inside.describe()}\nSHA-256 {self.sha256} ({compared})"


def check(path: Path) -> Checked:
    """Read `path` and check all of it. Raises UsageError with the first thing that is wrong."""
    path = Path(path)
    try:
        with open(path, "rb") as file:
            data = file.read(_FILE_MAX_BYTES + 1)
    except OSError as error:
        raise UsageError("no_uf2", f"{path} cannot be read: {error.strerror}.", "Name a UF2 file.") from error
    if len(data) > _FILE_MAX_BYTES:
        message = f"{path} is larger than any UF2 file of an RP2040 ({_FILE_MAX_BYTES // 1_000_000} MB)."
        raise UsageError("bad_uf2", message, "Name the UF2 file itself.")
    sha256 = hashlib.sha256(data).hexdigest()
    compared = _compare(path, sha256)
    image = uf2_file.to_bin(data, path.name)
    if not inside.boots(image):
        message = f"{path.name} would not boot: the checksum of its boot stage is wrong."
        raise UsageError("bad_uf2", message, "Take another copy of the file, or build one: rheo image build.")
    return Checked(path, data, image, sha256, inside.read(image), compared)


def _compare(path, sha256):
    """What vouches for this SHA-256, in words. Raises UsageError if something says that it should be another."""
    sums = path.parent / SUMS_FILE
    listed = ""
    with contextlib.suppress(OSError):
        for line in sums.read_text(errors="replace").splitlines():
            digest, _, name = line.partition(" ")
            if name[:1] in (" ", "*") and name[1:] == path.name:
                listed = digest.lower()
    if listed and listed != sha256:
        message = f"{path.name} is not the file that {sums} names: its SHA-256 is {sha256}, {listed} is listed."
        raise UsageError("wrong_hash", message, "Something changed it on its way: take another copy.")
    cached = info.find(sha256)
    if path.resolve().parent.parent == info.images_dir().resolve() and not cached:
        message = f"The image {path} is damaged: its SHA-256 is not the one recorded when it was stored."
        raise UsageError("wrong_hash", message, "Delete its folder, then: rheo image build.")
    if listed:
        return f"as {SUMS_FILE} beside it says"
    return f"as recorded in the cache, {cached.origin}" if cached else ""


def check_board(checked: Checked, board: str) -> None:
    """Raises Incompatible if the file is known to be another board's."""
    if checked.inside.ours and checked.inside.board != board:
        raise Incompatible(
            "wrong_board",
            f"{checked.path.name} is for {checked.inside.board}; the board is a {board}, with other pins.",
            "Take that board's file.",
        )


def check_volume(checked: Checked, volume: Path) -> None:
    """Raises HostError if the file cannot be written there or cannot fit, DeviceLost if the volume has gone."""
    if bootsel.board_id(volume) != bootsel.BOARD_ID:  # a folder that was its mount point takes a file too
        message = f"{volume} is no longer the volume of an RP2040 in BOOTSEL; nothing was written."
        raise DeviceLost("volume_lost", message, bootsel.HOLD_BOOTSEL)
    try:
        if not os.access(volume, os.W_OK):
            read_only = hasattr(os, "statvfs") and os.statvfs(volume).f_flag & os.ST_RDONLY
            raise OSError(errno.EROFS if read_only else errno.EACCES, "")
        free = shutil.disk_usage(volume).free
    except OSError as error:
        raise _volume_error(volume, error) from error
    if free < len(checked.data):
        message = f"The volume {volume} has {free} bytes free; the file has {len(checked.data)}."
        raise HostError("volume_full", message, "Delete what is on it, or plug the board in again in BOOTSEL.")


def enter_bootloader(port: str, volume: Path | None = None) -> tuple[Path, str | None]:
    """Output of the board on `port` off and confirmed, then BOOTSEL; returns (its volume, its serial number or None).

    volume: where it will be mounted, if that is known. Raises DeviceLost: busy, not confirmed, no volume.
    """
    from rheobase.halt import halt
    from rheobase.link import greeting

    if volume is not None and bootsel.volumes([Path(volume)]):
        message = f"{volume} is the volume of a board that is in BOOTSEL already."
        raise DeviceLost("several_volumes", message, "To write to that one, leave out --bootloader.")
    serial = None
    try:
        with greeting.open_board(port) as board:
            serial = board.info["serial"]
            halt(board.client)
    except Incompatible as error:
        if error.code != "no_firmware":  # a firmware of ours of another age may have output on
            _stop_unknown(port)
    before = bootsel.volumes()
    mpremote.run(port, "bootloader")
    return bootsel.wait(before, volume), serial


def _stop_unknown(port):
    from rheobase import reach

    for _, reply in reach.stop(port):
        if isinstance(reply, RheoError):
            raise reply


def write(checked: Checked, volume: Path, progress=None) -> None:
    """Copy the file onto `volume`. progress(done_bytes, total_bytes) or None.

    Returns when all of it has been handed over; the boot ROM takes its volume away then, often before the system has
    heard that all is stored. Raises DeviceLost (it vanished before), HostError (full, read-only, an I/O error),
    RheoError `interrupted`.
    """
    check_volume(checked, volume)
    progress = progress or (lambda done, total: None)
    path, data, done = volume / _TARGET, checked.data, 0
    try:
        with open(path, "wb", buffering=0) as file:
            progress(0, len(data))
            while done < len(data):
                chunk = data[done : done + _CHUNK_BYTES]
                if file.write(chunk) != len(chunk):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                done += len(chunk)
                os.fsync(file.fileno())
                if done < len(data) and bootsel.board_id(volume) is None:
                    raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))
                progress(done, len(data))
    except OSError as error:
        whole = done >= len(data)
        gone = bootsel.gone(volume, _LEAVES_S if whole else 0.0)  # whatever the error: systems call it differently
        if gone and whole:
            return  # the boot ROM started the new image, or the cable was pulled: the board's return will tell
        if gone:
            message = f"The volume {volume} vanished after {done} of {len(data)} bytes; the board may not start."
            raise DeviceLost("volume_lost", message, _AGAIN) from error
        _remove(path)
        raise _volume_error(volume, error, done) from error
    except KeyboardInterrupt:
        _remove(path)
        message = f"Interrupted after {done} of {len(data)} bytes: the board will not start until it is flashed again."
        raise RheoError("interrupted", message, _AGAIN, EXIT_INTERRUPT) from None


def _volume_error(volume, error, done=0):
    code, what, hint = {
        errno.ENOSPC: ("volume_full", "is full", "Delete what is on it, or plug the board in again in BOOTSEL."),
        errno.EFBIG: ("volume_full", "is full", "Delete what is on it, or plug the board in again in BOOTSEL."),
        errno.EROFS: ("volume_read_only", "is mounted read-only", "Mount it writable, or unplug and try again."),
        errno.EACCES: ("volume_denied", "may not be written by you", "Mount it as your user, or use sudo."),
        errno.EPERM: ("volume_denied", "may not be written by you", "Mount it as your user, or use sudo."),
    }.get(error.errno, ("volume_error", f"cannot be written: {error.strerror}", "Unplug the board and try again."))
    message = f"The volume {volume} {what}."
    if done:
        message += f" {done} bytes are on it: the board will not start until it is flashed again."
    return HostError(code, message, hint)


def _remove(path):
    """A part of a file must not stay where a boot loader could take it for one."""
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)
