"""Run a function in a forked child: boot once, then try each case from the same state. POSIX; no threads allowed.

The child gets a copy of everything in memory, so a case may do anything to the emulated board; only its result
comes back, and files it writes.
"""

import contextlib
import os
import pickle
import select
import signal
import struct
import sys
import time
import traceback

TIMEOUT_S = 60.0


class ChildFailed(AssertionError):
    """The case raised in the child: the message is its traceback; `original` is the exception if it could travel."""

    original = None


class ChildTimeout(ChildFailed):
    """The case took more wall time than it was given, or its process died."""


def _run_child(fn, args, write_fd):
    try:
        result = (True, fn(*args))
    except BaseException as error:
        result = (False, (traceback.format_exc(), error))
    try:
        data = pickle.dumps(result)
        pickle.loads(data)  # an exception may go in and not come out
    except Exception as problem:
        told = result[1][0] if not result[0] else f"The result cannot be pickled: {problem}"
        data = pickle.dumps((False, (told, None)))
    data = struct.pack("<Q", len(data)) + data
    while data:
        data = data[os.write(write_fd, data) :]


def in_child(fn, *args, timeout_s=TIMEOUT_S):
    """`fn(*args)` in a forked copy of this process; returns its (picklable) result.

    timeout_s: wall time after which the child is killed and ChildTimeout raised. An exception in the child comes
    back as ChildFailed with its traceback as text (pytest's own skip and fail included).
    """
    sys.stdout.flush()
    sys.stderr.flush()
    read_fd, write_fd = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(read_fd)
        status = 1
        try:
            signal.setitimer(signal.ITIMER_REAL, 0)
            _run_child(fn, args, write_fd)
            status = 0
        finally:
            with contextlib.suppress(BaseException):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(status)
    os.close(write_fd)
    end = time.monotonic() + timeout_s
    data = b""
    timed_out = False
    try:
        while True:
            ready, _, _ = select.select([read_fd], [], [], max(0.0, end - time.monotonic()))
            if not ready:
                timed_out = True
                break
            chunk = os.read(read_fd, 1 << 16)
            if not chunk:
                break
            data += chunk
    finally:
        os.close(read_fd)
        if timed_out:
            os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
    if timed_out:
        raise ChildTimeout(f"{getattr(fn, '__name__', fn)} took more than {timeout_s:g} s of wall time")
    if len(data) < 8 or len(data) - 8 < struct.unpack("<Q", data[:8])[0]:
        raise ChildTimeout(f"{getattr(fn, '__name__', fn)}: its process ended with status {status}")
    ok, value = pickle.loads(data[8:])
    if ok:
        return value
    text, error = value
    failure = ChildFailed(text)
    failure.original = error
    raise failure
