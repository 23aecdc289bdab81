"""`rheo doctor`: what is wrong with this computer or a board, and what to do. Changes nothing; the work is doctor's."""

import textwrap

import click

from rheobase.cli.app import pass_app
from rheobase.errors import RheoError

WIDTH = 80
INDENT = " " * 22
FIX = "-> "


@click.command()
@click.option("--print-udev", is_flag=True, help="Print the udev rule file for Linux instead of checking.")
@pass_app
def doctor(app, print_udev):
    """Check this computer and the boards on it; changes nothing.

    Each check is ok, warn or fail, and what is not ok comes with its fix. Without --port every board is looked at. Exit
    status 0 if nothing failed, else that of the first check that did: 8 this computer, 3 no board or port, 4 firmware,
    6 the board is in fault.

    \b
    Examples:
      rheo doctor
      rheo doctor -p /dev/ttyACM0 --json
      rheo doctor --print-udev | sudo tee /etc/udev/rules.d/60-rheobase.rules
    """
    from rheobase.doctor import rules

    if print_udev:
        app.answer({"path": rules.PATH, "rules": rules.RULES}, rules.RULES.rstrip("\n"))
        return
    from rheobase import doctor as service
    from rheobase import reach

    reach.refuse_emu(app.port)
    found = service.examine(app.port, app.log_dir)
    app.answer({"checks": [finding.as_dict() for finding in found]}, lambda: _text(found))
    wrong = [finding for finding in found if finding.status == service.FAIL]
    if wrong:
        names = ", ".join(dict.fromkeys(finding.id for finding in wrong))
        raise RheoError("checks_failed", f"Failed: {names}.", None, service.exit_code(found))


def _text(found):
    """A heading for this computer and for each board, one line a check, what to do below it."""
    lines = []
    heading = None
    for finding in found:
        title = f"Board on {finding.port}" if finding.port else "This computer"
        if title != heading:
            lines += ["", title] if lines else [title]
            heading = title
        lines += _lines(finding)
    count = {status: sum(f.status == status for f in found) for status in ("ok", "warn", "fail")}
    return "\n".join([*lines, "", f"{count['ok']} ok, {count['warn']} warnings, {count['fail']} failed"])


def _lines(finding):
    word = "FAIL" if finding.status == "fail" else finding.status
    lines = _wrap(finding.message, f"  {word:<5}{finding.id:<15}", INDENT)
    if finding.status != "ok" and finding.fix:
        lines += _wrap(finding.fix, INDENT + FIX, INDENT + " " * len(FIX))
    return lines


def _wrap(text, first, rest):
    text = "".join(c if c.isprintable() else "?" for c in text)  # a board's file names go to a terminal
    return textwrap.wrap(
        text, WIDTH, initial_indent=first, subsequent_indent=rest, break_on_hyphens=False, break_long_words=False
    )
