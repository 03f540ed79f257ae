"""The words that make ``fetchtui`` do something else than fetch.

A word counts only as the first argument; ``./lab`` or ``-- lab`` names a list that is
called so. What a word stands for is imported when it is asked for, and not before.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from tui.cli.options import EXAMPLES, write_help

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Subcommand(NamedTuple):
    """A word, and what it stands for."""

    target: str
    """``module:attribute`` of a ``click.Command``."""
    summary: str
    """One line for ``--help``."""


SUBCOMMANDS = {
    "help": Subcommand(
        "tui.cli.commands.help:help_command",
        "Show a topic of the user guide, or list the topics.",
    ),
    "config": Subcommand(
        "tui.cli.commands.config:config", "Show, explain and change the settings."
    ),
    "convert": Subcommand(
        "tui.cli.commands.convert:convert",
        "Rewrite lists in another format; fetch nothing.",
    ),
    "lab": Subcommand(
        "tui.cli.commands.lab:lab", "Race ways of downloading against each other."
    ),
    "completion": Subcommand(
        "tui.cli.commands.completion:completion",
        "Print what a shell needs to complete commands.",
    ),
    "man": Subcommand("tui.cli.commands.man:man", "Print the man page."),
}

COMPLETE = "_FETCHTUI_COMPLETE"
"""Set by a shell that asks for the words that fit."""


def find_subcommand(name: str) -> click.Command:
    """Import what a word of ``SUBCOMMANDS`` stands for."""
    module, _, attribute = SUBCOMMANDS[name].target.partition(":")
    command = getattr(import_module(module), attribute)
    assert isinstance(command, click.Command)
    command.context_settings.setdefault("help_option_names", ["-h", "--help"])
    return command


def _end_in_order(run: Callable[..., Any], *given: Any, **extra: Any) -> Any:
    """Do what click does at the end, except for two things.

    ctrl+c is 130 everywhere, without a word. A stdout that takes nothing, say a file
    on a full disk, is told in a line.
    """
    if "standalone_mode" in extra:
        return run(*given, **extra)
    try:
        status = run(*given, standalone_mode=False, **extra)
    except click.ClickException as error:
        error.show()
        status = error.exit_code
    except click.Abort as error:
        if isinstance(error.__context__, EOFError):
            click.echo("fetchtui: standard input has ended", err=True)
            status = 1
        else:
            status = 130
    except OSError as error:
        if error.filename is not None:
            raise
        click.echo(f"fetchtui: cannot write to stdout: {error.strerror}", err=True)
        # What is still in its buffer would fail once more at the end, with 120.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 1
    sys.exit(status if isinstance(status, int) else 0)


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
            args = sys.argv[1:]
            prog_name = prog_name or Path(sys.argv[0]).name
        instruction = os.environ.get(COMPLETE)
        if instruction:
            from tui.cli.commands.completion import answer

            sys.exit(answer(self, instruction))
        if args and args[0] in SUBCOMMANDS:
            prog_name = f"{prog_name or self.name} {args[0]}"
            run = find_subcommand(args[0]).main
            return _end_in_order(run, list(args[1:]), prog_name, obj=self, **extra)
        return _end_in_order(super().main, args, prog_name, **extra)

    def format_options(
        self, _ctx: click.Context, formatter: click.HelpFormatter
    ) -> None:
        """List commands and options under their headings, and examples at the end."""
        with formatter.section("Commands"):
            formatter.write_dl(
                [(name, word.summary) for name, word in SUBCOMMANDS.items()]
            )
        write_help(formatter)
        with formatter.section("Examples"):
            formatter.write(EXAMPLES)
