"""What can go wrong on the way to a server and with its answer, in our words.

Whatever wire notices it: ``translate`` and ``loop_wire_faults`` find out which of these
an exception means. No library of HTTP is needed to say it.
"""

from __future__ import annotations

import errno
import socket

from tui.core.errors import FetchError, PermanentError, TransientError

UNKNOWN_NAMES = {
    getattr(socket, name)
    for name in ("EAI_NONAME", "EAI_NODATA", "EAI_ADDRFAMILY")
    if hasattr(socket, name)
}
"""Codes of ``socket.gaierror`` for names that no resolver will ever know."""


def from_errno(place: str, number: int, is_connecting: bool) -> FetchError:
    """Say what an error of the socket means.

    Args:
        place: ``host:port``.
        number: errno, or Windows' number.
        is_connecting: the connection was not there yet.
    """
    reason = errno.errorcode.get(number, str(number))
    if number == errno.ECONNREFUSED or number == 10061:
        return TransientError("refused", f"{place} refused the connection")
    if number in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS):
        return TransientError(
            "unreachable",
            f"no connection to {place}: too many open files here ({reason});"
            " fewer downloads at once will do",
        )
    if number == errno.ETIMEDOUT or number == 10060:
        return connect_timeout(place) if is_connecting else broken(place)
    if number in (errno.ECONNRESET, errno.ECONNABORTED, errno.EPIPE, 10054, 10053):
        return broken(place)
    if is_connecting:
        return TransientError("unreachable", f"no way to {place} ({reason})")
    return TransientError("reset", f"the connection to {place} broke ({reason})")


def connect_timeout(place: str) -> FetchError:
    """Nobody takes the connection, and nobody refuses it."""
    return TransientError("connect_timeout", f"{place} does not take the connection")


def no_address(place: str, is_final: bool) -> FetchError:
    """The name has no address; ``is_final``: the resolver is sure of it."""
    if is_final:
        return PermanentError("unknown_host", f"{place}: no such host")
    return TransientError("dns", f"{place}: the name cannot be resolved for now")


def cut_short(place: str) -> FetchError:
    """The body ended before its end."""
    return TransientError("truncated", f"{place} ended the body early")


def bad_chunk(place: str) -> FetchError:
    """The framing of a chunked body is broken."""
    # Transient: the answer began well, so a hop on the way spoilt it, and may not
    # the next time.
    return TransientError("bad_reply", f"{place} sent a broken chunk")


def hung_up(place: str) -> FetchError:
    """The connection ended before an answer began."""
    return TransientError("reset", f"{place} closed the connection without an answer")


def broken(place: str) -> FetchError:
    """The connection ended in the middle."""
    return TransientError("reset", f"the connection to {place} broke")


def stalled(place: str) -> FetchError:
    """No answer, or no bytes, for as long as the settings allow."""
    return TransientError("stalled", f"no bytes from {place} for too long")


def oversized_head(place: str) -> FetchError:
    """The response headers have no end."""
    return PermanentError("bad_reply", f"{place} sent too many response headers")


def not_http(place: str, detail: str) -> FetchError:
    """What came back cannot be read as an HTTP response."""
    return PermanentError("bad_reply", f"{place} sent no valid HTTP ({detail})")
