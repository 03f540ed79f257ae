"""Errors that cannot be provoked on loopback are mapped correctly."""

from __future__ import annotations

import errno
import socket
import ssl

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.core.errors import ErrorKind, PermanentError, TransientError
from tui.core.text.sanitize import sanitize
from tui.net.transports.error_mapping import (
    from_httpx,
    from_pyreqwest,
    from_socket_error,
)
from tui.net.transports.sockets import CannotBind, NoMatchingAddress

URL = "https://user:SECRET@dl.example/dns%20error/certificate?proxy"
SENDING = f"error sending request for url ({URL})"
CONNECT = "client error (Connect)"
SEND = "client error (SendRequest)"
READING = "error reading a body from connection"


@pytest.mark.parametrize(
    ("causes", "kind", "is_final"),
    [
        ([SENDING], "reset", False),
        ([], "reset", False),
        (["something new"], "reset", False),
        ([CONNECT, "dns error", "Name or service not known"], "unknown_host", True),
        ([CONNECT, "dns error", "Name does not resolve"], "unknown_host", True),
        ([CONNECT, "dns error", "Temporary failure in name resolution"], "dns", False),
        ([CONNECT, "dns error", "timed out"], "dns", False),
        ([CONNECT, "x", "No route to host (os error 113)"], "unreachable", False),
        ([CONNECT, "x", "Network unreachable (os error 101)"], "unreachable", False),
        ([CONNECT, "x", "Too many open files (os error 24)"], "descriptors", False),
        ([CONNECT, "x", "Connection refused (os error 111)"], "refused", False),
        ([CONNECT, "x", "timed out (os error 110)"], "connect_timeout", False),
        ([CONNECT, "Connection reset by peer (os error 104)"], "reset", False),
        ([CONNECT, "tls handshake eof"], "reset", False),
        ([CONNECT, "unexpected EOF"], "reset", False),
        ([CONNECT, "received fatal alert: HandshakeFailure"], "tls", True),
        ([CONNECT, "invalid peer certificate: Revoked"], "tls", True),
        ([CONNECT, "invalid peer certificate: Something"], "tls", True),
        ([SEND, "received fatal alert: CertificateRequired"], "client_cert", True),
        ([SEND, "peer closed without sending TLS close_notify"], "reset", False),
        ([READING, "peer closed without sending TLS close_notify"], "truncated", False),
        ([READING, "Broken pipe (os error 32)"], "reset", False),
        ([READING, "Invalid chunk size line"], "bad_reply", False),
        (
            ["client error (SendRequest)", "invalid HTTP header parsed"],
            "bad_reply",
            True,
        ),
    ],
)
def test_causes_of_pyreqwest_map_to_kinds(
    causes: list[str], kind: str, is_final: bool
) -> None:
    error = from_pyreqwest([SENDING, *causes], False, URL)
    assert error.kind == kind
    assert isinstance(error, PermanentError if is_final else TransientError)
    assert "dl.example:443" in str(error)
    assert "SECRET" not in str(error)


def test_a_ca_certificate_used_by_a_server_is_reported() -> None:
    """``openssl req -x509`` makes a CA certificate, which rustls refuses."""
    last = "invalid peer certificate: Other(OtherError(CaUsedAsEndEntity))"
    error = from_pyreqwest([SENDING, CONNECT, last], False, URL)
    assert error.kind == "tls"
    assert "CA certificate" in str(error)


def test_a_timeout_of_pyreqwest_is_a_connect_timeout() -> None:
    assert from_pyreqwest(["x"], True, URL).kind == "connect_timeout"


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


@given(st.lists(st.text(max_size=80), max_size=4), st.booleans())
def test_any_causes_give_a_known_kind_and_a_printable_message(
    causes: list[str], is_timeout: bool
) -> None:
    error = from_pyreqwest(causes, is_timeout, URL)
    assert isinstance(error.kind, ErrorKind)
    assert str(error) == sanitize(str(error))


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
