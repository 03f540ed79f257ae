r"""Parse a URL once, for origins, credentials and messages alike.

Two parsers that disagree about one URL leak credentials (``http://a\@b/`` is host ``a``
to one and host ``b`` to the other). Every URL with anything unusual in it is therefore
parsed here once and written out in a form on which all parsers agree; the transport
gets that form.
"""

from __future__ import annotations

import re
from base64 import b64encode
from urllib.parse import unquote_to_bytes

from tui.core.errors import ErrorKind, PermanentError
from tui.core.quick.named_tuple import NamedTuple
from tui.core.quick.pattern import late_pattern
from tui.core.request import check_url
from tui.core.text.sanitize import display_url, sanitize

_SCHEME = late_pattern(r"[a-z][a-z0-9+.-]*")
# Joined to a base, ``http://`` would silently mean the base's host.
_NO_HOST = late_pattern(r"(?:https?:)?//(?:[/?#:@]|$)", re.IGNORECASE)


class ParsedUrl(NamedTuple):
    """A normalized URL and what was taken out of it."""

    url: str
    """Normalized; without credentials and fragment."""
    origin: tuple[str, str, int]
    """Scheme, host, port (RFC 6454)."""
    authorization: str
    """The ``Authorization`` value for the URL's userinfo, or ""."""


def is_plain(url: str) -> bool:
    """Return True if every parser reads ``url`` alike, so that it can be sent as is."""
    return url.isascii() and "@" not in url and "\\" not in url


def parse_url(url: str, base: str = "") -> ParsedUrl:
    """Parse ``url``, relative to ``base`` if one is given.

    Raises:
        PermanentError: ``unknown_host`` if the URL is invalid; ``bad_redirect`` if it
            is invalid and there is a base.
    """
    # Most URLs are plain and never get here: httpx takes 40 ms to load.
    import httpx

    kind = ErrorKind.BAD_REDIRECT if base else ErrorKind.UNKNOWN_HOST
    try:
        text = _as_in_browsers(url, base) if base else url
        if _NO_HOST.match(text) is not None:
            raise ValueError("the URL has no host")
        parsed = httpx.URL(base).join(text) if base else httpx.URL(url)
        if base and text.endswith("?"):
            # httpx drops an empty query.
            parsed = httpx.URL(f"{str(parsed).partition('?')[0]}?")
        if base and parsed.scheme not in ("http", "https"):
            # httpx writes file:///x as file:/x, which looks like no URL at all.
            raise ValueError(f"unsupported scheme {parsed.scheme[:20]!r}")
        check_url(str(parsed))
        host = parsed.raw_host.decode("ascii")
    # idna raises UnicodeError, and httpx has bugs that raise KeyError and others on odd
    # input: any exception here means that the URL is invalid.
    except Exception as error:
        reason = sanitize(str(error), 200)
        if isinstance(error, httpx.InvalidURL):
            # It quotes a part of the URL, which may be a password.
            reason = reason.partition("'")[0].rstrip(": ")
        shown = display_url(url, 200)
        lead = f"{host_port(base)} redirects to " if base else ""
        raise PermanentError(kind, f"{lead}{shown}: {reason}") from None
    authorization = ""
    if parsed.userinfo:
        user, _, password = parsed.userinfo.partition(b":")
        pair = unquote_to_bytes(user) + b":" + unquote_to_bytes(password)
        authorization = "Basic " + b64encode(pair).decode("ascii")
    scheme = parsed.scheme
    port = parsed.port or (443 if scheme == "https" else 80)
    stripped = parsed.copy_with(userinfo=b"", fragment=None)
    text, mark, query = str(stripped).partition("?")
    # The only character that httpx leaves alone and other parsers encode (WHATWG URL,
    # section 1.3).
    query = query.replace("'", "%27")
    return ParsedUrl(text + mark + query, (scheme, host, port), authorization)


def _as_in_browsers(location: str, base: str) -> str:
    r"""Write a relative URL so that httpx reads it as browsers do (WHATWG URL).

    Backslashes are slashes, except in a query; ``http:`` without slashes is relative
    if the base has that scheme, and otherwise begins a host; ``:a`` is a path.
    """
    path, mark, query = location.partition("#")[0].partition("?")
    path = path.replace("\\", "/")
    scheme, colon, rest = path.partition(":")
    scheme = scheme.lower()
    if colon and scheme in ("http", "https") and not rest.startswith("//"):
        is_relative = base.startswith(f"{scheme}:")
        path = rest if is_relative else f"{scheme}://{rest.lstrip('/')}"
    elif colon and "/" not in scheme and _SCHEME.fullmatch(scheme) is None:
        path = f"./{path}"
    return path + mark + query


def host_port(url: str) -> str:
    """Return ``host:port`` of any string, valid URL or not, sanitized for messages."""
    scheme, _, rest = url.partition("://")
    authority = rest.partition("/")[0].partition("?")[0].partition("#")[0]
    host = authority.rpartition("@")[2].lower()
    if not host.rpartition(":")[2].isdecimal():
        host = host.rstrip(":") + (":443" if scheme.lower() == "https" else ":80")
    return sanitize(host, 100)
