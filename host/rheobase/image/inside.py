"""What a flash image of an RP2040 says of itself: Pico SDK binary info and our firmware's mark. Trusts no field of it.

Binary info (what `picotool info` prints): pico_binary_info of the Pico SDK, marker 0x7188ebf2, ids from its defs.h.
Our mark: the string MARK of the frozen rheo_build (firmware_files.build_module).
"""

import re
import struct
from dataclasses import dataclass

from rheobase.image.uf2 import FLASH_BASE

BOOT2_BYTES = 256  # of the second boot stage, its checksum in the last four
_MARKERS = (0x7188EBF2, 0xE71AA390)
_SEARCH_BYTES = BOOT2_BYTES + 256  # the SDK puts its header into the first 256 bytes after the second stage
_TAG = 0x5052  # "RP"
_ID_AND_STRING = 6
_IDS = {0x02031C86: "program", 0x11A9BC3A: "version", 0xB63CFFBB: "pico_board"}
_ENTRIES_MAX = 1000
_OURS = re.compile(rb"rheobase:([A-Z0-9_]{1,32}):([0-9A-Za-z.+-]{1,32}):([0-9a-f]{16})\0")


@dataclass(frozen=True)
class Inside:
    """Each "" if the image does not say it.

    program, version, pico_board: what it calls itself. board, release, firmware_hash: of the Rheobase firmware inside.
    """

    program: str = ""
    version: str = ""
    pico_board: str = ""
    board: str = ""
    release: str = ""
    firmware_hash: str = ""

    @property
    def ours(self) -> bool:
        """True if Rheobase's firmware is frozen into it."""
        return bool(self.firmware_hash)

    @property
    def micropython(self) -> bool:
        """True if MicroPython is what it runs."""
        return self.program == "MicroPython"

    def describe(self) -> str:
        """A line for people."""
        program = " ".join(filter(None, (self.program or "a program without a name", self.version)))
        if self.ours:
            return f"Rheobase {self.release} for {self.board}, firmware {self.firmware_hash}, on {program}"
        for_board = f" for the board {self.pico_board}" if self.pico_board else ""
        return f"{program}{for_board}; no Rheobase firmware is inside"


def read(image: bytes) -> Inside:
    """What `image` (flash from 0x10000000 on) says of itself."""
    said = _binary_info(image)
    marks = set(_OURS.findall(image))
    if len(marks) == 1:
        board, release, firmware_hash = (part.decode() for part in marks.pop())
        said |= {"board": board, "release": release, "firmware_hash": firmware_hash}
    return Inside(**said)


def boots(image: bytes) -> bool:
    """True if the boot ROM would start `image`: it checks the second stage's CRC (RP2040 datasheet 2.8.1.3.1)."""
    if len(image) < BOOT2_BYTES:
        return False
    return boot2_crc(image) == struct.unpack_from("<I", image, BOOT2_BYTES - 4)[0]


def boot2_crc(image: bytes) -> int:
    """CRC-32, polynomial 0x04C11DB7, all ones first, nothing reflected, of all but the last four bytes of the stage."""
    crc = 0xFFFFFFFF
    for byte in image[: BOOT2_BYTES - 4]:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1 ^ (0x04C11DB7 if crc & 0x80000000 else 0)) & 0xFFFFFFFF
    return crc


def _binary_info(image):
    words = struct.unpack_from(f"<{min(len(image), _SEARCH_BYTES) // 4}I", image)
    said = {}
    for at in range(len(words) - 4):
        if (words[at], words[at + 4]) == _MARKERS:
            start, end = words[at + 1] - FLASH_BASE, words[at + 2] - FLASH_BASE
            for offset in range(start, min(end, start + 4 * _ENTRIES_MAX), 4):
                name, text = _entry(image, _word(image, offset) - FLASH_BASE)
                if name and text:
                    said.setdefault(name, text)
            break
    return said


def _entry(image, at):
    """(field, text) of the entry at offset `at`; ("", "") for one of no interest or outside the image."""
    if not 0 <= at <= len(image) - 12:
        return "", ""
    kind, tag, ident, text_at = struct.unpack_from("<HHII", image, at)
    if (kind, tag) != (_ID_AND_STRING, _TAG) or ident not in _IDS:
        return "", ""
    return _IDS[ident], _text(image, text_at - FLASH_BASE)


def _word(image, at):
    return struct.unpack_from("<I", image, at)[0] if 0 <= at <= len(image) - 4 else 0


def _text(image, at):
    """Printable ASCII at offset `at`, else ""."""
    if not 0 <= at < len(image):
        return ""
    found = re.compile(rb"[ -~]{1,64}").match(image, at)
    return found.group().decode() if found else ""
