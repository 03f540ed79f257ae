"""The built-in transport: HTTP/1.1 without a thread between the socket and us.

Little is read ahead, so 500 connections take half of the memory of an HTTP library in
threads, and a small file half of the time. At high throughput the loop is not the place
to move bytes: the connection, with its TLS state, is leased to a thread that decrypts
and writes them (``Connection.lease``).
"""

from __future__ import annotations

import asyncio
import re
import ssl
from functools import lru_cache
from typing import TYPE_CHECKING

from tui.core.errors import ErrorKind, FetchError, PermanentError
from tui.core.quick.named_tuple import NamedTuple
from tui.core.request import OMITTABLE_HEADERS
from tui.net import errors
from tui.net.transports.base import IdleConnections, RawResponse, Transport
from tui.net.transports.error_mapping import from_socket_error
from tui.net.transports.http1.connection import (
    Connection,
    IncompleteBody,
    NoResponse,
)
from tui.net.transports.http1.connector import Connector, Origin
from tui.net.transports.http1.detached_socket import DetachedSocket
from tui.net.transports.http1.parser import (
    HeadTooLarge,
    Http2Frame,
    InvalidChunk,
    InvalidHead,
)
from tui.net.transports.http1.tunnel import proxy_authorization
from tui.net.transports.sockets import SocketConnector
from tui.net.url import host_port, parse_url

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tui.net.routing.proxies import Proxy
    from tui.net.routing.router import Route
    from tui.net.transports.base import Chunk, SocketLease
    from tui.net.transports.early_connections import EarlyConnections
    from tui.net.transports.http1.parser import ResponseHead
    from tui.net.transports.http1.read_budget import ReadBudget
    from tui.net.transports.tls import TlsContexts

# What all URL parsers read the same way; any other URL is normalized first.
_PLAIN = re.compile(
    r"http(s?)://([a-z0-9._-]+|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?"
    r"((?:[/?][\w~!$&'()*+,;=:@%/?.-]*+)?)(?:#.*)?",
    re.ASCII,
)
# The output of ``parse_url``, which leaves brackets and the like in queries alone.
_NORMALIZED = re.compile(
    r"http(s?)://([a-z0-9._-]+|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?((?:[/?][!-~]*)?)"
)
_VERSIONS = {"1.0": "HTTP/1.0", "1.1": "HTTP/1.1"}
_BREAKS = re.compile(r"[\r\n\x00]")


UNANSWERED_S = 0.5
"""Least time without a response after which a request on a new connection moves to one
that has become idle. Some servers and proxies accept more connections than they serve
(haproxy's maxconn): those in the pool would then keep the others waiting."""
_LATE = 4.0
"""How many times longer than responses usually take at this origin that has to be."""
MAX_TIMED_ORIGINS = 1024
"""Origins whose response times are kept; of further ones, those seen first are dropped.
"""


class _Unanswered:
    """A request on a new connection, without a response so far."""

    __slots__ = ("connection", "replacement", "since")

    def __init__(self, connection: Connection, since: float) -> None:
        self.connection = connection
        self.since = since
        """By the loop's clock."""
        self.replacement: Connection | None = None
        """An idle connection, on which the request is sent again."""


class _ResponseTimes:
    """How long responses of an origin take, in seconds."""

    __slots__ = ("fewest_s", "mean_s")

    def __init__(self) -> None:
        self.fewest_s: float | None = None
        """Of all on connections that were idle; ``None`` before the first."""
        self.mean_s: float | None = None
        """Moving mean of those on new connections; ``None`` before the first."""


class Http1Transport(Transport):
    """Sends requests over a pool of sockets of the running loop."""

    name = "http1"

    def __init__(
        self,
        headers: Sequence[tuple[str, str]],
        timeout_s: float,
        keepalive_s: float,
        route: Route,
        contexts: TlsContexts,
        budget: ReadBudget,
        early: EarlyConnections | None = None,
    ) -> None:
        """Prepare an empty pool.

        Args:
            headers: sent with every request that does not have its own.
            timeout_s: for making a connection.
            keepalive_s: after which an idle connection is closed.
            route: of all connections.
            contexts: TLS contexts of the session.
            budget: shared by the session's connections.
            early: connections that are being opened.
        """
        self._loop = asyncio.get_running_loop()
        self._headers = list(headers)
        self._default_lines = _lines(headers)
        self._keepalive_s = keepalive_s
        self._budget = budget
        user_agent = dict(headers).get("User-Agent", "")
        sockets = SocketConnector(route, early)
        self._connector = Connector(
            route, sockets, contexts, timeout_s, user_agent, budget
        )
        self._proxy = route.proxy
        self._idle: dict[Origin, list[Connection]] = {}
        """The most recently used one is last."""
        self._times: dict[Origin, _ResponseTimes] = {}
        self._open: set[Connection] = set()
        self._unanswered: dict[Origin, list[_Unanswered]] = {}
        """In the order in which they were sent."""
        self._hand_over_timer: asyncio.TimerHandle | None = None
        self._sweep: asyncio.TimerHandle | None = None

    async def open(self, url: str, headers: Sequence[tuple[str, str]]) -> RawResponse:
        """Send a GET and wait for the response headers."""
        target = _parse(url)
        origin = target.origin
        if self._proxy is not None and self._connector.forwards(origin):
            target = self._through_proxy(target, self._proxy)
            # Whatever the origin: one pool of connections to the proxy.
            origin = target.origin
        request = self._encode(target, headers, url)
        try:
            connection = self._take_idle(origin)
            if connection is not None:
                try:
                    sent_at = self._loop.time()
                    head = await connection.send_request(request)
                    took_s = self._loop.time() - sent_at
                    times = self._times_of(origin)
                    if times.fewest_s is None or took_s < times.fewest_s:
                        times.fewest_s = took_s
                except Exception:
                    # The server has just closed it: RFC 9112 section 9.3.1 allows a GET
                    # without any response to be sent again.
                    if not connection.has_no_data:
                        raise
                    connection = None
            if connection is None:
                connection = await self._connect(origin)
                connection, head = await self._send_first(origin, connection, request)
                if connection.tls is not None and origin.is_secure:
                    self._connector.store_session(origin, connection.tls)
        except Exception as error:
            raise _to_error(error, url) from None
        return Http1Response(self, origin, connection, head)

    def idle_connections(self, url: str) -> IdleConnections:
        """Return what is known of the idle connections to the origin of ``url``."""
        origin = _parse(url).origin
        if self._proxy is not None and self._connector.forwards(origin):
            origin = Origin(self._proxy.host, self._proxy.port)
        oldest = self._loop.time() - self._keepalive_s
        usable = [
            connection
            for connection in self._idle.get(origin, ())
            if connection.is_open and connection.idle_since > oldest
        ]
        times = self._times.get(origin)
        return IdleConnections(len(usable), (times and times.fewest_s) or 0.0)

    async def aclose(self) -> None:
        """Close all connections. Safe to call twice."""
        if self._sweep is not None:
            self._sweep.cancel()
            self._sweep = None
        if self._hand_over_timer is not None:
            self._hand_over_timer.cancel()
            self._hand_over_timer = None
        self._idle.clear()
        for connection in list(self._open):
            connection.abort()

    def release(self, origin: Origin, connection: Connection) -> None:
        """Put a connection back into the pool after its response, or close it."""
        if not connection.release():
            return
        connection.idle_since = self._loop.time()
        self._idle.setdefault(origin, []).append(connection)
        if self._unanswered:
            self._hand_over()
        if self._sweep is None:
            self._sweep = self._loop.call_later(self._keepalive_s, self._close_idle)

    # -- inside ------------------------------------------------------------------------

    def _times_of(self, origin: Origin) -> _ResponseTimes:
        times = self._times.get(origin)
        if times is None:
            if len(self._times) >= MAX_TIMED_ORIGINS:
                self._times.pop(next(iter(self._times)))
            times = self._times[origin] = _ResponseTimes()
        return times

    def _through_proxy(self, target: _ParsedUrl, proxy: Proxy) -> _ParsedUrl:
        """Return what to ask the proxy for (RFC 9112 section 3.2.2)."""
        return _ParsedUrl(
            Origin(proxy.host, proxy.port),
            target.authority,
            f"http://{target.authority}{target.path}",
            proxy_authorization(proxy),
        )

    def _encode(
        self, target: _ParsedUrl, headers: Sequence[tuple[str, str]], url: str
    ) -> bytes:
        lines = self._default_lines
        host = f"host: {target.authority}\r\n"
        if headers:
            given = {name.lower() for name, _ in headers}
            defaults = [(k, v) for k, v in self._headers if k.lower() not in given]
            lines = _lines(defaults) + _lines(
                [(k, v) for k, v in headers if v or k.lower() not in OMITTABLE_HEADERS]
            )
            if "host" in given:
                host = ""
            if any(_BREAKS.search(name + value) for name, value in headers):
                raise PermanentError(
                    ErrorKind.BAD_HEADER,
                    f"{host_port(url)}: a request header is invalid",
                )
        if target.proxy_authorization:
            lines += f"proxy-authorization: {target.proxy_authorization}\r\n"
        return f"GET {target.path} HTTP/1.1\r\n{host}{lines}\r\n".encode(
            # Cookies in another encoding than UTF-8 go back as they came.
            errors="surrogateescape"
        )

    async def _connect(self, origin: Origin) -> Connection:
        link = await self._connector.connect(origin)
        try:
            detached = DetachedSocket(link.sock, link.tls)
            _, connection = await self._loop.create_connection(
                lambda: Connection(
                    self._loop, self._budget, self._open.discard, detached, link.tls
                ),
                sock=link.sock,
            )
        except BaseException:
            link.sock.close()
            raise
        self._open.add(connection)
        return connection

    async def _send_first(
        self, origin: Origin, connection: Connection, request: bytes
    ) -> tuple[Connection, ResponseHead]:
        """Send the first request on a new connection, or on one that becomes idle.

        Returns:
            The connection with the response, and its head.
        """
        began = self._loop.time()
        this = _Unanswered(connection, began)
        waiting = self._unanswered.setdefault(origin, [])
        waiting.append(this)
        try:
            head = await connection.send_request(request)
        except BaseException as error:
            replacement = this.replacement
            if replacement is None:
                raise
            if not isinstance(error, Exception):  # cancelled at that very moment
                replacement.abort()
                raise
            return replacement, await replacement.send_request(request)
        finally:
            waiting.remove(this)
            if not waiting:
                del self._unanswered[origin]
        took_s = self._loop.time() - began
        times = self._times_of(origin)
        mean_s = took_s if times.mean_s is None else times.mean_s
        times.mean_s = mean_s + (took_s - mean_s) / 4
        return connection, head

    def _hand_over(self) -> None:
        """Give idle connections to requests that have been waiting too long."""
        now, is_early = self._loop.time(), False
        for origin, waiting in self._unanswered.items():
            times = self._times.get(origin)
            mean_s = (times and times.mean_s) or 0.0
            patience_s = max(UNANSWERED_S, _LATE * mean_s)
            for this in waiting:
                if this.replacement is not None or not this.connection.has_no_data:
                    continue
                if now - this.since < patience_s:
                    is_early = is_early or bool(self._idle.get(origin))
                    break
                this.replacement = self._take_idle(origin)
                if this.replacement is None:
                    break
                this.connection.abort()
        if is_early and self._hand_over_timer is None:
            self._hand_over_timer = self._loop.call_later(
                UNANSWERED_S, self._hand_over_later
            )

    def _hand_over_later(self) -> None:
        self._hand_over_timer = None
        self._hand_over()

    def _take_idle(self, origin: Origin) -> Connection | None:
        idle = self._idle.get(origin)
        while idle:
            connection = idle.pop()
            age = self._loop.time() - connection.idle_since
            if connection.is_open and age < self._keepalive_s:
                return connection
            connection.abort()
        return None

    def _close_idle(self) -> None:
        """Close expired connections; run again for as long as there are idle ones."""
        self._sweep = None
        oldest = self._loop.time() - self._keepalive_s
        for origin, connections in list(self._idle.items()):
            kept = [c for c in connections if c.is_open and c.idle_since > oldest]
            for connection in set(connections).difference(kept):
                connection.abort()
            if kept:
                self._idle[origin] = kept
            else:
                del self._idle[origin]
        if self._idle:
            self._sweep = self._loop.call_later(self._keepalive_s, self._close_idle)


class Http1Response(RawResponse):
    """A response on a connection of the pool."""

    __slots__ = ("_connection", "_fields", "_origin", "_transport")

    def __init__(
        self,
        transport: Http1Transport,
        origin: Origin,
        connection: Connection,
        head: ResponseHead,
    ) -> None:
        self.status = head.status
        self.http_version = _VERSIONS[head.version]
        self.read_chunk = connection.read_chunk
        self._transport = transport
        self._origin = origin
        self._connection: Connection | None = connection
        self._fields = head.fields
        self.content_length = head.content_length
        self.header_map = head.header_map

    def limit_reads(self, nbytes: int | None) -> None:
        """Let at most so many bytes arrive until the next chunk is read."""
        if self._connection is not None:
            self._connection.read_limit = nbytes

    def read_rest_nowait(self) -> list[Chunk] | None:
        """Return the rest of the body if all of it has arrived."""
        return None if self._connection is None else self._connection.read_rest_nowait()

    def lease(self) -> SocketLease | None:
        """Lease the connection to a thread, if possible now."""
        connection = self._connection
        return None if connection is None else connection.lease()

    def values(self, name: str) -> list[str]:
        """Return all values of a header."""
        return [value for field, value in self._fields if field == name]

    def fields(self) -> list[tuple[str, str]]:
        """Return all headers."""
        return list(self._fields)

    def to_error(self, error: Exception, url: str) -> FetchError:
        """Map an exception raised by ``read_chunk``."""
        if isinstance(error, ssl.SSLError):
            # It worked until now: something damaged the stream.
            return errors.connection_lost(host_port(url))
        return _to_error(error, url)

    async def close(self) -> None:
        """Release the connection; an incomplete body closes it at once."""
        connection, self._connection = self._connection, None
        if connection is not None:
            self._transport.release(self._origin, connection)


class _ParsedUrl(NamedTuple):
    origin: Origin
    authority: str
    """For the Host header."""
    path: str
    """What is asked for: a path, or a whole URL of a proxy."""
    proxy_authorization: str = ""


def _parse(url: str) -> _ParsedUrl:
    """Split a URL into what a request needs.

    Raises:
        PermanentError: ``unknown_host``, the URL is invalid.
    """
    found = _PLAIN.fullmatch(url)
    if found is None or "/." in found[4]:
        found = _NORMALIZED.fullmatch(parse_url(url).url)
    server = None if found is None else _server(found[1], found[2], found[3])
    if found is None or server is None:
        raise PermanentError(
            ErrorKind.UNKNOWN_HOST, f"{host_port(url)}: the URL is invalid"
        )
    path = found[4]
    if not path.startswith("/"):
        path = "/" + path
    return _ParsedUrl(*server, path)


@lru_cache(256)
def _server(secure: str, host: str, digits: str | None) -> tuple[Origin, str] | None:
    """Return origin and authority; ``None`` for an invalid port.

    Args:
        secure: "s" for https.
        host: an IPv6 address in brackets.
        digits: the port; ``None`` for the scheme's.
    """
    usual = 443 if secure else 80
    port = int(digits or usual)
    if not 0 < port < 65536:
        return None
    authority = host if port == usual else f"{host}:{port}"
    return Origin(host.strip("[]"), port, bool(secure)), authority


def _lines(headers: Sequence[tuple[str, str]]) -> str:
    return "".join(f"{name.lower()}: {value}\r\n" for name, value in headers)


def _to_error(error: Exception, url: str) -> FetchError:
    """Map an exception of the client or of the sockets under it."""
    if isinstance(error, FetchError):
        return error
    server = host_port(url)
    if isinstance(error, Http2Frame) and url[:6].lower() == "https:":
        return errors.no_http1(server)
    if isinstance(error, InvalidHead):
        return errors.invalid_http(server, str(error))
    if isinstance(error, HeadTooLarge):
        return errors.headers_too_large(server)
    if isinstance(error, InvalidChunk):
        return errors.invalid_chunk(server)
    if isinstance(error, IncompleteBody):
        return errors.incomplete_body(server)
    if isinstance(error, NoResponse):
        return errors.no_response(server)
    return from_socket_error(error, server, is_connecting=False)
