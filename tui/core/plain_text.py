"""Text from servers and lists, made safe to show.

Everything that comes from outside (names, reasons, URLs, header values, errors) is
hostile: an ESC in a file name can retitle a terminal, a right-to-left override can
make ``gpj.exe`` read ``exe.jpg``. This is the one place that disarms it; the
dashboard, the log, the plain face and the JSON face all call it.
"""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import urlsplit, urlunsplit

_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f"  # C0, DEL, C1: cursor movement, colours, titles
    "\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff]"  # lone surrogates cannot be encoded
)
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def plain(text: str, limit: int = 2000) -> str:
    """Return ``text`` as one line without control, bidi or invisible characters.

    Args:
        text: anything from outside.
        limit: characters kept; the rest is cut with an ellipsis.

    Returns:
        The same text where it was harmless; each unsafe character becomes U+FFFD, so
        that its presence stays visible.
    """
    if len(text) > limit:
        text = text[: limit - 1] + "…"
    if text.isascii() and text.isprintable():
        return text
    return _UNSAFE.sub(_REPLACEMENT, unicodedata.normalize("NFC", text))


def plain_url(url: str, limit: int = 2000) -> str:
    """Return ``url`` safe to show: no control characters and no credentials.

    Args:
        url: a URL as the list or the server gave it.
        limit: characters kept.
    """
    head, separator, rest = url.partition("://")
    if separator and "@" in rest.partition("/")[0].partition("?")[0]:
        try:
            parts = urlsplit(url)
            bare = parts.netloc.rpartition("@")[2]
            url = urlunsplit(parts._replace(netloc=bare))
        except ValueError:
            url = f"{head}://{rest.rpartition('@')[2]}"
    return plain(url, limit)
