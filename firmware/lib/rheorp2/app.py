"""The app loop: link, session, telemetry. Sleeps when there is nothing to do; never blocks; ends safe in every way."""

import os
import sys
import time

import machine
import micropython
import rheo_board
import rheo_build
from rheocore import frames, messages
from rheocore.limits import PASS_MS
from rheocore.server import Server
from rheocore.session import Session

from rheorp2 import hw, inspection, stored
from rheorp2.capture import Capture
from rheorp2.dac import Dac
from rheorp2.engine import Engine
from rheorp2.link import Link
from rheorp2.sense import Sense
from rheorp2.watchdog import READ, TICK, WRITE, Watchdog, reset_cause

_HOOK_MARK = 0x5248454F  # left by the board's C hook in SCRATCH3
_IDLE_MS = 1000
_READY_MS = 50  # armed or paused
_LINES = 3  # answered in one pass at most
_SLOW_TELEMETRY_MS = 1000
_NOTE_MS = 100
_SUPPLY_MS = 100  # between two looks at the supply
_WATCHED_MS = 3000  # idle telemetry goes on this long after the last ack


def _serial():
    return "".join("%02X" % b for b in machine.unique_id())


def _info(cause, note, calibration):
    # Its mark alone could be left over from another image; the machine's name alone does not show that it ran.
    hook = os.uname().machine.startswith("Rheobase ") and hw.same(hw.WATCHDOG + 0x18, _HOOK_MARK)
    hw.wr(hw.WATCHDOG + 0x18, 0)  # marked anew at every boot, or not at all
    return {
        "board": rheo_build.BOARD,
        "serial": _serial(),
        "firmware": {"version": rheo_build.VERSION, "hash": rheo_build.HASH, "origin": rheo_build.ORIGIN},
        "micropython": os.uname().release,
        "c_hook": hook,
        "reset_cause": cause,
        "was": note and note[0],  # what the board was doing before a reset that was not power-on
        "calibration": calibration,
    }


class App:
    """Everything, constructed once. loop() runs until an exception ends it."""

    def __init__(self):
        board = rheo_board.BOARD
        calibration = stored.read_calibration(board, _serial())
        self.dac = Dac(board, calibration)
        self.sense = Sense(board, calibration)
        self.engine = Engine(board, self.dac, self.sense)
        self.capture = Capture(board)
        self.link = Link()
        self.tokens = 0
        self.session = Session(self.engine, board, self.engine.rings, self.event, self.new_token)
        self.watchdog = Watchdog()
        cause, note = reset_cause(), self.watchdog.recall()
        self.session.wake(note, cause)
        info = _info(cause, note, calibration.told(board))
        self.server = Server(self.session, board, info, self.sense.of, self.capture, self.inspect)
        self.events = 0
        self.last_tick_ms = self.last_tel_ms = 0
        self.noted = None  # state
        self.noted_ms = 0
        self.note()
        self.heard_ms = -_WATCHED_MS
        self.was_low = False
        self.supply_ms = 0

    def new_token(self):
        self.tokens = self.tokens % 9999 + 1
        return self.tokens * 10_000 + (hw.now_ms() & 0x1FFF)

    def event(self, kind, detail, channel=None):
        """Queue an event of the session."""
        params = [self.events, hw.now_ms() * 1000, kind, detail, channel]
        self.events += 1
        if self.server.greeted:
            self.link.send(frames.encode({"jsonrpc": "2.0", "method": "event", "params": params}))

    def inspect(self):
        return inspection.look(self.engine, self.sense)

    def pace_ms(self):
        """Time between two ticks of the session, by its state."""
        state = self.session.state
        if state in messages.LIVE:
            return PASS_MS
        return _READY_MS if state in ("armed", "paused") else _IDLE_MS

    def loop(self):
        """One pass: sleep, read, tick, telemetry, write; in this order for ever."""
        link = self.link
        while True:
            left = self.last_tick_ms + self.pace_ms() - hw.now_ms()
            if link.queue:
                left = min(left, 2)
            if left > 0:
                link.wait(left)
            self.read()
            self.watchdog.saw(READ)
            now = hw.now_ms()
            if now - self.last_tick_ms >= self.pace_ms():
                self.last_tick_ms = now
                self.session.tick(now)
                self.read()  # a stop does not wait for the measuring
                self.measure(now)
                self.note()
                self.watchdog.saw(TICK)
            self.telemetry(now)
            link.pump()
            self.watchdog.saw(WRITE)
            if self.server.stall_ms:
                self.stand_still()

    def read(self):
        """Answer lines that have arrived: a few a pass, so that a flood cannot keep the session from its tick."""
        link = self.link
        server = self.server
        for _ in range(_LINES):
            line = link.read_line()
            if line is None:
                return
            now = hw.now_ms()
            reply = server.handle(line, now) if line else server.too_long()
            self.note()  # armed: the watchdog runs before anything can be started
            if reply is not None:
                link.send(reply)
                link.pump()
            else:
                self.heard_ms = now

    def note(self):
        """What a reset must not forget, to 100 ms; and the watchdog runs from arm to the end."""
        session = self.session
        now = hw.now_ms()
        if session.state == self.noted and now - self.noted_ms < _NOTE_MS:
            return
        self.noted = session.state
        self.noted_ms = now
        left_ms = session.left_over_ms(now) if session.state in messages.BUSY else session.remainder_ms
        self.watchdog.note(session.state, session.fault, left_ms or 0)
        self.watchdog.keep(session.state in messages.BUSY)

    def measure(self, now):
        """Measure the supply and every running channel; the session judges."""
        if now - self.supply_ms >= _SUPPLY_MS and self.session.state in messages.BUSY:
            self.supply_ms = now
            low = self.sense.supply_low()
            if low and self.was_low:  # twice: a dip in a pulse is none
                self.session.trip("supply_low", now)
            self.was_low = low
        for n in self.session.order:
            if self.session.channels[n].running:
                contact = self.session.channels[n].contact
                ua, mv = self.sense.read(n)
                self.session.sensed(n, ua, mv, now)
                if contact.bad == 1:  # look again at once, so that one bad conversion is no fault
                    ua, mv = self.sense.read(n)
                    self.session.sensed(n, ua, mv, now)

    def telemetry(self, now):
        """Send telemetry if due: every 100 ms from arm to the end, else at 1 Hz while somebody acknowledges it."""
        session = self.session
        server = self.server
        busy = session.state in messages.BUSY
        if now - self.last_tel_ms < (messages.TELEMETRY_MS if busy else _SLOW_TELEMETRY_MS):
            return
        self.last_tel_ms = now
        if not server.greeted or not (busy or now - self.heard_ms < _WATCHED_MS):
            return
        channels = []
        for n in session.order:
            channel = session.channels[n]
            meas = (channel.running and self.sense.of(n)) or (None, None)
            channels.append([channel.set_ua, meas[0], meas[1], channel.pulses_now(), channel.charge_nc()])
        params = [
            server.seq,
            now * 1000,
            session.state,
            session.t_left_ms(now),
            self.engine.interlock(),
            session.fault,
            channels,
        ]
        line = frames.encode({"jsonrpc": "2.0", "method": "tel", "params": params})
        if not (self.link.room_for(len(line)) and self.link.send(line)):
            self.link.dropped += 1
        server.seq += 1

    def stand_still(self):
        """What the bench asked for: this loop does nothing for so long. Whatever must end output does it without."""
        ms = self.server.stall_ms
        self.server.stall_ms = 0
        self.event("stall", ms)
        self.link.pump()
        time.sleep_ms(ms)

    def cut_off(self):
        """Output off and nothing left that writes into memory, then deaf to Ctrl-C, however many arrive meanwhile."""
        while True:
            try:
                self.engine.cut_off()
                self.capture.halt()
                micropython.kbd_intr(-1)
                return
            except KeyboardInterrupt:
                pass

    def confess(self):
        """An error of our own ends the app: what comes up after the reset says so, if a session was on."""
        session = self.session
        self.watchdog.note(session.state, "internal", session.left_over_ms(hw.now_ms()) or 0)

    def break_off(self):
        """Ctrl-C: output off first; the fault is latched and told before another can come through."""
        self.cut_off()
        if self.session.state in messages.BUSY:
            self.session.trip("host_break", hw.now_ms())
        self.note()
        self.link.pump()


def main():
    """Run the app; return only for the REPL, with output off. Every other way out resets the board."""
    app = App()
    try:
        try:
            app.loop()
        except KeyboardInterrupt:
            app.break_off()
    except KeyboardInterrupt:  # another one, before break_off() could make itself deaf
        app.break_off()
    except BaseException as error:
        try:
            app.cut_off()
            app.confess()
            if app.link.plugged():
                sys.print_exception(error)
        finally:
            machine.reset()
    app.watchdog.keep(False)
    print("rheobase: output off, leaving to the REPL")
    micropython.kbd_intr(3)
