"""Completion for bash, zsh, fish and PowerShell: words come from the options."""

from __future__ import annotations

import glob
import os
import re
import sys
from typing import TYPE_CHECKING, Any, ClassVar

import click
from click.shell_completion import (
    CompletionItem,
    ShellComplete,
    add_completion_class,
    get_completion_class,
)

from tui.cli.program import COMPLETE, SUBCOMMANDS, find_subcommand
from tui.config.values import Kind

if TYPE_CHECKING:
    from tui.config.option import Option


def sources(context: click.Context, incomplete: str) -> list[CompletionItem]:
    """Return a word with a meaning of its own, or that files are wanted."""
    files = CompletionItem(incomplete, type="file")
    # A list whose name begins like that is more likely meant.
    if context.params.get("sources") or glob.glob(glob.escape(incomplete) + "*"):
        return [files]
    words = [
        CompletionItem(name, help=word.summary)
        for name, word in SUBCOMMANDS.items()
        if name.startswith(incomplete)
    ]
    return [files, *words]


def values(option: Option, incomplete: str) -> list[CompletionItem]:
    """Return the words that an option takes, or that files are wanted."""
    if option.kind is Kind.PATH:
        kind = "file" if option.must_exist or option.key == "log-file" else "dir"
        return [CompletionItem(incomplete, type=kind)]
    words: tuple[str, ...] = option.choices
    if option.kind is Kind.SWITCH:
        words = ("on", "off")
    elif option.key == "profile":
        from tui.config.location import read_config

        words = tuple(read_config().profiles)
    return [CompletionItem(word) for word in words if word.startswith(incomplete)]


SHELLS = ("bash", "zsh", "fish", "powershell")
_HOW = {
    "bash": "fetchtui completion bash > ~/.local/share/bash-completion/completions/"
    "fetchtui",
    "zsh": "fetchtui completion zsh > ~/.zfunc/_fetchtui  (a folder of $fpath)",
    "fish": "fetchtui completion fish > ~/.config/fish/completions/fetchtui.fish",
    "powershell": "fetchtui completion powershell >> $PROFILE",
}


class PowerShell(ShellComplete):
    """PowerShell 5 and later, by ``Register-ArgumentCompleter -Native``.

    The line goes through the environment and not through arguments, whose quoting
    differs between the two lines of PowerShell.
    """

    name: ClassVar[str] = "powershell"
    source_template: ClassVar[str] = """\
Register-ArgumentCompleter -Native -CommandName %(prog_name)s -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $env:%(complete_var)s = "powershell_complete"
    $env:COMP_LINE = $commandAst.CommandElements[1..99] -join "`n"
    $env:COMP_WORD = $wordToComplete
    try {
        %(prog_name)s | ForEach-Object {
            $kind, $value, $text = $_ -split "`t", 3
            if ($kind -ne "plain") {
                Get-ChildItem -Path "$wordToComplete*" -ErrorAction SilentlyContinue |
                    ForEach-Object {
                        $name = Resolve-Path -Relative -LiteralPath $_.FullName
                        if ($name -like "* *") { $name = "'$name'" }
                        [System.Management.Automation.CompletionResult]::new(
                            $name, $_.Name, "ProviderItem", $_.FullName)
                    }
            } else {
                if (-not $text) { $text = $value }
                [System.Management.Automation.CompletionResult]::new(
                    $value, $value, "ParameterValue", $text)
            }
        }
    } finally {
        $env:%(complete_var)s = $null
        $env:COMP_LINE = $null
        $env:COMP_WORD = $null
    }
}
"""

    def get_completion_args(self) -> tuple[list[str], str]:
        """Read the words before the cursor, and the one under it."""
        words = [w for w in os.environ.get("COMP_LINE", "").splitlines() if w]
        incomplete = os.environ.get("COMP_WORD", "")
        if incomplete and words and words[-1] == incomplete:
            words.pop()
        return words, incomplete

    def format_completion(self, item: CompletionItem) -> str:
        """Write one line: kind, value and meaning."""
        return f"{item.type}\t{item.value}\t{item.help or ''}"


add_completion_class(PowerShell)


def answer(command: click.Command, instruction: str) -> int:
    """Write the words that a shell asks for; return the exit status."""
    shell, _, what = instruction.partition("_")
    found = get_completion_class(shell)
    if found is None or what != "complete":
        return 1
    asked = found(command, {}, "fetchtui", COMPLETE)
    arguments, incomplete = asked.get_completion_args()
    if arguments and arguments[0] in SUBCOMMANDS:
        name = arguments.pop(0)
        asked = found(find_subcommand(name), {}, f"fetchtui {name}", COMPLETE)
    items = asked.get_completions(arguments, incomplete)
    for item in items:
        item.help = _first_line(item.help)
    sys.stdout.write("".join(asked.format_completion(i) + "\n" for i in items))
    return 0


def _first_line(text: str | None) -> str | None:
    return re.split(r"[.;:]\s", text, maxsplit=1)[0].rstrip(".") if text else text


def script(shell: str) -> str:
    """Return what a shell has to read once, so that it asks us."""
    found = get_completion_class(shell)
    assert found is not None
    made: Any = found(click.Command("fetchtui"), {}, "fetchtui", COMPLETE)
    # click's own source() asks bash for its version first; the script may be for
    # another machine.
    return f"{(made.source_template % made.source_vars()).strip()}\n"


@click.command(epilog="\b\n" + "\n".join(f"{s:<10} {how}" for s, how in _HOW.items()))
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """Print what a SHELL needs to complete options, their values and files."""
    click.echo(script(shell), nl=False)
