"""How a session ends: by itself, by a stop, by an error. Stops and proves first, keeps the error, shows nothing."""

import contextlib

from rheocore import faults, messages

from rheobase.errors import (
    EXIT_BUG,
    EXIT_INTERRUPT,
    EXIT_OK,
    EXIT_REFUSED,
    DeviceLost,
    RheoError,
)
from rheobase.halt import halt, not_confirmed
from rheobase.link import words

EXITS = {
    **dict.fromkeys(("time_over", "stop_command"), EXIT_OK),
    **dict.fromkeys(("operator_key", "operator_interrupt", "terminal_lost", "terminated"), EXIT_INTERRUPT),
    **dict.fromkeys(("limit", "auto_disarm"), EXIT_REFUSED),
}


def finish(session):
    """The board has ended by itself or by a stop: fetch what it delivered, say how it ended."""
    session.client.token = None
    try:
        _fetch_result(session)
    except DeviceLost as error:
        if error.code != "hello_first":
            raise
        return _was_reset(session)
    session.drain()
    fault = session.result["fault"] if session.result else None
    reason = session.stop_reason
    if fault:
        channel = session.result["fault_channel"]
        session.journal.fault(fault, words.fault_sentence(fault, channel))
        session.error = words.fault_error(fault, channel)
    elif EXITS.get(reason, EXIT_OK) != EXIT_OK:
        session.error = RheoError(reason, faults.sentence(reason), "The record is kept.", EXITS[reason])


def _was_reset(session):
    """The board answers, and knows no dialogue: it was reset under us. Nothing of the session goes on there."""
    status = session.board.status()
    fault = session.stop_reason = status["fault"] or "reset"
    session.journal.fault(fault, words.fault_sentence(fault))
    session.error = words.fault_error(fault)
    if not status["fault"]:  # the power was gone with it
        hint = "Output is off. Check the supply and the cable; start again from zero."
        session.error = DeviceLost("reset", "The board was reset in the middle of the session.", hint)


def _fetch_result(session):
    """What the board delivered. A board that had to be broken off has forgotten: the last telemetry stands in."""
    result = session.board.call("result")
    if result["channels"]:
        session.result = result
        session.ended_by(result["stop_reason"] or session.stop_reason)
    else:
        session.stop_reason = "host_break"
        session.error = words.fault_error("host_break")


def abandon(session, error):
    """Something failed: stop the board, prove it, keep the error. The steps that come after output still come.

    A bug of ours is kept as session.bug too: it is raised again once everything else is done.
    """
    session.client.also = ()
    lost = isinstance(error, DeviceLost) and error.code in ("lost", "no_answer", "not_confirmed")
    if isinstance(error, KeyboardInterrupt):
        session.stop_reason = "operator_interrupt"
        error = RheoError("operator_interrupt", faults.sentence("operator_interrupt"), None, EXIT_INTERRUPT)
    elif not isinstance(error, RheoError):
        session.bug = error
        error = RheoError("host_error", faults.sentence("host_error"), None, EXIT_BUG)
        session.cause = "host_error"
    session.error = error
    if lost and session.ended and session.stop_reason and error.code != "not_confirmed":
        told = f"{faults.sentence(session.stop_reason)} The board told that end, and was lost after it."
        hint = f"{faults.remedy(session.stop_reason)} The counts on record are those of its last telemetry.".lstrip()
        session.error = DeviceLost("lost", f"{told} {error.message}", hint)
    elif lost and session.started and error.code != "not_confirmed":
        session.stop_reason = "host_lost"
        hint = "It stops by itself within 1.2 s of the loss. Check the cable, then `rheo clear-fault`."
        session.error = DeviceLost("lost", f"The board was lost in the middle of the session. {error.message}", hint)
    if not lost:
        known = session.stop_reason in messages.STOP_REASONS  # any other the board would refuse, and be broken off
        _stop_quietly(session, session.stop_reason if known else "stop_command")
    session.client.token = None
    if session.error.code == "not_confirmed" and session.journal and session.journal.opened:
        with contextlib.suppress(RheoError):  # a full disk: the operator is told all the same
            session.journal.event("not_confirmed")


def both(error, unfinished):
    """The error of a session, and of the steps after it, in one: neither hides the other. Each may be None.

    That the operator wanted the end, or that it never began, is the lesser of two.
    """
    if not (error and unfinished):
        return error or unfinished
    lesser = error.exit_code in (EXIT_INTERRUPT, EXIT_REFUSED)
    first, second = (unfinished, error) if lesser else (error, unfinished)
    first.message = f"{first.message} {second.message}"
    return first


def _stop_quietly(session, reason):
    if not session.configured:
        return  # nothing was sent: nothing is there to be stopped
    try:
        halt(session.client, reason)
        if session.started:
            with contextlib.suppress(RheoError):
                wanted, session.stop_reason = session.stop_reason, session.cause
                _fetch_result(session)
                session.stop_reason = wanted or session.stop_reason
    except RheoError as unproved:
        session.error = unproved
    except Exception:  # whatever broke here too: nobody has proved that the output is off
        session.error = not_confirmed(session.board.port)
