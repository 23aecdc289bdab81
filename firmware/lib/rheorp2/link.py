"""Bytes over USB CDC without ever blocking the app loop: lines in, a bounded queue out.

POLLOUT promises room for one byte, and a write of more can wait 500 ms for a host that does not read. So the link keeps
its own count of what may still be in the transmit buffer and writes only what surely fits.
On a suspended bus (the cable is out) POLLOUT says yes and the write never ends: nothing is written while frames miss.
"""

import select
import sys

import micropython
from rheocore import messages

from rheorp2 import hw

_QUEUE = 4096  # bytes that may wait; a reply that does not fit is counted as dropped
_READ = 160  # bytes read in one pass at most
_FRAME_MS = 3  # a host begins a frame each ms; without one for so long the bus is suspended


@micropython.native
def _take(ipoll, readinto, one, buf, n, end):
    """Append what has arrived to buf[n:end], to a newline at most; returns the new n. Native: 25 us a byte, not 43."""
    while n < end:
        for _ in ipoll(0):
            break
        else:
            return n
        readinto(one)
        c = one[0]
        buf[n] = c
        n += 1
        if c == 10:
            return n
    return n


class Link:
    """Call wait() to sleep, read_line() until it returns None, send() to queue a line, pump() to write what fits."""

    def __init__(self):
        self.readable = select.poll()
        self.readable.register(sys.stdin, select.POLLIN)
        self.writable = select.poll()
        self.writable.register(sys.stdout, select.POLLOUT)
        self.ipoll = self.readable.ipoll
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
        self.frame = self.frame_ms = -1000
        self.written = 0  # frame of the last write

    def wait(self, ms):
        """Sleep until a byte arrives or ms have passed. True if there is something to read."""
        for _ in self.readable.ipoll(ms):
            return True
        return False

    def read_line(self):
        """The next whole line (bytes without newline), b'' for one that was too long, None if there is none yet."""
        buf = self.buf
        n = _take(self.ipoll, self.readinto, self.one, buf, self.n, min(self.n + _READ, messages.MAX_LINE))
        if n and n > self.n and buf[n - 1] == 10:
            self.n = 0
            if self.overlong:
                self.overlong = False
                return b""
            return bytes(memoryview(buf)[: n - 1]) if n > 1 else None
        if n == messages.MAX_LINE:
            self.overlong = True
            n = 0
        self.n = n
        return None

    def room_for(self, count):
        """True if a line of count bytes can be written at once."""
        return not self.queue and self.plugged() and self._free() >= count and self._room()

    def send(self, line):
        """Queue a line. False, and counted, if too much waits already."""
        if self.waiting + len(line) > _QUEUE:
            self.dropped += 1
            return False
        self.queue.append(line)
        self.waiting += len(line)
        return True

    def pump(self):
        """Write what fits now. True if something is left."""
        plugged = self.plugged()
        free = self._free()
        while self.queue:
            line = self.queue[0]
            count = min(len(line) - self.offset, free)
            if not (plugged and count and self._room()):
                return True
            sent = self.write(memoryview(line)[self.offset : self.offset + count]) or 0
            self.written = self.frame
            self.in_flight += sent
            free -= sent
            self.offset += sent
            if self.offset >= len(line):
                self.queue.pop(0)
                self.waiting -= len(line)
                self.offset = 0
            elif not sent:
                return True
        return False

    def _free(self):
        """Bytes that surely fit the transmit buffer now: all of it once the controller is empty, a frame after
        the write.

        TinyUSB holds a packet back at the end of a frame (erratum E15), and the controller looks empty meanwhile: for a
        host that is slower than that, this can still be wrong, and the lease then ends output (ADR 0004).
        """
        if (self.frame - self.written) & 0x7FF > 1 and hw.field(hw.USB_CDC_IN, 10, 0x10001) == 0:
            self.in_flight = 0
        return messages.WINDOW - self.in_flight

    def plugged(self):
        """True while a host begins frames on the bus."""
        frame = hw.field(hw.USB_SOF, 0, 0x7FF)
        now_ms = hw.now_ms()
        if frame != self.frame:
            self.frame = frame
            self.frame_ms = now_ms
        return now_ms - self.frame_ms <= _FRAME_MS

    def _room(self):
        for _ in self.writable.ipoll(0):
            return True
        return False
