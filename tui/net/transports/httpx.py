"""The httpx transport: for HTTP/2, and for everything if it is chosen."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any

import httpcore
import httpx
from anyio.abc import SocketStream
from httpcore._backends.anyio import AnyIOStream

from tui.core.request import OMITTABLE_HEADERS
from tui.net.errors import headers_too_large
from tui.net.transports.base import (
    MAX_HEAD_BYTES,
    MAX_HEADER_BYTES,
    MAX_HEADER_FIELDS,
    RawResponse,
    Transport,
    join_fields,
    parse_length,
)
from tui.net.transports.error_mapping import from_httpx
from tui.net.transports.sockets import CannotBind, NoMatchingAddress, SocketConnector
from tui.net.transports.tls import make_context
from tui.net.url import host_port

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable, Sequence

    from anyio.abc import ByteStream

    from tui.core.errors import FetchError
    from tui.net.routing.router import Route


_VERSIONS = {"HTTP/2": "HTTP/2.0"}


_HEAD_READ = 8 << 10
"""Bytes per read until the response has arrived."""
_TINY = 512
"""Size of a piece of the body below which a read is made smaller."""
_TINY_READ = 2 << 10
"""Bytes per read of a body in tiny chunks: h11 decodes one in about 12 us and gives
nothing else a turn before a read is decoded, which is 0.13 s for the usual 64 KiB."""


class BoundedStream(AnyIOStream):
    """A connection whose reads are bounded, so that a server cannot block the loop.

    Between a request and its response, only so much is read: h11 bounds one head, but
    not the number of informational responses (RFC 9110 section 15.2) before it.
    """

    def __init__(
        self, stream: ByteStream, turn: asyncio.Lock, *, is_multiplexed: bool = False
    ) -> None:
        """Bound a connection.

        Args:
            stream: the connection.
            turn: shared by the connections of a transport: those with tiny chunks
                decode one after the other, each in an iteration of the loop.
            is_multiplexed: it speaks HTTP/2.
        """
        super().__init__(stream)
        self._turn = turn
        self._is_multiplexed = is_multiplexed
        """HTTP/2 has no such phases, and the h2 library decodes whole frames."""
        self._head_left: int | None = None
        self._is_tiny = False

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Read up to ``max_bytes``, or less where decoding them would take long.

        Raises:
            HeadTooLarge: no response within ``MAX_HEAD_BYTES``.
        """
        if self._is_tiny:
            max_bytes = min(max_bytes, _TINY_READ)
        elif self._head_left is not None:
            max_bytes = min(max_bytes, _HEAD_READ)
        data = await super().read(max_bytes, timeout)
        if self._head_left is not None:
            self._head_left -= len(data)
            if self._head_left < 0:
                raise HeadTooLarge
        if self._is_tiny:
            async with self._turn:
                await asyncio.sleep(0)
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send a request, after which a response is expected."""
        if not self._is_multiplexed:
            self._head_left = MAX_HEAD_BYTES
            self._is_tiny = False
        await super().write(buffer, timeout)

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Start TLS; the result is bounded as well."""
        self._head_left = None
        # There is no public way to the stream inside.
        stream: Any = await super().start_tls(ssl_context, server_hostname, timeout)
        connection = stream.get_extra_info("ssl_object")
        is_http2 = connection.selected_alpn_protocol() == "h2"
        return BoundedStream(stream._stream, self._turn, is_multiplexed=is_http2)

    def begin_body(self, *, is_chunked: bool) -> None:
        """Note that the response has arrived, and its body follows."""
        self._head_left = None
        # Until the first chunk shows that they are not.
        self._is_tiny = is_chunked and not self._is_multiplexed

    def note_piece(self, nbytes: int) -> None:
        """Adapt the next reads to the size of a piece of the body."""
        self._is_tiny = nbytes < _TINY and not self._is_multiplexed


class HeadTooLarge(Exception):
    """The response headers, with those of informational responses, exceed the limit."""


class RoutedBackend(httpcore.AnyIOBackend):
    """A network backend that connects along a route."""

    def __init__(self, route: Route) -> None:
        self._sockets = SocketConnector(route)
        self._turn = asyncio.Lock()
        self.latest: dict[asyncio.Task[object] | None, httpcore.AsyncNetworkStream] = {}
        """Each task's connection, until its request has a response: httpcore 1.0 leaves
        a connection open if its SOCKS handshake fails."""

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,  # noqa: ARG002  # the route's is used
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,  # noqa: ARG002
    ) -> httpcore.AsyncNetworkStream:
        """Open a TCP connection."""
        try:
            async with asyncio.timeout(timeout):
                sock = await self._sockets.connect(host, port)
        except TimeoutError as error:
            raise httpcore.ConnectTimeout(str(error)) from error
        except (OSError, UnicodeError, NoMatchingAddress, CannotBind) as error:
            raise httpcore.ConnectError(str(error)) from error
        # There is no public way to make httpcore's stream of a socket.
        stream = BoundedStream(await SocketStream.from_socket(sock), self._turn)
        self.latest[asyncio.current_task()] = stream
        return stream


class HttpxTransport(Transport):
    """Sends requests through ``httpx.AsyncHTTPTransport``."""

    name = "httpx"

    def __init__(
        self,
        headers: Sequence[tuple[str, str]],
        timeout_s: float,
        keepalive_s: float,
        ca_file: str | None,
        route: Route,
    ) -> None:
        context = make_context(ca_file, route.client_certificate)
        limits = httpx.Limits(
            max_connections=None,
            max_keepalive_connections=None,
            keepalive_expiry=keepalive_s,
        )
        self._transport = httpx.AsyncHTTPTransport(
            verify=context,
            http1=True,
            http2=route.has_http2,
            trust_env=False,
            limits=limits,
            proxy=_proxy(route, ca_file),
        )
        # There is no public way to hand httpx a backend.
        self._backend = RoutedBackend(route)
        self._transport._pool._network_backend = self._backend
        self._proxy = route.proxy.label if route.proxy is not None else ""
        self._headers = list(headers)
        # Reads have no limit here: the response's idle timeout does that.
        self._extensions = {
            "timeout": {
                "connect": timeout_s,
                "read": None,
                "write": timeout_s,
                "pool": None,
            }
        }

    async def open(self, url: str, headers: Sequence[tuple[str, str]]) -> RawResponse:
        """Send a GET and wait for the response headers."""
        given = {name.lower() for name, _ in headers}
        fields = [(k, v) for k, v in self._headers if k.lower() not in given]
        try:
            request = httpx.Request(
                "GET",
                url,
                headers=[
                    # Cookies in another encoding than UTF-8 go back as they came.
                    (k.encode("ascii"), v.encode(errors="surrogateescape"))
                    for k, v in (*fields, *headers)
                    if v or k.lower() not in OMITTABLE_HEADERS
                ],
                extensions=self._extensions,
            )
            response = await self._transport.handle_async_request(request)
        except HeadTooLarge:
            await self._untrack(is_failed=True)
            raise headers_too_large(host_port(url)) from None
        except Exception as error:
            await self._untrack(is_failed=True)
            raise from_httpx(error, url, self._proxy) from None
        except BaseException:
            await self._untrack(is_failed=True)
            raise
        await self._untrack(is_failed=False)
        raw = response.headers.raw
        if (
            len(raw) > MAX_HEADER_FIELDS
            or sum(len(value) for _, value in raw) > MAX_HEADER_BYTES
        ):
            await response.aclose()
            raise headers_too_large(host_port(url))
        return HttpxResponse(response)

    async def aclose(self) -> None:
        """Close the pool."""
        await self._transport.aclose()

    async def _untrack(self, *, is_failed: bool) -> None:
        """Stop tracking this task's connection, and close it after a failure.

        See ``RoutedBackend.latest``.
        """
        stream = self._backend.latest.pop(asyncio.current_task(), None)
        if stream is not None and is_failed:
            await stream.aclose()


def _proxy(route: Route, ca_file: str | None) -> httpx.Proxy | None:
    proxy = route.proxy
    if proxy is None:
        return None
    return httpx.Proxy(
        proxy.url(has_login=False),
        auth=(proxy.user, proxy.password) if proxy.has_login else None,
        ssl_context=make_context(ca_file) if proxy.scheme == "https" else None,
    )


class HttpxResponse(RawResponse):
    """A response of httpx with its undecoded body."""

    __slots__ = ("_chunks", "_fields", "_left", "_response", "_stream", "_tls")

    def __init__(self, response: httpx.Response) -> None:
        self.status = response.status_code
        self.http_version = _VERSIONS.get(response.http_version, response.http_version)
        self.read_chunk = self._next
        self._response = response
        self._chunks = response.aiter_raw()
        self._fields = [
            (name.decode("latin-1").lower(), value.decode("latin-1"))
            for name, value in response.headers.raw
        ]
        self.header_map = join_fields(self._fields)
        codings = self.header_map.get("transfer-encoding")
        length = parse_length(self.header_map.get("content-length", ""))
        self.content_length = length if codings is None else None
        self._left = self.content_length or 0
        self._tls: Any = None
        stream = response.extensions.get("network_stream")
        self._stream = stream if isinstance(stream, BoundedStream) else None
        if self._stream is not None:
            self._stream.begin_body(is_chunked=codings is not None)
        if length is None and codings is None:
            # Only the end of the connection marks the end of the body: without TLS's
            # own end mark somebody else may have cut it.
            inner: Any = getattr(stream, "_stream", None)
            if hasattr(inner, "standard_compatible"):
                self._tls = inner
                inner.standard_compatible = True

    def values(self, name: str) -> list[str]:
        """Return all values of a header."""
        return [value for field, value in self._fields if field == name]

    def fields(self) -> list[tuple[str, str]]:
        """Return all headers."""
        return list(self._fields)

    def to_error(self, error: Exception, url: str) -> FetchError:
        """Map an exception raised by ``read_chunk``."""
        return from_httpx(error, url)

    async def close(self) -> None:
        """Close the response; an incomplete body closes its connection."""
        if self._tls is not None:
            # Otherwise closing would wait for the server's end mark.
            self._tls.standard_compatible = False
        _close_if_surplus(self._response)
        chunks = self._chunks
        if isinstance(chunks, AsyncGenerator):
            await chunks.aclose()
        await self._response.aclose()

    async def _next(self) -> bytes | None:
        try:
            chunk = await anext(self._chunks, None)
        except Exception:
            if self._tls is None:
                raise
            raise httpx.RemoteProtocolError(
                "closed without sending complete message body"
            ) from None
        if chunk is not None and self._stream is not None:
            self._stream.note_piece(len(chunk))
        if chunk is not None and self._left > 0:
            self._left -= len(chunk)
            if self._left == 0:
                # Reads the end of the message, which has already arrived: otherwise the
                # connection would not return to the pool.
                await anext(self._chunks, None)
        return chunk


def _close_if_surplus(response: httpx.Response) -> None:
    """Keep a connection out of the pool if bytes follow the body.

    They would be taken for the next response. httpcore has no public way to do this.
    """
    stream: Any = response.stream
    for name in ("_httpcore_stream", "_stream", "_connection", "_h11_state"):
        stream = getattr(stream, name, None)
    if stream is not None and stream.trailing_data[0]:
        stream._cstate.process_keep_alive_disabled()
