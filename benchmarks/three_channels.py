"""A minute of three channels at 100 Hz with telemetry, status requests and a collection every 40 ms, on the real image.

Prints round trips in simulated time, underruns, pulses, and the real-time factor. `--seconds N` for a shorter run.
Exit status 7 if a pulse is missing, a period is off, the session faults, or the median round trip is above 5 ms.
"""

import argparse
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "e2e"))

from dut import MS, Dut
from rheobase import image
from rheobase.emulator import rawrepl

COLLECT = (
    "import gc, machine\n"
    "t = machine.Timer(period=40, mode=machine.Timer.PERIODIC, callback=lambda t: gc.collect())\n"
    "from rheorp2 import app\napp.main()\n"
)


def minute(dut, seconds, collect):
    """One run; prints its figures, returns True if all of them hold."""
    if collect:
        rawrepl.enter(dut.board)
        rawrepl.start(dut.board, COLLECT)
        dut.run_ms(200)
    dut.load({n: {"duration_ms": (seconds + 5) * 1000} for n in (1, 2, 3)})
    dut.start()
    trips_ns, start_ns, wall_s = [], dut.board.now_ns, time.monotonic()
    while dut.board.now_ns - start_ns < seconds * 1000 * MS:
        dut.run_ms(97.3)
        trips_ns.append(dut.round_trip_ns("status"))
    wall_s = time.monotonic() - wall_s
    state = dut.state()
    dut.call("stop")
    result = dut.call("result")
    trains = dut.trains()
    exact = all(
        set(train.periods_ns) == {10 * MS} and result["channels"][str(n)]["pulses"] == len(train.pulses)
        for n, train in trains.items()
    )
    median_ms = statistics.median(trips_ns) / MS
    print(f"collection every 40 ms: {'yes' if collect else 'no'}")
    print(f"  simulated {seconds} s, state at the end {state}, fault {result['fault']}")
    print(f"  status round trip: median {median_ms:.2f} ms, max {max(trips_ns) / MS:.2f} ms, n = {len(trips_ns)}")
    print(f"  pulses {[len(t.pulses) for t in trains.values()]}, counts and periods exact: {exact}")
    print(f"  real-time factor {seconds / wall_s:.2f}")
    return exact and state == "run" and median_ms <= 5


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, default=60)
    seconds = parser.parse_args().seconds
    path = image.ensure("RHEO_PICO", log=print).bin_path
    good = [minute(Dut(path), seconds, collect) for collect in (False, True)]
    return 0 if all(good) else 7


if __name__ == "__main__":
    sys.exit(main())
