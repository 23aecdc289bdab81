"""One message, one line: JSON, a space, the CRC-32 of the JSON's bytes as 8 hex digits, a newline.

Readable in any terminal; resynchronises at a newline; holds no control byte, so 0x03 stays an emergency stop.
"""

import binascii
import json

BAD_CRC = "bad_crc"
PARSE = "parse_error"


def encode(message):
    """bytes of the line for a message (dict)."""
    text = json.dumps(message, separators=(",", ":")).encode()
    return b"%s %08x\n" % (text, binascii.crc32(text))


def decode(line):
    """(message, None) for a good line (with or without its newline), else (None, error name).

    line: bytes or bytearray. A message is a JSON object; anything else is a parse error.
    """
    line = bytes(line).rstrip()
    if len(line) < 11 or line[-9:-8] != b" ":
        return None, PARSE
    text = line[:-9]
    try:
        crc = int(line[-8:], 16)
    except ValueError:
        return None, PARSE
    if crc != binascii.crc32(text):
        return None, BAD_CRC
    try:
        message = json.loads(text)
    except (ValueError, RuntimeError, MemoryError):
        return None, PARSE
    if not isinstance(message, dict):
        return None, PARSE
    return message, None
