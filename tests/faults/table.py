"""`make faults`: every fault at every moment on the real image, written to docs/fault-table.md and .json.

--check: run them all again and compare with the table that is there; write nothing. Exit status 7 if a promise is not
kept or the table is not what was found.
"""

import argparse
import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "e2e")]

import ledger  # noqa: E402
from faults import bench  # noqa: E402
from faults.cases import FAULTS  # noqa: E402

JSON = ROOT / "docs" / "fault-table.json"
MARKDOWN = ROOT / "docs" / "fault-table.md"
SLACK_MS = 30  # a pass of the loop: where in it a fault falls may change with any line of the firmware

_HEAD = """# Fault table

Made by `make faults`; `make faults ARGS=--check` runs it again and compares. Do not edit.

The real MicroPython image on the emulated RP2040; no hardware has run it. Every row is one run: two channels at 4 mA,
channel 1 at the rate given and channel 2 at 100 Hz, and the fault at that moment of channel 1's pulse.

- `measured_ms`: simulated time from the fault to the last falling edge of any leg; `bound_ms`: what is promised.
- `balanced`: *yes*, the last pulse was whole; *cut*, a hard end cut it; *no*, pulses were wrong until off (the hardware
  that makes them had been overwritten); *goes on*, this fault does not end output: every pulse and period stayed
  exact up to the last look, and something else than the pins showed that the fault was there.
- `state`, `record`: what the board says afterwards, where needed after a reset or a reconnect. *dead*: the CPU stays
  dead, and nobody is asked.
- A row passes only if also no leg was high afterwards, the legs never were high together, every whole pulse was the
  one commanded (where the fault had not overwritten what makes them), set-points were zero, the reported pulses
  equalled those on the pins, and nothing started again before the fault was cleared.

Random words (`*-random`, the last number is the seed) may end output or not: for them `measured_ms` goes to the last
pulse that nobody had asked for. In ring and FIFO the caps of the PIO program hold for garbage too: no phase longer than
its field, never both legs high, phases equal but for the one cut at the end. Instruction memory itself keeps no cap:
there only the time is promised.

"""


def shown(value):
    """A cell."""
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.6f}".rstrip("0").rstrip(".")
    return str(value)


def line(cells):
    return "| " + " | ".join(shown(cell) for cell in cells) + " |\n"


def summary(rows):
    """One line for each fault: the worst of its runs."""
    out = line(["fault", "runs", "bound_ms", "worst measured_ms", "balanced", "record", "verdict"]) + "|---" * 7 + "|\n"
    for fault in FAULTS:
        mine = [row for row in rows if row["fault"] == fault.id]
        measured = [row["measured_ms"] for row in mine if row["measured_ms"] is not None]
        bounds = [row["bound_ms"] for row in mine if row["bound_ms"] is not None]
        words = [sorted({shown(row[key]) for row in mine}) for key in ("balanced", "record", "verdict")]
        cells = [fault.id, len(mine), max(bounds, default=None), max(measured, default=None)]
        out += line(cells + [", ".join(word) for word in words])
    return out


def markdown(rows):
    """The page, from the rows alone."""
    passed = sum(row["verdict"] == "PASS" for row in rows)
    out = _HEAD + f"{passed} of {len(rows)} runs pass.\n\n## Each fault\n\n" + summary(rows)
    out += "\n## Each run\n\n" + line(bench.COLUMNS) + "|---" * len(bench.COLUMNS) + "|\n"
    return out + "".join(line(row[column] for column in bench.COLUMNS) for row in rows)


def text(rows):
    """The JSON file: a list of rows, one a line."""
    return "[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n"


def differences(before, now):
    """Sentences on what the table says and what was found, a pass of the loop aside."""
    old = {row["id"]: row for row in before}
    out = [f"{ident} is in the table and was not run." for ident in old if ident not in {row["id"] for row in now}]
    for row in now:
        was = old.get(row["id"])
        if was is None:
            out.append(f"{row['id']} is not in the table.")
            continue
        for key in ("bound_ms", "state", "verdict"):
            if row[key] != was[key]:
                out.append(f"{row['id']}: {key} was {was[key]}, is {row[key]}.")
        if None not in (row["measured_ms"], was["measured_ms"]) and row["measured_ms"] - was["measured_ms"] > SLACK_MS:
            out.append(f"{row['id']}: off after {row['measured_ms']} ms, the table says {was['measured_ms']} ms.")
    return out


def main(argv=None):
    parser = argparse.ArgumentParser(prog="make faults", description=__doc__.split("\n")[0])
    parser.add_argument("--check", action="store_true", help="compare with the table that is there; write nothing")
    check = parser.parse_args(argv).check
    from rheobase import image

    path = image.ensure("RHEO_PICO", log=lambda *words: print(*words, file=sys.stderr)).bin_path
    wanted = bench.runs()
    done = []

    def say(row, wrong):
        done.append(row)
        if wrong:
            print(f"FAIL {row['id']}: {'; '.join(wrong)}", file=sys.stderr)
        elif len(done) % 20 == 0:
            print(f"{len(done)} of {len(wanted)}", file=sys.stderr)

    rows = bench.table(path, wanted, say=say)
    failed = [row for row in rows if row["verdict"] != "PASS"]
    print(f"{len(rows) - len(failed)} of {len(rows)} runs pass.")
    if check:
        wrong = differences(json.loads(JSON.read_text()), rows)
        print("\n".join(wrong) or "The table is what was found.")
        return 7 if wrong or failed else 0
    JSON.write_text(text(rows))
    MARKDOWN.write_text(markdown(rows))
    ledger.made("faults")
    print(f"Written: {MARKDOWN.relative_to(ROOT)}, {JSON.relative_to(ROOT)}")
    return 7 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
