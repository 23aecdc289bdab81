"""The oracle of a soak: one stream of everything that was seen goes in, sentences on what must not be come out.

The stream can be kept and fed again: that is how its own tests plant errors in a run.
"""

import hashlib

from soak.pins import MS, Pins
from soak.wire import Wire

MOST_WRONG = 40  # sentences kept: one defect makes many


class Oracle:
    """board: its description. keep: True keeps the stream in `seen`. tell(t_ns, sentence): at once, besides `wrong`."""

    def __init__(self, board, keep=False, tell=lambda t_ns, sentence: None):
        self.wrong = []  # [(t_ns, sentence)]
        self.tell = tell
        self.count = 0
        self.seen = [] if keep else None
        self.pins = Pins(board, self.say)
        self.wire = Wire(self.pins, self.say)
        self.hash = hashlib.sha256()

    def say(self, t_ns, sentence):
        self.count += 1
        if len(self.wrong) < MOST_WRONG:
            self.wrong.append((t_ns, sentence))
            self.tell(t_ns, sentence)

    def claim(self, holds, t_ns, sentence):
        if not holds:
            self.say(t_ns, sentence)

    def feed(self, kind, t_ns, *what):
        """edge name level | ua name ua | sent data | came data | connected | orders {n: ...} | flag name value | clear
        | cause what bound_ns channel | claim holds sentence"""
        if self.seen is not None:
            self.seen.append((kind, t_ns, *what))
        if kind in ("edge", "ua", "sent", "came"):
            self.hash.update(repr((kind, t_ns, what)).encode())
        getattr(self, "_" + kind)(t_ns, *what)

    def _edge(self, t_ns, name, level):
        if name == "INTERLOCK":
            self.wire.interlock = [*self.wire.interlock[-15:], (t_ns, bool(level))]
        else:
            self.pins.edge(t_ns, int(name[2:-2]), name[-1], level)

    def _ua(self, t_ns, name, ua):
        self.pins.set_point(t_ns, int(name[2:-3]), ua)

    def _sent(self, t_ns, data):
        self.wire.bytes("sent", t_ns, data)

    def _came(self, t_ns, data):
        self.wire.bytes("came", t_ns, data)

    def _connected(self, t_ns):
        self.wire.connected()

    def _orders(self, t_ns, orders):
        self.wire.orders = orders

    def _cause(self, t_ns, what, bound_ns=None, channel=None):
        self.pins.cause(what, t_ns, bound_ns, channel)

    def _flag(self, t_ns, name, value):
        self.wire.flag(t_ns, name, value)

    def _clear(self, t_ns):
        """The fault is cleared, or the board starts anew: what happened before explains nothing any more."""
        self.pins.causes.clear()

    def _claim(self, t_ns, holds, sentence):
        self.claim(holds, t_ns, sentence)

    def digest(self):
        return self.hash.hexdigest()


def judge(board, seen):
    """The oracle after a stream that was kept."""
    oracle = Oracle(board)
    for item in seen:
        oracle.feed(*item)
    return oracle


__all__ = ["MS", "Oracle", "judge"]
