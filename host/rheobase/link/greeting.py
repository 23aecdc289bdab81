"""Open a port and shake hands: our firmware, an interrupted one at its REPL, a foreign one, or none. Sends no Ctrl-C.

A board that mpremote left at the REPL is soft-reset (Ctrl-D) so that the firmware starts; a MicroPython without our
firmware ends up at the REPL again and is told apart by that.
"""

import time

from rheocore import messages

from rheobase.errors import DeviceLost, Incompatible
from rheobase.link.client import Client, RpcError
from rheobase.link.transport import SerialTransport

HELLO_S = 0.5
BOOT_S = 5.0  # from Ctrl-D to the firmware's first answer
EMULATED_SCALE = 20.0  # an emulated board may run this much slower than real time

_NO_FIRMWARE_HINT = "`rheo deploy` copies the firmware to it; `rheo flash` replaces the image."


class Board:
    """A greeted board: client (the dialogue), info (messages.INFO as a dict), port, emulated (bool)."""

    def __init__(self, client, info, port, emulated):
        self.client = client
        self.info = info
        self.port = port
        self.emulated = emulated

    @property
    def measured_word(self):
        """What a current or an impedance from this board is: "measured", or "modelled" on an emulated one."""
        return "modelled" if self.emulated else "measured"

    def call(self, method, params=None, **options):
        """Result of a request; the board's refusals become errors of the host's tree."""
        from rheobase.link.words import to_error

        try:
            return self.client.call(method, params, **options)
        except RpcError as error:
            raise to_error(error) from None

    def status(self):
        """STATUS of the board, its channels as {"1": {set_ua, meas_ua, ohms, pulses}}."""
        status = self.call("status")
        names = messages.STATUS_CHANNEL[1:]
        status["channels"] = {str(row[0]): dict(zip(names, row[1:], strict=True)) for row in status["channels"]}
        return status

    def close(self):
        self.client.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()


def is_emulated(port):
    """True if the port is the pty of a registered emulated board."""
    if "ttyACM" in port or "usbmodem" in port:
        return False
    from rheobase.emulator import register

    return register.lookup(port) is not None


def open_board(port, emulated=None, boot=True, patience_s=0.0):
    """Open `port` and shake hands; returns a Board. The caller closes it.

    boot: soft-reset a board found at the REPL, so that its firmware starts. patience_s: wait so long for a busy port
    (another `rheo status` holds it for a moment). Raises DeviceLost (no port, busy, silent,
    `at_repl` when boot is false) and Incompatible (no firmware of ours, another wire version).
    """
    emulated = is_emulated(port) if emulated is None else emulated
    client = Client(SerialTransport(port, patience_s), EMULATED_SCALE if emulated else 1.0)
    try:
        info = _greet(client, boot)
    except BaseException:
        client.close()
        raise
    return Board(client, info, port, emulated)


def hello(client, timeout_s=HELLO_S, tries=2):
    """Begin a dialogue; returns INFO. Raises Incompatible on another wire version."""
    client.forget_ids()
    port = client.transport.port
    params = {"wire": messages.WIRE}
    try:
        info = client.call("hello", params, timeout_s, tries, give_up=lambda: at_prompt(client))
    except RpcError as error:
        if error.name == "wire_mismatch":
            raise _wire_mismatch(port, error.data.get("board")) from None
        raise Incompatible(
            "no_greeting", f"The board on {port} refuses the greeting: {error.name}.", _NO_FIRMWARE_HINT
        ) from None
    except Incompatible as error:
        raise Incompatible(
            "bad_info", f"The board on {port} describes itself wrongly. {error.message}", _NO_FIRMWARE_HINT
        ) from None
    if info["wire"] != messages.WIRE:
        raise _wire_mismatch(port, info["wire"])
    return info


def at_prompt(client):
    """True if the last thing the board sent is a REPL's prompt, the raw one's included."""
    return client.tail().rstrip(b" ").endswith((b">>>", b"CTRL-B to exit\r\n>", b"\x04>"))


def restart(client, timeout_s=BOOT_S):
    """Soft-reset a board at its REPL and greet the firmware that starts; returns INFO. Incompatible if none does."""
    client.transport.write(b"\r\x02")  # out of a raw REPL, if it was one
    client.wait(0.2 * client.scale)
    client.raw = client._buffer = b""
    client.transport.write(b"\x04")
    until = time.monotonic() + timeout_s * client.scale
    while b"soft reboot" not in client.tail() and time.monotonic() < until:
        client.wait(0.05)
    while True:
        try:
            return hello(client, tries=1)
        except DeviceLost as error:
            if error.code != "no_answer":
                raise
            if at_prompt(client):
                raise Incompatible(
                    "no_firmware",
                    f"The board on {client.transport.port} runs MicroPython without Rheobase's firmware.",
                    _NO_FIRMWARE_HINT,
                ) from None
            if time.monotonic() > until:
                raise


def _greet(client, boot):
    port = client.transport.port
    try:
        return hello(client)
    except DeviceLost as error:
        if error.code != "no_answer":
            raise
    if not at_prompt(client):
        client.transport.write(b"\r\x02\r")  # a raw REPL says nothing until it is left
        until = time.monotonic() + 0.3 * client.scale
        while time.monotonic() < until and not at_prompt(client):
            client.wait(0.05)
    if not at_prompt(client):
        raise DeviceLost(
            "no_answer",
            f"What is on {port} does not answer the greeting.",
            "If it is a Rheobase board, unplug it and plug it in again; else see `rheo devices`.",
        )
    if not boot:
        raise DeviceLost("at_repl", f"The board on {port} stands at its REPL.", "Any other `rheo` verb restarts it.")
    return restart(client)


def _wire_mismatch(port, theirs):
    return Incompatible(
        "wire_mismatch",
        f"The board on {port} speaks wire version {theirs}, this rheo speaks {messages.WIRE}.",
        "`rheo deploy` (or `rheo flash`) brings this rheo's firmware to it.",
    )
