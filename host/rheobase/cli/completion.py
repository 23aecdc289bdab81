"""`rheo completion`: the script that a shell loads. Prints it; installs nothing."""

import click
from click.shell_completion import get_completion_class

from rheobase.cli.app import pass_app


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@pass_app
def completion(app, shell):
    """Print the shell completion script.

    bash: add `eval "$(rheo completion bash)"` to ~/.bashrc. zsh: the same in ~/.zshrc, with zsh.
    fish: `rheo completion fish > ~/.config/fish/completions/rheo.fish`.
    """
    from rheobase.cli.main import cli

    script = get_completion_class(shell)(cli, {}, "rheo", "_RHEO_COMPLETE").source()
    app.answer({"shell": shell, "script": script}, script)
