"""Read a board's one description (boards/<NAME>/rheo_board.py) without running it, checked. Knows no key by itself.

Standard library only: MicroPython's own build calls it too (boards/common/stage_firmware.py).
"""

import ast
import os
from functools import cache

from rheobase import board_check, paths
from rheobase.errors import UsageError

DEFAULT = "RHEO_PICO"


def names():
    """Names of the boards that are there."""
    return sorted(p.parent.name for p in paths.boards_dir().glob("*/rheo_board.py"))


def chosen():
    """Name of the board that is meant where none is connected to say: RHEO_BOARD, or the reference board."""
    return os.environ.get("RHEO_BOARD") or DEFAULT


def load(name=None):
    """The BOARD table of `name` (None: chosen()) as a dict.

    Raises UsageError: unknown_board, or bad_board with a sentence for each mistake that board_check finds.
    """
    name = name or chosen()
    path = paths.boards_dir() / name / "rheo_board.py"
    if name not in names():
        raise UsageError("unknown_board", f"There is no board called {name}.", "Known: " + ", ".join(names()))
    return _read(path.read_text(encoding="utf-8", errors="replace"), name, f"boards/{name}/rheo_board.py")


@cache
def _read(text, name, where):
    table, problems = _table(text)
    if not problems:
        problems = board_check.problems(table, name)
    if problems:
        raise UsageError("bad_board", "\n".join(f"{where}: {each}" for each in problems), "Keys: docs/new-board.md")
    return table


def _table(text):
    """(BOARD of the file's text, [sentence]): a literal, with each key once, and nothing else: the board runs all."""
    try:
        nodes = ast.parse(text).body
    except (SyntaxError, ValueError) as error:
        return None, [f"line {getattr(error, 'lineno', 1)} is no Python: {getattr(error, 'msg', error)}."]
    found = [node for node in nodes if isinstance(node, ast.Assign) and ast.unparse(node.targets) == "BOARD"]
    if not found:
        return None, ["there is no BOARD in it: write BOARD = {...}."]
    said = "is more than the table: the board runs all of the file; keep BOARD = {...} and nothing else."
    more = [node.lineno for node in nodes if node is not found[0] and not _is_text(node)]
    if more:
        return None, [f"line {line} {said}" for line in more]
    twice = []
    for node in ast.walk(found[0].value):
        keys = [key.value for key in getattr(node, "keys", ()) if isinstance(key, ast.Constant)]
        twice += [f"`{key}` stands in it twice: keep one." for key in dict.fromkeys(keys) if keys.count(key) > 1]
    try:
        return ast.literal_eval(found[0].value), twice
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return None, ["BOARD must be a literal: numbers, texts, lists and dicts, no names and no arithmetic."]


def _is_text(node):
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def pins_header(board):
    """Text of the C header with the pins that boards/common/rheo_hook.c forces low."""
    legs = [pin for channel in board["channels"] for pin in (channel["leg_a"], channel["leg_b"])]
    dacs = [channel["dac"] for channel in board["channels"]]
    lines = [
        f"// {board['name']}: generated from its rheo_board.py. Do not edit.",
        "#pragma once",
        f"#define RHEO_LEG_PINS {{ {', '.join(map(str, legs))} }}",
        f"#define RHEO_DAC_PINS {{ {', '.join(map(str, dacs))} }}",
    ]
    if board.get("stage_enable") is not None:
        lines.append(f"#define RHEO_STAGE_ENABLE_PIN ({board['stage_enable']})")
    return "\n".join(lines) + "\n"
