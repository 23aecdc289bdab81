"""From the counters that a board has stored at its edges to a Capture: exact times, and whether they can be trusted.

A wire's counter goes down by one at each look that finds no edge; a look that finds one stores it instead. Asks no
board.
"""

import numpy as np

from rheobase.bench.capture import Capture, Signal
from rheobase.errors import EXIT_BENCH, RheoError

CLOCKS = 2  # of the board, between two looks
TURN = 1 << 32  # looks after which the counter of a wire comes round: 68.7 s at 125 MHz
DEPTH = 8  # words of a joined FIFO
DRAIN_PS = 1_000_000  # what the DMA needs at most to take that many words: generous


def decode(head, words, source, instrument):
    """The Capture of what a board told. head: reply to `captured`; words: {wire: numpy uint32}, the counters stored.

    Raises RheoError with exit 7 for a capture that cannot be trusted.
    """
    sample_ps = period_ps(head)
    looks = {name: samples(words[name]) for name in sorted(words)}
    torn = _trust(head, looks, sample_ps)
    end = min(_last(row, looks[name]) for name, row in head["wires"].items())
    signals = {}
    for name, at in looks.items():
        at = at[at <= end]
        high = int(len(at) and at[0] == 0)  # high at the first look already: no edge was seen
        signals[name] = Signal(high, at[high:] * sample_ps)
    return Capture(
        signals=signals,
        start_ps=0,
        end_ps=int(end) * sample_ps,
        resolution_ps=sample_ps,
        source=source,
        instrument=instrument,
        own_clock=True,
        torn=torn,
    )


def period_ps(head):
    """Time between two looks."""
    return CLOCKS * 10**12 // head["clk_hz"]


def samples(words):
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
        if head["took_ms"] * 10**9 >= TURN * sample_ps * 99 // 100 and (
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
