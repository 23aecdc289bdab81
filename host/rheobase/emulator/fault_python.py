"""Run Python on the emulated board at an exact moment: compiled ahead, then one soft callback away. For faults only.

The app is started through the raw REPL after a prelude that leaves a mailbox in RAM and listens on two spare pins:
a rise of GPIO17 compiles what was written into the mailbox, a rise of GPIO16 runs one piece that is flagged there.
The prelude touches nothing else; the app is the image's own.
"""

from collections import deque

from rheobase.emulator import rawrepl

LIMIT_BYTES = 1900  # of one source
_RUN_PIN, _COMPILE_PIN = 16, 17
_PULSE_NS = 20_000
_POLL_NS = 200_000
_RAM = 0x20000000
_FLAGS, _SLOTS, _SOURCE = 4, 60, 64  # mailbox: slot to compile, -, length (2 bytes), flag of slot n at 4 + n, source
_ASKED, _DONE = 1, 2  # flag of a slot; 0 in between

_PRELUDE = f"""
import uctypes
from machine import Pin
box = bytearray({_SOURCE + LIMIT_BYTES})
codes = {{}}
space = {{"__name__": "fault"}}
def prepare(pin):
    try:
        source = str(memoryview(box)[{_SOURCE}:{_SOURCE} + box[2] + 256 * box[3]], "utf-8")
        codes[box[0]] = compile(source, "fault", "exec")
    finally:
        box[0] = 255
def run(pin):
    for slot in codes:
        if box[{_FLAGS} + slot] == {_ASKED}:
            box[{_FLAGS} + slot] = 0
            exec(codes.pop(slot), space)
            box[{_FLAGS} + slot] = {_DONE}
            return
Pin({_COMPILE_PIN}, Pin.IN).irq(prepare, Pin.IRQ_RISING)
Pin({_RUN_PIN}, Pin.IN).irq(run, Pin.IRQ_RISING)
print(uctypes.addressof(box))
"""
_APP = "from rheorp2 import app\napp.main()\n"
_IDLE = 255
_BOOTING_NS = 100_000_000


def python_ready(emulated):
    """Boot the board if it is not, and start its app so that events with `python` can run; some 0.15 s of its time."""
    usb = emulated.usb
    if not usb.connected:
        emulated.boot()
    was_open = usb.open
    emulated.set_port_open(True)
    rawrepl.enter(emulated)
    rawrepl.soft_reset(emulated)
    for gpio in (_RUN_PIN, _COMPILE_PIN):
        emulated.set_pin(gpio, False)
    address = int(rawrepl.finish(emulated, rawrepl.start(emulated, _PRELUDE)))
    rawrepl.start(emulated, _APP)
    emulated.run_for(_BOOTING_NS)
    emulated.set_port_open(was_open)
    emulated.mailbox = Mailbox(emulated, address)


class Mailbox:
    """The host's side of the mailbox at `address`. After a reset of the board nothing answers, and nothing happens."""

    def __init__(self, emulated, address):
        self._emulated = emulated
        self._at = address - _RAM
        self._resets = emulated.engine.resets
        self._queue = deque()  # (source, ready) of those still to be compiled
        self._slot = 0
        self._compiling = False
        self._pulsed = {}  # gpio -> when its pulse is over

    @property
    def gone(self):
        """True once the board has been reset."""
        return self._emulated.engine.resets != self._resets

    def load(self, source, ready):
        """Have `source` compiled on the board, after those before it; then call ready(slot)."""
        self._queue.append((source.encode(), ready))
        self._next()

    def run(self, slot):
        """Run now what was compiled into `slot`."""
        self._write(_FLAGS + slot, bytes([_ASKED]))
        self._pulse(_RUN_PIN)

    def done(self, slot):
        """True once what was in `slot` has run to its end, and raised nothing."""
        return not self.gone and self._emulated.mcu.sram[self._at + _FLAGS + slot] == _DONE

    def _next(self):
        if self._compiling or not self._queue:
            return
        self._compiling = True
        source, ready = self._queue.popleft()
        slot, self._slot = self._slot, (self._slot + 1) % _SLOTS
        self._write(_FLAGS + slot, b"\0")
        self._write(_SOURCE, source)
        self._write(0, bytes([slot, 0]) + len(source).to_bytes(2, "little"))
        self._pulse(_COMPILE_PIN)
        self._look(slot, ready)

    def _look(self, slot, ready):
        if self.gone:
            return
        if self._emulated.mcu.sram[self._at] != _IDLE:
            self._emulated.at(self._emulated.now_ns + _POLL_NS, lambda: self._look(slot, ready))
            return
        self._compiling = False
        ready(slot)
        self._next()

    def _write(self, offset, data):
        if not self.gone:
            at = self._at + offset
            self._emulated.mcu.sram[at : at + len(data)] = data

    def _pulse(self, gpio):
        """A rise of `gpio`, behind those that were asked for before."""
        emulated = self._emulated
        start_ns = max(emulated.now_ns, self._pulsed.get(gpio, 0))
        self._pulsed[gpio] = start_ns + 2 * _PULSE_NS
        emulated.at(start_ns, lambda: emulated.set_pin(gpio, True))
        emulated.at(start_ns + _PULSE_NS, lambda: emulated.set_pin(gpio, False))
