"""`make types`, device half: mypy over what runs on a board, with MicroPython's stubs in place of Python's library.

What MicroPython lacks, a wrong attribute of `machine` and a call with wrong arguments are found. Changes nothing.
"""

import os
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

from rheobase import boards, paths
from rheobase.image import firmware_files

STUBS = ("micropython-rp2-rpi-pico-stubs", "micropython-stdlib-stubs")  # pinned in pyproject.toml
SETTINGS = Path(__file__).with_suffix(".toml")
# What only MicroPython's compiler knows: viper without an import.
COMPILER = """
class micropython:
    @staticmethod
    def viper(code: _T, /) -> _T: ...
"""


def gather_stubs(folder: Path) -> None:
    """Make `folder` hold links to the installed stubs: among other packages mypy would not look for them."""
    shutil.rmtree(folder, ignore_errors=True)
    for name in STUBS:
        for file in metadata.files(name) or []:
            if file.suffix == ".pyi" or file.name == "VERSIONS":
                target = folder / file
                target.parent.mkdir(parents=True, exist_ok=True)
                target.symlink_to(Path(str(file.locate())).resolve())
    builtins = folder / "stdlib" / "builtins.pyi"
    text = builtins.read_text() + COMPILER
    builtins.unlink()
    builtins.write_text(text)


def check(files: list[Path], work: Path) -> tuple[int, str]:
    """(exit status, output) of mypy over `files`. work: for stubs and cache; kept, it makes the next run fast."""
    stubs = work.resolve() / "stubs"
    gather_stubs(stubs)
    (stubs / "rheo_build.py").write_text(firmware_files.build_module(boards.DEFAULT, "files"))
    search = (stubs, paths.firmware_dir() / "lib", paths.boards_dir() / boards.DEFAULT)
    words = ["--config-file", SETTINGS, "--custom-typeshed-dir", stubs, "--cache-dir", work / "cache", *files]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *map(str, words)],
        env={**os.environ, "MYPYPATH": os.pathsep.join(map(str, search))},
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stdout + done.stderr


def main() -> int:
    """Check what the reference board runs; returns the exit status."""
    files = [path for _, path in firmware_files.firmware_files(boards.DEFAULT)]
    status, text = check(files, Path(".mypy_cache/device"))
    print(text, end="")
    return status


if __name__ == "__main__":
    sys.exit(main())
