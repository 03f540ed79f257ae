"""``fetchtui completion``: scripts for bash, zsh and fish, and their completions."""

from __future__ import annotations

import re
import sys
from typing import Any

import click
from click.shell_completion import get_completion_class

from tui.cli.subcommands import COMPLETE_VARIABLE, SUBCOMMANDS, find_subcommand

SHELLS = ("bash", "zsh", "fish")
_INSTALL = {
    "bash": "fetchtui completion bash > ~/.local/share/bash-completion/completions/"
    "fetchtui",
    "zsh": "fetchtui completion zsh > ~/.zfunc/_fetchtui  (a folder in $fpath)",
    "fish": "fetchtui completion fish > ~/.config/fish/completions/fetchtui.fish",
}


def answer(command: click.Command, instruction: str) -> int:
    """Print the completions that a shell asks for; return the exit status."""
    shell, _, action = instruction.partition("_")
    found = get_completion_class(shell)
    if found is None or action != "complete":
        return 1
    completer = found(command, {}, "fetchtui", COMPLETE_VARIABLE)
    arguments, incomplete = completer.get_completion_args()
    if arguments[-1:] == ["="]:
        # bash makes three words of --name=value.
        arguments.pop()
    if arguments and arguments[0] in SUBCOMMANDS:
        name = arguments.pop(0)
        completer = found(
            find_subcommand(name), {}, f"fetchtui {name}", COMPLETE_VARIABLE
        )
    items = completer.get_completions(arguments, incomplete)
    name, equals, _ = incomplete.partition("=")
    before = f"{name}=" if equals and name.startswith("--") else ""
    for item in items:
        item.help = _first_clause(item.help)
        if item.type == "plain":
            # The shell replaces the whole word.
            item.value = f"{before}{item.value}"
    sys.stdout.write("".join(completer.format_completion(i) + "\n" for i in items))
    return 0


def _first_clause(text: str | None) -> str | None:
    return re.split(r"[.;:]\s", text, maxsplit=1)[0].rstrip(".") if text else text


def script(shell: str) -> str:
    """Return the completion script for a shell."""
    found = get_completion_class(shell)
    assert found is not None
    completer: Any = found(click.Command("fetchtui"), {}, "fetchtui", COMPLETE_VARIABLE)
    # click's own source() first runs bash to check its version, but the script may be
    # for another machine.
    return f"{(completer.source_template % completer.source_vars()).strip()}\n"


@click.command(
    epilog="\b\nTo install:\n"
    + "\n".join(f"{s:<5} {how}" for s, how in _INSTALL.items())
)
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """Print a script that completes options, their values and file names in SHELL."""
    click.echo(script(shell), nl=False)
