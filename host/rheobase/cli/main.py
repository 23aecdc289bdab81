"""Entry point `rheo`: finds the verb without importing the others, prints the envelope, turns errors into sentences.

Must stay light: `rheo --help` and `rheo stop` import click and what they need, nothing else.
"""

import importlib
import json
import os
import sys

import click

from rheobase.cli.app import App, add_globals
from rheobase.errors import EXIT_BUG, EXIT_HOST, EXIT_INTERRUPT, EXIT_OK, EXIT_USAGE, RheoError
from rheobase.wording import WORDING

# verb: (module below rheobase.cli, the command in it, one line of help)
VERBS = {
    "Boards": {
        "devices": ("devices", "devices", "List the boards that are connected."),
        "info": ("devices", "info", "Show a board's firmware, channels and limits."),
        "doctor": ("doctor", "doctor", "Check this computer and its boards."),
        "emulate": ("emulate", "emulate", "Boot an emulated board: the real image at a port."),
        "image": ("image", "image", "Build, fetch or find the MicroPython image."),
        "flash": ("flash", "flash", "Copy the image to a board in BOOTSEL mode."),
        "deploy": ("deploy", "deploy", "Bring the firmware as files to stock MicroPython."),
        "calibrate": ("calibrate", "calibrate", "Calibrate a channel against a known load."),
    },
    "Sessions": {
        "protocol": ("protocol", "protocol", "List, show, check and push protocols."),
        "run": ("run", "run", "Run a session and record it."),
        "watch": ("control", "watch", "Stream a board's telemetry as JSON lines."),
        "status": ("control", "status", "Show what a board is doing."),
        "stop": ("control", "stop", "Stop the output: of one board, or of all."),
        "pause": ("control", "pause", "Pause a session; output goes to zero."),
        "resume": ("control", "resume", "Resume a paused session from zero."),
        "clear-fault": ("control", "clear_fault", "Clear a latched fault once its cause is gone."),
        "log": ("log", "log", "List, show and export session records."),
    },
    "Bench": {
        "bench": ("bench", "bench", "Judge pulse timing: captures, sweeps, comparisons."),
    },
    "Tool": {
        "completion": ("completion", "completion", "Print the script for completion by the shell."),
    },
}

HELP = """Stimulator firmware and tooling for an RP2040 board: choose a protocol, run it, record it, prove it.

\b
First steps, without a board:
  rheo doctor                          is everything here that is needed?
  rheo protocol list --condition sciatica
  rheo protocol show ea_2_100hz        what follows from it, and every limit
  rheo run --port emu                  a session on an emulated board

\b
With a board:
  rheo flash                           the firmware onto it, once
  rheo run                             asks its way; every session is recorded
  rheo stop                            from another terminal: off, everywhere

`rheo VERB --help` has examples. Exit status: 0 done, 1 a bug of rheo's, 2 wrong use, 3 no board, 4 its firmware does
not fit, 5 refused by a limit or by screening, 6 the board is in fault, 7 the bench says fail or cannot tell, 8 this
computer, 130 Ctrl-C.
"""
COMPLETE_VAR = "_RHEO_COMPLETE"  # set by the scripts of `rheo completion`

VERBS_FLAT = {verb for verbs in VERBS.values() for verb in verbs}
SUBVERBS = {
    "image": ("build", "fetch", "path"),
    "protocol": ("list", "show", "validate", "plot", "push"),
    "log": ("list", "show", "export", "report"),
    "bench": ("capture", "analyze", "sweep", "compare"),
}
POSIX_ONLY = ("fcntl", "termios", "pty", "tty", "resource", "grp", "pwd")  # modules that Windows does not have


class Rheo(click.Group):
    """The group of all verbs; imports a verb's module only when it is called."""

    def list_commands(self, ctx):
        return [verb for verbs in VERBS.values() for verb in verbs]

    def get_command(self, ctx, name):
        for verbs in VERBS.values():
            if name in verbs:
                module, attribute, _ = verbs[name]
                command = getattr(importlib.import_module("rheobase.cli." + module), attribute)
                return add_globals(command)
        return None

    def shell_complete(self, ctx, incomplete):
        from click.shell_completion import CompletionItem

        lines = [(verb, line) for verbs in VERBS.values() for verb, (_, _, line) in verbs.items()]
        known = [(verb, line.replace(",", ";")) for verb, line in lines]  # fish would cut it at a comma
        verbs = [CompletionItem(verb, help=line) for verb, line in known if verb.startswith(incomplete)]
        return verbs + click.Command.shell_complete(self, ctx, incomplete)  # the group's own would import every verb

    def resolve_command(self, ctx, args):
        name = args[0]
        if not name.startswith("-") and name not in self.list_commands(ctx):
            import difflib

            near = difflib.get_close_matches(name.replace("_", "-"), self.list_commands(ctx), 1)
            hint = f" Did you mean `{near[0]}`?" if near else " `rheo --help` lists the verbs."
            raise click.UsageError(f"There is no verb `{name}`.{hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx, formatter):
        for title, verbs in VERBS.items():
            with formatter.section(title):
                formatter.write_dl([(verb, line) for verb, (_, _, line) in verbs.items()])


cli = add_globals(
    Rheo(
        "rheo",
        help=HELP,
        epilog=WORDING,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80},
    ),
    shown=True,
)


def main(argv=None):
    """Run one command; returns its exit code. argv: words after `rheo` (default: the process's own)."""
    args = list(sys.argv[1:] if argv is None else argv)
    app = App()
    app.command = _verb(args)
    app.json = "--json" in (args[: args.index("--")] if "--" in args else args)  # known even if parsing fails
    if not (args and any(a in ("-v", "--verbose") for a in args)):
        import warnings

        warnings.simplefilter("ignore")  # other packages' advice to programmers is nothing for a user
    if COMPLETE_VAR in os.environ:
        cli.main(prog_name="rheo", complete_var=COMPLETE_VAR)
    try:
        errors, exit_code = _call(app, args)
        return _finish(app, errors, exit_code)
    except BrokenPipeError:  # the reader of our output has gone (`rheo log list | head`)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_OK


def _call(app, args):
    """(errors, exit code) of the command; never raises for what a user or a device did."""
    try:
        with cli.make_context("rheo", args, obj=app) as ctx:
            cli.invoke(ctx)
        return [], EXIT_OK
    except click.exceptions.Exit as done:
        return [], done.exit_code
    except click.ClickException as error:
        return [_usage(app, error)], EXIT_USAGE
    except RheoError as error:
        return [_error(error.code, error.message, error.hint)], error.exit_code
    except (KeyboardInterrupt, click.Abort):
        return [_error("interrupted", "Interrupted.", None)], EXIT_INTERRUPT
    except BrokenPipeError:
        raise
    except ModuleNotFoundError as error:
        if error.name in POSIX_ONLY:
            message = f"`rheo {app.command}` needs Linux or macOS: this system's Python has no `{error.name}`."
            return [_error("not_on_this_system", message, None)], EXIT_HOST
        from rheobase import needs

        missing = needs.missing(error.name)
        if missing is None:
            return [_bug(app, error)], EXIT_BUG
        return [_error(missing.code, missing.message, missing.hint)], missing.exit_code
    except OSError as error:
        if error.filename is None and not error.strerror:
            return [_bug(app, error)], EXIT_BUG
        what = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
        return [_error("os_error", f"{what}.", "Check the path, its rights and the free space.")], EXIT_HOST
    except Exception as error:
        return [_bug(app, error)], EXIT_BUG


def _finish(app, errors, exit_code):
    if app.json:
        ended_stream = app.streaming and (not errors or exit_code == EXIT_INTERRUPT)  # its lines were the answer
        if not ended_stream and (app.command or errors):
            print(json.dumps(app.envelope(exit_code, errors)))
    else:
        for error in errors:
            lead = "" if exit_code == EXIT_INTERRUPT else "Error: "  # who stops on purpose has made no error
            click.echo(lead + error["message"], err=True)
            if error["hint"]:
                click.echo(f"  {error['hint']}", err=True)
    sys.stdout.flush()
    return exit_code


def _error(code, message, hint):
    return {"code": code, "message": message, "hint": hint}


def _usage(app, error):
    ctx = getattr(error, "ctx", None)
    message = error.format_message()
    if type(error).__name__ == "NoArgsIsHelpError":  # its message is the whole help
        if not app.json:
            click.echo(message, err=True)
        message = "A verb is missing."
    hint = f"`{ctx.command_path} --help` shows how it is called." if ctx else None
    return _error("usage", message, hint)


def _verb(args):
    """The verb's words in the arguments, for the envelope: "image build"."""
    words = []
    skip = False
    for arg in args:
        if skip:
            skip = False
        elif arg in ("-p", "--port", "--log-dir"):
            skip = True
        elif not arg.startswith("-"):
            if words and arg not in SUBVERBS.get(words[0], ()):
                break
            if not words and arg not in VERBS_FLAT:
                break
            words.append(arg)
            if len(words) == 2 or words[0] not in SUBVERBS:
                break
    return " ".join(words)


def _bug(app, error):
    """Save the traceback, say one sentence."""
    import traceback

    text = "".join(traceback.format_exception(error))
    where = _save_traceback(text)
    if app.verbose:
        click.echo(text, err=True)
    hint = f"Please report it with {where}." if where else "Please report it; -v prints the traceback."
    return _error("bug", f"rheo met an error of its own: {type(error).__name__}: {error}.", hint)


def _save_traceback(text):
    import tempfile
    import time

    from rheobase import paths

    name = time.strftime("crash-%Y%m%dT%H%M%S.txt")
    for folder in (paths.cache_dir, lambda: tempfile.gettempdir()):
        try:
            path = os.path.join(folder(), name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w") as out:
                out.write(text)
            return path
        except OSError:
            continue
    return None


if __name__ == "__main__":
    sys.exit(main())
