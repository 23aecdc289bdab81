"""The emulated RP2040 and the loop that drives it in simulated time. Knows no board, no USB host, no wall clock.

The chip is the `rp2040py` emulator's own; this module builds it with our PIO blocks and pins in place, runs it
synchronously (no event loop, no threads: so a test may fork it) and stops at an exact simulated time.
"""

from rp2040py.device.bootrom import BOOTROM_B1
from rp2040py.execute_batch import execute_batch
from rp2040py.peripherals.vreg_and_chip_reset import HAD_POR
from rp2040py.rp2040 import RP2040
from rp2040py.simulator import Simulator
from rp2040py.utils.logging import ConsoleLogger, LogLevel

from rheobase.emulator.clocking import EventPio
from rheobase.emulator.divider import FastSio
from rheobase.emulator.pads import BoardPin
from rheobase.errors import EXIT_BUG, RheoError

CYCLE_NS = 8  # 125 MHz, the only clock the emulator models
FLASH_BYTES = 2 * 1024 * 1024
POLL_NS = 250_000  # how often a predicate is looked at when nothing happens

_BUS = ("read_uint16", "read_uint32", "read_uint8", "write_uint32", "write_uint8", "write_uint16")


class EmulatorError(RheoError):
    """The emulation itself went wrong: a breakpoint, a lock-up, a timeout of a wait in simulated time."""

    def __init__(self, code, message, hint=None):
        super().__init__(code, message, hint, EXIT_BUG)


class Chip(RP2040):
    """An RP2040 whose PIO blocks run by events, and whose bus methods are bound once.

    Two things are for speed alone and change no result:
    - the emulator's loop asks for `pio` once a batch and then polls every block after every instruction; ours
      need no polling, so the first look of a batch sees an empty list;
    - each bus access looks its own method up again (to see whether Python overrides it), which builds a bound
      method every time; the bare function kept in the instance's dictionary is found instead. Together: 2.3 times
      faster. Hence bus access from Python is through `peek`/`poke` or `Bus`, never `chip.read_uint32()`.
    """

    _hide_pio = False

    @property
    def pio(self):
        if self._hide_pio:
            self._hide_pio = False
            return []
        return self._pio

    @pio.setter
    def pio(self, blocks):
        self._pio = blocks

    def bind_bus(self):
        """Keep the bare bus functions in the instance (see the class), and give the DMA a way to call them."""
        bus = Bus(self)
        for name in _BUS:
            self.__dict__[name] = RP2040.__dict__[name]
        for channel in self.dma.channels:
            channel.rp2040 = bus
        return bus


class Bus:
    """The bus methods of a chip, bound: what the DMA channels and `peek`/`poke` call."""

    def __init__(self, chip):
        for name in _BUS:
            setattr(self, name, RP2040.__dict__[name].__get__(chip))


class Engine:
    """One emulated chip: power it, run it, reset it.

    event_pio: False keeps the emulator's own PIO pacing (for the test that shows why it is replaced).
    """

    def __init__(self, event_pio=True, log_level=LogLevel.ERROR):
        chip = Chip()
        self.chip = chip
        self.clock = chip.clock
        self.simulator = Simulator(rp2040=chip)
        chip.logger = ConsoleLogger(log_level)
        self.event_pio = event_pio
        chip.gpio[:] = [BoardPin(chip, n) for n in range(len(chip.gpio))]
        chip.sio = FastSio(chip)
        if event_pio:
            chip.pio = [EventPio(chip, b.name, b.first_irq, b.index) for b in chip.pio]
            chip.peripherals[0x50200], chip.peripherals[0x50300] = chip.pio
        chip.load_bootrom(BOOTROM_B1)
        self.bus = chip.bind_bus()
        chip.on_break = self._on_break
        chip.watchdog.on_watchdog_trigger = self._on_watchdog
        self.resets = 0
        self.before_reset = []  # called with no arguments, the pins still as they were
        self.after_reset = []
        self._failure = None
        self._stop_alarm = self.clock.create_alarm(self._stop)
        self._running = False

    @property
    def now_ns(self):
        """Simulated time since power-on, whole ns."""
        return int(self.clock.nanos)

    def load_image(self, image):
        """Put `image` (bytes of a .bin) at the start of flash."""
        if len(image) > FLASH_BYTES:
            raise EmulatorError("image_too_big", f"The image has {len(image)} bytes; the flash has {FLASH_BYTES}.")
        self.chip.flash[: len(image)] = image

    def power_on(self):
        """Reset as at power-on, flash kept, and point the core at the image."""
        for hook in self.before_reset:
            hook()
        self.chip.enter_reset()
        self.chip.watchdog.reset()
        self.chip.vreg_and_chip_reset.record_reset_cause(HAD_POR)
        self.chip.leave_reset()
        self.resets += 1
        for hook in self.after_reset:
            hook()

    def _on_watchdog(self):
        for hook in self.before_reset:
            hook()
        self.chip.enter_reset(from_watchdog=True)
        self.chip.leave_reset()
        self.resets += 1
        for hook in self.after_reset:
            hook()

    def _on_break(self, code):
        self._failure = EmulatorError("breakpoint", f"The image stopped at a breakpoint ({code}), pc {self.pc:#x}.")
        self._stop()

    @property
    def pc(self):
        """The core's program counter."""
        return self.chip.core.pc

    def _stop(self):
        self.simulator.stopped = True

    def wake(self):
        """End the current batch at the next instruction: somebody's predicate may have become true."""
        self.simulator.stopped = True

    def run_to(self, t_ns, until=None, poll_ns=POLL_NS, wall_limit=None):
        """Run until simulated time `t_ns`, or until `until()` is true; `until` is looked at after every `wake()`
        and at least every `poll_ns`. wall_limit: optional callable, true when the caller wants its turn (looked
        at every few ms of wall time). Returns True if `until` became true.
        """
        if self._running:
            raise EmulatorError("reentrant", "The emulated board is already running: schedule with at() instead.")
        simulator, chip, clock = self.simulator, self.chip, self.clock
        self._running = True
        try:
            while True:
                if until is not None and until():
                    return True
                left = t_ns - clock.nanos
                if left <= 0:
                    return False
                self._stop_alarm.schedule(left if until is None else min(left, poll_ns))
                simulator.stopped = False
                while not simulator.stopped:
                    chip._hide_pio = self.event_pio
                    execute_batch(simulator, 1)
                    if wall_limit is not None and wall_limit():
                        break
                chip._hide_pio = False
                if self._failure is not None:
                    failure, self._failure = self._failure, None
                    raise failure
                if wall_limit is not None and wall_limit():
                    return False
        finally:
            self._running = False
            self._stop_alarm.cancel()

    def at(self, t_ns, fn):
        """Call `fn()` at simulated time `t_ns` (now, if that has passed)."""
        alarm = self.clock.create_alarm(fn)
        alarm.schedule(max(0, t_ns - self.clock.nanos))
        return alarm

    def peek(self, address):
        """One 32-bit word of the bus."""
        return self.bus.read_uint32(address)

    def poke(self, address, value):
        """Write one 32-bit word (atomic aliases included) as the CPU would, between two instructions."""
        self.bus.write_uint32(address, value)
