"""What a reader hands over, before names are mapped and the sample period is known. Reads nothing itself.

Also the limits that every reader keeps to, so that no file of nonsense takes all memory or all night.
"""

from dataclasses import dataclass, field

from rheobase.errors import UsageError

PS_PER_S = 10**12
MAX_PS = 4 * 10**18  # 46 days: int64 holds it with room for sums
MAX_WIRES = 4096
MAX_RATE_HZ = 3 * 10**9
BLOCK_BYTES = 1 << 20


@dataclass
class Trace:
    """Signals by the file's own names, from start_ps to end_ps.

    rounding_ps: the step in which the file writes times. rate_hz: what the file says of the instrument's sample rate,
    or None. about: what our own writer said of the capture, or {}. torn: a sentence on what is missing, or None.
    setpoints: {channel: (times_ps, microamps)}.
    """

    signals: dict
    start_ps: int
    end_ps: int
    rounding_ps: int
    rate_hz: int | None = None
    torn: str | None = None
    about: dict = field(default_factory=dict)
    setpoints: dict = field(default_factory=dict)


def blocks(source, path, first=b""):
    """(whole lines as bytes, the torn rest) of an open binary file, in order; the rest is empty but in the last pair.

    first: bytes that were read already. Raises UsageError for a line longer than a few megabytes.
    """
    rest = first
    while chunk := source.read(BLOCK_BYTES):
        rest += chunk
        cut = rest.rfind(b"\n") + 1
        if cut:
            lines, rest = rest[:cut], rest[cut:]
            yield lines, b""
        elif len(rest) > 4 * BLOCK_BYTES:
            raise UsageError("long_line", f"{path} has a line of several megabytes.", "Export the capture again.")
    cut = rest.rfind(b"\n") + 1
    yield rest[:cut], rest[cut:]


def torn_after(t_ps):
    """The sentence for a file that was cut in the middle of a line, whole up to t_ps."""
    return f"The file ends in the middle of a line; nothing after {seconds(t_ps)} s could be read."


def seconds(t_ps):
    """A time for people: seconds with all digits that count."""
    sign, t_ps = "-" if t_ps < 0 else "", abs(int(t_ps))
    text = f"{t_ps // PS_PER_S}.{t_ps % PS_PER_S:012d}".rstrip("0")
    return sign + (text + "0" if text.endswith(".") else text)


def backwards(path, before_ps, after_ps):
    """The error for times that go back."""
    return UsageError(
        "time_backwards",
        f"The times in {path} run backwards: {seconds(after_ps)} s comes after {seconds(before_ps)} s.",
        "Export one capture into one file.",
    )


def too_long(path):
    """The error for times that no capture has."""
    return UsageError("time_too_long", f"{path} has times beyond {MAX_PS // PS_PER_S} s.", "Export the capture again.")
