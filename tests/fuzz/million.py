"""The long runs: `python tests/fuzz/million.py device|host|micropython|image [COUNT] [SEED]`. Prints counts and time.

The suite runs the same with fewer lines (test_fuzz.py beside this file).
"""

import sys
import time

from fuzz import runs

USUAL = {"device": 1_000_000, "host": 1_000_000, "micropython": 100_000, "image": 5_000}


def main(kind, count=None, seed=1):
    count, seed = int(count or USUAL[kind]), int(seed)
    begin = time.process_time()
    counts = getattr(runs, kind)(count, seed)
    print(f"{kind}: {count} mutants, seed {seed}, {time.process_time() - begin:.0f} s of this process: {counts}")


if __name__ == "__main__":
    main(*sys.argv[1:])
