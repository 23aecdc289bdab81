"""What third-party parts there are, as the build and the packages themselves say. Explains none and writes nothing.

Board: the linker's map and the compiler's lists of files read (.d), in the build folder of the image that would be
used. Python: pyproject.toml and the metadata of what is installed here. Debian: what image/toolchain.py asks for.
"""

import filecmp
import functools
import re
import subprocess
from importlib import metadata
from pathlib import Path

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from rheobase import boards, image, paths
from rheobase.errors import RheoError
from rheobase.image import debian, toolchain
from rheobase.image.info import BUILT_DEBIAN, ImageInfo

# Archives of the cross compiler, by the part they are of.
_ARCHIVES = {"gcc": "libgcc", "stdc++": "libgcc", "supc++": "libgcc"} | dict.fromkeys(
    ("c", "g", "m", "nosys"), "newlib"
)
# What names its licence in Trove's words only. "BSD License" may be any of three: soup.toml says which.
_CLASSIFIERS = {
    "MIT License": "MIT",
    "Apache Software License": "Apache-2.0",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "GNU Lesser General Public License v3 (LGPLv3)": "LGPL-3.0-only",
    "Python Software Foundation License": "PSF-2.0",
    "Public Domain": "LicenseRef-Public-Domain",
}


# -- the board ------------------------------------------------------------------------------------------------------


@functools.cache
def linked(folder: Path) -> set[str]:
    """Parts of which code or data is in the image that was linked in `folder` (cmake's).

    A library counts when a section of it is left in the image, or when a file of it was included by one that is.
    """
    home = re.search(r"^CMAKE_HOME_DIRECTORY:INTERNAL=(.+)$", (folder / "CMakeCache.txt").read_text(), re.M)
    tree = str(Path(home[1] if home else "/").parents[1])
    text = (folder / "firmware.elf.map").read_text().partition("Linker script and memory map")[2]
    found = set()
    for name, address, size, origin in re.findall(r"^ (\S+)\s+0x([0-9a-f]+)\s+0x([0-9a-f]+) (\S.*)$", text, re.M):
        if int(address, 16) and int(size, 16) and not name.startswith((".debug", ".comment", ".ARM")):
            found.add(origin)
    ours = f"{folder.parent}/ours/"
    parts = {part for origin in found if ours not in origin for part in _parts_of(origin, tree)}
    for path in (folder / (origin + ".d") for origin in found):
        if path.is_file():  # assembler files have none
            parts |= set(re.findall(rf"\s{re.escape(tree)}/lib/([^/\s]+)/\S+\.[cS]\b", path.read_text()))
    return parts


def _parts_of(origin: str, tree: str) -> set[str]:
    """Parts that an object or archive of the map is of; its own name if it is of none that is known."""
    archive = re.search(r"/lib([^/]+)\.a\(", origin)
    if archive:
        return {_ARCHIVES.get(archive[1].removesuffix("_nano"), f"lib{archive[1]}.a")}
    if origin == "linker stubs" or origin.endswith("/frozen_content.c.o"):
        return set()  # jumps that the linker makes; our Python and some of MicroPython's own
    if "boot_stage2" in origin:
        return {"pico-sdk", "boot-stage-2"}
    library = re.search(rf"{re.escape(tree)}/lib/([^/]+)/", origin)
    if library:
        return {library[1]} | ({"boot-rom"} if "pico_bootrom" in origin else set())  # bootrom.c calls into it
    if tree in origin or re.fullmatch(r"CMakeFiles/firmware\.dir/\w+\.c\.o", origin):
        return {"micropython"}
    if re.search(r"/crt\w+\.o$", origin):
        return {"libgcc" if "/lib/gcc/" in origin.rpartition("..")[2] else "newlib"}
    return {origin}


def build_folder(found: ImageInfo) -> tuple[Path | None, bool]:
    """(cmake's folder of an image's build, whether what lies there is that image); the newest one else, or None."""
    maps = sorted(
        (paths.cache_dir() / "build").glob(f"{found.board}-*/cmake/firmware.elf.map"), key=lambda m: m.stat().st_mtime
    )
    for link_map in maps:
        elf = link_map.with_suffix("")
        if found.elf_path and elf.is_file() and filecmp.cmp(elf, found.elf_path, shallow=False):
            return link_map.parent, True
    return (maps[-1].parent if maps else None), False


def on_boards(say) -> tuple[set[str] | None, ImageInfo | None]:
    """(parts of all our boards' images, the first image); None where nothing is here that would tell."""
    parts: set[str] = set()
    first = None
    for board in boards.names():
        try:
            found = image.which(board)
        except RheoError as error:
            say(f"What is linked into {board} was not looked at: {error.message}")
            continue
        folder, same = build_folder(found) if found.frozen else (None, False)
        first = first or found
        if folder is None:
            say(f"What is linked into {board} was not looked at: no link map of its image is here.")
            continue
        if not same:
            say(f"The link map of {board} is of another build in the same cache than its image.")
        parts |= linked(folder)
    return parts or None, first


def of_sources(found: ImageInfo | None) -> dict[str, str]:
    """{part: Debian's version} of the sources that an image was built from, and its compiler's as the image says."""
    if found is None:
        return {}
    versions = {"micropython": found.micropython}
    for name in found.source.get("packages", []):
        part, version = re.sub(r"(_all\.deb|\.dsc)$", "", name).split("_", 1)
        versions[part.removesuffix("-source")] = version
    compiler = re.search(rb"GCC: \(([^)]+)\) [\d.]+", found.elf_path.read_bytes()) if found.elf_path else None
    if compiler:
        versions["gcc-arm-none-eabi"] = compiler[1].decode()
    return versions


def source_file(found: ImageInfo | None, name: str) -> str | None:
    """Text of a file of MicroPython's tree, if the tree that an image was built from is here."""
    if found is None:
        return None
    ours = found.source.get("kind") == BUILT_DEBIAN
    path = (debian.folder() / "tree" if ours else Path(found.source.get("path", "/nowhere"))) / name
    return path.read_text(errors="replace") if path.is_file() else None


def spdx_tag(text: str | None) -> str:
    """The licence that a source file states."""
    tag = re.search(r"SPDX-License-Identifier:\s*(.+?)\s*(\*/)?$", text or "", re.M)
    return tag[1] if tag else ""


# -- Debian's packages ----------------------------------------------------------------------------------------------


def debian_version(package: str) -> str:
    """Version of an installed package; "" where it is not, or where there is no dpkg."""
    words = ["dpkg-query", "-W", "-f", "${Version}", package]
    try:
        done = subprocess.run(words, capture_output=True, text=True)
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def debian_packages() -> set[str]:
    """Packages that building an image asks for."""
    return set(toolchain.packages())


# -- Python's -------------------------------------------------------------------------------------------------------


def declared(project: dict) -> tuple[dict[str, Requirement], set[str]]:
    """({name: what pyproject.toml asks for}, names of those that users get, extras included)."""
    used = [project["project"]["dependencies"]]
    extras = project["project"]["optional-dependencies"]
    used += [lines for extra, lines in extras.items() if extra != "dev"]
    everything = [*used, extras["dev"], project["build-system"]["requires"]]
    asked: dict[str, Requirement] = {}
    for line in (line for lines in everything for line in lines):
        asked.setdefault(canonicalize_name(Requirement(line).name), Requirement(line))
    users = {canonicalize_name(Requirement(line).name) for lines in used for line in lines}
    return asked, users


def brought(roots: set[str], say) -> dict[str, set[str]]:
    """{name: who asks for it} of everything that `roots` need here in turn, themselves left out."""
    found: dict[str, set[str]] = {}
    todo = sorted(roots)
    while todo:
        name = todo.pop()
        try:
            lines = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            say(f"{name} is not installed here: what it brings along was not looked at.")
            continue
        for need in map(Requirement, lines):
            other = canonicalize_name(need.name)
            if other in roots or not (need.marker is None or need.marker.evaluate({"extra": ""})):
                continue
            if other not in found:
                todo.append(other)
            found.setdefault(other, set()).add(name)
    return found


def python_version(name: str) -> str:
    """Version of an installed distribution, "" if it is not."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def python_licence(name: str) -> str:
    """SPDX expression of an installed distribution's licence, "" if its metadata do not say it clearly."""
    try:
        about = metadata.metadata(name)
    except metadata.PackageNotFoundError:
        return ""
    for key in ("License-Expression", "License"):
        stated = about.get(key)
        if stated and len(stated) < 200 and spdx(stated):
            return spdx(stated)
    words = [line.rpartition(" :: ")[2] for line in about.get_all("Classifier") or [] if line.startswith("License")]
    return " OR ".join(_CLASSIFIERS[word] for word in words if word in _CLASSIFIERS)


def spdx(text: str) -> str:
    """An SPDX expression in its usual form; "" if it is none."""
    try:
        return str(canonicalize_license_expression(text))
    except InvalidLicenseExpression:
        return ""
