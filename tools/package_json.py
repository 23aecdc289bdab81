"""`make tables` too: writes package.json, what `mpremote mip install` puts on a board. `--check`: is it right?

From the one list of files (rheobase.image.firmware_files), for the reference board. Exit status 1: it is not right.
"""

import json
import sys
from pathlib import Path

from rheobase import boards
from rheobase.image import firmware_files

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "package.json"


def text() -> str:
    """What the file should hold: (name below the board's /lib, file in this checkout) of each file."""
    files = [(name, path) for name, path in firmware_files.firmware_files(boards.DEFAULT) if name.startswith("lib/")]
    files.append(("lib/rheo_build.py", ROOT / "firmware" / "lib" / "rheo_build.py"))
    urls = [[name.removeprefix("lib/"), path.relative_to(ROOT).as_posix()] for name, path in sorted(files)]
    return json.dumps({"urls": urls}, indent=1) + "\n"


def main() -> int:
    if "--check" not in sys.argv[1:]:
        PACKAGE.write_text(text())
    elif not PACKAGE.is_file() or PACKAGE.read_text() != text():
        print("package.json is not what the firmware consists of: tools/package_json.py", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
