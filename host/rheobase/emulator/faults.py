"""Faults as data: what happens to the emulated board and when, on the unmodified image. Reads them; runs nothing.

A fault file is a JSON list of events, each an object that says when and what.

When, one of
  at_ms        milliseconds from power-on
  after_ms     milliseconds from the first rising edge of any leg
and, to hit one place of a pulse,
  moment       the next pulse from then on: "leg_a" (20 us after leg A rises), "gap" (20 us after it falls),
               "rest" (200 us after leg B falls)
  channel      whose pulse, and which channel `random` is for [1]

What, one or more of
  interlock    "open", "closed", "floating", or {"chatter_hz": 1000, "for_ms": 50}, which begins open and ends closed
  load         {channel: load}: ohms, "open", "short", "needle" or "skin"
  gain         {channel: factor}: times the commanded current, a broken output stage
  offset_ua    {channel: microamps}: on top of that
  sense_gain   {channel: factor}: what the current sense makes of the current
  sense_offset_ua  {channel: microamps}: on top of that
  supply_mv    supply voltage
  reset        true: power cycle
  send         text that a host sends, as Latin-1: "\\u0003" is Ctrl-C
  draining     false: the host leaves what the board sends unread; true: no longer
  usb          "unplugged", "plugged"; "closed" (the host's program has died: DTR down, nothing read), "opened"
  cpu          "hang" (the program stands still, interrupts are served), "dead" (interrupts off as well)
  for_ms       with cpu: it goes on after that time
  poke         {address: word}: writes to the bus, in this order; numbers, or text such as "0x50200030"
  random       {"where": "ring", "fifo" or "program", "seed": n, "words": n}: random words in the channel's DMA ring,
               in place of those in its full TX FIFO, or in the PIO's instruction memory; words: how many [all]
  python       statements that the board's MicroPython runs, some 100 us later, in a scheduled callback; the app is
               then started through the raw REPL, and after a reset of the board there is nobody to run them
"""

import json
import math
from dataclasses import dataclass

from rheobase.emulator import fault_actions
from rheobase.emulator.fault_python import LIMIT_BYTES, python_ready
from rheobase.emulator.fault_schedule import Schedule
from rheobase.errors import UsageError

__all__ = ["Event", "needs_python", "parse", "python_ready", "read", "schedule"]

MOMENTS = ("leg_a", "gap", "rest")
WHEN = ("at_ms", "after_ms", "moment", "channel")


@dataclass(frozen=True)
class Event:
    """One entry, checked. index: from 0. at_ns or after_ns: the other is None. actions: callables(EmulatedBoard)."""

    index: int
    at_ns: int | None
    after_ns: int | None
    moment: str | None
    channel: int
    actions: tuple
    python: str | None


def read(path, board):
    """The plan in the file at `path`; see parse()."""
    try:
        with open(path, encoding="utf-8") as file:
            events = json.load(file)
    except OSError as error:
        raise UsageError("bad_faults", f"{path} cannot be read: {error.strerror}.") from None
    except ValueError as error:
        raise UsageError("bad_faults", f"{path} is not JSON: {error}.") from None
    return parse(events, board, name=path)


def parse(events, board, name="Faults"):
    """[Event] of a list as the module describes it, for `board` (a BOARD table).

    Raises UsageError that names the entry, counted from 1, and says what is possible.
    """
    if not isinstance(events, list):
        raise UsageError("bad_faults", f"{name}: not a list of events.", _hint())
    plan = []
    for index, entry in enumerate(events):
        try:
            plan.append(_event(index, entry, board))
        except (ValueError, UsageError) as error:
            raise UsageError("bad_faults", f"{name}, entry {index + 1}: {error}", _hint()) from None
    return plan


def needs_python(plan):
    """True if an event of `plan` has `python`: call python_ready() before schedule()."""
    return any(event.python is not None for event in plan)


def schedule(plan, emulated):
    """Put a plan on the clock of an EmulatedBoard. Returns an object whose `fired` grows as events happen:
    [(t_ns, index from 0)].

    Moments that have passed come at once. Raises EmulatorError `no_mailbox` if the plan needs Python and the board
    has not been made ready for it.
    """
    return Schedule(plan, emulated)


def _hint():
    return f"An entry says when ({', '.join(WHEN)}) and what ({', '.join([*fault_actions.KEYS, 'for_ms', 'python'])})."


def _event(index, entry, board):
    if not isinstance(entry, dict):
        raise ValueError("it is not an object.")
    at_ns, after_ns = (_time_ns(entry, key) for key in ("at_ms", "after_ms"))
    if (at_ns is None) == (after_ns is None):
        raise ValueError("it needs `at_ms` or `after_ms`, one of them.")
    moment = entry.get("moment")
    if moment is not None and moment not in MOMENTS:
        raise ValueError(f"`moment` is {fault_actions.either(MOMENTS)}, not {moment!r}.")
    channel = fault_actions.channel_of(entry.get("channel", 1), board)
    if "for_ms" in entry and "cpu" not in entry:
        raise ValueError("`for_ms` goes with `cpu`.")
    actions = []
    for key, value in entry.items():
        if key in fault_actions.KEYS:
            actions.append(fault_actions.KEYS[key](value, entry, board))
        elif key not in (*WHEN, "for_ms", "python"):
            raise ValueError(f"`{key}` is not known.")
    python = _python(entry["python"]) if "python" in entry else None
    if not actions and python is None:
        raise ValueError("it does not say what happens.")
    return Event(index, at_ns, after_ns, moment, channel, tuple(actions), python)


def _time_ns(entry, key):
    if key not in entry:
        return None
    value = fault_actions.number(key, entry[key])
    if not 0 <= value < math.inf:
        raise ValueError(f"`{key}` is 0 or more milliseconds, not {value}.")
    return round(value * 1e6)


def _python(source):
    if not isinstance(source, str) or not source.strip():
        raise ValueError("`python` is text: statements for the board.")
    if len(source.encode()) > LIMIT_BYTES:
        raise ValueError(f"`python` has more than {LIMIT_BYTES} bytes.")
    try:
        compile(source, "python", "exec")
    except (SyntaxError, ValueError) as error:
        raise ValueError(f"`python` does not compile: {error}.") from None
    return source
