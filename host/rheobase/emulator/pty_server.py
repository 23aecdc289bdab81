"""Offer an emulated board at a pty, paced by wall time. Linux and macOS; knows nothing of the protocol spoken.

A program that holds the pty open is DTR; nobody there means nobody drains the device either. Bytes that the
program does not read fill the kernel's buffer (some 12 kB), then the host stops draining: the device sees that.
"""

import contextlib
import os
import select
import stat
import termios
import time
import tty

from rheobase.emulator.throttle import Throttle

SLICE_NS = 2_000_000  # simulated time between two looks at the pty
STEP_NS = 1_000_000  # simulated time worth waking up for, unless the program has sent something
WALL_SLICE_NS = 5_000_000
WAIT_MAX_S = 0.02  # a signal is noticed within this
INBOX_BYTES = 4096  # taken from the program ahead of the device
AFTER_NS = 300_000_000  # recorded after the end


class PtyServer:
    """Serve `board` (booted, its port closed) at a new pty. speed: simulated seconds per wall second at most."""

    def __init__(self, board, speed=1.0):
        self.board = board
        self._master, slave = os.openpty()
        self.pty = os.ttyname(slave)
        tty.setraw(slave)
        os.close(slave)
        os.set_blocking(self._master, False)
        self._out = bytearray()
        self._open = False
        self.stopping = False
        self.todo = []  # to be called between two slices: what a signal asked for
        board.set_port_open(False)
        board.stop_reading(True)
        board.on_bytes = self._from_device
        self._poll = select.poll()
        self._poll.register(self._master, select.POLLIN)
        self._stdin = self._watch_stdin()
        self._throttle = Throttle(speed, time.monotonic_ns(), board.now_ns)

    def _watch_stdin(self):
        """Stop at the end of stdin if it is a pipe or socket (a parent); not for a terminal or /dev/null."""
        try:
            mode = os.fstat(0).st_mode
        except OSError:
            return False
        if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode):
            self._poll.register(0, select.POLLIN)
            return True
        return False

    def serve(self):
        """Run until `stopping` is set or stdin ends, then for the 300 ms of simulated time that are recorded after."""
        board = self.board
        while not self.stopping:
            now = board.now_ns
            wait_s = self._throttle.wait_s(time.monotonic_ns(), now, STEP_NS)
            self._look(min(wait_s, WAIT_MAX_S))
            while self.todo:
                self.todo.pop(0)()
            allowed = self._throttle.allowed_ns(time.monotonic_ns(), now)
            if allowed > now:
                self._run(min(allowed, now + SLICE_NS))
        board.engine.run_to(board.now_ns + AFTER_NS)

    def close(self):
        """Give the pty up: whoever holds it sees a hang-up."""
        os.close(self._master)

    def _run(self, t_ns):
        until = time.monotonic_ns() + WALL_SLICE_NS
        self.board.engine.run_to(t_ns, wall_limit=lambda: time.monotonic_ns() >= until)

    def _look(self, wait_s):
        """Wait for something at the pty or on stdin, then move bytes and follow the port's state."""
        if self._open:
            events = self._poll.poll(wait_s * 1000)
        else:
            # A pty that nobody holds reports a hang-up at once and for ever: look, then sleep.
            events = self._poll.poll(0)
            if wait_s and all(flags & select.POLLHUP and fd == self._master for fd, flags in events):
                time.sleep(min(wait_s, 0.005))
        hung_up = False
        for fd, flags in events:
            if fd == 0:
                self._read_stdin(flags)
            else:
                hung_up = bool(flags & select.POLLHUP)
        self._read_master()
        if hung_up == self._open:
            self._follow(not hung_up)
        self._flush()

    def _read_stdin(self, flags):
        if flags & select.POLLIN and os.read(0, 4096):
            return
        self.stopping = True

    def _read_master(self):
        while self.board.usb.unsent < INBOX_BYTES:
            try:
                data = os.read(self._master, INBOX_BYTES)
            except (BlockingIOError, OSError):  # nothing there; nobody there
                return
            if not data:
                return
            self.board.send(data)

    def _follow(self, is_open):
        self._open = is_open
        if not is_open:
            self._out.clear()
            self._forget_unread()
        self.board.set_port_open(is_open)
        self.board.stop_reading(not is_open)

    def _forget_unread(self):
        """Drop what the last program left unread, as closing a real port does."""
        with contextlib.suppress(OSError, termios.error):
            slave = os.open(self.pty, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
            try:
                termios.tcflush(slave, termios.TCIFLUSH)
            finally:
                os.close(slave)

    def _from_device(self, t_ns, data):
        self._out += data
        self._flush()

    def _flush(self):
        if not self._open:
            return
        while self._out:
            try:
                count = os.write(self._master, self._out)
            except BlockingIOError:
                break
            except OSError:
                return
            del self._out[:count]
        self.board.stop_reading(bool(self._out))
