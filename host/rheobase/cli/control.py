"""`rheo status`, `stop`, `pause`, `resume`, `clear-fault`, `watch`. Must stay light: `stop` is the fastest command."""

import click

from rheobase.cli.app import pass_app


@click.command()
@pass_app
def stop(app):
    """Stop the output: of the board at --port, or of every board found.

    Works from any terminal, whoever runs the session. Exit 0 means that each board has confirmed that it is off; else
    open the interlock.

    \b
    Examples:
      rheo stop
      rheo stop -p /dev/ttyACM0
    """
    from rheobase import reach
    from rheobase.errors import RheoError

    results = reach.stop(app.port)
    boards = []
    problem = None
    for port, reply in results:
        if isinstance(reply, RheoError):
            problem = problem or reply
            boards.append({"port": port, "state": None, "confirmed": False})
            if len(results) > 1:
                app.warn(reply.message)
        else:
            boards.append({"port": port, **reply})
    states = sorted({board["state"] or "unknown" for board in boards})
    data = {"state": states[0] if len(states) == 1 else "mixed", "confirmed": problem is None, "boards": boards}
    app.answer(data, lambda: _stop_text(boards))
    if problem:
        raise problem


def _stop_text(boards):
    lines = [f"{b['port']}: output off, confirmed ({b['state']})" for b in boards if b["confirmed"]]
    if any(b.get("broken") for b in boards):
        lines.append("The stop was not acknowledged in time, so Ctrl-C was sent.")
    return "\n".join(lines)


@click.command()
@pass_app
def status(app):
    """Show what a board is doing: state, time left, interlock, channels.

    Currents in mA, impedances in ohms; a session that runs in another terminal is asked and not disturbed.

    \b
    Examples:
      rheo status
      rheo status --json
    """
    from rheobase import reach

    with reach.one(app.port) as target:
        data = {**target.status(), "modelled": target.emulated}
        app.answer(data, lambda: _status_text(target.port, data))


def _status_text(port, data):
    from rheocore import faults
    from rheocore.units import fmt_resistance

    from rheobase.cli.progress import as_flowing, clock, milliamps
    from rheobase.link import words

    word = "modelled" if data["modelled"] else "measured"
    lines = [f"{port}: {data['state']}, {clock(data['t_left_ms'])} left, " + _interlock(data)]
    if data["fault"]:
        lines.append(f"  fault: {words.fault_sentence(data['fault'], data['fault_channel'])}")
        lines.append(f"  {faults.remedy(data['fault'])}")
    for n, c in as_flowing(data["state"], data["channels"]).items():
        ohms = "-" if c["ohms"] is None else fmt_resistance(c["ohms"])
        lines.append(
            f"  channel {n}: set {milliamps(c['set_ua'])} mA, {word} {milliamps(c['meas_ua'])} mA, "
            f"{word} {ohms}, {c['pulses']} pulses"
        )
    return "\n".join(lines)


def _interlock(data):
    return "interlock closed" if data["interlock"] else "interlock OPEN"


@click.command()
@pass_app
def pause(app):
    """Pause a session: output goes to zero, the clock stands.

    `rheo resume` goes on; after 5 min of pause the session ends by itself.

    \b
    Example:
      rheo pause
    """
    from rheobase import reach

    with reach.one(app.port) as target:
        reply = target.pause()
        app.answer(reply, f"{target.port}: {reply['state']}")


@click.command()
@pass_app
def resume(app):
    """Resume a paused session: from zero, with its ramp.

    \b
    Example:
      rheo resume
    """
    from rheobase import reach

    with reach.one(app.port) as target:
        reply = target.resume()
        app.answer(reply, f"{target.port}: {reply['state']}")


@click.command("clear-fault")
@pass_app
def clear_fault(app):
    """Clear a latched fault once its cause is gone.

    Until then no session starts. `rheo status` says which fault it is and what to do; one whose cause is still there
    stays.

    \b
    Example:
      rheo clear-fault
    """
    from rheobase import discovery, reach

    reach.refuse_emu(app.port)
    with discovery.connect(app.port, app.note, check=False) as board:
        reply = board.call("clear_fault")
        app.answer(reply, f"{board.port}: {reply['state']}")


@click.command()
@click.option("--out", metavar="FILE", help="Write the lines to a file instead of stdout.")
@pass_app
def watch(app, out):
    """Stream a board's telemetry as JSON lines, until the run ends or Ctrl-C.

    10 lines a second while a session runs; names end in their units (_ua, _ms, ohms).

    \b
    Examples:
      rheo watch
      rheo watch --out telemetry.jsonl
    """
    import json

    from rheobase import reach

    with reach.one(app.port) as target:
        if out is None:
            for item in target.telemetry():
                app.stream(item)
        else:
            app.streaming = True
            with open(out, "w", buffering=1) as file:
                for item in target.telemetry():
                    file.write(json.dumps(item, separators=(",", ":")) + "\n")
