"""Lay out a board's firmware for freezing when MicroPython's own build is used directly. Builds nothing itself.

Called by the board's mpconfigboard.cmake unless RHEO_STAGE is given: python3 stage_firmware.py BOARD OUT_DIR
"""

import sys
from pathlib import Path

_HERE = Path(__file__).resolve().parent
# In a checkout boards/ stands beside host/; in a wheel it is rheobase/_boards.
for _root in (_HERE.parent / "host", _HERE.parents[1]):
    if (_root / "rheobase" / "__init__.py").is_file():
        sys.path.insert(0, str(_root))
        break

from rheobase.errors import RheoError  # noqa: E402
from rheobase.image import firmware_files  # noqa: E402

if __name__ == "__main__":
    try:
        firmware_files.stage(sys.argv[1], Path(sys.argv[2]))
    except RheoError as error:
        raise SystemExit(f"{error.message} {error.hint or ''}") from None
