"""What one session writes into its record: open, screening, events, telemetry, close. Decides nothing, shows nothing.

Knows the shapes of the lines; record.py knows the file.
"""

import copy

from rheocore import messages

import rheobase
from rheobase import answers, library
from rheobase.dose import Dose
from rheobase.image import firmware_files
from rheobase.record import SCHEMA, RecordWriter


def _carried(board):
    """Hash of the firmware that this rheo would put on that board: what its tests are about; None for one unknown."""
    return firmware_files.firmware_hash(board) if board in firmware_files.known_boards() else None


class Journal:
    """The record of one session on `board` (link.greeting.Board). Creating it checks that it can be written.

    person: free code or None. plan: {course, number, planned} or None. protocols: chosen so far (checked protocols);
    an order, once there is one, says it better. last: the latest telemetry item. dose: what was delivered so far.
    """

    def __init__(self, board, duration_ms, log_dir=None):
        self.board = board
        self.writer = RecordWriter.create(board.info["serial"], duration_ms, log_dir)
        self.id = self.writer.id
        self.path = self.writer.path
        self.person = None
        self.plan = None
        self.protocols = []
        self.last = None
        self.dose = Dose({})
        self._given = {part: {} for part in answers.PARTS}
        self.opened = False
        self.closed = False

    @property
    def dev_us(self):
        """The latest device time that is known."""
        return self.writer.dev_us

    def open(self, wanted):
        """The first line. wanted: the order, or None as long as there is none."""
        self.opened = True
        info = self.board.info
        self.writer.write(
            "open",
            schema=SCHEMA,
            session_id=self.id,
            serial=info["serial"],
            board=info["board"],
            firmware={**info["firmware"], "micropython": info["micropython"], "wire": info["wire"]},
            limits=info["limits"],
            calibration=info["calibration"],
            host=rheobase.__version__,
            host_firmware=_carried(info["board"]),
            person=self.person,
            plan=self.plan,
            **self._ordered(wanted),
            modelled=self.board.emulated,
        )

    def order(self, wanted):
        """What is going to be played, once it is known: in the open line, or an event where that is written."""
        if self.opened:
            self.event("order", **self._ordered(wanted))
        else:
            self.open(wanted)

    def _ordered(self, wanted):
        """Fields of an order (record.ORDER), or what is known of one before it is made."""
        parts = wanted.parts if wanted else []
        protocols = {p["id"]: p for p in ([x.protocol for x in parts] or self.protocols)}
        self.dose = Dose({p.n: p.cfg for p in parts})
        return {
            "protocol": wanted.protocol_ids if wanted else "+".join(protocols) or None,
            "hash": {name: library.protocol_hash(protocol) for name, protocol in protocols.items()},
            "channels": {str(p.n): {"protocol": p.protocol["id"], "config": p.cfg} for p in parts},
            "protocols": protocols,
            "load": wanted.load if wanted else {},
            "assumed": wanted.assumed if wanted else [],
        }

    def so_far(self, part, given):
        """What is new in the answers of a part, "before" or "after" its whole line; nothing new writes nothing."""
        new = answers.changed(given, self._given[part])
        if new:
            self.writer.write("screening", self.dev_us, phase="so_far", part=part, answers=new)
            self._given[part] = copy.deepcopy(given)

    def screening(self, phase, **fields):
        """The whole line of a part. phase: "before" or "after"."""
        self.writer.write("screening", self.dev_us, phase=phase, **fields)

    def event(self, kind, dev_us=None, **fields):
        """kind: the device's (state, fault, end), or the host's (needles_in, amplitude, ...)."""
        self.writer.write("event", self.dev_us if dev_us is None else dev_us, event=kind, **fields)
        if kind == "amplitude":
            self.dose.target(fields["channel"], fields["ua"])
        elif kind == "state":
            self.dose.state(fields["detail"])

    def fault(self, name, sentence):
        self.writer.write("fault", self.dev_us, fault=name, sentence=sentence)

    def telemetry(self, item, numbers):
        """item: of the client's queue. numbers: the configured channels, in order."""
        self.last = item
        self.writer.telemetry([item[name] for name in messages.TELEMETRY], numbers)
        self.dose.take(item, self.board.client.rows(item, numbers))

    def close(self, **fields):
        """The last line."""
        self.closed = True
        self.writer.write("close", self.dev_us, **fields)

    def release(self):
        self.writer.release()
