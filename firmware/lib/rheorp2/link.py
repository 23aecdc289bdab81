"""Bytes over USB CDC without ever blocking the app loop: lines in, a bounded queue out.

POLLOUT promises room for one byte. So a whole line is written only while what is unacknowledged fits the transmit
buffer (messages.WINDOW); beyond that it goes out byte by byte, each behind a POLLOUT.
"""

import select
import sys

from rheocore import messages

_QUEUE = 4096  # bytes that may wait; a reply that does not fit is counted as dropped
_READ = 160  # bytes read in one pass at most


class Link:
    """Call wait() to sleep, read_line() until it returns None, send() to queue a line, pump() to write what fits."""

    def __init__(self):
        self.readable = select.poll()
        self.readable.register(sys.stdin, select.POLLIN)
        self.writable = select.poll()
        self.writable.register(sys.stdout, select.POLLOUT)
        self.readinto = sys.stdin.buffer.readinto
        self.write = sys.stdout.buffer.write
        self.buf = bytearray(messages.MAX_LINE)
        self.one = bytearray(1)
        self.n = 0
        self.overlong = False
        self.queue = []
        self.waiting = 0
        self.offset = 0
        self.in_flight = 0
        self.dropped = 0

    def wait(self, ms):
        """Sleep until a byte arrives or ms have passed. True if there is something to read."""
        for _ in self.readable.ipoll(ms):
            return True
        return False

    def read_line(self):
        """The next whole line (bytes without newline), b'' for one that was too long, None if there is none yet."""
        ipoll = self.readable.ipoll
        readinto = self.readinto
        one = self.one
        buf = self.buf
        n = self.n
        for _ in range(_READ):
            for _ready in ipoll(0):
                break
            else:
                break
            readinto(one)
            byte = one[0]
            if byte == 10:
                self.n = 0
                if self.overlong:
                    self.overlong = False
                    return b""
                if n:
                    return bytes(memoryview(buf)[:n])
            elif byte == 13:
                pass
            elif n < messages.MAX_LINE - 1:
                buf[n] = byte
                n += 1
            else:
                self.overlong = True
                n = 0
        self.n = n
        return None

    def acked(self):
        """The host has shown that it read what was sent before."""
        self.in_flight = 0

    def room_for(self, count):
        """True if a line of count bytes can be written at once."""
        return not self.queue and self.in_flight + count <= messages.WINDOW and self._room()

    def send(self, line):
        """Queue a line. False, and counted, if too much waits already."""
        if self.waiting + len(line) > _QUEUE:
            self.dropped += 1
            return False
        self.queue.append(line)
        self.waiting += len(line)
        return True

    def pump(self):
        """Write what fits now. Returns True if something is left."""
        while self.queue:
            line = self.queue[0]
            rest = len(line) - self.offset
            if not self._room():
                return True
            if self.in_flight + rest <= messages.WINDOW:
                sent = self.write(memoryview(line)[self.offset :]) or 0
            else:
                sent = self.write(memoryview(line)[self.offset : self.offset + 1]) or 0
            self.in_flight = min(self.in_flight + sent, messages.WINDOW)
            self.offset += sent
            if self.offset >= len(line):
                self.queue.pop(0)
                self.waiting -= len(line)
                self.offset = 0
            elif not sent:
                return True
        return False

    def _room(self):
        for _ in self.writable.ipoll(0):
            return True
        return False
