"""The one place where exceptions of the HTTP libraries become ours.

Messages say what happened and where (``host:port``), never the library, the URL or
anything the server wrote unescaped. What may pass by itself is transient: timeouts,
resets, cut bodies. What the same request would meet again is permanent: a host that
does not exist, a certificate nobody trusts, an answer that is not HTTP.
"""

from __future__ import annotations

import errno
import re
import socket
import ssl
from typing import TYPE_CHECKING

from tui.core.errors import FetchError, PermanentError
from tui.core.text.plain_text import plain
from tui.net.errors import (
    UNKNOWN_NAMES,
    bad_chunk,
    broken,
    connect_timeout,
    cut_short,
    from_errno,
    hung_up,
    no_address,
    not_http,
    oversized_head,
    stalled,
)
from tui.net.routing.proxy_errors import (
    from_proxy_causes,
    from_refusal,
    is_about_proxy,
    no_socks,
    of_proxy,
    via,
)
from tui.net.url import where

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_OS_ERROR = re.compile(r"\(os error (\d+)\)")
# glibc, macOS, musl and Windows, in this order.
_NO_SUCH_NAME = (
    "name or service not known",
    "no address associated",
    "nodename nor servname",
    "name does not resolve",
    "no such host is known",
)
# OpenSSL's X509_V_ERR_* numbers, said with words that rustls uses.
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
    "unknownissuer": "nobody trusted here has signed its certificate",
    "not valid before": "its certificate is not valid yet",
    "notvalidyet": "its certificate is not valid yet",
    "expired": "its certificate has expired",
    "revoked": "its certificate was revoked",
    "not valid for name": "its certificate is for another host",
    "causedasendentity": "its certificate is a CA's own; make it one with CA:FALSE",
}


def from_causes(
    causes: Sequence[str], is_timeout: bool, url: str, proxy: str = ""
) -> FetchError:
    """Translate an error of pyreqwest.

    Args:
        causes: the messages of its cause chain, outermost first.
        is_timeout: its class says that a time limit of the wire struck.
        url: what was asked for.
        proxy: the proxy on the way, without its login; "" if there is none.
    """
    place = where(url)
    # The outermost message quotes the URL, which could hold any of the words below.
    causes = [c for c in causes if "for url (" not in c] or ["connection broke"]
    text = " | ".join(causes).lower()
    if proxy:
        fault = from_proxy_causes(text, place, proxy)
        if fault is not None:
            return fault
        if is_timeout or is_about_proxy(text, url):
            return of_proxy(_from_text(causes, text, is_timeout, via(proxy)))
    return _from_text(causes, text, is_timeout, place)


def _from_text(
    causes: Sequence[str], text: str, is_timeout: bool, place: str
) -> FetchError:
    if is_timeout:
        return connect_timeout(place)
    if "dns error" in text or "error resolving" in text:
        return no_address(place, any(words in text for words in _NO_SUCH_NAME))
    if "invalid peer certificate" in text:
        return _untrusted(place, causes[-1].partition("certificate: ")[2])
    if "tcp bind" in text:
        return _no_source(place, _OS_ERROR.search(causes[-1]))
    if causes[-1].lower() == "network unreachable":
        return _no_fitting_address(place)
    if "client error (sendrequest)" in text and "close_notify" in text:
        return hung_up(place)
    number = _OS_ERROR.search(causes[-1])
    if number is not None:
        return from_errno(place, int(number[1]), "client error (connect)" in text)
    return _from_words(place, causes[-1].lower(), "client error (connect)" in text)


def _no_source(place: str, number: re.Match[str] | None) -> FetchError:
    reason = errno.errorcode.get(int(number[1]), "") if number else ""
    return PermanentError(
        "network", f"no way to {place} from the chosen interface ({reason})"
    )


def _no_fitting_address(place: str) -> FetchError:
    """All its addresses are of the IP version that we do not connect from."""
    return PermanentError(
        "network", f"{place} has no address of the IP version that was chosen"
    )


def _wants_certificate(place: str) -> FetchError:
    return PermanentError("client_cert", f"{place} asks for a client's certificate")


def _from_words(place: str, last: str, is_connecting: bool) -> FetchError:
    if "close_notify" in last or "end of file" in last or "unexpected eof" in last:
        # A TLS handshake that ends early is a broken connection, not a short body.
        return broken(place) if is_connecting else cut_short(place)
    if "handshake eof" in last or "closed before message" in last:
        return hung_up(place)
    if "corrupt message" in last:
        return PermanentError("tls", f"{place} does not speak TLS; is it http://?")
    if "certificaterequired" in last:
        return _wants_certificate(place)
    if "fatal alert" in last or is_connecting:
        return PermanentError("tls", f"TLS with {place} failed: {plain(last, 100)}")
    if "head is too large" in last:
        return oversized_head(place)
    if "chunk" in last:
        return bad_chunk(place)
    if "parsed" in last or "invalid" in last or "unexpected message" in last:
        return not_http(place, plain(last.removesuffix(" parsed"), 100))
    return broken(place)


def from_httpx(error: Exception, url: str, proxy: str = "") -> FetchError:
    """Translate an exception of httpx or of what stands under it.

    Args:
        error: what was raised.
        url: what was asked for.
        proxy: the proxy on the way, without its login; "" if there is none.
    """
    import httpx  # 40 ms that pyreqwest's errors do not need

    if proxy:
        if isinstance(error, httpx.ProxyError):
            return from_refusal(str(error), where(url), proxy)
        if isinstance(error, httpx.ConnectTimeout) or (
            isinstance(error, httpx.ConnectError) and not _is_tls_inside(error, url)
        ):
            return of_proxy(_from_library(error, via(proxy)))
        if proxy.startswith("socks") and not isinstance(error, httpx.HTTPError):
            # socksio's own errors, and an assertion on an answer that is none of its.
            return no_socks(proxy)
    return _from_library(error, where(url))


def _is_tls_inside(error: Exception, url: str) -> bool:
    """Whether the TLS handshake with the server behind a tunnel failed."""
    return url[:6].lower() == "https:" and any(
        isinstance(cause, ssl.SSLError) for cause in _chain(error)
    )


def _from_library(error: Exception, place: str) -> FetchError:
    import httpx

    if isinstance(error, httpx.ConnectTimeout | httpx.PoolTimeout):
        return connect_timeout(place)
    if isinstance(error, httpx.TimeoutException):
        return stalled(place)
    if isinstance(error, httpx.LocalProtocolError):
        return PermanentError("bad_header", f"{place}: a request header is not valid")
    # The UnicodeError is idna's.
    if isinstance(error, httpx.InvalidURL | httpx.UnsupportedProtocol | UnicodeError):
        return PermanentError("unknown_host", f"{place}: the URL leads nowhere")
    if isinstance(error, httpx.RemoteProtocolError):
        return _from_protocol(place, str(error))
    is_connecting = isinstance(error, httpx.ConnectError)
    for cause in _chain(error):
        if isinstance(cause, ssl.SSLError):
            return _from_openssl(place, cause)
        if isinstance(cause, socket.gaierror):
            return no_address(place, cause.errno in UNKNOWN_NAMES)
        if isinstance(cause, OSError) and "no matching local address" in str(cause):
            return _no_fitting_address(place)
        if isinstance(cause, OSError) and cause.errno is not None:
            return from_errno(place, cause.errno, is_connecting)
    return broken(place)


def _from_protocol(place: str, text: str) -> FetchError:
    if "without sending complete message body" in text:
        return cut_short(place)
    if "without sending a response" in text:
        return hung_up(place)
    if "Receive buffer too long" in text:
        return oversized_head(place)
    if "chunk" in text and "Transfer-Encoding" not in text:
        return bad_chunk(place)
    if "Transfer-Encoding" in text:
        return PermanentError(
            "encoding", f"{place} sent a transfer coding nobody asked for"
        )
    # The library's text quotes what the server sent after the colon.
    return not_http(place, plain(text.partition(":")[0], 100))


def _from_openssl(place: str, error: ssl.SSLError) -> FetchError:
    if isinstance(error, ssl.SSLCertVerificationError):
        return _untrusted(place, _CERTIFICATE_CODES.get(error.verify_code, ""))
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return broken(place)
    if error.reason == "TLSV13_ALERT_CERTIFICATE_REQUIRED":
        return _wants_certificate(place)
    if error.reason in ("WRONG_VERSION_NUMBER", "UNKNOWN_PROTOCOL", "HTTP_REQUEST"):
        return PermanentError("tls", f"{place} does not speak TLS; is it http://?")
    reason = plain((error.reason or "").replace("_", " ").lower(), 100)
    return PermanentError("tls", f"TLS with {place} failed: {reason}")


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception's causes, into groups as well; the library hides them."""
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


def _untrusted(place: str, reason: str) -> FetchError:
    reason = reason.lower()
    text = next(
        (text for words, text in _CERTIFICATE_REASONS.items() if words in reason),
        "its certificate is refused",
    )
    return PermanentError("tls", f"{place} is not trusted: {text}")
