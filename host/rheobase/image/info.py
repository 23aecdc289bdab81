"""What an image is, and the cache of images: one folder each, complete or absent. Builds and fetches nothing."""

import hashlib
import json
import os
import shutil
import tempfile
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from rheobase import paths
from rheobase.errors import HostError

BUILT_DEBIAN = "debian"
BUILT_CHECKOUT = "checkout"
OFFICIAL = "official"
_KEEP = 6  # images of one board that stay in the cache


@dataclass
class ImageInfo:
    """One image on disk.

    path: UF2 file. bin_path: flash image from 0x10000000 on. sha256: of the UF2. origin: in words, where it is from.
    micropython: version without "v". board: RHEO_PICO, or RPI_PICO for stock MicroPython without our firmware.
    firmware_hash: of the frozen device files, None if there are none. why: sentence that says why it is this one.
    """

    path: Path
    bin_path: Path
    sha256: str
    origin: str
    micropython: str
    board: str
    firmware_hash: str | None = None
    why: str = ""
    built_utc: str = ""
    elf_path: Path | None = None
    source: dict = field(default_factory=dict)  # kind (one of the constants above), path and id of the sources
    inputs: str = ""  # hash over everything of ours that went in

    @property
    def frozen(self) -> bool:
        """True if the firmware is inside the image; else it must be deployed as files."""
        return self.firmware_hash is not None


def images_dir() -> Path:
    """Folder with one folder an image."""
    return paths.cache_dir() / "images"


def add(name: str, uf2: bytes, image: bytes, record: dict, elf: Path | None = None) -> ImageInfo:
    """Put an image into the cache under `name`; it appears whole or not at all. record: fields of ImageInfo."""
    try:
        images_dir().mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".new-", dir=images_dir()) as scratch:
            new = Path(scratch) / "image"
            new.mkdir()
            (new / "firmware.bin").write_bytes(image)
            (new / "firmware.uf2").write_bytes(uf2)
            if elf is not None:
                shutil.copyfile(elf, new / "firmware.elf")
            record = dict(
                record,
                sha256=hashlib.sha256(uf2).hexdigest(),
                built_utc=datetime.now(UTC).isoformat(timespec="microseconds"),
            )
            (new / "image.json").write_text(json.dumps(record, indent=1) + "\n")
            for path in new.iterdir():
                _sync(path)
            target = images_dir() / name
            if target.exists():  # incomplete or damaged, or we would have used it
                shutil.rmtree(target)
            os.replace(new, target)
    except OSError as error:
        raise HostError(
            "cache_not_writable",
            f"The image could not be stored in {images_dir()}: {error.strerror or error}.",
            "Make room or set RHEO_CACHE to a folder that can be written.",
        ) from error
    _prune(record["board"])
    info = load(target)
    if info is None:
        raise HostError("cache_damaged", f"The image in {target} cannot be read back.", "Delete it and try again.")
    return info


def _sync(path):
    with open(path, "rb") as file:
        os.fsync(file.fileno())


def load(folder: Path) -> ImageInfo | None:
    """The image in `folder`; None if it is not a complete, undamaged one."""
    try:
        record = json.loads((folder / "image.json").read_text())
        uf2 = (folder / "firmware.uf2").read_bytes()
        if hashlib.sha256(uf2).hexdigest() != record["sha256"] or not (folder / "firmware.bin").is_file():
            return None
        elf = folder / "firmware.elf"
        return ImageInfo(
            path=folder / "firmware.uf2",
            bin_path=folder / "firmware.bin",
            elf_path=elf if elf.is_file() else None,
            **record,
        )
    except (OSError, ValueError, TypeError, KeyError):
        return None


def record(info: ImageInfo) -> dict:
    """What `rheo image --json` says: strings only."""
    keep = ("path", "sha256", "origin", "micropython", "board", "firmware_hash", "why")
    return {key: str(value) if key == "path" else value for key, value in asdict(info).items() if key in keep}


def all_of(board: str) -> list[ImageInfo]:
    """Every complete image of `board` in the cache, newest first."""
    found = (load(folder) for folder in images_dir().glob(f"{board}-*"))
    return sorted((i for i in found if i and i.board == board), key=lambda i: i.built_utc, reverse=True)


def find(sha256: str) -> ImageInfo | None:
    """The complete image in the cache whose UF2 file has this SHA-256."""
    found = (load(folder) for folder in sorted(images_dir().glob("*")))
    return next((image for image in found if image and image.sha256 == sha256), None)


def _prune(board):
    """Forget the oldest built images of a board; fetched ones stay."""
    built = [info for info in all_of(board) if info.source.get("kind") != OFFICIAL]
    for info in built[_KEEP:]:
        shutil.rmtree(info.path.parent, ignore_errors=True)
