"""The demo: two 10 s sessions on the emulated board by the `rheo` command itself, then what left the pins against
what was commanded. Leaves record, VCD and pictures. `python -m rheobase.demo [--out DIR]`.
"""

import argparse
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

from rheocore.plan import Plan
from rheocore.protocol import compact

from rheobase import library, measure, plots, vcd_read
from rheobase.errors import RheoError
from rheobase.record import RecordReader

SESSIONS = (("tens_conventional", "12mA", ()), ("ea_2_100hz", "2mA", ("--needle", "0.25x30mm")))
DURATION = "10s"


def say(text=""):
    print(text, flush=True)


def rheo(*words):
    """Run the rheo command with --json; its notes go to the terminal. Returns data; ends the demo if it failed."""
    say("$ rheo " + " ".join(words))
    command = [sys.executable, "-m", "rheobase.cli.main", "--json", *words]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    envelope = json.loads(done.stdout or "{}")
    if done.returncode:
        for error in envelope.get("errors", []):
            say(f"{error['message']} {error['hint'] or ''}")
        sys.exit(done.returncode)
    return envelope["data"]


def commanded(protocol, amplitude_ua, duration_ms):
    """(Counter of widths, Counter of periods in us, pulses) that the plan holds."""
    plan = Plan(compact(protocol, amplitude_ua, duration_ms))
    widths, periods, starts = Counter(), Counter(), []
    at_us = 0
    while plan.next():
        if plan.pulse:
            widths[plan.lo & 0x3FF] += 1
            starts.append(at_us)
        at_us = plan.at_us
    periods.update(b - a for a, b in zip(starts, starts[1:], strict=False))
    return widths, periods, len(starts)


def in_us(values_ns):
    """Values in ns as microseconds, each with how often it occurs: '100 us x 1000'."""
    found = Counter(values_ns)
    return ", ".join(f"{ns / 1000:g} µs × {count}" for ns, count in sorted(found.items())[:4]) + (
        ", …" if len(found) > 4 else ""
    )


def session(preset, amplitude, electrode, out):
    """Run one session, measure its VCD, print the comparison, make the pictures. True if everything matches."""
    vcd_path = out / f"{preset}.vcd"
    words = ["run", preset, "--channel", "1", "--amplitude", amplitude, *electrode, "--duration", DURATION]
    data = rheo(*words, "--port", "emu", "--yes", "--vcd", str(vcd_path), "--log-dir", str(out))
    vcd = vcd_read.read(vcd_path)
    train = measure.trains(vcd.edges)[1]
    protocol = library.load(preset)
    widths, periods, pulses = commanded(protocol, int(float(amplitude[:-2]) * 1000), 10_000)
    gap_us = protocol["train"]["gap_us"]
    rows = (
        ("phase A", in_us({w * 1000: n for w, n in widths.items()}), in_us(p.a_ns for p in train.pulses)),
        ("phase B", in_us({w * 1000: n for w, n in widths.items()}), in_us(p.b_ns for p in train.pulses)),
        ("gap", in_us({gap_us * 1000: pulses}), in_us(p.gap_ns for p in train.pulses)),
        ("period", in_us({p * 1000: n for p, n in periods.items()}), in_us(train.periods_ns)),
        ("pulses", f"{pulses}", f"{len(train.pulses)} on the pins, {data['pulses']['1']} reported"),
        ("cut or overlapping", "0", f"{len(train.truncated) + len(train.overlaps)}"),
    )
    say(f"\n{preset}, {amplitude} (modelled load), {DURATION}: ended by {data['stop_reason']}")
    wide = max(len(wanted) for _, wanted, _ in rows)
    say(f"  {'':18}  {'commanded':{wide}}  measured at the pins")
    for name, wanted, found in rows:
        say(f"  {name:18}  {wanted:{wide}}  {found}")
    reader = RecordReader(Path(data["log"]))
    plots.pulses_png(out / f"{preset}-pulses.png", vcd, preset, modelled=True)
    plots.envelope_png(out / f"{preset}-envelope.png", reader, preset)
    say(f"  record  {data['log']}\n  edges   {vcd_path}")
    say(f"  picture {out / f'{preset}-pulses.png'}\n  picture {out / f'{preset}-envelope.png'}\n")
    exact = all(row[1] == row[2] for row in rows[:4])
    return exact and len(train.pulses) == data["pulses"]["1"] == pulses and not train.truncated and not train.overlaps


def main(argv=None):
    """Run the demo. Exit status 0 if what left the pins is what was commanded, else 7."""
    parser = argparse.ArgumentParser(prog="python -m rheobase.demo", description="Two sessions on the emulated board.")
    parser.add_argument("--out", default="demo-out", help="folder for records, edges and pictures")
    out = Path(parser.parse_args(argv).out)
    try:
        out.mkdir(parents=True, exist_ok=True)
        say("Rheobase demo: the real MicroPython image on an emulated RP2040. Simulated output into a modelled load.\n")
        good = all([session(preset, amplitude, electrode, out) for preset, amplitude, electrode in SESSIONS])
    except (RheoError, OSError) as error:
        say(f"The demo cannot go on: {error}")
        return 8
    say("Commanded and measured agree to the tick." if good else "Commanded and measured DIFFER.")
    return 0 if good else 7


if __name__ == "__main__":
    sys.exit(main())
