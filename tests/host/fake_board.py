"""A board behind a real pty for host tests: the firmware's own server and session, a fake output, faults on demand.

Time runs `speed` times faster than the wall's. No pulses leave anything; what they would be is counted by the
firmware's own feeder. `with FakeBoard() as board: ... board.port`.
"""

import os
import pty
import select
import threading
import time
import tty
from array import array

from rheobase import boards
from rheocore import feeder as feeder_module
from rheocore import frames, messages
from rheocore.refusal import StateError
from rheocore.server import Server
from rheocore.session import Session

BANNER = b"MicroPython v1.25.0 on 2025-04-15; Fake with RP2040\r\n"
PROMPT = b">>> "
CALIBRATED = {"set": [0, 0], "sense": [0, 0], "load_ohms": 1000, "made": "2026-01-01"}  # and nothing was off


class FakeOutput:
    """What session.Session asks of an output, played by the clock. Refuses to play what was not armed."""

    def __init__(self, now_us):
        self.now_us = now_us
        self.closed = True
        self.causes = set()
        self.arm_fault = None
        self.armed = ()
        self.playing = {}
        self.calls = []

    def ready(self):
        return None if self.closed else "interlock_open"

    def arm(self, numbers):
        self.calls.append(("arm", tuple(numbers)))
        self.armed = tuple(numbers)
        return self.arm_fault

    def open(self):
        return bool(self.playing)

    def start(self, pairs, cutoff_ms):
        for n, feeder in pairs:
            assert n in self.armed, f"channel {n} was not armed"
            feeder.fill()
            self.playing[n] = self.now_us()
        self.calls.append(("start", tuple(n for n, _ in pairs)))
        return self.now_us() // 1000

    def hold(self, pairs):
        self.calls.append(("hold", tuple(n for n, _ in pairs)))
        self.playing.clear()
        return ()

    def kill(self, pairs):
        self.calls.append(("kill", tuple(n for n, _ in pairs)))
        self.playing.clear()
        return []

    def service(self, n, feeder, set_ua):
        elapsed_us = self.now_us() - self.playing[n]
        while True:
            feeder.fill()
            position = feeder.read
            t_us = feeder.t_us
            while position < feeder.made:
                t_us += feeder.cost[position % feeder_module.SIZE] & 0x7FFF
                if t_us > elapsed_us:
                    break
                position += 1
            if position == feeder.read:
                return None
            feeder.advance(position % feeder_module.SIZE, 0, set_ua)

    def finished(self, n, feeder):
        return feeder.exhausted and feeder.played == feeder.made

    def set_ua(self, n, ua):
        pass

    def interlock(self):
        return self.closed

    def guard_fault(self):
        return None if self.closed else "interlock_open"

    def cause(self, fault):
        return fault in self.causes

    def quiet(self):
        return not self.playing


class FakeBoard:
    """A thread that is a board. Knobs may be turned while it runs:

    mute: answers nothing. no_telemetry: sends none. damage, drop: so many of the next answers arrive damaged, or not
    at all. deaf_to: methods that are read but not answered. firmware: False: a REPL without our firmware. at_repl:
    starts at the prompt. wire: another wire version.
    """

    def __init__(self, *, speed=5.0, serial="FAKE0001", firmware=True, at_repl=False, info=None, wire=None):
        self.speed = speed
        self.serial = serial
        self.firmware = firmware
        self.extra_info = info or {}
        self.wire = wire
        self.inspection = {
            "clk_sys_hz": 125_000_000,
            "guard": "latched",
            "gate_open": False,
            "legs_low": True,
            "supply_mv": 9_000,
            "flash_free": 1_400_000,
            "flash_bytes": 1_441_792,
            "files": [],
        }
        self.mute = self.no_telemetry = False
        self.damage = self.drop = 0
        self.deaf_to = set()
        self.seen = []  # methods executed, in order
        self.breaks = 0
        self.board = boards.load()
        self.master, slave = pty.openpty()
        tty.setraw(slave)
        self.port = os.ttyname(slave)
        self._slave = slave  # kept open: the pty survives between two clients
        self._start_s = time.monotonic()
        self._stop = threading.Event()
        self._reset = None
        self._wake_r, self._wake_w = os.pipe()
        self.repl = at_repl or not firmware
        self._boot()
        self.error = None  # of the fake itself: raised again at the end of the test
        self._thread = threading.Thread(target=self._guarded, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *exc):
        self.unplug()

        if self.error:
            raise self.error

    def _guarded(self):
        try:
            self._run()
        except Exception as error:
            self.error = error

    def unplug(self):
        """The cable is pulled: the port hangs up."""
        if not self._stop.is_set():
            self._stop.set()
            os.write(self._wake_w, b"x")
            self._thread.join(5)
            os.close(self._slave)
            os.close(self.master)
            os.close(self._wake_r)
            os.close(self._wake_w)

    def reset(self, cause):
        """The board is reset and boots on the same port: cause as messages.INFO has it, "power" forgets the session."""
        self._reset = cause

    def say(self, data):
        """Put raw bytes on the line."""
        os.write(self.master, data)

    def now_us(self):
        return int((time.monotonic() - self._start_s) * 1e6 * self.speed)

    def now_ms(self):
        return self.now_us() // 1000

    # -- firmware ----------------------------------------------------------------------------------------------

    def _boot(self):
        self.output = FakeOutput(self.now_us)
        rings = {c["n"]: (array("H", bytes(4 * feeder_module.SIZE)),) for c in self.board["channels"]}
        self.tokens = 0
        self.session = Session(self.output, self.board, rings, self._event, self._token)
        info = {
            "board": self.board["name"],
            "serial": self.serial,
            "firmware": {"version": "0.1.0", "hash": "fake", "origin": "frozen"},
            "micropython": "1.25.0",
            "c_hook": True,
            "reset_cause": "power",
            "was": None,
            "calibration": {"problem": None, "channels": dict.fromkeys("123", CALIBRATED)},
        }
        info.update(self.extra_info)
        self.server = Server(self.session, self.board, info, self._sense, inspect=lambda: dict(self.inspection))
        if self.wire:
            self.server._hello = self._other_wire
        self.events = 0
        self.next_tel_ms = 0
        self.busy = False
        self.acked_s = 0.0
        self.watched_s = -10.0
        self.buffer = b""

    def _other_wire(self, params, now_ms):
        raise StateError("wire_mismatch", {"board": self.wire, "host": params["wire"]})

    def _token(self):
        self.tokens += 1
        return 4000 + self.tokens

    def _sense(self, n):
        channel = self.session.channels.get(n)
        return (channel.set_ua, 1000) if channel and channel.running else None

    def _event(self, kind, detail, channel=None):
        if self.server.greeted:
            params = [self.events, self.now_us(), kind, detail, channel]
            self.events += 1
            self._send(frames.encode({"jsonrpc": "2.0", "method": "event", "params": params}))

    def _send(self, line):
        if not self.mute:
            os.write(self.master, line)

    def _run(self):
        while not self._stop.is_set():
            ready, _, _ = select.select([self.master, self._wake_r], [], [], 0.002)
            if self.master in ready:
                self._read(os.read(self.master, 4096))
            if self._reset:
                cause, self._reset = self._reset, None
                note = None if cause == "power" else (self.session.state, self.session.fault, 5000)
                self._boot()
                self.session.wake(note, cause)
            if not self.repl:
                silent_ms = (time.monotonic() - self.acked_s) * 1000  # the host's silence counts in the wall's time
                self.session.heard_ms = self.now_ms() - int(silent_ms)
                self.session.tick(self.now_ms())
                self._telemetry()

    def _read(self, data):
        if self.repl:
            return self._at_repl(data)
        before, broken, _ = data.partition(b"\x03")
        *lines, self.buffer = (self.buffer + before).split(b"\n")
        for line in lines:
            line = line.strip(b"\r")
            if len(line) >= messages.MAX_LINE:
                self._answer(self.server.too_long())
            elif line:
                self._line(line)
        if broken:
            self.breaks += 1
            self.session.trip("host_break", self.now_ms())
            self.repl = True
            if not self.mute:
                os.write(self.master, b"rheobase: output off, leaving to the REPL\r\n" + BANNER + PROMPT)

    def _line(self, line):
        message, _ = frames.decode(line)
        method = message.get("method") if message else None
        if method in self.deaf_to:
            return
        if method == "ack":
            if message["params"][1] == self.session.token:
                self.acked_s = time.monotonic()
            self.watched_s = time.monotonic()
        elif method:
            self.seen.append(method)
            if method == "arm":
                self.acked_s = time.monotonic()
        self._answer(self.server.handle(line, self.now_ms()))

    def _answer(self, reply):
        if reply is None:
            return
        if self.drop:
            self.drop -= 1
        elif self.damage:
            self.damage -= 1
            self._send(reply[:9] + b"#" + reply[10:])
        else:
            self._send(reply)

    def _telemetry(self):
        now = self.now_ms()
        session, server = self.session, self.server
        busy = session.state in messages.LIVE or session.state in ("armed", "paused")
        if now < self.next_tel_ms and busy == self.busy:
            return
        self.busy = busy
        self.next_tel_ms = now + (messages.TELEMETRY_MS if busy else 1000)
        if self.no_telemetry or not server.greeted or not (busy or time.monotonic() - self.watched_s < 3):
            return
        channels = []
        for n, channel in session.channels.items():
            meas = self._sense(n) or (None, None)
            channels.append([channel.set_ua, *meas, channel.pulses_now(), channel.charge_nc()])
        left_ms = session.t_left_ms(now)
        params = [server.seq, now * 1000, session.state, left_ms, self.output.closed, session.fault, channels]
        server.sent_seq = server.seq
        server.seq += 1
        self._send(frames.encode({"jsonrpc": "2.0", "method": "tel", "params": params}))

    def _at_repl(self, data):
        """Echo; Ctrl-B a fresh prompt; Ctrl-D a soft reset, into the firmware if there is one."""
        for byte in data:
            if byte == 4:
                os.write(self.master, b"\r\nMPY: soft reboot\r\n")
                if self.firmware:
                    self.repl = False
                    self._boot()
                    return
                os.write(self.master, BANNER + PROMPT)
            elif byte == 2:
                os.write(self.master, b"\r\n" + BANNER + PROMPT)
            elif byte == 10:
                pass  # as MicroPython's
            elif byte == 13:
                os.write(self.master, b"\r\nTraceback:\r\nSyntaxError: invalid syntax\r\n" + PROMPT)
            else:
                os.write(self.master, bytes([byte]))
