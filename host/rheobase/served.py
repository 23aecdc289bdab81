"""What a running session answers on its control socket: who, status, stop, pause, resume."""

import os

from rheobase.errors import HostError


def answer(session, method, params):
    """Result of a request. Raises RheoError: the board's, or bad_request."""
    board = session.board
    if method == "who":
        info = board.info
        return {"port": board.port, "serial": info["serial"], "board": info["board"],
                "firmware": info["firmware"], "emulated": board.emulated, "pid": os.getpid()}  # fmt: skip
    if method == "status":
        return board.status()
    if method in ("stop", "pause", "resume"):
        reply = getattr(session, method)()
        if reply is None:
            raise HostError("stopping", "The session is being stopped.")
        return reply
    raise HostError("bad_request", f"A running session does not take `{method}`.")
