"""A serial port held by this process alone: bytes out, bytes in, one error when the board is gone. No protocol."""

import contextlib
import os
import time

from rheobase.errors import DeviceLost

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
        self._broken = (serial.SerialException, OSError, TypeError)  # TypeError: pyserial, closed in the middle

    def fileno(self):
        return self._serial.fileno()

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
            self._serial.close()

    def _lost(self):
        return DeviceLost("lost", f"The board on {self.port} has gone.", "Check the cable, then `rheo devices`.")


def _is_locked(error):
    return "lock" in str(error).lower()


def _cannot_open(port, error):
    if not os.path.exists(port):
        return DeviceLost("no_port", f"There is no port {port}.", "`rheo devices` lists the boards.")
    if _is_locked(error):
        from rheobase.link.busy import holder

        who = holder(port)
        hint = "Close that program, or use another port."
        if who and who.startswith("rheo run"):
            hint = "`rheo status`, `pause`, `resume` and `stop` reach that session."
        return DeviceLost("busy", f"{port} is in use" + (f" by {who}." if who else "."), hint)
    if not os.access(port, os.R_OK | os.W_OK):
        return DeviceLost("no_access", f"You may not open {port}.", "Join the group that owns it (often `dialout`).")
    return DeviceLost("no_port", f"{port} cannot be opened as a serial port.", "`rheo devices` lists the boards.")
