"""What went wrong with a proxy, told apart from what went wrong behind it.

Whoever reads that a server refused the connection looks at the server. So a message
names the proxy, without its login, wherever it was the proxy that failed.
"""

from __future__ import annotations

import re

from tui.core.errors import FetchError, PermanentError, TransientError
from tui.core.text.plain_text import plain

_WANTS_LOGIN = ("407", "authorization required", "authentication")
_STATUS = re.compile(r"([1-5][0-9][0-9])\b")
# RFC 1928 section 6, as hyper-util and socksio put it.
_SOCKS_REPLIES = {
    "general": "it fails",
    "not allowed": "its rules forbid it",
    "network unreachable": "it has no way to that network",
    "host unreachable": "it cannot reach that host",
    "connection refused": "the connection was refused there",
    "ttl expired": "it is too far away",
}


def via(proxy: str) -> str:
    """Name a proxy (``scheme://host:port``) in a message."""
    return f"the proxy {proxy}"


def wants_login(proxy: str, *, has_login: bool) -> FetchError:
    """The proxy asks who we are, or does not believe it (407)."""
    what = "refuses the login" if has_login else "wants a login"
    return PermanentError("proxy_auth", f"{via(proxy)} {what}", status=407)


def of_proxy(error: FetchError) -> FetchError:
    """Return a failure to reach a proxy, of the kind that says so."""
    return type(error)("proxy", str(error))


def no_socks(proxy: str) -> FetchError:
    """What answered is no SOCKS5 proxy."""
    return TransientError("proxy", f"{via(proxy)} does not speak SOCKS5")


def from_refusal(reason: str, place: str, proxy: str) -> FetchError:
    """Translate how a proxy refuses to connect to ``place``.

    Args:
        reason: the library's words, or the status line of the proxy.
        place: ``host:port`` that was asked for.
        proxy: without its login.
    """
    words = reason.lower()
    if any(word in words for word in _WANTS_LOGIN):
        return PermanentError("proxy_auth", f"{via(proxy)} wants a login", status=407)
    if "credentials" in words or "password" in words:
        return PermanentError(
            "proxy_auth", f"{via(proxy)} refuses the login", status=407
        )
    for key, text in _SOCKS_REPLIES.items():
        if key in words:
            return TransientError(
                "proxy", f"{via(proxy)} does not connect to {place}: {text}"
            )
    status = _STATUS.match(words)
    detail = f" (it answered {status[1]})" if status else ""
    return TransientError("proxy", f"{via(proxy)} does not connect to {place}{detail}")


def from_proxy_causes(text: str, place: str, proxy: str) -> FetchError | None:
    """Translate what pyreqwest says of a proxy; ``None`` if it is about something else.

    Args:
        text: its cause chain in lower case, joined by `` | ``.
        place: ``host:port`` that was asked for.
        proxy: without its login.
    """
    last = text.rpartition(" | ")[2]
    if "error resolving for socks proxy" in text:
        return None
    if "socks error" in text:
        if "underlying connection" in last:
            return TransientError("proxy", f"{via(proxy)} does not take the connection")
        if "io error" in last or "parsing" in last:
            return no_socks(proxy)
        return from_refusal(last.partition("error: ")[2], place, proxy)
    if "tunnel error" in last:
        return from_refusal(plain(last.partition("error: ")[2], 100), place, proxy)
    return None


def is_about_proxy(text: str, url: str) -> bool:
    """Whether a failure to connect happened before the proxy was reached.

    Through a tunnel (https) everything after it concerns the server; without one (http)
    the proxy is who we connect to. Names are never resolved here for a server behind a
    proxy, but by ``socks5``.

    Args:
        text: the cause chain in lower case.
        url: what was asked for.
    """
    if "error resolving for socks proxy" in text:
        return False
    if "client error (connect)" not in text:
        return False
    if "underlying connection" in text or "tcp connect error" in text:
        return True
    return url[:5].lower() == "http:" or "dns error" in text
