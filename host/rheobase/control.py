"""The control socket of a running session: how `status`, `stop`, `pause`, `resume`, `watch` reach a board that is held.

One Unix socket a port in the runtime folder, JSON lines both ways: {"method", "params"} -> {"result"} or {"error"}.
Never blocks its owner: a client that sends rubbish or reads too slowly is dropped. Where the system has no such sockets
(Windows) nobody serves, and nobody is found.
"""

import contextlib
import hashlib
import json
import os
import selectors
import socket

from rheobase import paths
from rheobase.errors import DeviceLost, HostError, RheoError
from rheobase.link import ports

_PREFIX, _SUFFIX = "run-", ".sock"
_LINE_MAX = 4096
_BACKLOG_MAX = 256 * 1024  # bytes that a watcher may leave unread
WHO_S = 3.0  # to the first answer: the owner may be in the middle of a request
ANSWER_S = 15.0  # it may have to stop a slow board


def socket_path(port):
    """Where the run that holds `port` serves."""
    real = ports.identity(port)
    digest = hashlib.sha256(real.encode()).hexdigest()[:8]
    name = "".join(c if c.isalnum() else "-" for c in os.path.basename(real))[-24:]
    return paths.runtime_dir() / f"{_PREFIX}{name}-{digest}{_SUFFIX}"


def socket_paths():
    """Every control socket there is; some may be left over from a run that was killed."""
    return sorted(paths.runtime_dir().glob(f"{_PREFIX}*{_SUFFIX}"))


@contextlib.contextmanager
def _address(path):
    """The address of a socket, short enough for the system (108 bytes) however deep the folder lies."""
    if len(os.fsencode(path)) < 100 or not os.path.isdir("/proc/self/fd"):
        yield os.fspath(path)
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


class _Peer:
    """One connected client."""

    def __init__(self, connection):
        self.connection = connection
        self.inbox = b""
        self.outbox = b""
        self.watching = False


class ControlServer:
    """Serves one port's socket inside the owner's selector.

    answer(method, params) -> dict, may raise RheoError. Use as a context manager; attach() to a selector whose keys'
    data are functions to call.
    """

    def __init__(self, port, answer):
        if not hasattr(socket, "AF_UNIX"):
            hint = "Use Linux or macOS for sessions; `rheo status` and `rheo stop` work here."
            raise HostError("not_on_this_system", "A session cannot be run on this system.", hint)
        self.path = socket_path(port)
        self.answer = answer
        self._selector = None
        self._peers = []
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.setblocking(False)
        with contextlib.suppress(FileNotFoundError):
            self.path.unlink()  # the port's lock is ours: whoever served here has gone
        with _address(self.path) as address:
            self._listener.bind(address)
        os.chmod(self.path, 0o600)
        self._listener.listen(8)

    def attach(self, selector):
        self._selector = selector
        selector.register(self._listener, selectors.EVENT_READ, self._accept)

    def publish(self, item):
        """Send one item to everybody who watches."""
        line = json.dumps(item, separators=(",", ":")).encode() + b"\n"
        for peer in [p for p in self._peers if p.watching]:
            self._send(peer, line)

    def close(self):
        for peer in list(self._peers):
            self._drop(peer)
        self._listener.close()
        with contextlib.suppress(OSError):
            self.path.unlink()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def _accept(self):
        with contextlib.suppress(OSError):
            connection, _ = self._listener.accept()
            connection.setblocking(False)
            peer = _Peer(connection)
            self._peers.append(peer)
            self._selector.register(connection, selectors.EVENT_READ, lambda: self._read(peer))

    def _read(self, peer):
        try:
            data = peer.connection.recv(4096)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            return self._drop(peer)
        *lines, peer.inbox = (peer.inbox + data).split(b"\n")
        if len(peer.inbox) > _LINE_MAX:
            return self._drop(peer)
        for line in lines:
            self._line(peer, line)

    def _line(self, peer, line):
        try:
            request = json.loads(line)
            method, params = request["method"], request.get("params") or {}
            if method == "watch":
                peer.watching = True
                reply = {"result": {}}
            else:
                reply = {"result": self.answer(method, params)}
        except RheoError as error:
            reply = {"error": [error.code, error.message, error.hint, error.exit_code]}
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            reply = {"error": ["bad_request", "That is no request.", None, 2]}
        self._send(peer, json.dumps(reply, separators=(",", ":")).encode() + b"\n")

    def _send(self, peer, data):
        peer.outbox += data
        try:
            peer.outbox = peer.outbox[peer.connection.send(peer.outbox) :]
        except BlockingIOError:
            pass
        except OSError:
            return self._drop(peer)
        if len(peer.outbox) > _BACKLOG_MAX:
            self._drop(peer)

    def _drop(self, peer):
        if peer in self._peers:
            self._peers.remove(peer)
            with contextlib.suppress(KeyError, ValueError):
                self._selector.unregister(peer.connection)
            peer.connection.close()


class ControlClient:
    """A connection to the run that holds a port. who: {port, serial, board, emulated, pid} of it."""

    def __init__(self, path):
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._file = None
        try:
            with _address(path) as address:
                self._socket.settimeout(WHO_S)
                self._socket.connect(address)
            self._file = self._socket.makefile("rwb")
            self.who = self.call("who")
            self._socket.settimeout(ANSWER_S)
        except BaseException:
            self.close()
            raise

    def call(self, method, params=None):
        """Result of a request. Raises the RheoError that the owner met, DeviceLost when it does not answer."""
        try:
            self._file.write(json.dumps({"method": method, "params": params or {}}).encode() + b"\n")
            self._file.flush()
            reply = json.loads(self._file.readline())
            error = RheoError(*reply["error"]) if "error" in reply else None
            result = None if error else reply["result"]
        except (OSError, ValueError, KeyError, TypeError):
            raise DeviceLost(
                "no_answer", "The `rheo run` that holds the board does not answer.", "Open the interlock."
            ) from None
        if error:
            raise error
        return result

    def stream(self):
        """Telemetry items until the run ends."""
        self.call("watch")
        self._socket.settimeout(None)
        for line in self._file:
            yield json.loads(line)

    def close(self):
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()
        self._socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()


def connect(path):
    """ControlClient of the run that serves at `path`; None if nobody does. Raises DeviceLost if it does not answer."""
    if not hasattr(socket, "AF_UNIX"):
        return None
    try:
        return ControlClient(path)
    except (FileNotFoundError, ConnectionRefusedError):
        return None
    except OSError:
        return None  # another user's: its port is as closed to us as its socket
