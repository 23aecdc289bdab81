"""The record of a session: an append-only file of JSON lines that survives a crash of the host at any byte.

Writes nothing that names a person: a free code at most. Never rewrites a line; only a line torn by a full disk is cut
off again. Lines: {"n", "host_utc", "dev_us", "kind", "host_ms", ...}; kinds and their usual fields are in KINDS. The
order is n and host_ms (ms since the record was made, on a clock that nobody sets): host_utc may jump.
"""

import errno
import json
import os
import re
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from rheocore.messages import CHANNEL, TELEMETRY

from rheobase import answers, ondisk, paths
from rheobase.errors import HostError, UsageError

FILE = "record.jsonl"
KINDS = {  # kind: what its lines usually carry beside n, host_utc, dev_us
    "open": "schema session_id serial board firmware limits calibration host host_firmware protocol hash channels load"
    " assumed modelled code",
    "screening": "phase answers acknowledged yes reason; phase so_far: part answers (rheobase.answers)",
    "event": "event detail; event order: what open could not know yet (protocol channels load ...)",
    "telemetry": "seq state t_left_ms interlock fault channels",
    "fault": "fault sentence",
    "close": "stop_reason fault duration_ms channels",
}
ORDER = ("protocol", "hash", "channels", "protocols", "load", "assumed")  # fields of open that an order event replaces
CLOCK_JUMP_S = 1.0  # host_utc and host_ms may drift apart by so much before a clock_jump is put on record
LINE_BYTES = 600  # generous size of a telemetry line with three channels
LINES_MAX = 1_000_000  # more than any session writes
MARGIN_BYTES = 1_000_000  # room beyond the telemetry: events, pictures' share, other programs
SCHEMA = 1
_CODE = re.compile(r"[A-Za-z0-9_-]{1,24}")


def sessions_dir(log_dir=None):
    """Folder with one folder a session: DATA/rheobase/sessions; log_dir takes DATA's place."""
    if log_dir is None:
        return paths.data_dir() / "sessions"
    return Path(log_dir) / paths.APP / "sessions"


class Clock:
    """The host's two clocks, in seconds: wall_s can be set by anyone at any time, steady_s only ever goes on."""

    wall_s = staticmethod(time.time)
    steady_s = staticmethod(time.monotonic)


def new_id(serial, now=None):
    """ "<UTC>-<serial>-<4 hex>": sorts by time, fits every file system. now: an aware datetime (default: now)."""
    plain = re.sub(r"[^A-Za-z0-9]+", "", str(serial))[:32] or "unknown"
    return f"{(now or datetime.now(UTC)).astimezone(UTC):%Y%m%dT%H%M%SZ}-{plain}-{os.urandom(2).hex()}"


def check_code(code):
    """The free code of a session, or UsageError: 1 to 24 letters, digits, - and _: no room for a name and a date."""
    if not _CODE.fullmatch(code):
        hint = "Use a study code such as A-017. Names, dates of birth and other identifiers do not belong here."
        raise UsageError("bad_code", f"{code!r} is not a code of 1 to 24 letters, digits, - or _.", hint)
    return code


def bytes_needed(duration_ms):
    """Room that a session's record may take, with a margin."""
    return MARGIN_BYTES + duration_ms // 100 * LINE_BYTES


def _cannot(path, error):
    full = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    name = "record_full" if error.errno in full else "record_not_writable"
    hint = "Free some space, or name another folder with --log-dir."
    if name == "record_not_writable":
        hint = "Mend its rights, or name another folder with --log-dir."
    return HostError(name, f"The record {path} cannot be written: {error.strerror}.", hint)


class RecordWriter:
    """Appends lines to one session's record. Each line is one write(); all but telemetry are synced to the disk.

    Make it with create(); use it in a `with` block or call release(). Attributes: id, folder, path, n (lines so far),
    dev_us (the latest device time that is known, or None).
    """

    def __init__(self, session_id, folder, descriptor, clock=Clock):
        self.id = session_id
        self.folder = folder
        self.path = folder / FILE
        self.n = 0
        self._fd = descriptor
        self._size = 0
        self._clock = clock
        self._begun_s = clock.steady_s()
        self._apart_s = clock.wall_s() - self._begun_s  # of the two clocks, when they last agreed
        self.dev_us = None

    @classmethod
    def create(cls, serial, duration_ms, log_dir=None, now=None, room_bytes=None, clock=Clock):
        """A new, empty record, checked to be writable and to have room, before any output.

        serial: the board's. duration_ms: of the session, for the room. room_bytes: free space (default: ask the
        system). clock: as Clock. Raises HostError record_not_writable or record_full (exit 8).
        """
        folder = sessions_dir(log_dir)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if room_bytes is None:
                disk = os.statvfs(folder)
                room_bytes = disk.f_bavail * disk.f_frsize
            needed = bytes_needed(duration_ms)
            if room_bytes < needed:
                message = (
                    f"{folder} has {room_bytes // 1000} kB free; this session's record may need {needed // 1000} kB."
                )
                raise HostError("record_full", message, "Free some space, or name another folder with --log-dir.")
            session_id = new_id(serial, now)
            while (folder / session_id).exists():
                session_id = new_id(serial, now)
            (folder / session_id).mkdir()
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0)
            descriptor = os.open(folder / session_id / FILE, flags, 0o600)
            _lock(descriptor)
            for made in (folder / session_id, folder):
                ondisk.sync_folder(made)
        except OSError as error:
            raise _cannot(folder, error) from None
        return cls(session_id, folder / session_id, descriptor, clock)

    def write(self, kind, dev_us=None, **fields):
        """Append one line. kind: a key of KINDS. dev_us: the board's time in us, None if unknown.

        Where host_utc has left host_ms by more than CLOCK_JUMP_S since they last agreed (somebody set the clock, or the
        computer slept), an event clock_jump {s} stands before the line. Raises HostError if it cannot be kept whole;
        what was written before stays as it is, and later calls try anew.
        """
        if kind not in KINDS:
            raise ValueError(f"no kind {kind}")
        if dev_us is not None:
            self.dev_us = dev_us
        wall_s, steady_s = self._clock.wall_s(), self._clock.steady_s()
        jump_s = wall_s - steady_s - self._apart_s
        if abs(jump_s) > CLOCK_JUMP_S:
            self._append("event", self.dev_us, wall_s, steady_s, {"event": "clock_jump", "s": round(jump_s, 3)})
            self._apart_s += jump_s
        self._append(kind, dev_us, wall_s, steady_s, fields)

    def _append(self, kind, dev_us, wall_s, steady_s, fields):
        stamp = datetime.fromtimestamp(wall_s, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"
        since_ms = int((steady_s - self._begun_s) * 1000)
        line = {"n": self.n + 1, "host_utc": stamp, "dev_us": dev_us, "kind": kind, "host_ms": since_ms, **fields}
        raw = json.dumps(line, separators=(",", ":"), allow_nan=False).encode("ascii") + b"\n"
        try:
            done = os.write(self._fd, raw)
            if done < len(raw):  # a full disk takes part of a line
                self._cut_back()
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            self._size += done
            self.n += 1
            if kind != "telemetry":
                os.fsync(self._fd)
        except OSError as error:
            raise _cannot(self.path, error) from None

    def telemetry(self, values, numbers):
        """Append a telemetry line from the wire: values in the order of messages.TELEMETRY, numbers: the channels'."""
        fields = dict(zip(TELEMETRY, values, strict=True))
        dev_us = fields.pop("dev_us")
        channels = zip(numbers, fields.pop("channels"), strict=True)
        named = {str(n): dict(zip(CHANNEL, channel, strict=True)) for n, channel in channels}
        self.write("telemetry", dev_us, **fields, channels=named)

    def _cut_back(self):
        with suppress(OSError):  # if that fails too: the reader skips a torn line
            os.ftruncate(self._fd, self._size)

    def release(self):
        """Close the file. The record is complete only if a close line was written before."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.release()


def _lock(descriptor):
    """Hold the file for as long as this process lives: so readers tell a running session from a crashed one."""
    try:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (ImportError, OSError):
        pass  # a file system without locks: the session shows as crashed until it is closed


def _is_locked(path):
    try:
        import fcntl

        with open(path, "rb") as record:
            try:
                fcntl.flock(record, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
    except (ImportError, OSError):
        pass
    return False


class RecordReader:
    """A record as it stands, whatever happened to its writer.

    lines: the whole lines as dicts, in order. torn: the last line is cut short. damaged: lines that are not JSON.
    """

    def __init__(self, path):
        self.path = Path(path)
        if self.path.is_dir():
            self.path = self.path / FILE
        try:
            raw = self.path.read_bytes()
        except OSError as error:
            raise HostError("no_record", f"{self.path} cannot be read: {error.strerror}.") from None
        *whole, rest = raw.split(b"\n")
        self.torn = bool(rest)
        self.damaged = 0
        self.lines = []
        for text in whole:
            try:
                line = json.loads(text)
                if not isinstance(line, dict) or "kind" not in line:
                    raise ValueError(line)
                self.lines.append(line)
            except ValueError:
                self.damaged += 1

    def of(self, kind):
        """Lines of one kind, in order."""
        return [line for line in self.lines if line["kind"] == kind]

    def first(self, kind):
        """First line of a kind, or {}."""
        return next((line for line in self.lines if line["kind"] == kind), {})

    @property
    def id(self):
        return self.path.parent.name

    @property
    def opened(self):
        """The open line, with what its session's order, made later, says better; {} if the host died before it."""
        return opening(self.lines)

    def answers(self, part):
        """The screening line of a part, "before" or "after"; of a host that died, what was answered until then."""
        return answers.of(self.lines, part)

    @property
    def end(self):
        """The stop reason of the close line, or by the board's own word where there is none; None: no end is told."""
        closed = self.first("close")
        if closed:
            return closed.get("stop_reason")
        began, reason = False, None
        for line in self.of("event"):
            began = began or (line.get("event") == "state" and line.get("detail") == "ramp_up")
            if began and line.get("event") == "end":
                reason = line.get("detail")
        return reason

    @property
    def modelled(self):
        """True if currents and impedances come from the emulated board's model."""
        return bool(self.opened.get("modelled"))

    @property
    def state(self):
        """ "complete" (there is a close line), "running" (its writer lives), else "crashed"."""
        if self.first("close"):
            return "complete"
        return "running" if _is_locked(self.path) else "crashed"

    def missing(self):
        """Numbers of lines that are not there although later ones are."""
        seen = {n for n in (line.get("n") for line in self.lines) if isinstance(n, int) and n <= LINES_MAX}
        return [n for n in range(1, max(seen, default=0)) if n not in seen]

    def summary(self):
        """What is known of the session, JSON-ready: id, state, protocol, modelled, stop_reason, channels, ..."""
        opened, closed = self.opened, self.first("close")
        faults = self.of("fault")
        protocol = opened.get("protocol")
        return {
            "id": self.id,
            "state": self.state,
            "started_utc": opened.get("host_utc") or (self.lines[0].get("host_utc") if self.lines else None),
            "board": opened.get("board"),
            "serial": opened.get("serial"),
            "protocol": protocol.get("id") if isinstance(protocol, dict) else protocol,
            "modelled": self.modelled,
            "stop_reason": self.end,
            "fault": closed.get("fault") or (faults[-1].get("fault") if faults else None),
            "duration_s": closed["duration_ms"] / 1000 if isinstance(closed.get("duration_ms"), int) else None,
            "channels": closed.get("channels") or self._last_channels(),
            "lines": len(self.lines),
            "torn": self.torn,
            "damaged": self.damaged,
            "path": str(self.path),
        }

    def _last_channels(self):
        telemetry = self.of("telemetry")
        return telemetry[-1].get("channels") or {} if telemetry else {}


def opening(lines):
    """The open line among a record's lines, with the order that an event tells later; {} without."""
    opened = next((line for line in lines if line.get("kind") == "open"), {})
    order = next((line for line in lines if line.get("event") == "order"), {})
    return {**opened, **{name: order[name] for name in ORDER if name in order}}


def list_records(log_dir=None):
    """RecordReaders of every session, newest first. A folder without a readable record is passed over."""
    folder = sessions_dir(log_dir)
    found = []
    for path in sorted(folder.glob("*/" + FILE), reverse=True) if folder.is_dir() else ():
        try:
            found.append(RecordReader(path))
        except HostError:
            continue
    return found


def find(ref, log_dir=None):
    """The RecordReader of the session whose id starts with `ref`; "last" is the newest. Raises UsageError."""
    folder = sessions_dir(log_dir)
    ids = sorted((p.parent.name for p in folder.glob("*/" + FILE)), reverse=True) if folder.is_dir() else []
    if ref == "last" and ids:
        return RecordReader(folder / ids[0])
    matches = [i for i in ids if i == ref] or [i for i in ids if i.startswith(ref)]
    if not matches:
        hint = "`rheo log list` shows them." if ids else f"There is no record in {folder} yet."
        raise UsageError("unknown_record", f"There is no session {ref}.", hint)
    if len(matches) > 1:
        shown = ", ".join(matches[:6]) + (", ..." if len(matches) > 6 else "")
        raise UsageError(
            "ambiguous_record",
            f"{len(matches)} sessions begin with {ref!r}: {shown}.",
            "Give more of the id.",
        )
    return RecordReader(folder / matches[0])
