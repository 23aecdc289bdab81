"""Images: build one from MicroPython's sources, fetch the official one, and say which one is used. No device here.

Names are imported when first used: MicroPython's own build and `python3 -m rheobase.image.toolchain` need few of them.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rheobase.image.builder import build
    from rheobase.image.choose import ensure, which
    from rheobase.image.info import ImageInfo
    from rheobase.image.official import fetch

__all__ = ["ImageInfo", "build", "ensure", "fetch", "which"]
_HOME = {"ImageInfo": "info", "build": "builder", "ensure": "choose", "which": "choose", "fetch": "official"}


def __getattr__(name):
    if name in _HOME:
        return getattr(import_module("rheobase.image." + _HOME[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
