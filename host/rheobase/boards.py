"""Read a board's one description (boards/<NAME>/rheo_board.py) without running it."""

import ast
from functools import cache

from rheobase import paths
from rheobase.errors import UsageError

DEFAULT = "RHEO_PICO"


def names():
    """Names of the boards that are shipped."""
    return sorted(p.parent.name for p in paths.boards_dir().glob("*/rheo_board.py"))


@cache
def load(name=DEFAULT):
    """The BOARD table of `name` as a dict. Raises UsageError for a board that is not shipped."""
    path = paths.boards_dir() / name / "rheo_board.py"
    if not path.is_file():
        raise UsageError("unknown_board", f"There is no board called {name}.", "Known: " + ", ".join(names()))
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "BOARD":
            return ast.literal_eval(node.value)
    raise UsageError("bad_board", f"{path.name} of {name} holds no BOARD table.")
