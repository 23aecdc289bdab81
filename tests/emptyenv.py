"""Environments with nothing in them but what is installed into them, made by uv from its cache, else from the index."""

import os
import re
import subprocess
import sys

_HANGS_S = 1200  # what has not ended by then never will
_OURS = ("PYTHONPATH", "VIRTUAL_ENV", "PYTEST_CURRENT_TEST")


def environment(**more):
    """This process's environment without what would lead to this tree."""
    kept = {name: value for name, value in os.environ.items() if name not in _OURS}
    return {**kept, **{name: str(value) for name, value in more.items()}}


def _index():
    """The package index that pip is told to use on this machine, for uv, which does not read pip's settings."""
    listed = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True).stdout
    found = re.findall(r"^[\w:.]*\.index-url='(.+)'$", listed, re.M)
    return {"UV_DEFAULT_INDEX": found[-1]} if found else {}


def _installed(words, **more):
    """Run a client of the index: what uv has in its cache is taken as it is, and only else the network is asked."""
    for offline in ({"UV_OFFLINE": "1"}, None):
        extra = offline or _index()
        command = [sys.executable, "-m", *map(str, words)]
        done = subprocess.run(command, env=environment(**more, **extra), capture_output=True, text=True)
        if done.returncode == 0:
            return
    raise AssertionError(done.stderr)


class Env:
    """An environment with `rheo` in it; `here`: an empty folder to work in."""

    def __init__(self, bin_folder, here):
        self.bin, self.here = bin_folder, here
        here.mkdir()

    def _run(self, how, words, **options):
        env = environment(
            PATH=f"{self.bin}{os.pathsep}{os.environ['PATH']}",
            RHEO_DATA=self.here / "data",
            RHEO_RUNTIME=self.here / "run",
            RHEO_CONFIG=self.here / "config.toml",
            COLUMNS="80",
        )
        return how([self.bin / words[0], *words[1:]], cwd=self.here, env=env, text=True, **options)

    def call(self, *words):
        """Run a program of the environment; the finished process."""
        return self._run(subprocess.run, words, capture_output=True, timeout=_HANGS_S)

    def start(self, *words):
        """Start a program of the environment, its stdin and stdout at pipes; the process."""
        pipe = subprocess.PIPE
        return self._run(subprocess.Popen, words, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL)


def by_uv_tool(source, root):
    """`uv tool install SOURCE`."""
    _installed(["uv", "tool", "install", "-q", source], UV_TOOL_DIR=root / "tools", UV_TOOL_BIN_DIR=root / "bin")
    return Env(root / "bin", root / "here")


def by_pipx(source, root):
    """`pipx install SOURCE`, with uv doing the work."""
    words = ["pipx", "install", "--quiet", "--backend", "uv", source]
    _installed(words, PIPX_HOME=root / "pipx", PIPX_BIN_DIR=root / "bin", PIPX_MAN_DIR=root / "man")
    return Env(root / "bin", root / "here")


def by_wheel(wheel, root, extras="emulator,bench"):
    """A virtual environment with the wheel and its extras."""
    _installed(["uv", "venv", "-q", "--no-project", "--python", sys.executable, root / "venv"])
    _installed(["uv", "pip", "install", "-q", "--python", root / "venv", f"{wheel}[{extras}]"])
    return Env(root / "venv" / "bin", root / "here")
