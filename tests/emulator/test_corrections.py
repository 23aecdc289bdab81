"""Each correction of the emulator is needed and does what it says: every claim here fails with the correction off."""

import pytest
from emulator import device_scripts as dev
from rheobase.emulator import EmulatedBoard, rawrepl
from rheobase.emulator.snapshot import in_child
from rheobase.measure import trains

pytestmark = pytest.mark.req("REQ-130")

TIMER_SCRIPT = """
from machine import mem32
import array, time, uctypes
a = array.array('I', [1, 2]); b = array.array('I', [0, 0])
def paced(timer, x, y, count):
    mem32[0x50000420 + 4 * timer] = x << 16 | y
    mem32[0x50000000] = uctypes.addressof(a); mem32[0x50000004] = uctypes.addressof(b)
    mem32[0x50000008] = count
    t = time.ticks_us()
    mem32[0x5000000c] = 1 << 21 | (0x3b + timer) << 15 | 2 << 2 | 1
    while mem32[0x5000000c] & 1 << 24:
        time.sleep_us(20)
    return time.ticks_diff(time.ticks_us(), t)
"""


def booted(image, **off):
    board = EmulatedBoard(image, **off)
    board.boot()
    rawrepl.enter(board)
    return board


def busy_share(board, ns=40_000_000):
    """Share of simulated time that the core spends awake at an idle prompt."""
    board.run_for(10_000_000)
    cycles = board.mcu.core.cycles
    board.run_for(ns)
    return (board.mcu.core.cycles - cycles) * 8 / ns


def awake(image, nak):
    return busy_share(booted(image, nak=nak))


def test_an_idle_board_sleeps_only_if_the_usb_host_naks(stock_image):
    assert in_child(awake, stock_image, True) < 0.01
    assert in_child(awake, stock_image, False) > 0.5


def phases(image, event_pio):
    """Lengths of all phases A and B in ns."""
    board = booted(image, event_pio=event_pio)
    rawrepl.run(board, dev.PROGRAM)
    script = f"feed(0, {dev.period_words(5_000, 100)!r} * 4)\ngo(1)\n" + dev.NAPS.format(ms=40, share=4)
    rawrepl.run(board, script)
    return [ns for p in trains(board.edges)[1].pulses for ns in (p.a_ns, p.b_ns)]


def test_phases_are_exact_beside_a_sleeping_cpu_only_with_event_run_pio(stock_image):
    assert in_child(phases, stock_image, True) == [100_000] * 8
    assert max(abs(ns - 100_000) for ns in in_child(phases, stock_image, False)) > 10_000


def paced_us(board, timer, x, y, count):
    return int(rawrepl.run(board, TIMER_SCRIPT + f"print(paced({timer}, {x}, {y}, {count}))"))


@pytest.mark.parametrize("timer", [0, 1, 2, 3])
def test_a_dma_timer_paces_at_x_over_y_of_the_system_clock(stock, timer):
    # 1/62500 of 125 MHz is 2 kHz: 100 transfers take 50 ms. Margin: the polling script's 200 us.
    assert stock(paced_us, timer, 1, 62_500, 100) == pytest.approx(50_000, abs=200)


def test_a_dma_timer_with_x_above_1_is_faster_not_slower(stock):
    assert stock(paced_us, 0, 5, 62_500, 200) == pytest.approx(20_000, abs=200)


ABORTED = """
import machine
mem = machine.mem32
mem[0x50000000], mem[0x50000004], mem[0x50000008] = 0x20040000, 0x20040010, 1000
mem[0x5000000C] = 1 | 2 << 2 | 0x3B << 15  # at timer 0, which does not run
mem[0x50000444] = 1
print(mem[0x50000008])
"""


def test_an_aborted_dma_channel_has_no_transfers_left(stock):
    """RP2040 datasheet 2.5.5.3. Without the correction the emulator keeps all 1000."""
    assert int(stock(rawrepl.run, ABORTED)) == 0


def test_without_the_correction_an_aborted_channel_keeps_its_count(stock_image):
    assert int(in_child(lambda: rawrepl.run(booted(stock_image, dma_rate=False), ABORTED))) == 1000


def stock_rate(image):
    return paced_us(booted(image, dma_rate=False), 0, 1, 62_500, 100)


def test_without_the_correction_a_dma_timer_runs_out_at_once(stock_image):
    assert in_child(stock_rate, stock_image) < 5_000


def aborts(board):
    return rawrepl.run(board, "from machine import mem32\nmem32[0x50000444] = 1\nprint(mem32[0x50000444])")


def test_channel_abort_reads_back_zero(stock):
    assert stock(aborts).strip() == "0"


PWM_SCRIPT = """
from machine import Pin, PWM
import time
p = PWM(Pin(16), freq=30518, duty_u16={duty})
q = PWM(Pin(10), freq=30518, duty_u16={duty})
time.sleep_ms(2)
"""


def duties(board, duty):
    """(duty measured on the edges of a watched pin, set-point in share of full scale on an unwatched one)."""
    rawrepl.run(board, PWM_SCRIPT.format(duty=duty))
    edges = [(t, level) for t, name, level in board.edges if name == "GPIO16"][4:]
    edges = edges[next(i for i, e in enumerate(edges) if e[1]) :]
    rises = [t for t, level in edges if level]
    highs = sum(b[0] - a[0] for a, b in zip(edges, edges[1:], strict=False) if a[1] and b[0] <= rises[-1])
    return highs / (rises[-1] - rises[0]), board.setpoints[-1][2] / board.board["full_scale_ua"]


@pytest.mark.parametrize("duty", [655, 20_000, 60_000])
def test_a_pwm_nobody_watches_has_the_duty_that_its_edges_would_have(stock, duty):
    measured, commanded = stock(duties, duty)
    assert measured == pytest.approx(duty / 65536, abs=2 / 4096)
    assert commanded == pytest.approx(measured, abs=2 / 4096)


def pwm_events(board):
    """Alarms that fire in 20 ms with the slice running, by counting the clock's stops while the core sleeps."""
    rawrepl.run(board, PWM_SCRIPT.format(duty=20_000).replace("Pin(16)", "Pin(12)"))
    board.run_for(5_000_000)
    slices = board.mcu.pwm.channels
    return any(alarm._clock_alarm is not None and alarm.enable for s in slices for alarm in (s.alarm_a, s.alarm_bottom))


def test_a_pwm_nobody_watches_costs_no_events(stock):
    assert stock(pwm_events) is False


def halted_slice(board):
    """A slice halted while its output is high leaves the DAC at full scale, and says so."""
    rawrepl.run(board, PWM_SCRIPT.format(duty=60_000).replace("Pin(16)", "Pin(12)"))
    csr = 0x40050000 + 5 * 0x14
    for _ in range(40):
        counter = board.peek(csr + 8)
        if counter < 3000:
            break
        board.run_for(5_000)
    board.poke(csr + 0x3000, 1)
    board.run_for(1_000)
    return board.setpoints[-1][1:]


def test_a_halted_pwm_slice_keeps_its_level(stock):
    assert stock(halted_slice) == ("CH1_UA", 50_000.0)


DIVIDE_SCRIPT = """
import random
random.seed(7)
n = 0
for i in range(400):
    a = random.getrandbits(31) - (1 << 30); b = (random.getrandbits(1 + i % 30) + 1) * (1 if i & 1 else -1)
    q, r = divmod(a, b)
    n += (q * b + r != a) or not (0 <= r * (1 if b > 0 else -1) < abs(b))
    u = random.getrandbits(30); n += (u // abs(b)) * abs(b) + u % abs(b) != u
print(n)
"""


def wrong_divisions(board):
    return int(rawrepl.run(board, DIVIDE_SCRIPT))


def test_the_divider_is_right_for_random_operands(stock):
    assert stock(wrong_divisions) == 0


def divide(board, signed, a, b):
    sio = board.mcu.sio
    base = 0x68 if signed else 0x60
    sio.write_uint32(base, a & 0xFFFFFFFF)
    sio.write_uint32(base + 4, b & 0xFFFFFFFF)
    assert sio.read_uint32(0x78) == 3
    result = sio.read_uint32(0x74) & 0xFFFFFFFF, sio.read_uint32(0x70) & 0xFFFFFFFF
    assert sio.read_uint32(0x78) == 1
    return result


@pytest.mark.parametrize(
    ("signed", "a", "b", "quotient", "remainder"),
    [
        (False, 7, 2, 3, 1),
        (False, 0xFFFFFFFF, 16, 0x0FFFFFFF, 15),
        (True, -7, 2, -3, -1),
        (True, 7, -2, -3, 1),
        (True, -7, -2, 3, -1),
        (False, 5, 0, 0xFFFFFFFF, 5),
        (True, 5, 0, -1, 5),
        (True, -5, 0, 1, -5),
    ],
)
def test_divider_vectors_of_the_datasheet(stock, signed, a, b, quotient, remainder):
    assert stock(divide, signed, a, b) == (remainder & 0xFFFFFFFF, quotient & 0xFFFFFFFF)
