"""Which boards are there, and which one is meant: by -p, RHEO_PORT, the config file, or the one that answers.

Never takes a port because it exists: a board is what answers the handshake. Opens ports, changes nothing on a board
but the greeting. `state` of a found board: its session state, or busy, repl, foreign, silent, incompatible, no_access.
"""

import contextlib
import os

from rheobase.errors import DeviceLost, HostError, RheoError
from rheobase.link import ports

VID, PID = 0x2E8A, 0x0005  # MicroPython on an RP2040
EMU = "emu"
BY_SERIAL = "id:"  # before a serial number: the port that has it now, as mpremote names it too
PATIENCE_S = 1.0  # another rheo holds a port for less than this, unless it runs a session

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

    def describe(self):
        """ "/dev/ttyACM0 (RHEO_PICO E66..., idle)": for a list to choose from."""
        return f"{self.port} ({self.info['board']} {self.serial}, {self.state})"

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
    """Port by -p, then RHEO_PORT, then the config file's `port`, as it was named; None if nobody named one."""
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
    taken = {ports.identity(port) for port, _, _ in emulated}
    real = [entry for entry in _usb_ports() if ports.identity(entry[0]) not in taken]
    return real + emulated


def _usb_ports():
    from serial.tools import list_ports

    return [(p.device, False, p.serial_number) for p in list_ports.comports() if (p.vid, p.pid) == (VID, PID)]


def port_of(serial):
    """Port where the board with this serial number is now, or None. Ports renumber; serial numbers stay."""
    wanted = serial.lower()
    return next((port for port, _, found in candidates() if found and found.lower() == wanted), None)


def serial_at(port):
    """Serial number of the board at a port, as far as its USB tells; else None. Opens nothing."""
    there = ports.identity(port)
    return next((serial for other, _, serial in candidates() if ports.identity(other) == there), None)


def resolve(name):
    """The port that a name means: `id:SERIAL` is looked up, any other is the port. Raises DeviceLost `no_port`."""
    if not name.lower().startswith(BY_SERIAL):
        return name
    serial = name[len(BY_SERIAL) :]
    port = port_of(serial)
    if port is None:
        message = f"No board with the serial number {serial} is connected."
        raise DeviceLost("no_port", message, "`rheo devices` lists the boards.")
    return port


def find_all(boot=False):
    """[Found] of every candidate, each greeted. boot: restart boards that stand at the REPL."""
    return [try_port(port, emulated, serial, boot) for port, emulated, serial in candidates()]


def try_port(port, emulated=None, serial=None, boot=True):
    """Found of one port: greeted and closed again."""
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
        return resolve(port)
    found = find_all(boot=True)
    answering = [f for f in found if f.info]
    if len(answering) == 1:
        return answering[0].port
    if answering:
        raise several([f.describe() for f in answering])
    raise none_usable(found)


def find_any(option=None):
    """Port of the board that is meant, one without our firmware included (what deploy is for)."""
    port = configured_port(option)
    if port:
        return resolve(port)
    found = find_all()
    usable = [f for f in found if f.state not in ("busy", "no_access", "silent")]
    if len(usable) == 1:
        return usable[0].port
    if usable:
        raise several([f"{f.port} ({f.state})" for f in usable])
    raise none_usable(found)


def none_usable(found):
    """The error when nothing answers: the one problem that there is, or all of them."""
    if len(found) == 1:
        return found[0].problem
    if found:
        listed = " ".join(f.problem.message for f in found)
        return DeviceLost("no_board", f"No board can be used. {listed}", "`rheo devices` lists them.")
    return no_board()


@contextlib.contextmanager
def connect(option=None, note=None, vcd=None, load=None, check=True):
    """The greeted Board that is meant, closed at the end; for `emu` an emulated one is started, and stopped again.

    note(text): told what takes long, and what differs. vcd, load: for `emu`. check: compare its firmware with ours.
    """
    note = note or (lambda text: None)
    from rheobase.link.greeting import open_board

    port = find_one(option)
    with contextlib.ExitStack() as stack:
        emulated = None
        if port == EMU:
            port = stack.enter_context(_emulator(note, vcd, load)).pty
            emulated = True
        board = stack.enter_context(open_board(port, emulated, patience_s=PATIENCE_S))
        if check:
            difference = firmware_difference(board.info)
            if difference:
                note(difference)
        yield board


def _emulator(note, vcd, load):
    from rheobase import boards, image
    from rheobase.emulator import launch, require

    require()
    name = boards.chosen()
    found = image.ensure(name, log=note)
    if not found.frozen:
        raise HostError(
            "bare_image",
            f"The image {found.path} has no Rheobase firmware inside, so the emulated board cannot use it.",
            "Build one: `rheo image build`, or `rheo image build --micropython DIR`.",
        )
    return launch.start(name, found.bin_path, vcd=vcd, load=load)


def firmware_difference(info):
    """A sentence if the board's firmware is not the one that this rheo carries, else None."""
    from rheobase.image.firmware_files import BY_HAND, firmware_hash, known_boards

    if info["firmware"]["hash"] == BY_HAND:
        return (
            "The board's firmware was copied by hand, so it cannot say which it is; `rheo deploy` brings this rheo's."
        )
    if info["board"] not in known_boards():
        return f"This rheo does not know the board {info['board']}."
    ours, theirs = firmware_hash(info["board"]), info["firmware"]["hash"]
    if ours == theirs:
        return None
    how = "flash" if info["firmware"]["origin"] == "frozen" else "deploy"
    return f"The board's firmware ({theirs}) is not this rheo's ({ours}); `rheo {how}` brings it."


def no_board():
    return DeviceLost(
        "no_board", "No board was found.", "Connect one, or use an emulated one: `--port emu` or `rheo emulate`."
    )


def several(lines):
    """Error for an ambiguous choice; lines: one description a board, the port first."""
    return DeviceLost("several_boards", f"Several boards are there: {'; '.join(lines)}.", "Choose one with --port.")
