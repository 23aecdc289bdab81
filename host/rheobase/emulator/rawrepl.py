"""Run Python on an emulated board through MicroPython's raw REPL, in simulated time. For tests and benchmarks only."""

from rheobase.emulator.engine import EmulatorError

TIMEOUT_NS = 5_000_000_000
_PROMPT = b"raw REPL; CTRL-B to exit\r\n>"


def _await(board, start, condition, timeout_ns, what):
    if not board.run_until(lambda: condition(board.received, start), timeout_ns):
        tail = bytes(board.received[start:])[-300:]
        raise EmulatorError("repl_timeout", f"No {what} within {timeout_ns / 1e9:g} s of simulated time: {tail!r}")


def enter(board, timeout_ns=TIMEOUT_NS):
    """Interrupt whatever runs and enter the raw REPL."""
    start = len(board.received)
    board.send(b"\r\x03\x03\x01")
    _await(board, start, lambda data, at: data[at:].endswith(_PROMPT), timeout_ns, "raw REPL")


def soft_reset(board, timeout_ns=TIMEOUT_NS):
    """Start the interpreter anew from a raw REPL that was entered; boot.py runs, main.py does not."""
    start = len(board.received)
    board.send(b"\x04")
    _await(board, start, lambda data, at: data[at:].endswith(_PROMPT), timeout_ns, "raw REPL after a soft reset")


def start(board, code):
    """Send `code` to a raw REPL that was entered, and return at once; output comes to `board.received`."""
    begin = len(board.received)
    board.send(code.encode() + b"\x04")
    _await(board, begin, lambda data, at: data[at : at + 2] == b"OK", TIMEOUT_NS, "start of the script")
    return begin + 2


def finish(board, begin, timeout_ns=TIMEOUT_NS):
    """Run until a script begun by `start` ends. Returns its output; raises EmulatorError with its traceback."""
    _await(
        board,
        begin,
        lambda data, at: data[at:].count(b"\x04") >= 2 and data.endswith(b">"),
        timeout_ns,
        "end of the script",
    )
    out, error = bytes(board.received[begin:]).split(b"\x04")[:2]
    if error:
        raise EmulatorError("device_traceback", error.decode(errors="replace"))
    return out.decode(errors="replace")


def run(board, code, timeout_ns=TIMEOUT_NS):
    """Enter the raw REPL, run `code`, return what it printed."""
    enter(board)
    return finish(board, start(board, code), timeout_ns)
