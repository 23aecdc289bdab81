"""A serial port held by this process alone: bytes out, bytes in, one error when the board is gone. No protocol."""

import contextlib
import errno
import os
import select
import time

from rheobase.errors import DeviceLost
from rheobase.link import busy, ports

BAUD = 115_200  # nominal: USB CDC has no baud rate
WRITE_TIMEOUT_S = 2.0


class SerialTransport:
    """An open, locked serial port or pty.

    port: path of the device. patience_s: wait so long for a busy one. Raises DeviceLost: `no_port` (it is not there),
    `busy` (another process holds it), `no_access` (rights). read() and write() raise DeviceLost `lost` once the board
    has gone.
    """

    def __init__(self, port, patience_s=0.0):
        import serial

        port = ports.to_open(port)
        self.port = port
        until = time.monotonic() + patience_s
        while True:
            try:
                self._serial = serial.Serial(port, BAUD, timeout=0, write_timeout=WRITE_TIMEOUT_S, exclusive=True)
                break
            except (serial.SerialException, OSError, ValueError) as error:
                if not _is_locked(error) or time.monotonic() >= until:
                    raise _cannot_open(port, error) from None
            time.sleep(0.02)
        self._shut = _shut_out_others(self._serial)
        self._broken = (serial.SerialException, OSError, TypeError)  # TypeError: pyserial, closed in the middle

    def fileno(self):
        return self._serial.fileno()

    def poll(self, timeout_s):
        """True once input is there, at most timeout_s later: for a system whose select() takes no serial port."""
        until = time.monotonic() + timeout_s
        while True:
            try:
                if self._serial.in_waiting:
                    return True
            except self._broken:
                raise self._lost() from None
            if time.monotonic() >= until:
                return False
            time.sleep(0.005)

    def read(self):
        """What has arrived, b"" if nothing; never waits."""
        try:
            return self._serial.read(4096)
        except self._broken:
            raise self._lost() from None

    def write(self, data):
        """Send all of `data`. Raises DeviceLost when the board takes nothing for 2 s."""
        import serial

        try:
            self._serial.write(data)
        except serial.SerialTimeoutException:
            raise DeviceLost(
                "lost", f"The board on {self.port} does not read what is sent.", "Unplug it, plug it in again."
            ) from None
        except self._broken:
            raise self._lost() from None

    def close(self):
        with contextlib.suppress(OSError):  # the port has gone already
            if self._shut:
                self._shut()
        with contextlib.suppress(OSError):
            self._serial.close()

    def _lost(self):
        if other := busy.opener(self.port):  # pyserial cannot tell a byte that was taken from a cable that was pulled
            message = f"The line to {self.port} broke: {other} has the port open too, and takes what the board says."
            return DeviceLost("lost", message, "Close that program.")
        return DeviceLost("lost", f"The board on {self.port} has gone.", "Check the cable, then `rheo devices`.")


def wait_readable(transport, also, timeout_s):
    """True once `transport` has input; waits timeout_s at most, less if one of the descriptors in `also` has some."""
    if os.name == "nt":  # its select() takes sockets alone
        return transport.poll(timeout_s)
    return transport in select.select([transport, *also], [], [], timeout_s)[0]


def _shut_out_others(port):
    """Keep programs that ask for no lock (cat, screen) off the open port; returns what lets them in again, or None.

    pyserial's lock keeps off only who asks for it, as rheo and mpremote do. Not where somebody is in already: the mark
    would outlive us, and keep a `stop` out. Nor on a pty, which its other side keeps alive with the mark on.
    """
    try:
        import fcntl
        import termios

        if os.ttyname(port.fileno()).startswith(("/dev/pts/", "/dev/ttys")) or busy.opener(port.port):
            return None
        fcntl.ioctl(port.fileno(), termios.TIOCEXCL)
        return lambda: fcntl.ioctl(port.fileno(), termios.TIOCNXCL)
    except (ImportError, OSError, AttributeError):
        return None  # Windows lets one program in at a time


def _is_locked(error):
    text = str(error)
    denied = os.name == "nt" and "PermissionError" in text  # what Windows says of a port that is open elsewhere
    return denied or "lock" in text.lower() or getattr(error, "errno", None) == errno.EBUSY


def _cannot_open(port, error):
    if _is_locked(error):
        who = busy.holder(port)
        hint = "Close that program, or use another port."
        if who and who.startswith("rheo run"):
            hint = "`rheo status`, `pause`, `resume` and `stop` reach that session."
        return DeviceLost("busy", f"{port} is in use" + (f" by {who}." if who else "."), hint)
    if "FileNotFoundError" in str(error) or not (os.name == "nt" or os.path.exists(port)):
        return DeviceLost("no_port", f"There is no port {port}.", "`rheo devices` lists the boards.")
    if os.name != "nt" and not os.access(port, os.R_OK | os.W_OK):
        return DeviceLost("no_access", f"You may not open {port}.", "Join the group that owns it (often `dialout`).")
    return DeviceLost("no_port", f"{port} cannot be opened as a serial port.", "`rheo devices` lists the boards.")
