"""The page of a soak's result, made of the result alone. Plays nothing."""

from pathlib import Path

SAFETY = Path(__file__).resolve().parents[2] / "docs" / "safety"
JSON, MARKDOWN = SAFETY / "soak.json", SAFETY / "soak.md"

_HEAD = """# Soak

Made by `make soak` of [soak.json](soak.json). Do not edit. `make soak ARGS="--minutes 30 --seed 7"` is a night's run.

The real MicroPython image on the emulated RP2040, in simulated time; no hardware has run it. rheo's own session, link
and record play on it a session of three channels, and after each end what was left of it; their clock is the board's.
A seed draws the trains and what happens, of this: targets raised and lowered, requests that must be refused, damaged
and repeated lines, floods, pauses, late channels, collections, a deaf or silent host, pulled cables, opened
interlocks, lost leads, Ctrl-C on both sides, a stalled and a dead processor. What came in this run is told below, and
every act is in the log with its simulated time; the same seed is the same run, byte for byte. After each end the fault
must be the one of the act that ended it, and is cleared.

An oracle that uses nothing of the firmware's plan, envelope and session looks at every edge, every step of the
set-points and every line both ways:

- each pulse starts when the protocol's file says, both phases and the gap are as long as it says, to 8 ns; a pulse is
  cut only by a hard end, and is the last; channels started together begin within 100 ns, and none is missing until
  something happens that may end output;
- never both legs high; no edge before a start or after an end's bound; nothing starts by itself, and a fault stays
  until its cause is gone and it is cleared;
- a set-point moves in the board's steps but at an end, never in a pulse that is not cut, never above the target; each
  pulse has the one of its ramp in the last 90 ms, on a plateau to a step of the DAC; it is zero whenever output is off;
- every state, fault and end that the board tells was asked for or has its cause, every refusal has its name, a line
  that comes again does nothing, and no event is missing but in an outage;
- interlock, set-points and time left as told are those there were in the last 90 ms;
- pulses told are pulses on the pins, truncated ones too, exactly, after every end;
- what is left of the session is what was not delivered, to a pass and the time from request to word; after a
  stall or a reset the board may have played 0.24 or 0.32 s more than it counted;
- each record on disk is whole: every event and telemetry line that was on the wire, every target, pause and resume, and
  no other; its close line says what the board said, and its end is that of the act.

Not judged: measured current and resistance, and how late a first pulse comes.

**Charge.** The board adds set-point × width of each pulse. On a plateau the pins' account is exact. On ramps the
set-point at the pins is known to a step of the DAC (12.2 µA), and a pulse within 8 ms of a step may be counted with
either: that makes the span in the table, and the board's figure must lie in it.

"""


def line(*cells):
    return "| " + " | ".join(str(cell) for cell in cells) + " |\n"


def counted(named):
    return ", ".join(f"{name.replace('_', ' ')} {n}" for name, n in named.items()) or "none"


def late(ms):
    return f"{ms:g} ms" if ms else "under 1 µs"  # it is kept to a microsecond


def text(result):
    """The result in lines, without the explanations."""
    out = f"Seed {result['seed']}: {result['asked_s']:g} s of output asked for, {result['delivered_s']:g} s delivered, "
    out += (
        f"{result['simulated_s']:g} s simulated, {result['sessions']} records, {result['connections']} connections.\n\n"
    )
    head = ("pulses", "counted", "told", "cut", "cut told", "charge told, µC", "charge by the pins, µC")
    out += line("channel", *head) + "|---" * 8 + "|\n"
    for n, row in result["channels"].items():
        told_for = row["counted"]
        least, most = told_for["charge_by_pins_uc"]
        (whole, cut), (told, told_cut) = told_for["pins"], told_for["told"]
        charge = (f"{told_for['charge_uc']:.3f}", f"{least:.3f} to {most:.3f}")
        out += line(n, row["pulses"], whole, told, cut, told_cut, *charge)
    out += (
        "\nPulses: all on the pins. Counted: those on the pins of the sessions whose counts the board could be asked\n"
    )
    out += f"for afterwards; of {result['counts_lost_with_a_reset']} a reset or Ctrl-C has taken them, as it must.\n"
    worst = result["worst_ns"]
    out += f"\n- off by at most: start {worst['start']} ns, phases {worst['phase']} ns, gap {worst['gap']} ns\n"
    out += f"- acts: {counted(result['acts'])}\n- ends: {counted(result['ends'])}\n"
    out += f"- faults: {counted(result['faults'])}\n"
    latest = ", ".join(f"{what.replace('_', ' ')} {late(ms)}" for what, ms in result["latest_ms"].items())
    out += f"- latest edge after its cause: {latest or 'none'}\n"
    boots = ", ".join(f"{first} to {last}" for first, last in result["free_bytes"])
    out += f"- free bytes on the board after the first and the last session of each boot: {boots or 'none'}\n"
    out += f"- telemetry that did not fit and left its number out: {result['telemetry_left_out']}\n"
    out += f"- differences: {len(result['differences']) or 'none'}\n"
    return out + "".join(f"  - {sentence}\n" for sentence in result["differences"])


def markdown(result):
    """The page."""
    return (
        _HEAD + text(result) + f"\nImage {result['image'][:16]}, everything seen {result['digest'][:16]} (SHA-256).\n"
    )
