"""The loop's own wire: plain HTTP/1 without a thread between the socket and us.

A small file costs half of what it costs over pyreqwest, whose Rust threads have to hand
each answer over to the loop (30 us instead of 55 for the process, measured at 16 at
once), and 500 connections half of the memory, since little is read ahead. What comes in
floods is not for the loop: the connection is lent to a thread that writes it
(``Connection.lend``).

It speaks ``http://`` to the server itself; TLS and proxies are the others'.
"""

from __future__ import annotations

import asyncio
import re
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from tui.core.errors import FetchError, PermanentError
from tui.net.transports.base import RawResponse, Transport
from tui.net.transports.http1.connection import Connection
from tui.net.transports.http1.detached_socket import DetachedSocket
from tui.net.transports.http1.dial import dial
from tui.net.transports.http1.errors import from_loop
from tui.net.transports.http1.read_budget import ReadBudget
from tui.net.url import read_address, where

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TypeAlias

    from tui.net.transports.base import Chunk, SocketLease
    from tui.net.transports.http1.parser import Head

    Origin: TypeAlias = "tuple[str, int]"

# What all parsers of URLs read alike; anything else is written out anew first.
_PLAIN = re.compile(
    r"http://([a-z0-9._-]+|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?"
    r"((?:[/?](?:[\w~!$&'()*+,;=:@%/?-]++|(?<!/)\.)*+)?)(?:#.*)?",
    re.ASCII,
)
# What ``read_address`` wrote; it leaves brackets and the like in queries as they are.
_WRITTEN = re.compile(
    r"http://([a-z0-9._-]+|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?((?:[/?][!-~]*)?)"
)
_VERSIONS = {"1.0": "HTTP/1.0", "1.1": "HTTP/1.1"}
_BREAKS = re.compile(r"[\r\n\x00]")


class Http1Transport(Transport):
    """Opens exchanges on sockets of the running loop."""

    name = "builtin"

    def __init__(
        self,
        headers: Sequence[tuple[str, str]],
        timeout_s: float,
        keepalive_s: float,
    ) -> None:
        """Open nothing yet.

        Args:
            headers: carried by every request that does not bring its own.
            timeout_s: for a connection to come about.
            keepalive_s: after which an idle connection is closed.
        """
        self._loop = asyncio.get_running_loop()
        self._headers = list(headers)
        self._usual = _lines(headers)
        self._timeout_s = timeout_s
        self._keepalive_s = keepalive_s
        self._room = ReadBudget(self._loop)
        self._idle: dict[Origin, list[Connection]] = {}
        """The last one used stands last."""
        self._open: set[Connection] = set()
        self._sweep: asyncio.TimerHandle | None = None

    async def open(self, url: str, headers: Sequence[tuple[str, str]]) -> RawResponse:
        """Send a GET and wait for the response headers."""
        place = _read(url)
        request = self._request(place, headers, url)
        is_connecting = False
        try:
            connection = self._take_idle(place.origin)
            if connection is not None:
                try:
                    head = await connection.ask(request)
                except Exception:
                    # The server closed it just then: RFC 9112 section 9.3.1 lets a
                    # GET of which nothing came be sent again.
                    if not connection.is_fresh:
                        raise
                    connection = None
            if connection is None:
                is_connecting = True
                connection = await self._connect(place.origin)
                is_connecting = False
                head = await connection.ask(request)
        except Exception as error:
            raise _translated(error, url, is_connecting) from None
        return Http1Response(self, place.origin, connection, head)

    async def aclose(self) -> None:
        """Close all connections. Safe to call twice."""
        if self._sweep is not None:
            self._sweep.cancel()
            self._sweep = None
        self._idle.clear()
        for connection in list(self._open):
            connection.abort()

    def give_back(self, origin: Origin, connection: Connection) -> None:
        """Take a connection back whose answer nobody wants to read on."""
        if not connection.release():
            return
        connection.idle_since = self._loop.time()
        self._idle.setdefault(origin, []).append(connection)
        if self._sweep is None:
            self._sweep = self._loop.call_later(self._keepalive_s, self._close_idle)

    # -- inside ------------------------------------------------------------------------

    def _request(
        self, place: _Place, headers: Sequence[tuple[str, str]], url: str
    ) -> bytes:
        usual = self._usual
        host = f"host: {place.authority}\r\n"
        if headers:
            given = {name.lower() for name, _ in headers}
            left = [(k, v) for k, v in self._headers if k.lower() not in given]
            usual = _lines(left) + _lines(headers)
            if "host" in given:
                host = ""
            if any(_BREAKS.search(name + value) for name, value in headers):
                raise PermanentError(
                    "bad_header", f"{where(url)}: a request header is not valid"
                )
        return f"GET {place.path} HTTP/1.1\r\n{host}{usual}\r\n".encode()

    async def _connect(self, origin: Origin) -> Connection:
        host, port = origin
        sock = await dial(self._loop, host, port, self._timeout_s)
        tap = DetachedSocket(sock)
        try:
            _, connection = await self._loop.create_connection(
                lambda: Connection(self._loop, self._room, self._open.discard, tap),
                sock=sock,
            )
        except BaseException:
            sock.close()
            raise
        self._open.add(connection)
        return connection

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
        """Close what has been idle for too long; come back as long as any is left."""
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
    """An answer on a connection of the loop."""

    __slots__ = ("_connection", "_fields", "_origin", "_wire")

    def __init__(
        self, wire: Http1Transport, origin: Origin, connection: Connection, head: Head
    ) -> None:
        self.status = head.status
        self.http_version = _VERSIONS[head.version]
        self.read_chunk = connection.read_chunk
        self._wire = wire
        self._origin = origin
        self._connection: Connection | None = connection
        self._fields = head.fields
        self.table = head.table

    def take_rest(self) -> list[Chunk] | None:
        """Take the whole rest of the body if it is here already."""
        return None if self._connection is None else self._connection.take_rest()

    def lend(self) -> SocketLease | None:
        """Lend the connection to a thread, if that is possible now."""
        connection = self._connection
        return None if connection is None else connection.lend()

    def values(self, name: str) -> list[str]:
        """All values of a header."""
        return [value for field, value in self._fields if field == name]

    def fields(self) -> list[tuple[str, str]]:
        """All headers."""
        return list(self._fields)

    def is_unreadable(self, name: str) -> bool:  # noqa: ARG002
        """Never: the bytes are there."""
        return False

    def fault(self, error: Exception, url: str) -> FetchError:
        """Translate an exception out of ``read_chunk``."""
        return _translated(error, url, is_connecting=False)

    async def close(self) -> None:
        """Let the connection go; an unread body closes it at once."""
        connection, self._connection = self._connection, None
        if connection is not None:
            self._wire.give_back(self._origin, connection)


class _Place(NamedTuple):
    origin: Origin
    authority: str
    """For the Host header."""
    path: str


def _read(url: str) -> _Place:
    """Read a URL.

    Raises:
        PermanentError: it leads nowhere.
    """
    found = _PLAIN.fullmatch(url) or _WRITTEN.fullmatch(read_address(url).url)
    server = None if found is None else _server(found[1], found[2])
    if found is None or server is None:
        raise PermanentError("unknown_host", f"{where(url)}: the URL leads nowhere")
    path = found[3]
    if not path.startswith("/"):
        path = "/" + path
    return _Place(*server, path)


@lru_cache(256)
def _server(host: str, digits: str | None) -> tuple[Origin, str] | None:
    """Return origin and authority; ``None`` for a port that cannot be."""
    port = int(digits or 80)
    if not 0 < port < 65536:
        return None
    authority = host if port == 80 else f"{host}:{port}"
    return (host.strip("[]"), port), authority


def _lines(headers: Sequence[tuple[str, str]]) -> str:
    return "".join(f"{name.lower()}: {value}\r\n" for name, value in headers)


def _translated(error: Exception, url: str, is_connecting: bool) -> FetchError:
    if isinstance(error, FetchError):
        return error
    return from_loop(error, url, is_connecting)
