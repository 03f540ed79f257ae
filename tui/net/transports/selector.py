"""Choose the transport for an origin: the only place that does.

=============================  ================  ================  ===================
feature, tested over sockets   http1             pyreqwest         httpx
=============================  ================  ================  ===================
proxy http, https, socks5h     yes               yes               yes
proxy socks5                   resolves here     resolves here     same as socks5h
client certificate             yes               yes               yes
suites without forward secrecy yes               no                yes
certificate asked for later    yes               no                not tested
address, interface, IP, pins   yes               yes               yes
HTTP/2                         no                yes               yes
header bytes outside ASCII     yes               no                yes
sockets leased to threads      yes               no                no
=============================  ================  ================  ===================

Our own HTTP/1.1 client (``http1``) serves plain HTTP that needs nothing special:
nothing passes between threads there, and its sockets can be leased to writer threads
(``disk.direct_copy``). Everything else goes to pyreqwest, or to ``http1`` where it has
no build. Over TLS neither is faster at everything (``python -m tests.bench --work
tls,many-tls,small-tls``, real-time priority, 2 cores): 5,000 files of 10 KiB take
``http1`` 1.08 s and pyreqwest 1.10 to 1.21, 1 GiB takes both 1.7, and 100 files of
5 MiB at 16 at once 1.0 and 0.85, because OpenSSL takes and returns the interpreter's
lock for each record of 16 KiB.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tui import __version__
from tui.core.errors import ErrorKind, LocalError
from tui.core.request import origin_of
from tui.net.transports.http1.client import Http1Transport
from tui.net.transports.http1.read_budget import ReadBudget
from tui.net.transports.tls import TlsContexts

if TYPE_CHECKING:
    from tui.core.settings import Settings
    from tui.net.routing.proxies import Proxy
    from tui.net.routing.router import Route, Router
    from tui.net.transports.base import Transport

KEEPALIVE_S = 4.0
"""Idle connections are closed before common servers close them (Node and Apache after
5 s): a request into a connection that has just closed fails as ``reset``."""

MAX_CACHED_ORIGINS = 4096
"""Origins whose route is cached: redirects may lead to ever new names."""

_DEFAULT_HEADERS = (("Accept", "*/*"), ("Accept-Encoding", "identity"))


def _default_headers(user_agent: str | None) -> tuple[tuple[str, str], ...]:
    if user_agent is None:
        user_agent = f"fetchtui/{__version__}"
    return (*_DEFAULT_HEADERS, *([("User-Agent", user_agent)] if user_agent else []))


class TransportSelector:
    """The transports of a session: one per route, created on first use.

    Must be created inside a running loop.
    """

    def __init__(
        self,
        settings: Settings,
        ca_file: str | None,
        open_limit_s: float,
        router: Router,
    ) -> None:
        """Create the transport of the default route.

        Args:
            settings: of the run.
            ca_file: PEM file with the certificates to trust; ``None`` for the system's.
            open_limit_s: how long the session waits for response headers.
            router: gives the route to each origin.

        Raises:
            LocalError: ``internal``, the backend in the settings is not installed.
        """
        self._timeout_s = settings.timeout_s
        self._ca_file = ca_file
        self._open_limit_s = open_limit_s
        self._router = router
        self._is_single = router.is_single
        self._wanted = settings.http_backend
        self._headers = _default_headers(settings.user_agent)
        self._contexts = TlsContexts(ca_file)
        self._budget = ReadBudget(asyncio.get_running_loop())
        self._by_route: dict[Route, Transport] = {}
        self._by_origin: dict[tuple[str, bool, bool], Route] = {}
        self._fallbacks: dict[Route, Transport] = {}
        self._plain: Transport | None = None
        if not self._wanted and router.default.is_direct:
            self._plain = self._make_http1(router.default)
        else:
            # Fails now if it is not installed or does not support the settings.
            self._transport_on(router.default)

    @property
    def name(self) -> str:
        """The backend in the settings, or the one that serves most requests."""
        return self._wanted or self._transport_on(self._router.default).name

    def transport_for(
        self, url: str, *, is_range: bool = False, is_cross_origin: bool = False
    ) -> Transport:
        """Return the transport for the origin of ``url``.

        Args:
            url: http or https.
            is_range: only a part of the file is requested.
            is_cross_origin: a redirect led here from another origin.
        """
        route = self._router.default
        if not self._is_single:
            key = (origin_of(url), is_range, is_cross_origin)
            known = self._by_origin.get(key)
            route = known or self._route(url, is_range, is_cross_origin)
            if known is None and len(self._by_origin) < MAX_CACHED_ORIGINS:
                self._by_origin[key] = route
        plain = self._plain
        if plain is not None and route.is_direct and url.startswith("http://"):
            return plain
        return self._transport_on(route)

    def fallback_for(self, url: str, *, is_cross_origin: bool = False) -> Transport:
        """Return a transport to the same origin that can read every header."""
        route = self._route(url, True, is_cross_origin)
        if route not in self._fallbacks:
            self._fallbacks[route] = self._make_http1(route)
        return self._fallbacks[route]

    def proxy_for(self, url: str) -> Proxy | None:
        """Return the proxy to use for ``url``, if any."""
        return self._route(url, False, False).proxy

    async def aclose(self) -> None:
        """Close all connections. Safe to call twice."""
        if self._plain is not None:
            await self._plain.aclose()
        for transport in (*self._by_route.values(), *self._fallbacks.values()):
            await transport.aclose()

    def _transport_on(self, route: Route) -> Transport:
        transport = self._by_route.get(route)
        if transport is None:
            # Some 5 ms, once for each route that the settings define; the first time
            # some 20 ms more to load the library.
            transport = self._by_route[route] = self._make(route)
        return transport

    def _route(self, url: str, is_range: bool, is_cross_origin: bool) -> Route:
        return self._router.route_for(
            url, is_range=is_range, is_cross_origin=is_cross_origin
        )

    def _make(self, route: Route) -> Transport:
        if self._wanted in ("", "pyreqwest"):
            try:
                return self._make_pyreqwest(route)
            except ImportError:
                if self._wanted:
                    raise LocalError(
                        ErrorKind.INTERNAL, "pyreqwest is not installed"
                    ) from None
        if self._wanted == "http1" or not (self._wanted or route.has_http2):
            return self._make_http1(route)
        # Late: httpx takes 40 ms to load.
        from tui.net.transports.httpx import HttpxTransport

        return HttpxTransport(
            self._headers, self._timeout_s, KEEPALIVE_S, self._ca_file, route
        )

    def _make_http1(self, route: Route) -> Transport:
        return Http1Transport(
            self._headers,
            self._timeout_s,
            KEEPALIVE_S,
            route,
            self._contexts,
            self._budget,
        )

    def _make_pyreqwest(self, route: Route) -> Transport:
        from tui.net.transports.pyreqwest import PyreqwestTransport

        return PyreqwestTransport(
            self._headers,
            timeout_s=self._timeout_s,
            orphan_timeout_s=self._open_limit_s + 0.5,
            keepalive_s=KEEPALIVE_S,
            ca_file=self._ca_file,
            route=route,
        )
