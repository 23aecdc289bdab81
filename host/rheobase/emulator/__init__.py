"""The emulated board: the real MicroPython image on an emulated RP2040 with the board's output stage around it.

`EmulatedBoard` is the in-process, deterministic form that tests use (all times simulated, ns from power-on);
`python -m rheobase.emulator` is the same board behind a pty for mpremote, `rheo` and any terminal.
Nothing here is imported by the host tool unless an emulated board is asked for.
"""

from rheobase.errors import HostError

EMULATOR_PACKAGE = "rp2040py"
EMULATOR_VERSION = "0.3.6"  # pinned: the corrections reach into internals


def require():
    """Raise HostError unless the pinned emulator is installed."""
    from importlib import metadata

    from rheobase import needs

    try:
        found = metadata.version(EMULATOR_PACKAGE)
    except metadata.PackageNotFoundError:
        found = None
    if found != EMULATOR_VERSION:
        what = "is not installed" if found is None else f"is version {found}"
        raise HostError(
            "no_emulator",
            f"The emulated board needs {EMULATOR_PACKAGE} {EMULATOR_VERSION} (the extra `emulator`), which {what}.",
            needs.fix(f"{EMULATOR_PACKAGE}=={EMULATOR_VERSION}"),
        )


def __getattr__(name):
    """`EmulatedBoard` and `EmulatorError` on first use, so that importing the package costs nothing."""
    if name in ("EmulatedBoard", "EmulatorError"):
        require()
        from rheobase.emulator import board, engine

        return board.EmulatedBoard if name == "EmulatedBoard" else engine.EmulatorError
    raise AttributeError(name)
