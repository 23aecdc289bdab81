"""What a session leaves behind when it ends early or the board is reset: a fault to clear, time that may still run."""

from rheocore.messages import BUSY


def after_reset(note, cause):
    """(fault, remainder_ms), each None where there is none.

    note: (state, fault, left_ms) noted before the reset, or None. cause: "watchdog", "software", "run_pin" or "power".
    """
    if note is None:
        return None, None
    state, fault, left_ms = note
    if state in BUSY:
        fault = fault or ("watchdog" if cause == "watchdog" else "reset")
    return fault, left_ms or None


def beyond(configs, remainder_ms):
    """Parameters of the refusal if a configuration is longer than what is left of the last session, else None."""
    if remainder_ms is None:
        return None
    for cfg in configs.values():
        if cfg["duration_ms"] > remainder_ms:
            return {
                "field": "duration_ms",
                "value": cfg["duration_ms"],
                "why": "limit_remainder",
                "bound": remainder_ms,
            }
    return None
