"""The board at a pty: real mpremote and pyserial, reopening, resets, a host that does not read, the end.

Wall time appears only as timeouts. `--port emu` and `rheo emulate` stand on the same process.
"""

import json
import os
import re
import subprocess
import sys
import time

import pytest
import serial
from rheobase.emulator import launch, register
from rheobase.emulator.pty_server import PtyServer
from rheobase.errors import RheoError, UsageError


@pytest.fixture(autouse=True)
def runtime_dir(tmp_path, monkeypatch):
    monkeypatch.setenv("RHEO_RUNTIME", str(tmp_path / "run"))


@pytest.fixture
def board(stock_image, tmp_path):
    with launch.start(image_bin=stock_image, vcd=tmp_path / "x.vcd", load="1=open") as running:
        yield running


def mpremote(board, *arguments, timeout_s=60):
    done = subprocess.run(
        [sys.executable, "-m", "mpremote", "connect", board.pty, *arguments],
        capture_output=True,
        text=True,
        timeout=timeout_s,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def raw(port, code, timeout_s=20):
    """Run `code` in the raw REPL over an open pyserial port; returns its output."""
    port.timeout = timeout_s
    port.write(b"\r\x03\x03\x01")
    assert port.read_until(b"CTRL-B to exit\r\n>").endswith(b">")
    port.write(code.encode() + b"\x04")
    assert port.read_until(b"OK") == b"OK"
    out = port.read_until(b"\x04")[:-1].decode()
    assert port.read_until(b"\x04>") == b"\x04>"
    return out


class StubBoard:
    """What PtyServer needs of a board; remembers what the server told it."""

    def __init__(self):
        self.now_ns = 0
        self.on_bytes = None
        self.usb = self
        self.unsent = 0
        self.sent = bytearray()
        self.calls = []

    def send(self, data):
        self.sent += data

    def set_port_open(self, is_open):
        self.calls.append(("open", is_open))

    def stop_reading(self, stopped):
        self.calls.append(("stopped", stopped))


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(PtyServer, "_watch_stdin", lambda self: False)
    server = PtyServer(StubBoard())
    yield server
    server.close()


def opened(server):
    """The slave side of the server's pty, seen by the server as opened."""
    fd = os.open(server.pty, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    server._look(0)
    return fd


def test_who_holds_the_pty_is_dtr_and_drains(server):
    board = server.board
    assert board.calls[-2:] == [("open", False), ("stopped", True)]
    slave = opened(server)
    assert ("open", True) in board.calls and board.calls[-1] == ("stopped", False)
    os.write(slave, b"hello")
    os.close(slave)
    server._look(0)
    assert bytes(board.sent) == b"hello"
    assert board.calls[-2:] == [("open", False), ("stopped", True)]


def test_what_the_last_program_left_unread_is_gone(server):
    slave = opened(server)
    server._from_device(0, b"x" * 30_000)
    os.close(slave)
    server._look(0)
    slave = opened(server)
    with pytest.raises(BlockingIOError):
        os.read(slave, 100)
    server._from_device(0, b"new")
    assert os.read(slave, 100) == b"new"
    os.close(slave)


def test_a_full_pty_stops_the_host_draining_until_it_is_read(server):
    slave = opened(server)
    sent = 0
    while server.board.calls[-1] == ("stopped", False):
        server._from_device(0, b"y" * 64)
        sent += 64
        assert sent < 100_000
    got = 0
    while server.board.calls[-1] == ("stopped", True):
        got += len(os.read(slave, 4096))
        server._look(0)
    while got < sent:
        got += len(os.read(slave, 4096))
    assert got == sent
    os.close(slave)


def test_a_slow_device_holds_the_program_back(server):
    slave = opened(server)
    server.board.unsent = 1 << 20
    os.write(slave, b"z" * 1000)
    server._look(0)
    assert not server.board.sent
    server.board.unsent = 0
    server._look(0)
    assert len(server.board.sent) == 1000
    os.close(slave)


TOGGLE = "from machine import Pin\np = Pin(16, Pin.OUT, value=0)\nfor i in range(5): p.toggle()"


@pytest.mark.req("REQ-130")
def test_mpremote_toggles_a_spare_pin_and_the_vcd_shows_it(board, tmp_path):
    mpremote(board, "exec", TOGGLE)
    assert board.stop() == 0
    text = (tmp_path / "x.vcd").read_text()
    ident = re.search(r"\$var wire 1 (\S+) GPIO16 ", text).group(1)
    levels = re.findall(rf"^([01]){re.escape(ident)}$", text.partition("$enddefinitions")[2], re.M)
    assert levels == ["0", "1", "0", "1", "0", "1"]
    stamps = [int(t) for t in re.findall(r"^#(\d+)$", text, re.M)]
    assert text.endswith(f"#{stamps[-1]}\n")
    assert stamps[-1] - stamps[-2] >= 300_000_000


def test_mpremote_copies_a_file_soft_resets_and_resets_on_the_same_pty(board, tmp_path):
    source = tmp_path / "thing.py"
    source.write_text("x = 41\n" * 40)
    mpremote(board, "cp", str(source), ":thing.py")
    assert mpremote(board, "soft-reset", "exec", "import thing; print(thing.x)").strip() == "41"
    mpremote(board, "reset")
    # The board takes some 20 ms of its own time to come back on the bus.
    assert mpremote(board, "sleep", "0.5", "exec", "import thing; print(thing.x + 1)").strip() == "42"


def test_a_port_that_was_closed_opens_again_without_the_last_users_bytes(board):
    with serial.Serial(board.pty, 115200, timeout=20, exclusive=True) as port:
        assert raw(port, "print('one')") == "one\r\n"
        port.write(b"import sys\nfor i in range(50): sys.stdout.write('left unread %d' % i)\x04")
        time.sleep(0.1)
    time.sleep(0.1)
    with serial.Serial(board.pty, 9600, timeout=20, exclusive=True) as port:
        assert raw(port, "print('two')") == "two\r\n"


def test_two_programs_cannot_hold_the_port(board):
    with serial.Serial(board.pty, 115200, exclusive=True), pytest.raises(serial.SerialException):
        serial.Serial(board.pty, 115200, exclusive=True)


def test_a_program_that_does_not_read_holds_the_device_back_and_gets_everything_later(board):
    """`sys.stdout.write` waits up to 500 ms for the host: nothing may be lost before that."""
    with serial.Serial(board.pty, 115200, timeout=30, exclusive=True) as port:
        port.write(b"\r\x03\x03\x01")
        assert port.read_until(b"CTRL-B to exit\r\n>").endswith(b">")
        port.write(b"import sys\nfor i in range(4000): sys.stdout.write('%07d ' % i)\nprint('sent')\x04")
        time.sleep(0.3)  # some 12 kB fit into the kernel's buffer, then the device has to wait
        text = port.read_until(b"sent\r\n")
    numbers = [int(n) for n in re.findall(rb"\d{7}", text)]
    # What the device had to give up while nobody read is missing at once, never out of order.
    assert numbers == sorted(numbers)
    assert numbers[:500] == list(range(500))


def test_the_register_lists_running_boards_only(board):
    entry = register.lookup(board.pty)
    assert (entry.pty, entry.board, entry.serial, entry.pid) == (board.pty, "RHEO_PICO", board.serial, board.pid)
    assert register.list_boards() == [entry]
    board.stop()
    assert register.list_boards() == []
    assert register.lookup("/dev/null") is None


def test_the_register_drops_the_dead(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    path = register.add(register.Entry("/dev/null", "RHEO_PICO", "00", process.pid))
    (path.parent / "77.json").write_text("{half a fi")
    assert register.list_boards() == []
    assert list(path.parent.iterdir()) == []


def test_a_signal_ends_it_in_order(stock_image, tmp_path):
    running = launch.start(image_bin=stock_image, vcd=tmp_path / "y.vcd")
    os.kill(running.pid, 15)
    assert running._process.wait(30) == 0
    assert (tmp_path / "y.vcd").read_text().splitlines()[-1].startswith("#")
    running.stop()


def test_several_boards_have_ptys_and_serials_of_their_own(stock_image):
    with launch.start(image_bin=stock_image) as one, launch.start(image_bin=stock_image) as two:
        assert len({one.pty, two.pty}) == len({one.serial, two.serial}) == 2
        assert mpremote(two, "exec", "import machine; print(machine.unique_id().hex())").strip() == two.serial


def test_faults_from_a_file_come_at_their_time(stock_image, tmp_path):
    plan = [
        {"at_ms": 400, "interlock": "open"},
        {"at_ms": 500, "interlock": "closed"},
        {"at_ms": 450, "supply_mv": 5000},
    ]
    faults = tmp_path / "faults.json"
    faults.write_text(json.dumps(plan))
    with launch.start(image_bin=stock_image, vcd=tmp_path / "z.vcd", faults=faults) as board:
        mpremote(board, "exec", "import time; time.sleep(0.6)")
    text = (tmp_path / "z.vcd").read_text()
    ident = re.search(r"\$var wire 1 (\S+) INTERLOCK ", text).group(1)
    changes = re.findall(rf"^#(\d+)\n([01]){re.escape(ident)}$", text, re.M)
    assert changes == [("400000000", "0"), ("500000000", "1")]


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        ({"load": "feather"}, 2, "'feather' is not a load"),
        ({"image_bin": "/nowhere/firmware.bin"}, 2, "/nowhere/firmware.bin"),
        ({"board": "RHEO_NONE"}, 2, "no board called RHEO_NONE"),
        ({"faults": "/nowhere.json"}, 2, "/nowhere.json cannot be read"),
        ({"speed": 0}, 2, "--speed must be above 0"),
    ],
)
def test_a_users_mistake_is_a_sentence(stock_image, options, code, words):
    with pytest.raises(RheoError, match=re.escape(words)) as caught:
        launch.start(**{"image_bin": stock_image, **options})
    assert caught.value.exit_code == code


def test_a_bad_entry_in_a_faults_file_is_named(tmp_path):
    from rheobase import boards
    from rheobase.emulator import faults

    path = tmp_path / "faults.json"
    for event in (
        {},
        {"at_ms": 1, "interlok": "open"},
        {"at_ms": 1, "interlock": "ajar"},
        {"at_ms": 1, "load": {"7": 1}},
    ):
        path.write_text(json.dumps([{"at_ms": 1, "supply_mv": 1}, event]))
        with pytest.raises(UsageError, match="entry 2"):
            faults.read(path, boards.load())
