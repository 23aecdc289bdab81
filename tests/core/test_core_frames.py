"""Frames: one line a message; damage of any kind is noticed; nothing on the line can be mistaken for Ctrl-C."""

import binascii

import pytest
from core.draw import JSON, PROPERTY, THOROUGH
from hypothesis import given
from hypothesis import strategies as st
from rheocore import frames

FINITE = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
MESSAGES = st.dictionaries(st.text(max_size=8), FINITE, max_size=5)


@THOROUGH
@given(MESSAGES)
def test_what_is_encoded_comes_back(message):
    line = frames.encode(message)
    assert frames.decode(line) == (message, None)
    assert frames.decode(line[:-1]) == (message, None)
    assert frames.decode(bytearray(line)) == (message, None)
    assert frames.decode(line[:-1] + b"\r\n") == (message, None)


@PROPERTY
@given(MESSAGES)
def test_a_frame_is_one_line_without_control_bytes(message):
    """So a newline resynchronises, and 0x03 stays an emergency stop."""
    line = frames.encode(message)
    assert line.endswith(b"\n") and all(32 <= byte < 127 for byte in line[:-1])


def test_the_letters_of_a_frame():
    text = b'{"jsonrpc":"2.0"}'
    assert frames.encode({"jsonrpc": "2.0"}) == text + b" %08x\n" % binascii.crc32(text)


LINE = frames.encode({"jsonrpc": "2.0", "id": 12, "method": "start", "params": {"token": 5, "channels": [1, 2]}})


@pytest.mark.req("REQ-080")
@pytest.mark.parametrize("place", range(len(LINE) - 1))
def test_any_one_byte_damaged_is_an_error_and_never_another_message(place):
    good = frames.decode(LINE)
    for flipped in {LINE[place] ^ 1 << bit for bit in range(8)} | {0, 3, 10, 32, 255}:
        line = LINE[:place] + bytes([flipped]) + LINE[place + 1 :]
        message, error = frames.decode(line)
        letter = place > LINE.rindex(b" ") and LINE[place] in b"abcdef" and flipped == LINE[place] ^ 32  # A-F for a-f
        same = letter or flipped == LINE[place]
        assert (message, error) == good if same else error in (frames.BAD_CRC, frames.PARSE)


@pytest.mark.parametrize("cut", range(len(LINE) - 1))
def test_a_frame_cut_anywhere_is_an_error(cut):
    assert frames.decode(LINE[:cut])[0] is None
    assert frames.decode(LINE[len(LINE) - 1 - cut :])[0] is None


@THOROUGH
@given(st.binary(max_size=80))
def test_garbage_is_an_error_and_raises_nothing(line):
    message, error = frames.decode(line)
    assert message is None and error in (frames.BAD_CRC, frames.PARSE)


@THOROUGH
@given(st.binary(max_size=40) | JSON.map(repr).map(str.encode))
def test_a_good_crc_over_garbage_is_still_an_error_unless_it_is_an_object(text):
    message, error = frames.decode(b"%s %08x\n" % (text, binascii.crc32(text)))
    assert isinstance(message, dict) if error is None else message is None


@pytest.mark.parametrize("text", [b"[]", b"1", b'"x"', b"null", b"", b"{", b"{}}", b'{"a":1', b"\xff", b"[" * 5_000])
def test_what_is_no_json_object_is_a_parse_error(text):
    assert frames.decode(b"%s %08x\n" % (text, binascii.crc32(text))) == (None, frames.PARSE)


def test_the_errors_have_the_names_that_the_wire_knows():
    assert (frames.BAD_CRC, frames.PARSE) == ("bad_crc", "parse_error")


@pytest.mark.parametrize("line", [b"", b"\n", b"{}", b"1 00000000", b" 00000000\n", b"{}\x0000000000", b"{}_%08x"])
def test_what_has_no_place_for_a_message_a_space_and_a_crc_is_a_parse_error(line):
    line = line % binascii.crc32(b"{}") if b"%" in line else line
    assert frames.decode(line) == (None, frames.PARSE)


def test_the_shortest_message_is_one():
    assert frames.decode(b"{} %08x" % binascii.crc32(b"{}")) == ({}, None)


@pytest.mark.parametrize("error", [ValueError, RuntimeError, MemoryError])
def test_a_message_that_json_cannot_hold_is_a_parse_error(error, monkeypatch):
    """On the board a line of 2 kB may have more in it than there is room for."""

    def full(text):
        raise error

    monkeypatch.setattr(frames.json, "loads", full)
    assert frames.decode(LINE) == (None, frames.PARSE)
