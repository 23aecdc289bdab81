"""The board's file system as the host reads and makes it: littlefs in the last 1408 KiB of the flash."""

from littlefs import LittleFS
from rheobase.emulator.engine import FLASH_BYTES

BLOCK = 4096
SIZE = 1408 * 1024  # MICROPY_HW_FLASH_STORAGE_BYTES of RPI_PICO
START = FLASH_BYTES - SIZE  # in the flash
_PORT = {"block_size": BLOCK, "block_count": SIZE // BLOCK, "read_size": 32, "prog_size": 256, "cache_size": 1024}


class _Flash:
    """A bytearray that is the flash, not copied; counts what is written."""

    def __init__(self, flash):
        self.flash = flash
        self.view = memoryview(flash)

    def read(self, cfg, block, off, size):
        at = START + block * BLOCK + off
        return self.flash[at : at + size]

    def prog(self, cfg, block, off, data):
        at = START + block * BLOCK + off
        self.view[at : at + len(data)] = bytes(a & b for a, b in zip(self.view[at : at + len(data)], data, strict=True))
        return 0

    def erase(self, cfg, block):
        at = START + block * BLOCK
        self.view[at : at + BLOCK] = b"\xff" * BLOCK
        return 0

    def sync(self, cfg):
        return 0


def mounted(flash):
    """LittleFS on the bytearray `flash`. Raises LittleFSError if there is none."""
    fs = LittleFS(_Flash(flash), mount=False, **_PORT)
    fs.mount()
    return fs


def formatted(files):
    """A flash (bytearray) whose file system holds `files` {"/path": bytes}."""
    flash = bytearray(b"\xff" * FLASH_BYTES)
    fs = LittleFS(_Flash(flash), mount=False, **_PORT)
    fs.format()
    fs.mount()
    for path in sorted(files):
        folder = path.rpartition("/")[0]
        if folder:
            fs.makedirs(folder, exist_ok=True)
        with fs.open(path, "wb") as file:
            file.write(files[path])
    fs.unmount()
    return flash


def read(fs, path):
    """Content of a file."""
    with fs.open(path, "rb", buffering=0) as file:
        return file.read()
