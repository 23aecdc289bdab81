"""Resets with a leg high, and cold boot: low before any Python runs, and never driven but low. Simulated time.

The leg is raised from the raw REPL with the engine's own means and none of its care: guard watching, gate open, the
channel's state machine made to execute a side-set. No app runs, so nothing but the reset itself can take it down.
Python is seen at work by the core's program counter, looked at every us: in the image's own `mp_execute_bytecode`.
Measured: 80 us from the arrival of Ctrl-D to the fall; first bytecode 0.63 ms, boot.py's first write 4.2 ms after it.
"""

import struct

import pytest
from dut import LEGS, MS
from rheobase import paths
from rheobase.emulator import EmulatedBoard, rawrepl
from rheobase.emulator.snapshot import in_child
from rheobase.emulator.usb_host import PACKET_NS
from rheocore import frames, messages
from rp2040py._gpio_pin import GPIOPinState

US = 1000
IRQ_FORCE = 0x34  # of PIO0: what the hook and boot.py both write first
PULL_UP = 1 << 3
OVERRIDE, OVERRIDE_LOW = 3 << 8, 2 << 8
CTRL_D_BOUND_US = 150  # from the arrival of the byte at the chip to the fall of the leg
# Guard watching; leg A of channel 1: its pad as the engine sets it, output by machine 0, gate open, side-set 1.
LEG_UP = f"""
import machine, time
from machine import mem32
mem32[0x50200120] = 20
mem32[{0x4001C004 + 4 * LEGS[0]:#x}] = 0x56
mem32[0x502000DC] = 2 << 26 | {LEGS[0]} << 5
mem32[0x502000D8] = 0xE083
mem32[0x502000DC] = 2 << 29 | {LEGS[0]} << 10
mem32[{0x40014004 + 8 * LEGS[0]:#x}] = 6
mem32[0x502000D8] = 0xA842
"""


def functions(elf, *names):
    """{name: range of addresses} of functions in an ELF file for ARM."""
    data = elf.read_bytes()
    (at,) = struct.unpack_from("<I", data, 32)
    size, count = struct.unpack_from("<HH", data, 46)
    sections = [struct.unpack_from("<10I", data, at + i * size) for i in range(count)]
    table = next(section for section in sections if section[1] == 2)  # SHT_SYMTAB; its link: the section of the names
    found = {}
    for entry in range(table[4], table[4] + table[5], 16):
        label, value, length = struct.unpack_from("<III", data, entry)
        label += sections[table[6]][4]
        name = data[label : data.index(b"\0", label)].decode()
        if name in names:
            found[name] = range(value & ~1, (value & ~1) + length)
    return found


def at_the_prompt(image):
    """A board at the raw REPL with leg A of channel 1 high, and where its image's functions are."""
    board = EmulatedBoard(image)
    board.boot()
    rawrepl.enter(board)
    rawrepl.finish(board, rawrepl.start(board, LEG_UP))
    assert board.level("CH1_A") == 1
    assert board.mcu.gpio[LEGS[0]].value is GPIOPinState.HIGH
    return board, functions(image.with_suffix(".elf"), "mp_execute_bytecode", "machine_mem_subscr")


@pytest.fixture(scope="module")
def ours(board_image):
    return at_the_prompt(board_image)


@pytest.fixture(scope="module")
def stock(stock_image):
    return at_the_prompt(stock_image)


# -- soft reset ------------------------------------------------------------------------------------------------------


def soft_reset(board, code):
    """Send Ctrl-D; run until Python has begun and 20 ms longer. Times in us from the byte's arrival; None: never.

    fall: of leg A. python: first bytecode seen. holds: writes to the hold flag before that. boot_py: the first by
    Python, which is boot.py's first.
    """
    times = {"fall": None, "python": None, "boot_py": None, "holds": []}
    arrival_ns = board.now_ns + PACKET_NS
    pio = board.mcu.peripherals[0x50200]
    write = pio.write_uint32

    def now_us():
        return (board.now_ns - arrival_ns) / US

    def on_write(offset, value):
        if offset == IRQ_FORCE:
            if board.engine.pc in code["machine_mem_subscr"]:
                times["boot_py"] = times["boot_py"] or now_us()
            elif times["python"] is None:
                times["holds"].append(now_us())
        write(offset, value)

    def on_edge(t_ns, name, level):
        if name == "CH1_A" and not level:
            times["fall"] = now_us()

    pio.write_uint32, board.on_edge = on_write, on_edge
    board.send(b"\x04")
    until_ns = arrival_ns + 5 * MS
    begun = board.engine.run_to(until_ns, until=lambda: board.engine.pc in code["mp_execute_bytecode"], poll_ns=US)
    assert begun, "Python was not seen to run: this test is blind"
    times["python"] = now_us()
    board.run_for(20 * MS)
    pio.write_uint32, board.on_edge = write, None
    return times


@pytest.mark.req("REQ-030")
def test_soft_reset_in_a_phase_takes_the_leg_low_before_any_python_runs(ours):
    seen = in_child(soft_reset, *ours)
    assert 0 < seen["fall"] <= CTRL_D_BOUND_US, seen
    assert seen["fall"] < seen["python"] < seen["boot_py"], seen
    assert len(seen["holds"]) == 1 and seen["holds"][0] < seen["fall"], seen  # and the hold, by the same hook


def twice_on_stock(board, code):
    """Soft resets without and with our boot.py in the file system; the level 200 ms after the first."""
    without = soft_reset(board, code)
    board.run_for(200 * MS)
    later = board.level("CH1_A")
    boot_py = (paths.firmware_dir() / "boot.py").read_text()
    rawrepl.run(board, f"with open('boot.py', 'w') as f: f.write({boot_py!r})", timeout_ns=20_000 * MS)
    return without, later, soft_reset(board, code)


def test_on_stock_micropython_the_leg_stays_high_until_python_takes_it_low(stock):
    """Why stock MicroPython is for the bench only; and the proof that the test above can fail."""
    without, later, deployed = in_child(twice_on_stock, *stock)
    assert without["fall"] is None and later == 1, without
    assert deployed["python"] < deployed["boot_py"] < deployed["fall"], deployed
    assert deployed["fall"] > 1000, deployed  # direct current for ms, where the board's image takes us


# -- power-on, watchdog, machine.reset() -----------------------------------------------------------------------------


class Watch:
    """What the chip does to the legs from now on: `wrong` lists (ns, GPIO, what) of everything but low or let go.

    A leg may be an input without pull-up, or be driven low with its override closed; so the gate is closed before
    anything is made an output.
    """

    def __init__(self, board):
        self.board = board
        self.wrong = []
        self.driven = set()  # legs that were outputs at any time
        for gpio in LEGS:
            board.mcu.gpio[gpio].add_listener(lambda new, old, gpio=gpio: self.look(gpio))
        for bank in (board.mcu.peripherals[0x40014], board.mcu.pads_bank0):  # function and overrides; pulls
            bank.write_uint32 = self._then_look(bank.write_uint32)
        self.look_at_all()

    def _then_look(self, write):
        def write_and_look(offset, value):
            write(offset, value)
            self.look_at_all()

        return write_and_look

    def look_at_all(self):
        for gpio in LEGS:
            self.look(gpio)
        return False

    def look(self, gpio):
        pin = self.board.mcu.gpio[gpio]
        state = pin.value
        if state in (GPIOPinState.LOW, GPIOPinState.HIGH):
            self.driven.add(gpio)
            if state is GPIOPinState.HIGH or pin.ctrl & OVERRIDE != OVERRIDE_LOW:
                self.wrong.append((self.board.now_ns, gpio, state.name))
        if pin.pad_value & PULL_UP:
            self.wrong.append((self.board.now_ns, gpio, "pull-up"))


def wait_for_the_app(board, watch):
    """Run until the app answers hello. The legs are looked at on every change, and every 250 us besides."""
    heard = len(board.received)
    board.run_until(lambda: watch.look_at_all() or board.usb.connected, 3000 * MS)
    board.run_for(20 * MS)
    board.send(frames.encode({"jsonrpc": "2.0", "id": 1, "method": "hello", "params": {"wire": messages.WIRE}}))
    answered = board.run_until(lambda: watch.look_at_all() or b"reset_cause" in board.received[heard:], 1000 * MS)
    assert answered, bytes(board.received[heard:])
    assert watch.driven == set(LEGS), "the app has not made the legs its own: nothing was watched"


def cold_boot(image, disturb=None):
    board = EmulatedBoard(image)
    watch = Watch(board)
    if disturb:
        disturb(board)
    board.engine.power_on()
    wait_for_the_app(board, watch)
    return watch.wrong, [edge for edge in board.edges if edge[1].startswith("CH")]


@pytest.mark.req("REQ-031")
def test_from_power_on_until_the_app_answers_no_leg_is_driven_but_low(board_image):
    assert in_child(cold_boot, board_image) == ([], [])


def pull_up(board):
    board.at(10 * MS, lambda: board.poke(0x4001C004 + 4 * LEGS[1], 0x5A))


def drive(board):
    board.at(
        10 * MS, lambda: board.poke(0x40014004 + 8 * LEGS[-1], 0x3200 | 0x1F)
    )  # driven low, by no closed gate of ours
    board.at(11 * MS, lambda: board.poke(0x40014004 + 8 * LEGS[-1], 0x3300 | 0x1F))


@pytest.mark.req("REQ-132")
@pytest.mark.parametrize(("disturb", "gpio", "what"), [(pull_up, LEGS[1], "pull-up"), (drive, LEGS[-1], "HIGH")])
def test_the_watch_sees_a_leg_that_is_pulled_up_or_driven(board_image, disturb, gpio, what):
    """So that the test above can fail."""
    wrong, _ = in_child(cold_boot, board_image, disturb)
    assert (gpio, what) in [event[1:] for event in wrong]


def reset_with_the_leg_high(board, statement):
    watch = Watch(board)
    watch.wrong.clear()  # the leg is high as yet
    resets = board.engine.resets
    moments = []
    board.engine.after_reset.append(lambda: moments.append((board.now_ns, len(watch.wrong))))
    edges = len(board.edges)
    rawrepl.start(board, statement)
    assert board.run_until(lambda: board.engine.resets > resets, 1000 * MS), "no reset"
    wait_for_the_app(board, watch)
    reset_ns, before = moments[0]
    return reset_ns, watch.wrong[before:], [edge for edge in board.edges[edges:] if edge[1].startswith("CH")]


@pytest.mark.req("REQ-031")
@pytest.mark.parametrize("statement", ["machine.reset()", "machine.WDT(timeout=50)\ntime.sleep(10)"])
def test_a_reset_lets_the_leg_go_and_none_is_driven_but_low_until_the_app_answers(ours, statement):
    reset_ns, wrong, edges = in_child(reset_with_the_leg_high, ours[0], statement)
    assert edges == [(reset_ns, "CH1_A", 0)]
    assert wrong == []
