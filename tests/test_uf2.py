"""UF2: what we write is what the boot ROM takes, and nothing that is broken or for another chip gets through."""

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rheobase.errors import UsageError
from rheobase.image import uf2

IMAGE = bytes(range(256)) * 3 + b"tail"


def changed(index, offset, value):
    """The UF2 of IMAGE with one 32-bit word of block `index` replaced."""
    data = bytearray(uf2.from_bin(IMAGE))
    struct.pack_into("<I", data, index * 512 + offset, value)
    return bytes(data)


def test_first_block_is_the_format_byte_by_byte():
    block = uf2.from_bin(b"\xaa" * 256)
    assert block[:32].hex() == "5546320a57515d9e002000000000001000010000000000000100000056ff8be4"
    assert block[32:288] == b"\xaa" * 256
    assert block[288:508] == bytes(220)
    assert block[508:].hex() == "306fb10a"
    assert len(block) == 512


@settings(max_examples=50, deadline=None)
@given(st.binary(min_size=1, max_size=3000))
def test_what_is_wrapped_unwraps_to_the_same_image_filled_to_whole_pages(image):
    back = uf2.to_bin(uf2.from_bin(image))
    assert back[: len(image)] == image
    assert back[len(image) :] == bytes(-len(image) % 256)


@pytest.mark.parametrize(
    ("data", "code", "says"),
    [
        (b"", "bad_uf2", "empty"),
        (uf2.from_bin(IMAGE)[:-1], "bad_uf2", "cut short"),
        (uf2.from_bin(IMAGE)[:-512], "bad_uf2", "promises 4 blocks, the file holds 3"),
        (changed(0, 0, 0), "bad_uf2", "block 0 lacks the UF2 marks"),
        (changed(1, 4, 0), "bad_uf2", "block 1 lacks the UF2 marks"),
        (changed(3, 508, 0), "bad_uf2", "block 3 lacks the UF2 marks"),
        (changed(0, 8, 0), "wrong_chip", "does not say for which chip"),
        (changed(0, 8, 0x2001), "bad_uf2", "flags"),
        (changed(2, 12, 0x20000000), "bad_uf2", "not flash"),
        (changed(2, 12, 0x11000000), "bad_uf2", "not flash"),
        (changed(2, 12, 0x10000100), "bad_uf2", "again or backwards"),
        (changed(2, 12, 0x10000300), "bad_uf2", "leaves a hole before 0x10000300"),
        (changed(0, 12, 0x10000100), "bad_uf2", "nothing would boot"),
        (changed(2, 12, 0x10000210), "bad_uf2", "not a page"),
        (changed(1, 16, 476), "bad_uf2", "writes 476 bytes"),
        (changed(2, 20, 1), "bad_uf2", "out of order"),
        (changed(3, 24, 5), "bad_uf2", "promises 5 blocks"),
        (changed(0, 28, 0xE48BFF59), "wrong_chip", "an RP2350, not for an RP2040"),
        (changed(2, 28, 0x12345678), "wrong_chip", "0x12345678"),
        (b"MZ" + bytes(510), "bad_uf2", "lacks the UF2 marks"),
    ],
)
def test_a_file_that_cannot_be_right_is_refused_with_a_sentence(data, code, says):
    with pytest.raises(UsageError) as caught:
        uf2.to_bin(data, "x.uf2")
    assert caught.value.code == code
    assert says in caught.value.message
    assert "x.uf2" in caught.value.message


@pytest.mark.parametrize("arguments", [(b"",), (b"x", 0x20000000), (b"x", 0x10000001)])
def test_wrapping_what_cannot_be_flashed_is_a_bug_not_a_file(arguments):
    with pytest.raises(ValueError, match="cannot wrap"):
        uf2.from_bin(*arguments)
