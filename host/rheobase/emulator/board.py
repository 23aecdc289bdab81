"""The emulated board: chip, USB host, output stage and recorder behind one deterministic interface.

All times are simulated, in ns from power-on. Nothing here looks at wall time; the pty server paces it.
"""

from pathlib import Path

from rheobase import boards
from rheobase.emulator import dma_timer, flash_id, loads
from rheobase.emulator.engine import FLASH_BYTES, EmulatorError, Engine
from rheobase.emulator.pads import pad_level
from rheobase.emulator.pwm_lazy import LazyPwm
from rheobase.emulator.stage import OutputStage
from rheobase.emulator.usb_host import UsbHost
from rheobase.emulator.vcd import VcdWriter

BOOT_TIMEOUT_NS = 3_000_000_000
INTERLOCK = "INTERLOCK"
STAGE_ENABLE = "STAGE_ENABLE"
_FUNCTION_PWM = 4
_GPIO_CTRL_LAST = 0xEC
ADC_FIRST_GPIO = 26
_ABOUT = {"resolution_ps": 8000, "instrument": "emulated board, a clock of 8 ns"}  # pads change on the chip's clock


class EmulatedBoard:
    """The board `board` (a BOARD table; default: boards.load()) running `image_bin`, powered but not booted.

    load: a load spec, {channel: spec} or "1=needle,2=open" (see loads.py). vcd: file to record into.
    flash: file that keeps the flash from one board to the next. interlock: True closed, False open, None floating.
    serial: the flash chip's unique id (16 hex digits), which is the board's serial number.
    nak, event_pio, dma_rate, lazy_pwm: the corrections of the emulator, each off only for its own test.
    """

    def __init__(
        self,
        image_bin,
        board=None,
        load=None,
        vcd=None,
        flash=None,
        interlock=True,
        nak=True,
        event_pio=True,
        dma_rate=True,
        lazy_pwm=True,
        serial="e600000000000001",
    ):
        self.board = board or boards.load()
        self.engine = Engine(event_pio=event_pio)
        self.mcu = chip = self.engine.chip
        if lazy_pwm:
            chip.pwm = chip.peripherals[0x40050] = LazyPwm(chip, "PWM_BASE")
            chip.pwm.reset()
            chip.pwm.on_change = self._on_pwm
        if dma_rate:
            dma_timer.correct(chip.dma)
        self.serial = serial
        flash_id.give(chip.ssi, bytes.fromhex(serial))
        self._flash_path = Path(flash) if flash else None
        if self._flash_path and self._flash_path.exists():
            kept = self._flash_path.read_bytes()[:FLASH_BYTES]
            chip.flash[: len(kept)] = kept
        self.engine.load_image(Path(image_bin).read_bytes())

        self.received = bytearray()
        self.on_bytes = None  # called as on_bytes(t_ns, data) for every packet that arrives
        self.edges = []  # (t_ns, name, level) of legs, interlock and watched pins
        self.setpoints = []  # (t_ns, "CH1_UA", microamps commanded)
        self.on_edge = None  # called as on_edge(t_ns, name, level)
        self.edge_hooks = []  # the same, for whoever else must know
        self.mailbox = None  # takes Python to run on the board (fault_python.python_ready)
        self.usb = UsbHost(chip, self._on_usb, nak=nak)
        self.stage = OutputStage(self.board, load)

        self._names = {}  # gpio -> name, of pins whose edges are recorded
        self._levels = {}
        self._leg_a = {}  # gpio -> channel number
        self._rose_ns = {}
        self._dacs = {}  # gpio -> channel number
        names = {}
        for entry in self.board["channels"]:
            n = entry["n"]
            self._track(entry["leg_a"], f"CH{n}_A")
            self._track(entry["leg_b"], f"CH{n}_B")
            self._leg_a[entry["leg_a"]] = n
            self._dacs[entry["dac"]] = n
            chip.gpio[entry["dac"]].add_listener(self._listener(entry["dac"]))
            names |= {f"CH{n}_A": "wire", f"CH{n}_B": "wire"}
        names[INTERLOCK] = "wire"
        if "stage_enable" in self.board:
            names[STAGE_ENABLE] = "wire"
            self._track(self.board["stage_enable"], STAGE_ENABLE)
        names |= {f"CH{n}_UA": "real" for n in self.stage.channels}
        names |= {f"GPIO{gpio}": "wire" for gpio in self.board.get("spare", ())}
        self._commanded = dict.fromkeys(self.stage.channels, 0.0)
        self._vcd = VcdWriter(vcd, names, about=_ABOUT) if vcd else None
        for gpio in self.board.get("spare", ()):
            self._track(gpio, f"GPIO{gpio}")
        self._wrap_registers()
        chip.adc.on_adc_read = self._on_adc
        self.engine.after_reset.append(self._after_reset)
        self._interlock_level = None
        self.set_interlock(interlock)

    # ---- running ------------------------------------------------------------------------------

    @property
    def now_ns(self):
        """Simulated time since power-on."""
        return self.engine.now_ns

    def boot(self, timeout_ns=BOOT_TIMEOUT_NS):
        """Power on and run until the host has configured the USB port. Raises EmulatorError if it does not."""
        self.engine.power_on()
        if not self.run_until(lambda: self.usb.connected, timeout_ns):
            raise EmulatorError("no_usb", "The image did not come up on USB.", "Is it an image for an RP2040?")

    def run_for(self, ns):
        """Run for `ns` of simulated time."""
        self.engine.run_to(self.engine.clock.nanos + ns)

    def run_until(self, predicate, timeout_ns):
        """Run until `predicate()` is true (looked at after every byte, edge and set-point, and every 250 us);
        False if it is not within `timeout_ns`.
        """
        return self.engine.run_to(self.engine.clock.nanos + timeout_ns, until=predicate)

    def at(self, t_ns, fn):
        """Call `fn()` at simulated time `t_ns`."""
        self.engine.at(t_ns, fn)

    def reset(self):
        """Power cycle: flash kept, everything else as at power-on. Time runs on."""
        self.engine.power_on()

    def close(self):
        """Finish the VCD and keep the flash if it was asked for."""
        if self._vcd is not None:
            self._vcd.close(self.now_ns)
            self._vcd = None
        if self._flash_path is not None:
            self._flash_path.write_bytes(bytes(self.mcu.flash[:FLASH_BYTES]))

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def peek(self, address):
        """One word of the bus, as the CPU would read it."""
        return self.engine.peek(address)

    def poke(self, address, value):
        """Write one word of the bus, as the CPU would."""
        self.engine.poke(address, value)

    # ---- USB ----------------------------------------------------------------------------------

    def send(self, data):
        """Bytes from the host's program to the device."""
        self.usb.send(data)

    def stop_reading(self, stopped=True):
        """The host stops (or resumes) draining the IN endpoint."""
        self.usb.set_reading(not stopped)

    def set_port_open(self, is_open):
        """A program opens or closes the port (DTR)."""
        self.usb.set_open(is_open)

    def _on_usb(self, data):
        self.received += data
        if self.on_bytes is not None:
            self.on_bytes(self.now_ns, data)
        self.engine.wake()

    # ---- the world around ---------------------------------------------------------------------

    def set_interlock(self, closed):
        """True: switch closed (pin high). False: open, pulled low. None: floating, the chip's own pull decides."""
        pin = self.mcu.gpio[self.board["interlock"]]
        if closed is None:
            pin.release_input()
        else:
            pin.set_input_value(bool(closed))
        level = 1 if closed else 0
        if level != self._interlock_level:
            self._interlock_level = level
            self._edge(INTERLOCK, level)

    def set_load(self, channel, spec):
        """Change the load at `channel` (see loads.parse)."""
        self.stage.channels[channel].load = loads.parse(spec)

    def set_error(self, channel, name, value):
        """Make the stage of `channel` wrong. name: gain, offset_ua, sense_gain or sense_offset_ua (stage.Channel)."""
        setattr(self.stage.channels[channel], name, value)

    def set_supply_mv(self, millivolts):
        """Supply voltage that the multiplexer shows."""
        self.stage.supply_mv = millivolts

    def set_pin(self, gpio, level):
        """Drive a pin from outside: True, False, or None to let go."""
        pin = self.mcu.gpio[gpio]
        if level is None:
            pin.release_input()
        else:
            pin.set_input_value(bool(level))

    def level(self, name):
        """Present level of a recorded name."""
        return self._levels[name]

    # ---- recording ----------------------------------------------------------------------------

    def watch(self, gpio, name):
        """Record the edges of `gpio` under `name` from now on (in `edges`; the VCD has its fixed names)."""
        self._track(gpio, name)
        self._recheck(gpio)

    def _track(self, gpio, name):
        if gpio in self._names:
            self._levels[name] = self._levels.pop(self._names[gpio])
        else:
            self.mcu.gpio[gpio].add_listener(self._listener(gpio))
            self._levels[name] = 0
        self._names[gpio] = name

    def _listener(self, gpio):
        return lambda new, old: self._recheck(gpio)

    def _recheck(self, gpio):
        """The pad of `gpio` may have changed: record the edge, tell the stage."""
        pin = self.mcu.gpio[gpio]
        if gpio in self._names:
            name, level = self._names[gpio], pad_level(pin)
            if level != self._levels[name]:
                self._levels[name] = level
                self._edge(name, level)
                number = self._leg_a.get(gpio)
                if number is not None:
                    t_ns = self.now_ns
                    if level:
                        self._rose_ns[number] = t_ns
                    else:
                        self.stage.end_of_leg_a(number, t_ns, t_ns - self._rose_ns[number])
                elif name == STAGE_ENABLE:
                    self.stage.enabled = bool(level)
        if gpio in self._dacs:
            self._command(gpio)

    def _edge(self, name, level):
        t_ns = self.now_ns
        self._levels[name] = level
        self.edges.append((t_ns, name, level))
        if self._vcd is not None:
            self._vcd.change(t_ns, name, level)
        if self.on_edge is not None:
            self.on_edge(t_ns, name, level)
        for hook in self.edge_hooks:
            hook(t_ns, name, level)
        self.engine.wake()

    # ---- set-points and sense -----------------------------------------------------------------

    def _duty(self, gpio):
        """Duty that stands at the pad of a DAC pin."""
        pin = self.mcu.gpio[gpio]
        if pin.function_select != _FUNCTION_PWM or not isinstance(self.mcu.pwm, LazyPwm):
            return float(pad_level(pin))
        if not pin.output_enable or pin.output_disable:
            return 0.0
        duty = self.mcu.pwm.duty(gpio)
        return (duty, 1.0 - duty, 0.0, 1.0)[pin.output_override]

    def _command(self, gpio):
        number = self._dacs[gpio]
        ua = self._duty(gpio) * self.board["full_scale_ua"]
        if ua != self._commanded[number]:
            t_ns = self.now_ns
            self._commanded[number] = ua
            self.stage.command(number, self.engine.clock.nanos, ua / self.board["full_scale_ua"])
            name = f"CH{number}_UA"
            self.setpoints.append((t_ns, name, ua))
            if self._vcd is not None:
                self._vcd.change(t_ns, name, ua)
            self.engine.wake()

    def _on_pwm(self, index):
        for gpio in self._dacs:
            if (gpio >> 1) & 7 == index:
                self._command(gpio)

    def _on_adc(self, channel):
        adc = self.mcu.adc
        if channel == self.board["sense_adc"] - ADC_FIRST_GPIO:
            select = sum(pad_level(self.mcu.gpio[g]) << n for n, g in enumerate(self.board["mux_select"]))
            adc.channel_values[channel] = self.stage.code(select, self.engine.clock.nanos)
        adc._default_on_adc_read(channel)

    # ---- hooks into the chip ------------------------------------------------------------------

    def _wrap_registers(self):
        """See every write to a pin's function, overrides and pad, which the emulator reports only in part."""
        io, pads = self.mcu.peripherals[0x40014], self.mcu.pads_bank0
        io_write, pads_write = io.write_uint32, pads.write_uint32

        def on_io(offset, value):
            io_write(offset, value)
            if offset <= _GPIO_CTRL_LAST and offset & 4:
                self._pin_changed(offset >> 3)

        def on_pads(offset, value):
            pads_write(offset, value)
            if 4 <= offset <= 0x78:
                self._pin_changed((offset - 4) >> 2)

        io.write_uint32, pads.write_uint32 = on_io, on_pads

    def _pin_changed(self, gpio):
        if gpio in self._names and isinstance(self.mcu.pwm, LazyPwm):
            index = (gpio >> 1) & 7
            watched = any(
                (g >> 1) & 7 == index and self.mcu.gpio[g].function_select == _FUNCTION_PWM for g in self._names
            )
            self.mcu.pwm.watch(index, watched)
        if gpio in self._names or gpio in self._dacs:
            self._recheck(gpio)

    def _after_reset(self):
        for gpio in {**self._names, **self._dacs}:
            self._recheck(gpio)
        for channel in self.stage.channels.values():
            channel.held_ua = channel.held_mv = 0.0
