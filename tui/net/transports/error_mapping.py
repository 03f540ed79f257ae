"""Map the exceptions of the HTTP libraries to ``FetchError``.

The only place that does. Messages say what happened and where (``host:port``); they
never name the library or the URL, and never repeat the server's words unescaped. What
may succeed next time is transient: timeouts, resets, incomplete bodies. What would fail
again is permanent: an unknown host, an untrusted certificate, a response that is not
HTTP.
"""

from __future__ import annotations

import errno
import re
import socket
import ssl
from typing import TYPE_CHECKING

from tui.core.errors import ErrorKind, FetchError, PermanentError
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
    proxy_unreachable,
    stalled,
    unresolved,
)
from tui.net.transports.sockets import CannotBind, NoMatchingAddress
from tui.net.url import host_port

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_ERRNO = re.compile(r"\[Errno (\d+)\]")
_OS_ERROR = re.compile(r"\(os error (\d+)\)")
# glibc, macOS and musl, in this order.
_NO_SUCH_NAME = (
    "name or service not known",
    "no address associated",
    "nodename nor servname",
    "name does not resolve",
)
# OpenSSL's X509_V_ERR_* numbers, in the words that rustls uses.
_CERTIFICATE_CODES = {
    9: "not valid before",
    10: "expired",
    18: "unknownissuer",
    19: "unknownissuer",
    20: "unknownissuer",
    21: "unknownissuer",
    23: "revoked",
    62: "not valid for name",
    64: "not valid for name",
}
_CERTIFICATE_REASONS = {
    "unknownissuer": "its certificate is not signed by a trusted authority",
    "not valid before": "its certificate is not valid yet",
    "notvalidyet": "its certificate is not valid yet",
    "expired": "its certificate has expired",
    "revoked": "its certificate was revoked",
    "not valid for name": "its certificate is for another host",
    "causedasendentity": "its certificate is a CA certificate, not a server's",
}
_PROXY_AUTH = ("407", "authorization required", "authentication")
_STATUS = re.compile(r"([1-5][0-9][0-9])\b")
# RFC 1928 section 6, as hyper-util and socksio word it.
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


# -- pyreqwest -------------------------------------------------------------------------


def from_pyreqwest(
    causes: Sequence[str], is_timeout: bool, url: str, proxy: str = ""
) -> FetchError:
    """Map an error of pyreqwest.

    Args:
        causes: the messages of its cause chain, outermost first.
        is_timeout: whether its class says that a time limit of the client expired.
        url: the requested URL.
        proxy: the proxy in use, without its credentials; "" if there is none.
    """
    server = host_port(url)
    # The outermost message quotes the URL, which could contain any of the words below.
    causes = [c for c in causes if "for url (" not in c] or ["connection broke"]
    text = " | ".join(causes).lower()
    if proxy:
        error = _from_proxy_causes(text, server, proxy)
        if error is not None:
            return error
        if is_timeout or _is_about_proxy(text, url):
            return proxy_failure(
                _from_causes(causes, text, is_timeout, proxy_name(proxy))
            )
    return _from_causes(causes, text, is_timeout, server)


def _from_causes(
    causes: Sequence[str], text: str, is_timeout: bool, server: str
) -> FetchError:
    if is_timeout:
        return connect_timeout(server)
    if "dns error" in text or "error resolving" in text:
        return unresolved(server, any(words in text for words in _NO_SUCH_NAME))
    if "invalid peer certificate" in text:
        return _untrusted(server, causes[-1].partition("certificate: ")[2])
    if "tcp bind" in text:
        return _cannot_bind(server, _OS_ERROR.search(causes[-1]))
    if causes[-1].lower() == "network unreachable":
        return no_matching_address(server)
    if "client error (sendrequest)" in text and "close_notify" in text:
        return no_response(server)
    number = _OS_ERROR.search(causes[-1])
    if number is not None:
        return from_errno(server, int(number[1]), "client error (connect)" in text)
    return _from_last_cause(
        server, causes[-1].lower(), "client error (connect)" in text
    )


def _from_last_cause(server: str, last: str, is_connecting: bool) -> FetchError:
    if "close_notify" in last or "end of file" in last or "unexpected eof" in last:
        # A TLS handshake that ends early is a lost connection, not a short body.
        return connection_lost(server) if is_connecting else incomplete_body(server)
    if "handshake eof" in last or "closed before message" in last:
        return no_response(server)
    if "corrupt message" in last:
        return not_tls(server)
    if "noapplicationprotocol" in last:
        return no_http1(server)
    if "certificaterequired" in last:
        return _wants_certificate(server)
    if "fatal alert" in last or is_connecting:
        return PermanentError(
            ErrorKind.TLS, f"TLS with {server} failed: {sanitize(last, 100)}"
        )
    if "head is too large" in last:
        return headers_too_large(server)
    if "chunk" in last:
        return invalid_chunk(server)
    if "parsed" in last or "invalid" in last or "unexpected message" in last:
        return invalid_http(server, sanitize(last.removesuffix(" parsed"), 100))
    return connection_lost(server)


def _from_proxy_causes(text: str, server: str, proxy: str) -> FetchError | None:
    """Map a cause chain about a proxy; ``None`` if it is about something else.

    Args:
        text: the chain in lower case, joined by `` | ``.
        server: ``host:port`` that was requested.
        proxy: without its credentials.
    """
    last = text.rpartition(" | ")[2]
    if "error resolving for socks proxy" in text:
        return None
    if "socks error" in text:
        if "underlying connection" in last:
            return proxy_unreachable(proxy)
        if "io error" in last or "parsing" in last:
            return not_socks(proxy)
        return _from_refusal(last.partition("error: ")[2], server, proxy)
    if "tunnel error" in last:
        return _from_refusal(sanitize(last.partition("error: ")[2], 100), server, proxy)
    return None


def _is_about_proxy(text: str, url: str) -> bool:
    """Return True if a connection failed before the proxy was reached.

    Through a tunnel (https) everything after it concerns the server; without one (http)
    the proxy is the peer. Only ``socks5`` resolves names of servers behind the proxy on
    this machine.

    Args:
        text: the cause chain in lower case.
        url: the requested URL.
    """
    if "error resolving for socks proxy" in text:
        return False
    if "client error (connect)" not in text:
        return False
    if "underlying connection" in text or "tcp connect error" in text:
        return True
    return url[:5].lower() == "http:" or "dns error" in text


# -- httpx -----------------------------------------------------------------------------


def from_httpx(error: Exception, url: str, proxy: str = "") -> FetchError:
    """Map an exception of httpx or of the libraries under it.

    Args:
        error: the exception.
        url: the requested URL.
        proxy: the proxy in use, without its credentials; "" if there is none.
    """
    import httpx  # 40 ms that pyreqwest's errors do not need

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
    # The library's text quotes the server after the colon.
    return invalid_http(server, sanitize(text.partition(":")[0], 100))


def from_openssl(server: str, error: ssl.SSLError) -> FetchError:
    """Map an error of OpenSSL."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _untrusted(server, _CERTIFICATE_CODES.get(error.verify_code, ""))
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return connection_lost(server)
    if error.reason == "TLSV13_ALERT_CERTIFICATE_REQUIRED":
        return _wants_certificate(server)
    if error.reason in ("WRONG_VERSION_NUMBER", "UNKNOWN_PROTOCOL", "HTTP_REQUEST"):
        return not_tls(server)
    # Python has no name for newer alerts: "[SSL] tlsv1 alert ... (_ssl.c:1006)".
    text = error.reason or str(error).partition("] ")[2].partition(" (_ssl")[0]
    reason = sanitize(text.replace("_", " ").lower(), 100)
    if reason.endswith("no application protocol"):
        return no_http1(server)
    return PermanentError(ErrorKind.TLS, f"TLS with {server} failed: {reason}")


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


# -- both ------------------------------------------------------------------------------


def _from_refusal(reason: str, server: str, proxy: str) -> FetchError:
    """Map the way in which a proxy refuses to connect to a server.

    Args:
        reason: the library's words, or the status line of the proxy.
        server: ``host:port`` that was requested.
        proxy: without its credentials.
    """
    words = reason.lower()
    if any(word in words for word in _PROXY_AUTH):
        return proxy_auth(proxy, has_credentials=False)
    if "credentials" in words or "password" in words:
        return proxy_auth(proxy, has_credentials=True)
    for key, text in _SOCKS_REPLIES.items():
        if key in words:
            return proxy_cannot_connect(proxy, server, f": {text}")
    status = _STATUS.match(words)
    return proxy_cannot_connect(
        proxy, server, f" (status {status[1]})" if status else ""
    )


def _cannot_bind(server: str, number: re.Match[str] | None) -> FetchError:
    return cannot_bind(
        server, errno.errorcode.get(int(number[1]), "") if number else ""
    )


def _wants_certificate(server: str) -> FetchError:
    return PermanentError(
        ErrorKind.CLIENT_CERT, f"{server} requires a client certificate"
    )


def _untrusted(server: str, reason: str) -> FetchError:
    reason = reason.lower()
    text = next(
        (text for words, text in _CERTIFICATE_REASONS.items() if words in reason),
        "its certificate was rejected",
    )
    return PermanentError(ErrorKind.TLS, f"{server} is not trusted: {text}")
