"""Find the volume of an RP2040 in BOOTSEL, by its INFO_UF2.TXT. Writes nothing.

The boot ROM tells chips apart, not boards: every RP2040 is RPI-RP2, and has the same USB serial number in BOOTSEL.
"""

import os
import re
import string
import sys
import time
from pathlib import Path

from rheobase.errors import DeviceLost

INFO_FILE = "INFO_UF2.TXT"
BOARD_ID = "RPI-RP2"
HOLD_BOOTSEL = "Hold BOOTSEL while you plug the board in, and wait until its volume RPI-RP2 appears."
APPEAR_S = 20.0  # from the reset into BOOTSEL to a mounted volume
_LABEL = Path("/dev/disk/by-label") / BOARD_ID  # udev's link to the disk, mounted or not
_POLL_S = 0.2


def mount_points() -> list[Path]:
    """Folders where a volume could be mounted on this system."""
    if sys.platform == "win32":
        return [Path(drive) for drive in windows_drives(os.path.exists)]
    if sys.platform == "darwin":
        return sorted(Path("/Volumes").glob("*"))
    try:
        return [Path(folder) for folder in fat_mounts(Path("/proc/self/mounts").read_bytes())]
    except OSError:
        return []


def windows_drives(exists) -> list[str]:
    """Roots of the drives that are there; A: and B: are left alone, they are floppies."""
    return [root for letter in string.ascii_uppercase[2:] if exists(root := f"{letter}:\\")]


def fat_mounts(table: bytes) -> list[str]:
    """Mount points of FAT file systems in `table` (/proc/self/mounts: blanks and the like are octal there)."""
    found = []
    for line in table.splitlines():
        fields = line.split(b" ")
        if len(fields) > 2 and fields[2] in (b"vfat", b"msdos", b"fuseblk"):
            folder = re.sub(rb"\\([0-7]{3})", lambda octal: bytes([int(octal[1], 8)]), fields[1])
            found.append(os.fsdecode(folder))
    return found


def board_id(volume: Path) -> str | None:
    """Board-ID of the boot loader whose volume this is, "" if it names none; None if it is no such volume."""
    try:
        text = (volume / INFO_FILE).read_text(errors="replace")
    except OSError:
        return None
    for line in text.splitlines():
        key, _, value = line.partition(":")
        if key.strip().lower() == "board-id":
            return value.strip()
    return ""


def volumes(candidates: list[Path] | None = None) -> list[Path]:
    """Every volume of an RP2040's boot loader."""
    return [path for path in (mount_points() if candidates is None else candidates) if board_id(path) == BOARD_ID]


def find(volume: Path | None = None, candidates: list[Path] | None = None, label: Path = _LABEL) -> Path:
    """The one volume of an RP2040 in BOOTSEL, or `volume` if that is one.

    candidates: where to look (default: what is mounted). Raises DeviceLost (exit 3): none, several (listed), not
    mounted, or another chip's boot loader.
    """
    if volume is not None:
        volume = Path(volume)
        if not os.path.isdir(volume):  # Path.is_dir raises where a folder above it may not be entered
            raise DeviceLost("no_volume", f"{volume} is not a mounted volume.", HOLD_BOOTSEL)
        candidates = [volume]
    elif candidates is None:
        candidates = mount_points()
    right = volumes(candidates)
    if len(right) == 1:
        return right[0]
    if right:
        listed = ", ".join(str(path) for path in right)
        raise DeviceLost("several_volumes", f"Several boards are in BOOTSEL: {listed}.", "Say which: --volume DIR")
    others = [(path, said) for path in candidates if (said := board_id(path)) is not None]
    if others:
        raise _wrong(*others[0])
    if volume is not None:
        raise DeviceLost("no_volume", f"{volume} is not the volume of a boot loader: no {INFO_FILE}.", HOLD_BOOTSEL)
    raise none_there(label)


def none_there(label: Path = _LABEL) -> DeviceLost:
    """The error when no volume is mounted; a desktop mounts it by itself, a server does not."""
    if label.exists():
        message = "A board in BOOTSEL is there, but its volume is not mounted."
        return DeviceLost("not_mounted", message, f"For example: udisksctl mount -b {label}")
    return DeviceLost("no_volume", "No board in BOOTSEL was found.", HOLD_BOOTSEL)


def gone(volume: Path, patience_s: float = 0.0) -> bool:
    """True once `volume` is no boot loader's any more; False if it still is one after patience_s."""
    until = time.monotonic() + patience_s
    while board_id(volume) is not None:
        if time.monotonic() >= until:
            return False
        time.sleep(_POLL_S)
    return True


def _wrong(volume, said):
    chip = "an RP2350" if said.startswith("RP2350") else f"a board that calls itself {said or 'nothing'}"
    return DeviceLost("wrong_volume", f"{volume} is {chip}, not an RP2040.", "The firmware needs an RP2040 (Pico).")


def wait(before: list[Path], volume: Path | None = None, timeout_s: float = APPEAR_S) -> Path:
    """The volume that appears besides those of `before`: `volume`, if one was named. Raises DeviceLost."""
    until = time.monotonic() + timeout_s
    while True:
        now = volumes(None if volume is None else [Path(volume)])
        before = [path for path in before if path in now]  # one that went away may come back as the one awaited
        new = [path for path in now if path not in before]
        if new:
            return find(candidates=new)
        if time.monotonic() > until:
            error = none_there()
            what = f"The board was told to go to BOOTSEL, but its volume did not appear in {timeout_s:.0f} s."
            raise DeviceLost(error.code, what, error.hint)
        time.sleep(_POLL_S)
