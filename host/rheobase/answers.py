"""Answers on record while they are still being given: what is new, put together again. Pure; asks and writes nothing.

A screening line of phase "so_far" has `part` ("before" or "after") and `answers`: what was new or changed, in the shape
that the part's whole line has later. The whole line has that part as its phase, and says everything.
"""

PARTS = ("before", "after")


def changed(now, then):
    """What `now` says that `then` did not, dicts key by key; {} if nothing. None and a missing key are the same."""
    found = {}
    for key, value in now.items():
        known = then.get(key)
        if isinstance(value, dict) and isinstance(known, dict):
            value = changed(value, known)
            if value:
                found[key] = value
        elif value != known:
            found[key] = value
    return found


def merged(then, new):
    """`then` with what is new in it, dicts key by key."""
    found = dict(then)
    for key, value in new.items():
        known = found.get(key)
        found[key] = merged(known, value) if isinstance(value, dict) and isinstance(known, dict) else value
    return found


def of(lines, part):
    """The screening line of a part among a record's lines; where the host died before it, what was given so far.

    That has the same shape (before: `answers`; after: the fields themselves) and the phase "so_far". {}: neither.
    """
    found = [line for line in lines if line.get("kind") == "screening"]
    whole = [line for line in found if line.get("phase") == part or (part == "before" and "phase" not in line)]
    if whole:
        return whole[-1]
    given = {}
    for line in found:
        if line.get("phase") == "so_far" and line.get("part") == part and isinstance(line.get("answers"), dict):
            given = merged(given, line["answers"])
    if not given:
        return {}
    return {"kind": "screening", "phase": "so_far", **({"answers": given} if part == "before" else given)}
