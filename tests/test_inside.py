"""What an image says of itself is read where it says it, and no damage of it can do harm."""

import random
import struct

import pytest
from flash_files import bootable
from rheobase import image
from rheobase.image import firmware_files, inside


def test_the_boards_image_names_its_board_its_firmware_and_micropython(board_image):
    found = image.ensure("RHEO_PICO")
    said = inside.read(board_image.read_bytes())
    assert (said.board, said.firmware_hash) == ("RHEO_PICO", firmware_files.firmware_hash("RHEO_PICO"))
    assert said.micropython and said.version == "v" + found.micropython
    assert said.describe().startswith("Rheobase ") and inside.boots(board_image.read_bytes())


def test_a_stock_image_is_micropython_for_a_pico_without_ours(stock_image):
    said = inside.read(stock_image.read_bytes())
    assert said.micropython and not said.ours
    assert said.describe().endswith("for the board pico; no Rheobase firmware is inside")


def test_two_different_marks_are_none():
    marks = b"\0rheobase:A:1:0123456789abcdef\0rheobase:B:1:0123456789abcdef\0"
    assert not inside.read(bootable(5000, marks)).ours
    assert inside.read(bootable(5000, marks[:31] * 2)).board == "A"


@pytest.mark.parametrize("bit", [0, 999, 252 * 8 - 1, 255 * 8])
def test_one_wrong_bit_in_the_boot_stage_and_nothing_boots(bit):
    flash = bytearray(bootable(1000))
    assert inside.boots(bytes(flash))
    flash[bit // 8] ^= 1 << bit % 8
    assert not inside.boots(bytes(flash))


def test_pointers_that_lead_anywhere_are_not_followed_out_of_the_image():
    draw = random.Random(5)
    for _ in range(300):
        words = [draw.choice((0x10000000 + draw.randrange(2000), draw.getrandbits(32))) for _ in range(3)]
        header = struct.pack("<5I", 0x7188EBF2, *words, 0xE71AA390)
        flash = bytes(256) + header + draw.randbytes(draw.randrange(1500))
        assert isinstance(inside.read(flash).describe(), str)
    assert inside.read(b"").describe() == "a program without a name; no Rheobase firmware is inside"
