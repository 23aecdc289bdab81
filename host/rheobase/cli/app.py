"""What one call of `rheo` knows and says: global options, answer, notes. Imports nothing that a command might not need.

Every command gets the App as its click object (`@pass_app`) and ends with `app.answer(data, text)`; main.py prints the
envelope. Answers go to stdout, everything else to stderr.
"""

import contextlib
import json
import os
import sys

import click

from rheobase.errors import HostError

SCHEMA = 1  # version of the JSON envelope


class App:
    """Global options of this call, and its answer.

    port, log_dir: str or None. json: bool. quiet, verbose: counts. command: the verb's words ("image build").
    """

    def __init__(self):
        self.port = None
        self.log_dir = None
        self.json = False
        self.quiet = 0
        self.verbose = 0
        self.command = ""
        self.data = {}
        self.streaming = False

    def answer(self, data, text=None):
        """The result: `data` for --json, `text` (a string, or a function that makes it) for people, on stdout."""
        self.data = data
        if not self.json and text is not None:
            click.echo(text() if callable(text) else text)

    def stream(self, item):
        """One JSON line on stdout at once; a command that streams prints no envelope unless it fails."""
        self.streaming = True
        sys.stdout.write(json.dumps(item, separators=(",", ":")) + "\n")
        sys.stdout.flush()

    def note(self, text):
        """Something to know, on stderr, unless -q."""
        if not self.quiet:
            self._err(text)

    def warn(self, text):
        """Something to act upon, on stderr, -q or not."""
        self._err("Warning: " + text)

    @staticmethod
    def _err(text):
        with contextlib.suppress(OSError):  # nobody reads it any more: no reason to leave a session without its stop
            click.echo(text, err=True)

    def envelope(self, exit_code, errors):
        """The one JSON object of --json."""
        return {
            "schema": SCHEMA,
            "command": self.command,
            "ok": exit_code == 0,
            "exit_code": exit_code,
            "data": self.data,
            "errors": errors,
        }


pass_app = click.make_pass_decorator(App)


def output_file(path, option):
    """Absolute path of a file that can be written, made if it is not there. None stays None. Raises HostError."""
    if path is None:
        return None
    path = os.path.abspath(path)
    try:
        with open(path, "ab"):
            return path
    except OSError as error:
        raise HostError("not_writable", f"{option}: {path} cannot be written: {error.strerror}.", None) from None


class GlobalOption(click.Option):
    """A global option: taken before or after the verb; shown in the help of `rheo` alone."""

    shown = False

    def get_help_record(self, ctx):
        return super().get_help_record(ctx) if self.shown else None


def _take(ctx, param, value):
    if value is None or value is False or value == 0:
        return
    app = ctx.ensure_object(App)
    if param.name in ("quiet", "verbose"):
        value += getattr(app, param.name)
    setattr(app, param.name, value)


def _version(ctx, param, value):
    if not value or ctx.resilient_parsing:
        return
    from rheobase import __version__

    app = ctx.ensure_object(App)
    app.command = "version"
    app.answer({"version": __version__}, f"rheo {__version__}")
    ctx.exit(0)


_GLOBALS = (
    (
        ("-p", "--port"),
        {
            "metavar": "PORT",
            "help": "Serial port, or id:SERIAL; emu: an emulated board for this command"
            " [RHEO_PORT, `port` in config.toml, the one that answers].",
        },
    ),
    (("--json",), {"is_flag": True, "help": "Print one JSON object on stdout; all else on stderr."}),
    (("-q", "--quiet"), {"count": True, "help": "No notes and no progress."}),
    (("-v", "--verbose"), {"count": True, "help": "After a bug of rheo's, print the traceback."}),
    (("--log-dir",), {"metavar": "DIR", "help": "Folder for session records [see `rheo doctor`]."}),
    (("--version",), {"is_flag": True, "is_eager": True, "callback": _version, "help": "Print the version."}),
)


def add_globals(command, shown=False):
    """Give a click command, and those below it, the global options. Doing it twice changes nothing."""
    if not any(isinstance(p, GlobalOption) for p in command.params):
        taken = {opt for p in command.params for opt in p.opts}
        for names, extra in _GLOBALS:
            if taken.intersection(names):
                continue
            option = GlobalOption(names, expose_value=False, **{"callback": _take, **extra})
            option.shown = shown
            command.params.append(option)
        if not shown and not isinstance(command, click.Group) and command.epilog is None:
            command.epilog = "Global options (-p, --json, -q, -v, --log-dir) are in `rheo --help`."
    if "_RHEO_COMPLETE" in os.environ:  # a shell asks what may follow
        from rheobase.cli.completion import offer

        offer(command)
    if isinstance(command, click.Group):
        for child in getattr(command, "commands", {}).values():
            add_globals(child)
    return command
