"""docs/deploy.md: the plain ways of mpremote, each command as it stands there, on the stock image at a real pty."""

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
    import hashlib

    return {path: hashlib.sha256(content).hexdigest() for path, content in files.items()}


@pytest.mark.slow
def test_mip_install_puts_every_file_of_the_firmware_on_the_board(board, checkout):
    pty = board({})
    follow("mpremote mip install", pty, checkout)
    assert on_it(pty, entries()) == sums(as_copied() | entries())


@pytest.mark.slow
def test_cp_completes_what_differs_and_the_board_starts_it_by_itself(board, checkout):
    """Most files lie there already: cp compares, which is cheaper here than copying all."""
    here = as_copied()
    app = here.pop("/lib/rheorp2/app.py")
    host_only = {f"/lib/rheocore/{name}": b"x" for name in firmware_files.HOST_ONLY}
    for name in host_only:
        host_only[name] = (ROOT / "firmware" / name[1:]).read_bytes()
    pty = board({**here, **host_only, "/lib/rheocore/config.py": b"another", "/main.py": b"print('another')"})
    follow("mpremote cp", pty, checkout)
    runs_by_hand(pty)
    there = on_it(pty, entries())
    assert sums({**here, "/lib/rheorp2/app.py": app, **entries()}).items() <= there.items()


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
