"""docs/benchmark.md from docs/benchmark.json: text alone, runs nothing."""

import json
from pathlib import Path

import cases
import compare

_HEAD = """# Side by side

Made by `make benchmark`; `make benchmark ARGS=--check` runs it again and compares. Do not edit.
Its bounds: {bounds}

The same train, on the same emulated RP2040 and the same MicroPython image, made by what people do today and by
Rheobase. All times are simulated: nothing here depends on the speed of the machine that ran it. No hardware has run it.

- Image: {board}, MicroPython {micropython}, {origin}, sha256 `{sha256}…`.
- Emulator: {emulator} with the corrections of `host/rheobase/emulator`.
- The baselines run from the raw REPL of that image, with nothing of Rheobase loaded; Rheobase is driven over its own
  link.
- {hard}
- The emulator counts the core's cycles but not misses of the flash's cache: on a board Python is slower and less even
  than here. Viper, PIO and PWM do not wait for flash, so theirs are nearer to a board's.
- Edges are seen to 8 ns, one clock at 125 MHz. The emulated interrupts are MicroPython's own: its tick, timers, USB.

![Every error of the 100 Hz train by maker and condition, and how long output goes on after a lock-up](benchmark.svg)

## Makers

{makers}

The scripts are ours, in [benchmarks/baselines/device](../benchmarks/baselines/device), written to be good: nothing is
allocated in a pulse, deadlines do not add up errors, a pulse that is far too late is left out rather than crowded.
The plain pulse is not trimmed: who has an oscilloscope can take its constant 7 µs off, and not its spread.

## Conditions

- *idle*: nothing else to do (Rheobase sends its telemetry all the same).
- *garbage*: every {collect} ms a soft timer's callback calls `gc.collect()`, the same one beside every maker. The heap
  of the baselines holds 400 small lists, so that a collection takes as long as in Rheobase's application, 8 ms.
- *USB*: a host sends a request every {line} ms, and each is answered with a line of JSON.

## How to read the tables

All in µs but `net` and counts. Errors are measured minus asked for.

- `A`, `B`: width of each phase, mean and worst. `gap`: worst.
- `period`: mean; shortest to longest; `rms` about the mean. A missing pulse makes a long period, and rests between
  bursts are left out.
- `imbalance`: the largest |A − B| of one pulse. `net`: (ΣA − ΣB) / (ΣA + ΣB) of all time that the legs were high, in
  parts per million: what is left as direct current, at a steady amplitude.
- `missing`: pulses asked for that did not come; below 0, pulses that nobody asked for. `answers`: lines answered.

"""

_HARD = "`machine.Timer` takes `hard=True` here, and that is run too."
_NO_HARD = """`machine.Timer(hard=True)` exists from 1.26 on; this image refuses it
  (`{hard_error}`). Its callback runs in the interrupt: a collection would delay it by
  microseconds, not milliseconds. It is run by itself as soon as the image has it."""
_COLUMNS = ["maker", "A mean", "A worst", "B mean", "B worst", "gap", "period mean", "period", "rms", "imbalance"]
_HANG_HEAD = """## What happens when Python hangs

At {after} ms of the 100 Hz train, watched for {seconds} s.

{ways}

*WDT*: the baseline also arms `machine.WDT` with {watchdog} ms and feeds it from its main program. Rheobase always arms
the watchdog (2 s), and is off long before. `DC`: time of A minus time of B from the pulse in play on, if it is not 0.
A pulse made with interrupts off cannot be met by a hang that leaves the core running; by a lock-up it can.

"""

_SAYS = """
What this says:

- Rheobase is off within its lease of 200 ms each time, the last pulse whole: pulses are made from a finite list that
  the program has to renew, and PIO stops at its end with both legs low.
- A loop or a timer's callback that stops inside a phase leaves that leg at direct current until something resets the
  board; with a watchdog, for up to its whole timeout. The reset makes the pads inputs; the rest is the output stage's.
- A loop that waits outside its pulse is off at once and balanced to a microsecond, sooner than Rheobase.
- PWM never sticks high, and never stops either: it goes on at full strength until the power goes. So does a timer's
  callback while the program waits. The watchdog's reset ends both wherever in a pulse they are.
- Every fault at every moment of a pulse, for Rheobase alone: [fault-table.md](fault-table.md).

"""

_PUBLISHED = Path(__file__).with_name("published.md")


def us(ns):
    """Nanoseconds as µs, to three figures; 0 is exactly 0."""
    if ns == 0:
        return "0"
    return (f"{ns / 1000:+.0f}" if abs(ns) >= 100_000 else f"{ns / 1000:+.3g}").replace("-", "−")


def markdown(results):
    """The page, from what docs/benchmark.json holds."""
    made_by = {row["maker"] for row in results["runs"]}
    makers = [maker for maker in cases.MAKERS if maker.name in made_by]
    image = results["image"]
    hard = _HARD if image["hard_timer"] else _NO_HARD.format(**image)
    out = _HEAD.format(
        **image,
        bounds=compare.BOUNDS,
        hard=hard,
        makers="\n".join(f"- **{maker.name}**: {maker.what}." for maker in makers),
        collect=cases.COLLECT_MS,
        line=cases.LINE_MS,
    )
    for train in cases.TRAINS:
        out += _train(train, [row for row in results["runs"] if row["train"] == train.name])
    return (
        out + _says_timing(results["runs"]) + _hangs(results["hangs"]) + _SAYS + _PUBLISHED.read_text(encoding="utf-8")
    )


def _train(train, rows):
    shape = f"{train.width_us}/{train.gap_us}/{train.width_us} µs"
    rate = f"{1_000_000 // train.period_us} Hz"
    if train.pulses < train.cycle:
        rate = f"bursts of {train.pulses} pulses at {rate}, one burst every {train.cycle * train.period_us // 1000} ms"
    out = f"## {rate[0].upper()}{rate[1:]}, {shape}, {train.seconds} s\n\n"
    for condition in cases.CONDITIONS:
        mine = [row for row in rows if row["condition"] == condition]
        names = [*_COLUMNS, "net", "missing"]
        if train.pulses < train.cycle:
            names.append("wrong bursts")
        if condition == "USB":
            names.append("answers")
        out += f"### {condition}\n\n" + _line(names) + "|---" * len(names) + "|\n"
        out += "".join(_line(_cells(row, names)) for row in mine) + "\n"
    return out


def _cells(row, names):
    phases = [us(row[key]) for key in ("a_mean_ns", "a_worst_ns", "b_mean_ns", "b_worst_ns", "gap_worst_ns")]
    least, most = us(row["period_least_ns"]), us(row["period_most_ns"])
    spread = least if least == most else f"{least} to {most}"
    period = [us(row["period_mean_ns"]), spread, us(row["jitter_rms_ns"]).lstrip("+")]
    cells = [
        row["maker"],
        *phases,
        *period,
        us(row["imbalance_worst_ns"]).lstrip("+"),
        f"{row['net_ppm']:.0f}".replace("-", "−"),
    ]
    cells.append(f"{row['missing']}".replace("-", "−"))
    if "wrong bursts" in names:
        cells.append(row["bursts_wrong"])
    return [*cells, row["answers"]] if "answers" in names else cells


def _says_timing(rows):
    plain = [row for row in rows if row["maker"] in ("Timer", "loop")]
    viper = [row for row in rows if row["maker"].endswith("viper")]
    mean_us = round(sum(row["a_mean_ns"] + row["b_mean_ns"] for row in plain) / 2000 / len(plain))
    worst_us = max(abs(row[key]) for row in plain for key in ("a_worst_ns", "b_worst_ns")) / 1000
    net = [abs(row["net_ppm"]) for row in plain]
    viper_us = max(abs(row[key]) for row in viper for key in ("a_worst_ns", "b_worst_ns")) / 1000
    viper_ppm = max(abs(row["net_ppm"]) for row in viper)
    return f"""What this says:

- **PWM's widths, gap and period are as good as Rheobase's**, in every condition: both are hardware. What it lacks is
  the rest. It is counted and ended by software, so bursts have a pulse too few or too many once the program is late by
  half a period; below 7.5 Hz a slice cannot count the period at all (2 Hz has to be gated pulse by pulse); it takes a
  slice for each leg, six of eight for three channels; and it outlives its program (below).
- **Viper with interrupts off makes phases nearly as good**, within {viper_us:.2f} µs, though not alike to the
  nanosecond: up to {viper_ppm:.0f} parts in a million remain. Its period is still the program's: a collection moves it
  by milliseconds.
- Plain phases are {mean_us} µs too long in the mean and up to {worst_us:.0f} µs: {min(net):.0f} to {max(net):.0f} parts
  in a million of what is delivered are left as direct current. Idle, their period is good to some µs, like viper's.
- A timer that was late makes up for it at once: two pulses stand closer than asked for, which at 400 Hz is a rate of
  more than 2 kHz for a moment.

"""


def _hangs(rows):
    ways = "\n".join(f"- *{name}*: {what}." for name, what in cases.HANGS.items())
    out = _HANG_HEAD.format(
        after=cases.HANG_AFTER_MS, seconds=cases.HANG_SECONDS, watchdog=cases.WATCHDOG_MS, ways=ways
    )
    names = ["maker", "WDT", *cases.HANGS]
    out += _line(names) + "|---" * len(names) + "|\n"
    for maker, watchdog in dict.fromkeys((row["maker"], row["watchdog"]) for row in rows):
        mine = {row["how"]: row for row in rows if (row["maker"], row["watchdog"]) == (maker, watchdog)}
        armed = "its own" if maker == cases.RHEOBASE else "yes" if watchdog else "no"
        out += _line([maker, armed, *(_hang(mine[how]) for how in cases.HANGS)])
    return out


def _hang(row):
    """What became of the output, in words."""
    if row["high_ms"] >= cases.HANG_SECONDS * 1000:
        return f"**A high, {cases.HANG_SECONDS} s and on**"
    if row["off_after_ms"] is None:
        return "**pulses go on**"
    if row["high_ms"] > 1:
        return f"**A high for {row['high_ms']:.0f} ms**"
    out = (
        f"off after {row['off_after_ms']:.3g} ms"
        if row["off_after_ms"] < 100
        else f"off after {row['off_after_ms']:.0f} ms"
    )
    out += f", {row['pulses_after']} pulses" if row["pulses_after"] > 1 else ""
    return out + (f", DC {row['net_us']:+g} µs".replace("-", "−") if row["net_us"] else "")


def _line(cells):
    return "| " + " | ".join(str(cell) for cell in cells) + " |\n"


def text(results):
    """docs/benchmark.json: a row a line."""
    out = '{"image": ' + json.dumps(results["image"])
    for name in ("runs", "hangs"):
        rows = ",\n".join(json.dumps(row, separators=(",", ":")) for row in results[name])
        out += f',\n"{name}": [\n{rows}\n]'
    return out + "}\n"
