"""`rheo devices` and `rheo info`: which boards are there, and what one of them is. Changes nothing on a board."""

import click

from rheobase.cli.app import pass_app


@click.command()
@pass_app
def devices(app):
    """List the boards that are connected, emulated ones included.

    Each is asked for its name and state: idle, or what it does; busy (another program holds it), repl (MicroPython's
    prompt), foreign (no firmware of ours), silent, no_access (`rheo doctor` says why).

    \b
    Examples:
      rheo devices
      rheo devices --json
    """
    from rheobase import control, discovery

    found = discovery.find_all()
    rows = []
    for board in found:
        row = board.as_dict()
        if row["state"] == "busy":
            _ask_holder(control, row)
        rows.append(row)
    app.answer({"devices": rows}, lambda: _table(rows, found))


def _ask_holder(control, row):
    """A port that `rheo run` holds is asked through it."""
    from rheobase.errors import RheoError

    try:
        with control.connect(control.socket_path(row["port"])) as client:
            who = client.who
            row.update(serial=who["serial"], board=who["board"], firmware=who["firmware"])
            row["state"] = client.call("status")["state"]
    except (AttributeError, TypeError, RheoError):
        pass  # nobody serves there: some other program holds it


def _table(rows, found):
    if not rows:
        return "No board found. `rheo emulate` starts an emulated one."
    lines = [f"{'port':<16} {'board':<12} {'serial':<18} {'firmware':<9} state"]
    for row, board in zip(rows, found, strict=True):
        version = row["firmware"]["version"] if row["firmware"] else "-"
        name = (row["board"] or "-") + ("*" if board.emulated else "")
        lines.append(f"{row['port']:<16} {name:<12} {row['serial'] or '-':<18} {version:<9} {row['state']}")
    if any(board.emulated for board in found):
        lines.append("* emulated")
    return "\n".join(lines)


@click.command()
@pass_app
def info(app):
    """Show a board's firmware, channels and limits. Its output stays as it is.

    \b
    Examples:
      rheo info
      rheo info -p /dev/ttyACM0 --json
    """
    from rheocore.messages import INFO

    from rheobase import discovery

    with discovery.connect(app.port, app.note) as board:
        data = {name: board.info[name] for name in INFO if name != "state"}
        app.answer(data, lambda: _info_text(board))


def _info_text(board):
    from rheocore.units import fmt_current

    from rheobase.link.words import calibration

    info = board.info
    firmware = info["firmware"]
    channels = ", ".join(str(n) for n in info["channels"])
    rows = [
        ("board", info["board"] + (" (emulated)" if board.emulated else "")),
        ("serial", info["serial"]),
        ("port", board.port),
        ("firmware", f"{firmware['version']}, {firmware['hash']}, {firmware['origin']}"),
        ("MicroPython", info["micropython"]),
        ("wire", str(info["wire"])),
        ("channels", channels),
        ("limits", f"{fmt_current(info['limits']['max_ua'])} a channel"),
        ("calibration", calibration(info["calibration"])),
        ("reset hook", "yes" if info["c_hook"] else "no: bench only"),
        ("last reset", info["reset_cause"]),
    ]
    return "\n".join(f"{name:<12} {value}" for name, value in rows)
