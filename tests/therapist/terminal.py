"""A person at a terminal of 80x24: starts `rheo` at a real pty, reads the screen (pyte), types.

The screen is what a VT100 would show; `expect` waits until a text stands on it below what was expected before.
"""

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time

import pyte
from host.calling import environment

RHEO = "import sys\nfrom rheobase.cli.main import main\nsys.exit(main())"
WAIT_S = 60  # a slow machine; nothing here claims anything about wall time


class Terminal:
    """`rheo words` at a pty. raw: all that it ever wrote. broken: Python to run in that process first."""

    def __init__(self, *words, env=None, columns=80, rows=24, broken=""):
        self.screen = pyte.HistoryScreen(columns, rows, history=5000)
        self._stream = pyte.ByteStream(self.screen)
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

        def own_session():
            os.setsid()
            fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
            signal.signal(signal.SIGINT, signal.SIG_DFL)

        self.process = subprocess.Popen(
            [sys.executable, "-c", f"{broken}\n{RHEO}", *map(str, words)],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env={**environment(), "TERM": "xterm", **(env or {})},
            preexec_fn=own_session,
        )
        os.close(slave)
        self.raw = b""
        self.bells = 0
        self._seen = 0

    def pump(self, timeout_s=0.05):
        """Take what was written. False once the other side has closed."""
        if self.master is None or not select.select([self.master], [], [], timeout_s)[0]:
            return self.master is not None
        try:
            data = os.read(self.master, 65536)
        except OSError:
            return False
        self.raw += data
        self.bells += data.count(b"\a")
        self._stream.feed(data)
        return bool(data)

    @property
    def display(self):
        """The screen's lines as they stand."""
        return [line.rstrip() for line in self.screen.display]

    @property
    def text(self):
        return "\n".join(self.display)

    def until(self, condition, what="it"):
        end = time.monotonic() + WAIT_S
        while not condition():
            alive = self.pump()
            assert alive or condition(), f"{what} did not come; it ended:\n{self.text}"
            assert time.monotonic() < end, f"{what} did not come:\n{self.text}"

    def expect(self, words):
        """Wait for `words` in what was written since the last answer was typed."""
        wanted = words.encode()
        self.until(lambda: wanted in self.raw[self._seen :], repr(words))

    def shows(self, words):
        """Wait until `words` stand on the screen."""
        self.until(lambda: words in self.text, repr(words))

    def type(self, keys):
        """Send keys, as they are."""
        self._seen = len(self.raw)
        os.write(self.master, keys.encode() if isinstance(keys, str) else keys)

    def answer(self, question, text=""):
        """Wait for a question, type an answer and Enter."""
        self.expect(question)
        self.type(text + "\r")

    def hang_up(self):
        """The terminal is closed."""
        os.close(self.master)
        self.master = None

    def end(self):
        """Exit code, once it has ended."""
        if self.master is not None:
            deadline = time.monotonic() + WAIT_S
            while self.pump() and time.monotonic() < deadline:
                pass
        return self.process.wait(WAIT_S)

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        if self.master is not None:
            self.hang_up()
