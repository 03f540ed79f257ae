"""What a session sends with, and which answers it does not take as the last word."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from tui.net.cookie_file import CookieFile
    from tui.net.digest import DigestBook
    from tui.net.logins import Logins
    from tui.net.wires import Wires

REDIRECTS = frozenset({301, 302, 303, 307, 308})
"""Statuses whose Location is followed; all of them by GET, as it began."""


class Senders(NamedTuple):
    """What a session sends with."""

    wires: Wires
    logins: Logins
    digests: DigestBook
    cookies: CookieFile | None
