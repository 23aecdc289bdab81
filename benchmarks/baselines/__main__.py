"""`make benchmark`: the same trains by what people do today and by Rheobase, written to docs/benchmark.md, .json, .svg.

--check: run it all again and compare with the page that is there, within stated bounds; write nothing. Exit status 7 if
Rheobase has an error of width, gap, count or balance, is not off within its lease, or the page is not what was found.
"""

import argparse
import json
import shutil
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import bench
import cases
import compare
import page

JSON = bench.ROOT / "docs" / "benchmark.json"
MARKDOWN = bench.ROOT / "docs" / "benchmark.md"
PICTURE = bench.ROOT / "docs" / "benchmark.svg"
LEASE_MS = 200
_ZERO = ("a_worst_ns", "b_worst_ns", "gap_worst_ns", "imbalance_worst_ns", "net_ppm", "missing", "cut", "bursts_wrong")


def everything(info, image_bin, say=print):
    """Run it all on `image_bin`, two at a time; returns what docs/benchmark.json holds. info: what that image is."""
    from rheobase.emulator import EMULATOR_PACKAGE, EMULATOR_VERSION

    hard, hard_error = bench.probe(image_bin)
    makers = [maker for maker in cases.MAKERS if hard or not maker.hard]
    out = {
        "image": {
            "board": info.board,
            "micropython": info.micropython,
            "origin": info.origin,
            "sha256": info.sha256[:16],
            "emulator": f"{EMULATOR_PACKAGE} {EMULATOR_VERSION}",
            "hard_timer": hard,
            "hard_error": hard_error,
        }
    }
    jobs = [
        ("runs", bench.timing, (image_bin, maker, train, condition))
        for train in cases.TRAINS
        for condition in cases.CONDITIONS
        for maker in makers
    ]
    jobs += [
        ("hangs", bench.hang, (image_bin, maker, how, watchdog))
        for how in cases.HANGS
        for maker in makers
        for watchdog in ((False,) if maker.name == cases.RHEOBASE else (False, True))
    ]
    out |= {"runs": [], "hangs": []}
    with ProcessPoolExecutor(2, mp_context=get_context("fork")) as pool:
        waiting = [(name, pool.submit(run, *arguments)) for name, run, arguments in jobs]
        for number, (name, future) in enumerate(waiting, 1):
            out[name].append(future.result())
            if number % 10 == 0 or number == len(waiting):
                say(f"{number} of {len(waiting)}")
    return out


def broken(results):
    """Sentences on what Rheobase promises and these results do not show."""
    out = []
    for row in results["runs"]:
        if row["maker"] == cases.RHEOBASE:
            name = f"Rheobase, {row['train']}, {row['condition']}"
            out += [f"{name}: {key} is {row[key]}." for key in _ZERO if row[key]]
            if row["period_most_ns"] - row["period_least_ns"] > compare.HARDWARE_PERIOD_NS:
                out.append(f"{name}: periods from {row['period_least_ns']} to {row['period_most_ns']} ns off.")
    for row in results["hangs"]:
        if row["maker"] == cases.RHEOBASE:
            name = f"Rheobase, {row['how']}"
            if row["off_after_ms"] is None or row["off_after_ms"] > LEASE_MS:
                out.append(f"{name}: off after {row['off_after_ms']} ms.")
            if row["net_us"]:
                out.append(f"{name}: unbalanced by {row['net_us']} us.")
    return out


def main(argv=None):
    parser = argparse.ArgumentParser(prog="make benchmark", description=__doc__.split("\n")[0])
    parser.add_argument("--check", action="store_true", help="compare with the page that is there; write nothing")
    check = parser.parse_args(argv).check
    from rheobase import image

    def say(*words):
        print(*words, file=sys.stderr)

    info = image.ensure("RHEO_PICO", log=say)
    with tempfile.TemporaryDirectory() as folder:  # the cache may drop an image while it is being run
        image_bin = shutil.copy(info.bin_path, folder)
        results = everything(info, image_bin, say)
    wrong = broken(results)
    if check:
        wrong += compare.differences(json.loads(JSON.read_text()), results)
        print("\n".join(wrong) or "The page is what was found.")
        return 7 if wrong else 0
    import picture

    sys.path.append(str(bench.ROOT / "tests"))
    import ledger

    JSON.write_text(page.text(results))
    MARKDOWN.write_text(page.markdown(results))
    picture.draw(results, PICTURE)
    ledger.made("benchmark")
    print("\n".join(wrong) or "Rheobase keeps what it promises.")
    print("Written: " + ", ".join(str(path.relative_to(bench.ROOT)) for path in (MARKDOWN, JSON, PICTURE)))
    return 7 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
