"""``fetchtui convert``: convert lists to another format without downloading."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from tui.cli.options import CommandLine
from tui.cli.read_sources import load_requests, settings_for_pages
from tui.core.settings import Settings
from tui.core.text.sanitize import sanitize
from tui.disk.state.replace import creating
from tui.sources.writers import ListFormat

if TYPE_CHECKING:
    from collections.abc import Iterator

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
@click.option(
    "-o", "--output", metavar="FILE", help="Write to FILE, which must not exist."
)
@click.option("--links", metavar="PATTERN", help="As for downloads.")
@click.option("--base-url", metavar="URL", help="As for downloads.")
@click.option("--url-column", metavar="NAME", help="As for downloads.")
@click.option("--name-column", metavar="NAME", help="As for downloads.")
@click.option("--checksum-column", metavar="NAME", help="As for downloads.")
def convert(
    sources: tuple[str, ...],
    format: str,
    output: str | None,
    links: str | None,
    base_url: str | None,
    **columns: Any,
) -> None:
    """Convert lists to another format; only pages are downloaded.

    URL patterns are expanded and pasted commands become plain URLs. Duplicates,
    passwords and headers with secrets are left out.
    """
    line = CommandLine(sources, links=links, base_url=base_url, **columns)
    text = _converted(line, ListFormat(format))
    if output is None:
        for piece in text:
            click.echo(piece, nl=False)
        return
    try:
        with creating(output, 0o666) as file:
            file.writelines(text)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        if isinstance(error, FileExistsError):
            name = sanitize(str(output), 200)
            reason = f"{name} already exists; choose another file"
        raise click.BadParameter(reason, param_hint="--output") from None


def _converted(line: CommandLine, format: ListFormat) -> Iterator[str]:
    from tui.sources.writers import entry_of_request, write_list

    settings = Settings()
    if line.links is not None or line.base_url is not None:
        # Pages are fetched with the configured proxies, logins and certificates.
        settings = settings_for_pages(line.sources)
    requests = load_requests(line, settings)
    return write_list(map(entry_of_request, requests), format)
