"""The web page whose links are read as a list, as the caller fetches it."""

from __future__ import annotations

from collections.abc import Callable

from tui.core.quick.named_tuple import NamedTuple

PAGE_LIMIT = 16 << 20
"""Maximum bytes; a server's index of 100,000 files takes about 10 MiB."""


class Page(NamedTuple):
    """A fetched page."""

    url: str
    """The final URL after redirects, the base of relative links."""
    body: bytes
    """At most ``PAGE_LIMIT`` + 1 bytes; the extra one marks an oversized page."""
    charset: str = ""
    """The charset in ``Content-Type``, or "" if it has none."""


FetchPage = Callable[[str], Page]
"""Fetches the page at a URL; blocks. Raises ``core.errors.FetchError`` or ``OSError``
with a message that is safe to display."""
