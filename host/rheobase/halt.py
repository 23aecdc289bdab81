"""Stop a board and prove that it is safe: the stop request, then Ctrl-C when it is not acknowledged. Nothing else.

What is unproved is said: DeviceLost `not_confirmed`, exit 3, "open the interlock".
"""

import time

from rheobase.errors import DeviceLost, RheoError
from rheobase.link.client import RpcError
from rheobase.link.greeting import at_prompt, restart

ACKNOWLEDGE_S = 0.3  # an unacknowledged stop is followed by Ctrl-C after this, times the client's scale
BREAK_S = 1.0  # from Ctrl-C to the board's word that output is off: whoever stands at the interlock must hear soon
OFF_WORDS = b"output off"  # what the firmware prints on its way to the REPL


def halt(client, reason="stop_command"):
    """{"state", "confirmed": True} once the board has confirmed that its output is off; "broken": True after Ctrl-C.

    client: a Client, greeted or not. reason: one of messages.STOP_REASONS. Raises DeviceLost `not_confirmed`.
    """
    try:
        reply = _ask(client, reason)
        if reply is None:
            reply = _break_off(client)
    except DeviceLost:
        reply = None
    if reply is None:
        raise not_confirmed(client.transport.port)
    client.token = None
    return reply


def not_confirmed(port):
    return DeviceLost(
        "not_confirmed",
        f"Stop of the board on {port} not confirmed: open the interlock.",
        "Then take the leads off, and check the cable and the board.",
    )


def _ask(client, reason):
    """The board's confirmation, or None if it has not come within 300 ms (times scale)."""
    until = time.monotonic() + ACKNOWLEDGE_S * client.scale
    while (left := until - time.monotonic()) > 0:
        try:
            reply = client.call(
                "stop", {"reason": reason}, left / client.scale, tries=1, give_up=lambda: at_prompt(client)
            )
        except (RpcError, RheoError) as error:  # an answer that is none confirms nothing
            if getattr(error, "code", "") == "lost" or at_prompt(client):
                return None
            continue
        if isinstance(reply, dict) and reply.get("confirmed") is True:
            return {"state": reply.get("state"), "confirmed": True}
        client.wait(0.005)  # the pulse in play is still finishing
    return None


def _break_off(client):
    """Ctrl-C, then the firmware's own word that output is off, then the firmware again. None without that word."""
    was_at_prompt = at_prompt(client)
    client.raw = b""
    client.emergency()
    until = time.monotonic() + BREAK_S * client.scale
    while not (at_prompt(client) or was_at_prompt):
        if time.monotonic() > until:
            return None
        client.wait(0.05)
    off = OFF_WORDS in client.tail()
    try:
        return {"state": restart(client)["state"], "confirmed": True, "broken": True}  # its boot forces every leg low
    except RheoError:
        return {"state": "fault", "confirmed": True, "broken": True} if off else None
