"""How long the bench takes for a capture of a million edges: read from VCD, judged. Processor time and memory.

A train of 100 Hz for 42 minutes, sampled at 24 MHz by a clock 12 ppm off. Exit status 1 above 2 s or 1 GB.
"""

import resource
import statistics
import sys
import tempfile
import time
from pathlib import Path

from rheobase.bench import files, own
from rheobase.bench.analysis import analyse

PULSES = 250_000
RATE_HZ = 24_000_000
MOST_S, MOST_BYTES = 2.0, 1_000_000_000
RUNS = 5


def write(path):
    """A VCD as sigrok writes it."""
    lines = [f"$comment Acquisition with 2/2 channels at {RATE_HZ // 1_000_000} MHz $end", "$timescale 1 ns $end"]
    lines += ["$var wire 1 ! D0 $end", '$var wire 1 " D1 $end', "$enddefinitions $end", '#0 0! 0"']
    for k in range(PULSES):
        start_ns = 1_000_000 + k * 10_000_120
        for after_ns, change in ((0, "1!"), (200_000, "0!"), (250_000, '1"'), (450_000, '0"')):
            sample = -((start_ns + after_ns) * RATE_HZ // -(10**9))
            lines.append(f"#{sample * 10**9 // RATE_HZ} {change}")
    path.write_text("\n".join([*lines, f"#{(PULSES + 1) * 10_000_120}", ""]))


def once(path):
    """Processor time of reading and judging, in s."""
    begun = time.process_time()
    capture = files.load(path, {"D0": "CH1_A", "D1": "CH1_B"})
    found = analyse(capture, {1: {**own.TRAIN, "duration_ms": 3_600_000}}, expect={1: PULSES})
    took_s = time.process_time() - begun
    if (found.verdict, capture.edges) != ("pass", 4 * PULSES):
        raise SystemExit(f"The capture is clean, and was judged: {found.text()}")
    return took_s


def main():
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "million.vcd"
        write(path)
        took_s = statistics.median(once(path) for _ in range(RUNS))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(f"{4 * PULSES} edges read and judged in {took_s:.2f} s of processor time (median of {RUNS});")
    print(f"peak {peak / 1e6:.0f} MB, writing the file included. Allowed: {MOST_S:g} s, {MOST_BYTES / 1e6:.0f} MB.")
    return int(took_s > MOST_S or peak > MOST_BYTES)


if __name__ == "__main__":
    sys.exit(main())
