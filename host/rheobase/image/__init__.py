"""Images: build one from MicroPython's sources, fetch the official one, and say which one is used. No device here."""

from rheobase.image.builder import build
from rheobase.image.choose import ensure, which
from rheobase.image.info import ImageInfo
from rheobase.image.official import fetch

__all__ = ["ImageInfo", "build", "ensure", "fetch", "which"]
