"""What came of a session: what was delivered, the close line of its record, the answer of `run`. Reads a Session."""


def duration_ms(session):
    """Time that was live: the board's word, or what the last telemetry of a lost one leaves to think."""
    if session.result:
        return session.result["duration_ms"]
    last = session.journal.last
    return session.order.duration_ms - last["t_left_ms"] if last and session.started else 0


def delivered(session):
    """{"1": dose.FIELDS}: the board's result, or the last telemetry of a lost one; {} if neither came.

    truncated is None where a lost board could not tell.
    """
    figures = session.journal.dose.figures(session.result)
    return {n: channel for n, channel in figures.items() if channel["pulses"] is not None}


def closing(session):
    """Fields of the close line. A session that never started has no stop reason but the error that kept it."""
    fields = {
        "stop_reason": session.stop_reason,
        "fault": session.result["fault"] if session.result else None,
        "duration_ms": duration_ms(session),
        "channels": delivered(session),
    }
    if session.not_started:
        code, message = session.not_started
        fields["not_started"] = {"code": code, "message": message}
    return fields


def data(session):
    """The contract's data of `run`."""
    info, channels = session.board.info, delivered(session)
    return {
        "session_id": session.journal.id,
        "protocol": session.order.protocol_ids,
        "board": info["board"],
        "firmware": info["firmware"],
        "stop_reason": session.stop_reason,
        "duration_s": duration_ms(session) / 1000,
        "pulses": {n: c["pulses"] for n, c in channels.items()},
        "truncated": {n: c["truncated"] for n, c in channels.items()},
        "charge_uc": {n: c["charge_nc"] / 1000 for n, c in channels.items()},
        "log": str(session.journal.path),
        "report": None,
        "vcd": None,
    }
