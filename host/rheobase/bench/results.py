"""What a sweep leaves behind: its progress while it runs, then its result as JSON and JUnit. Plays and judges nothing.

The progress file, one JSON line a cell in its folder, is fsynced line by line: whatever ends the sweep, what was judged
until then stays. The result is written whole or not at all, and only then does the progress file go.
"""

import contextlib
import json
import os
import re
import xml.etree.ElementTree as xml
from pathlib import Path

from rheobase import ondisk
from rheobase.errors import HostError, UsageError

SCHEMA = 1
TOOL = "rheo bench sweep"
PROGRESS = "sweep.jsonl"
WORDS = {"pass": "PASS", "fail": "FAIL", "cannot_tell": "CANNOT TELL", "not_run": "NOT RUN"}
WORST = ("fail", "cannot_tell", "not_run", "pass")  # the worst first
# What must be the same for a sweep to go on, and how a difference is told.
BOUND = {
    "serial": "board {}",
    "firmware_hash": "firmware {}",
    "matrix": "the matrix {} (with or without --quick, or another version of rheo)",
    "label": "--label {}",
    "operator": "--operator {}",
    "instrument": "--instrument {}",
}


def counts(rows):
    """{verdict: how many} of rows, every verdict named."""
    return {verdict: sum(row["verdict"] == verdict for row in rows) for verdict in WORDS}


def overall(rows):
    """Verdict of them all: fail if one fails, cannot_tell if one cannot be told or none was run, else pass."""
    numbers = counts(rows)
    if numbers["fail"]:
        return "fail"
    return "cannot_tell" if numbers["cannot_tell"] or not numbers["pass"] else "pass"


class Progress:
    """The progress file of a folder: head (dict), rows (list), resumed (how often). A context manager.

    Raises UsageError where the sweep in the folder is another one, HostError where it cannot be written.
    """

    def __init__(self, folder, head):
        self.path = Path(folder) / PROGRESS
        self.rows = []
        self.resumed = 0
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._fd = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o644)
        except OSError as error:
            raise _cannot(self.path, error) from None
        try:
            self._lock()
            self.head = self._begun(head)
        except BaseException:
            self.release()
            raise

    def _lock(self):
        try:
            import fcntl

            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            hint = "Wait for it, or name another folder with --out."
            raise HostError("sweep_running", f"Another rheo is sweeping into {self.path.parent}.", hint) from None
        except (ImportError, OSError):
            pass  # a file system without locks

    def _begun(self, head):
        """The head that stands on file, the rows after it; a new file gets `head`."""
        raw = self._read()
        whole = raw[: raw.rfind(b"\n") + 1]  # a torn last line is of a cell that is played again
        lines = [_line(text) for text in whole.splitlines()]
        if not lines:
            if raw and not raw.lstrip().startswith(b"{"):
                raise self._foreign()
            self._cut(0)
            self._append({"tool": TOOL, "schema": SCHEMA, **head})
            ondisk.sync_folder(self.path.parent)
            return head
        first, *later = lines
        if first is None or first.get("tool") != TOOL or first.get("schema") != SCHEMA or "begun_utc" not in first:
            raise self._foreign()
        if not all(_is_row(line) or (line and "resumed_utc" in line) for line in later):
            raise self._foreign()
        for name, words in BOUND.items():
            if name == "serial" and first.get("emulated") and head["emulated"]:
                continue  # each start of an emulated board gives it a number of its own: what it is, its firmware says
            if first.get(name) != head[name]:
                was, now = (words.format(value or "(none)") for value in (first.get(name), head[name]))
                message = f"The sweep in {self.path.parent} was begun with {was}; this is {now}."
                hint = f"Finish it as it was begun, name another folder with --out, or delete {self.path}."
                raise UsageError("other_sweep", message, hint)
        self._cut(len(whole))
        self.rows = [line for line in later if "cell" in line]
        self._append({"resumed_utc": head["begun_utc"]})
        self.resumed = len(later) - len(self.rows) + 1
        return {name: value for name, value in first.items() if name not in ("tool", "schema")}

    def _foreign(self):
        hint = "Name another folder with --out, or delete that file."
        return UsageError("bad_progress", f"{self.path} is not the progress of a sweep that can go on.", hint)

    def _read(self):
        try:
            return self.path.read_bytes()
        except OSError as error:
            raise _cannot(self.path, error) from None

    def _cut(self, size):
        self._size = size
        try:
            os.ftruncate(self._fd, size)
        except OSError as error:
            raise _cannot(self.path, error) from None

    def append(self, *rows):
        """Keep rows of judged cells; they are on disk when this returns. Raises HostError."""
        for row in rows:
            self._append(row)
        self.rows += rows

    def _append(self, item):
        raw = json.dumps(item, separators=(",", ":"), allow_nan=False).encode() + b"\n"
        try:
            if os.write(self._fd, raw) < len(raw):
                raise OSError(28, "No space left on device")
            os.fsync(self._fd)
        except OSError as error:
            with contextlib.suppress(OSError):
                os.ftruncate(self._fd, self._size)
            raise _cannot(self.path, error) from None
        self._size += len(raw)

    def finish(self):
        """The sweep's results are on disk: the progress has served."""
        with contextlib.suppress(OSError):
            self.path.unlink()

    def release(self):
        """Close the file; what is in it stays."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.release()


def _line(text):
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _cannot(path, error):
    hint = "Free some space, or name another folder with --out; the same command then goes on."
    return HostError("not_writable", f"{path} cannot be written: {error.strerror}.", hint)


def write_whole(path, data):
    """Write bytes to `path`, whole and on disk or not at all. Raises HostError."""
    try:
        ondisk.write_whole(path, data)
    except OSError as error:
        raise _cannot(path, error) from None


def document(head, rows, ended_utc, more):
    """The result of a sweep as the dict that is written. more: fields that only its end knows."""
    return {
        "tool": TOOL,
        "schema": SCHEMA,
        "verdict": overall(rows),
        "counts": counts(rows),
        **head,
        "ended_utc": ended_utc,
        **more,
        "cells": rows,
    }


def text(result):
    """The JSON of a result, as bytes, one cell a line so that two results can be laid side by side."""
    head = {name: value for name, value in result.items() if name != "cells"}
    lines = json.dumps(head, indent=1, ensure_ascii=False, allow_nan=False)[:-2]
    cells = ",\n".join("  " + json.dumps(row, ensure_ascii=False, allow_nan=False) for row in result["cells"])
    return f'{lines},\n "cells": [\n{cells}\n ]\n}}\n'.encode()


def load(path):
    """The result in a file. Raises UsageError with what is wrong with it."""
    path = Path(path)
    try:
        found = json.loads(path.read_bytes())
    except OSError as error:
        raise UsageError("unreadable", f"{path} cannot be read: {error.strerror}.", "Check the path.") from None
    except (ValueError, RecursionError):
        raise UsageError("bad_json", f"{path} is not JSON.", "Name the .json file that a sweep wrote.") from None
    if not isinstance(found, dict) or found.get("tool") != TOOL:
        raise UsageError("no_sweep", f"{path} is not the result of a sweep.", "Name the .json file that a sweep wrote.")
    if found.get("schema") != SCHEMA:
        message = f"{path} has version {found.get('schema')} of the results' form; this rheo reads {SCHEMA}."
        raise UsageError("other_schema", message, "Use the rheo that wrote it.")
    cells = found.get("cells")
    if not isinstance(cells, list) or not all(_is_row(row) for row in cells):
        raise UsageError("no_sweep", f"{path} is damaged: its cells cannot be read.", "Take the original file.")
    return found


def _is_row(row):
    """True if a row has the form that cells.py makes: what compares and reports it need not ask again."""
    if not isinstance(row, dict):
        return False
    worst, extra, reasons = (row.get(name) for name in ("worst", "extra", "reasons"))
    if not (isinstance(worst, dict) and isinstance(extra, list) and isinstance(reasons, list)):
        return False
    texts = [row.get(name) for name in ("cell", "kind", "title", "verdict")] + reasons
    numbers = [row.get("seconds"), row.get("channel")]
    for figure in (*worst.values(), *extra):
        if not isinstance(figure, dict):
            return False
        is_end = "what" in figure
        numbers += [figure.get(name) for name in (("value", "u") if is_end else ("off_ns", "u_ns", "most_ns"))]
        texts += [figure["what"], figure.get("unit")] if is_end else []
    return (
        row.get("verdict") in WORDS
        and all(isinstance(text, str) for text in texts)
        and all(isinstance(value, (int, float)) for value in numbers)
    )


# What XML cannot hold at all, escaped or not.
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(result):
    """The result as JUnit XML, bytes: a suite for each kind of cell; cannot tell is an error, not run is skipped."""
    rows = result["cells"]
    root = xml.Element("testsuites", name=TOOL, **_numbers(rows))
    for kind in dict.fromkeys(row["kind"] for row in rows):
        suite_rows = [row for row in rows if row["kind"] == kind]
        suite = xml.SubElement(root, "testsuite", name=kind, timestamp=result["begun_utc"], **_numbers(suite_rows))
        properties = xml.SubElement(suite, "properties")
        for name in ("serial", "board", "firmware_version", "firmware_hash", "matrix", "label", "instrument"):
            xml.SubElement(properties, "property", name=name, value=_clean(result.get(name) or ""))
        for row in suite_rows:
            case = xml.SubElement(
                suite, "testcase", name=_clean(row["cell"]), classname=f"{TOOL}.{kind}", time=f"{row['seconds']:.3f}"
            )
            if row["verdict"] != "pass":
                tag = {"fail": "failure", "cannot_tell": "error", "not_run": "skipped"}[row["verdict"]]
                reasons = [_clean(reason) for reason in row["reasons"]] or [WORDS[row["verdict"]]]
                xml.SubElement(case, tag, message=reasons[0]).text = "\n".join(reasons)
    xml.indent(root)
    return xml.tostring(root, encoding="utf-8", xml_declaration=True) + b"\n"


def _numbers(rows):
    numbers = counts(rows)
    told = {"tests": len(rows), "failures": numbers["fail"], "errors": numbers["cannot_tell"]}
    told["skipped"] = numbers["not_run"]
    return {name: str(value) for name, value in told.items()} | {"time": f"{sum(r['seconds'] for r in rows):.3f}"}


def _clean(value):
    return _NOT_XML.sub("\ufffd", str(value))
