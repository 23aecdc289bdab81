"""Flashing: the right volume or none, the whole file or an error. Volumes are real folders."""

import errno
import os
import resource
import shutil

import pytest
from rheobase import flash
from rheobase.errors import DeviceLost, HostError, UsageError
from rheobase.image import uf2

IMAGE = uf2.from_bin(bytes(range(250)) * 800)


def volume(tmp_path, name="RPI-RP2", board="RPI-RP2"):
    folder = tmp_path / name
    folder.mkdir()
    (folder / "INFO_UF2.TXT").write_text(f"UF2 Bootloader v3.0\r\nModel: Raspberry Pi RP2\r\nBoard-ID: {board}\r\n")
    return folder


@pytest.fixture
def image(tmp_path):
    path = tmp_path / "firmware.uf2"
    path.write_bytes(IMAGE)
    return path


def test_the_file_arrives_whole_and_the_result_names_it(tmp_path, image):
    target, seen = volume(tmp_path), []
    result = flash.flash(image, target, progress=lambda done, total: seen.append((done, total)))
    assert (target / "RHEOBASE.UF2").read_bytes() == IMAGE
    assert set(result) == {"uf2", "sha256", "volume", "serial", "firmware"}
    assert result["volume"] == str(target)
    assert len(result["sha256"]) == 64
    assert seen[0] == (0, len(IMAGE)) and seen[-1] == (len(IMAGE), len(IMAGE))
    assert seen == sorted(seen)


def test_every_chunk_is_on_the_volume_before_the_next(tmp_path, image, monkeypatch):
    target, synced = volume(tmp_path), []
    real = os.fsync
    monkeypatch.setattr(os, "fsync", lambda fd: (synced.append(os.fstat(fd).st_size), real(fd)))
    flash.flash(image, target)
    assert synced == [*range(65536, len(IMAGE), 65536), len(IMAGE)]


def test_dry_run_checks_everything_and_writes_nothing(tmp_path, image):
    target = volume(tmp_path)
    assert flash.flash(image, target, dry_run=True)["volume"] == str(target)
    assert [p.name for p in target.iterdir()] == ["INFO_UF2.TXT"]


def test_a_broken_file_is_refused_before_the_volume_is_touched(tmp_path, image):
    target = volume(tmp_path)
    image.write_bytes(IMAGE[:-512])
    with pytest.raises(UsageError):
        flash.flash(image, target)
    assert [p.name for p in target.iterdir()] == ["INFO_UF2.TXT"]


def test_the_one_rp2040_is_found_among_other_volumes(tmp_path):
    right = volume(tmp_path)
    stick = tmp_path / "stick"
    stick.mkdir()
    others = [stick, volume(tmp_path, "feather", "SAMD21G18A-Feather-v0"), tmp_path / "gone"]
    assert flash.find_volume(candidates=[*others, right]) == right


def test_no_volume_says_how_to_get_one(tmp_path):
    with pytest.raises(DeviceLost) as caught:
        flash.find_volume(candidates=[tmp_path])
    assert caught.value.exit_code == 3
    assert "BOOTSEL" in caught.value.hint


def test_several_volumes_are_listed(tmp_path):
    found = [volume(tmp_path, "one"), volume(tmp_path, "two")]
    with pytest.raises(DeviceLost) as caught:
        flash.find_volume(candidates=found)
    assert caught.value.code == "several_volumes"
    assert all(str(path) in caught.value.message for path in found)
    assert flash.find_volume(found[1], candidates=found) == found[1]


@pytest.mark.parametrize("named", [True, False])
def test_an_rp2350_is_refused_by_name(tmp_path, named):
    other = volume(tmp_path, "RP2350", "RP2350")
    with pytest.raises(DeviceLost, match="RP2350") as caught:
        flash.find_volume(other if named else None, candidates=[other])
    assert caught.value.code == "wrong_volume"


@pytest.mark.parametrize("name", ["plain", "absent"])
def test_a_folder_that_is_no_boot_loader_is_refused(tmp_path, name):
    (tmp_path / "plain").mkdir()
    with pytest.raises(DeviceLost) as caught:
        flash.find_volume(tmp_path / name)
    assert caught.value.code == "no_volume"


def test_a_volume_that_is_really_too_small_is_said_and_left_clean(tmp_path, image):
    target = volume(tmp_path)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(HostError) as caught:
            flash.flash(image, target)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert caught.value.code == "volume_full"
    assert caught.value.exit_code == 8
    assert not (target / "RHEOBASE.UF2").exists()


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.ENOSPC, "volume_full"),
        (errno.EROFS, "volume_read_only"),
        (errno.EACCES, "volume_denied"),
        (errno.EIO, "volume_error"),  # and the volume is still there
    ],
)
def test_an_error_of_the_volume_is_a_sentence(tmp_path, image, monkeypatch, number, code):
    def fail(fd):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fail)
    target = volume(tmp_path)
    with pytest.raises(HostError) as caught:
        flash.flash(image, target)
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


def test_a_volume_that_vanishes_in_the_middle_is_a_lost_board(tmp_path, image, monkeypatch):
    target = volume(tmp_path)
    vanish_at(monkeypatch, target, 131072)
    with pytest.raises(DeviceLost) as caught:
        flash.flash(image, target)
    assert caught.value.code == "volume_lost"
    assert f"131072 of {len(IMAGE)} bytes" in caught.value.message


def test_a_volume_that_vanishes_with_the_last_block_is_a_board_that_has_started(tmp_path, image, monkeypatch):
    target = volume(tmp_path)
    vanish_at(monkeypatch, target, len(IMAGE))
    assert flash.flash(image, target)["volume"] == str(target)
