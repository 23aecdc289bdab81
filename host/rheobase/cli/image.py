"""`rheo image`: build, fetch or find the MicroPython image. The work is rheobase.image's."""

import click

from rheobase.cli.app import pass_app

_BOARD = click.option(
    "--board", metavar="NAME", help="Which board, or RPI_PICO: stock MicroPython [RHEO_BOARD, RHEO_PICO]."
)


@click.group()
def image():
    """Build, fetch or find the MicroPython image."""


def _answer(app, found):
    data = {
        "path": str(found.path),
        "sha256": found.sha256,
        "origin": found.origin,
        "micropython": found.micropython,
        "board": found.board,
    }
    rows = [*data.items(), ("why", found.why)]
    app.answer(data, "\n".join(f"{name:<12} {value}" for name, value in rows if value))


@image.command("build")
@click.option("--micropython", metavar="DIR", help="A checkout of MicroPython [Debian's packages].")
@_BOARD
@click.option("--install-tools", is_flag=True, help="Install what is missing by apt, as root or with sudo.")
@pass_app
def build_command(app, micropython, board, install_tools):
    """Build the board's image from MicroPython's sources; an unchanged one comes from the cache."""
    from rheobase import image

    _answer(app, image.build(board, micropython, app.note, install_tools=install_tools))


@image.command("fetch")
@click.option("--version", "version", metavar="V", help="MicroPython's version [the pinned one].")
@pass_app
def fetch_command(app, version):
    """Fetch the official image of a stock Pico, checked against its SHA-256. It has no firmware inside."""
    from rheobase import image

    options = {"version": version} if version else {}
    _answer(app, image.fetch(log=app.note, **options))


@image.command("path")
@_BOARD
@pass_app
def path_command(app, board):
    """Say which image would be used, and why. Builds nothing."""
    from rheobase import image

    _answer(app, image.which(board))
