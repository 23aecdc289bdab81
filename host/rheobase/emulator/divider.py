"""The SIO block with its divider in front: same registers, reached at once. Adds nothing else.

MicroPython divides for every hash lookup, and the emulator finds the divider at the end of a long chain of
comparisons and computes both results at every write. Here it comes first and computes when read: a tenth of the
wall time of a session. Division by zero gives what the datasheet says (2.3.1.5), which the emulator does not.
"""

from rp2040py.sio import (
    DIV_CSR,
    DIV_QUOTIENT,
    DIV_REMAINDER,
    DIV_SDIVIDEND,
    DIV_SDIVISOR,
    DIV_UDIVIDEND,
    DIV_UDIVISOR,
    RPSIO,
)

_WORD = 0xFFFFFFFF
_READY, _DIRTY = 1, 2


def _signed(word):
    return word - (1 << 32) if word & 0x80000000 else word


class FastSio(RPSIO):
    """SIO of the emulator; the divider's results are computed when asked for."""

    def __init__(self, chip):
        super().__init__(chip)
        self._pending = False
        self._is_signed = False

    def reset(self):
        super().reset()
        self._pending = False

    def _divide(self):
        """Quotient and remainder of the last operands, truncated towards zero."""
        self._pending = False
        a, b = self.div_dividend, self.div_divisor
        if self._is_signed:
            a, b = _signed(a), _signed(b)
            if b:
                quotient = abs(a) // abs(b)
                self.div_quotient = quotient if (a < 0) == (b < 0) else -quotient
                self.div_remainder = a - b * self.div_quotient
            else:
                self.div_quotient, self.div_remainder = (-1 if a >= 0 else 1), a
        elif b:
            self.div_quotient, self.div_remainder = divmod(a, b)
        else:
            self.div_quotient, self.div_remainder = _WORD, a

    def read_uint32(self, offset):
        if offset == DIV_CSR:
            return self.div_csr
        if offset == DIV_REMAINDER:
            if self._pending:
                self._divide()
            return self.div_remainder
        if offset == DIV_QUOTIENT:
            if self._pending:
                self._divide()
            self.div_csr &= ~_DIRTY
            return self.div_quotient
        return super().read_uint32(offset)

    def write_uint32(self, offset, value):
        if offset == DIV_UDIVIDEND or offset == DIV_SDIVIDEND:  # noqa: SIM109 - the hottest path there is
            self.div_dividend = value & _WORD
            self._is_signed = offset == DIV_SDIVIDEND
        elif offset == DIV_UDIVISOR or offset == DIV_SDIVISOR:  # noqa: SIM109
            self.div_divisor = value & _WORD
            self._is_signed = offset == DIV_SDIVISOR
        elif offset in (DIV_QUOTIENT, DIV_REMAINDER):
            if self._pending:
                self._divide()
            super().write_uint32(offset, value)
            return
        else:
            super().write_uint32(offset, value)
            return
        self._pending = True
        self.div_csr = _READY | _DIRTY
