"""``fetchtui add``: add downloads to a background process."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from tui.background.requests import encoded_calls
from tui.cli.background.connection import (
    NoProcess,
    echo_json,
    json_option,
    name_option,
    name_words,
    run,
    unsaved_text,
)
from tui.core.text.units import plural

if TYPE_CHECKING:
    from tui.background.client import Connection
    from tui.core.request import DownloadRequest


@click.command(no_args_is_help=True)
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...")
@click.option("--links", metavar="PATTERN", help="As for downloads.")
@click.option("--base-url", metavar="URL", help="As for downloads.")
@json_option
@name_option
def add(
    sources: tuple[str, ...],
    links: str | None,
    base_url: str | None,
    is_json: bool,
    name: str,
) -> None:
    """Add downloads to a background process.

    SOURCE is a URL, a list file, or - for standard input. A list with mistakes adds
    nothing. Output directory, limits and credentials are those of the process.
    """
    requests = _load(sources, links, base_url)
    added = 0

    async def work(connection: Connection) -> tuple[int, str]:
        nonlocal added
        first = -1
        for records in encoded_calls(requests):
            answer = await connection.request(
                "call", name="add", args={"requests": records}
            )
            first = answer["first"] if first < 0 else first
            added += answer["count"]
        status = await connection.request("status")
        return first, str(status["unsaved"])

    count = len(requests)
    try:
        first, unsaved = run(name, work)
    except NoProcess as error:
        if not added:
            raise
        raise NoProcess(
            f"{error.message}; {added:,} of {plural(count)} were added before:"
            f" fetchtui -b{name_words(name)} LIST adds the others"
        ) from None
    if unsaved:
        click.echo(f"fetchtui: warning: {unsaved_text(unsaved)}", err=True)
    if is_json:
        echo_json({"first": first, "count": count})
        return
    ids = f"id {first}" if count == 1 else f"ids {first}-{first + count - 1}"
    click.echo(f"Added {plural(count)} ({ids}).")


def _load(
    sources: tuple[str, ...], links: str | None, base_url: str | None
) -> list[DownloadRequest]:
    """Read all sources; print every error and exit before anything is added."""
    from tui.cli.options import CommandLine
    from tui.cli.read_sources import load_requests, settings_for_pages
    from tui.core.settings import Settings

    # Pages are fetched here, with the proxies, logins and certificates set here.
    settings = Settings() if links is None else settings_for_pages(sources)
    line = CommandLine(sources, links=links, base_url=base_url)
    return load_requests(line, settings)
