"""`rheo flash` with all real but the boot ROM: real files, real mpremote, the real image booted from what arrived.

The stand-in for the boot ROM does what the real one does: it takes its volume away at the last block and starts what
is in flash.
"""

import json
import os
import shutil
import threading
import time

import pytest
from flash_files import volume
from rheobase import boards, comeback, discovery, image, mpremote
from rheobase.cli.main import main
from rheobase.emulator import launch, register
from rheobase.image import firmware_files, uf2

SERIAL = "e660583883724a32"


class BootRom:
    """A board in BOOTSEL at the folder `volume`. change(image) -> what the flash holds in the end (default: image)."""

    def __init__(self, parent, change=lambda image: image, starts=True):
        self.volume = volume(parent)
        self.change, self.starts = change, starts
        self.board = None
        self._over = False
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self):
        target = self.volume / "RHEOBASE.UF2"
        while not self._over:
            data = target.read_bytes() if target.exists() else b""
            if data and len(data) // 512 == int.from_bytes(data[24:28], "little"):
                break
            time.sleep(0.02)
        else:
            return
        flash = self.volume.parent / "flash.bin"
        flash.write_bytes(self.change(uf2.to_bin(data)))
        shutil.rmtree(self.volume)
        if self.starts:
            self.board = launch.start(image_bin=flash, serial=SERIAL)

    def end(self):
        self._over = True
        self._thread.join()
        if self.board:
            self.board.stop()


@pytest.fixture
def rheo(tmp_path, monkeypatch, capsys):
    """rheo(*words) -> (exit code, envelope, stderr), with no other board, record or setting of this user's."""
    for name in ("RHEO_RUNTIME", "RHEO_DATA", "RHEO_CONFIG"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    monkeypatch.delenv("RHEO_PORT", raising=False)
    monkeypatch.setattr(discovery, "_usb_ports", lambda: [])

    def call(*words):
        capsys.readouterr()
        code = main(["--json", "flash", "--yes", *map(str, words)])
        out, err = capsys.readouterr()
        return code, json.loads(out), err

    return call


@pytest.fixture
def rom(tmp_path):
    """rom(**options) -> BootRom."""
    made = []

    def make(**options):
        made.append(BootRom(tmp_path, **options))
        return made[-1]

    yield make
    for one in made:
        one.end()


@pytest.mark.req("REQ-036")
def test_a_board_is_done_when_its_flash_reads_back_the_same_and_its_firmware_answers(rheo, rom, board_image):
    chip = rom()
    with launch.start(image_bin=board_image) as other:  # it was there before, so it is not the one
        code, envelope, said = rheo("--volume", chip.volume)
        assert code == 0, envelope
        data = envelope["data"]
        assert set(data) == {"uf2", "sha256", "volume", "serial", "firmware"}
        assert data["serial"] == SERIAL != other.serial
        assert data["firmware"]["hash"] == firmware_files.firmware_hash(boards.chosen())
        assert f"be sure that it is a {boards.chosen()}" in said
        assert discovery.try_port(chip.board.pty).state == "idle"


@pytest.mark.req("REQ-036")
def test_a_board_that_boots_and_answers_but_holds_one_other_byte_is_not_called_good(rheo, rom):
    def change(flash):
        at = flash.index(b'Type "help()" for more information')
        return flash[:at] + b"t" + flash[at + 1 :]

    code, envelope, _ = rheo("--volume", rom(change=change).volume)
    assert code == 4
    assert envelope["errors"][0]["code"] == "not_taken"
    assert "its flash is not what was written" in envelope["errors"][0]["message"]


def test_a_board_that_does_not_come_back_is_not_called_good(rheo, rom, monkeypatch):
    monkeypatch.setattr(comeback, "_wait", lambda *a, wait=comeback._wait: wait(*a[:-1], 1.0))
    code, envelope, _ = rheo("--volume", rom(starts=False).volume)
    assert code == 3
    assert envelope["errors"][0]["code"] == "not_back"
    assert "what runs now is not known" in envelope["errors"][0]["message"]


def test_a_running_board_goes_to_bootsel_and_comes_back_as_itself(rheo, rom, board_image, monkeypatch):
    board = launch.start(image_bin=board_image, serial=SERIAL)
    chips = []
    real = mpremote.run

    def run(port, *words, **options):
        output = real(port, *words, **options)
        if words == ("bootloader",):  # an emulated board resets there; a real one is gone from its port
            board.stop()
            chips.append(rom())
        return output

    monkeypatch.setattr(mpremote, "run", run)
    monkeypatch.setattr("rheobase.bootsel.mount_points", lambda: [chip.volume for chip in chips])
    code, envelope, _ = rheo("--bootloader", "--dry-run", "--port", board.pty)
    assert (code, envelope["data"]["volume"], chips) == (0, None, [])
    code, envelope, said = rheo("--bootloader", "--port", board.pty)
    assert code == 0, envelope
    assert envelope["data"]["serial"] == SERIAL
    assert "Output off, board in BOOTSEL" in said
    assert [entry.serial for entry in register.list_boards()] == [SERIAL]


def test_stock_micropython_is_proved_too_and_said_to_be_bare(rheo, rom, stock_image):
    stock = image.which("RPI_PICO")
    code, envelope, said = rheo("--uf2", stock.path, "--volume", rom().volume)
    assert code == 0, envelope
    assert (envelope["data"]["serial"], envelope["data"]["firmware"]) == (SERIAL, None)
    assert "as recorded in the cache" in said and "rheo deploy" in said


def test_a_dry_run_changes_nothing(rheo, rom, tmp_path):
    target = rom().volume
    code, envelope, _ = rheo("--dry-run", "--volume", target)
    assert code == 0
    assert envelope["data"]["volume"] == str(target)
    assert os.listdir(target) == ["INFO_UF2.TXT"]
