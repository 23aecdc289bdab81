"""`rheo deploy`: bring the firmware to a board as files, through mpremote. The work is rheobase.deploy's."""

import click

from rheobase.cli.app import pass_app


@click.command()
@click.option("--dry-run", is_flag=True, help="Say what would be done; write nothing (output stops all the same).")
@pass_app
def deploy(app, dry_run):
    """Bring the firmware as files to a board with stock MicroPython; its output is stopped first.

    Written beside the firmware that is there, checked by hash, then switched in one step: a power cut leaves the one or
    the other. A board whose firmware is frozen into its image is refused: flash it instead. From files a board arms
    for bench protocols only.

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
    verb = "would be written, changed or removed" if dry_run else "written, changed or removed"
    lines = []
    for name in data["files"]:
        slot = "/".join(name.split("/")[:2]) + "/"
        line = f"  {slot}" if name.startswith("rheo/") else f"  {name}"
        if line not in lines:
            lines.append(line)  # a folder of some forty files is one line; --json has each
    return "\n".join([f"{port}: firmware {data['from'] or 'none'} -> {data['to']}; {verb}:", *lines])
