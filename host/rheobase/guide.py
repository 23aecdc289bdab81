"""What surrounds a session: a View that is told, a Guide that leads through it. These ones are deaf and ask nothing."""

import contextlib


class View:
    """What a session tells its watcher. This one is deaf; the command line's shows a status line."""

    def event(self, kind, detail):
        """An event of the board: state, fault or end."""

    def telemetry(self, item, channels):
        """A telemetry item; channels: {"1": {set_ua, meas_ua, ...}}."""


class Guide:
    """What surrounds the output of a session. This one asks nothing; the therapist's (rheobase.therapist) does.

    keys: keys.Keys of a terminal in single-key mode, or None.
    """

    def __init__(self, keys=None):
        self.keys = keys

    def plan(self, session):
        """Make sure of session.order; may begin the record. Nothing is sent to the board. Raises RheoError to end."""

    def before(self, session):
        """The last steps before arming. Raises RheoError to end."""

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
