"""Hand a protocol to a board without a session: configured, amplitude zero, nothing armed, no output."""

from rheocore.remainder import beyond

from rheobase import discovery, order
from rheobase.errors import Refused
from rheobase.guide import cut_off


def push(asked, protocol):
    """Configure channel 1 of the board with `protocol` at zero amplitude. Returns the board's state.

    Nobody confirms a new session here: after one that was cut off, only what is left of it is taken. asked: has `port`
    (or None) and `note(text)`. Raises what connecting raises, Refused, DeviceFault.
    """
    wanted = order.Order([order.Part(1, protocol, 0, None)], {}, [])
    with discovery.connect(asked.port, asked.note) as board:
        order.judge(wanted, board.info)
        broken = cut_off(board)
        try:
            return board.call("configure", {"channels": wanted.configs, "new": int(not broken)})["state"]
        except Refused as error:
            if broken and beyond(wanted.configs, board.info["remainder_ms"]):
                error.hint = "The last session on this board was cut off; `rheo run` begins a new one."
            raise
