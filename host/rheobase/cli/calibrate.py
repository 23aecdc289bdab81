"""`rheo calibrate`: one channel's set-point and sense against a known load. The work is rheobase.calibrate's."""

import contextlib
import sys

import click
from rheocore.units import fmt_current, fmt_resistance

from rheobase.cli.app import pass_app


@click.command()
@click.option("--channel", required=True, metavar="N", help="Channel whose leads are on the load.")
@click.option("--load", required=True, metavar="OHMS", help="Its resistance by a meter: 500 to 5000, best 1000.")
@click.option("--yes", is_flag=True, help="Do not ask: that load, and nobody, is connected.")
@pass_app
def calibrate(app, channel, load, yes):
    """Calibrate a channel against a known load, on the bench.

    Plays up to the board's full current into the load, and never into a person: take every other lead off. What was
    found is stored on the board, which restarts, and is checked. docs/calibration.md tells what the figures mean.

    \b
    Examples:
      rheo calibrate --channel 1 --load 998
      rheo calibrate --channel 1 --load 998 --yes --json
      rheo calibrate --channel 1 --load 1000 --port emu
    """
    from rheobase import calibrate as service
    from rheobase import discovery, order

    n = order.channel_number(channel)
    load_ohms = order.quantity(load, "resistance", "--load")
    service.check_load(load_ohms)
    with contextlib.ExitStack() as stack:
        board = stack.enter_context(discovery.connect(app.port, app.note, load=load_ohms))
        order.must_have([n], board.info)
        if not board.emulated:
            app.warn(f"Channel {n} will give up to its full current: into a bench load, never with a person connected.")
        if not yes:
            _ask(app, board, n, load_ohms)
        view = _View(app, board.measured_word)
        data, board = service.calibrate(board, n, load_ohms, view)
        stack.callback(board.close)
        app.answer(data, lambda: _text(data, board))


def _ask(app, board, n, load_ohms):
    """Nothing is played before somebody has said that nobody is connected; an emulated board has nobody."""
    from rheobase.errors import Refused, UsageError

    if not app.json and sys.stdin.isatty() and sys.stderr.isatty():
        question = f"Is {fmt_resistance(load_ohms)}, and nothing and nobody else, connected to channel {n}?"
        if not click.confirm(question, default=False, err=True):
            raise Refused("declined", "Nothing was played, nothing was stored.")
    elif not board.emulated:
        message = f"There is no terminal to ask on whether anybody is connected to channel {n}."
        raise UsageError("yes_missing", message, "If that load is, and nothing and nobody else: add --yes.")


class _View:
    def __init__(self, app, word):
        self.say = app.note
        self.word = word

    def level(self, point):
        ua = f"{fmt_current(point.set_ua)} set, {fmt_current(round(point.meas_ua))} {self.word}"
        self.say(f"  {ua}, {point.load_mv / 1000:.2f} V")


def _text(data, board):
    sense, check = data["sense"], data["check"]
    lines = [
        f"Channel {data['channel']} of {board.info['board']} {board.info['serial']} is calibrated"
        f" ({fmt_resistance(data['load_ohms'])}{', emulated' if board.emulated else ''}).",
        f"  {'':<10} {'gain':>8} {'offset':>9} {'residual':>9}",
        f"  {'set-point':<10} {data['gain']:>8.4f} {data['offset']:>6.0f} µA {data['residual']:>6.0f} µA",
        f"  {'sense':<10} {sense['gain']:>8.4f} {sense['offset']:>6.0f} µA {sense['residual']:>6.0f} µA",
        f"  checked    {fmt_current(check['set_ua'])} set: {check['true_ua'] / 1000:.3f} mA flow,"
        f" {check['meas_ua'] / 1000:.3f} mA {board.measured_word}",
    ]
    if data["reach_ua"] < 0.995 * board.info["limits"]["max_ua"]:  # less is what a line may be off by
        lines.append(f"  reach      {fmt_current(data['reach_ua'])}: more cannot be delivered, whatever is set")
    return "\n".join(lines)
