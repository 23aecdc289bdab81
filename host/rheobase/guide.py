"""What surrounds a session: a View that is told, a Guide that leads through it. These ones are deaf and ask nothing."""

import contextlib

from rheocore import messages
from rheocore.units import fmt_duration

BY_CHOICE = (*messages.STOP_REASONS, "time_over", "limit", "auto_disarm")


def cut_off(board):
    """The sentence about a session on `board` that a fault, a loss or a reset cut off; None if nothing was left of it.

    What somebody stopped is over by that word: nobody is asked about it again.
    """
    left_ms = board.info["remainder_ms"]
    if left_ms is None or board.call("result")["stop_reason"] in BY_CHOICE:
        return None
    return f"The last session on this board was cut off with {fmt_duration(-(-left_ms // 1000) * 1000)} left."


class View:
    """What a session tells its watcher. This one is deaf; the command line's shows a status line."""

    def event(self, kind, detail, channel=None):
        """An event of the board: state, fault (channel: whose lead it is, where it is one's) or end."""

    def telemetry(self, item, channels):
        """A telemetry item; channels: {"1": {set_ua, meas_ua, ...}}."""


class Guide:
    """What surrounds the output of a session. This one asks nothing; the therapist's (rheobase.therapist) does.

    keys: keys.Keys of a terminal in single-key mode, or None. is_new: the operator means a new session; else the board
    takes no more than what was left of the last one.
    """

    def __init__(self, keys=None):
        self.keys = keys
        self.is_new = True

    def plan(self, session):
        """Make sure of session.order; may begin the record. Nothing is sent to the board. Raises RheoError to end."""

    def before(self, session):
        """The last steps before arming. Raises RheoError to end."""
        if left := cut_off(session.board):
            session.note("override", what="remainder", reason=f"{left} Begun as a new one without a question.")

    def screening(self, session):
        """Fields of the screening line, as far as they are known."""
        wanted = session.order
        return {"answers": None, "acknowledged": wanted.acknowledged, "yes": wanted.yes, "reason": wanted.reason}

    @contextlib.contextmanager
    def live(self, session):
        """From arming to the end of output; yields the keys to listen to."""
        yield self.keys

    def typed(self, session, names):
        """Keys that came together and are no stop."""

    def after(self, session):
        """The steps after output. Returns the fields of the second screening line, or None. Raises nothing."""

    def unfinished(self, fields):
        """RheoError of a session that must not pass for a good one after what after() returned, or None."""
