"""The main command's entry point: dispatch to subcommands, errors, exit statuses.

A subcommand name counts only as the first argument; ``./lab`` or ``-- lab`` is a list
with that name.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tui.cli.options import EXAMPLES, write_help
from tui.cli.subcommands import COMPLETE_VARIABLE, SUBCOMMANDS, find_subcommand
from tui.core.rules.exit_status import USAGE_ERROR

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def _run_and_exit(run: Callable[..., Any], *args: Any, **extra: Any) -> Any:
    """Run a command as click's standalone mode does, with two differences.

    Ctrl+C always exits with status 130 and prints nothing. If stdout cannot be written,
    for example because it is a file on a full disk, a one-line error is printed.
    """
    if "standalone_mode" in extra:
        return run(*args, **extra)
    try:
        status = run(*args, standalone_mode=False, **extra)
    except click.ClickException as error:
        if isinstance(error, click.NoSuchOption):
            from tui.cli.unknown_option import explain_unknown

            has_hints = error.ctx is not None and isinstance(error.ctx.command, Program)
            error = explain_unknown(error, has_hints=has_hints)
        error.show()
        status = error.exit_code
    except click.Abort as error:
        if isinstance(error.__context__, EOFError):
            click.echo("fetchtui: unexpected end of standard input", err=True)
            status = 1
        else:
            status = 130
    except FileNotFoundError as error:
        if error.filename is not None:
            raise
        # Only os.getcwd() names no file.
        text = "fetchtui: the working directory was removed; change to another one"
        click.echo(text, err=True)
        status = USAGE_ERROR
    except OSError as error:
        if error.filename is not None:
            raise
        click.echo(f"fetchtui: cannot write to stdout: {error.strerror}", err=True)
        # Python would flush the buffer again on exit, fail again and exit with 120.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 1
    sys.exit(status if isinstance(status, int) else 0)


class Program(click.Command):
    """The main command, which runs a subcommand if the first argument names one."""

    def main(  # type: ignore[override]  # click has overloads for its return types
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        **extra: Any,
    ) -> Any:
        """Run the subcommand that the first argument names, or else this command.

        A subcommand finds this command in its context's ``obj``.
        """
        if args is None:
            args = sys.argv[1:]
            prog_name = prog_name or Path(sys.argv[0]).name
        instruction = os.environ.get(COMPLETE_VARIABLE)
        if instruction:
            from tui.cli.commands.completion import answer

            sys.exit(answer(self, instruction))
        if args and args[0] in SUBCOMMANDS:
            prog_name = f"{prog_name or self.name} {args[0]}"
            run = find_subcommand(args[0]).main
            return _run_and_exit(run, list(args[1:]), prog_name, obj=self, **extra)
        return _run_and_exit(super().main, args, prog_name, **extra)

    def format_options(
        self, _ctx: click.Context, formatter: click.HelpFormatter
    ) -> None:
        """Write the subcommands, the options by group, and examples."""
        with formatter.section("Commands"):
            formatter.write_dl(
                [(name, command.summary) for name, command in SUBCOMMANDS.items()]
            )
        write_help(formatter)
        with formatter.section("Examples"):
            formatter.write(EXAMPLES)
