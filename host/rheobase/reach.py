"""Reach boards for `status`, `stop`, `pause`, `resume`, `watch`: by the run that holds one, else by its port.

Imports no protocol, record, image or emulator code: `stop` has to be quick.
"""

import contextlib
import os
import threading

from rheobase import control, discovery
from rheobase.errors import DeviceLost, RheoError, UsageError


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
        target = _at(port)
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

    return Free(open_board(port))


def _only():
    held = [client for client in map(control.connect, control.socket_paths()) if client is not None]
    ports = {os.path.realpath(client.who["port"]) for client in held}
    found = [
        discovery.try_port(port, emulated, serial)
        for port, emulated, serial in discovery.candidates()
        if os.path.realpath(port) not in ports
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

    Raises DeviceLost if there is no board at all.
    """
    refuse_emu(option)
    tasks = {}
    if option:
        tasks[option] = None
    else:
        named = discovery.configured_port(None)
        if named and named != discovery.EMU:
            tasks[os.path.realpath(named)] = named
        for path in control.socket_paths():
            tasks[path] = path
        for port, _, _ in discovery.candidates():
            tasks[os.path.realpath(port)] = port
    results = {}
    threads = []
    for task in tasks:
        is_socket = not option and isinstance(task, os.PathLike)
        work = _stop_socket if is_socket else _stop_port
        thread = threading.Thread(target=_guarded, args=(work, task, results, not option), daemon=True)
        thread.start()
        threads.append(thread)
    for thread in threads:
        thread.join()
    if not results:
        raise discovery.no_board()
    return sorted(results.items())


def _guarded(work, task, results, among_all):
    try:
        found = work(task)
        if found is not None:
            port, reply = found
            results[port] = reply
    except RheoError as error:
        if among_all and error.code == "busy" and control.connect(control.socket_path(task)) is not None:
            return  # its run was asked by its own socket
        results[str(task)] = error


def _stop_socket(path):
    client = control.connect(path)
    if client is None:
        return None  # left over from a run that was killed
    with client:
        return client.who["port"], client.call("stop")


def _stop_port(port):
    """Stop what is on the port, greeted or not; a port that a run holds is asked through it."""
    from rheobase.halt import halt
    from rheobase.link.client import Client
    from rheobase.link.greeting import EMULATED_SCALE, is_emulated
    from rheobase.link.transport import SerialTransport

    found = _stop_socket(control.socket_path(port))
    if found is not None:
        return port, found[1]
    try:
        transport = SerialTransport(port)
    except DeviceLost as error:
        if error.code == "busy":
            raise DeviceLost("busy", error.message + " Stop not confirmed: open the interlock.", error.hint) from None
        raise
    client = Client(transport, EMULATED_SCALE if is_emulated(port) else 1.0)
    try:
        return port, halt(client)
    finally:
        client.close()
