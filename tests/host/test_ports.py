"""Port names of Linux, macOS and Windows, without those systems: real ListPortInfo objects, the texts of pyserial."""

import errno
import os

import pytest
from rheobase import discovery
from rheobase.errors import DeviceLost
from rheobase.link import ports, transport
from serial import SerialException
from serial.tools import list_ports
from serial.tools.list_ports_common import ListPortInfo


def listed(device, vid=0x2E8A, pid=0x0005, serial="E6614C311B2F5A2D"):
    """An entry of comports() as it comes from the system."""
    info = ListPortInfo(device)
    info.vid, info.pid, info.serial_number = vid, pid, serial
    info.apply_usb_info()
    return info


@pytest.fixture
def computer(monkeypatch):
    """computer(*entries): these are this computer's serial ports."""
    monkeypatch.undo()  # the conftest's empty computer
    monkeypatch.setattr("rheobase.emulator.register.list_boards", lambda: [])
    return lambda *entries: monkeypatch.setattr(list_ports, "comports", lambda: list(entries))


@pytest.mark.parametrize("port", ["/dev/ttyACM0", "/dev/cu.usbmodem1101", "COM10"])
def test_only_ports_of_a_board_are_candidates(computer, port):
    computer(
        listed("/dev/ttyUSB0", 0x10C4, 0xEA60),  # a bridge of another maker
        listed("COM1", None, None, None),  # no USB at all
        listed("/dev/ttyACM7", pid=0x0003),  # an RP2040 in BOOTSEL
        listed(port),
    )
    assert discovery.candidates() == [(port, False, "E6614C311B2F5A2D")]


@pytest.mark.req("REQ-085")
def test_a_board_is_found_by_its_serial_number_wherever_it_is_now(computer):
    computer(listed("COM3", serial="AAAA"), listed("COM10", serial="E6614C311B2F5A2D"))
    assert discovery.port_of("e6614c311b2f5a2d") == "COM10"
    assert discovery.resolve("id:AAAA") == "COM3" and discovery.resolve("ID:aaaa") == "COM3"
    computer(listed("COM4", serial="AAAA"), listed("COM5", serial=None))
    assert discovery.resolve("id:AAAA") == "COM4" and discovery.port_of("E6614C311B2F5A2D") is None
    with pytest.raises(DeviceLost, match="serial number E66") as error:
        discovery.resolve("id:E6614C311B2F5A2D")
    assert error.value.code == "no_port" and error.value.exit_code == 3


@pytest.mark.parametrize(
    ("system", "listed_as", "named"),
    [("win32", "COM10", "\\\\.\\com10"), ("darwin", "/dev/cu.usbmodem1101", "/dev/tty.usbmodem1101")],
)
def test_the_serial_number_at_a_port_is_found_by_any_name_of_the_port(computer, monkeypatch, system, listed_as, named):
    """What `rheo deploy` follows a board by through a reset."""
    computer(listed(listed_as))
    monkeypatch.setattr(ports.sys, "platform", system)
    assert discovery.serial_at(named) == discovery.serial_at(listed_as) == "E6614C311B2F5A2D"


@pytest.mark.parametrize(
    ("system", "named", "opened"),
    [
        ("darwin", "/dev/tty.usbmodem1101", "/dev/cu.usbmodem1101"),  # would wait for a carrier
        ("darwin", "/dev/cu.usbmodem1101", "/dev/cu.usbmodem1101"),
        ("darwin", "/dev/ttys003", "/dev/ttys003"),  # a pty
        ("win32", "com10", "COM10"),
        ("win32", "\\\\.\\COM10", "COM10"),  # as pyserial writes it itself
        ("win32", "COM3", "COM3"),
        ("linux", "/dev/ttyACM0", "/dev/ttyACM0"),
        ("linux", "/dev/tty.odd", "/dev/tty.odd"),
    ],
)
def test_the_name_that_is_opened(system, named, opened):
    assert ports.to_open(named, system) == opened
    assert ports.to_open(opened, system) == opened


def test_two_names_of_one_port_are_one_and_two_ports_are_two(tmp_path):
    assert ports.identity("com3", "win32") == ports.identity("\\\\.\\COM3", "win32") != ports.identity("COM30", "win32")
    assert ports.identity("/dev/tty.usbmodem11", "darwin") == ports.identity("/dev/cu.usbmodem11", "darwin")
    link = tmp_path / "by-id"
    link.symlink_to("/dev/null")
    assert ports.identity(str(link), "linux") == "/dev/null"


@pytest.mark.parametrize(
    ("error", "code"),
    [  # the texts that pyserial's Windows part makes of the system's answers
        (SerialException("could not open port 'COM3': FileNotFoundError(2, 'not found', None, 2)"), "no_port"),
        (SerialException("could not open port 'COM3': PermissionError(13, 'Access is denied.', None, 5)"), "busy"),
        (SerialException("could not open port 'COM3': OSError(22, 'semaphore timeout', None, 121)"), "no_port"),
    ],
)
def test_what_windows_says_of_a_port_becomes_the_same_errors(monkeypatch, error, code):
    monkeypatch.setattr(transport.os, "name", "nt")
    found = transport._cannot_open("COM3", error)
    assert (found.code, found.exit_code) == (code, 3) and "COM3" in found.message


@pytest.mark.parametrize("port", ["/dev/null", "/dev/cu.usbmodem1101"])
def test_a_port_marked_exclusive_by_another_is_busy(port):
    """EBUSY: what macOS says of every open port, and Linux of one under TIOCEXCL."""
    error = SerialException(errno.EBUSY, f"could not open port {port}: [Errno 16] Resource busy")
    assert transport._cannot_open(port, error).code == "busy"


def test_where_select_takes_no_serial_port_input_is_waited_for_by_looking(monkeypatch):
    class Port:
        in_waiting = 0

    class Looked(transport.SerialTransport):
        def __init__(self):
            self._serial, self.port, self._broken = Port(), "COM3", (SerialException,)

    monkeypatch.setattr(transport.os, "name", "nt")
    looked = Looked()
    assert transport.wait_readable(looked, (), 0.02) is False
    looked._serial.in_waiting = 5
    assert transport.wait_readable(looked, (), 10.0) is True
    del Port.in_waiting
    Port.in_waiting = property(lambda self: (_ for _ in ()).throw(SerialException("gone")))
    looked._serial = Port()
    with pytest.raises(DeviceLost):
        transport.wait_readable(looked, (), 0.1)


def test_the_tests_above_leave_this_system_as_it_is():
    assert os.name == transport.os.name
