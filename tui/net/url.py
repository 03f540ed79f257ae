r"""Where a URL leads: one reading of it for origins, credentials and messages.

Two parsers that read one URL differently are how credentials leak
(``http://a\@b/`` is host ``a`` to one and host ``b`` to the other). Every URL that
holds anything unusual is therefore read here once and written out again in a form on
which all parsers agree; the wire gets that form.
"""

from __future__ import annotations

import re
from base64 import b64encode
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from tui.core.errors import PermanentError
from tui.core.request import check_url
from tui.core.text.plain_text import plain

_USERINFO = re.compile(r"//[^/?#]*@")
# Joined to a base, ``http://`` would silently mean the base's host.
_NO_HOST = re.compile(r"(?:https?:)?//(?:[/?#:@]|$)", re.IGNORECASE)


class Address(NamedTuple):
    """A URL, read."""

    url: str
    """Normalised; without credentials and fragment."""
    origin: tuple[str, str, int]
    """Scheme, host, port (RFC 6454)."""
    authorization: str
    """The ``Authorization`` value that the URL's userinfo stands for, or ""."""


def is_plain(url: str) -> bool:
    """Whether every parser reads ``url`` alike, so that it may go as it stands."""
    return url.isascii() and "@" not in url and "\\" not in url


def read_address(url: str, base: str = "") -> Address:
    """Read ``url``, relative to ``base`` if one is given.

    Raises:
        PermanentError: ``unknown_host`` for a URL that leads nowhere; with a base,
            ``bad_redirect``.
    """
    # Most URLs are plain and never come here: httpx takes 40 ms to load.
    import httpx

    kind = "bad_redirect" if base else "unknown_host"
    try:
        if _NO_HOST.match(url) is not None:
            raise ValueError("the URL has no host")
        parsed = httpx.URL(base).join(url) if base else httpx.URL(url)
        check_url(str(parsed))
        host = parsed.raw_host.decode("ascii")
    # idna raises UnicodeError and httpx has bugs that raise KeyError and the like on
    # odd input: whatever goes wrong in reading a URL means the same.
    except Exception as error:
        reason = plain(str(error), 200)
        shown = plain(_USERINFO.sub("//", url), 200)
        raise PermanentError(kind, f"{_lead(base)}{shown}: {reason}") from None
    authorization = ""
    if parsed.userinfo:
        user, _, password = parsed.userinfo.partition(b":")
        pair = unquote_to_bytes(user) + b":" + unquote_to_bytes(password)
        authorization = "Basic " + b64encode(pair).decode("ascii")
    scheme = parsed.scheme
    port = parsed.port or (443 if scheme == "https" else 80)
    bare = parsed.copy_with(userinfo=b"", fragment=None)
    text, mark, query = str(bare).partition("?")
    # The one character that httpx leaves and other parsers (WHATWG URL, 1.3) encode.
    query = query.replace("'", "%27")
    return Address(text + mark + query, (scheme, host, port), authorization)


def where(url: str) -> str:
    """Return ``host:port`` for messages, safe to show, whatever the URL is."""
    scheme, _, rest = url.partition("://")
    authority = rest.partition("/")[0].partition("?")[0].partition("#")[0]
    host = authority.rpartition("@")[2].lower()
    if not host.rpartition(":")[2].isdecimal():
        host = host.rstrip(":") + (":443" if scheme.lower() == "https" else ":80")
    return plain(host, 100)


def _lead(base: str) -> str:
    return f"{where(base)} redirects to " if base else ""
