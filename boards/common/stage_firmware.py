"""Lay out a board's firmware, and its pins for C, when MicroPython's own build is used directly. Builds nothing itself.

Called by rheo_board.cmake unless RHEO_STAGE is given: python3 stage_firmware.py BOARD OUT_DIR OUT.h
"""

import sys
from pathlib import Path

_HERE = Path(__file__).resolve().parent
# In a checkout boards/ stands beside host/; in a wheel it is rheobase/_boards.
for _root in (_HERE.parents[1] / "host", _HERE.parents[2]):
    if (_root / "rheobase" / "__init__.py").is_file():
        sys.path.insert(0, str(_root))
        break

from rheobase import boards  # noqa: E402
from rheobase.errors import RheoError  # noqa: E402
from rheobase.image import firmware_files  # noqa: E402

if __name__ == "__main__":
    try:
        firmware_files.stage(sys.argv[1], Path(sys.argv[2]))
        text, target = boards.pins_header(boards.load(sys.argv[1])), Path(sys.argv[3])
        if not target.is_file() or target.read_text() != text:  # so that nothing is compiled for nothing
            target.write_text(text)
    except RheoError as error:
        raise SystemExit(f"{error.message} {error.hint or ''}") from None
