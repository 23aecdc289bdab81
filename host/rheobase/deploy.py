"""Bring the firmware to a board as files, through mpremote: stop first, copy what changed, reset, greet.

Refuses a board whose firmware is frozen into its image: frozen modules win over files, so copies would do nothing.
"""

import hashlib
import os
import tempfile
import time
from pathlib import Path

from rheobase import boards, discovery, mpremote
from rheobase.errors import DeviceLost, HostError, Incompatible
from rheobase.halt import halt
from rheobase.image import firmware_files
from rheobase.link import greeting

LAST = ("boot.py", "main.py", "lib/rheo_build.py")  # after the library, the version last: half a copy never looks whole
RESET_S = 8.0  # from the reset to the firmware's first answer

# Prints {path: SHA-256} of our files on the board, and where rheorp2 would come from.
_HASHES = """
import os, sys, hashlib, binascii
def h(p):
    s = hashlib.sha256()
    b = bytearray(512)
    with open(p, 'rb') as f:
        while True:
            n = f.readinto(b)
            if not n:
                return binascii.hexlify(s.digest()).decode()
            s.update(memoryview(b)[:n])
r = {}
def walk(d):
    for e in os.ilistdir(d):
        p = (d.rstrip('/') + '/' + e[0])
        if e[1] & 0x4000:
            walk(p)
        else:
            r[p[1:]] = h(p)
for p in ('/boot.py', '/main.py', '/lib/rheo_board.py', '/lib/rheo_build.py'):
    try:
        r[p[1:]] = h(p)
    except OSError:
        pass
for d in ('/lib/rheocore', '/lib/rheorp2'):
    try:
        walk(d)
    except OSError:
        pass
print(repr(r))
"""
# Prints the text of the frozen rheo_build's ORIGIN, or None. '.frozen' is the first of sys.path that could hold it.
_FROZEN = """
import sys
sys.path[:] = ['.frozen']
try:
    import rheo_build
    o = rheo_build.ORIGIN
except ImportError:
    o = None
print(repr(o))
"""


def plan(port, board=None):
    """(wanted, changed, stale, theirs): {path: content}, paths to copy in order, paths to remove, hash on the board.

    Stops the board's output and leaves it at its REPL. Raises Incompatible `frozen`.
    """
    if mpremote.evaluate(port, _FROZEN) is not None:
        raise frozen(port)
    there = mpremote.evaluate(port, _HASHES)
    board = board or boards.chosen()
    wanted = firmware_files.read_files(board)
    digest = firmware_files.hash_of(wanted)
    wanted["lib/rheo_build.py"] = firmware_files.build_module(board, "files", digest).encode()
    changed = [name for name in wanted if there.get(name) != hashlib.sha256(wanted[name]).hexdigest()]
    changed.sort(key=lambda name: (LAST.index(name) + 1 if name in LAST else 0, name))
    stale = sorted(name for name in there if name not in wanted)
    return wanted, changed, stale, digest


def frozen(port):
    return Incompatible(
        "frozen",
        f"The firmware of the board on {port} is frozen into its image: flash instead.",
        "`rheo flash` writes a new image.",
    )


def deploy(port, note, dry_run=False, emulated=None):
    """Bring the board on `port` up to this rheo's firmware. Returns {"files", "hash", "from", "to"}.

    files: what was (or would be) copied or removed. from: hash of the firmware that was there, or None.
    Raises Incompatible `frozen`, DeviceLost, HostError.
    """
    emulated = greeting.is_emulated(port) if emulated is None else emulated
    before = _stop_and_ask(port, emulated)
    if before and before["firmware"]["origin"] == "frozen":
        raise frozen(port)
    name = before["board"] if before and before["board"] in boards.names() else boards.chosen()
    wanted, changed, stale, digest = plan(port, name)
    data = {
        "files": [*changed, *stale],
        "hash": digest,
        "from": before["firmware"]["hash"] if before else None,
        "to": digest,
    }
    if dry_run or not data["files"]:
        discovery.try_port(port, emulated)  # out of the REPL, where looking left it
        return data
    note(f"Copying {len(changed)} files, {sum(len(wanted[n]) for n in changed) // 1000} kB.")
    _copy(port, wanted, changed, stale)
    _restart(port, emulated, digest)
    return data


def _stop_and_ask(port, emulated):
    """INFO of the board once its output is confirmed off; None if no firmware of ours answers."""
    try:
        with greeting.open_board(port, emulated) as board:
            halt(board.client)
            return board.info
    except Incompatible:
        return None  # another MicroPython, or an older firmware: that is what deploy is for
    except DeviceLost as error:
        if error.code != "no_answer":
            raise
        return None  # it may stand in a broken main.py: mpremote interrupts that


def _copy(port, wanted, changed, stale):
    with tempfile.TemporaryDirectory() as scratch:
        words = []
        for folder in ("lib", "lib/rheocore", "lib/rheorp2"):
            words += ["exec", f"import os\ntry:\n os.mkdir('/{folder}')\nexcept OSError:\n pass", "+"]
        for name in stale:
            words += ["fs", "rm", f":{name}", "+"]
        for name in changed:
            local = Path(scratch) / name
            local.parent.mkdir(parents=True, exist_ok=True)
            local.write_bytes(wanted[name])
            words += ["fs", "cp", os.fspath(local), f":{name}", "+"]
        total = sum(len(wanted[name]) for name in changed)
        mpremote.run(port, *words[:-1], timeout_s=mpremote.TIMEOUT_S + total / 500)


def _restart(port, emulated, expected):
    """Reset the board and greet it; its firmware must be the one that was copied."""
    scale = greeting.EMULATED_SCALE if emulated else 1.0
    mpremote.run(port, "reset")
    until = time.monotonic() + RESET_S * scale
    while True:
        time.sleep(0.3)  # a real port goes and comes back
        found = discovery.try_port(port, emulated)
        if found.info or time.monotonic() > until or found.problem.code in ("no_firmware", "wire_mismatch"):
            break
    if not found.info:
        message = f"The files are on the board, but it does not start: {found.problem.message}"
        raise HostError("not_started", message, "Unplug it, plug it in again; `rheo info` tells.")
    if found.info["firmware"]["hash"] != expected:
        raise Incompatible("not_taken", "The board runs another firmware than the one copied.", "Deploy again.")
