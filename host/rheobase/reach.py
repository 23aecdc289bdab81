"""Reach boards for `status`, `stop`, `pause`, `resume`, `watch`: by the run that holds one, else by its port.

Imports no protocol, record, image or emulator code: `stop` has to be quick.
"""

import contextlib
import threading

from rheobase import control, discovery
from rheobase.errors import DeviceLost, RheoError, UsageError
from rheobase.link import ports


class Held:
    """A board that a running `rheo run` holds."""

    def __init__(self, client):
        self.client = client
        self.port = client.who["port"]
        self.emulated = client.who["emulated"]

    def status(self):
        return self.client.call("status")

    def pause(self):
        return self.client.call("pause")

    def resume(self):
        return self.client.call("resume")

    def telemetry(self):
        return self.client.stream()

    def close(self):
        self.client.close()


class Free:
    """A board that nobody holds, greeted by us."""

    def __init__(self, board):
        self.board = board
        self.port = board.port
        self.emulated = board.emulated

    def status(self):
        return self.board.status()

    def pause(self):
        return self.board.call("pause")

    def resume(self):
        return self.board.call("resume", {"token": 0})  # the owner has gone: the board says so

    def telemetry(self):
        """Telemetry items, for ever; asks for the status where the board sends none."""
        client = self.board.client
        client.watching = True
        status = self.board.status()
        while True:
            client.wait(0.25)
            while client.telemetry:
                item = client.telemetry.popleft()
                if len(item["channels"]) != len(status["channels"]):
                    status = self.board.status()
                yield {**item, "channels": client.rows(item, status["channels"]), "modelled": self.emulated}

    def close(self):
        self.board.close()


def refuse_emu(option):
    """These verbs look at a board that exists already."""
    if option == discovery.EMU:
        raise UsageError(
            "no_emu", "`--port emu` would start a new board with nothing on it.", "Name the pty of the one that runs."
        )


@contextlib.contextmanager
def one(option):
    """Held or Free: the board that is meant. Without a port: the only one that is held or answers."""
    refuse_emu(option)
    port = discovery.configured_port(option)
    if port and port != discovery.EMU:
        target = _at(discovery.resolve(port))
    else:
        target = _only()
    try:
        yield target
    finally:
        target.close()


def _at(port):
    client = control.connect(control.socket_path(port))
    if client is not None:
        return Held(client)
    from rheobase.link.greeting import open_board

    return Free(open_board(port, patience_s=discovery.PATIENCE_S))


def _only():
    held = [client for client in map(control.connect, control.socket_paths()) if client is not None]
    taken = {ports.identity(client.who["port"]) for client in held}
    found = [
        discovery.try_port(port, emulated, serial)
        for port, emulated, serial in discovery.candidates()
        if ports.identity(port) not in taken
    ]
    free = [f for f in found if f.info]
    if len(held) == 1 and not free:
        return Held(held[0])
    for client in held:
        client.close()
    if len(held) + len(free) > 1:
        lines = [f"{c.who['port']} (held by rheo run, process {c.who['pid']})" for c in held]
        raise discovery.several(lines + [f.describe() for f in free])
    if not free:
        raise discovery.none_usable(found)
    return _at(free[0].port)


# -- stop ------------------------------------------------------------------------------------------------------


def stop(option):
    """[(port, {"state", "confirmed"} or RheoError)] of the board named, or of every board there is; all at once.

    Settings that cannot be read are a RheoError among them: the board that they name may be one that nothing else
    finds. Raises DeviceLost if there is no board at all.
    """
    refuse_emu(option)
    results = {}
    names = [option] if option else _all_ports(results)
    tasks = [(_stop_port, name) for name in names]
    if not option:  # runs whose port is no candidate: a serial port of another maker, named with -p
        known = {control.socket_path(name) for name in names}
        tasks += [(_stop_socket, path) for path in control.socket_paths() if path not in known]
    threads = []
    for work, where in tasks:
        threads.append(threading.Thread(target=_guarded, args=(work, where, results), daemon=True))
        threads[-1].start()
    for thread in threads:
        thread.join()
    if not results:
        raise discovery.no_board()
    return sorted(results.items())


def _all_ports(results):
    """Ports of every board that could be there, the one that is named in the settings included."""
    found = {ports.identity(port): port for port, _, _ in discovery.candidates()}
    named = None
    try:
        named = discovery.configured_port()
    except RheoError as error:  # no reason not to stop the others
        results[discovery.config_path()] = error
    if named and named != discovery.EMU:
        with contextlib.suppress(DeviceLost):  # one that is not there now: _stop_port says so
            named = discovery.resolve(named)
        found.setdefault(ports.identity(named), named)
    return list(found.values())


def _guarded(work, where, results):
    try:
        found = work(where)
        if found is not None:
            results[found[0]] = found[1]
    except RheoError as error:
        results[str(where)] = error
    except Exception as bug:  # of ours: a board left out of the results would pass for one that is off
        from rheobase.halt import not_confirmed

        results[str(where)] = not_confirmed(where)
        results[str(where)].hint = f"rheo met an error of its own: {type(bug).__name__}: {bug}."


def _stop_socket(path):
    client = control.connect(path)
    if client is None:
        return None  # left over from a run that was killed
    with client:
        port, reply = client.who["port"], client.call("stop")
        if not (isinstance(reply, dict) and reply.get("confirmed") is True):
            from rheobase.halt import not_confirmed

            raise not_confirmed(port)
        return port, {"state": None, **reply}


def _stop_port(port):
    """Stop what is on the port, greeted or not; a port that a run holds is asked through it."""
    from rheobase.halt import halt
    from rheobase.link.client import Client
    from rheobase.link.greeting import EMULATED_SCALE, is_emulated
    from rheobase.link.transport import SerialTransport

    port = discovery.resolve(port)
    with contextlib.suppress(DeviceLost):  # a run that has just ended, or that hangs: its port tells
        found = _stop_socket(control.socket_path(port))
        if found is not None:
            return port, found[1]
    try:
        transport = SerialTransport(port, discovery.PATIENCE_S)
    except DeviceLost as error:
        if error.code == "busy":
            message = error.message + " Stop not confirmed: open the interlock."
            raise DeviceLost("busy", message, "Then close that program, and `rheo stop` again.") from None
        raise
    client = Client(transport, EMULATED_SCALE if is_emulated(port) else 1.0)
    try:
        return port, halt(client)
    finally:
        client.close()
