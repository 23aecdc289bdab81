"""The report of a 30 min session of three channels (18,000 telemetry lines each with three rows): how long it takes.

Times the whole process of `rheo log report`, start-up and imports included, and its page in this process, warm.
Exit status 7 if the process takes more than 5 s of processor time: what it takes of the wall's on a machine with
nothing else to do. `--times N` for another number of runs.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from record.make_record import treatment
from rheobase import report
from rheobase.record import RecordReader

MOST_S = 5.0


def timed(act):
    start = time.perf_counter()
    act()
    return time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--times", type=int, default=5)
    times = parser.parse_args().times
    with tempfile.TemporaryDirectory() as folder:
        path = treatment(folder, 30, pause=(600_000, 45_000), lost=[(1_200_000, 1_215_000)])
        words = [sys.executable, "-m", "rheobase.cli.main", "--log-dir", folder, "log", "report", "last"]

        def process():
            subprocess.run([*words, "-o", "x.html"], check=True, cwd=folder, capture_output=True)

        before_s = sum(os.times()[2:4])
        whole_s = [timed(process) for _ in range(times)]
        cpu_s = (sum(os.times()[2:4]) - before_s) / times
        report.page(RecordReader(path))
        warm_s = [timed(lambda: report.page(RecordReader(path))) for _ in range(times)]
        kb = path.stat().st_size // 1000, (Path(folder) / "x.html").stat().st_size // 1000
    print(f"record {kb[0]} kB, page {kb[1]} kB")
    for name, seconds in (("rheo log report, whole process", whole_s), ("page, warm", warm_s)):
        print(f"  {name}: median {statistics.median(seconds):.2f} s, max {max(seconds):.2f} s, n = {times}")
    print(f"  processor time of the whole process: {cpu_s:.2f} s")
    return 0 if cpu_s <= MOST_S else 7


if __name__ == "__main__":
    sys.exit(main())
