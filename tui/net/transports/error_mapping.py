"""Map the exceptions of the HTTP libraries to ``FetchError``.

The only place that does. Messages say what happened and where (``host:port``); they
never name the library or the URL, and never repeat the server's words unescaped. What
may succeed next time is transient: timeouts, resets, incomplete bodies. What would fail
again is permanent: an unknown host, an untrusted certificate, a response that is not
HTTP.
"""

from __future__ import annotations

import socket
import ssl
from typing import TYPE_CHECKING

from tui.core.errors import ErrorKind, FetchError, PermanentError
from tui.core.quick.pattern import late_pattern
from tui.core.text.sanitize import sanitize
from tui.net.errors import (
    UNKNOWN_NAMES,
    cannot_bind,
    connect_timeout,
    connection_lost,
    from_errno,
    headers_too_large,
    incomplete_body,
    invalid_chunk,
    invalid_http,
    no_http1,
    no_matching_address,
    no_response,
    not_socks,
    not_tls,
    proxy_auth,
    proxy_cannot_connect,
    proxy_failure,
    proxy_name,
    proxy_refusal,
    stalled,
    unresolved,
)
from tui.net.transports.sockets import CannotBind, NoMatchingAddress
from tui.net.url import host_port

if TYPE_CHECKING:
    from collections.abc import Iterator

_ERRNO = late_pattern(r"\[Errno (\d+)\]")
_NOT_SIGNED = "its certificate is not signed by a trusted authority"
_OTHER_HOST = "its certificate is for another host"
# By X509_V_ERR_* number of OpenSSL.
_CERTIFICATE_REASONS = {
    9: "its certificate is not valid yet",
    10: "its certificate has expired",
    18: _NOT_SIGNED,
    19: _NOT_SIGNED,
    20: _NOT_SIGNED,
    21: _NOT_SIGNED,
    23: "its certificate was revoked",
    62: _OTHER_HOST,
    64: _OTHER_HOST,
}
# Alerts of the server (RFC 8446 section 6.2), which can only mean our certificate.
_REJECTED_CERTIFICATE = frozenset(
    {
        "SSLV3_ALERT_BAD_CERTIFICATE",
        "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE",
        "SSLV3_ALERT_CERTIFICATE_REVOKED",
        "SSLV3_ALERT_CERTIFICATE_EXPIRED",
        "SSLV3_ALERT_CERTIFICATE_UNKNOWN",
        "TLSV1_ALERT_UNKNOWN_CA",
        "TLSV1_ALERT_ACCESS_DENIED",
    }
)
_SOCKS_AUTH = "authentication"
_STATUS = late_pattern(r"([1-5][0-9][0-9])\b")
# RFC 1928 section 6, as socksio words it.
_SOCKS_REPLIES = {
    "general": "general failure",
    "not allowed": "its rules forbid it",
    "network unreachable": "network unreachable",
    "host unreachable": "host unreachable",
    "connection refused": "connection refused",
    "ttl expired": "too many hops",
}


# -- sockets and TLS -------------------------------------------------------------------


def from_socket_error(
    error: Exception, server: str, *, is_connecting: bool
) -> FetchError:
    """Map an exception of a socket, of OpenSSL, or of ``transports.sockets``.

    Args:
        error: the exception.
        server: ``host:port``, or the name of a proxy.
        is_connecting: whether the connection was still being established.
    """
    if isinstance(error, NoMatchingAddress):
        return no_matching_address(server)
    if isinstance(error, CannotBind):
        return cannot_bind(server, str(error))
    # Before OSError, the base class of the next two. A name that cannot be encoded is
    # unknown.
    if isinstance(error, ssl.SSLError):
        return from_openssl(server, error)
    if isinstance(error, socket.gaierror | UnicodeError):
        number = error.errno if isinstance(error, OSError) else None
        return unresolved(server, number is None or number in UNKNOWN_NAMES)
    if isinstance(error, OSError) and error.errno is not None:
        return from_errno(server, error.errno, is_connecting)
    if isinstance(error, TimeoutError):
        return connect_timeout(server)
    # If addresses failed in different ways, aiohappyeyeballs joins their messages; the
    # first address counts.
    if is_connecting and (found := _ERRNO.search(str(error))) is not None:
        return from_errno(server, int(found[1]), is_connecting)
    return connection_lost(server)


def from_openssl(server: str, error: ssl.SSLError) -> FetchError:
    """Map an error of OpenSSL."""
    if isinstance(error, ssl.SSLCertVerificationError):
        reason = _CERTIFICATE_REASONS.get(
            error.verify_code, "its certificate was rejected"
        )
        return PermanentError(ErrorKind.TLS, f"{server} is not trusted: {reason}")
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return connection_lost(server)
    if error.reason == "TLSV13_ALERT_CERTIFICATE_REQUIRED":
        return PermanentError(
            ErrorKind.CLIENT_CERT, f"{server} requires a client certificate"
        )
    if error.reason in _REJECTED_CERTIFICATE:
        reason = error.reason.partition("_ALERT_")[2].replace("_", " ").lower()
        return PermanentError(
            ErrorKind.CLIENT_CERT,
            f"{server} rejected the client certificate ({reason})",
        )
    if error.reason in ("WRONG_VERSION_NUMBER", "UNKNOWN_PROTOCOL", "HTTP_REQUEST"):
        return not_tls(server)
    # Python has no name for newer alerts: "[SSL] tlsv1 alert ... (_ssl.c:1006)".
    text = error.reason or str(error).partition("] ")[2].partition(" (_ssl")[0]
    reason = sanitize(text.replace("_", " ").lower(), 100)
    if reason.endswith("no application protocol"):
        return no_http1(server)
    return PermanentError(ErrorKind.TLS, f"TLS with {server} failed: {reason}")


# -- httpx -----------------------------------------------------------------------------


def from_httpx(error: Exception, url: str, proxy: str = "") -> FetchError:
    """Map an exception of httpx or of the libraries under it.

    Args:
        error: the exception.
        url: the requested URL.
        proxy: the proxy in use, without its credentials; "" if there is none.
    """
    import httpx

    if proxy:
        if isinstance(error, httpx.ProxyError):
            return _from_refusal(str(error), host_port(url), proxy)
        if isinstance(error, httpx.ConnectTimeout) or (
            isinstance(error, httpx.ConnectError) and not _is_tls_inside(error, url)
        ):
            return proxy_failure(_from_library(error, proxy_name(proxy)))
        if proxy.startswith("socks") and not isinstance(error, httpx.HTTPError):
            # socksio's own errors, and an assertion that fails if the peer answers with
            # something else.
            return not_socks(proxy)
    return _from_library(error, host_port(url))


def _is_tls_inside(error: Exception, url: str) -> bool:
    """Return True if the TLS handshake with the server behind a tunnel failed."""
    return url[:6].lower() == "https:" and any(
        isinstance(cause, ssl.SSLError) for cause in _chain(error)
    )


def _from_refusal(reason: str, server: str, proxy: str) -> FetchError:
    """Map the way in which a proxy refuses to connect to a server.

    Args:
        reason: the library's words, or the status line of the proxy.
        server: ``host:port`` that was requested.
        proxy: without its credentials.
    """
    if status := _STATUS.match(reason):
        # What follows is worded by the proxy.
        return proxy_refusal(proxy, server, int(status[1]), has_credentials=False)
    words = reason.lower()
    if _SOCKS_AUTH in words:
        return proxy_auth(proxy, has_credentials=False)
    if "credentials" in words or "password" in words:
        return proxy_auth(proxy, has_credentials=True)
    for key, text in _SOCKS_REPLIES.items():
        if key in words:
            return proxy_cannot_connect(proxy, server, f": {text}")
    return proxy_cannot_connect(proxy, server, "")


def _from_library(error: Exception, server: str) -> FetchError:
    import httpx

    if isinstance(error, httpx.ConnectTimeout | httpx.PoolTimeout):
        return connect_timeout(server)
    if isinstance(error, httpx.TimeoutException):
        return stalled(server)
    if isinstance(error, httpx.LocalProtocolError):
        return PermanentError(
            ErrorKind.BAD_HEADER, f"{server}: a request header is invalid"
        )
    # The UnicodeError is idna's.
    if isinstance(error, httpx.InvalidURL | httpx.UnsupportedProtocol | UnicodeError):
        return PermanentError(ErrorKind.UNKNOWN_HOST, f"{server}: the URL is invalid")
    if isinstance(error, httpx.RemoteProtocolError):
        return _from_protocol(server, str(error))
    is_connecting = isinstance(error, httpx.ConnectError)
    for cause in _chain(error):
        if isinstance(cause, ssl.SSLError):
            return from_openssl(server, cause)
        if isinstance(cause, socket.gaierror):
            return unresolved(server, cause.errno in UNKNOWN_NAMES)
        if isinstance(cause, NoMatchingAddress | CannotBind) or (
            isinstance(cause, OSError) and cause.errno is not None
        ):
            return from_socket_error(cause, server, is_connecting=is_connecting)
    return connection_lost(server)


def _from_protocol(server: str, text: str) -> FetchError:
    # The library's text quotes the server after the colon.
    text = text.partition(":")[0]
    if "without sending complete message body" in text:
        return incomplete_body(server)
    # HTTP/2.
    if text.startswith(("<StreamReset", "<ConnectionTerminated")):
        return incomplete_body(server)
    if "without sending a response" in text:
        return no_response(server)
    if "Receive buffer too long" in text:
        return headers_too_large(server)
    if "chunk" in text and "Transfer-Encoding" not in text:
        return invalid_chunk(server)
    if "Transfer-Encoding" in text:
        return PermanentError(
            ErrorKind.ENCODING, f"{server} used an unsupported transfer coding"
        )
    return invalid_http(server, sanitize(text, 100))


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception and its causes, inside groups too: the library hides them."""
    pending: list[BaseException | None] = [error]
    seen: set[int] = set()
    while pending:
        cause = pending.pop()
        if cause is None or id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        pending += [cause.__context__, cause.__cause__]
        if isinstance(cause, BaseExceptionGroup):
            pending += cause.exceptions
