"""What a session sends with, and which answers it does not take as the last word."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from tui.net.auth.cookies import CookieFile
    from tui.net.auth.credentials import Credentials
    from tui.net.auth.digest import DigestAuthCache
    from tui.net.transports.selector import TransportSelector

REDIRECTS = frozenset({301, 302, 303, 307, 308})
"""Statuses whose Location is followed; all of them by GET, as it began."""


class Senders(NamedTuple):
    """What a session sends with."""

    wires: TransportSelector
    logins: Credentials
    digests: DigestAuthCache
    cookies: CookieFile | None
