"""The one error tree of the host: sentences a user can act on, with a code and an exit status."""

EXIT_OK = 0  # done
EXIT_BUG = 1  # an error of rheo itself
EXIT_USAGE = 2  # what was typed or written cannot be used
EXIT_NO_DEVICE = 3  # no board, several, busy or lost
EXIT_INCOMPATIBLE = 4  # the board's firmware and this rheo do not fit
EXIT_REFUSED = 5  # by limits or screening
EXIT_FAULT = 6  # a fault of the board
EXIT_BENCH = 7  # bench failed or cannot tell
EXIT_HOST = 8  # this computer: disk, record, image, toolchain, download
EXIT_INTERRUPT = 130  # stopped by a key, Ctrl-C or a closed terminal


class RheoError(Exception):
    """A failure that is not a bug of ours: `code` for programs, `message` and `hint` for people.

    code: snake_case word, stable. message: what is wrong. hint: what to do next, or None.
    exit_code: one of the EXIT_ constants above.
    """

    def __init__(self, code, message, hint=None, exit_code=EXIT_HOST):
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint
        self.exit_code = exit_code


class UsageError(RheoError):
    """The user's input cannot be used: wrong unit, unknown key, value out of range."""

    def __init__(self, code, message, hint=None):
        super().__init__(code, message, hint, EXIT_USAGE)


class DeviceLost(RheoError):
    """No board, several boards, a busy port, or a board that went away."""

    def __init__(self, code, message, hint=None):
        super().__init__(code, message, hint, EXIT_NO_DEVICE)


class Incompatible(RheoError):
    """The board's firmware cannot be used by this host."""

    def __init__(self, code, message, hint=None):
        super().__init__(code, message, hint, EXIT_INCOMPATIBLE)


class Refused(RheoError):
    """A limit or a screening answer forbids it."""

    def __init__(self, code, message, hint=None):
        super().__init__(code, message, hint, EXIT_REFUSED)


class DeviceFault(RheoError):
    """The board has latched a fault."""

    def __init__(self, code, message, hint=None):
        super().__init__(code, message, hint, EXIT_FAULT)


class HostError(RheoError):
    """This computer: disk, record, image, toolchain, download."""

    def __init__(self, code, message, hint=None):
        super().__init__(code, message, hint, EXIT_HOST)
