"""The one module that talks to mpremote, as a command. Turns its failures into sentences; keeps no connection.

mpremote interrupts whatever runs (Ctrl-C: our firmware cuts its output and leaves for the REPL) and soft-resets.
"""

import ast
import subprocess
import sys
import tempfile
from pathlib import Path

from rheobase import needs
from rheobase.errors import DeviceLost, HostError
from rheobase.link.trust import printable

TIMEOUT_S = 120.0  # of one command; an emulated board copies some 2.5 kB a second

# Of a port that vanished, on Linux, macOS and Windows; a board's own OSError has a name in place of such words.
_GONE = ("Input/output error", "No such device", "Device not configured", "SerialException", "ClearCommError")


def run(port, *words, timeout_s=TIMEOUT_S):
    """Output (text) of `mpremote connect PORT words...`. Raises DeviceLost or HostError with its last words."""
    command = [sys.executable, "-m", "mpremote", "connect", port, *words]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=timeout_s
        )
    except subprocess.TimeoutExpired:
        raise DeviceLost("no_answer", f"mpremote got no answer from {port} in {timeout_s:.0f} s.", None) from None
    if done.returncode == 0:
        return done.stdout
    said = (done.stderr.strip() or done.stdout.strip()).splitlines()
    last = printable(said[-1]) if said else f"exit status {done.returncode}"
    if "No module named mpremote" in last:
        raise HostError("no_mpremote", "mpremote is not installed.", needs.fix("mpremote"))
    if "failed to access" in last or "no device found" in last:
        raise DeviceLost("lost", f"mpremote cannot open {port}: {last}", "`rheo devices` lists the boards.")
    if any(words in last for words in _GONE):
        message = f"The board on {port} went away while mpremote spoke with it ({last})."
        raise DeviceLost("lost", message, "Check the cable, then `rheo devices`.")
    raise HostError("mpremote_failed", f"mpremote failed on {port}: {last}", "`mpremote` by hand shows more.")


def run_scripts(port, scripts, timeout_s=TIMEOUT_S):
    """Run each text on the board, one after another in one session; output of all. Errors: as run."""
    with tempfile.TemporaryDirectory() as scratch:
        words = []
        for n, text in enumerate(scripts):
            path = Path(scratch) / f"{n}.py"
            path.write_text(text)
            words += ["run", str(path), "+"]
        return run(port, *words[:-1], timeout_s=timeout_s)


def evaluate(port, source, timeout_s=TIMEOUT_S):
    """Run `source` on the board; the value of the literal that it prints last. Never to be given user text."""
    return literal(port, run_scripts(port, [source], timeout_s))


def literal(port, output):
    """Value of the last line of what the board printed."""
    try:
        return ast.literal_eval(output.strip().splitlines()[-1])
    except (ValueError, SyntaxError, IndexError):
        raise HostError("mpremote_failed", f"The board on {port} answered {output[-80:]!r}.", None) from None
