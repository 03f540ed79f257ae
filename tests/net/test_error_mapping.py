"""Errors that cannot be provoked on loopback are mapped correctly."""

from __future__ import annotations

import errno
import socket
import ssl

import httpx
import pytest

from tui.core.errors import PermanentError, TransientError
from tui.net.transports.error_mapping import from_httpx, from_socket_error
from tui.net.transports.sockets import CannotBind, NoMatchingAddress

URL = "https://user:SECRET@dl.example/dns%20error/certificate?proxy"


def caused(error: Exception, cause: BaseException) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "kind", "is_final"),
    [
        (httpx.ConnectTimeout(""), "connect_timeout", False),
        (httpx.ReadTimeout(""), "stalled", False),
        (httpx.WriteTimeout(""), "stalled", False),
        (httpx.LocalProtocolError("SECRET"), "bad_header", True),
        (httpx.UnsupportedProtocol("SECRET"), "unknown_host", True),
        (httpx.ReadError(""), "reset", False),
        (httpx.RemoteProtocolError("illegal status line: SECRET"), "bad_reply", True),
        (
            caused(httpx.ConnectError(""), socket.gaierror(socket.EAI_AGAIN, "x")),
            "dns",
            False,
        ),
        (
            caused(httpx.ConnectError(""), socket.gaierror(socket.EAI_NONAME, "x")),
            "unknown_host",
            True,
        ),
        (
            caused(httpx.ConnectError(""), OSError(errno.ENETUNREACH, "x")),
            "unreachable",
            False,
        ),
        (
            caused(
                httpx.ConnectError(""),
                caused(
                    OSError("All connection attempts failed"),
                    ExceptionGroup("", [OSError(errno.ECONNREFUSED, "x")]),
                ),
            ),
            "refused",
            False,
        ),
        (RuntimeError("SECRET"), "reset", False),
    ],
)
def test_exceptions_of_httpx_map_to_kinds(
    error: Exception, kind: str, is_final: bool
) -> None:
    mapped = from_httpx(error, URL)
    assert mapped.kind == kind
    assert isinstance(mapped, PermanentError if is_final else TransientError)
    assert "SECRET" not in str(mapped)


@pytest.mark.parametrize(
    "words",
    [
        "chunk",
        "Transfer-Encoding",
        "Receive buffer too long",
        "closed without sending a response",
        "without sending complete message body",
    ],
)
def test_words_of_a_server_do_not_choose_the_kind(words: str) -> None:
    quoted = f"illegal status line: bytearray(b'HTTP/1.1 2000 {words}')"
    mapped = from_httpx(httpx.RemoteProtocolError(quoted), URL)
    assert mapped.kind == "bad_reply"
    assert words not in str(mapped)


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("407 Authorization required", "proxy_auth"),
        ("407 ", "proxy_auth"),
        ("503 E4071 authentication service down: password", "proxy"),
        ("502 connection refused", "proxy"),
        ("Requested NO AUTHENTICATION REQUIRED from proxy server", "proxy_auth"),
        ("Invalid username/password", "proxy_auth"),
        ("Proxy Server could not connect: Connection refused.", "proxy"),
    ],
)
def test_a_refusal_of_a_proxy_is_known_by_its_status(reason: str, kind: str) -> None:
    mapped = from_httpx(httpx.ProxyError(reason), URL, "http://proxy.example:8080")
    assert mapped.kind == kind
    if reason[0] == "5":
        assert f"status {reason[:3]}" in str(mapped)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (socket.gaierror(socket.EAI_NONAME, "x"), "unknown_host"),
        (socket.gaierror(socket.EAI_AGAIN, "x"), "dns"),
        (UnicodeError("label too long"), "unknown_host"),
        (OSError(errno.EHOSTUNREACH, "x"), "unreachable"),
        (OSError(errno.EMFILE, "x"), "descriptors"),
        (OSError(errno.ECONNREFUSED, "x"), "refused"),
        (OSError(errno.ECONNRESET, "x"), "reset"),
        (OSError(errno.ETIMEDOUT, "x"), "connect_timeout"),
        (TimeoutError(), "connect_timeout"),
        (OSError("Multiple exceptions: [Errno 111] a, [Errno 101] b"), "refused"),
        (ssl.SSLEOFError("x"), "reset"),
        (NoMatchingAddress(), "network"),
        (CannotBind("ENODEV"), "network"),
    ],
)
def test_exceptions_of_sockets_map_to_kinds(error: Exception, kind: str) -> None:
    mapped = from_socket_error(error, "dl.example:443", is_connecting=True)
    assert mapped.kind == kind
    assert "dl.example:443" in str(mapped)
