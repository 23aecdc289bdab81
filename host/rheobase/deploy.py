"""Bring the firmware to a board as files, through mpremote: stop, look, write a slot, check it, commit, greet, sweep.

The commit is one rename of main.py, which names its slot: a cut before it leaves the old firmware, after it the new
one (ADR 0008). Refuses a board whose firmware is frozen into its image: frozen modules win over files.
"""

import contextlib
import hashlib
import re
import time

from rheobase import boards, device_scripts, discovery, mpremote, slots
from rheobase.errors import DeviceLost, HostError, Incompatible, RheoError
from rheobase.halt import halt
from rheobase.image import firmware_files
from rheobase.link import greeting
from rheobase.link.trust import printable

RESET_S = 8.0  # from the reset to the firmware's first answer
SPARE_BLOCKS = 8  # of the file system, for its own folders' blocks while it writes
_OLD_LIBRARY = re.compile(r"(rheocore|rheorp2|rheo_board|rheo_build)(\.m?py)?")  # deployed before slots, or by hand
_SLOT = re.compile(r"[0-9a-f]{16}")
_UNHARMED = "What was on the board before still starts; deploy again."


class Plan:
    """What is to be done to a board: slot (slots.Slot), write {path: content}, commit [entry], paths to remove.

    whole: {path: SHA-256} that must be on the board before the commit. new: the entries' names until then.
    """

    def __init__(self, look, slot, there):
        """look: what device_scripts.look told; there: {path: SHA-256} of what lies in the slot's folder already."""
        self.slot = slot
        there = there | {path: digest for path, digest in look["entries"].items() if digest}
        self.commit = [path for path in slots.ENTRIES if there.get(path) != sha256(slot.entries[path])]
        self.new = [path + slots.NEW for path in self.commit]
        wanted = slot.files | {path + slots.NEW: slot.entries[path] for path in self.commit}
        self.whole = {path: sha256(content) for path, content in wanted.items()}
        self.write = {path: wanted[path] for path in sorted(wanted) if there.get(path) != self.whole[path]}
        self.surplus = sorted(set(there) - set(wanted) - set(slots.ENTRIES))
        ours = slot.folder.rpartition("/")[2]
        self.stale = [f"{slots.ROOT}/{name}" for name in look["slots"] if name != ours and _SLOT.fullmatch(name)]
        self.stale += [f"/lib/{name}" for name in look["lib"] if _OLD_LIBRARY.fullmatch(name)]
        # Without a slot main.py may run from /lib, so nothing there goes before the commit; leftover slots may.
        self.leftover = [p for p in self.stale if p.startswith(slots.ROOT) and p != look["named"]]

    @property
    def files(self):
        """What is written, changed or removed on the board, as the answer tells it."""
        written = [path for path in self.write if path not in self.new]
        return [path[1:] for path in (*written, *self.commit, *self.surplus, *self.stale)]

    def blocks(self, size):
        """Blocks of `size` bytes that writing takes at most."""
        return SPARE_BLOCKS + sum(-(-len(content) // size) for content in self.write.values())


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def deploy(port, note, dry_run=False, emulated=None):
    """Bring the board on `port` up to this rheo's firmware. Returns {"files", "hash", "from", "to"}.

    files: what was (or would be) written or removed. from: hash of the firmware that was there, or None.
    Raises Incompatible `frozen`, `old_micropython`, `unknown_board`, `mpy`, `not_taken`; DeviceLost; HostError
    `board_full`, `no_mpy_cross`, `not_written`, `not_started`.
    """
    emulated = greeting.is_emulated(port) if emulated is None else emulated
    before = _stop_and_ask(port, emulated, note)
    if before and before["firmware"]["origin"] == "frozen":
        raise frozen(port)
    try:
        look, plan = make_plan(port, before and before["board"])
        if not (before or look["build"]):
            name = plan.slot.board
            note(f"Nothing on the board tells which it is: be sure that it is a {name}. RHEO_BOARD names another.")
        was = before["firmware"]["hash"] if before else look["build"] and look["build"][2]
        if plan.files and not dry_run:
            port = _carry_out(port, look, plan, note, emulated)
    finally:
        discovery.try_port(port, emulated)  # out of the REPL, where mpremote left it: whatever is there starts
    return {"files": plan.files, "hash": plan.slot.hash, "from": was, "to": plan.slot.hash}


def _carry_out(port, look, plan, note, emulated):
    """Port where the board is afterwards."""
    plan = _make_room(port, look, plan)
    if plan.write or plan.surplus:
        _write(port, plan, note)
    if plan.commit:
        with _then("The board starts the old or the new firmware; `rheo info` tells which."):
            _commit(port, plan)
    port = _restart(port, emulated, plan.slot.hash, note)
    if plan.stale:
        with _then("The new firmware is on the board and runs; only what it replaced was not removed."):
            mpremote.run_scripts(port, [device_scripts.sweep(plan.stale)])
    return port


def make_plan(port, board=None):
    """(what LOOK told, Plan) for the board on `port`, which is left at its REPL. board: its name, if it told.

    Raises Incompatible `frozen`, `old_micropython`, `unknown_board`, `mpy`.
    """
    entries = [*slots.ENTRIES, *(path + slots.NEW for path in slots.ENTRIES)]
    look = mpremote.evaluate(port, device_scripts.look(entries))
    if look["frozen"]:
        raise frozen(port)
    if look["version"] < tuple(map(int, firmware_files.OLDEST_MICROPYTHON.split("."))):
        raise Incompatible(
            "old_micropython",
            f"The board on {port} runs MicroPython {'.'.join(map(str, look['version']))}; the firmware needs "
            f"{firmware_files.OLDEST_MICROPYTHON} or newer.",
            "`rheo flash` writes this rheo's image.",
        )
    board = board or (look["build"] and look["build"][1])  # what lies on it says so, though it does not answer
    if board and board not in boards.names():
        raise _unknown(port, board)
    slot = slots.make(board or boards.chosen(), look["mpy"])
    there = {}
    if slot.folder.rpartition("/")[2] in look["slots"]:
        there = mpremote.evaluate(port, device_scripts.hashes(slot.folder))
    return look, Plan(look, slot, there)


def frozen(port):
    return Incompatible(
        "frozen",
        f"The firmware of the board on {port} is frozen into its image: flash instead.",
        "`rheo flash` writes a new image.",
    )


def _unknown(port, board):
    return Incompatible(
        "unknown_board",
        f"The board on {port} says that it is a {printable(str(board))}, which this rheo does not know: the firmware "
        "of another board would drive other pins.",
        "Deploy from a rheo that has its description. If it is something else: docs/deploy.md, `Which board`.",
    )


def _stop_and_ask(port, emulated, note):
    """INFO of the board once its output is confirmed off; None if no firmware of this wire version answers."""
    try:
        with greeting.open_board(port, emulated) as board:
            halt(board.client)
            return board.info
    except Incompatible as error:
        if error.code == "no_firmware":
            return None  # plain MicroPython at its prompt
        _stop_stranger(port, emulated)  # firmware of ours, older or newer: it may be running a session
        note(f"{error.message} Its output was stopped, and is confirmed off.")
        return None
    except DeviceLost as error:
        if error.code != "no_answer":
            raise
        return None  # it may stand in a broken main.py: mpremote interrupts that


def _stop_stranger(port, emulated):
    """Stop a board that speaks another version: `stop` and Ctrl-C are the same in all. DeviceLost `not_confirmed`."""
    from rheobase.link.client import Client
    from rheobase.link.transport import SerialTransport

    client = Client(SerialTransport(port), greeting.EMULATED_SCALE if emulated else 1.0)
    with contextlib.closing(client):
        halt(client)


def _make_room(port, look, plan):
    """The plan, with room for it: deploys that were cut short are removed if need be. HostError `board_full`."""
    with _then(_UNHARMED):
        if plan.leftover and plan.blocks(look["block"]) > look["free"]:
            mpremote.run_scripts(port, [device_scripts.sweep(plan.leftover)])
            look, plan = make_plan(port, plan.slot.board)
        short = plan.blocks(look["block"]) - look["free"]
        if short > 0:
            kib = short * look["block"] // 1024
            fix = f"Remove files of your own: mpremote connect {port} fs rm"
            raise HostError("board_full", f"The board's file system is full: {kib} KiB are missing.", fix)
    return plan


def _write(port, plan, note):
    """Write what is missing in the slot and compare every file of it by its hash; nothing of the old is touched."""
    with _then(_UNHARMED):
        size = sum(map(len, plan.write.values()))
        note(f"Writing {len(plan.write)} files, {size / 1000:.0f} kB, beside the firmware that is there.")
        check = device_scripts.hashes(plan.slot.folder, plan.new)
        scripts = [*device_scripts.write(plan.write, plan.surplus), check]
        there = mpremote.literal(port, mpremote.run_scripts(port, scripts, timeout_s=mpremote.TIMEOUT_S + size / 200))
        wrong = sorted(path for path in plan.whole if there.get(path) != plan.whole[path])
        if wrong:
            message = f"The board did not keep what was written: {', '.join(wrong)}."
            raise HostError("not_written", message, "If it happens again, its flash is worn: use another board.")


def _commit(port, plan):
    """boot.py stands for itself: it is renamed first. main.py names the slot: from its rename on the new one starts."""
    pairs = list(zip(plan.new, plan.commit, strict=True))
    mpremote.run_scripts(port, [device_scripts.rename(pairs)])


@contextlib.contextmanager
def _then(words):
    """What holds about the board, behind whatever goes wrong in here."""
    try:
        yield
    except RheoError as error:
        error.message = f"{error.message.rstrip('.')}. {words}"
        error.args = (error.message,)
        raise


def _restart(port, emulated, expected, note):
    """Reset the board and greet it; its firmware must be the one that was written. Its port, which may be another."""
    scale = greeting.EMULATED_SCALE if emulated else 1.0
    before, serial = port, discovery.serial_at(port)  # a reset may renumber the port
    mpremote.run(port, "reset")
    until = time.monotonic() + RESET_S * scale
    while True:
        time.sleep(0.3)  # a real port goes and comes back
        now = discovery.port_of(serial) if serial else port
        late = time.monotonic() > until
        if now or late:  # as long as it is nowhere, its old port may be another board's
            port = now or port
            found = discovery.try_port(port, emulated)
            if found.info or late or found.problem.code in ("no_firmware", "wire_mismatch"):
                break
    if serial and found.info and found.info["serial"].lower() != serial.lower():
        message = f"The files are on the board, but it did not come back: on {port} is another board now."
        raise HostError("not_started", message, "Unplug it, plug it in again; `rheo info` tells.")
    if not found.info:
        message = f"The files are on the board, but it does not start: {found.problem.message}"
        raise HostError("not_started", message, "Unplug it, plug it in again; `rheo info` tells.")
    if found.info["firmware"]["hash"] != expected:
        raise Incompatible("not_taken", "The board runs another firmware than the one written.", "Deploy again.")
    if port != before:
        note(f"The board came back at {port}.")
    return port
