"""`rheo deploy`: copy changed firmware files to a board through mpremote. The work is rheobase.deploy's."""

import click

from rheobase.cli.app import pass_app


@click.command()
@click.option("--dry-run", is_flag=True, help="Say what would be copied; copy nothing (output stops all the same).")
@pass_app
def deploy(app, dry_run):
    """Copy changed firmware files to a board; its output is stopped first.

    A board whose firmware is frozen into its image is refused: flash it instead. From files a board arms for bench
    protocols only.

    \b
    Examples:
      rheo deploy --dry-run
      rheo deploy -p /dev/ttyACM0
    """
    from rheobase import deploy as service
    from rheobase import discovery, reach

    reach.refuse_emu(app.port)
    port = discovery.find_any(app.port)
    data = service.deploy(port, app.note, dry_run)
    app.answer(data, lambda: _text(port, data, dry_run))


def _text(port, data, dry_run):
    if not data["files"]:
        return f"{port}: nothing to do, the firmware is {data['hash']} already."
    verb = "would be copied" if dry_run else "copied"
    lines = [f"  {name}" for name in data["files"]]
    return "\n".join([f"{port}: {len(lines)} files {verb}; firmware {data['from'] or 'none'} -> {data['to']}", *lines])
