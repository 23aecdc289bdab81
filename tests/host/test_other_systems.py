"""`rheo` where POSIX's modules are missing, as on Windows: what needs none of them works, the rest is a sentence.

A child process takes away what Windows' Python does not have. pyserial and platformdirs are imported before: they have
parts of their own for it.
"""

import json
import subprocess
import sys

import pytest
from host.calling import environment

WINDOWS = """
import os, select, signal, socket, sys
import platformdirs, serial, serial.tools.list_ports
from serial.tools.list_ports_common import ListPortInfo
for name in ("fcntl", "termios", "pty", "tty", "resource", "pwd", "grp"):
    sys.modules.pop(name, None)
    sys.modules[name] = None
for holder, names in (
    (os, "getuid geteuid getgroups fork ttyname openpty tcgetpgrp getpgrp O_DIRECTORY O_NOCTTY"),
    (signal, "SIGHUP SIGKILL SIGQUIT"), (socket, "AF_UNIX"), (select, "poll epoll"),
):
    for name in names.split():
        delattr(holder, name) if hasattr(holder, name) else None
def not_a_socket(*lists):
    raise OSError(10038, "not a socket")
select.select = not_a_socket

class Com3(serial.SerialBase):  # a port that is there and says nothing
    in_waiting = 0
    def open(self): self.is_open = True
    def close(self): self.is_open = False
    def read(self, size=1): return b""
    def write(self, data): return len(data)
    def _reconfigure_port(self, *args, **kwargs): pass

def comports():
    if not os.environ.get("FAKE_COM"):
        return []
    info = ListPortInfo(os.environ["FAKE_COM"])
    info.vid, info.pid, info.serial_number = 0x2E8A, 5, "E66"
    return [info]
serial.tools.list_ports.comports = comports
serial.Serial = Com3
from rheobase.link import transport
transport.os = type("Nt", (), {"name": "nt", "path": os.path})
from rheobase.cli.main import main
sys.exit(main())
"""


@pytest.fixture
def windows(tmp_path):
    """windows(*words) -> the finished process of `rheo words` without POSIX's modules."""
    own = {f"RHEO_{name}": str(tmp_path / name.lower()) for name in ("DATA", "RUNTIME", "CACHE", "CONFIG")}

    def call(*words, **more):
        command = [sys.executable, "-c", WINDOWS, *words]
        env = {**environment(), **own, **more}
        return subprocess.run(command, capture_output=True, text=True, env=env, timeout=60, stdin=subprocess.DEVNULL)

    return call


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--help",), 0),
        (("devices", "--json"), 0),
        (("protocol", "list", "--json"), 0),
        (("status", "--json"), 3),
        (("stop", "--json"), 3),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_needs_no_posix_works_without_it(windows, words, code):
    done = windows(*words)
    assert done.returncode == code and "Traceback" not in done.stderr, done.stderr
    if "--json" in words:
        answer = json.loads(done.stdout)
        assert not answer["errors"] or answer["errors"][0]["code"] == "no_board"


@pytest.mark.parametrize("verb", ["devices", "status", "stop"])
def test_a_silent_board_on_com10_is_reached_for_without_posix(windows, verb):
    """The whole way to the port and back: found, opened by its name, asked, and given up in words."""
    done = windows(verb, "--json", FAKE_COM="COM10")
    assert "Traceback" not in done.stderr, done.stderr
    answer = json.loads(done.stdout)
    if verb == "devices":
        row = {"port": "COM10", "serial": "E66", "board": None, "firmware": None, "state": "silent"}
        assert answer["data"]["devices"] == [row]
    else:
        assert done.returncode == 3
        assert answer["errors"][0]["code"] == {"status": "no_answer", "stop": "not_confirmed"}[verb]
        assert "COM10" in answer["errors"][0]["message"]


@pytest.mark.parametrize("words", [("emulate",), ("log", "list"), ("doctor",)], ids=" ".join)
def test_the_rest_is_a_sentence_and_no_error_of_ours(windows, words):
    done = windows(*words, "--json")
    assert "Traceback" not in done.stderr, done.stderr
    codes = [error["code"] for error in json.loads(done.stdout)["errors"]]
    assert "bug" not in codes, done.stdout


def test_a_session_is_refused_in_words_before_anything_is_sent():
    source = WINDOWS.split("from rheobase.cli.main")[0] + (
        "from rheobase.control import ControlServer\nfrom rheobase.errors import HostError\nimport rheobase.session\n"
        "try:\n    ControlServer('COM3', None)\nexcept HostError as error:\n    print(error.code)\n"
    )
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, env=environment(), timeout=60)
    assert done.stdout == "not_on_this_system\n", done.stderr
