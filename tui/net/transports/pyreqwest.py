"""The pyreqwest transport: sockets, TLS, parsing and pooling in Rust.

Facts about pyreqwest 0.15 that shape this file, each verified by experiment:

* Entering a streamed request waits until ``streamed_read_buffer_limit`` bytes of the
  body have arrived (64 KiB by default). A slow server would look stalled, and an
  incomplete body would lose its beginning together with its headers, so the limit is 0
  here. That costs a small file one more round trip to the Rust thread, about 8 us.
* A cancelled read leaves the connection open until the request is exited
  (``__aexit__``), and exiting it waits for a read in progress.
* A request that is cancelled before its response headers arrive continues in the Rust
  thread and cannot be stopped from here (its task is detached, not aborted). The read
  timeout ends it; a late response is dropped with its connection.
* A read after exiting returns ``None``, exactly as after a complete body. ``Response``
  therefore never reads from a closed one.
* A header value with bytes outside ASCII raises ``ValueError`` on every access.
* ``SSL_CERT_FILE`` is read when the client is built, and then replaces the system's
  certificates; no builder call does that.
* ``resolve`` pins a host for all its ports; its port parameter counts only for URLs
  without a port, so it is 0 here.
* A client bound to ``0.0.0.0`` or ``::`` never uses addresses of the other IP version.
* HTTP/2 starts with a window of 64 KiB per stream, which slows a fast link down.
"""

from __future__ import annotations

import os
from datetime import timedelta
from typing import TYPE_CHECKING

from pyreqwest.client import ClientBuilder
from pyreqwest.exceptions import (
    DetailedPyreqwestError,
    PyreqwestError,
    RequestTimeoutError,
)
from pyreqwest.proxy import ProxyBuilder

from tui.core.errors import ErrorKind, FetchError, LocalError, PermanentError
from tui.core.text.sanitize import sanitize
from tui.net.errors import headers_too_large, stalled
from tui.net.transports.base import (
    MAX_HEADER_BYTES,
    RawResponse,
    Transport,
    join_fields,
)
from tui.net.transports.error_mapping import from_pyreqwest
from tui.net.url import host_port

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyreqwest.client import Client
    from pyreqwest.request import StreamRequest
    from pyreqwest.response import Response

    from tui.net.routing.router import Route

HTTP2_STREAM_BYTES = 2 << 20
"""Window of one HTTP/2 stream: 2 MiB keep 1 Gbit/s busy at a round-trip time of 16 ms.
A body that is not read for a while takes as much memory."""
HTTP2_CONNECTION_BYTES = 256 << 20
"""Window of all streams of a connection: bodies that wait for a rate limit must not
block the others."""


class PyreqwestTransport(Transport):
    """Sends requests through a pyreqwest client. Create it inside a running loop."""

    name = "pyreqwest"

    def __init__(
        self,
        headers: Sequence[tuple[str, str]],
        timeout_s: float,
        orphan_timeout_s: float,
        keepalive_s: float,
        ca_file: str | None,
        route: Route,
    ) -> None:
        builder = (
            ClientBuilder()
            .follow_redirects(False)
            .referer(False)
            .no_proxy()
            .gzip(False)
            .brotli(False)
            .zstd(False)
            .deflate(False)
            .default_headers(list(headers))
            .connect_timeout(timedelta(seconds=timeout_s))
            # Only for orphaned requests: the idle timeout, which knows a stall from
            # a pause, is shorter.
            .read_timeout(timedelta(seconds=orphan_timeout_s))
            .pool_idle_timeout(timedelta(seconds=keepalive_s))
            # RFC 9112 section 5.2: a user agent replaces a fold by a space; httpx's
            # parser does the same.
            .http1_allow_obsolete_multiline_headers_in_responses(True)
        )
        self._client = _build(_apply_route(route, builder), ca_file)
        self._proxy = route.proxy.label if route.proxy is not None else ""

    async def open(self, url: str, headers: Sequence[tuple[str, str]]) -> RawResponse:
        """Send a GET and wait for the response headers."""
        try:
            builder = self._client.get(url).streamed_read_buffer_limit(0)
            for name, value in headers:
                builder = builder.header(name, value)
            request = builder.build_streamed()
            # If cancelled here, it releases the connection by itself.
            response = await request.__aenter__()
        except (PyreqwestError, ValueError) as error:
            raise _to_error(error, url, self._proxy) from None
        try:
            return PyreqwestResponse(request, response, url)
        except BaseException:
            await request.__aexit__(None, None, None)
            raise

    async def aclose(self) -> None:
        """Close the pool."""
        await self._client.close()


class PyreqwestResponse(RawResponse):
    """A response of pyreqwest; its buffers are passed on without a copy."""

    __slots__ = ("_has_unreadable", "_headers", "_request")

    def __init__(self, request: StreamRequest, response: Response, url: str) -> None:
        self.status = response.status
        self.http_version = response.version
        self.read_chunk = response.body_reader.read_chunk
        self._request = request
        self._headers = response.headers
        self._has_unreadable = False
        try:
            fields = list(self._headers.items())
        except ValueError:
            self._has_unreadable = True
            fields = self.fields()
        # One pass over all fields: looking up each name that matters, most of them
        # absent, costs twice as much.
        header_map = dict(fields)
        if len(header_map) < len(fields):
            header_map = join_fields(fields)
        if sum(map(len, header_map.values())) > MAX_HEADER_BYTES:
            raise headers_too_large(host_port(url))
        self.header_map = header_map

    def values(self, name: str) -> list[str]:
        """Return all values of a header; none if one of them is unreadable."""
        try:
            return self._headers.getall(name)
        except ValueError:
            return []

    def fields(self) -> list[tuple[str, str]]:
        """Return all readable headers."""
        return [
            (name, value)
            for name in dict.fromkeys(self._headers)
            for value in self.values(name)
        ]

    def is_unreadable(self, name: str) -> bool:
        """Return True if the header exists and has bytes outside ASCII."""
        if not self._has_unreadable:
            return False
        try:
            self._headers.getall(name)
        except ValueError:
            return True
        return False

    def to_error(self, error: Exception, url: str) -> FetchError:
        """Map an exception raised by ``read_chunk``."""
        # pyreqwest reads ahead, so its timeout can expire while nobody reads; but then
        # the server has really sent nothing for that long.
        if isinstance(error, RequestTimeoutError):
            return stalled(host_port(url))
        return _to_error(error, url)

    async def close(self) -> None:
        """Exit the request; an incomplete body closes its connection."""
        await self._request.__aexit__(None, None, None)


def _apply_route(route: Route, builder: ClientBuilder) -> ClientBuilder:
    """Configure a builder to connect along a route.

    Raises:
        LocalError: ``client_cert``, its file has disappeared.
    """
    if route.has_http2:
        builder = (
            builder.http2(True)
            .http2_initial_stream_window_size(HTTP2_STREAM_BYTES)
            .http2_initial_connection_window_size(HTTP2_CONNECTION_BYTES)
        )
    else:
        builder = builder.http1_only()
    if (proxy := route.proxy) is not None:
        through = ProxyBuilder.all(proxy.url(has_login=proxy.is_socks))
        if proxy.has_login and not proxy.is_socks:
            through = through.basic_auth(proxy.user, proxy.password)
        builder = builder.proxy(through)
    for host, address in route.pins:
        builder = builder.resolve(host, address, 0)
    if route.local_address:
        builder = builder.local_address(route.local_address)
    if route.interface:
        builder = builder.interface(route.interface)
    if route.client_certificate is not None:
        try:
            builder = builder.identity_pem(route.client_certificate.pem())
        except (OSError, ValueError, PyreqwestError) as error:
            raise LocalError(
                ErrorKind.CLIENT_CERT,
                f"{sanitize(route.client_certificate.certificate)}:"
                f" {sanitize(str(error), 100)}",
            ) from None
    return builder


def _build(builder: ClientBuilder, ca_file: str | None) -> Client:
    if ca_file is None:
        return builder.build()
    before = os.environ.get("SSL_CERT_FILE")
    os.environ["SSL_CERT_FILE"] = ca_file
    try:
        return builder.build()
    finally:
        if before is None:
            del os.environ["SSL_CERT_FILE"]
        else:
            os.environ["SSL_CERT_FILE"] = before


def _to_error(error: Exception, url: str, proxy: str = "") -> FetchError:
    if isinstance(error, DetailedPyreqwestError):
        causes = [cause["message"] for cause in error.details.get("causes") or ()]
        is_timeout = isinstance(error, RequestTimeoutError)
        return from_pyreqwest(causes or [error.message], is_timeout, url, proxy)
    if isinstance(error, PyreqwestError):
        return from_pyreqwest([error.message], False, url, proxy)
    # A plain ValueError comes from the URL parser or from a request header.
    if "header" in str(error):
        return PermanentError(
            ErrorKind.BAD_HEADER, f"{host_port(url)}: {sanitize(str(error), 100)}"
        )
    return PermanentError(
        ErrorKind.UNKNOWN_HOST, f"{host_port(url)}: {sanitize(str(error), 100)}"
    )
