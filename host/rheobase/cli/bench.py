"""`rheo bench`: the group of its commands, each imported only when it is called."""

import importlib

import click

from rheobase.cli.app import add_globals

# command: (module below rheobase.cli, one line of help)
COMMANDS = {
    "capture": ("bench_capture", "Let the board time its own edges; keep them in a file."),
    "analyze": ("bench_analyze", "Judge a capture by what a protocol commands."),
    "sweep": ("bench_sweep", "Judge a board: PASS or FAIL of every cell of a matrix."),
    "compare": ("bench_sweep", "Say what changed between two sweeps."),
}


class Bench(click.Group):
    """The bench's commands by name."""

    def list_commands(self, ctx):
        return list(COMMANDS)

    def get_command(self, ctx, name):
        if name not in COMMANDS:
            return None
        return add_globals(getattr(importlib.import_module("rheobase.cli." + COMMANDS[name][0]), name))

    def format_commands(self, ctx, formatter):
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


HELP = """Judge pulse timing: captures, sweeps, comparisons.

Exit 7 where the verdict is fail or cannot tell.

\b
Examples:
  rheo bench sweep --quick --operator AB --out sweeps
  rheo bench analyze capture.csv --protocol ea_2_100hz --map D0=CH1_A
"""
bench = Bench("bench", help=HELP)
