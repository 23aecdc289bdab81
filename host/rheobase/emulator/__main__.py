"""`python -m rheobase.emulator`: an emulated board at a pty, until stdin ends or a signal comes.

The first line of stdout is a JSON object with `pty`, `board` and `serial`; nothing else is printed there. Exit 0.
"""

import argparse
import json
import os
import signal
import sys

from rheobase import boards
from rheobase.emulator import register, require
from rheobase.errors import EXIT_USAGE, RheoError, UsageError

_INTERLOCK = {"closed": True, "open": False, "floating": None}


def _arguments(argv):
    parser = argparse.ArgumentParser(prog="python -m rheobase.emulator", description=__doc__.split("\n")[0])
    parser.add_argument("--image", required=True, metavar="BIN", help="image of the board, a .bin")
    parser.add_argument("--board", default=boards.chosen())
    parser.add_argument("--vcd", metavar="FILE", help="record legs, interlock and set-points")
    parser.add_argument("--load", default="ohms:1000", help="OHMS, open, short, needle, skin, or 1=needle,2=open")
    parser.add_argument("--faults", metavar="FILE", help="JSON list of what happens to the board, and when")
    parser.add_argument("--flash", metavar="FILE", help="keep the flash here from one run to the next")
    parser.add_argument("--serial", metavar="HEX", help="the flash chip's id, 16 digits [made from the process number]")
    parser.add_argument("--interlock", default="closed", choices=sorted(_INTERLOCK))
    parser.add_argument("--speed", type=float, default=1.0, help="simulated seconds per wall second at most")
    return parser.parse_args(argv)


def _serve(arguments):
    require()
    from rheobase.emulator import faults, switch
    from rheobase.emulator.board import EmulatedBoard
    from rheobase.emulator.pty_server import PtyServer

    if not arguments.speed > 0:
        raise UsageError("bad_speed", "--speed must be above 0.")
    description = boards.load(arguments.board)
    plan = faults.read(arguments.faults, description) if arguments.faults else []
    board = EmulatedBoard(
        arguments.image,
        description,
        load=arguments.load,
        vcd=arguments.vcd,
        flash=arguments.flash,
        interlock=_INTERLOCK[arguments.interlock],
        serial=arguments.serial or f"e6{os.getpid() & 0xFFFFFFFFFFFFFF:014x}",
    )
    faults.schedule([event for event in plan if event.python is None], board)
    board.set_port_open(False)
    board.boot()
    if faults.needs_python(plan):
        faults.python_ready(board)
        faults.schedule([event for event in plan if event.python is not None], board)
    server = PtyServer(board, arguments.speed)

    def stop(signum, frame):
        server.stopping = True

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, stop)
    switch.obey(board, server.todo.append)
    entry = register.Entry(pty=server.pty, board=description["name"], serial=board.serial, pid=os.getpid())
    path = register.add(entry)
    try:
        print(json.dumps({"pty": entry.pty, "board": entry.board, "serial": entry.serial}), flush=True)
        server.serve()
    finally:
        register.remove(path)
        board.close()
        server.close()


def main(argv=None):
    """Returns the exit status."""
    try:
        _serve(_arguments(argv))
    except RheoError as problem:
        print(f"error: {problem.message}", file=sys.stderr)
        if problem.hint:
            print(problem.hint, file=sys.stderr)
        return problem.exit_code
    except OSError as problem:
        print(f"error: {problem}", file=sys.stderr)
        return EXIT_USAGE
    return 0


if __name__ == "__main__":
    sys.exit(main())
