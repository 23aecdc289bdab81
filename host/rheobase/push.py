"""Hand a protocol to a board without a session: configured, amplitude zero, nothing armed, no output."""

from rheobase import discovery, order


def push(asked, protocol):
    """Configure channel 1 of the board with `protocol` at zero amplitude. Returns the board's state.

    asked: has `port` (or None) and `note(text)`. Raises what connecting raises, Refused, DeviceFault.
    """
    wanted = order.Order([order.Part(1, protocol, 0, None)], {}, [])
    with discovery.connect(asked.port, asked.note) as board:
        order.judge(wanted, board.info)
        return board.call("configure", {"channels": wanted.configs, "new": 1})["state"]
