"""The sense is read only once the multiplexer has settled: the emulated one settles at once and would not tell."""

import re

import pytest
from dut import NUMBERS
from rheobase import paths
from rheobase.emulator.pads import pad_level

PAGE = paths.firmware_dir().parent / "docs/hardware.md"


@pytest.mark.req("REQ-052")
def test_the_sense_is_read_later_than_the_multiplexer_needs(dut):
    """From the last move of a select pin to the start of a conversion: the page's 5 us, at every look of a session."""
    board, moved_ns, looks = dut.board, [0], []
    convert, pins = board.mcu.adc.on_adc_read, [board.mcu.gpio[gpio] for gpio in board.board["mux_select"]]
    for pin in pins:
        pin.add_listener(lambda new, old: moved_ns.__setitem__(0, board.now_ns))

    def on_read(channel):
        looks.append((sum(pad_level(pin) << n for n, pin in enumerate(pins)), board.now_ns - moved_ns[0]))
        convert(channel)

    board.mcu.adc.on_adc_read = on_read
    dut.load({n: {} for n in NUMBERS})
    dut.start()
    dut.run_ms(300)
    (needed_us,) = re.findall(r"\| settle \| (\d+) µs \|", PAGE.read_text())
    inputs = {row[key] for row in board.board["channels"] for key in ("mux_current", "mux_voltage")}
    assert {select for select, _ in looks} == inputs | {board.board["mux_supply"]}
    assert min(waited_ns for _, waited_ns in looks) >= int(needed_us) * 1000
