"""Copy a checked UF2 file onto the BOOTSEL volume of an RP2040. Finds the volume; does not wait for the board."""

import contextlib
import errno
import hashlib
import os
import string
import sys
from pathlib import Path

from rheobase.errors import DeviceLost, HostError
from rheobase.image import uf2 as uf2_file

INFO_FILE = "INFO_UF2.TXT"
BOARD_ID = "RPI-RP2"
_TARGET = "RHEOBASE.UF2"
_CHUNK_BYTES = 64 * 1024  # each is on the volume before the next is written: progress and errors are true
_HOLD_BOOTSEL = "Hold BOOTSEL while you plug the board in, and wait until its volume RPI-RP2 appears."
_GONE = (errno.EIO, errno.ENODEV, errno.ENXIO, errno.ENOENT, errno.ENOTCONN, errno.ESTALE, errno.EINVAL)


def mount_points() -> list[Path]:
    """Folders where a volume could be mounted on this system."""
    if sys.platform == "win32":
        return [Path(f"{letter}:\\") for letter in string.ascii_uppercase]
    if sys.platform == "darwin":
        return sorted(Path("/Volumes").glob("*"))
    found = []
    try:
        for line in Path("/proc/self/mounts").read_text().splitlines():
            fields = line.split()
            if len(fields) > 2 and fields[2] in ("vfat", "msdos", "fuseblk"):
                found.append(Path(fields[1].encode().decode("unicode_escape")))  # \040 is a space
    except OSError:
        pass
    return found


def board_id(volume: Path) -> str | None:
    """Board-ID of the boot loader whose volume this is, None if it is not one."""
    try:
        text = (volume / INFO_FILE).read_text(errors="replace")
    except OSError:
        return None
    for line in text.splitlines():
        key, _, value = line.partition(":")
        if key.strip().lower() == "board-id":
            return value.strip()
    return ""


def find_volume(volume: Path | None = None, candidates: list[Path] | None = None) -> Path:
    """The one BOOTSEL volume of an RP2040, or `volume` if that is one.

    Raises DeviceLost (exit 3): none, several (listed), or another chip's boot loader.
    """
    if volume is not None:
        volume = Path(volume)
        if not volume.is_dir():
            raise DeviceLost("no_volume", f"{volume} is not a mounted volume.", _HOLD_BOOTSEL)
        found = [volume]
    else:
        found = [path for path in (mount_points() if candidates is None else candidates) if board_id(path) is not None]
    right = [path for path in found if board_id(path) == BOARD_ID]
    if len(right) == 1:
        return right[0]
    if right:
        listed = ", ".join(str(path) for path in right)
        raise DeviceLost("several_volumes", f"Several boards are in BOOTSEL: {listed}.", "Say which: --volume DIR")
    if not found:
        raise DeviceLost("no_volume", "No board in BOOTSEL was found.", _HOLD_BOOTSEL)
    said = board_id(found[0])
    if said is None:
        raise DeviceLost("no_volume", f"{found[0]} is not the volume of a boot loader: no {INFO_FILE}.", _HOLD_BOOTSEL)
    chip = "an RP2350" if said.startswith("RP2350") else f"a board that calls itself {said or 'nothing'}"
    raise DeviceLost("wrong_volume", f"{found[0]} is {chip}, not an RP2040.", "The firmware needs an RP2040 (Pico).")


def flash(uf2: Path, volume: Path | None = None, dry_run: bool = False, progress=None) -> dict:
    """Check `uf2` completely, find the volume, write it. progress(done_bytes, total_bytes) or None.

    Returns {uf2, sha256, volume, serial, firmware}; the last two are None: nobody has asked the board yet.
    dry_run: everything but the writing. Raises UsageError (bad file), DeviceLost (no volume, or it vanished),
    HostError (full, read-only).
    """
    uf2 = Path(uf2)
    data = uf2_file.check_file(uf2)
    target = find_volume(volume)
    if not dry_run:
        _write(target, data, progress or (lambda done, total: None))
    return {
        "uf2": str(uf2),
        "sha256": hashlib.sha256(data).hexdigest(),
        "volume": str(target),
        "serial": None,
        "firmware": None,
    }


def _write(volume, data, progress):
    path = volume / _TARGET
    done = 0
    try:
        with open(path, "wb", buffering=0) as file:
            progress(0, len(data))
            while done < len(data):
                chunk = data[done : done + _CHUNK_BYTES]
                if file.write(chunk) != len(chunk):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                done += len(chunk)
                os.fsync(file.fileno())
                progress(done, len(data))
    except OSError as error:
        if done >= len(data) and _is_gone(volume, error):
            return  # the boot loader starts the new image at the last block and takes its volume along
        if _is_gone(volume, error):
            raise DeviceLost(
                "volume_lost",
                f"The volume {volume} vanished after {done} of {len(data)} bytes; the board may not start.",
                "Hold BOOTSEL, plug the board in again and repeat: the boot loader itself cannot be lost.",
            ) from error
        _remove(path)
        reason = {
            errno.ENOSPC: ("volume_full", "is full", "Delete what is on it, or plug the board in again in BOOTSEL."),
            errno.EFBIG: ("volume_full", "is full", "Delete what is on it, or plug the board in again in BOOTSEL."),
            errno.EROFS: ("volume_read_only", "is mounted read-only", "Mount it writable, or unplug and try again."),
            errno.EACCES: ("volume_denied", "may not be written by you", "Mount it as your user, or use sudo."),
            errno.EPERM: ("volume_denied", "may not be written by you", "Mount it as your user, or use sudo."),
        }.get(error.errno, ("volume_error", f"cannot be written: {error.strerror}", "Unplug the board and try again."))
        raise HostError(reason[0], f"The volume {volume} {reason[1]}.", reason[2]) from error


def _is_gone(volume, error):
    return error.errno in _GONE and board_id(volume) is None


def _remove(path):
    """A part of a file must not stay where a boot loader could take it for one."""
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)
