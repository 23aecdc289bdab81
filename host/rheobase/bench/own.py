"""The board times its own edges: arm its capture, fetch it (bench/play.py plays meanwhile). Judges nothing.

Four wires at most, each looked at every two clocks of the board by a state machine that drives nothing
(firmware/lib/rheorp2/capture.py). What comes back is a Capture like any other, of the board's own clock.
"""

import base64

import numpy as np
from rheocore import messages

from rheobase.bench.capture import INTERLOCK, Capture, Signal
from rheobase.errors import EXIT_BENCH, RheoError, UsageError

EDGES = messages.CAPTURE_EDGES  # a wire, unless asked for otherwise
CLOCKS = 2  # of the board, between two looks
TURN = 1 << 32  # looks after which the counter of a wire comes round: 68.7 s at 125 MHz
DEPTH = 8  # words of a joined FIFO
DRAIN_PS = 1_000_000  # what the DMA needs at most to take that many words: generous


def wires(channels, interlock=False):
    """Names of the wires of `channels` (numbers), and INTERLOCK. Raises UsageError if they are more than fit."""
    names = [f"CH{n}_{leg}" for n in sorted(channels) for leg in "AB"] + ([INTERLOCK] if interlock else [])
    if not 0 < len(names) <= messages.CAPTURE_WIRES:
        raise UsageError(
            "too_many_wires",
            f"The board captures {messages.CAPTURE_WIRES} wires at once, not {len(names)}.",
            "That is two channels, or one and the interlock.",
        )
    return names


def arm(board, channels, interlock=False, edges=EDGES):
    """Begin a capture on a greeted Board that is in no session; it replaces the one before. Returns the wires' names.

    channels: numbers, two at most; with the interlock one. edges: room for so many on each wire. The capture runs
    until fetch(); it changes nothing on any pin. Raises UsageError (busy, unknown wire, more edges than there is
    memory).
    """
    names = wires(channels, interlock)
    board.call("capture", {"wires": names, "edges": edges}, timeout_s=3.0)
    return names


def fetch(board):
    """Stop the board's capture and bring it over, as a Capture from 0 (when it was armed) on.

    Raises UsageError (in a session, or none was armed), RheoError with exit 7 for one that cannot be trusted.
    """
    return read(board)[0]


def read(board):
    """(Capture, when it began in the board's own time, in ms since its power-on)."""
    head = board.call("captured", timeout_s=3.0)
    sample_ps = CLOCKS * 10**12 // head["clk_hz"]
    looks = {name: _samples(_words(board, name, row["count"])) for name, row in head["wires"].items()}
    torn = _trust(head, looks, sample_ps)
    end = min(_last(row, looks[name]) for name, row in head["wires"].items())
    signals = {}
    for name, at in looks.items():
        at = at[at <= end]
        high = int(len(at) and at[0] == 0)  # high at the first look already: no edge was seen
        signals[name] = Signal(high, at[high:] * sample_ps)
    kind = "an emulated board" if board.emulated else "board"
    capture = Capture(
        signals=signals,
        start_ps=0,
        end_ps=int(end) * sample_ps,
        resolution_ps=sample_ps,
        source=f"own capture of {kind} {board.info['board']} {board.info['serial']}",
        instrument=instrument(board, sample_ps),
        own_clock=True,
        torn=torn,
    )
    return capture, head["began_ms"]


def instrument(board, sample_ps):
    """What is known of the instrument, in words."""
    text = (
        f"the board's second PIO block: every wire looked at every {sample_ps / 1000:g} ns of the board's own clock,"
        " inside the chip; neither that clock nor anything outside the pads is seen"
    )
    if board.emulated:
        text += "; emulated: edges fall on the emulator's clock of 8 ns, and pads have no delay, slew or noise"
    return text


def _words(board, name, count):
    """The words of a wire as the board has them, in pieces."""
    data = b""
    while len(data) < 4 * count:
        piece = board.call("captured", {"wire": name, "from": len(data) // 4}, timeout_s=3.0)["words"]
        data += base64.b64decode(piece)
    return np.frombuffer(data, dtype="<u4")


def _samples(words):
    """Number of the look that found each edge, from 0: a look that finds one counts nothing down, every other does.

    words: the counter at each edge, from 2**32 - 1 downwards and round.
    """
    down = (TURN - 1) - words.astype(np.int64)
    return np.cumsum(np.diff(down, prepend=0) % TURN) + np.arange(len(words))


def _last(row, looks):
    """The last look of a wire of which is known what it found."""
    if row["full"]:
        return int(looks[-1])
    down = (TURN - 1 - row["left"]) % TURN
    edges = len(looks)
    so_far = int(looks[-1]) - (edges - 1) if edges else 0
    return so_far + (down - so_far) % TURN + edges - 1


def _trust(head, looks, sample_ps):
    """What is missing at the end, as a sentence, or None. Raises RheoError if the times cannot be trusted."""
    full = [name for name, row in head["wires"].items() if row["full"]]
    for name, row in head["wires"].items():
        at = looks[name]
        crowded = len(at) > DEPTH and int((at[DEPTH:] - at[:-DEPTH]).min()) * sample_ps < DRAIN_PS
        if row["stalled"] and (name not in full or crowded):
            raise _untrusted("stalled", f"Edges on {name} came faster than the board could store them.")
        # The counter may have come round between two edges without a trace: then fewer looks are found than there were.
        if head["took_ms"] * 10**9 >= (TURN - 1) * sample_ps and (
            name in full or abs(_last(row, at) * sample_ps - head["took_ms"] * 10**9) > TURN * sample_ps // 2
        ):
            raise _untrusted("ambiguous", f"Nothing tells when {name} was still for more than 68 s of the capture.")
    if not full:
        return None
    first = min(full, key=lambda name: int(looks[name][-1]))
    at_ms = int(looks[first][-1]) * sample_ps / 1e9
    return f"room for {first} was full at {at_ms:.3f} ms: later edges are missing"


def _untrusted(code, message):
    return RheoError("capture_" + code, message, "Capture again: shorter, or fewer pulses.", EXIT_BENCH)
