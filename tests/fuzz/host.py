"""The host's parser under fire: the client, the greeting and those who show what a board said. Says what must hold.

A request is asked, and mutants come instead of the board's answer, in pieces. Only errors of the host's tree may come
out, and nothing of what does come out may crash, steer a terminal or be no JSON.
"""

import json

from fuzz.mutate import Mutator, corpus, sealed, text_of
from rheobase.cli.control import _status_text
from rheobase.cli.devices import _info_text
from rheobase.cli.progress import status_line
from rheobase.discovery import Found
from rheobase.dose import Dose
from rheobase.errors import RheoError
from rheobase.link.client import LINE_MAX, Client
from rheobase.link.greeting import Board, hello
from rheocore import messages

PIECES = 0.2  # of the mutants arrive in two pieces
METHOD_OF = {
    "wire": "hello", "t_left_ms": "status", "token": "arm", "bad_lines": "result", "clk_hz": "captured",
    "words": "captured", "guard": "inspect", "ua": "amplitude", "edges": "capture", "confirmed": "stop",
    "state": "configure",
}  # fmt: skip
DOSE = {"1": {"amplitude_ua": 1000, "on_ms": 3000, "off_ms": 1000, "duration_ms": 9000}}


class Pieces:
    """A transport that gives what it was loaded with, and swallows what is sent."""

    port = "fuzz"

    def __init__(self):
        self.loaded = []

    def read(self):
        return self.loaded.pop(0) if self.loaded else b""

    def write(self, data):
        pass


class Impatient(Client):
    """A client that does not wait for what will never come."""

    def wait(self, timeout_s):
        return self.receive()


class Host:
    """Fires at a client of the host. counts: what came of it."""

    def __init__(self, seed):
        self.mutator = Mutator(corpus("to_host"), seed)
        self.rng = self.mutator.rng
        self.transport = Pieces()
        self.client = Impatient(self.transport)
        self.board = Board(self.client, None, "fuzz", False)
        self.dose = Dose(DOSE)
        self.counts = {"answers": 0, "refusals": 0, "nothing": 0, "telemetry": 0, "events": 0}
        self.mutant = b""

    def fire(self):
        """One mutant, and what comes of it."""
        rng, client = self.rng, self.client
        line = rng.choice(self.mutator.lines)
        method = _method(line) if rng.random() < 0.9 else rng.choice(sorted(messages.METHODS))
        ident = 1 if method == "hello" else client._next_id
        self.mutant = self.mutator.mutant(_fitted(line, ident) if rng.random() < 0.9 else line) + b"\n"
        cut = rng.randrange(len(self.mutant)) if rng.random() < PIECES else 0
        self.transport.loaded = [piece for piece in (self.mutant[:cut], self.mutant[cut:]) if piece]
        try:
            self._ask(method)
            self.counts["answers"] += 1
        except RheoError as error:
            assert printable(error.message) and printable(error.hint or ""), error.message
            self.counts["nothing" if error.code == "no_answer" else "refusals"] += 1
        while client.receive():
            pass
        self._look()

    def _ask(self, method):
        options = {"tries": 1, "give_up": lambda: not self.transport.loaded}
        if method == "hello":
            client = self.client
            call, client.call = client.call, lambda *words, **more: call(words[0], words[1], 1.0, **options)
            try:
                info = hello(client)
            finally:
                del client.call
            board = Board(client, info, "fuzz", False)
            shown(info, _info_text(board), Found("fuzz", False, info).describe())
            shown(Found("fuzz", False, info).as_dict(), str(info["firmware"]["hash"] + info["state"]))
        elif method == "status":
            call = self.board.call
            self.board.call = lambda name: call(name, **options)
            try:
                status = {**self.board.status(), "modelled": False}
            finally:
                del self.board.call
            shown(status, _status_text("fuzz", status))
        else:
            result = self.board.call(method, **options)
            shown(result)
            if method == "result":
                shown(self.dose.figures(result))
            elif method == "captured" and "words" in result:
                assert len(result["words"]) % 4 == 0
            elif method not in ("captured", "inspect", "amplitude", "capture"):
                assert result["state"] in messages.STATES

    def _look(self):
        client, counts = self.client, self.counts
        while client.telemetry:
            item = client.telemetry.popleft()
            counts["telemetry"] += 1
            rows = client.rows(item, [1, 2, 3])
            self.dose.take(item, rows)
            shown(item, status_line(item, rows, "measured", 79), status_line(item, rows, "measured", 30))
        while client.events:
            event = client.events.popleft()
            counts["events"] += 1
            shown(event, f"{event['detail']}", event["kind"])
        assert len(client._buffer) <= LINE_MAX and len(client.raw) <= 400 and len(client._replies) <= 2
        assert type(client.damaged) is type(client.lost_telemetry) is type(client._last_seq or 0) is int
        shown(self.dose.figures())


def shown(value, *texts):
    """What a program is given is JSON with printable texts only; what a person is shown is printable."""
    json.dumps(value, allow_nan=False).encode("ascii")
    assert all(map(printable, _texts(value))), value
    for text in texts:
        assert printable(text.replace("\n", "")), text


def printable(text):
    return text.isprintable()


def _texts(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from (name, *_texts(inner))
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from _texts(inner)


def _method(line):
    return next((method for key, method in METHOD_OF.items() if b'"%s":' % key.encode() in line), "status")


def _fitted(line, ident):
    """A recorded answer as one to this request."""
    if b'"id":' not in line:
        return line
    message = json.loads(text_of(line))
    message["id"] = ident
    return sealed(json.dumps(message, separators=(",", ":")).encode())
