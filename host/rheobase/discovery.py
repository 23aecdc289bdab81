"""Which boards are there, and which one is meant: by -p, RHEO_PORT, the config file, or the one that answers.

Never takes a port because it exists: a board is what answers the handshake. Opens ports, changes nothing on a board
but the greeting. `state` of a found board: its session state, or busy, repl, foreign, silent, incompatible, no_access.
"""

import os

from rheobase.errors import DeviceLost, HostError, RheoError

VID, PID = 0x2E8A, 0x0005  # MicroPython on an RP2040
EMU = "emu"

_STATES = {
    "busy": "busy",
    "at_repl": "repl",
    "no_firmware": "foreign",
    "no_answer": "silent",
    "lost": "silent",
    "no_access": "no_access",
}


class Found:
    """A port with what answered there: serial, board, firmware (None if nothing did), state, problem (RheoError)."""

    def __init__(self, port, emulated, info=None, problem=None, serial=None):
        self.port = port
        self.emulated = emulated
        self.info = info
        self.problem = problem
        self.serial = info["serial"] if info else serial

    @property
    def state(self):
        if self.info:
            return self.info["state"]
        return _STATES.get(self.problem.code, "incompatible")

    def as_dict(self):
        info = self.info or {}
        return {
            "port": self.port,
            "serial": self.serial,
            "board": info.get("board"),
            "firmware": info.get("firmware"),
            "state": self.state,
        }


def configured_port(option=None):
    """Port by -p, then RHEO_PORT, then the config file's `port`; None if nobody named one."""
    return option or os.environ.get("RHEO_PORT") or _config().get("port")


def config_path():
    """The user's config.toml. RHEO_CONFIG overrides."""
    if os.environ.get("RHEO_CONFIG"):
        return os.environ["RHEO_CONFIG"]
    import platformdirs

    from rheobase.paths import APP

    return os.path.join(platformdirs.user_config_dir(APP), "config.toml")


def _config():
    path = config_path()
    try:
        with open(path, "rb") as file:
            import tomllib

            config = tomllib.load(file)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise HostError("bad_config", f"{path} cannot be read: {error}.", "Mend or remove it.") from None
    if not isinstance(config.get("port", ""), str):
        raise HostError("bad_config", f"{path}: port must be a text.", 'For example: port = "/dev/ttyACM0"')
    return config


def candidates():
    """[(port, emulated, serial or None)] of everything that could be a board; opens nothing."""
    from rheobase.emulator import register

    emulated = [(entry.port, True, entry.serial) for entry in register.list_boards()]
    taken = {os.path.realpath(port) for port, _, _ in emulated}
    real = [entry for entry in _usb_ports() if os.path.realpath(entry[0]) not in taken]
    return real + emulated


def _usb_ports():
    from serial.tools import list_ports

    return [(p.device, False, p.serial_number) for p in list_ports.comports() if (p.vid, p.pid) == (VID, PID)]


def find_all(boot=False):
    """[Found] of every candidate, each greeted. boot: restart boards that stand at the REPL."""
    return [_found(port, emulated, serial, boot) for port, emulated, serial in candidates()]


def _found(port, emulated, serial, boot):
    from rheobase.link.greeting import open_board

    try:
        with open_board(port, emulated, boot) as board:
            return Found(port, emulated, board.info)
    except RheoError as problem:
        return Found(port, emulated, None, problem, serial)


def find_one(option=None):
    """Port of the board that is meant. Raises DeviceLost: none answers, or several do (they are listed)."""
    port = configured_port(option)
    if port:
        return port
    found = find_all(boot=True)
    answering = [f for f in found if f.info]
    if len(answering) == 1:
        return answering[0].port
    if answering:
        raise several([f"{f.port} ({f.info['board']} {f.serial}, {f.state})" for f in answering])
    if len(found) == 1:
        raise found[0].problem
    if found:
        listed = "; ".join(f.problem.message for f in found)
        raise DeviceLost("no_board", f"No board can be used. {listed}", "`rheo devices` lists them.")
    raise no_board()


def no_board():
    return DeviceLost(
        "no_board", "No board was found.", "Connect one, or use an emulated one: `--port emu` or `rheo emulate`."
    )


def several(lines):
    """Error for an ambiguous choice; lines: one description a board, the port first."""
    return DeviceLost("several_boards", "Several boards are there: " + "; ".join(lines) + ".", "Choose one with --port.")
