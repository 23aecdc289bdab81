"""`rheo image`: build, fetch or find the MicroPython image. The work is rheobase.image's."""

import click

from rheobase.cli.app import pass_app

_BOARD = click.option(
    "--board", metavar="BOARD", help="Which board, or RPI_PICO: stock MicroPython [RHEO_BOARD, RHEO_PICO]."
)


@click.group()
def image():
    """Build, fetch or find the MicroPython image.

    \b
    Examples:
      rheo image build
      rheo image path
    """


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
    """Build a board's image: MicroPython with this firmware inside.

    Takes some minutes the first time; an unchanged image comes from the cache. On Debian and Ubuntu the sources are
    Debian's packages, elsewhere give a checkout. `rheo flash` puts the image onto a board.

    \b
    Examples:
      rheo image build
      rheo image build --install-tools
      rheo image build --micropython ~/micropython
    """
    from rheobase import image

    _answer(app, image.build(board, micropython, app.note, install_tools=install_tools))


@image.command("fetch")
@click.option("--version", "version", metavar="V", help="MicroPython's version [the pinned one].")
@pass_app
def fetch_command(app, version):
    """Fetch the official image of a stock Pico.

    It is checked against its SHA-256 and has no firmware inside: `rheo deploy` brings that as files, for bench
    protocols only.

    \b
    Example:
      rheo image fetch
    """
    from rheobase import image

    options = {"version": version} if version else {}
    _answer(app, image.fetch(log=app.note, **options))


@image.command("path")
@_BOARD
@pass_app
def path_command(app, board):
    """Say which image would be used, and why. Builds nothing.

    \b
    Examples:
      rheo image path
      rheo image path --board RPI_PICO --json
    """
    from rheobase import image

    _answer(app, image.which(board))
