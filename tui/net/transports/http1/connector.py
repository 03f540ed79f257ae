"""Make the connections of the client: TCP, then a proxy, then TLS."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from typing import TYPE_CHECKING

from tui.core.errors import FetchError
from tui.core.quick.named_tuple import NamedTuple
from tui.net import errors
from tui.net.transports.error_mapping import from_socket_error
from tui.net.transports.http1.tls_stream import TlsStream
from tui.net.transports.http1.tunnel import connect_through, connect_through_socks

if TYPE_CHECKING:
    from tui.net.routing.proxies import Proxy
    from tui.net.routing.router import Route
    from tui.net.transports.http1.read_budget import ReadBudget
    from tui.net.transports.sockets import SocketConnector
    from tui.net.transports.tls import TlsContexts

_MAX_SESSIONS = 1024
"""Servers whose TLS session is kept."""
_RECEIVE_BYTES = 64 << 10
_HANDSHAKE_RECORD, _ALERT_RECORD = 22, 21
"""Types of the only records that a handshake starts with (RFC 8446 section 5.1)."""


class Origin(NamedTuple):
    """A server that connections can be shared for."""

    host: str
    port: int
    is_secure: bool = False
    """Over TLS."""

    @property
    def name(self) -> str:
        """``host:port``, for messages."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


class Link:
    """A socket on which nothing but handshakes has happened."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        sock: socket.socket,
        budget: ReadBudget,
    ) -> None:
        self._loop = loop
        self._budget = budget
        self.sock = sock
        self.tls: TlsStream | None = None

    async def send(self, data: bytes) -> None:
        """Send all of it."""
        if self.tls is not None:
            data = self.tls.encrypt(data)
        await self._loop.sock_sendall(self.sock, data)

    async def receive(self) -> bytes:
        """Wait for bytes; ``b""`` at the end."""
        while True:
            data = await self._loop.sock_recv(self.sock, _RECEIVE_BYTES)
            if self.tls is None or not data:
                return data
            data = bytes(self.tls.decrypt(data))
            while self.tls.has_more:
                data += self.tls.decrypt()
            if data or self.tls.is_closed:
                return data
            if self.tls.error is not None:
                raise self.tls.error

    async def start_tls(
        self, context: ssl.SSLContext, host: str, session: ssl.SSLSession | None
    ) -> None:
        """Shake hands; inside the TLS with a proxy, if there is any.

        Raises:
            ssl.SSLError: the server or its certificate is not acceptable.
            NotTls, ConnectionResetError: it does not shake hands.
        """
        await self._budget.turn()
        tls = TlsStream(context, host, session, self.tls)
        is_first = True
        try:
            while not tls.handshake():
                await self._loop.sock_sendall(self.sock, tls.take_outgoing())
                data = await self._loop.sock_recv(self.sock, _RECEIVE_BYTES)
                if not data:
                    raise ConnectionResetError
                if (
                    is_first
                    and self.tls is None
                    and data[0] not in (_HANDSHAKE_RECORD, _ALERT_RECORD)
                ):
                    raise NotTls(data.startswith(b"HTTP/"))
                is_first = False
                tls.feed(data)
                await self._budget.turn()
        except ssl.SSLError:
            # The alert says why; the handshake has failed with or without it.
            with contextlib.suppress(OSError):
                self.sock.send(tls.take_outgoing())
            raise
        await self._loop.sock_sendall(self.sock, tls.take_outgoing())
        self.tls = tls


class NotTls(Exception):
    """The server answered the handshake with something else."""

    def __init__(self, is_http: bool) -> None:
        """Describe what it answered.

        Args:
            is_http: whether that is plain HTTP.
        """
        super().__init__()
        self.is_http = is_http


class Connector:
    """Connects to the origins of one route."""

    def __init__(
        self,
        route: Route,
        sockets: SocketConnector,
        contexts: TlsContexts,
        timeout_s: float,
        user_agent: str,
        budget: ReadBudget,
    ) -> None:
        """Prepare to connect.

        Args:
            route: to all origins.
            sockets: connects along it.
            contexts: of the session.
            timeout_s: for a whole connection, handshakes included.
            user_agent: for proxies.
            budget: spreads handshakes over iterations of the loop.
        """
        self._loop = asyncio.get_running_loop()
        self._route = route
        self._contexts = contexts
        self._timeout_s = timeout_s
        self._user_agent = user_agent
        self._budget = budget
        self._sockets = sockets
        self._sessions: dict[Origin, ssl.SSLSession] = {}

    def forwards(self, origin: Origin) -> bool:
        """Whether requests are sent to a proxy instead of through it."""
        proxy = self._route.proxy
        return proxy is not None and not proxy.is_socks and not origin.is_secure

    async def connect(self, origin: Origin) -> Link:
        """Return a connection that is ready for a request.

        Raises:
            FetchError: there is none.
        """
        deadline = self._loop.time() + self._timeout_s
        proxy = self._route.proxy
        if origin.is_secure:
            # Reading the system's certificates takes 25 ms in a thread.
            self._contexts.load(self._route.client_certificate)
        if proxy is not None:
            link = await self._reach_proxy(proxy, origin, deadline)
        else:
            link = await self._dial(origin.host, origin.port, origin.name, deadline)
        if not origin.is_secure:
            return link
        try:
            async with asyncio.timeout_at(deadline):
                context = await self._contexts.get(self._route.client_certificate)
                session = self._sessions.get(origin)
                await link.start_tls(context, origin.host, session)
        except BaseException as error:
            link.sock.close()
            # A session that the server rejects must not fail the next attempt.
            self._sessions.pop(origin, None)
            raise _to_error(error, origin.name) from None
        return link

    def store_session(self, origin: Origin, tls: TlsStream) -> None:
        """Keep a session to resume; call it after the first response.

        A newer one than the connection was given came with another connection: of many
        that are opened at once, one is enough. Each costs a third of a millisecond.
        """
        if self._sessions.get(origin) is not tls.offered:
            return
        session = tls.session
        if session is not None:
            if len(self._sessions) >= _MAX_SESSIONS:
                self._sessions.pop(next(iter(self._sessions)))
            self._sessions[origin] = session

    # -- inside ------------------------------------------------------------------------

    async def _dial(self, host: str, port: int, name: str, deadline: float) -> Link:
        try:
            async with asyncio.timeout_at(deadline):
                sock = await self._sockets.connect(host, port)
                return Link(self._loop, sock, self._budget)
        except BaseException as error:
            raise _to_error(error, name) from None

    async def _reach_proxy(self, proxy: Proxy, origin: Origin, deadline: float) -> Link:
        """Connect to the proxy and, unless it forwards, through it to the origin."""
        name = errors.proxy_name(proxy.label)
        try:
            link = await self._dial(proxy.host, proxy.port, name, deadline)
            if proxy.scheme == "https":
                await self._secure_proxy(link, proxy, deadline)
        except FetchError as error:
            raise errors.proxy_failure(error) from None
        if self.forwards(origin):
            return link
        try:
            async with asyncio.timeout_at(deadline):
                await self._ask(link, proxy, origin)
        except BaseException as error:
            link.sock.close()
            if isinstance(error, TimeoutError):
                raise errors.proxy_cannot_connect(
                    proxy.label, origin.name, ": timed out"
                ) from None
            if isinstance(error, OSError | ssl.SSLError) and not isinstance(
                error, socket.gaierror
            ):
                raise errors.proxy_failure(_as_error(error, name)) from None
            raise _to_error(error, origin.name) from None
        return link

    async def _secure_proxy(self, link: Link, proxy: Proxy, deadline: float) -> None:
        try:
            async with asyncio.timeout_at(deadline):
                # The client certificate is for servers.
                context = await self._contexts.get(None)
                await link.start_tls(context, proxy.host, None)
        except BaseException as error:
            link.sock.close()
            raise _to_error(error, errors.proxy_name(proxy.label)) from None

    async def _ask(self, link: Link, proxy: Proxy, origin: Origin) -> None:
        host, port = origin.host, origin.port
        if not proxy.is_socks:
            await connect_through(link, proxy, host, port, self._user_agent)
            return
        if proxy.scheme == "socks5":
            host = await self._sockets.address_of(host, port)
        await connect_through_socks(link, proxy, host, port)


def _to_error(error: BaseException, name: str) -> BaseException:
    """Return what to raise for an exception while connecting."""
    return _as_error(error, name) if isinstance(error, Exception) else error


def _as_error(error: Exception, name: str) -> FetchError:
    if isinstance(error, FetchError):
        return error
    if isinstance(error, NotTls):
        return errors.plain_http(name) if error.is_http else errors.not_tls(name)
    return from_socket_error(error, name, is_connecting=True)
