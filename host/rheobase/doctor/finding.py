"""What a check says: ok, warn or fail, one sentence, what to do. No check here."""

from dataclasses import asdict, dataclass, replace

from rheobase.errors import EXIT_HOST, EXIT_OK

OK, WARN, FAIL = "ok", "warn", "fail"


@dataclass(frozen=True)
class Finding:
    """One check's answer. id: stable word. port: of the board it is about, None for this computer.

    exit_code: what `rheo doctor` ends with if this is the first that failed.
    """

    status: str
    message: str
    fix: str | None = None
    exit_code: int = EXIT_OK
    id: str = ""
    port: str | None = None

    def named(self, name, port=None):
        return replace(self, id=name, port=port)

    def as_dict(self):
        """For --json."""
        row = asdict(self)
        return {key: row[key] for key in ("id", "status", "message", "fix", "port")}


def ok(message):
    return Finding(OK, message)


def warn(message, fix):
    """Works, or does not matter now; but somebody should know."""
    return Finding(WARN, message, fix)


def fail(message, fix, exit_code=EXIT_HOST):
    """`rheo` cannot do its work like this."""
    return Finding(FAIL, message, fix, exit_code)
