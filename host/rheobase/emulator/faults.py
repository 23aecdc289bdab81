"""Stimuli from a file, for `--faults`: what happens to the emulated board at which simulated time. JSON only.

The file is a list of objects, each with `at_ms` (from power-on) and one or more of: `interlock` ("open", "closed",
"floating"), `load` ({channel: load}), `gain` ({channel: factor}), `supply_mv`, `reset` (true: power cycle),
`draining` (false: the host leaves the USB endpoint full).
"""

import json

from rheobase.emulator import loads
from rheobase.errors import UsageError

_INTERLOCK = {"open": False, "closed": True, "floating": None}


def _channels(table, board, convert):
    numbers = {entry["n"] for entry in board["channels"]}
    out = {int(n): convert(value) for n, value in table.items()}
    if not set(out) <= numbers:
        raise ValueError(f"no channel {sorted(set(out) - numbers)[0]}")
    return out


def _actions(event, board):
    """[callable(emulated board)] of one event."""
    out = []
    for key, value in event.items():
        if key == "at_ms":
            float(value)
        elif key == "interlock":
            out.append(lambda b, v=_INTERLOCK[value]: b.set_interlock(v))
        elif key == "load":
            for n, load in _channels(value, board, loads.parse).items():
                out.append(lambda b, n=n, load=load: b.set_load(n, load))
        elif key == "gain":
            for n, factor in _channels(value, board, float).items():
                out.append(lambda b, n=n, factor=factor: b.set_gain(n, factor))
        elif key == "supply_mv":
            out.append(lambda b, v=float(value): b.set_supply_mv(v))
        elif key == "reset" and value is True:
            out.append(lambda b: b.reset())
        elif key == "draining":
            out.append(lambda b, v=bool(value): b.stop_reading(not v))
        else:
            raise ValueError(f"{key} is not known")
    return out


def read(path, board):
    """[(t_ns, [callable(emulated board)])] of the file at `path`. Raises UsageError with the entry at fault."""
    try:
        with open(path, encoding="utf-8") as file:
            events = json.load(file)
    except OSError as error:
        raise UsageError("bad_faults", f"{path} cannot be read: {error.strerror}.") from None
    except ValueError as error:
        raise UsageError("bad_faults", f"{path} is not JSON: {error}.") from None
    plan = []
    for number, event in enumerate(events if isinstance(events, list) else [None], 1):
        try:
            plan.append((round(float(event["at_ms"]) * 1e6), _actions(event, board)))
        except UsageError:
            raise
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise UsageError("bad_faults", f"{path}, entry {number}: {error}.", __doc__.split("\n\n", 1)[1]) from None
    return plan


def schedule(plan, emulated):
    """Put a plan made by `read` on the emulated board's clock."""
    for t_ns, actions in plan:
        for action in actions:
            emulated.at(t_ns, lambda action=action: action(emulated))
