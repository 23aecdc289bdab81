"""`rheo flash`: copy the board's image onto a BOOTSEL volume. Checks, asks, shows progress; rheobase.flash writes."""

import sys
from pathlib import Path

import click

from rheobase.cli.app import pass_app
from rheobase.errors import Refused, UsageError


@click.command()
@click.option("--uf2", metavar="FILE", help="The image [the board's own, built if need be].")
@click.option("--volume", metavar="DIR", help="The volume of the boot loader [the one that is mounted].")
@click.option("--dry-run", is_flag=True, help="Check everything, write nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@pass_app
def flash(app, uf2, volume, dry_run, yes):
    """Copy the image to a board in BOOTSEL mode (hold BOOTSEL while plugging it in)."""
    from rheobase import flash as service

    ask = not (dry_run or yes)
    if ask and (app.json or not sys.stdin.isatty()):
        raise UsageError("yes_missing", "There is no terminal to ask on.", "Add --yes.")
    path = Path(uf2) if uf2 else _board_image(app)
    checked = service.flash(path, volume, dry_run=True)
    if ask and not click.confirm(f"Write {path.name} to {checked['volume']}?", default=False, err=True):
        raise Refused("declined", "Nothing was written.")
    data = checked if dry_run else service.flash(path, checked["volume"], progress=_progress(app))
    done = "would be written to" if dry_run else "written to"
    app.answer(data, f"{data['uf2']} {done} {data['volume']}\nSHA-256 {data['sha256']}")


def _board_image(app):
    from rheobase import boards, image

    found = image.ensure(boards.DEFAULT, log=app.note)
    if not found.frozen:
        app.warn("This image has no Rheobase firmware inside: run `rheo deploy` after it.")
    return Path(found.path)


def _progress(app):
    if app.quiet or not sys.stderr.isatty():
        return None

    def show(done, total):
        click.echo(f"\r{100 * done // total:3d} %" + ("\n" if done >= total else ""), nl=False, err=True)

    return show
