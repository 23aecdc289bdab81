"""`rheo run`: words of the command line -> an order -> a session. Asks before anything comes out; prints its end."""

import errno
import os
import sys

import click
from rheocore import faults
from rheocore.units import fmt_charge

from rheobase.cli.app import output_file, pass_app
from rheobase.errors import UsageError

_REASON_MAX = 200


@click.command()
@click.argument("protocol", required=False)
@click.option("--channel", "channels", multiple=True, metavar="N", help="Channel; one for each --amplitude.")
@click.option(
    "--amplitude", "amplitudes", multiple=True, metavar="Q", help="Current, as 2mA; without --yes only a ceiling."
)
@click.option("--on", "ons", multiple=True, metavar="N=P@Q", help="Protocol P at current Q on channel N.")
@click.option("--duration", metavar="Q", help="Shorter session, as 10s or 5min.")
@click.option("--needle", metavar="DxL", help="Diameter x inserted length; else 0.16x15mm is assumed.")
@click.option("--pad", metavar="AREA", help="Area of a skin electrode; else 25cm2 is assumed.")
@click.option(
    "--acknowledge", "acknowledged", multiple=True, metavar="CODE", help="Lift a warning: the CODE that it names."
)
@click.option("--yes", is_flag=True, help="Do not ask. On a real board it needs --reason.")
@click.option("--reason", metavar="TEXT", help="Why nobody is asked; goes into the record.")
@click.option("--vcd", metavar="FILE", help="Write the edges to a VCD file (with --port emu).")
@pass_app
def run(app, protocol, channels, amplitudes, ons, duration, needle, pad, acknowledged, yes, reason, vcd):
    """Run a session and record it.

    Asks its way from the condition through screening to the needles counted out; PROTOCOL is a preset's id or a TOML
    file. Everything starts at zero and is raised live; an --amplitude is only a ceiling for that. Esc, Space, q,
    Ctrl-C or closing the terminal stop at once. With --yes nothing is asked and the ramps climb to --amplitude.
    Currents as 2mA or 500uA, times as 10s or 5min. Exit 0: the time was over, or somebody stopped it.

    \b
    Examples:
      rheo run
      rheo run ea_2_100hz --needle 0.25x30mm --amplitude 3mA
      rheo run ea_2hz --channel 1 --amplitude 1mA --port emu --yes
      rheo run --on 1=tens_conventional@5mA --on 2=ea_2hz@1mA --port emu --yes
    """
    from rheobase import discovery, report

    _check_words(app, acknowledged, yes, reason)
    is_emu = discovery.configured_port(app.port) == discovery.EMU
    if vcd and not is_emu:
        raise UsageError("vcd_needs_emu", "--vcd writes the edges of an emulated board.", "Add --port emu.")
    words = (protocol, channels, amplitudes, ons, duration, needle, pad, acknowledged)
    if yes:
        from rheobase import order

        wanted = order.make(*words, yes=yes, reason=reason)
    else:
        from rheobase.therapist.request import Request

        wanted = Request(*words)
    vcd = output_file(vcd, "--vcd")
    with discovery.connect(app.port, app.note, vcd=vcd) as board:
        try:
            ran, data = _unasked(app, board, wanted) if yes else _guided(app, board, wanted)
        finally:
            _forget_lost_terminal()
    data["vcd"] = vcd
    data["report"] = report.beside(data["log"], app.warn)
    app.answer(data, lambda: summary(data, board.emulated, ran.error is None))
    if ran.error:
        raise ran.error


def _check_words(app, acknowledged, yes, reason):
    from rheobase.link.words import DENSE_CODE

    if app.json and not yes:
        raise UsageError("yes_missing", "`run --json` asks nothing, so it needs --yes.", "Add --yes.")
    if not yes and not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError("yes_missing", "There is no terminal to ask on.", "Add --yes.")
    for code in acknowledged:
        if code != DENSE_CODE:
            hint = f"Only {DENSE_CODE} can be acknowledged."
            raise UsageError("bad_code", f"--acknowledge {code}: that lifts nothing.", hint)
    if reason is not None and not 0 < len(reason.strip()) <= _REASON_MAX:
        raise UsageError("bad_reason", f"--reason: write 1 to {_REASON_MAX} characters.")


def _unasked(app, board, wanted):
    """A session with --yes."""
    from rheobase import guide, keys, order, session
    from rheobase.cli.progress import Progress, legend, single_keys

    if not board.emulated and not wanted.reason:
        raise UsageError("reason_missing", "On a real board --yes needs --reason.", 'For example: --reason "bench"')
    order.judge(wanted, board.info)
    for line in order.describe(wanted, board.info, board.emulated):
        app.note(line)
    if left := guide.cut_off(board):
        app.warn(f"{left} This is a new one.")
    view = Progress(app, board)
    with single_keys() as fd:
        if fd is not None and view.line_mode:
            more = f" {legend(view.word)}" if len(wanted.parts) > 1 else ""
            app.note("Space, Esc, q or Ctrl-C stop at once." + more)
        watched = guide.Guide(keys.Keys(fd) if fd is not None else None)
        ran = session.Session(board, wanted, app.log_dir, view, watched)
        try:
            return ran, _played(app, ran)
        finally:
            view.clear()


def _guided(app, board, request):
    """A session that asks its way."""
    from rheobase import session
    from rheobase.therapist.visit import Visit

    visit = Visit(request, app.log_dir, sys.stdin.fileno())
    ran = session.Session(board, None, app.log_dir, None, visit)
    return ran, _played(app, ran)


def _played(app, session):
    """What session.run() returns. A bug goes on from here, after what matters more has been said."""
    try:
        return session.run()
    finally:
        if session.bug and session.journal:
            said = f"{session.error.message} " if session.error else ""
            app.warn(f"{said}The record is {session.journal.path}.")


def _forget_lost_terminal():
    """What is still to be said goes nowhere where the terminal was closed: no reason for an error of its own."""
    import termios

    for fd in (1, 2):
        try:
            termios.tcgetattr(fd)
        except termios.error as error:
            if error.args[0] == errno.EIO:
                os.dup2(os.open(os.devnull, os.O_WRONLY), fd)


def summary(data, emulated, in_order):
    """The end of a session in a few lines. in_order: no error follows that says how it ended."""
    lines = [faults.sentence(data["stop_reason"])] if in_order else []
    lines.append(f"  ran        {data['duration_s']:.1f} s")
    for n, pulses in data["pulses"].items():
        cut = data["truncated"][n]
        charge = "modelled board" if emulated else "set-point"
        text = f"{pulses} pulses, {fmt_charge(round(data['charge_uc'][n] * 1000))} a phase in all ({charge})"
        if cut is None:
            text += ", last known"
        elif cut:
            text += f", {cut} cut short"
        lines.append(f"  channel {n}  {text}")
    lines.append(f"  record     {data['log']}")
    if data["report"]:
        lines.append(f"  report     {data['report']}")
    if data["vcd"]:
        lines.append(f"  edges      {data['vcd']}")
    return "\n".join(lines)
