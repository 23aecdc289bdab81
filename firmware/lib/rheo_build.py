"""What firmware copied by hand can say of itself: not which it is. `rheo deploy` and images bring their own."""

from rheo_board import BOARD as _BOARD

VERSION = "unknown"
HASH = "unknown"
ORIGIN = "files"
BOARD = _BOARD["name"]
