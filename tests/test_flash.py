"""Flashing: the whole file or an error. Volumes are real folders; what fails, fails for real where Linux lets it."""

import errno
import hashlib
import io
import os
import resource
import shutil
import subprocess
import sys
import threading

import pytest
from flash_files import OURS, UF2, volume
from rheobase import bootsel, flash, mpremote
from rheobase.cli.main import main
from rheobase.errors import DeviceLost, HostError, Incompatible, RheoError, UsageError
from rheobase.image import info, uf2

IMAGE = UF2


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("RHEO_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "firmware.uf2"
    path.write_bytes(IMAGE)
    return path


def write(file, target, progress=None):
    flash.write(flash.check(file), target, progress)


# -- the file ----------------------------------------------------------------------------------------------------


def test_a_checked_file_is_known_by_its_hash_its_image_and_what_it_is(file):
    checked = flash.check(file)
    assert checked.sha256 == hashlib.sha256(IMAGE).hexdigest()
    assert checked.image == uf2.to_bin(IMAGE)
    assert not checked.inside.ours and "no Rheobase firmware is inside" in checked.describe()
    assert "nothing to compare it with" in checked.describe()


def test_a_file_that_is_not_there_is_a_sentence(tmp_path):
    with pytest.raises(UsageError, match="cannot be read"):
        flash.check(tmp_path / "none.uf2")


def test_a_file_that_no_flash_could_hold_is_not_read_to_its_end():
    with pytest.raises(UsageError, match="larger than any UF2"):
        flash.check("/dev/zero")  # it has no end


def test_a_truncated_file_is_refused(file):
    file.write_bytes(IMAGE[:-512])
    with pytest.raises(UsageError, match="promises"):
        flash.check(file)


def test_an_image_that_the_boot_rom_would_not_start_is_refused(file):
    damaged = bytearray(uf2.to_bin(IMAGE))
    damaged[100] ^= 1
    file.write_bytes(uf2.from_bin(bytes(damaged)))
    with pytest.raises(UsageError, match="would not boot"):
        flash.check(file)


@pytest.mark.parametrize("line", ["{}  firmware.uf2", "{} *firmware.uf2", "00  other\n{}  firmware.uf2\n"])
def test_a_file_that_its_sums_vouch_for_says_so(file, line):
    (file.parent / "SHA256SUMS").write_text(line.format(hashlib.sha256(IMAGE).hexdigest()))
    assert "as SHA256SUMS beside it says" in flash.check(file).describe()


@pytest.mark.req("REQ-036")
def test_a_file_that_is_not_the_one_its_sums_name_is_refused(file):
    (file.parent / "SHA256SUMS").write_text(f"{'0' * 64}  firmware.uf2\n")
    with pytest.raises(UsageError, match="SHA256SUMS") as caught:
        flash.check(file)
    assert caught.value.code == "wrong_hash"


def test_sums_that_do_not_name_the_file_vouch_for_nothing(file):
    (file.parent / "SHA256SUMS").write_text(f"{hashlib.sha256(IMAGE).hexdigest()}  another.uf2\n")
    assert flash.check(file).compared == ""


def in_cache():
    record = {"board": "RHEO_PICO", "micropython": "1.25.0", "origin": "built from nothing"}
    return info.add("RHEO_PICO-x", IMAGE, uf2.to_bin(IMAGE), record).path


def test_a_copy_of_an_image_in_the_cache_is_known(file):
    in_cache()
    assert "as recorded in the cache, built from nothing" in flash.check(file).describe()


def test_an_image_in_the_cache_that_was_changed_since_is_refused():
    path = in_cache()
    path.write_bytes(OURS)
    with pytest.raises(UsageError, match="damaged"):
        flash.check(path)


@pytest.mark.req("REQ-036")
def test_another_boards_file_is_refused_and_what_is_not_known_is_not(file):
    flash.check_board(flash.check(file), "RHEO_PICO")
    file.write_bytes(OURS)
    flash.check_board(flash.check(file), "RHEO_PICO")
    with pytest.raises(Incompatible, match="is for RHEO_PICO; the board is a OTHER"):
        flash.check_board(flash.check(file), "OTHER")


# -- the volume --------------------------------------------------------------------------------------------------


def test_the_file_arrives_whole(tmp_path, file):
    target, seen = volume(tmp_path), []
    write(file, target, lambda done, total: seen.append((done, total)))
    assert (target / "RHEOBASE.UF2").read_bytes() == IMAGE
    assert seen[0] == (0, len(IMAGE)) and seen[-1] == (len(IMAGE), len(IMAGE))
    assert seen == sorted(seen)


def test_every_chunk_is_on_the_volume_before_the_next(tmp_path, file, monkeypatch):
    target, synced = volume(tmp_path), []
    real = os.fsync
    monkeypatch.setattr(os, "fsync", lambda fd: (synced.append(os.fstat(fd).st_size), real(fd)))
    write(file, target)
    assert synced == [*range(65536, len(IMAGE), 65536), len(IMAGE)]


def test_a_volume_with_too_little_room_is_refused_before_anything_is_written(tmp_path, file, monkeypatch):
    target = volume(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(1, 1, len(IMAGE) - 1))
    with pytest.raises(HostError, match=f"{len(IMAGE) - 1} bytes free"):
        write(file, target)
    assert [p.name for p in target.iterdir()] == ["INFO_UF2.TXT"]


def test_a_volume_that_fills_up_on_the_way_is_said_and_left_clean(tmp_path, file):
    target = volume(tmp_path)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(HostError) as caught:
            write(file, target)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert caught.value.code == "volume_full"
    assert caught.value.exit_code == 8
    assert not (target / "RHEOBASE.UF2").exists()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs Linux's full device")
def test_a_device_without_room_is_full(tmp_path, file):
    target = volume(tmp_path)
    (target / "RHEOBASE.UF2").symlink_to("/dev/full")
    with pytest.raises(HostError, match="is full"):
        write(file, target)


MOUNTED = """
import sys
from pathlib import Path
from rheobase import bootsel, flash
from rheobase.errors import RheoError
try:
    flash.write(flash.check(Path(sys.argv[1])), bootsel.find(Path(sys.argv[2])))
except RheoError as error:
    print(error.code)
"""


@pytest.mark.parametrize(("options", "code"), [("size=128k", "volume_full"), ("ro", "volume_read_only")])
def test_a_mounted_volume_that_is_full_or_read_only_is_said(tmp_path, file, options, code):
    probe = subprocess.run(["unshare", "-rm", "true"], capture_output=True)
    if probe.returncode:
        pytest.skip("needs a mount namespace of its own")
    target = volume(tmp_path)
    script = (
        'mount -t tmpfs none "$1" && echo "Board-ID: RPI-RP2" > "$1/INFO_UF2.TXT" && mount -o "remount,$2" "$1" && '
    )
    script += '"$3" -c "$4" "$5" "$1"'
    command = ["unshare", "-rm", "sh", "-c", script, "sh", str(target), options, sys.executable, MOUNTED, str(file)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert (done.stdout.strip(), done.stderr) == (code, "")


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.ENOSPC, "volume_full"),
        (errno.EROFS, "volume_read_only"),
        (errno.EACCES, "volume_denied"),
        (errno.EIO, "volume_error"),  # and the volume is still there
    ],
)
def test_an_error_of_the_volume_is_a_sentence(tmp_path, file, monkeypatch, number, code):
    def fail(fd):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fail)
    target = volume(tmp_path)
    with pytest.raises(HostError) as caught:
        write(file, target)
    assert caught.value.code == code
    assert str(target) in caught.value.message


def vanish_at(monkeypatch, target, size):
    """The volume goes away when `size` bytes have been written."""
    real = os.fsync

    def fsync(fd):
        if os.fstat(fd).st_size >= size:
            shutil.rmtree(target)
            raise OSError(errno.EIO, "Input/output error")
        real(fd)

    monkeypatch.setattr(os, "fsync", fsync)


def test_a_volume_that_vanishes_in_the_middle_is_a_lost_board(tmp_path, file, monkeypatch):
    target = volume(tmp_path)
    vanish_at(monkeypatch, target, 131072)
    with pytest.raises(DeviceLost) as caught:
        write(file, target)
    assert caught.value.code == "volume_lost"
    assert f"131072 of {len(IMAGE)} bytes" in caught.value.message


def test_a_volume_that_vanishes_without_an_error_of_the_system_is_noticed(tmp_path, file):
    target = volume(tmp_path)
    with pytest.raises(DeviceLost, match="131072 of"):
        write(file, target, lambda done, total: shutil.rmtree(target) if done == 65536 else None)


def test_a_volume_that_vanishes_with_the_last_block_is_left_to_the_boards_return(tmp_path, file, monkeypatch):
    vanish_at(monkeypatch, target := volume(tmp_path), len(IMAGE))
    write(file, target)


def error_at_the_end(monkeypatch, then):
    """The system's last answer is an I/O error; `then` happens to the volume a little later."""
    real = os.fsync

    def fsync(fd):
        if os.fstat(fd).st_size < len(IMAGE):
            return real(fd)
        threading.Timer(0.1, then).start()
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(bootsel, "_POLL_S", 0.02)


def test_a_volume_that_the_system_misses_a_moment_later_was_taken_by_the_boot_rom(tmp_path, file, monkeypatch):
    target = volume(tmp_path)
    error_at_the_end(monkeypatch, lambda: shutil.rmtree(target))
    write(file, target)


def test_an_error_at_the_end_of_a_volume_that_stays_is_an_error_and_says_how_the_board_is(tmp_path, file, monkeypatch):
    error_at_the_end(monkeypatch, lambda: None)
    monkeypatch.setattr(flash, "_LEAVES_S", 0.2)
    with pytest.raises(HostError, match=f"{len(IMAGE)} bytes are on it: the board will not start") as caught:
        write(file, volume(tmp_path))
    assert caught.value.code == "volume_error"


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM, errno.EINVAL])  # Windows' words for it
def test_a_volume_that_vanishes_is_lost_whatever_the_system_calls_it(tmp_path, file, monkeypatch, number):
    target = volume(tmp_path)

    def fsync(fd):
        shutil.rmtree(target)
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(DeviceLost, match="vanished after 65536"):
        write(file, target)


@pytest.mark.parametrize("what", ["unplugged", "another chip"])
def test_a_volume_that_went_away_at_the_question_takes_nothing(tmp_path, file, what):
    """Its mount point may still be a folder, where a file can be written and no board is."""
    target = volume(tmp_path)
    (target / "INFO_UF2.TXT").unlink()
    if what == "another chip":
        (target / "INFO_UF2.TXT").write_text("Board-ID: RP2350\n")
    with pytest.raises(DeviceLost, match="nothing was written") as caught:
        write(file, target)
    assert caught.value.code == "volume_lost" and not (target / "RHEOBASE.UF2").exists()


def test_ctrl_c_in_the_middle_says_what_is_now_on_the_board(tmp_path, file):
    def press(done, total):
        if done == 65536:
            raise KeyboardInterrupt

    target = volume(tmp_path)
    with pytest.raises(RheoError, match=f"after 65536 of {len(IMAGE)} bytes.*will not start") as caught:
        write(file, target, press)
    assert caught.value.exit_code == 130
    assert not (target / "RHEOBASE.UF2").exists()


# -- bringing a running board there ------------------------------------------------------------------------------


class Greeted:
    """Stands in for an opened board; what happens to it goes into `log`."""

    client = None

    def __init__(self):
        self.info = {"serial": "E6"}

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        pass


@pytest.fixture
def running(tmp_path, monkeypatch):
    """log of what is done to a running board; after the reset its volume is there."""
    log = []

    def run(port, *words):
        log.append(words)
        volume(tmp_path)

    monkeypatch.setattr("rheobase.link.greeting.open_board", lambda port: Greeted())
    monkeypatch.setattr("rheobase.halt.halt", lambda client: log.append("halt"))
    monkeypatch.setattr(mpremote, "run", run)
    monkeypatch.setattr(bootsel, "mount_points", lambda: [tmp_path / "RPI-RP2"])
    return log


@pytest.mark.req("REQ-038")
def test_output_is_off_before_a_board_leaves_for_bootsel(tmp_path, running):
    assert flash.enter_bootloader("port") == (tmp_path / "RPI-RP2", "E6")
    assert running == ["halt", ("bootloader",)]


@pytest.mark.req("REQ-038")
def test_a_board_that_does_not_confirm_its_stop_stays_where_it_is(running, monkeypatch):
    from rheobase import halt

    def refuse(client):
        raise halt.not_confirmed("port")

    monkeypatch.setattr(halt, "halt", refuse)
    with pytest.raises(DeviceLost, match="not confirmed: open the interlock"):
        flash.enter_bootloader("port")
    assert running == []


@pytest.mark.parametrize(
    ("code", "stopped"),
    [("no_firmware", []), ("wire_mismatch", ["stop"])],  # the second may have output on
)
def test_a_board_that_cannot_be_greeted_is_stopped_all_the_same_unless_nothing_of_ours_runs(
    running, monkeypatch, code, stopped
):
    def greet(port):
        raise Incompatible(code, code)

    monkeypatch.setattr("rheobase.link.greeting.open_board", greet)
    monkeypatch.setattr("rheobase.reach.stop", lambda port: running.append("stop") or [(port, {"confirmed": True})])
    assert flash.enter_bootloader("port")[1] is None
    assert running == [*stopped, ("bootloader",)]


def test_an_older_firmware_that_does_not_confirm_its_stop_stays_where_it_is(running, monkeypatch):
    from rheobase import halt

    def greet(port):
        raise Incompatible("wire_mismatch", "older")

    monkeypatch.setattr("rheobase.link.greeting.open_board", greet)
    monkeypatch.setattr("rheobase.reach.stop", lambda port: [(port, halt.not_confirmed(port))])
    with pytest.raises(DeviceLost, match="not confirmed"):
        flash.enter_bootloader("port")
    assert running == []


def test_the_volume_of_a_board_that_is_in_bootsel_already_is_not_taken_for_the_running_ones(tmp_path, running):
    with pytest.raises(DeviceLost, match="in BOOTSEL already"):
        flash.enter_bootloader("port", volume(tmp_path, "other"))
    assert running == []


# -- the question ------------------------------------------------------------------------------------------------


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_dry_run_does_not_promise_what_cannot_be_written(tmp_path, file, monkeypatch, capsys):
    target = volume(tmp_path)
    monkeypatch.setattr(os, "access", lambda path, mode: str(path) != str(target))
    words = ["flash", "--uf2", str(file), "--volume", str(target), "--dry-run"]
    assert main(words) == 8
    assert "may not be written by you" in capsys.readouterr().err


def test_an_empty_name_is_not_the_default_image(tmp_path, capsys):
    """`--uf2 "$FILE"` in a script, where FILE was never set."""
    assert main(["flash", "--uf2", "", "--volume", str(volume(tmp_path)), "--dry-run"]) == 2
    assert "cannot be read" in capsys.readouterr().err


def test_nothing_is_written_without_a_yes_and_the_question_says_what_where(tmp_path, file, monkeypatch, capsys):
    target = volume(tmp_path)
    monkeypatch.setattr(sys, "stdin", Terminal("n\n"))
    assert main(["flash", "--uf2", str(file), "--volume", str(target)]) == 5
    said = capsys.readouterr()
    assert f"Write firmware.uf2 to {target}? [y/N]" in said.err and "Nothing was written." in said.err
    assert "no Rheobase firmware is inside" in said.err and said.out == ""
    assert [p.name for p in target.iterdir()] == ["INFO_UF2.TXT"]
