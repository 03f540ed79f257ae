"""The words that make ``fetchtui`` do something else than fetch.

A word counts only as the first argument; ``./lab`` or ``-- lab`` names a list that is
called so. What a word stands for is imported when it is asked for, and not before.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

if TYPE_CHECKING:
    from collections.abc import Sequence


class Subcommand(NamedTuple):
    """A word, and what it stands for."""

    target: str
    """``module:attribute`` of a ``click.Command``."""
    summary: str
    """One line for ``--help``."""


SUBCOMMANDS = {
    "lab": Subcommand(
        "tui.ui.lab.command:lab", "Race ways of downloading against each other."
    ),
}


def find_subcommand(name: str) -> click.Command:
    """Import what a word of ``SUBCOMMANDS`` stands for."""
    module, _, attribute = SUBCOMMANDS[name].target.partition(":")
    command = getattr(import_module(module), attribute)
    assert isinstance(command, click.Command)
    return command


class Program(click.Command):
    """A command that hands over to a subcommand if its first argument is one."""

    def main(  # type: ignore[override]  # click's overloads tell its return types apart
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        **extra: Any,
    ) -> Any:
        """Run the subcommand that the first argument names, or else this command.

        A subcommand finds this command as its context's ``obj``.
        """
        if args is None:
            import sys

            args = sys.argv[1:]
            prog_name = prog_name or Path(sys.argv[0]).name
        if args and args[0] in SUBCOMMANDS:
            prog_name = f"{prog_name or self.name} {args[0]}"
            chosen = find_subcommand(args[0])
            return chosen.main(list(args[1:]), prog_name, obj=self, **extra)
        return super().main(args, prog_name, **extra)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the subcommands below the options."""
        with formatter.section("Commands"):
            formatter.write_dl(
                [(name, word.summary) for name, word in SUBCOMMANDS.items()]
            )
        super().format_epilog(ctx, formatter)
