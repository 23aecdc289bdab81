"""`make soak`: a session of 5 min on the real image, three channels, acts from a seed; docs/safety/soak.json and .md.

--minutes: of output, simulated. --seed: the run. --log FILE: every act with its simulated time (build/soak-SEED.log).
Exit status 7 if anything was not as it must be; then nothing is written.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "e2e")]

import ledger  # noqa: E402
from soak import page  # noqa: E402
from soak.driver import Soak  # noqa: E402


def play(image, seed, minutes, log, **options):
    """A whole run; returns its result. log: an open file."""

    def say(text):
        log.write(text + "\n")
        log.flush()

    with tempfile.TemporaryDirectory(prefix="rheo-soak-") as folder:
        return Soak(image.bin_path, seed, round(minutes * 60_000), folder, say, **options).run()


def main(argv=None):
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__.split("\n")[0])
    parser.add_argument("--minutes", type=float, default=5.0, help="of output, simulated [5]")
    parser.add_argument("--seed", type=int, default=7, help="the same seed is the same run [7]")
    parser.add_argument("--log", type=Path, help="every act with its simulated time [build/soak-SEED.log]")
    wanted = parser.parse_args(argv)
    from rheobase import image

    made = image.ensure("RHEO_PICO", log=lambda *words: print(*words, file=sys.stderr))
    path = wanted.log or ROOT / "build" / f"soak-{wanted.seed}.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    print(f"Seed {wanted.seed}, {wanted.minutes:g} min; every act goes to {path}", file=sys.stderr)
    begun = time.process_time()
    with path.open("w") as log:
        result = play(made, wanted.seed, wanted.minutes, log)
    result = {**result, "image": made.sha256}
    print(page.text(result))
    print(f"{time.process_time() - begun:.0f} s of processor time")
    if result["differences"]:
        print(f"The board or its record is not as it must be; `--seed {wanted.seed}` shows it again.", file=sys.stderr)
        return 7
    page.JSON.write_text(json.dumps(result, indent=2) + "\n")
    page.MARKDOWN.write_text(page.markdown(result))
    ledger.made("soak")
    print(f"Written: {page.JSON.relative_to(ROOT)}, {page.MARKDOWN.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
