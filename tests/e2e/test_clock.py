"""The board's milliseconds, over the wrap of the 32-bit microseconds and up to where arming ends. On the real image."""

import re

import pytest
from rheobase import paths
from rheobase.emulator import rawrepl

WORD = 1 << 32
UPTIME_US = (1 << 30) * 1000
TIMES_US = [0, 999, 1000, WORD - 1, WORD, WORD + 703, WORD + 704, 3 * WORD - 1, 3 * WORD, UPTIME_US - 1, UPTIME_US]


@pytest.mark.req("REQ-058")
def test_milliseconds_are_right_on_both_sides_of_every_wrap_up_to_12_days(dut):
    """hw.now_ms as it stands, but for where it reads: two words of memory in place of the timer's."""
    source = (paths.firmware_dir() / "lib/rheorp2/hw.py").read_text()
    function = re.search(r"@micropython.viper\ndef now_ms.*?(?=\n\n\n)", source, re.DOTALL)[0]
    for old, new in (
        ("def now_ms() -> int:", "def now_ms(at: uint) -> int:"),
        ("    block = 0x4005\n", ""),
        ("ptr32((block << 16) + 0x4024)", "ptr32(at)"),
        ("ptr32((block << 16) + 0x4028)", "ptr32(at + 4)"),
    ):
        assert function.count(old) == 1, old
        function = function.replace(old, new)
    said = rawrepl.run(
        dut.board,
        "import micropython, uctypes\nfrom array import array\n" + function + "\ntimer = array('I', [0, 0])\n"
        f"for us in {TIMES_US}:\n    timer[0], timer[1] = us >> 32, us & 0xFFFFFFFF\n"
        "    print(now_ms(uctypes.addressof(timer)))\n",
    )
    told = [int(line) for line in said.split()]
    assert told == sorted(told)
    assert all(0 <= us // 1000 - ms <= 1 for us, ms in zip(TIMES_US, told, strict=True)), told
