"""`rheo flash`: a UF2 onto a board in BOOTSEL. Asks and shows progress; rheobase.flash and comeback do the work."""

import contextlib
import os
import sys
from pathlib import Path

import click

from rheobase.cli.app import pass_app
from rheobase.errors import Refused, UsageError


@click.command()
@click.option("--uf2", metavar="FILE", help="The image [the board's own, built if need be].")
@click.option("--volume", metavar="DIR", help="The volume of the boot loader [the one that is mounted].")
@click.option("--bootloader", is_flag=True, help="Bring a running board to BOOTSEL first; its output is stopped.")
@click.option("--dry-run", is_flag=True, help="Check everything, change nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@pass_app
def flash(app, uf2, volume, bootloader, dry_run, yes):
    """Copy the image to a board in BOOTSEL mode (hold BOOTSEL while plugging it in), and prove that it runs.

    The file is checked first, against a SHA256SUMS beside it as well. Afterwards the board's flash is read back:
    exit 0 means that the board runs what was written.

    \b
    Examples:
      rheo flash                       a board in BOOTSEL mode
      rheo flash --bootloader          a running board, brought there first
      rheo flash --uf2 FILE --dry-run  is this file whole, and the right one?
    """
    from rheobase import bootsel, comeback, discovery
    from rheobase import flash as service

    ask = not (dry_run or yes)
    if ask and (app.json or not sys.stdin.isatty()):
        raise UsageError("yes_missing", "There is no terminal to ask on.", "Add --yes.")
    running = _running(app, dry_run) if bootloader else None
    board = running.info["board"] if running and running.info else None
    checked = service.check(_board_image(app, board) if uf2 is None else Path(uf2))
    if board:
        service.check_board(checked, board)
    if not running:
        volume = bootsel.find(volume)
        service.check_volume(checked, volume)
    app.note(checked.describe())
    if not checked.inside.ours:
        app.warn("This image has no Rheobase firmware inside: run `rheo deploy` after it.")
    elif not board:
        app.note(f"The boot loader cannot tell boards apart: be sure that it is a {checked.inside.board}.")
    data = {
        "uf2": str(checked.path),
        "sha256": checked.sha256,
        "volume": str(volume) if volume else None,
        "serial": running.serial if running else None,
        "firmware": None,
    }
    where = f"{running.port} ({board or running.state}, after its output is off)" if running else volume
    if dry_run:
        app.answer(data, f"{checked.path} would be written to {where}.")
        return
    if ask and not click.confirm(f"Write {checked.path.name} to {where}?", default=False, err=True):
        raise Refused("declined", "Nothing was written.")
    serial = None
    if running:
        volume, serial = service.enter_bootloader(running.port, volume)
        app.note(f"Output off, board in BOOTSEL: {volume}")
    before = set(comeback.there())
    with _progress(app) as show:
        service.write(checked, volume, show)
    app.note("Written; waiting for the board ...")
    found, data["serial"] = comeback.prove(checked, volume, before, serial)
    data["volume"] = str(volume)
    if found.info:
        data["firmware"] = found.info["firmware"]
        difference = discovery.firmware_difference(found.info)
        if difference:
            app.note(difference)
    app.answer(data, f"{checked.path} written, read back and compared: the same.\n{_runs_now(found, checked, data)}")


def _runs_now(found, checked, data):
    if not found.info:
        return f"{found.port}: {checked.inside.describe()}. {found.problem.message}"
    firmware = data["firmware"]
    return (
        f"{found.port}: {found.info['board']} {data['serial']} runs firmware {firmware['hash']} "
        f"({firmware['version']}) on MicroPython {found.info['micropython']}; {found.info['state']}"
    )


def _running(app, dry_run):
    """The board that --bootloader means, greeted if our firmware answers (Found); a dry run leaves it at its REPL."""
    from rheobase import discovery, reach

    reach.refuse_emu(app.port)
    found = discovery.try_port(discovery.find_any(app.port), boot=not dry_run)
    if not found.info and found.state not in ("foreign", "incompatible", "repl"):
        raise found.problem
    return found


def _board_image(app, board):
    from rheobase import boards, image

    return Path(image.ensure(board if board in boards.names() else boards.chosen(), log=app.note).path)


@contextlib.contextmanager
def _progress(app):
    """A function that draws one line anew on a terminal; None elsewhere. What is printed next has a line of its own."""
    if app.quiet or not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        yield None
        return

    def show(done, total):
        filled = 30 * done // total
        text = f"\r[{'#' * filled}{'.' * (30 - filled)}] {100 * done // total:3d} % of {total // 1000} kB"
        click.echo(text, nl=False, err=True)

    try:
        yield show
    finally:
        click.echo(err=True)
