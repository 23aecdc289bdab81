"""The host of a soak: rheo's own session, link and record, in simulated time, on the emulated board. Judges nothing.

Nothing of rheo is written anew here. Its clock is the board's, its waiting runs the board, its serial port is the
emulated USB port; whoever watches (`tap`) gets every byte both ways with its time.
"""

import contextlib
import os
import signal
from types import SimpleNamespace
from unittest import mock

from rheobase import halt, record, session
from rheobase.errors import DeviceLost, RheoError
from rheobase.guide import Guide
from rheobase.link import busy, client, greeting

PORT = "soak"
LEAST_NS = 20_000  # a wait of less than this would not move the clock
SPIN_S = 0.001  # until rheo looks again for its answer, where a key waits that it does not take yet
_EPOCH_S = 1_700_000_000  # of the records' host_utc: any, and always the same
_KEYS_FD = 1_000_001  # of nobody


class Port:
    """The serial port as rheo sees it: link.transport.SerialTransport's methods, the emulated USB port behind them.

    broken: the operating system has told that the port has gone; a cable that is back too soon for that tells nothing.
    """

    port = PORT

    def __init__(self, board, tap):
        self.board = board
        self.tap = tap
        self.inbox = b""
        self.broken = False
        self.muted = False  # what is sent does not leave the computer
        self._read_fd, self._fd = os.pipe()  # where a second Ctrl-C of rheo's writes its 0x03
        os.set_blocking(self._read_fd, False)

    def fileno(self):
        return self._fd

    def take(self, t_ns, data):
        """Bytes of the board."""
        self.tap("came", t_ns, bytes(data))
        self.inbox += data

    def ready(self):
        return bool(self.inbox) or self.broken

    def read(self):
        self._check()
        data, self.inbox = self.inbox, b""
        return data

    def write(self, data):
        self._check()
        self.send(data)

    def send(self, data):
        """Bytes of rheo to the board."""
        if not self.muted:
            self.deliver(data)

    def deliver(self, data):
        """Bytes to the board, whoever sends them; lost while it is not there."""
        if data and self.board.usb.connected:
            self.tap("sent", self.board.now_ns, bytes(data))
            self.board.send(data)

    def emergency(self):
        """What was written to the descriptor itself goes to the board."""
        with contextlib.suppress(BlockingIOError):
            self.send(os.read(self._read_fd, 16))

    def close(self):
        if self._fd is not None:
            os.close(self._fd)
            os.close(self._read_fd)
            self._fd = None

    def _check(self):
        if self.broken:
            raise DeviceLost("lost", "The board has gone.", "Check the cable.")


class Keys:
    """The operator's hands: what is to be done next, as names that a session's guide gets."""

    fd = _KEYS_FD

    def __init__(self):
        self.names = []

    def read(self):
        names, self.names = self.names, []
        return names


class Hands(Guide):
    """The guide of a session whose operator does what the soak says. act(session, name): an action by its name."""

    def __init__(self, keys, is_new, act):
        super().__init__(keys)
        self.is_new = is_new
        self.act = act

    def before(self, session):
        pass  # whether the last session was cut off, and what may still run, the driver asks itself

    @contextlib.contextmanager
    def live(self, session):
        yield self.keys

    def typed(self, session, names):
        for name in names:
            self.act(session, name)


class Selector:
    """selectors.DefaultSelector's part that a session uses; waiting runs the board."""

    def __init__(self, host):
        self.host = host
        self._data = {}

    def register(self, what, events, data):
        self._data[what] = data

    def unregister(self, what):
        del self._data[what]

    def select(self, timeout_s):
        self.host.wait(lambda: any(map(self.host.ready, self._data)), timeout_s)
        return [(SimpleNamespace(data=data), 1) for what, data in self._data.items() if self.host.ready(what)]

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        pass


class _NoSocket:
    """In place of the control socket: what comes through it is done by served.answer itself."""

    def __init__(self, port, answer):
        pass

    def attach(self, selector):
        pass

    def publish(self, item):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        pass


class Host:
    """rheo beside the emulated `board`. tap(kind, t_ns, data): every byte, "sent" or "came". keys: Keys."""

    def __init__(self, board, tap):
        self.board = board
        self.tap = tap
        self.keys = Keys()
        self.port = None
        self.session = None
        self._records = 0
        board.on_bytes = self._arrived

    def _arrived(self, t_ns, data):
        if self.port is not None:
            self.board.received.clear()
            self.port.take(t_ns, data)

    # -- time and waiting ----------------------------------------------------------------------------------------

    def now_s(self):
        return self.board.now_ns / 1e9

    def wait(self, ready, timeout_s):
        """Run the board until ready() or for so long."""
        if not ready() and timeout_s > 0:
            self.board.run_until(ready, max(LEAST_NS, round(timeout_s * 1e9)))

    def ready(self, what):
        """True if this descriptor has input."""
        if what is self.port:
            return self.port.ready()
        if what == _KEYS_FD:
            return bool(self.keys.names)
        running = self.session
        return running is not None and what == running.interrupts.fd and running.interrupts.pending()

    def _wait_readable(self, port, also, timeout_s):
        if any(map(self.ready, also)):
            self.wait(port.ready, min(timeout_s, SPIN_S))
        else:
            self.wait(lambda: port.ready() or any(map(self.ready, also)), timeout_s)
        return port.ready()

    @contextlib.contextmanager
    def in_simulated_time(self):
        """Everything of rheo that looks at a clock, waits, or draws a random name does it here."""
        clock = SimpleNamespace(monotonic=self.now_s, sleep=lambda s: self.wait(lambda: False, s))
        with contextlib.ExitStack() as stack:
            for module in (client, session, halt, greeting):
                stack.enter_context(mock.patch.object(module, "time", clock))
            for owner, name, value in (
                (client, "wait_readable", self._wait_readable),
                (greeting, "SerialTransport", lambda port, patience_s: self.port),
                (session, "selectors", SimpleNamespace(DefaultSelector=lambda: Selector(self), EVENT_READ=1)),
                (session, "ControlServer", _NoSocket),
                (busy, "opener", lambda port: None),
                (record, "new_id", self._new_id),
                (record.Clock, "steady_s", staticmethod(self.now_s)),
                (record.Clock, "wall_s", staticmethod(lambda: _EPOCH_S + self.now_s())),
            ):
                stack.enter_context(mock.patch.object(owner, name, value))
            yield

    def _new_id(self, serial, now=None):
        self._records += 1
        return f"soak-{self._records:04d}"

    # -- what rheo does ------------------------------------------------------------------------------------------

    def open(self):
        """Open the port and shake hands, as every verb of rheo does: a greeted Board."""
        self.close()
        self.port = Port(self.board, self.tap)
        found = greeting.open_board(PORT, emulated=False)  # time limits are the board's own here, not a slow one's
        found.emulated = True
        return found

    def close(self):
        if self.port is not None:
            self.port.close()
            self.port = None

    def play(self, board, order, log_dir, is_new, act):
        """One session with its record. Returns the Session, whose `error` says how it ended."""
        self.keys.names.clear()
        hands = Hands(self.keys, is_new, act)
        self.session = running = session.Session(board, order, log_dir, guide=hands)
        try:
            running.run()
        except RheoError as error:
            running.error = running.error or error
        finally:
            self.session = None
        return running

    def ctrl_c(self, times=1):
        """The operator presses Ctrl-C in rheo's terminal."""
        for _ in range(times):
            signal.raise_signal(signal.SIGINT)
        if self.port is not None:
            self.port.emergency()
