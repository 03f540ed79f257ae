"""A page from the web whose links are a list; somebody else brings it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

PAGE_LIMIT = 16 << 20
"""Bytes of a page; a folder of 100,000 files listed by a server takes about 10 MiB."""


class Page(NamedTuple):
    """What came for a URL."""

    url: str
    """Where it came from in the end, after redirects: relative links start there."""
    body: bytes
    """At most ``PAGE_LIMIT`` + 1 bytes: the one more tells that it goes on."""
    charset: str = ""
    """What ``Content-Type`` says, or "" if it says nothing."""


FetchPage = Callable[[str], Page]
"""Brings the page of a URL; blocks. It raises ``core.errors.FetchError`` or OSError
with a message that may be shown."""
