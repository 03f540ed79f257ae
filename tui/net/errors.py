"""Constructors for everything that can go wrong between here and a server.

They word what happened, whichever transport notices it; ``transports.error_mapping``
finds out which of them an exception means. No HTTP library is needed here.

Messages name the server or proxy as ``host:port`` and never hold credentials.
"""

from __future__ import annotations

import errno
import socket

from tui.core.errors import ErrorKind, FetchError, PermanentError, TransientError

UNKNOWN_NAMES = {
    getattr(socket, name)
    for name in ("EAI_NONAME", "EAI_NODATA", "EAI_ADDRFAMILY")
    if hasattr(socket, name)
}
"""Codes of ``socket.gaierror`` for names that no resolver will ever know."""


def from_errno(server: str, number: int, is_connecting: bool) -> FetchError:
    """Map an error number of a socket.

    Args:
        server: ``host:port``.
        number: errno.
        is_connecting: whether the connection was still being established.
    """
    reason = errno.errorcode.get(number, str(number))
    if number == errno.ECONNREFUSED:
        return TransientError(ErrorKind.REFUSED, f"{server} refused the connection")
    if number in (errno.EMFILE, errno.ENFILE):
        message = f"cannot connect to {server}: too many open files on this machine"
        return TransientError(ErrorKind.DESCRIPTORS, message)
    if number == errno.ENOBUFS:
        message = f"cannot connect to {server}: no buffer space on this machine"
        return TransientError(ErrorKind.UNREACHABLE, message)
    if number == errno.ETIMEDOUT:
        return connect_timeout(server) if is_connecting else connection_lost(server)
    if number in (errno.ECONNRESET, errno.ECONNABORTED, errno.EPIPE):
        return connection_lost(server)
    if is_connecting:
        return unreachable(server, reason)
    return TransientError(
        ErrorKind.RESET, f"lost the connection to {server} ({reason})"
    )


def unreachable(server: str, reason: str) -> FetchError:
    """Say that no connection to the server could be made."""
    return TransientError(ErrorKind.UNREACHABLE, f"cannot reach {server} ({reason})")


def connect_timeout(server: str) -> FetchError:
    """Say that the server neither accepted nor refused the connection."""
    return TransientError(
        ErrorKind.CONNECT_TIMEOUT, f"timed out connecting to {server}"
    )


def unresolved(server: str, is_final: bool) -> FetchError:
    """Say that the name has no address; ``is_final`` if the resolver is sure of it."""
    if is_final:
        return PermanentError(ErrorKind.UNKNOWN_HOST, f"{server}: no such host")
    return TransientError(
        ErrorKind.DNS, f"{server}: name resolution failed temporarily"
    )


def incomplete_body(server: str) -> FetchError:
    """Say that the connection ended before the body was complete."""
    return TransientError(ErrorKind.TRUNCATED, f"{server} sent an incomplete body")


def invalid_chunk(server: str) -> FetchError:
    """Say that the framing of a chunked body is invalid."""
    # Transient: the response started well, so a hop in between damaged it, and may not
    # the next time.
    return TransientError(ErrorKind.BAD_REPLY, f"{server} sent an invalid chunk")


def no_response(server: str) -> FetchError:
    """Say that the connection ended before a response started."""
    return TransientError(
        ErrorKind.RESET, f"{server} closed the connection without a response"
    )


def connection_lost(server: str) -> FetchError:
    """Say that the connection ended unexpectedly."""
    return TransientError(ErrorKind.RESET, f"lost the connection to {server}")


def stalled(server: str) -> FetchError:
    """Say that no response, or no data, arrived within the timeout."""
    return TransientError(
        ErrorKind.STALLED, f"no data from {server} within the timeout"
    )


def headers_too_large(server: str) -> FetchError:
    """Say that the response headers exceed the limits."""
    return PermanentError(
        ErrorKind.BAD_REPLY, f"{server} sent too many response headers"
    )


def invalid_http(server: str, detail: str) -> FetchError:
    """Say that the response cannot be parsed as HTTP."""
    return PermanentError(ErrorKind.BAD_REPLY, f"{server} sent invalid HTTP ({detail})")


def no_http1(server: str) -> FetchError:
    """Say that the server speaks another version of HTTP over TLS."""
    return PermanentError(ErrorKind.NO_HTTP1, f"{server} does not speak HTTP/1.1")


def not_tls(server: str) -> FetchError:
    """Say that the server answers a TLS handshake with something else."""
    return PermanentError(ErrorKind.TLS, f"{server} does not speak TLS")


def plain_http(server: str) -> FetchError:
    """Say that the server speaks plain HTTP where TLS was expected."""
    return PermanentError(
        ErrorKind.TLS, f"{server} does not speak TLS but plain HTTP; try http://"
    )


def no_matching_address(server: str) -> FetchError:
    """Say that no address of the server is of the chosen IP version."""
    return PermanentError(
        ErrorKind.NETWORK, f"{server} has no address of the chosen IP version"
    )


def cannot_bind(server: str, reason: str) -> FetchError:
    """Say that the chosen interface or local address cannot be used."""
    return PermanentError(
        ErrorKind.NETWORK, f"cannot reach {server} from the chosen interface ({reason})"
    )


# -- proxies ---------------------------------------------------------------------------
# A message that says "refused the connection" sends the reader to the server, so every
# message about a failing proxy names the proxy.


_PASSING = frozenset({408, 425, 429})
"""Statuses below 500 that say nothing about the next attempt."""


def proxy_name(proxy: str) -> str:
    """Name a proxy (``scheme://host:port``) in a message."""
    return f"proxy {proxy}"


def proxy_auth(proxy: str, *, has_credentials: bool) -> FetchError:
    """Say that the proxy requires credentials, or rejects the ones it got (407)."""
    what = "rejected the credentials" if has_credentials else "requires credentials"
    return PermanentError(
        ErrorKind.PROXY_AUTH, f"{proxy_name(proxy)} {what}", status=407
    )


def proxy_failure(error: FetchError) -> FetchError:
    """Turn an error about reaching a proxy into one of kind ``proxy``."""
    return type(error)(ErrorKind.PROXY, str(error))


def not_socks(proxy: str) -> FetchError:
    """Say that the proxy does not speak SOCKS5."""
    return TransientError(ErrorKind.PROXY, f"{proxy_name(proxy)} does not speak SOCKS5")


def proxy_cannot_connect(proxy: str, server: str, reason: str) -> FetchError:
    """Say that the proxy cannot connect to the server."""
    return TransientError(
        ErrorKind.PROXY, f"{proxy_name(proxy)} cannot connect to {server}{reason}"
    )


def proxy_refusal(
    proxy: str,
    server: str,
    status: int,
    *,
    has_credentials: bool,
    retry_after_s: float | None = None,
) -> FetchError:
    """Say that the proxy refused to connect to the server, with a status.

    Args:
        proxy: ``scheme://host:port``.
        server: ``host:port``.
        status: of its response to CONNECT; not 2xx.
        has_credentials: whether it got credentials.
        retry_after_s: seconds that it asked to wait, if it did.
    """
    if status in (401, 407):
        # tinyproxy answers 401 to a wrong password.
        return proxy_auth(proxy, has_credentials=has_credentials)
    error = proxy_cannot_connect(proxy, server, f" (status {status})")
    if 400 <= status < 500 and status not in _PASSING:
        return PermanentError(error.kind, str(error))
    error.retry_after_s = retry_after_s
    return error
