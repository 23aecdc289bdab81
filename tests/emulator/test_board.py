"""The board's pads, resets, flash and USB host, on the stock image."""

import pytest
from emulator import device_scripts as dev
from rheobase.emulator import EmulatedBoard, EmulatorError, rawrepl
from rheobase.emulator.snapshot import in_child

CTRL = 0x40014004


def legs(board):
    return [e[1:] for e in board.edges if e[1].startswith("CH")]


def in_phase(board, then):
    """Start a pulse of 1 ms phases and call `then(board)` in the middle of phase A; returns the edges of legs."""
    begin = rawrepl.start(board, f"feed(0, {dev.period_words(10_000, 1000)!r})\ngo(1)\ntime.sleep_ms(20)\n")
    assert board.run_until(lambda: board.level("CH1_A") == 1, int(1e8))
    board.run_for(300_000)
    t_ns = board.now_ns
    then(board)
    board.run_for(30_000_000)
    return t_ns, begin, [e for e in board.edges if e[1].startswith("CH")]


@pytest.mark.parametrize(
    "write",
    [
        pytest.param((CTRL + 8 * 2, 6 | 2 << 8), id="output-override-low"),
        pytest.param((CTRL + 8 * 2, 6 | 2 << 12), id="output-disabled-by-override"),
        pytest.param((CTRL + 8 * 2, 0x1F), id="function-null"),
        pytest.param((0x4001C004 + 4 * 2, 0xD6), id="pad-output-disable"),
    ],
)
def test_a_leg_not_driven_at_its_pad_is_low_at_once(pulses, write):
    t_ns, _, edges = pulses(in_phase, lambda board: board.poke(*write))
    assert edges[-1][1:] == ("CH1_A", 0) or edges[1][1:] == ("CH1_A", 0)
    assert edges[1][0] - t_ns <= 8


def test_soft_reset_in_a_phase_leaves_the_leg_high_on_the_stock_image(pulses):
    """The hazard that the product's board closes: the emulated board must show it."""

    def soft_reset(board):
        board.send(b"\x03\x04")

    _, _, edges = pulses(in_phase, soft_reset)
    assert [e[1:] for e in edges] == [("CH1_A", 1)]


def test_a_reset_of_the_chip_drops_every_leg(pulses):
    t_ns, _, edges = pulses(in_phase, lambda board: board.reset())
    assert [e[1:] for e in edges] == [("CH1_A", 1), ("CH1_A", 0)]
    assert edges[-1][0] == t_ns


def machine_reset(board):
    rawrepl.start(board, "import machine\nmachine.reset()\n")
    assert board.run_until(lambda: board.engine.resets == 2, int(1e9))
    assert board.run_until(lambda: board.usb.connected, int(1e9))
    board.run_for(50_000_000)
    return rawrepl.run(board, "import machine\nprint(machine.reset_cause() == machine.WDT_RESET)")


def test_machine_reset_comes_back_on_usb_and_tells_its_cause(stock):
    assert stock(machine_reset).strip() == "True"


WATCHDOG_SCRIPT = """
import machine
machine.Pin(16, machine.Pin.OUT, value=1)
machine.WDT(timeout=50)
while 1: pass
"""


def watchdog(board):
    board.watch(16, "SPARE")
    rawrepl.start(board, WATCHDOG_SCRIPT)
    start = board.now_ns
    assert board.run_until(lambda: board.engine.resets == 2, int(1e9))
    return board.now_ns - start, [e[1:] for e in board.edges if e[1] == "SPARE"]


def test_a_watchdog_that_is_not_fed_resets_within_its_time(stock):
    ns, edges = stock(watchdog)
    assert 48e6 < ns < 60e6  # 50 ms from a moment up to 5 ms (compiling) after the script was taken
    assert edges == [("SPARE", 1), ("SPARE", 0)]


def write_file(image, flash):
    with EmulatedBoard(image, flash=flash) as board:
        board.boot()
        rawrepl.run(board, "f = open('kept.txt', 'w')\nf.write('still here')\nf.close()")
        board.reset()
        assert board.run_until(lambda: board.usb.connected, int(1e9))
        board.run_for(50_000_000)
        return rawrepl.run(board, "print(open('kept.txt').read())")


def read_file(image, flash):
    with EmulatedBoard(image, flash=flash) as board:
        board.boot()
        return rawrepl.run(board, "print(open('kept.txt').read())")


def test_flash_outlives_a_reset_and_with_a_file_the_process(stock_image, tmp_path):
    flash = tmp_path / "flash.bin"
    assert in_child(write_file, stock_image, flash).strip() == "still here"
    assert in_child(read_file, stock_image, flash).strip() == "still here"


def serial_number(board):
    return rawrepl.run(board, "import machine, binascii\nprint(binascii.hexlify(machine.unique_id()).decode())")


def test_the_unique_id_is_the_boards_serial(stock):
    assert stock(serial_number).strip() == "e600000000000001"


def undrained(board):
    """(bytes that came while the host did not drain, device done by then?, all of the text came in the end)"""
    begin = rawrepl.start(board, "import sys\nfor i in range(200):\n sys.stdout.write('%04d' % i * 8)\nprint('end')")
    board.stop_reading(True)
    mark = len(board.received)
    board.run_for(300_000_000)
    came = len(board.received) - mark
    board.stop_reading(False)
    text = rawrepl.finish(board, begin)
    return came, text


def test_a_host_that_does_not_drain_stops_the_device_and_loses_nothing_it_was_sent(stock):
    came, text = stock(undrained)
    assert came == 0
    assert text.endswith("end\r\n")
    chunks = text[: -len("end\r\n")]
    assert chunks[: 32 * 5] == "".join(f"{i:04d}" * 8 for i in range(5))


BLOCKED_SCRIPT = """
import sys, time
t = time.ticks_ms()
sys.stdout.write('x' * 4096)
print('|', time.ticks_diff(time.ticks_ms(), t))
"""


def blocked_write_ms(board):
    """How long one write of 4 kB takes on the device while nobody drains for 100 ms."""
    begin = rawrepl.start(board, BLOCKED_SCRIPT)
    board.stop_reading(True)
    board.at(board.now_ns + 100_000_000, lambda: board.stop_reading(False))
    text = rawrepl.finish(board, begin)
    return text.count("x"), int(text.split("|")[1])


def test_back_pressure_holds_the_writer_until_the_host_drains(stock):
    count, ms = stock(blocked_write_ms)
    assert count == 4096
    assert 95 <= ms <= 150


def floating(board):
    script = "from machine import Pin\np = Pin(9, Pin.IN, Pin.PULL_{})\nprint(p())"
    out = []
    board.set_interlock(None)
    for pull in ("UP", "DOWN"):
        out.append(rawrepl.run(board, script.format(pull)).strip())
    board.set_interlock(True)
    out.append(rawrepl.run(board, "print(p())").strip())
    return out


def test_a_floating_interlock_is_decided_by_the_pull(stock):
    assert stock(floating) == ["1", "0", "1"]


def own_level(board):
    return rawrepl.run(board, "from machine import Pin\np = Pin(16, Pin.OUT, value=1)\nprint(p(), p.value(0), p())")


def test_a_pin_reads_back_what_it_drives(stock):
    assert stock(own_level).split() == ["1", "None", "0"]


def stimulus(board):
    seen = []
    for us in (5, 1, 3):
        board.at(board.now_ns + us * 1000, lambda us=us: seen.append((us, board.now_ns)))
    start = board.now_ns
    board.run_for(10_000)
    return [(us, t - start) for us, t in seen], board.now_ns - start


def test_stimuli_come_at_their_time_in_order(stock):
    seen, ran = stock(stimulus)
    assert seen == [(1, 1000), (3, 3000), (5, 5000)]
    assert 10_000 <= ran <= 10_100


def reenter(board):
    failures = []

    def again():
        try:
            board.run_for(1000)
        except EmulatorError as error:
            failures.append(error.code)

    board.at(board.now_ns + 1000, again)
    board.run_for(5000)
    return failures


def test_running_from_inside_a_stimulus_is_refused(stock):
    assert stock(reenter) == ["reentrant"]


def same_twice(image):
    out = []
    for _ in range(2):
        board = EmulatedBoard(image)
        board.boot()
        text = rawrepl.run(board, "import time\nfor i in range(50): pass\nprint(time.ticks_us())")
        out.append((text, board.now_ns, board.mcu.core.cycles))
    return out


def test_two_runs_are_the_same_to_the_cycle(stock_image):
    first, second = in_child(same_twice, stock_image)
    assert first == second
