"""Wait for a board that was just flashed, and prove that it runs what was written. Writes nothing to it.

In BOOTSEL every RP2040 has the same serial number, so which board it was is known only if it was asked before. Else it
is the one that was not there before. The proof is the same: its whole flash image is read back.
"""

import hashlib
import time

from rheobase import bootsel, discovery, mpremote
from rheobase.errors import DeviceLost, HostError, Incompatible
from rheobase.flash import Checked
from rheobase.image.uf2 import FLASH_BASE
from rheobase.link import ports

COME_BACK_S = 30.0  # a first start makes a file system, and a modem manager may hold the port for a while
_POLL_S = 0.3
_NOT_OURS = ("no_firmware", "wire_mismatch", "no_greeting", "bad_info")  # it answers, and waiting changes nothing
_AGAIN = "Flash it again: hold BOOTSEL while you plug it in, then `rheo flash`."

# Prints (SHA-256 of so many bytes of flash, serial number).
_READ_BACK = """
import binascii, hashlib, machine, uctypes
s = hashlib.sha256()
a, e = {start}, {end}
while a < e:
    n = min(4096, e - a)
    s.update(uctypes.bytearray_at(a, n))
    a += n
h = lambda b: binascii.hexlify(b).decode()
print(repr((h(s.digest()), h(machine.unique_id()))))
"""


def there() -> dict[str, tuple]:
    """What could be a board now: identity (serial number, or else the port) -> its entry of candidates()."""
    return {
        serial.lower() if serial else ports.identity(port): (port, emulated, serial)
        for port, emulated, serial in discovery.candidates()
    }


def prove(checked: Checked, volume, before, serial=None, timeout_s=COME_BACK_S) -> tuple[discovery.Found, str]:
    """(the board that came back, its serial number), once it is proved that it runs the file.

    volume: where it was written. before: identities of the boards that were there. serial: of the board, if known.
    found.info is None for a MicroPython without our firmware, where found.problem says so.
    Raises DeviceLost (nothing came back, or several did), Incompatible `not_taken`, HostError `not_started`.
    """
    found = _wait(checked, volume, before, serial, timeout_s)
    digest, its_serial = mpremote.evaluate(
        found.port, _READ_BACK.format(start=FLASH_BASE, end=FLASH_BASE + len(checked.image))
    )
    if serial and serial.lower() != its_serial:
        message = f"The board {its_serial} came up on {found.port}, and not {serial}, which was to be flashed."
        raise DeviceLost("not_back", message, _AGAIN)
    serial = its_serial
    if digest != hashlib.sha256(checked.image).hexdigest():
        message = f"The board {serial} on {found.port} came up, but its flash is not what was written."
        raise Incompatible("not_taken", message, _AGAIN)
    found = discovery.try_port(found.port, found.emulated)  # its firmware runs again
    if checked.inside.ours:
        if not found.info and found.problem.code != "wire_mismatch":
            message = f"The flash of the board {serial} is right, but its firmware does not start: "
            raise HostError("not_started", message + found.problem.message, "Unplug it, plug it in again; `rheo info`.")
        if found.info and found.info["firmware"]["hash"] != checked.inside.firmware_hash:
            message = f"The board {serial} runs firmware {found.info['firmware']['hash']} and not the one in its flash."
            raise Incompatible("not_taken", message, _AGAIN)
    return found, serial


def _wait(checked, volume, before, serial, timeout_s):
    """The board that was not there before, as soon as it answers anything."""
    until = time.monotonic() + timeout_s
    problem = None
    left = False
    before = set(before) - {(serial or "").lower()}
    while True:
        left = left or bootsel.gone(volume)
        now = there()
        before = {identity for identity in before if identity in now}  # what went away may come back as the one
        new = [board for identity, board in now.items() if identity not in before]
        if not left:  # a board that comes up while the volume is still there is another one
            new = []
        if serial:
            new = [board for board in new if board[2] is None or board[2].lower() == serial.lower()]
        if len(new) > 1:
            listed = ", ".join(sorted(port for port, _, _ in new))
            message = f"Several boards came up ({listed}): which of them was flashed cannot be told."
            raise DeviceLost("several_boards", message, "`rheo info --port PORT` says what each runs.")
        if new:
            found = discovery.try_port(*new[0])
            if found.info or found.problem.code in _NOT_OURS:
                return found
            problem = found.problem
        if time.monotonic() > until:
            raise _not_back(checked, volume, problem, timeout_s)
        time.sleep(_POLL_S)


def _not_back(checked, volume, problem, timeout_s):
    message = f"All of {checked.path.name} was written, but no board came back in {timeout_s:.0f} s"
    if problem:
        message += f": {problem.message}"
    elif bootsel.board_id(volume) is not None:
        message += f", and {volume} is still there: the boot loader did not take the file."
    elif not checked.inside.micropython:
        message += ", which a program that is not MicroPython may never do; what runs now is not known."
    else:
        message += "; what runs now is not known."
    return DeviceLost("not_back", message, _AGAIN)
