"""What a shell may offer for the word that is being typed."""

from __future__ import annotations

import glob
from typing import TYPE_CHECKING

from click.shell_completion import CompletionItem

from tui.arguments.subcommands import SUBCOMMANDS
from tui.config.kinds import Kind

if TYPE_CHECKING:
    import click

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
        from tui.config.place import read_config

        words = tuple(read_config().profiles)
    return [CompletionItem(word) for word in words if word.startswith(incomplete)]
