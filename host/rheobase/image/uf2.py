"""UF2 files for the RP2040: write one from a flash image, and check one completely. Touches no device.

Format: 512-byte blocks, https://github.com/microsoft/uf2 ; family and flash window from the RP2040 datasheet. A hole
between blocks is refused: the boot ROM erases by block number, and sectors after a hole come out wrong (RP2040-E14).
"""

import struct

from rheobase.errors import UsageError

FAMILY_RP2040 = 0xE48BFF56
FLASH_BASE = 0x10000000
FLASH_BYTES = 16 * 1024 * 1024  # the XIP window; a board's own chip may be smaller
BLOCK_BYTES = 512
PAYLOAD_BYTES = 256  # the boot ROM takes no other size

_MAGIC_0 = 0x0A324655
_MAGIC_1 = 0x9E5D5157
_MAGIC_END = 0x0AB16F30
_FLAG_FAMILY = 0x2000
_HEAD = struct.Struct("<8I")
_OTHER_CHIPS = {
    0xE48BFF57: "data at an absolute address (an RP2350 file)",
    0xE48BFF59: "an RP2350",
    0xE48BFF5A: "an RP2350 (RISC-V)",
    0xE48BFF5B: "an RP2350 (non-secure)",
    0xBFDD4EEE: "an ESP32-S2",
    0xC47E5767: "an ESP32-S3",
    0x68ED2B88: "a SAMD21",
    0x55114460: "a SAMD51",
    0xADA52840: "an nRF52840",
}


def _bad(code, name, what, hint="Take another copy of the file, or build one: rheo image build."):
    return UsageError(code, f"{name} is not a UF2 file for this board: {what}.", hint)


def from_bin(image: bytes, base: int = FLASH_BASE) -> bytes:
    """The UF2 file that writes `image` at `base`; the last block is filled up with zeros.

    Raises ValueError for an empty image or one that leaves the flash window: a bug of the caller.
    """
    if not image or base % PAYLOAD_BYTES or not FLASH_BASE <= base <= FLASH_BASE + FLASH_BYTES - len(image):
        raise ValueError(f"cannot wrap {len(image)} bytes at {base:#x}")
    total = -(-len(image) // PAYLOAD_BYTES)
    out = bytearray()
    for index in range(total):
        at = index * PAYLOAD_BYTES
        payload = image[at : at + PAYLOAD_BYTES].ljust(BLOCK_BYTES - _HEAD.size - 4, b"\0")
        out += _HEAD.pack(_MAGIC_0, _MAGIC_1, _FLAG_FAMILY, base + at, PAYLOAD_BYTES, index, total, FAMILY_RP2040)
        out += payload + struct.pack("<I", _MAGIC_END)
    return bytes(out)


def to_bin(data: bytes, name: str = "the file") -> bytes:
    """The flash image that a UF2 file writes, from FLASH_BASE on.

    Checks everything on the way. Raises UsageError (bad_uf2, wrong_chip) with the first thing that is wrong.
    """
    if not data:
        raise _bad("bad_uf2", name, "it is empty")
    if len(data) % BLOCK_BYTES:
        raise _bad("bad_uf2", name, f"its {len(data)} bytes are not whole blocks of {BLOCK_BYTES}; it is cut short")
    count = len(data) // BLOCK_BYTES
    image = bytearray()
    for index in range(count):
        block = data[index * BLOCK_BYTES : (index + 1) * BLOCK_BYTES]
        magic_0, magic_1, flags, address, size, number, total, family = _HEAD.unpack_from(block)
        where = f"block {index}"
        if (magic_0, magic_1) != (_MAGIC_0, _MAGIC_1) or block[-4:] != struct.pack("<I", _MAGIC_END):
            raise _bad("bad_uf2", name, f"{where} lacks the UF2 marks")
        if not flags & _FLAG_FAMILY:
            raise _bad("wrong_chip", name, f"{where} does not say for which chip it is")
        if family != FAMILY_RP2040:
            chip = _OTHER_CHIPS.get(family, f"the unknown chip family {family:#010x}")
            raise _bad("wrong_chip", name, f"it is for {chip}, not for an RP2040", "Take the RP2040 file.")
        if flags & ~_FLAG_FAMILY:
            raise _bad("bad_uf2", name, f"{where} has flags {flags:#x} that the RP2040 does not know")
        if total != count:
            raise _bad("bad_uf2", name, f"{where} promises {total} blocks, the file holds {count}")
        if number != index:
            raise _bad("bad_uf2", name, f"{where} is numbered {number}: blocks are missing or out of order")
        if size != PAYLOAD_BYTES or address % PAYLOAD_BYTES:
            raise _bad("bad_uf2", name, f"{where} writes {size} bytes at {address:#x}, not a page of 256")
        offset = address - FLASH_BASE
        if not 0 <= offset <= FLASH_BYTES - PAYLOAD_BYTES:
            raise _bad("bad_uf2", name, f"{where} writes to {address:#x}, which is not flash")
        if index == 0 and offset != 0:
            raise _bad("bad_uf2", name, f"it starts at {address:#x}, not at {FLASH_BASE:#x}: nothing would boot")
        if offset < len(image):
            raise _bad("bad_uf2", name, f"{where} writes to {address:#x} again or backwards")
        if offset > len(image):
            raise _bad("bad_uf2", name, f"{where} leaves a hole before {address:#x}, which the boot ROM gets wrong")
        image += block[_HEAD.size : _HEAD.size + PAYLOAD_BYTES]
    return bytes(image)
