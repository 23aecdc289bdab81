"""Where things are: firmware and boards (checkout or wheel), and the user's cache, data and runtime folders."""

import os
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
APP = "rheobase"


def _shipped(name):
    """The folder `name` of the checkout if we run from one, else the copy the wheel carries."""
    wheel = _PACKAGE / ("_" + name)
    return wheel if wheel.is_dir() else _PACKAGE.parents[1] / name


def firmware_dir():
    """Folder with boot.py, main.py and lib/."""
    return _shipped("firmware")


def boards_dir():
    """Folder with one folder a board."""
    return _shipped("boards")


def cache_dir():
    """Images, sources and build trees; may be deleted at any time. RHEO_CACHE overrides."""
    import platformdirs

    return Path(os.environ.get("RHEO_CACHE") or platformdirs.user_cache_dir(APP))


def data_dir():
    """Records and users' own protocols. RHEO_DATA overrides."""
    import platformdirs

    return Path(os.environ.get("RHEO_DATA") or platformdirs.user_data_dir(APP))


def runtime_dir():
    """Control sockets and the register of emulated boards; gone after a reboot. RHEO_RUNTIME overrides."""
    import platformdirs

    path = Path(os.environ.get("RHEO_RUNTIME") or platformdirs.user_runtime_dir(APP))
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError:
        import tempfile

        path = Path(tempfile.gettempdir()) / f"{APP}-{os.getuid() if hasattr(os, 'getuid') else 'user'}"
        path.mkdir(exist_ok=True, mode=0o700)
    return path
