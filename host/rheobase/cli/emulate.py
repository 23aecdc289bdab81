"""`rheo emulate`: boot an emulated board and print its pty; runs until it is stopped. The emulator does the work."""

import click

from rheobase.cli.app import output_file, pass_app
from rheobase.errors import UsageError


@click.command()
@click.option("--board", metavar="BOARD", help="Which board, or RPI_PICO: stock MicroPython [RHEO_BOARD, RHEO_PICO].")
@click.option("--vcd", metavar="FILE", help="Record legs and interlock there, for a waveform viewer.")
@click.option("--load", metavar="LOAD", help="At the electrodes: ohms, open, short, needle or skin [1000].")
@click.option("--faults", metavar="FILE", help="What breaks, and when: a JSON list (docs/faults.md).")
@click.option("--speed", type=float, metavar="X", help="Simulated seconds in a second, at most [1].")
@pass_app
def emulate(app, board, vcd, load, faults, speed):
    """Boot an emulated board: the real image at a port.

    The first line of stdout is a JSON object; its "pty" is the port, which rheo, mpremote and any terminal can open.
    Ctrl-C ends the board. For a single command `--port emu` boots one by itself.

    \b
    Examples (in a second terminal: rheo devices, rheo info -p PTY):
      rheo emulate
      rheo emulate --vcd edges.vcd --load needle
      rheo emulate --load 2200 --speed 0.5
      rheo emulate --board RPI_PICO      (a board for `rheo deploy`)
    """
    if speed is not None and not speed > 0:
        raise UsageError("bad_speed", "--speed must be above 0.", "For example: --speed 0.5")
    if app.port:
        raise UsageError("no_port_here", "`rheo emulate` makes a port; it takes none.", "Leave --port out.")
    from rheobase import boards, image
    from rheobase.emulator import launch, require
    from rheobase.image.firmware_files import STOCK_BOARDS, check_board

    require()
    board = check_board(board or boards.chosen())
    stock = board if board in STOCK_BOARDS else None
    if stock:  # it runs on the pins of a board of ours
        board = boards.chosen() if boards.chosen() not in STOCK_BOARDS else boards.DEFAULT
    board = boards.load(board)["name"]
    found = image.ensure(stock or board, log=app.note)
    options = {"vcd": output_file(vcd, "--vcd"), "load": load, "faults": faults}
    if speed is not None:
        options["speed"] = speed
    with launch.start(board, found.bin_path, **options) as running:
        asked = _end_asked()  # whoever has read the first line may end it
        app.stream({"pty": running.pty, "board": running.board, "serial": running.serial})
        app.note(f"Emulated board at {running.pty}; Ctrl-C ends it.")
        _wait(running, asked)


def _end_asked():
    """A list that is empty until Ctrl-C, SIGTERM or SIGHUP."""
    import signal

    asked = []
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: asked.append(1))
    return asked


def _wait(running, asked):
    """Until the end is asked for, or the board's own end."""
    import time

    from rheobase.errors import HostError

    while not asked:
        if not running.alive:
            why = running.last_words or "it said nothing"
            raise HostError("emulator_died", f"The emulated board has ended by itself: {why}", "Start it again.")
        time.sleep(0.1)
