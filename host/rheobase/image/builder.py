"""Build an image of a board with MicroPython's own build system. Decides nothing about which image gets used.

Layout of the cache: sources/ (Debian's), build/<board>-<sources>/ (cmake tree, staged files, log), images/.
Everything of ours is copied into the cache first, so that a path with spaces in the installation does not matter.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import rheobase
from rheobase import boards, paths
from rheobase.errors import HostError, UsageError
from rheobase.image import debian, firmware_files, info, toolchain, uf2
from rheobase.image.lock import image_lock

OLDEST = (1, 25)
_FORMAT = "4"  # of the key; raise it when the way of building changes what comes out
_PINS_H = "pins.h"  # beside the boards' folders in the cache
_STOCK_MANIFEST = "common/stock_manifest.py"
_SUBMODULES = {"lib/pico-sdk": "pico_sdk_init.cmake", "lib/tinyusb": "src/tusb.h", "lib/mbedtls": "library/version.c"}
_FINGERPRINTED = ("py", "extmod", "shared", "drivers", "tools", "mpy-cross", "ports/rp2", "lib")
_NOT_OURS = ("MAKE", "MFLAGS", "CFLAGS", "LDFLAGS", "MICROPY", "PICO_", "CMAKE_", "BOARD", "BUILD", "PYTHONPATH")


def build(board=None, micropython=None, log=None, install_tools=False) -> info.ImageInfo:
    """The image of `board` as things are now; an unchanged one comes from the cache at once.

    board: one of ours (firmware frozen in), RPI_PICO (stock), None: boards.chosen(). micropython: a checkout
    with its submodules, or None for Debian's packages. log: called with sentences of progress (default: stderr).
    install_tools: bring missing packages by apt-get, as root or with sudo.
    Raises UsageError, HostError (exit 8) with what to do next.
    """
    log = log or (lambda text: print(text, file=sys.stderr))
    board = firmware_files.check_board(board or boards.chosen())
    if any(c.isspace() for c in str(paths.cache_dir())):
        raise HostError(
            "cache_path",
            f"The cache folder {paths.cache_dir()} has a space in its name; MicroPython cannot be built in there.",
            "Set RHEO_CACHE to a folder without one.",
        )
    if micropython is None and not debian.possible():
        debian.ensure(log)  # raises, with what else can be done
    source = checkout(micropython) if micropython is not None else debian.present()
    if source:
        found = cached(board, source)
        if found:
            return found
    ours = snapshot(board)  # said before anything is fetched or installed, if it is not whole
    toolchain.require(micropython is None, log, install_tools)
    with image_lock(log) as lock_fd:
        source = source or debian.ensure(log)
        found = cached(board, source, ours)  # whoever had the lock may have built it
        return found or _build(board, source, ours, log, lock_fd)


def cached(board: str, source: dict, ours: dict | None = None) -> info.ImageInfo | None:
    """The image of `board` that building from `source` now would give, if it is in the cache."""
    found = info.load(info.images_dir() / _name(board, source, inputs(board, ours)))
    if found:
        found.why = f"{found.origin}; nothing has changed since"
    return found


def checkout(path) -> dict:
    """What identifies a MicroPython checkout for building. Raises HostError when it cannot be built from."""
    tree = Path(path).expanduser().resolve()
    if any(c.isspace() for c in str(tree)):
        raise UsageError("checkout_path", f"{tree} has a space in its name.", "Move or link it to a path without one.")
    version = debian.version_of(tree)
    if tuple(int(n) for n in re.findall(r"\d+", version)[:2]) < OLDEST:
        raise HostError(
            "micropython_too_old",
            f"{tree} is MicroPython {version}; the firmware needs {OLDEST[0]}.{OLDEST[1]} or later.",
            "Check out a later version: git checkout v1.25.0",
        )
    absent = [name for name, file in _SUBMODULES.items() if not (tree / name / file).is_file()]
    if absent:
        raise HostError(
            "no_submodules",
            f"The checkout {tree} lacks {', '.join(absent)}.",
            f"In {tree} run: git submodule update --init {' '.join(absent)}",
        )
    return {"kind": info.BUILT_CHECKOUT, "micropython": version, "path": str(tree), "id": _fingerprint(tree)}


def _fingerprint(tree):
    """Hash over names, sizes and times of the files a build reads: quick, and changes with every edit or checkout."""
    digest = hashlib.sha256()
    for top in _FINGERPRINTED:
        for folder, folders, names in os.walk(tree / top):
            folders[:] = sorted(f for f in folders if not f.startswith((".", "build", "__pycache__", "test", "docs")))
            for name in sorted(names):
                stat = os.lstat(os.path.join(folder, name))
                digest.update(f"{folder}/{name} {stat.st_size} {stat.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:16]


def inputs(board: str, ours: dict | None = None) -> str:
    """Hash over everything of ours that goes into an image of `board` (ours: snapshot(board) if already read)."""
    ours = ours or snapshot(board)
    digest = hashlib.sha256(f"{_FORMAT} {rheobase.__version__} {board}".encode())
    for name, content in sorted(ours["board"].items()):
        digest.update(b"\0%s\0%d\0" % (name.encode(), len(content)) + content)
    digest.update(firmware_files.hash_of(ours["firmware"]).encode())
    return digest.hexdigest()[:16]


def snapshot(board: str) -> dict:
    """Everything of ours that goes in, read once: what is hashed is what is built, even if somebody edits it now."""
    return {"board": _board_files(board), "firmware": firmware_files.read_files(board)}


def _board_files(board):
    """Our part of the build besides the firmware: relative path -> content; for a board of ours the C header too."""
    root = paths.boards_dir()
    if board in firmware_files.STOCK_BOARDS:
        files = [root / _STOCK_MANIFEST]
        made = {}
    else:
        files = [path for folder in ("common", board) for path in (root / folder).glob("*") if path.is_file()]
        made = {_PINS_H: boards.pins_header(boards.load(board)).encode()}
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in files} | made


def _tree_of(source):
    return Path(source["path"]) if source["kind"] == info.BUILT_CHECKOUT else debian.folder() / "tree"


def _source_id(source):
    """Short name of the sources, for a build tree that make may go on with.

    A checkout that is edited keeps its tree: edits have new times. Debian's files have the times of their packaging,
    older than any object file, so other packages need another tree.
    """
    if source["kind"] == info.BUILT_CHECKOUT:
        where = f"{source['path']} {source['micropython']}"
    else:
        where = " ".join(source["packages"])
    return hashlib.sha256(where.encode()).hexdigest()[:8]


def _name(board, source, ours):
    state = f"{_source_id(source)} {source.get('id', '')}"
    key = hashlib.sha256(f"{ours} {state}".encode()).hexdigest()[:12]
    return f"{board}-{source['micropython']}-{key}"


def _build(board, source, ours, log, lock_fd):
    tree, files = _tree_of(source), ours["firmware"]
    work = paths.cache_dir() / "build" / f"{board}-{_source_id(source)}"
    try:
        work.mkdir(parents=True, exist_ok=True)
        staged = {f"boards/{name}": content for name, content in ours["board"].items()}
        staged["no-lib/README.md"] = b"micropython-lib is not needed.\n"
        firmware_files.mirror(staged, work / "ours")
        digest = firmware_files.stage(board, work / "firmware", files) if files else None
    except OSError as error:
        raise HostError(
            "cache_not_writable",
            f"{work} cannot be written: {error.strerror or error}.",
            "Make room or set RHEO_CACHE to another folder.",
        ) from error
    run = _Runner(work, source, lock_fd)
    cross = paths.cache_dir() / "build" / f"mpy-cross-{_source_id(source)}"
    warm = (work / "cmake" / "Makefile").is_file() and not run.interrupted(work / "cmake")
    log(
        f"Building MicroPython {source['micropython']} for {board} "
        + ("(only what changed) ..." if warm else "(a minute or two the first time) ...")
    )
    run.step(cross, ["make", "-C", str(tree / "mpy-cross"), f"BUILD={cross}", "USER_C_MODULES=", *run.jobs])
    run.env["MICROPY_MPYCROSS"] = str(cross / "mpy-cross")
    configure = ["cmake", "-S", str(tree / "ports" / "rp2"), "-B", str(work / "cmake"), "-G", "Unix Makefiles"]
    configure += [f"-DMICROPY_BOARD={board}", "-DPICO_NO_PICOTOOL=1", f"-DMICROPY_LIB_DIR={work}/ours/no-lib"]
    if files:
        configure += [f"-DMICROPY_BOARD_DIR={work}/ours/boards/{board}", f"-DRHEO_STAGE={work}/firmware"]
        configure += [f"-DRHEO_PINS_H={work}/ours/boards/{_PINS_H}"]
    else:
        configure += [f"-DMICROPY_FROZEN_MANIFEST={work}/ours/boards/{_STOCK_MANIFEST}"]
    run.step(work / "cmake", configure, ["make", "-C", str(work / "cmake"), *run.jobs])
    image = _read(work / "cmake" / "firmware.bin")
    log(f"Built: {len(image) // 1024} kB" + (f", firmware {digest}" if digest else "") + ".")
    described = f"Debian {source['suite']} packages" if source["kind"] == info.BUILT_DEBIAN else source["path"]
    built = info.add(
        _name(board, source, inputs(board, ours)),
        uf2.from_bin(image),
        image,
        {
            "board": board,
            "micropython": source["micropython"],
            "origin": f"built from {described}",
            "firmware_hash": digest,
            "source": {k: v for k, v in source.items() if k in ("kind", "path", "id", "packages")},
            "inputs": inputs(board, ours),
        },
        elf=work / "cmake" / "firmware.elf",
    )
    built.why = f"{built.origin} just now"
    return built


def _read(path):
    try:
        return path.read_bytes()
    except OSError as error:
        raise HostError("build_failed", f"The build ended without {path}.", "Delete build/ in the cache.") from error


class _Runner:
    """Runs the steps of a build, with a log file, a clean environment, and a mark for steps that were cut off."""

    def __init__(self, work, source, lock_fd):
        self.log_path = work / "build.log"
        self.log_path.write_text("")
        self.lock_fd = lock_fd
        self.jobs = [f"-j{os.cpu_count() or 1}"]
        # A build started from `make` or from another firmware's shell must not inherit its settings.
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(_NOT_OURS)}
        self.env["LC_ALL"] = "C"
        self.env["PYTHONHASHSEED"] = "0"  # boardgen.py keeps a pin's names in a set: GP25 and LED swap
        if source["kind"] == info.BUILT_DEBIAN:
            # No git here to ask for a version, and the cache may lie inside somebody's checkout.
            self.env.update(MICROPY_GIT_TAG="v" + source["micropython"], MICROPY_GIT_HASH="debian")
            # The build date is in the image: take the sources', or each day would give another image.
            self.env.setdefault("SOURCE_DATE_EPOCH", str(source["epoch"]))

    @staticmethod
    def interrupted(folder):
        """True if a step in `folder` was cut off (killed, power cut): its files cannot be trusted."""
        return _mark(folder).exists()

    def step(self, folder, *commands):
        """Run `commands`, which write into `folder`. A folder left by a step that was cut off starts empty."""
        if self.interrupted(folder):
            shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
        _mark(folder).touch()
        for command in commands:
            with open(self.log_path, "a") as log:
                log.write(f"$ {' '.join(command)}\n")
                log.flush()
                try:
                    done = subprocess.run(
                        command,
                        check=False,
                        env=self.env,
                        stdin=subprocess.DEVNULL,
                        stdout=log,
                        stderr=log,
                        pass_fds=(self.lock_fd,),
                    )
                except FileNotFoundError as error:
                    raise HostError("no_toolchain", f"{command[0]} is not installed.", "See: rheo doctor") from error
            code = done.returncode
            if code < 0:  # killed: what it was writing is not to be trusted
                raise HostError("build_killed", f"{command[0]} was stopped by signal {-code}.", "Build again.")
            if code:
                _mark(folder).unlink()  # it ended by itself, and make has cleaned up behind it
                raise HostError("build_failed", f"The build failed: {self._reason()}", f"Its log: {self.log_path}")
        _mark(folder).unlink()

    def _reason(self):
        lines = self.log_path.read_text(errors="replace").splitlines()
        telling = [line for line in lines if re.search(r"error|Error|No space left", line)]
        return (telling or lines or ["no reason given"])[0].strip()


def _mark(folder):
    return folder.with_name(folder.name + ".unfinished")
