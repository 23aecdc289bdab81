"""`make presets`: the shape of every shipped preset on the real image, written to docs/preset-table.md and .json.

--check: play them all again and compare with the table that is there; write nothing. Exit status 7 if a preset does not
deliver what its file commands, or the table is not what was found.
"""

import argparse
import json
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "e2e")]

import ledger  # noqa: E402
from dut import Dut  # noqa: E402
from presets import judge  # noqa: E402
from rheobase import library  # noqa: E402
from rheobase.emulator.snapshot import in_child  # noqa: E402

JSON = ROOT / "docs" / "preset-table.json"
MARKDOWN = ROOT / "docs" / "preset-table.md"
EXACT = ("channels", "changed", "commanded", "delivered", "pulses", "amplitude_ma", "verdict")
PLAY_S = 1800.0

_HEAD = f"""# Preset table

Made by `make presets`; `make presets ARGS=--check` plays them all again and compares. Do not edit.

Every shipped preset on the real MicroPython image on the emulated RP2040, through the host's own path, on as many
channels as the preset has pairs and the board can give, at the highest amplitude that the limits allow (needle
{judge.NEEDLE}, pads of 25 cm², more than 2 mA/cm² acknowledged). No hardware has run it.

- `changed`: what is shortened. Ramps, on-times, turns and cycles are the file's own, and all else is as shipped.
- `start`, `A`, `gap`, `B`: the worst deviation of any pulse's start (from the first pulse, so nothing can add up), of
  its phases and of the gap from what the file's numbers command, in ticks of 1 µs; the emulator resolves 0.008. The
  expectation is written from the file's format alone: [commanded.py](../tests/presets/commanded.py).
- `amplitude`: the target, and the largest distance of the set-point, behind the modelled filter of the output stage,
  from the straight ramps of the file, at every pulse and every 10 ms, in % of full scale. Allowed are
  {judge.AMPLITUDE_PERCENT} %, and for a target below full scale {judge.AMPLITUDE_PERCENT} % of itself and one step of
  {judge.STEP_PERCENT} %.
- `net`: the largest net charge of a single pulse: 0 at a steady set-point, as both phases are alike; on a ramp the
  set-point moves between them.
- A row passes only if also every pulse commanded is there and no other, none is cut, both legs never are high together
  and rest {judge.commanded.DEAD_US} µs at least between pulses, the board's count is that of the pins, set-points are 0
  before the first pulse and after the last, and the session ends by itself at its commanded time.

A modulated pulse takes the rate and width of its start: time in whole ms, rate in whole mHz, width in whole µs, each
rounded down.

"""


def _cells(row):
    ticks = [f"{row[f'{name}_ticks']:g}" for name in judge.FIGURES]
    amplitude = f"{row['amplitude_ma']:g} mA, {row['amplitude_percent']:g} %"
    own = [row["preset"], row["channels"], row["changed"], row["commanded"], row["delivered"], row["pulses"]]
    return [*own, *ticks, amplitude, f"{row['net_nc']:g} nC", row["verdict"]]


def _line(cells):
    return "| " + " | ".join(str(cell) for cell in cells) + " |\n"


def markdown(rows):
    """The page, from the rows alone."""
    names = ["preset", "channels", "changed", "commanded", "delivered", "pulses", "start", "A", "gap", "B"]
    names += ["amplitude", "net", "verdict"]
    passed = sum(row["verdict"] == "PASS" for row in rows)
    out = _HEAD + f"{passed} of {len(rows)} presets pass, {sum(row['pulses'] for row in rows)} pulses checked.\n\n"
    return out + _line(names) + "|---" * len(names) + "|\n" + "".join(_line(_cells(row)) for row in rows)


def text(rows):
    """The JSON file: a list of rows, one a line."""
    return "[\n" + ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n]\n"


def differences(before, now):
    """Sentences on what the table says and what was found.

    Amplitude error and net charge are the verdict's alone: where a pass of the loop falls may change with any line.
    """
    old = {row["preset"]: row for row in before}
    out = [f"{name} is in the table and is no preset." for name in old if name not in {row["preset"] for row in now}]
    for row in now:
        was = old.get(row["preset"])
        if was is None:
            out.append(f"{row['preset']} is not in the table.")
            continue
        keys = [*EXACT, *[f"{name}_ticks" for name in judge.FIGURES]]
        out += [f"{row['preset']}: {key} was {was[key]}, is {row[key]}." for key in keys if row[key] != was[key]]
    return out


_booted = []


def _play(name):
    wanted = judge.shortened(name, brief=False)
    channels = dict.fromkeys(range(1, judge.pairs(name) + 1), wanted)
    with tempfile.TemporaryDirectory() as folder:
        rows, wrong = in_child(judge.play, _booted[0], channels, Path(folder), timeout_s=PLAY_S)
    row = judge.merged(list(rows.values())) if rows else dict.fromkeys(judge.COLUMNS, 0) | {"preset": name}
    return row | {"verdict": "FAIL" if wrong else "PASS"}, wrong


def main(argv=None):
    parser = argparse.ArgumentParser(prog="make presets", description=__doc__.split("\n")[0])
    parser.add_argument("--check", action="store_true", help="compare with the table that is there; write nothing")
    check = parser.parse_args(argv).check
    from rheobase import image

    path = image.ensure("RHEO_PICO", log=lambda *words: print(*words, file=sys.stderr)).bin_path
    _booted[:] = [Dut(path)]
    rows = []
    with ProcessPoolExecutor(2, mp_context=get_context("fork")) as pool:
        for row, wrong in pool.map(_play, library.shipped_ids()):
            rows.append(row)
            print(f"{row['verdict']} {row['preset']}: {'; '.join(wrong) or row['delivered']}", file=sys.stderr)
    failed = [row for row in rows if row["verdict"] != "PASS"]
    print(f"{len(rows) - len(failed)} of {len(rows)} presets pass.")
    if check:
        wrong = differences(json.loads(JSON.read_text()), rows)
        print("\n".join(wrong) or "The table is what was found.")
        return 7 if wrong or failed else 0
    JSON.write_text(text(rows))
    MARKDOWN.write_text(markdown(rows))
    ledger.made("presets")
    print(f"Written: {MARKDOWN.relative_to(ROOT)}, {JSON.relative_to(ROOT)}")
    return 7 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
