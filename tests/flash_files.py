"""Files and folders that the tests of flashing share: an image that boots, a boot loader's volume."""

import struct

from rheobase.image import inside, uf2

INFO = "UF2 Bootloader v3.0\r\nModel: Raspberry Pi RP2\r\nBoard-ID: {}\r\n"


def bootable(size=200_000, text=b""):
    """A flash image whose boot stage has the right checksum; `text` lies somewhere in it."""
    body = (bytes(range(250)) * (size // 250 + 1))[:size]
    body = body[:1000] + text + body[1000 + len(text) :]
    stage = body[: inside.BOOT2_BYTES - 4]
    return stage + struct.pack("<I", inside.boot2_crc(body)) + body[inside.BOOT2_BYTES :]


UF2 = uf2.from_bin(bootable())
OURS = uf2.from_bin(bootable(text=b"\0rheobase:RHEO_PICO:1.2.3:0123456789abcdef\0"))


def volume(parent, name="RPI-RP2", board="RPI-RP2"):
    """The folder parent/name, which looks like the volume of a boot loader."""
    folder = parent / name
    folder.mkdir()
    (folder / "INFO_UF2.TXT").write_text(INFO.format(board))
    return folder
