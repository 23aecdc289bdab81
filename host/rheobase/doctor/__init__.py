"""Read-only checks of this computer and of the boards on it, each with a stable id, a sentence and a fix.

Opens ports and greets boards as `rheo devices` does; a board that a session holds is asked through its control socket
only. Changes no file, no setting and nothing on a board.
"""

from rheobase.doctor import board, computer, ports, software
from rheobase.doctor.finding import FAIL, OK, WARN, Finding, fail, warn
from rheobase.doctor.look import look
from rheobase.errors import EXIT_INCOMPATIBLE, EXIT_OK, RheoError

__all__ = ["BOARD", "COMPUTER", "FAIL", "OK", "WARN", "Finding", "examine", "exit_code"]

# id: check(log_dir) -> Finding. In the order in which they are worth mending.
COMPUTER = {
    "python": software.python,
    "packages": software.packages,
    "emulator": software.emulator,
    "toolchain": software.toolchain,
    "image": software.image,
    "settings": computer.settings,
    "cache": computer.cache,
    "records": computer.records,
    "disk": computer.disk,
    "last_sessions": computer.last_sessions,
    "access": ports.access,
    "udev": ports.udev,
    "modem_manager": ports.modem_manager,
}
# id: check(seen) -> Finding, or None where there is nothing to say (no board table, no inspection).
BOARD = {
    "handshake": board.handshake,
    "firmware": board.firmware,
    "micropython": board.micropython,
    "hook": board.hook,
    "reset": board.reset,
    "fault": board.fault,
    "interlock": board.interlock,
    "inspection": board.inspection,
    "clock": board.clock,
    "guard": board.guard,
    "supply": board.supply,
    "calibration": board.calibration,
    "files": board.files,
    "flash": board.flash,
}


def examine(port=None, log_dir=None):
    """[Finding] of this computer, then of the board at `port`, or without it of every board that is there."""
    found = [_run(name, check, log_dir) for name, check in COMPUTER.items()]
    try:
        boards = look(port)
    except RheoError as error:
        return [*found, fail(error.message, error.hint, error.exit_code).named("boards")]
    found.append(board.boards(boards).named("boards"))
    for seen in boards:
        found += [_run(name, check, seen, port=seen.port) for name, check in BOARD.items()]
    return [finding for finding in found if finding]


def exit_code(findings):
    """Of the first check that failed, in the order they are told in; 0 if none did."""
    return next((f.exit_code for f in findings if f.status == FAIL), EXIT_OK)


def _run(name, check, subject, port=None):
    """The check's finding under its name. What it cannot look at is a warning, not the end of the others."""
    try:
        finding = check(subject)
    except RheoError as error:
        finding = fail(error.message, error.hint, error.exit_code)
    except ImportError as error:  # packaging comes with matplotlib; metadata.PackageNotFoundError is one too
        finding = fail(f"The Python package {error.name} is missing.", "Install rheobase again, with pip or pipx.")
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        if port is None:  # a bug of ours
            raise
        said = f"What the board answers to this is not understood ({type(error).__name__}: {error})."
        finding = fail(said, "Flash or deploy this rheo's firmware.", EXIT_INCOMPATIBLE)
    except OSError as error:
        finding = warn(f"This cannot be looked at: {error}.", "Look at it as another user, or mend its rights.")
    return finding and finding.named(name, port)
