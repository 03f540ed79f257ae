"""Which headers of a list or a user may go out with a request."""

from __future__ import annotations

import re

from tui.core.errors import PermanentError
from tui.core.text.plain_text import plain
from tui.net.url import where

# These are ours to set: another value would change framing, range or encoding behind
# the back of those who check the answer.
_RESERVED = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-length",
        "expect",
        "if-range",
        "keep-alive",
        "proxy-connection",
        "range",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_NO_CONTROLS = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f]*")


def sendable(headers: tuple[tuple[str, str], ...], url: str) -> list[tuple[str, str]]:
    """Return the headers that may go out with a request.

    Raises:
        PermanentError: ``bad_header`` for a name or a value that would break the
            request apart (RFC 9110 section 5.5); the value is not told.
    """
    for name, value in headers:
        if _TOKEN.fullmatch(name) is None or _NO_CONTROLS.fullmatch(value) is None:
            raise PermanentError(
                "bad_header", f"{where(url)}: header {plain(name, 50)!r} cannot be sent"
            )
    return [(k, v) for k, v in headers if k.lower() not in _RESERVED]
