"""The fast wire: pyreqwest, which does sockets, TLS, parsing and pooling in Rust.

Facts about pyreqwest 0.15 that shape this file, all tried out:

* Entering a streamed request waits until ``streamed_read_buffer_limit`` bytes of the
  body are there (64 KiB by default). A slow server would look stalled and a cut body
  would lose its beginning together with its headers, so the limit is 0 here. That
  costs a small file one more trip to the Rust thread, about 8 us.
* A cancelled read leaves the connection open until the request is left
  (``__aexit__``), and leaving it waits for a read in progress.
* A request that is cancelled before its response headers came goes on in the Rust
  thread and cannot be stopped from here (its task is detached, not aborted). The read
  timeout ends it; an answer that still comes is dropped with its connection.
* A read after leaving returns ``None``, the same as an orderly end. ``byte_stream``
  therefore never reads a closed exchange.
* A header value with bytes outside ASCII raises ``ValueError`` wherever it is touched.
* ``SSL_CERT_FILE`` is read when the client is built, and then replaces the system's
  certificates; there is no builder call that does.
* ``resolve`` pins a host for all its ports; the port it takes counts only for URLs that
  name none, so it is 0 here.
* Bound to ``0.0.0.0`` or ``::`` it takes no address of the other IP version.
* HTTP/2 starts with a window of 64 KiB a stream, which holds a fast link back.
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

from tui.core.errors import FetchError, LocalError, PermanentError
from tui.core.text.plain_text import plain
from tui.net.errors import oversized_head, stalled
from tui.net.transports.base import MAX_HEADER_BYTES, RawResponse, Transport, table_of
from tui.net.transports.error_mapping import from_causes
from tui.net.url import where

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyreqwest.client import Client
    from pyreqwest.request import StreamRequest
    from pyreqwest.response import Response

    from tui.net.routing.router import Route

HTTP2_STREAM_BYTES = 2 << 20
"""What a server may send ahead in one HTTP/2 stream: 2 MiB keep 1 Gbit/s busy over a
way of 16 ms, and are what a body that nobody reads for a while takes in memory."""
HTTP2_CONNECTION_BYTES = 256 << 20
"""What it may send ahead in all streams of a connection: bodies that wait for a rate
limit must not stop the others."""


class PyreqwestTransport(Transport):
    """Opens exchanges on a pyreqwest client; must be created inside a running loop."""

    name = "pyreqwest"

    def __init__(
        self,
        headers: Sequence[tuple[str, str]],
        timeout_s: float,
        abandon_s: float,
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
            # Only for requests that nobody waits for any more: the stall clock, which
            # can tell a stall from a pause, is faster.
            .read_timeout(timedelta(seconds=abandon_s))
            .pool_idle_timeout(timedelta(seconds=keepalive_s))
            # RFC 9112 section 5.2: a user agent reads a folded line as one with a
            # space; httpx's parser does the same.
            .http1_allow_obsolete_multiline_headers_in_responses(True)
        )
        self._client = _build(_along(route, builder), ca_file)
        self._proxy = route.proxy.label if route.proxy is not None else ""

    async def open(self, url: str, headers: Sequence[tuple[str, str]]) -> RawResponse:
        """Send a GET and wait for the response headers."""
        try:
            builder = self._client.get(url).streamed_read_buffer_limit(0)
            for name, value in headers:
                builder = builder.header(name, value)
            request = builder.build_streamed()
            # Cancelled in here, it lets go of the connection by itself.
            response = await request.__aenter__()
        except (PyreqwestError, ValueError) as error:
            raise _translate(error, url, self._proxy) from None
        try:
            return PyreqwestResponse(request, response, url)
        except BaseException:
            await request.__aexit__(None, None, None)
            raise

    async def aclose(self) -> None:
        """Close the pool."""
        await self._client.close()


class PyreqwestResponse(RawResponse):
    """A response of pyreqwest; its buffers are passed on as they are."""

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
        # One pass over what is there: asking the map for each name that matters, most
        # of them absent, costs twice as much.
        table = dict(fields)
        if len(table) < len(fields):
            table = table_of(fields)
        if sum(map(len, table.values())) > MAX_HEADER_BYTES:
            raise oversized_head(where(url))
        self.table = table

    def values(self, name: str) -> list[str]:
        """All values of a header; none where one of them is unreadable."""
        try:
            return self._headers.getall(name)
        except ValueError:
            return []

    def fields(self) -> list[tuple[str, str]]:
        """All headers that can be read."""
        return [
            (name, value)
            for name in dict.fromkeys(self._headers)
            for value in self.values(name)
        ]

    def is_unreadable(self, name: str) -> bool:
        """Whether the header is there with bytes outside ASCII."""
        if not self._has_unreadable:
            return False
        try:
            self._headers.getall(name)
        except ValueError:
            return True
        return False

    def fault(self, error: Exception, url: str) -> FetchError:
        """Translate an exception out of ``read_chunk``."""
        # pyreqwest reads ahead, so its timeout can strike while nobody reads; but then
        # the server really sent nothing for that long.
        if isinstance(error, RequestTimeoutError):
            return stalled(where(url))
        return _translate(error, url)

    async def close(self) -> None:
        """Leave the request; an unread body closes its connection."""
        await self._request.__aexit__(None, None, None)


def _along(route: Route, builder: ClientBuilder) -> ClientBuilder:
    """Make a builder connect the way that a route goes.

    Raises:
        LocalError: ``client_cert``, its file vanished.
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
    if route.identity is not None:
        try:
            builder = builder.identity_pem(route.identity.pem())
        except (OSError, ValueError, PyreqwestError) as error:
            raise LocalError(
                "client_cert",
                f"{plain(route.identity.certificate)}: {plain(str(error), 100)}",
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


def _translate(error: Exception, url: str, proxy: str = "") -> FetchError:
    if isinstance(error, DetailedPyreqwestError):
        causes = [cause["message"] for cause in error.details.get("causes") or ()]
        is_timeout = isinstance(error, RequestTimeoutError)
        return from_causes(causes or [error.message], is_timeout, url, proxy)
    if isinstance(error, PyreqwestError):
        return from_causes([error.message], False, url, proxy)
    # A plain ValueError comes from the URL parser or from a header that we gave.
    if "header" in str(error):
        return PermanentError("bad_header", f"{where(url)}: {plain(str(error), 100)}")
    return PermanentError("unknown_host", f"{where(url)}: {plain(str(error), 100)}")
