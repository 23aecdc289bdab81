"""The udev rule for Rheobase boards: its text, where it belongs, and whether one is there. Writes nothing."""

from pathlib import Path

NAME = "60-rheobase.rules"  # before 73-seat-late.rules, which turns the tag uaccess into rights
PATH = f"/etc/udev/rules.d/{NAME}"
FOLDERS = ("/etc/udev/rules.d", "/run/udev/rules.d", "/usr/local/lib/udev/rules.d", "/usr/lib/udev/rules.d",
           "/lib/udev/rules.d")  # fmt: skip
INSTALL = (
    f"rheo doctor --print-udev | sudo tee {PATH} && sudo udevadm control --reload && sudo udevadm trigger; "
    "then plug the board in again"
)

RULES = f"""\
# Rheobase: boards with MicroPython on an RP2040 (2e8a:0005) and, for `rheo flash`, their boot loader (2e8a:0003).
# Goes to {PATH}; `rheo doctor` tells whether it is there.

# The person at this seat may open the port, and so may the group that owns serial ports (on Debian dialout).
SUBSYSTEM=="tty", ATTRS{{idVendor}}=="2e8a", ATTRS{{idProduct}}=="0005", TAG+="uaccess"

# ModemManager is to keep off: what it would ask a modem, the firmware would have to read in a session.
SUBSYSTEM=="tty", ATTRS{{idVendor}}=="2e8a", ATTRS{{idProduct}}=="0005", ENV{{ID_MM_PORT_IGNORE}}="1"
SUBSYSTEM=="usb", ENV{{DEVTYPE}}=="usb_device", ATTR{{idVendor}}=="2e8a", ATTR{{idProduct}}=="0005", \\
  ENV{{ID_MM_DEVICE_IGNORE}}="1"

# The same person for the boot loader's USB device.
SUBSYSTEM=="usb", ENV{{DEVTYPE}}=="usb_device", ATTR{{idVendor}}=="2e8a", ATTR{{idProduct}}=="0003", TAG+="uaccess"
"""


def found(folders=FOLDERS):
    """(path, up to date) of the rule file that is in force for our boards; None without one.

    Up to date: it is ours, word for word, or somebody's own that keeps ModemManager off.
    """
    ours = next((Path(folder) / NAME for folder in folders if (Path(folder) / NAME).is_file()), None)
    if ours:
        return ours, ours.read_text(errors="replace").strip() == RULES.strip()
    for folder in map(Path, folders):
        for path in sorted(folder.glob("*.rules")) if folder.is_dir() else ():
            try:
                covers = _covers(path.read_text(errors="replace"))
            except OSError:  # a link to nothing, or a file that only root may read
                continue
            if covers:
                return path, True
    return None


def _covers(text):
    """True if a line of it tells ModemManager to ignore 2e8a:0005."""
    lines = text.replace("\\\n", " ").lower().splitlines()
    return any("2e8a" in x and "0005" in x and "id_mm_device_ignore" in x for x in lines if not x.startswith("#"))
