"""``fetchtui help``: the user guide in the terminal."""

from __future__ import annotations

import os
import shutil
import sys
from io import StringIO
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

from tui.docs import TOPICS, read_topic, similar_topics

if TYPE_CHECKING:
    from rich.console import Console

WIDEST = 100
"""Columns; longer lines are hard to read."""


def complete_topic(
    _context: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Return the topics that start with ``incomplete``, for shell completion."""
    return [
        CompletionItem(name, help=about)
        for name, about in TOPICS.items()
        if name.startswith(incomplete)
    ]


@click.command("help")
@click.argument("topic", required=False, shell_complete=complete_topic)
@click.option("--no-pager", is_flag=True, help="Print the topic without a pager.")
@click.pass_context
def help_command(context: click.Context, topic: str | None, no_pager: bool) -> None:
    """Show a topic of the user guide, or list the topics.

    On a terminal, the topic is shown in the program named by PAGER, or else in less.
    Elsewhere it is printed as plain text.
    """
    if topic is None:
        click.echo(list_topics())
        return
    if topic not in TOPICS:
        raise click.UsageError(explain_unknown(topic), context)
    is_terminal = sys.stdout.isatty()
    text = render(topic, is_terminal=is_terminal)
    if is_terminal and not no_pager:
        # Quit at once if the text fits on the screen, and show colors.
        os.environ.setdefault("LESS", "-FR")
        click.echo_via_pager(text, color=True)
    else:
        click.echo(text, nl=False, color=is_terminal)


def list_topics() -> str:
    """Return the list of topics with what each is about."""
    width = max(map(len, TOPICS))
    lines = [f"  {name:<{width}}  {about}" for name, about in TOPICS.items()]
    return "\n".join(
        [
            "Usage: fetchtui help TOPIC",
            "",
            "Topics:",
            *lines,
            "",
            "fetchtui --help lists the options, fetchtui man prints the manual page.",
        ]
    )


def explain_unknown(topic: str) -> str:
    """Return the error for a name that is not a topic."""
    from tui.cli.subcommands import SUBCOMMANDS

    if topic in SUBCOMMANDS:
        return f"{topic!r} is a command; see fetchtui {topic} --help"
    similar = similar_topics(topic)
    if similar:
        names = " or ".join(map(repr, similar))
        return f"unknown topic {topic!r}; did you mean {names}?"
    return f"unknown topic {topic!r}; fetchtui help lists the topics"


def render(topic: str, *, is_terminal: bool) -> str:
    """Return a topic as text, with colors if it goes to a terminal."""
    from rich.markdown import Markdown

    out = StringIO()
    _console(out, is_terminal).print(Markdown(read_topic(topic), hyperlinks=False))
    lines = out.getvalue().splitlines()
    return "".join(f"{line if is_terminal else line.rstrip()}\n" for line in lines)


def _console(out: StringIO, is_terminal: bool) -> Console:
    from rich.console import Console
    from rich.theme import Theme

    return Console(
        # Rich's own style has a black background, which looks odd on a light terminal.
        theme=Theme({"markdown.code": "bold cyan"}),
        file=out,
        width=min(WIDEST, shutil.get_terminal_size().columns),
        force_terminal=is_terminal,
        color_system="auto" if is_terminal else None,
    )
