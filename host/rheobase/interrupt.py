"""Ctrl-C, SIGTERM and SIGHUP as wishes instead of exceptions: a session decides what they mean. Sends nothing itself.

The one exception: while `emergency_fd` is set, every signal but the first writes Ctrl-C (0x03) there at once.
"""

import contextlib
import os
import signal

CAUSES = {  # signal: how a session that it ended has ended
    signal.SIGINT: "operator_interrupt",
    signal.SIGTERM: "terminated",
}
if hasattr(signal, "SIGHUP"):  # not on Windows
    CAUSES[signal.SIGHUP] = "terminal_lost"


class Interrupts:
    """A context manager. fd: readable once a signal came. cause: of the first signal but Ctrl-C, else of Ctrl-C."""

    def __init__(self):
        self.count = 0
        self.cause = None
        self.emergency_fd = None
        self._pending = False

    @property
    def gone(self):
        """True if nobody will answer a question any more."""
        return self.cause not in (None, "operator_interrupt")

    def pending(self):
        """True if a signal came that nobody has taken yet."""
        return self._pending

    def take(self):
        """True if a signal came since the last take()."""
        taken, self._pending = self._pending, False
        if taken:
            with contextlib.suppress(BlockingIOError):
                os.read(self.fd, 64)
        return taken

    def __enter__(self):
        self.fd, self._write_fd = os.pipe()
        os.set_blocking(self.fd, False)
        os.set_blocking(self._write_fd, False)
        self._before = {number: signal.signal(number, self._handle) for number in CAUSES}
        return self

    def __exit__(self, *exc):
        for number, handler in self._before.items():
            signal.signal(number, handler)
        os.close(self.fd)
        os.close(self._write_fd)

    def _handle(self, number, frame):
        self.count += 1
        self._pending = True
        if not self.gone:
            self.cause = CAUSES[number]
        with contextlib.suppress(OSError):
            os.write(self._write_fd, b"x")
        if self.count > 1 and self.emergency_fd is not None:
            with contextlib.suppress(OSError):
                os.write(self.emergency_fd, b"\x03")
