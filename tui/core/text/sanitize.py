"""Sanitize text from servers and lists for display.

Text from outside (names, reasons, URLs, header values, errors) may be hostile: an ESC
in a file name can change the title of a terminal, and a right-to-left override can make
``gpj.exe`` read ``exe.jpg``. The dashboard, the log and all renderers sanitize it here.
"""

from __future__ import annotations

import re
import unicodedata

from tui.core.quick.pattern import late_pattern
from tui.core.text.joiners import (
    JOINERS,
    has_joiner,
    is_needed,
    without_needed_joiners,
)

_UNSAFE = late_pattern(
    "[\x00-\x1f\x7f-\x9f"  # C0, DEL, C1: cursor movement, colours, titles
    "\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069"  # lines and directions
    "\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200d\u2060-\u2065"
    "\u206a-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb"  # drawn as nothing
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
    "\ud800-\udfff]"  # lone surrogates cannot be encoded
)
_USERINFO = late_pattern(r"(?<=://)[^/?#]*@")
_LEADING_USERINFO = late_pattern(r"\A[^/?#]*@")
_HOST_AND_PORT = late_pattern(r"(\[[0-9A-Fa-f:.]*\]|[^/?#:]*)(:[0-9]*)?(?=[/?#]|\Z)")
_ADDRESS = late_pattern(r"\[.*\]|[0-9]{1,3}(?:\.[0-9]{1,3}){3}")
_MAIL = late_pattern(r"(?<=[?&])[A-Za-z][\w.-]*=[^=&@/]+@")
# Possessive quantifiers: text from servers and pages gets here, and 2,000 characters of
# a crafted URL would otherwise take a second.
_PARAMETER = late_pattern(r"([?&;])([^=?&;\s]++)=([^&\s<>;]++)")
_FRAGMENT = late_pattern(r"(#)([^=?&;#\s]++)=([^&\s<>;]++)")
"""The first parameter of a fragment, such as ``#access_token=...`` after a login."""
_SECRET = late_pattern(
    r"token|secret|signature|password|passwd|credential|api_?key|access_?key"
    r"|auth(?!ors?\b)|\bsig|\bkey|\bpw|\bpass\b|passphrase|\bjwt\b",
    re.IGNORECASE,
)
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def sanitize(text: str, limit: int = 2000, *, keep_joiners: bool = False) -> str:
    """Return ``text`` as one line without control, bidi or invisible characters.

    Args:
        text: anything from outside.
        limit: maximum number of characters; an ellipsis replaces the rest.
        keep_joiners: keep joiners that a script or an emoji needs, in a path that a
            program opens for example. They are left out otherwise, because terminals
            do not agree how wide an emoji of several is.

    Returns:
        The same text if it is harmless. Each unsafe character becomes U+FFFD, so that
        it stays visible.
    """
    if len(text) > limit:
        text = text[: limit - 1] + "…"
    if text.isascii() and text.isprintable():
        return text
    if not has_joiner(text):
        return _UNSAFE.sub(_REPLACEMENT, unicodedata.normalize("NFC", text))
    if not keep_joiners:
        text = without_needed_joiners(text)
    return _UNSAFE.sub(_replaced, unicodedata.normalize("NFC", text))


def _replaced(found: re.Match[str]) -> str:
    is_kept = found[0] in JOINERS and is_needed(found.string, found.start())
    return found[0] if is_kept else _REPLACEMENT


def sanitize_url(url: str, limit: int | None = None) -> str:
    """Return ``url`` safe to show: no control characters and no credentials.

    Args:
        url: a URL from a list or a server.
        limit: maximum number of characters. By default the URL stays complete and is
            not normalized: what reads it requests it, and half a URL is another one.
    """
    if "@" in url:
        url = _without_credentials(url)
    if limit is not None:
        return sanitize(url, limit)
    is_plain = url.isascii() and url.isprintable()
    return url if is_plain else _UNSAFE.sub(_REPLACEMENT, url)


def display_url(url: str, limit: int = 2000) -> str:
    """Return ``url`` for people: like ``sanitize_url``, and with secrets masked.

    What programs read, and what is copied, needs ``sanitize_url``: a signed URL is
    useless without its signature.

    Args:
        url: a URL from a list or a server.
        limit: maximum number of characters.
    """
    return sanitize_url(mask_parameters(url), limit)


def mask_parameters(text: str) -> str:
    """Mask secrets in URL parameters: ``?token=...`` becomes ``?token=***``.

    Users paste terminals and logs into bug reports.
    """
    if "=" not in text:
        return text
    text = _PARAMETER.sub(_masked, text)
    return _FRAGMENT.sub(_masked, text) if "#" in text else text


def _masked(parameter: re.Match[str]) -> str:
    sign, name, _ = parameter.groups()
    return f"{sign}{name}=***" if _SECRET.search(name) else parameter[0]


def _without_credentials(text: str) -> str:
    """Remove what is or could be user and password from a URL, however malformed."""
    head, separator, rest = text.partition("://")
    if not separator or ":" in head:
        before, _, after = text.rpartition("@")
        # "user:pass@host", "//user@host", "http:/user:pass@host": not a file name.
        return f"…@{after}" if ":" in before or before.startswith("//") else text
    head = head.rpartition("@")[2]
    rest = _LEADING_USERINFO.sub("", rest)
    if "@" in rest and not _is_authority(rest):
        # "user:pass/word@host": the slash ends the host early, and the rest of the
        # password looks like a path.
        rest = rest.rpartition("@")[2]
    return _USERINFO.sub("", head + separator + rest)


def _is_authority(rest: str) -> bool:
    """Return True if ``rest``, which contains an "@" behind its host, starts with one.

    "user.name:1/pass@host" looks like a host with a port. It counts as one if the host
    is an address or ``localhost``, or if the "@" starts the path, as in "/@scope/name",
    or is in the value of a query behind a path, as in "/?mail=me@host".
    """
    match = _HOST_AND_PORT.match(rest)
    if match is None:
        return False
    host, port = match.groups(default="")
    if not port or host == "localhost" or _ADDRESS.fullmatch(host):
        return True
    path, mark, query = rest[match.end() :].partition("?")
    if "." in host and path:
        query = _MAIL.sub("", mark + query)
    if "@" in query:
        return False
    return not path.rpartition("@")[0].strip("/")
