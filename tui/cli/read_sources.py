"""Read the sources of a command before anything starts; fetch those that are pages."""

from __future__ import annotations

import os
import re
import sys
from difflib import get_close_matches
from typing import TYPE_CHECKING

import click

from tui.cli.subcommands import SUBCOMMANDS
from tui.core.errors import ErrorKind, PermanentError
from tui.core.quick.pattern import late_pattern
from tui.core.rules.exit_status import USAGE_ERROR
from tui.core.text.sanitize import sanitize
from tui.sources.page import PAGE_LIMIT, Page

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tui.cli.options import CommandLine
    from tui.core.request import DownloadRequest
    from tui.core.settings import Settings
    from tui.sources.page import FetchPage

_CHARSET = late_pattern(r"charset\s*=\s*\"?([A-Za-z0-9_.:+-]{1,40})", re.IGNORECASE)


def load_requests(
    line: CommandLine, settings: Settings, *, is_quiet: bool = False
) -> list[DownloadRequest]:
    """Read all sources; print every error and exit if there is one. Blocks.

    Args:
        line: the sources, and how to read them.
        settings: proxies and logins for pages (``settings_for_pages``).
        is_quiet: print errors only.
    """
    from tui.sources.load import load_sources

    _check_command(line.sources)
    notes: list[str] = []
    requests, errors = load_sources(
        line.sources,
        None if sys.stdin is None else sys.stdin.buffer,
        notes,
        links=line.links,
        base_url=line.base_url,
        columns=line.columns,
        fetch_page=_page_fetcher(settings),
    )
    if not is_quiet:
        for note in notes:
            click.echo(f"note: {note}", err=True)
    for error in errors:
        click.echo(f"{error}", err=True)
    if errors:
        sys.exit(USAGE_ERROR)
    return requests


def _check_command(sources: Sequence[str]) -> None:
    """Explain a misspelt subcommand, which would be read as the name of a list.

    Raises:
        UsageError: the first source is one, and no file has this name.
    """
    word = sources[0] if sources else ""
    if not word.isalpha() or os.path.lexists(word):
        return
    close = get_close_matches(word, SUBCOMMANDS, 1, 0.7)
    if close:
        raise click.UsageError(
            f"no command or list {word!r}; did you mean 'fetchtui {close[0]}'?"
        )


def settings_for_pages(sources: Sequence[str]) -> Settings:
    """Return the user's settings, for a command that otherwise needs none.

    Asks for passwords that the settings leave open.
    """
    from tui.cli.load_settings import (
        build_settings,
        load_settings,
        prompt_for_passwords,
    )
    from tui.cli.options import CommandLine

    resolved = load_settings(CommandLine())
    return prompt_for_passwords(build_settings(resolved), sources)


def _page_fetcher(settings: Settings) -> FetchPage:
    """Return a function that fetches a page with the run's proxies and logins."""

    def fetch(url: str) -> Page:
        import asyncio

        return asyncio.run(_fetch(url, settings))

    return fetch


async def _fetch(url: str, settings: Settings) -> Page:
    """Fetch a page; the settings' timeout bounds every wait.

    Raises:
        FetchError: the request failed, or the response is not a page.
    """
    from tui.net.request import GetRequest
    from tui.net.resource import check_is_plain, read_resource_info
    from tui.net.session import HttpSession

    session = HttpSession(settings)
    try:
        target = GetRequest(url, session.headers_for(url, (), is_named=True))
        reply = await session.open(target)
        try:
            answer = read_resource_info(reply, target)
            check_is_plain(answer, reply.url)
            kind = answer.content_type
            if kind.startswith(("image/", "video/", "audio/", "application/zip")):
                raise PermanentError(
                    ErrorKind.HTTP_STATUS, f"expected a page, got {sanitize(kind)}"
                )
            body = bytearray()
            while len(body) <= PAGE_LIMIT:
                chunk = await reply.read()
                if chunk is None:
                    break
                body += chunk
            charset = _CHARSET.search(reply.header("content-type"))
            return Page(
                reply.url, bytes(body[: PAGE_LIMIT + 1]), charset[1] if charset else ""
            )
        finally:
            await reply.close()
    finally:
        await session.close()
