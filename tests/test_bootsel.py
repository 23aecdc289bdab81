"""BOOTSEL volumes: the right one or none, on three systems. Volumes are real folders, tables real bytes."""

import errno
import os

import pytest
from flash_files import volume
from rheobase import bootsel
from rheobase.errors import DeviceLost

MOUNTS = rb"""sysfs /sys sysfs rw 0 0
/dev/sda1 /boot/efi vfat rw,relatime 0 0
/dev/sdb1 /media/J\303\266rg\040B/RPI-RP2 vfat rw 0 0
/dev/sdc1 /mnt/back\134slash fuseblk rw 0 0
10.0.0.2:/x /net nfs rw 0 0
damaged
"""


def test_the_one_rp2040_is_found_among_other_volumes(tmp_path):
    right = volume(tmp_path)
    stick = tmp_path / "stick"
    stick.mkdir()
    others = [stick, volume(tmp_path, "feather", "SAMD21G18A-Feather-v0"), tmp_path / "gone"]
    assert bootsel.find(candidates=[*others, right]) == right


def test_no_volume_says_how_to_get_one(tmp_path):
    with pytest.raises(DeviceLost) as caught:
        bootsel.find(candidates=[tmp_path], label=tmp_path / "none")
    assert caught.value.exit_code == 3
    assert "BOOTSEL" in caught.value.hint


def test_a_board_whose_volume_nobody_mounted_is_told_from_no_board(tmp_path):
    label = tmp_path / "RPI-RP2"
    label.touch()
    with pytest.raises(DeviceLost, match="not mounted") as caught:
        bootsel.find(candidates=[], label=label)
    assert caught.value.code == "not_mounted" and str(label) in caught.value.hint


def test_several_volumes_are_listed(tmp_path):
    found = [volume(tmp_path, "one"), volume(tmp_path, "two")]
    with pytest.raises(DeviceLost) as caught:
        bootsel.find(candidates=found)
    assert caught.value.code == "several_volumes"
    assert all(str(path) in caught.value.message for path in found)
    assert bootsel.find(found[1], candidates=found) == found[1]


@pytest.mark.parametrize("named", [True, False])
def test_an_rp2350_is_refused_by_name(tmp_path, named):
    other = volume(tmp_path, "RP2350", "RP2350")
    with pytest.raises(DeviceLost, match="RP2350") as caught:
        bootsel.find(other if named else None, candidates=[other])
    assert caught.value.code == "wrong_volume"


@pytest.mark.parametrize("name", ["plain", "absent"])
def test_a_folder_that_is_no_boot_loader_is_refused(tmp_path, name):
    (tmp_path / "plain").mkdir()
    with pytest.raises(DeviceLost) as caught:
        bootsel.find(tmp_path / name)
    assert caught.value.code == "no_volume"


def test_a_folder_that_may_not_be_entered_is_no_volume(tmp_path, monkeypatch):
    real = os.stat

    def stat(path, *rest, **options):
        if "closed" in str(path):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return real(path, *rest, **options)

    monkeypatch.setattr(os, "stat", stat)
    with pytest.raises(DeviceLost) as caught:
        bootsel.find(tmp_path / "closed" / "RPI-RP2")
    assert caught.value.code == "no_volume"


def test_linux_mounts_are_read_with_blanks_and_umlauts_in_their_names():
    assert bootsel.fat_mounts(MOUNTS) == ["/boot/efi", "/media/Jörg B/RPI-RP2", "/mnt/back\\slash"]


def test_windows_drives_are_those_that_are_there_but_no_floppy():
    assert bootsel.windows_drives(lambda root: root in ("A:\\", "C:\\", "E:\\")) == ["C:\\", "E:\\"]


def test_the_volume_that_appears_is_taken_and_not_the_one_that_was_there(tmp_path, monkeypatch):
    old = volume(tmp_path, "old")
    looks = iter([[old], [old], [old, volume(tmp_path, "new")]])
    monkeypatch.setattr(bootsel, "mount_points", lambda: next(looks))
    assert bootsel.wait([old]) == tmp_path / "new"


def test_a_volume_that_comes_back_under_its_old_name_has_appeared(tmp_path, monkeypatch):
    old = volume(tmp_path)
    looks = iter([[], [old]])
    monkeypatch.setattr(bootsel, "mount_points", lambda: next(looks))
    assert bootsel.wait([old]) == old


def test_two_volumes_that_appear_at_once_are_an_error(tmp_path, monkeypatch):
    both = [volume(tmp_path, "one"), volume(tmp_path, "two")]
    monkeypatch.setattr(bootsel, "mount_points", lambda: both)
    with pytest.raises(DeviceLost) as caught:
        bootsel.wait([])
    assert caught.value.code == "several_volumes"


def test_a_volume_that_does_not_appear_is_said(tmp_path):
    with pytest.raises(DeviceLost, match="did not appear in 0 s"):
        bootsel.wait([], tmp_path / "absent", timeout_s=0.1)
