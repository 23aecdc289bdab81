"""The USB host of the emulated board (harness correction 1): it NAKs an idle OUT endpoint, and may stop reading.

The emulator's own host answers an idle OUT endpoint at once with an empty packet, so the device is interrupted
every 45 us for ever and the CPU never sleeps. A real host stays silent until it has something to send. It also has
start-of-frame interrupts (TinyUSB flushes its first bytes on them), can leave the IN endpoint undrained, and its
cable can be unplugged.
"""

from rp2040py.usb.cdc import CDC_DTR, CDC_RTS, USBCDC

PACKET_BYTES = 64
PACKET_NS = 50_000  # a full-speed bulk packet of 64 bytes with its overhead, about
_SOF_RD, _SIE_STATUS, _INTE = 0x48, 0x50, 0x90
_SUSPENDED = 1 << 4
_SUSPEND_NS = 3_000_000  # a bus without frames counts as suspended after this
_INTR_DEV_SOF = 1 << 17
_FRAME_NS = 1_000_000
_RESET_NS = 10_000_000  # a host resets the bus for so long at least, and begins frames after it (USB 2.0, 7.1.7.5)
_BUFFER_CONTROL, _AVAILABLE = 0x80, 1 << 10  # of endpoint n IN at 8n in the USB memory


class UsbHost:
    """Host side of the CDC port.

    on_bytes: called with each packet that arrives from the device.
    nak: False restores the emulator's own behaviour (for the test that shows why it is replaced).
    """

    def __init__(self, chip, on_bytes, nak=True):
        self.on_bytes = on_bytes
        self.nak = nak
        self.connected = False  # enumerated and configured
        self.open = True  # a program holds the port: DTR is up
        self.plugged = True
        self._unplugged_ns = 0
        self._frames_from_ns = 0  # after a bus reset
        self._gone = False  # the program has died
        self._against = set()  # reasons why the IN endpoint is not drained
        self._outbox = bytearray()
        self._parked = None  # (endpoint, size) of a read that the host has not answered
        self._held_bytes = bytearray()
        self._held_done = []
        self._ctrl = ctrl = chip.usb_ctrl
        self._clock = chip.clock
        self.cdc = cdc = USBCDC(ctrl)
        cdc.on_serial_data = self._arrived
        cdc.on_device_connected = self._on_connected
        self._set_lines = cdc._cdc_set_control_line_state
        cdc._cdc_set_control_line_state = self._control_lines
        self._answer_read = ctrl.on_endpoint_read
        ctrl.on_endpoint_read = self._on_read
        self._enabled = ctrl.on_usb_enabled
        ctrl.on_usb_enabled = self._on_enabled
        self._buffer_ready = ctrl._indicate_buffer_ready
        ctrl._indicate_buffer_ready = self._on_buffer_ready
        self._clear = ctrl.on_reset
        ctrl.on_reset = self._on_reset
        self._write_register, self._read_register = ctrl.write_uint32, ctrl.read_uint32
        ctrl.write_uint32, ctrl.read_uint32 = self._on_register_write, self._on_register_read
        self._frame_alarm = chip.clock.create_alarm(self._on_frame)
        self._frames_wanted = False
        self._suspend_alarm = chip.clock.create_alarm(self._on_suspend)

    # ---- the host's side ----------------------------------------------------------------------

    @property
    def unsent(self):
        """Bytes accepted from the program but not yet taken by the device."""
        return len(self._outbox)

    def send(self, data):
        """Queue bytes for the device; nobody is there to send them while unplugged or while the program is gone."""
        if self._gone or not self.plugged:
            return
        if not self.nak:
            for byte in data:
                self.cdc.send_serial_byte(byte)
            return
        self._outbox += data
        self._feed()

    def set_reading(self, reading, reason="program"):
        """Drain the IN endpoint or leave it full: the device then holds one or two packets and must wait.

        It is drained only while nobody has a reason against it: each `reason` comes and goes by itself.
        """
        before = bool(self._against)
        (self._against.discard if reading else self._against.add)(reason)
        if before and not self._against:
            if self._held_bytes:
                data, self._held_bytes = bytes(self._held_bytes), bytearray()
                self.on_bytes(data)
            done, self._held_done = self._held_done, []
            for endpoint in done:
                self._mark_available(endpoint, False)
                self._buffer_ready(endpoint, False)

    def set_open(self, is_open):
        """A program opens (DTR up) or closes (DTR down) the port."""
        if is_open == self.open:
            return
        self.open = is_open
        if self.connected:
            self._control_lines()

    def set_gone(self, gone):
        """The program that held the port dies: DTR down, nothing drained, nothing sent; or it is back."""
        if gone == self._gone:
            return
        self._gone = gone
        if gone:
            self._outbox.clear()
        self.set_reading(not gone, "gone")
        if self.connected and self.open:
            self._control_lines()

    def set_plugged(self, plugged):
        """Pull the cable: no traffic, no frames, suspend after 3 ms. Put it back: bus reset and enumeration anew."""
        if plugged == self.plugged:
            return
        self.plugged = plugged
        self.connected = False
        self._outbox.clear()
        if not plugged:
            self.set_reading(False, "unplugged")
            self._suspend_alarm.schedule(_SUSPEND_NS)
            self._unplugged_ns = self._clock.nanos
            return
        self._suspend_alarm.cancel()
        self._forget()
        self._against.discard("unplugged")
        self._frames_from_ns = self._clock.nanos + _RESET_NS
        self.cdc._on_controller_reset()
        self._ctrl.reset_device()

    # ---- wrapped hooks of the emulator --------------------------------------------------------

    def _control_lines(self, value=None, interface_number=None):
        if value is None:
            value = CDC_DTR | CDC_RTS if self.open and not self._gone else 0
        self._set_lines(value, interface_number)

    def _on_connected(self):
        self.connected = True

    def _on_enabled(self):
        if self.plugged:
            self._enabled()

    def _on_reset(self):
        self._clear()
        self.connected = False
        self._outbox.clear()
        self._forget()
        self._frames_wanted = False
        self._frame_alarm.cancel()
        self._suspend_alarm.cancel()

    def _forget(self):
        """Transfers that a reset of the device or of the bus has ended."""
        self._parked = None
        self._held_done = []
        self._held_bytes.clear()

    def _on_read(self, endpoint, size):
        if self.nak and endpoint == self.cdc._out_endpoint:
            self._parked = (endpoint, size)
            self._feed()
        else:
            self._answer_read(endpoint, size)

    def _feed(self):
        if self._parked is None or not self._outbox:
            return
        endpoint, size = self._parked
        self._parked = None
        count = min(size, PACKET_BYTES, len(self._outbox))
        packet = bytes(self._outbox[:count])
        del self._outbox[:count]
        self._ctrl.endpoint_read_done(endpoint, packet, delay=PACKET_NS // 1000)

    def _arrived(self, data):
        if self._against:
            self._held_bytes += data
        else:
            self.on_bytes(bytes(data))

    def _on_buffer_ready(self, endpoint, out):
        if not out and self._against and endpoint == self.cdc._in_endpoint:
            self._held_done.append(endpoint)
            self._mark_available(endpoint, True)
        else:
            self._buffer_ready(endpoint, out)

    def _mark_available(self, endpoint, available):
        """The buffer stays the controller's until the host has read it; the emulator takes it back at once."""
        at = _BUFFER_CONTROL + 8 * endpoint
        dpram = self._ctrl.rp2040.usb_dpram
        value = int.from_bytes(dpram[at : at + 4], "little") & ~_AVAILABLE
        dpram[at : at + 4] = (value | (_AVAILABLE if available else 0)).to_bytes(4, "little")

    # ---- start of frame -----------------------------------------------------------------------

    def _on_register_write(self, offset, value):
        if offset == _SIE_STATUS and self._ctrl.raw_write_value & _SUSPENDED:
            self._ctrl._sie_status &= ~_SUSPENDED  # write 1 to clear, which the emulator leaves out
        self._write_register(offset, value)
        if offset == _INTE:
            wanted = bool(value & _INTR_DEV_SOF)
            if wanted and not self._frames_wanted:
                self._frame_alarm.schedule(_FRAME_NS)
            self._frames_wanted = wanted

    def _on_register_read(self, offset):
        if offset == _SOF_RD:
            self._ctrl._int_raw &= ~_INTR_DEV_SOF
            self._ctrl.check_interrupts()
            nanos = self._clock.nanos if self._framing() else self._unplugged_ns
            return int(nanos // _FRAME_NS) & 0x7FF
        return self._read_register(offset)

    def _framing(self):
        """True while the host begins frames."""
        return self.plugged and self._clock.nanos >= self._frames_from_ns

    def _on_frame(self):
        if self._frames_wanted:
            if self._framing():
                self._ctrl._int_raw |= _INTR_DEV_SOF
                self._ctrl.check_interrupts()
            self._frame_alarm.schedule(_FRAME_NS)

    def _on_suspend(self):
        self._ctrl._sie_status |= _SUSPENDED
        self._ctrl._sie_status_updated()
