"""Starts the app. What happens when it ends is rheorp2.app's: the REPL is never reached with output on."""

import sys

FILES = "/lib"  # `rheo deploy` names its slot here ("/rheo/<hash>"); renamed over the old main.py, this line commits it

# The file system comes before frozen modules in sys.path: a stray file must not stand in for the board's firmware.
_path = sys.path[:]
sys.path[:] = [".frozen"]
try:
    import rheo_build  # noqa: F401  frozen in the board's image only
except ImportError:
    sys.path[:] = [FILES, ".frozen"]  # one folder: never a module from elsewhere

from rheorp2 import app  # noqa: E402

try:
    app.main()
finally:
    sys.path[:] = _path
