"""``fetchtui convert``: write lists anew in another format, and fetch nothing."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from tui.cli.command_line import CommandLine
from tui.cli.fetch_page import page_fetcher
from tui.cli.load_settings import ask_secrets, settings_of, settle
from tui.core.settings import Settings
from tui.sources.writers import ListFormat

if TYPE_CHECKING:
    from collections.abc import Iterator

BAD = 2
_FORMATS = [format.value for format in ListFormat]


@click.command(no_args_is_help=True)
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...")
@click.option(
    "-t",
    "--to",
    "format",
    type=click.Choice(_FORMATS),
    default=ListFormat.ARIA2.value,
    show_default=True,
    help="Format to write.",
)
@click.option("-o", "--output", metavar="FILE", help="Write there; never over a file.")
@click.option("--links", metavar="PATTERN", help="As for a download.")
@click.option("--base-url", metavar="URL", help="As for a download.")
def convert(
    sources: tuple[str, ...],
    format: str,
    output: str | None,
    links: str | None,
    base_url: str | None,
) -> None:
    """Rewrite lists in another format; nothing is fetched but pages.

    Patterns and commands become plain URLs, what is there twice is left out, and so
    are passwords and headers that hold secrets.
    """
    text = _converted(sources, ListFormat(format), links, base_url)
    if output is None:
        for piece in text:
            click.echo(piece, nl=False)
        return
    try:
        # As it is: a table has line ends of its own.
        with open(output, "x", encoding="utf-8", newline="") as file:
            file.writelines(text)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise click.BadParameter(reason, param_hint="--output") from None


def _converted(
    sources: tuple[str, ...],
    format: ListFormat,
    links: str | None,
    base_url: str | None,
) -> Iterator[str]:
    from tui.sources.load import load_sources
    from tui.sources.writers import entry_of_request, write_list

    settings = Settings()
    if links is not None or base_url is not None:
        # Pages come by the proxies, logins and certificates of every run.
        settings = ask_secrets(settings_of(settle(CommandLine())), sources)
    notes: list[str] = []
    requests, complaints = load_sources(
        sources,
        None if sys.stdin is None else sys.stdin.buffer,
        notes,
        links=links,
        base_url=base_url,
        fetch_page=page_fetcher(settings),
    )
    for line in (*(f"note: {note}" for note in notes), *complaints):
        click.echo(f"{line}", err=True)
    if complaints:
        sys.exit(BAD)
    return write_list(map(entry_of_request, requests), format)
