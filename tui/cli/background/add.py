"""``fetchtui add``: add downloads to a background process."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from tui.background.requests import SLICE, encode_request
from tui.cli.background.connection import (
    echo_json,
    json_option,
    name_option,
    run,
)
from tui.core.rules.exit_status import USAGE_ERROR
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

    async def work(connection: Connection) -> int:
        first = -1
        for at in range(0, len(requests), SLICE):
            records = [encode_request(request) for request in requests[at : at + SLICE]]
            answer = await connection.request(
                "call", name="add", args={"requests": records}
            )
            first = answer["first"] if first < 0 else first
        return first

    first, count = run(name, work), len(requests)
    if is_json:
        echo_json({"first": first, "count": count})
        return
    ids = f"id {first}" if count == 1 else f"ids {first}-{first + count - 1}"
    click.echo(f"Added {plural(count)} ({ids}).")


def _load(
    sources: tuple[str, ...], links: str | None, base_url: str | None
) -> list[DownloadRequest]:
    """Read all sources; print every error and exit before anything is added."""
    from tui.cli.fetch_page import page_fetcher
    from tui.cli.load_settings import (
        build_settings,
        load_settings,
        prompt_for_passwords,
    )
    from tui.cli.options import CommandLine
    from tui.core.settings import Settings
    from tui.sources.load import load_sources

    settings = Settings()
    if links is not None:
        # Pages are fetched here, with the proxies, logins and certificates set here.
        resolved = load_settings(CommandLine())
        settings = prompt_for_passwords(build_settings(resolved), sources)
    notes: list[str] = []
    requests, errors = load_sources(
        sources,
        None if sys.stdin is None else sys.stdin.buffer,
        notes,
        links=links,
        base_url=base_url,
        fetch_page=page_fetcher(settings),
    )
    for line in (*(f"note: {note}" for note in notes), *errors):
        click.echo(f"{line}", err=True)
    if errors:
        sys.exit(USAGE_ERROR)
    return requests
