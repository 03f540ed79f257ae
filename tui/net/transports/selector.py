"""Choose the transport for an origin: the only place that does.

=============================  ================  ===================
feature, tested over sockets   http1             httpx
=============================  ================  ===================
proxy http, https, socks5h     yes               yes
proxy socks5                   resolves here     same as socks5h
client certificate             yes               yes
suites without forward secrecy yes               yes
certificate asked for later    yes               not tested
address, interface, IP, pins   yes               yes
HTTP/2                         no                yes
sockets leased to threads      yes               no
=============================  ================  ===================

Our own HTTP/1.1 client (``http1``) serves everything except HTTP/2: nothing passes
between threads there, and its connections, with their TLS state, can be leased to
writer threads (``disk.direct_copy``). httpx serves HTTP/2, and everything if it is
chosen, as a second opinion about a server.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tui import __version__
from tui.core.request import origin_of
from tui.net.transports.early_connections import KEEPALIVE_S
from tui.net.transports.http1.client import Http1Transport
from tui.net.transports.http1.read_budget import ReadBudget
from tui.net.transports.tls import TlsContexts

if TYPE_CHECKING:
    from tui.core.settings import Settings
    from tui.net.routing.proxies import Proxy
    from tui.net.routing.router import Route, Router
    from tui.net.transports.base import Transport
    from tui.net.transports.early_connections import EarlyConnections

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
        router: Router,
        early: EarlyConnections | None = None,
    ) -> None:
        """Create the transport of the default route.

        Args:
            settings: of the run.
            ca_file: PEM file with the certificates to trust; ``None`` for the system's.
            router: gives the route to each origin.
            early: connections that are being opened along the default route.

        Raises:
            LocalError: ``ca_file``, httpx cannot load it.
        """
        self._timeout_s = settings.timeout_s
        self._ca_file = ca_file
        self._router = router
        self._is_single = router.is_single
        self._wanted = settings.http_backend
        self._headers = _default_headers(settings.user_agent)
        self._contexts = TlsContexts(ca_file)
        self._budget = ReadBudget(asyncio.get_running_loop())
        self._early = early
        if early is not None:
            asyncio.get_running_loop().call_later(KEEPALIVE_S, early.close)
        self._by_route: dict[Route, Transport] = {}
        self._by_origin: dict[tuple[str, bool, bool], Route] = {}
        # Fails now if it does not support the settings.
        self._default = self._transport_on(router.default)

    @property
    def name(self) -> str:
        """The backend in the settings, or the one that serves most requests."""
        return self._default.name

    def transport_for(
        self, url: str, *, is_range: bool = False, is_cross_origin: bool = False
    ) -> Transport:
        """Return the transport for the origin of ``url``.

        Args:
            url: http or https.
            is_range: only a part of the file is requested.
            is_cross_origin: a redirect led here from another origin.
        """
        if self._is_single:
            return self._default
        key = (origin_of(url), is_range, is_cross_origin)
        known = self._by_origin.get(key)
        route = known or self._route(url, is_range, is_cross_origin)
        if known is None and len(self._by_origin) < MAX_CACHED_ORIGINS:
            self._by_origin[key] = route
        return self._transport_on(route)

    def proxy_for(self, url: str) -> Proxy | None:
        """Return the proxy to use for ``url``, if any."""
        return self._route(url, False, False).proxy

    async def aclose(self) -> None:
        """Close all connections. Safe to call twice."""
        for transport in self._by_route.values():
            await transport.aclose()
        if self._early is not None:
            self._early.close()

    def _transport_on(self, route: Route) -> Transport:
        transport = self._by_route.get(route)
        if transport is None:
            transport = self._by_route[route] = self._make(route)
        return transport

    def _route(self, url: str, is_range: bool, is_cross_origin: bool) -> Route:
        return self._router.route_for(
            url, is_range=is_range, is_cross_origin=is_cross_origin
        )

    def _make(self, route: Route) -> Transport:
        if self._wanted == "http1" or not (self._wanted or route.has_http2):
            return Http1Transport(
                self._headers,
                self._timeout_s,
                KEEPALIVE_S,
                route,
                self._contexts,
                self._budget,
                self._early,
            )
        # Late: httpx takes 40 ms to load.
        from tui.net.transports.httpx import HttpxTransport

        return HttpxTransport(
            self._headers, self._timeout_s, KEEPALIVE_S, self._ca_file, route
        )
