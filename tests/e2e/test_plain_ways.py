"""docs/deploy.md: the plain ways of mpremote, each command as it stands there, on the stock image at a real pty.

Copying all of it would take the emulated board a minute each: mip and cp copy some files, and that the lists name all
is looked at here. All sources are compiled on the board by mount, which leaves it the least memory.
"""

import hashlib
import json
import re
import shlex
import shutil
import subprocess
import sys
import time

import littlefs_image
import pytest
from host.calling import call
from rheobase import device_scripts, mpremote, paths, slots
from rheobase.emulator import launch
from rheobase.image import firmware_files

ROOT = paths.firmware_dir().parent
PAGE = (ROOT / "docs" / "deploy.md").read_text()
UP_S = 240  # wall time at most in which the emulated board compiles the firmware's sources
SOME = ("rheo_board", "rheo_build", "rheocore/__init__", "rheocore/config", "rheorp2/__init__", "rheorp2/app")


def commands(heading):
    """Word lists of the code block below a heading of the page."""
    block = re.search(rf"^### `{heading}`\n+```\n(.*?)```", PAGE, re.M | re.S).group(1)
    return [shlex.split(line) for line in block.splitlines()]


def as_copied():
    """{path on the board: content} of the firmware in /lib, as the sources have it."""
    files = {f"/{name}": text for name, text in firmware_files.read_files("RHEO_PICO").items() if "/" in name}
    return files | {"/lib/rheo_build.py": (ROOT / "firmware" / "lib" / "rheo_build.py").read_bytes()}


def entries():
    return {f"/{name}": (ROOT / "firmware" / name).read_bytes() for name in ("boot.py", "main.py")}


@pytest.fixture
def board(stock_image, tmp_path, monkeypatch):
    """board(files) -> the pty of a stock board with these files."""
    for name in ("DATA", "RUNTIME"):
        monkeypatch.setenv(f"RHEO_{name}", str(tmp_path / name.lower()))
    started = []

    def start(files):
        flash = tmp_path / "flash"
        flash.write_bytes(littlefs_image.formatted(files))
        started.append(launch.start(image_bin=stock_image, flash=flash))
        return started[-1].pty

    yield start
    for running in started:
        running.stop()


@pytest.fixture
def checkout(tmp_path):
    """What the commands need of a checkout in which nothing has run: `cp -r` would take __pycache__ along."""
    for name in ("firmware", "boards"):
        shutil.copytree(ROOT / name, tmp_path / "checkout" / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "package.json", tmp_path / "checkout")
    return tmp_path / "checkout"


@pytest.fixture
def little(checkout):
    """The checkout with SOME of the firmware's modules, one that only the host uses, and a package.json of those."""
    library = checkout / "firmware" / "lib"
    for path in library.rglob("*.py"):
        if path.relative_to(library).with_suffix("").as_posix() not in (*SOME, "rheocore/units"):
            path.unlink()
    package = json.loads((checkout / "package.json").read_text())
    package["urls"] = [pair for pair in package["urls"] if (checkout / pair[1]).exists()]
    assert sorted(pair[0] for pair in package["urls"]) == [f"{name}.py" for name in SOME]
    (checkout / "package.json").write_text(json.dumps(package))
    return checkout


def some_of(files):
    return {f"/lib/{name}.py": files[f"/lib/{name}.py"] for name in SOME}


def library_of(checkout):
    """{path on the board: content} of all that lies in a checkout's firmware/lib."""
    library = checkout / "firmware" / "lib"
    files = [path for path in library.rglob("*") if path.is_file()]
    return {f"/lib/{path.relative_to(library).as_posix()}": path.read_bytes() for path in files}


def follow(heading, pty, checkout):
    """Run the commands of the page with the board's port in place of PORT."""
    for words in commands(heading):
        assert words[:3] == ["mpremote", "connect", "PORT"], words
        command = [sys.executable, "-m", "mpremote", "connect", pty, *words[3:]]
        done = subprocess.run(
            command, cwd=checkout, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600
        )
        assert done.returncode == 0, (words, done.stdout[-300:], done.stderr[-300:])


def runs_by_hand(pty):
    """The app is up, says honestly what it is, and is idle with every leg low behind a closed gate."""
    until = time.monotonic() + UP_S
    while (answer := call("info", "--json", "-p", pty)).code and time.monotonic() < until:
        pass
    assert answer.code == 0, answer.out
    data = answer.json["data"]
    assert data["firmware"] == {"version": "unknown", "hash": "unknown", "origin": "files"}
    assert data["board"] == "RHEO_PICO" and data["c_hook"] is False
    assert "copied by hand" in answer.err
    checks = {check["id"]: check for check in call("doctor", "--json", "-p", pty).json["data"]["checks"]}
    assert checks["guard"]["status"] == "ok" and "idle" in checks["fault"]["message"]


def on_it(pty, paths_of):
    """{path: SHA-256} of what is on the board in /lib and of `paths_of`."""
    return mpremote.evaluate(pty, device_scripts.hashes("/lib", paths_of))


def sums(files):
    return {path: hashlib.sha256(content).hexdigest() for path, content in files.items()}


@pytest.mark.slow
def test_mip_install_puts_what_package_json_lists_and_the_two_entries_on_the_board(board, little):
    pty = board({})
    follow("mpremote mip install", pty, little)
    assert on_it(pty, entries()) == sums(some_of(as_copied()) | entries())


@pytest.mark.slow
def test_cp_copies_what_differs_and_what_is_missing_and_the_board_starts_it_by_itself(board, little):
    """The modules that it does not copy lie there compiled, which starts sooner."""
    sources = as_copied()
    some = some_of(sources)
    others = {path[1:]: text for path, text in sources.items() if path not in some}
    there = {f"/lib/{name}": content for name, content in slots.compile_all(others).items()}
    same = {path: some[path] for path in some if not path.endswith(("app.py", "config.py"))}
    pty = board({**there, **same, "/lib/rheocore/config.py": b"another", "/main.py": b"print('another')"})
    follow("mpremote cp", pty, little)
    runs_by_hand(pty)
    assert on_it(pty, entries()) == sums({**there, **some, **library_of(little), **entries()})


@pytest.mark.slow
def test_run_starts_the_app_without_a_main_py_and_leaves_the_port_free(board, checkout):
    sources = {path[1:]: text for path, text in as_copied().items()}
    pty = board({f"/lib/{name}": content for name, content in slots.compile_all(sources).items()})  # starts sooner
    follow("mpremote run", pty, checkout)
    runs_by_hand(pty)


@pytest.mark.slow
def test_mount_runs_the_checkout_with_nothing_written_and_leaves_the_port_free(board, checkout):
    pty = board({})
    follow("mpremote mount", pty, checkout)
    runs_by_hand(pty)
    assert mpremote.evaluate(pty, "import os\nprint(os.listdir('/'))") == []


def test_package_json_is_made_of_the_one_list_of_files():
    subprocess.run([sys.executable, ROOT / "tools" / "package_json.py", "--check"], check=True)
    listed = json.loads((ROOT / "package.json").read_text())["urls"]
    assert {f"/lib/{name}": (ROOT / here).read_bytes() for name, here in listed} == as_copied()


def test_what_cp_is_told_to_copy_holds_every_file_of_the_firmware(checkout):
    ((_, _, _, *words), _) = commands("mpremote cp")
    assert words == shlex.split(
        "cp -r firmware/lib : + cp boards/RHEO_PICO/rheo_board.py :lib/ + cp firmware/boot.py firmware/main.py :"
    )
    copied = library_of(checkout)
    copied["/lib/rheo_board.py"] = (checkout / "boards" / "RHEO_PICO" / "rheo_board.py").read_bytes()
    assert as_copied().items() <= copied.items()
