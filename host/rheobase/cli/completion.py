"""`rheo completion`: the script that a shell loads, and what it then offers for each word. Installs nothing.

An offer must come at once: names are read from folders, no port is opened and no board is asked.
"""

import contextlib

import click
from click.shell_completion import CompletionItem, get_completion_class

from rheobase.cli.app import pass_app
from rheobase.errors import RheoError


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@pass_app
def completion(app, shell):
    """Print the script for completion by the shell.

    With it loaded the Tab key offers verbs, options, protocols, boards, ports and records.

    \b
    bash: eval "$(rheo completion bash)"       in ~/.bashrc
    zsh:  eval "$(rheo completion zsh)"        in ~/.zshrc, after compinit
    fish: rheo completion fish > ~/.config/fish/completions/rheo.fish
    """
    from rheobase.cli.main import COMPLETE_VAR, cli

    script = get_completion_class(shell)(cli, {}, "rheo", COMPLETE_VAR).source()
    app.answer({"shell": shell, "script": script}, script)


def _protocols():
    from rheobase import library

    return sorted(path.stem for folder in (library.presets_dir(), library.user_dir()) for path in folder.glob("*.toml"))


def _conditions():
    from rheobase import library

    return sorted({slug for found in library.catalogue()[0] for slug in found["conditions"]})


def _ports():
    from rheobase import discovery

    return [discovery.EMU, *(port for port, _, _ in discovery.candidates())]


def _boards():
    from rheobase.image import firmware_files

    return firmware_files.known_boards()


def _channels():
    from rheobase import boards

    return [str(n + 1) for n in range(len(boards.load()["channels"]))]


def _records():
    from rheobase import record

    folder = record.sessions_dir()
    return ["last", *sorted((path.name for path in folder.iterdir()), reverse=True)] if folder.is_dir() else []


def _codes():
    from rheobase.link.words import DENSE_CODE

    return [DENSE_CODE]


# What stands for a value in the help, or the parameter's own name -> what to offer there.
_OFFERS = {
    "PROTOCOL": _protocols,
    "P": _protocols,
    "protocol": _protocols,
    "PORT": _ports,
    "ID": _records,
    "CODE": _codes,
    "C": _conditions,
    "M": lambda: ["dnes", "nmes", "tens"],
    "E": lambda: ["needle", "skin"],
    "LOAD": lambda: ["open", "short", "needle", "skin"],
    "board": _boards,
    "channel": _channels,
    "channels": _channels,
    "numbers": _channels,
}
_PATHS = {"FILE": "file", "DIR": "dir", "a": "file", "b": "file"}
_OR_FILE = (_protocols,)  # a path may stand there as well


def offer(command):
    """Give the parameters of a click command what they can be completed with."""
    for param in command.params:
        for key in (param.name, param.metavar):
            if key in _OFFERS:
                param.shell_complete = _offering(_OFFERS[key])
            elif key in _PATHS:
                param.shell_complete = _offering_paths(_PATHS[key])


def _offering(values):
    def shell_complete(ctx, incomplete):
        with contextlib.suppress(RheoError, OSError, ValueError):  # an error has no place on a line that is being typed
            found = [CompletionItem(value) for value in values() if value.startswith(incomplete)]
            return found or ([CompletionItem(incomplete, type="file")] if values in _OR_FILE else [])
        return []

    return shell_complete


def _offering_paths(kind):
    return lambda ctx, incomplete: [CompletionItem(incomplete, type=kind)]
