"""JSON-RPC over a transport: one request at a time, ids that rise, notifications kept apart, telemetry acknowledged.

Resends a request once with the same id when its line or its answer was damaged, and once when no answer came: the
board repeats its last answer instead of executing twice. Trusts no field (trust.py); knows not what the methods mean.
"""

import time
from collections import deque

from rheocore import frames, messages

from rheobase.errors import DeviceLost, Incompatible
from rheobase.link import trust
from rheobase.link.transport import wait_readable

REPLY_S = 1.0  # to a request; on real hardware the answer takes some 10 ms
KEEPALIVE_S = 0.25  # the board asks for a sign of life every 1 s: four chances
LINE_MAX = 4 * messages.MAX_LINE  # longer input without a newline is noise


class RpcError(Exception):
    """The board answered with an error: name (messages.ERRORS) and data (dict)."""

    def __init__(self, name, data, method):
        super().__init__(name)
        self.name = name
        self.data = data
        self.method = method


class Client:
    """A dialogue with one board.

    transport: read(), write(), fileno(), close(). scale: factor on every time limit (an emulated board is slow).
    Queues: telemetry (dicts of messages.TELEMETRY) and events (dicts of messages.EVENT). raw: the last bytes that were
    no message (a REPL, noise). Counts: damaged lines, lost_telemetry, and strangers: answers to what we never asked,
    or telemetry that begins anew, which is what another host's dialogue with the board looks like from here.
    """

    def __init__(self, transport, scale=1.0):
        self.transport = transport
        self.scale = scale
        self.telemetry = deque(maxlen=1000)
        self.events = deque(maxlen=1000)
        self.raw = b""
        self.damaged = 0
        self.lost_telemetry = 0
        self.strangers = 0
        self.token = None  # of the session that this host owns
        self.watching = False  # keep telemetry coming although no session is ours
        self.also = ()  # descriptors whose input ends a wait too: a stop must not wait for an answer
        self.heard_s = time.monotonic()  # when the last good line came
        self._buffer = b""
        self._replies = {}
        self._next_id = 1
        self._last_seq = None
        self._acked_s = 0.0

    # -- requests ----------------------------------------------------------------------------------------------

    def call(self, method, params=None, timeout_s=REPLY_S, tries=2, give_up=None):
        """Result of a request. timeout_s: for each try, before scale.

        Raises RpcError, DeviceLost `no_answer`, Incompatible `bad_reply` (an answer that is none of this method).

        give_up: a function; once it returns True there is no point in waiting any longer.
        """
        ident = self._next_id
        self._next_id += 1
        line = frames.encode({"jsonrpc": "2.0", "id": ident, "method": method, "params": params or {}})
        if method in messages.ALWAYS:
            line = line[:-1] + b"\r\n"  # a REPL takes it as typed and answers with its prompt
        self._replies.clear()
        resent_damage = False
        for _ in range(tries):
            self.transport.write(line)
            until = time.monotonic() + timeout_s * self.scale
            damaged = self.damaged
            while True:
                reply = self._replies.pop(ident, None)
                if reply is not None:
                    return self._result(reply, method)
                if (self._replies.pop(None, None) or self.damaged > damaged) and not resent_damage:
                    resent_damage = True  # our line or its answer was damaged
                    self.transport.write(line)
                left = until - time.monotonic()
                if left <= 0:
                    break
                if give_up is not None and give_up():
                    raise self._no_answer()
                self.wait(left)
        raise self._no_answer()

    def _no_answer(self):
        port = self.transport.port
        message, hint = f"The board on {port} does not answer.", "Check the cable, then `rheo devices`."
        from rheobase.link.busy import opener

        if other := opener(port):
            message += f" {other} has the port open too, and takes what the board says."
            hint = "Close that program."
        elif self.strangers:
            message += " It seems to speak with another program."
            hint = "Close that program."
        return DeviceLost("no_answer", message, hint)

    def forget_ids(self):
        """Before hello: a dialogue begins, ids start anew."""
        self._next_id = 1
        self._replies.clear()
        self._last_seq = None

    def _result(self, reply, method):
        if "error" in reply:
            raise RpcError(*trust.error(reply["error"]), method)
        try:
            return trust.result(method, reply["result"])
        except trust.Misshapen as error:
            message = f"The board on {self.transport.port} answers `{method}` with something else ({error})."
            raise Incompatible("bad_reply", message, "Use a rheo of the board's version.") from None

    # -- input -------------------------------------------------------------------------------------------------

    def wait(self, timeout_s):
        """Wait for input, at most timeout_s, take it, keep the session alive. Returns True if any came."""
        self.keep_alive()
        ready = wait_readable(self.transport, self.also, max(0.0, min(timeout_s, KEEPALIVE_S)))
        return self.receive() if ready else False

    def receive(self):
        """Take what has arrived without waiting. Returns True if anything came. Raises DeviceLost."""
        data = self.transport.read()
        if not data:
            return False
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        for line in lines:
            self._take(line)
        if len(self._buffer) > LINE_MAX:
            self._noise(self._buffer)
            self._buffer = b""
        return True

    def tail(self):
        """The last bytes that are no message, an unfinished line included: where a prompt would stand."""
        return (self.raw + self._buffer)[-400:]

    def _noise(self, line):
        self.raw = (self.raw + line + b"\n")[-400:]

    def _take(self, line):
        message, error = frames.decode(line)
        if error:
            if line.strip():
                self._noise(line)
                if line.lstrip().startswith(b"{"):
                    self.damaged += 1
            return
        self.heard_s = time.monotonic()
        method = message.get("method")
        try:
            if method == "tel":
                self._telemetry(trust.telemetry(message.get("params")))
            elif method == "event":
                self.events.append(trust.event(message.get("params")))
            elif "result" in message or "error" in message:
                self._reply(message)
        except trust.Misshapen:
            self.damaged += 1

    def _reply(self, message):
        ident = message.get("id")
        if type(ident) is not int:
            self._replies[None] = message  # of a line that the board could not read
        elif ident == self._next_id - 1:
            self._replies[ident] = message
        elif ident >= self._next_id:
            self.strangers += 1

    def _telemetry(self, item):
        seq = item["seq"]
        if self._last_seq is not None:
            self.lost_telemetry += max(0, seq - self._last_seq - 1)
            self.strangers += seq < self._last_seq
        self._last_seq = seq
        self.telemetry.append(item)
        self._ack()

    # -- keep-alive --------------------------------------------------------------------------------------------

    def keep_alive(self):
        """Send the keep-alive if none went out for 250 ms: the owner of a session, or who watches one."""
        if (self.token is not None or self.watching) and time.monotonic() - self._acked_s >= KEEPALIVE_S:
            self._ack()

    def _ack(self):
        self._acked_s = time.monotonic()
        seq = -1 if self._last_seq is None else self._last_seq
        self.transport.write(frames.encode({"jsonrpc": "2.0", "method": "ack", "params": [seq, self.token or 0]}))

    def rows(self, item, numbers):
        """{"1": {set_ua, ...}} of a telemetry item; numbers: the configured channels, in order."""
        rows = zip(numbers, item["channels"], strict=False)
        return {str(n): dict(zip(messages.CHANNEL, row, strict=False)) for n, row in rows}

    def emergency(self):
        """Send Ctrl-C: the board cuts its output at once and leaves for the REPL."""
        self.transport.write(b"\x03")

    def close(self):
        self.transport.close()
