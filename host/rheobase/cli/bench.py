"""`rheo bench`: the group of its commands; imports a command's module only when it is called."""

import importlib

import click

from rheobase.cli.app import add_globals

COMMANDS = {  # verb: (module below rheobase.cli, the command in it, one line of help)
    "capture": ("bench_capture", "capture", "Let a board time its own edges, into a file."),
    "analyze": ("bench_analyze", "analyze", "Judge a capture by what a protocol commands."),
    "sweep": ("bench_sweep", "sweep", "Run the matrix of tests on a board and report."),
    "compare": ("bench_sweep", "compare", "Say what changed between two sweeps."),
}


class Bench(click.Group):
    def list_commands(self, ctx):
        return list(COMMANDS)

    def get_command(self, ctx, name):
        if name not in COMMANDS:
            return None
        module, attribute, _ = COMMANDS[name]
        return add_globals(getattr(importlib.import_module("rheobase.cli." + module), attribute))

    def format_commands(self, ctx, formatter):
        with formatter.section("Commands"):
            formatter.write_dl([(verb, line) for verb, (_, _, line) in COMMANDS.items()])


bench = Bench("bench", help="Judge pulse timing: captures, sweeps, comparisons.")
