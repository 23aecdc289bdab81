"""Look at boards without disturbing one: by the control socket of the run that holds it, else by greeting its port.

Sends hello, status and inspect, and nothing that starts, stops, resets or writes. No board is taken out of a REPL.
"""

from rheobase import boards, control, discovery
from rheobase.errors import Incompatible, RheoError, UsageError


class Seen:
    """What could be seen of one board. Each is None where it could not be had.

    holder: `who` of the run that holds it. info, status, inspection: the board's own answers. problem: RheoError that
    ended the looking. needed: the board is named, or the only one, so that a problem with it matters.
    """

    def __init__(self, port, emulated=None):
        self.port = port
        self.emulated = emulated
        self.needed = True
        self.holder = self.info = self.status = self.inspection = self.problem = None

    @property
    def told(self):
        """The dict that has `board`, `serial`, `firmware`; None if nothing answered."""
        return self.info or self.holder

    @property
    def table(self):
        """The board's description, None for a board that this rheo does not know."""
        try:
            return boards.load(self.told["board"])
        except UsageError:
            return None

    def describe(self):
        """ "/dev/ttyACM0 (RHEO_PICO E66...)"."""
        told = self.told
        name = f"{told['board']} {told['serial']}" if told else self.problem.code.replace("_", " ")
        return f"{self.port} ({name}{', emulated' if self.emulated else ''})"


def look(option=None):
    """[Seen] of the board that is named, or of every one that could be there."""
    port = discovery.configured_port(option)
    if port and port != discovery.EMU:
        return [_at(discovery.resolve(port), None)]
    found = [_at(port, emulated) for port, emulated, _ in discovery.candidates()]
    known = {control.socket_path(seen.port) for seen in found}
    found += filter(None, (_held(path) for path in control.socket_paths() if path not in known))
    for seen in found:
        seen.needed = len(found) == 1
    return found


def _held(path):
    """Seen of a run whose port no search finds (another maker's serial port); None if nobody serves there."""
    try:
        client = control.connect(path)
    except RheoError:
        return None
    if client is None:
        return None
    client.close()
    return _at(client.who["port"], None)


def _at(port, emulated):
    seen = Seen(port, emulated)
    try:
        client = control.connect(control.socket_path(port))
        if client is not None:
            with client:
                seen.holder, seen.status = client.who, client.call("status")
                seen.emulated = client.who["emulated"]
        else:
            _greet(seen)
    except RheoError as problem:
        seen.problem = problem
    except (AttributeError, KeyError, TypeError, ValueError):
        said = f"The board on {port} answers what this rheo does not understand."
        seen.problem = Incompatible("bad_answer", said, "Flash or deploy this rheo's firmware.")
    return seen


def _greet(seen):
    from rheobase.link.greeting import open_board

    with open_board(seen.port, seen.emulated, boot=False, patience_s=discovery.PATIENCE_S) as board:
        seen.info, seen.emulated = board.info, board.emulated
        seen.status = board.status()
        try:
            seen.inspection = board.call("inspect")
        except RheoError as problem:  # an older firmware, or a session that another host has just left
            seen.problem = problem
