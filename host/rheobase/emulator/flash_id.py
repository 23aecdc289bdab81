"""A unique id for the emulated flash chip: MicroPython makes the board's serial number of it. Nothing else."""

_READ_UNIQUE_ID = 0x4B  # W25Q: command, four dummy bytes, eight bytes of id


def give(ssi, unique_id):
    """Let the emulated flash behind `ssi` answer the unique-id command with the 8 bytes `unique_id`."""
    stock = ssi._shift_byte

    def shift_byte(byte_out):
        answer = stock(byte_out)
        buffer = ssi._tx_buffer
        if buffer[0] == _READ_UNIQUE_ID and 5 <= len(buffer) - 1 < 13:
            return unique_id[len(buffer) - 6]
        return answer

    ssi._shift_byte = shift_byte
