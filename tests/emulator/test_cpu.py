"""Stopping the emulated core: what goes on, what stands still, and that a stall leaves no trace. Stock image."""

import pytest
from emulator import device_scripts as dev
from rheobase.emulator import cpu, rawrepl
from rheobase.measure import trains

MS = 1_000_000
TIMER_INTR = 0x40054034  # alarms that are due and not served
BUFF_STATUS = 0x50110058  # USB buffers that are done and not served

# A pin's hard interrupt counts, a machine.Timer is due every ms, the main program computes.
PROGRAM = """
import machine, uctypes
count = bytearray(4)
def edge(pin): count[0] += 1
pin = machine.Pin(16, machine.Pin.IN)
pin.irq(edge, machine.Pin.IRQ_RISING, hard=True)
timer = machine.Timer(period=1, callback=lambda t: None)
def compute(n):
    x = 12345
    for i in range(n):
        x = (x * 1103515245 + i) & 0x3fffffff
    return x
print(uctypes.addressof(count))
"""
TURNS = 600
COMPUTE = f"print(compute({TURNS}))\n"  # about 15 ms


def expected():
    x = 12345
    for i in range(TURNS):
        x = (x * 1103515245 + i) & 0x3FFFFFFF
    return x


def computing(board):
    """Start the computation and be 2 ms into it: (address of the count, where its output begins)."""
    address = int(rawrepl.run(board, PROGRAM))
    begin = rawrepl.start(board, COMPUTE)
    board.run_for(2 * MS)
    return address, begin


def pulses_on_pin(board, count, apart_ms=1):
    for _ in range(count):
        board.set_pin(16, True)
        board.run_for(apart_ms * MS)
        board.set_pin(16, False)


def while_stopped(board, stop):
    """What is served in 20 ms of a stopped core: (pin interrupts, timer left due, USB left done, output, cycles)."""
    address, begin = computing(board)
    stop(board)
    board.run_for(MS)
    assert cpu.stopped(board)
    cycles = board.mcu.core.cycles
    board.send(b"\r")
    pulses_on_pin(board, 10)
    board.run_for(10 * MS)
    board.run_until(lambda: cpu.stopped(board), MS)
    out = bytes(board.received[begin:])
    return (
        board.peek(address) & 0xFF,
        board.peek(TIMER_INTR),
        board.peek(BUFF_STATUS),
        out,
        board.mcu.core.cycles - cycles,
    )


def test_a_hung_loop_leaves_interrupts_served_and_runs_nothing_else(stock):
    pins, timer, usb, out, cycles = stock(while_stopped, cpu.hang)
    assert (pins, timer, usb, out) == (10, 0, 0, b"")
    assert cycles < 100_000  # of 2.5 million: it sleeps in between


def test_a_dead_core_serves_nothing_and_costs_nothing(stock):
    pins, timer, usb, out, cycles = stock(while_stopped, cpu.die)
    assert (pins, out, cycles) == (0, b"", 0)
    assert timer
    assert usb


def stalled(board, stop, at_us, for_ms):
    """The result of the computation with a stall `at_us` into it, the time it took, and the pin interrupts."""
    address, begin = computing(board)
    start_ns = board.now_ns
    board.at(start_ns + round(at_us * 1000), lambda: stop(board, for_ms))
    pulses_on_pin(board, 10)
    out = rawrepl.finish(board, begin)
    return int(out), (board.now_ns - start_ns) / MS, board.peek(address) & 0xFF


@pytest.mark.parametrize(("stop", "at_us"), [(cpu.hang, 1234.56), (cpu.die, 2000.008)])
def test_after_a_stall_the_program_goes_on_with_right_results(stock, stop, at_us):
    """Margin: 1 ms over the stall for what has piled up meanwhile."""
    value, took_ms, pins = stock(stalled, stop, at_us, 30)
    _, usual_ms, usual_pins = stock(stalled, lambda board, for_ms: None, at_us, 30)
    assert value == expected()
    assert 29 <= took_ms - usual_ms <= 31
    # An edge latch keeps one edge of those that a dead core has missed.
    assert pins == usual_pins if stop is cpu.hang else 0 < pins < usual_pins


def stalled_many_times(board):
    """15 stalls of each kind at odd moments of one computation; some asked for while another holds."""
    _, begin = computing(board)
    for n in range(30):
        stop = (cpu.hang, cpu.die)[n % 2]
        board.at(board.now_ns + n * 277_013, lambda stop=stop: stop(board, 0.3))
    return int(rawrepl.finish(board, begin))


def test_stalls_upon_stalls_do_no_harm(stock):
    assert stock(stalled_many_times) == expected()


def edge_near_the_end(board, stop, before_us):
    """Pin interrupts served 200 us after a stall of 5 ms in a computation, and its result."""
    address = int(rawrepl.run(board, PROGRAM.replace("timer =", "0 and")))
    begin = rawrepl.start(board, COMPUTE)
    board.run_for(2 * MS)
    stop(board, 5)
    board.run_for(round(5 * MS - before_us * 1000))
    board.set_pin(16, True)
    board.run_for(round(before_us * 1000 + 200_000))
    served = board.peek(address) & 0xFF
    return served, int(rawrepl.finish(board, begin))


def test_what_a_dead_core_has_missed_is_served_at_once_when_it_goes_on(stock):
    assert stock(edge_near_the_end, cpu.die, 2000) == (1, expected())


@pytest.mark.parametrize("before_us", [3, 10])
def test_a_stall_that_would_end_in_a_handler_ends_after_it(stock, before_us):
    assert stock(edge_near_the_end, cpu.hang, before_us) == (1, expected())


def played(board, stop):
    """Pulses of a DMA-fed train of 10 that were played, all in the 60 ms after the core was stopped."""
    rawrepl.finish(board, rawrepl.start(board, f"feed(0, {dev.period_words(5_000, 100)!r} * 10)\n"))
    begin = rawrepl.start(board, "go(1)\nwhile True: pass\n")
    board.run_for(2 * MS)
    stop(board)
    board.run_for(60 * MS)
    assert cpu.stopped(board)
    assert not board.received[begin:]
    return [(p.a_ns, p.b_ns) for p in trains(board.edges)[1].pulses]


@pytest.mark.parametrize("stop", [cpu.hang, cpu.die])
def test_pio_and_dma_go_on_with_the_core_stopped(pulses, stop):
    assert pulses(played, stop) == [(100_000, 100_000)] * 10


def reset_in_a_stall(board):
    cpu.die(board, 6)  # would end 1 ms into the boot
    board.run_for(5 * MS)
    board.usb.connected = False
    board.reset()
    assert board.run_until(lambda: board.usb.connected, 1000 * MS)
    rawrepl.enter(board)
    return rawrepl.run(board, "print(6 * 7)\n")


def test_a_reset_ends_a_stall_for_good(stock):
    assert stock(reset_in_a_stall).strip() == "42"


def asked_in_a_critical_section(board):
    """Ask while interrupts are off: (stopped at once, stopped once they are on again)."""
    code = "import machine\ns = machine.disable_irq()\nfor i in range(200): pass\nmachine.enable_irq(s)\n"
    code += "for i in range(200): pass\n"
    begin = rawrepl.start(board, code)
    board.run_until(lambda: board.mcu.core.pm and not board.mcu.core.ipsr, 50 * MS)
    while not board.mcu.core.pm:
        board.run_for(1000)
    cpu.hang(board)
    at_once = cpu.stopped(board)
    board.run_for(30 * MS)
    assert not board.received[begin:]
    return at_once, cpu.stopped(board)


def test_a_critical_section_is_left_to_end_first(stock):
    assert stock(asked_in_a_critical_section) == (False, True)
