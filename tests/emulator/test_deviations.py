"""How the emulated chip flatters the firmware: what docs/safety/deviations.md says of it is so. Simulated time.

A test that fails here tells that a deviation has gone, and its line on the page with it.
"""

import re

import pytest
from emulator import device_scripts as dev
from faults import cases
from rheobase import paths
from rheobase.emulator import EmulatedBoard, rawrepl
from rheobase.emulator.snapshot import in_child
from rheobase.measure import trains

pytestmark = pytest.mark.req("REQ-135")

PAGE = paths.firmware_dir().parent / "docs/safety/deviations.md"


def erase_us(board):
    script = "import rp2, time\nf = rp2.Flash()\nt = time.ticks_us()\nf.ioctl(6, 300)\n"
    return int(rawrepl.run(board, script + "print(time.ticks_diff(time.ticks_us(), t))\n"))


def test_erasing_flash_takes_no_time(stock):
    """W25Q16JV: 45 ms typically, 400 ms at worst. So the fault table stops the core besides."""
    assert stock(erase_us) < 1_000
    stopped = {fault.id: [what.get("for_ms") for what in fault.what] for fault in cases.FAULTS if "erase" in fault.id}
    assert stopped == {"flash-erase": [cases.ERASE_MS], "flash-erase-400ms": [400]}
    assert cases.ERASE_MS == 45


def readings(board):
    script = "from machine import ADC, Pin\n[Pin(18 + i, Pin.OUT).value(6 >> i & 1) for i in range(3)]\na = ADC(26)\n"
    return rawrepl.run(board, script + "print(*{a.read_u16() for _ in range(100)})\n").split()


def test_the_converter_has_no_noise(stock):
    [supply] = stock(readings)
    assert int(supply) > 10_000


def slowed(board):
    rawrepl.run(board, "import machine\nmachine.freq(48_000_000)\n")
    told = int(rawrepl.run(board, "print(machine.freq())\n"))
    rawrepl.run(board, f"feed(0, {dev.period_words(5_000, 100)!r} * 4)\ngo(1)\ntime.sleep_ms(40)\n")
    return told, {ns for p in trains(board.edges)[1].pulses for ns in (p.a_ns, p.b_ns)}


def test_a_changed_clock_changes_no_pulse(pulses):
    """On the chip they would last 2.6 times as long."""
    assert pulses(slowed) == (48_000_000, {100_000})


def test_memory_is_zero_at_power_on(stock_image):
    assert not any(in_child(lambda: bytes(EmulatedBoard(stock_image).mcu.sram)))


def bitten_ms(board):
    board.poke(0x4005802C, 1 << 9 | 1)  # a tick of one clock: on the chip twelve times too fast
    resets, start_ns = board.engine.resets, board.now_ns
    rawrepl.start(board, "import machine, time\nmachine.WDT(timeout=200)\ntime.sleep(10)\n")
    assert board.run_until(lambda: board.engine.resets > resets, 1_000_000_000)
    return (board.now_ns - start_ns) / 1e6


def test_the_watchdogs_tick_is_always_right(stock):
    assert stock(bitten_ms) == pytest.approx(200, abs=10)


def test_every_line_of_the_page_points_to_what_shows_it():
    """A file or a test; that tests of these names exist is asked of every page. Errs: one of three words."""
    rows = [line.split(" | ") for line in PAGE.read_text().splitlines() if line.startswith("| ")]
    open_rows = [row for row in rows if len(row) == 6][1:]
    mended = [row for row in rows if len(row) == 3][1:]
    assert len(open_rows) > 15 and len(mended) > 5 and len(open_rows) + len(mended) + 2 == len(rows)
    root = paths.firmware_dir().parent
    for row in open_rows:
        assert re.match(r"flattering|strict|neutral", row[2]), row
        assert row[4], row
        assert re.search(r"`(tests|host)/", row[5]) or row[5].startswith("nothing"), row
    for path in set(re.findall(r"`((?:host|tests)/[\w/]+\.py)", PAGE.read_text())):
        assert (root / path).exists(), path
    corrected = {path.name for path in (root / "host/rheobase/emulator").glob("*.py")}
    assert {name for row in mended for name in re.findall(r"emulator/(\w+\.py)`", row[1])} <= corrected
