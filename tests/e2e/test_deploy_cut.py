"""`rheo deploy` and a power cut: at every operation of the flash chip, and inside it, one whole firmware is there.

Real mpremote, real stock image, real littlefs on the emulated flash. Of every state the host's littlefs (2.11) reads
what the board would start, of a drawn sample the board's own (2.8); the two sides of the commit are really started.
"""

import binascii
import random

import littlefs_image
import pytest
from dut import Dut
from flash_journal import Journalled
from littlefs_image import START
from rheobase import deploy, mpremote, slots
from rheobase.emulator import EmulatedBoard, rawrepl
from rheobase.image import firmware_files

pytestmark = pytest.mark.slow

ARMV6M = 0x1306  # sys.implementation._mpy of MicroPython 1.25 on an RP2040
OF_OTHERS = {"/calibration.json": b'{"1": 1.02}' * 30, "/notes.txt": b"mine", "/lib/mine.py": b"X = 1\n"}
DRAWN = 5  # states that the board's own littlefs reads
AFRESH = """
import vfs, rp2
vfs.umount('/')
vfs.mount(vfs.VfsLfs2(rp2.Flash(), progsize=256), '/')
"""
CHECKSUMS = """
from binascii import crc32
part = bytearray(4096)
def checksum(path):
    n = 0
    with open(path, 'rb') as f:
        while True:
            k = f.readinto(part)
            if not k:
                return n
            n = crc32(memoryview(part)[:k], n)
print([checksum(path) for path in %r])
"""


def on_board(slot):
    """{path: content} of a board that runs this slot."""
    return slot.files | slot.entries


@pytest.fixture(scope="module")
def story(stock_image, tmp_path_factory):
    """(slot of the old firmware, slot of the new, flash before, operations, flash after) of one deploy."""
    folder = tmp_path_factory.mktemp("cut")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RHEO_RUNTIME", str(folder / "runtime"))
        files = firmware_files.read_files("RHEO_PICO")
        older = {**files, "boot.py": files["boot.py"] + b"\n# older\n"}
        older["lib/rheorp2/dac.py"] += b"\n_OLDER = 1\n"
        patch.setattr(firmware_files, "read_files", lambda board: dict(older))
        old = slots.make("RHEO_PICO", ARMV6M)
        patch.setattr(firmware_files, "read_files", lambda board: dict(files))
        new = slots.make("RHEO_PICO", ARMV6M)
        before = littlefs_image.formatted({**on_board(old), **OF_OTHERS})
        (folder / "flash").write_bytes(before)
        board = Journalled(stock_image, folder / "flash", folder / "journal")

        run = mpremote.run_scripts

        def run_scripts(port, scripts, *options, **more):
            said = run(port, scripts, *options, **more)
            if "def sweep" in scripts[0]:
                board.stop()  # all is done: what is left is one more start, which takes long here
            return said

        patch.setattr(mpremote, "run_scripts", run_scripts)
        try:
            data = deploy.deploy(board.pty, lambda text: None, emulated=True)
            operations = board.operations()
        finally:
            board.stop()
    assert (data["from"], data["to"]) == (old.hash, new.hash)
    return old, new, before, operations, (folder / "flash").read_bytes()


def states(before, operations):
    """(name, flash) after each operation and, half done, inside it; the flash is one bytearray that is changed."""
    flash = bytearray(before)
    yield "before", flash
    for n, (name, at, what) in enumerate(operations):
        if name == "erase":
            half, whole = b"\xff" * (what // 2), b"\xff" * what
        else:
            old = flash[at : at + len(what)]
            whole = bytes(a & b for a, b in zip(old, what, strict=True))
            half = whole[: len(whole) // 2]
        flash[at : at + len(half)] = half
        yield f"in {name} {n}", flash
        flash[at : at + len(whole)] = whole
        yield f"after {name} {n}", flash


def firmware_in(flash, old, new):
    """The slot that a board with this flash starts. AssertionError unless all of it is whole, and all of others'."""
    fs = littlefs_image.mounted(flash)
    main = littlefs_image.read(fs, "/main.py")
    [slot] = [slot for slot in (old, new) if main == slot.entries["/main.py"]]
    assert littlefs_image.read(fs, "/boot.py") in (old.entries["/boot.py"], new.entries["/boot.py"])
    for path, content in {**slot.files, **OF_OTHERS}.items():
        assert littlefs_image.read(fs, path) == content, path
    return slot


@pytest.fixture(scope="module")
def every(story):
    """Of each state the slot that it starts."""
    old, new, before, operations, after = story
    found = []
    for name, flash in states(before, operations):
        try:
            found.append(firmware_in(flash, old, new))
        except Exception as error:
            raise AssertionError(f"{name} of {len(operations)}: {error!r}") from error
    assert flash[START:] == after[START:]  # the journal is all that happened
    return found


@pytest.mark.req("REQ-037")
def test_every_cut_leaves_the_old_firmware_or_the_new_one_whole(story, every):
    old, new, _, operations, _ = story
    assert all(at >= START for _, at, _ in operations)  # in the file system, nowhere else
    commit = every.index(new)
    assert commit > 0 and every == [old] * commit + [new] * (len(every) - commit)


def test_what_is_left_at_the_end_is_the_new_slot_the_two_entries_and_what_others_put_there(story):
    _, new, _, _, after = story
    fs = littlefs_image.mounted(bytearray(after))
    found = {f"{folder.rstrip('/')}/{name}" for folder, _, names in fs.walk("/") for name in names}
    assert found == {*on_board(new), *OF_OTHERS}


def starts(stock_image, flash, path):
    """Hash of the firmware that greets when the stock image starts with this flash."""
    path.write_bytes(flash)
    dut = Dut(stock_image, flash=path)
    try:
        return dut.greet()["firmware"]["hash"]
    finally:
        dut.board.close()


def test_the_board_really_starts_the_old_one_before_the_commit_and_the_new_one_after_it(
    story, every, stock_image, tmp_path
):
    _, new, before, operations, _ = story
    commit = every.index(new)
    for n, (name, flash) in enumerate(states(before, operations)):
        if n in (commit - 1, commit):
            assert starts(stock_image, flash, tmp_path / "flash") == every[n].hash, name


def test_the_boards_own_file_system_reads_the_same(story, every, stock_image):
    """Mounted anew on one board that runs all the time: every file of the slot, the entries, what others put there."""
    _, new, before, operations, _ = story
    commit = every.index(new)
    drawn = random.Random(6).sample([n for n in range(1, len(every)) if n not in (commit - 1, commit)], DRAWN)
    board = EmulatedBoard(stock_image)
    board.boot()
    rawrepl.enter(board)
    for n, (name, flash) in enumerate(states(before, operations)):
        if n in drawn:
            board.mcu.flash[START : len(flash)] = bytes(flash[START:])
            wanted = {**every[n].files, "/main.py": every[n].entries["/main.py"], **OF_OTHERS}
            said = rawrepl.run(board, AFRESH + CHECKSUMS % list(wanted))
            assert said.strip() == str([binascii.crc32(content) for content in wanted.values()]), name
    board.close()
