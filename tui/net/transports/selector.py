"""Choose the transport for an origin: the only place that does.

What the transports support, as tested over sockets (``tests/net``):

=============================  ==========================  ===========================
feature                        pyreqwest                   httpx
=============================  ==========================  ===========================
proxy http, https              yes                         yes
proxy socks5h                  yes                         with ``fetchtui[socks]``
proxy socks5                   yes, resolves names here    same as socks5h
client certificate             yes                         yes
local address                  yes                         yes
interface by name              Linux, macOS                no
IPv4 or IPv6 only, DNS pins    yes                         yes
HTTP/2                         yes                         no, HTTP/1.1
header bytes outside ASCII     no                          yes
=============================  ==========================  ===========================

Plain HTTP that needs none of this uses a third transport, which runs on the loop
(``http1``): it passes nothing between threads, which halves the cost of 10 KiB (30
instead of 55 us), and its sockets can be leased to writer threads
(``disk.direct_copy``). Of the other two, pyreqwest is faster and serves everything it
supports. httpx serves where pyreqwest has no build, and reads the headers that
pyreqwest cannot.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tui import __version__
from tui.core.errors import ErrorKind, LocalError
from tui.core.request import origin_of
from tui.net.transports.http1.client import Http1Transport

if TYPE_CHECKING:
    from collections.abc import Callable

    from tui.core.settings import Settings
    from tui.net.routing.proxies import Proxy
    from tui.net.routing.router import Route, Router
    from tui.net.transports.base import Transport

KEEPALIVE_S = 4.0
"""Idle connections are closed before common servers close them (Node and Apache after
5 s): a request into a connection that has just closed fails as ``reset``."""

MAX_CACHED_ORIGINS = 4096
"""Origins whose route is cached: redirects may lead to ever new names."""

_DEFAULT_HEADERS = (
    ("Accept", "*/*"),
    ("Accept-Encoding", "identity"),
    ("User-Agent", f"fetchtui/{__version__}"),
)


class TransportSelector:
    """The transports of a session: one per route, created on first use.

    Must be created inside a running loop.

    Raises:
        LocalError: ``internal``, the backend in the settings is not installed;
            ``network``, the installed one does not support the settings.
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
        """
        self._timeout_s = settings.timeout_s
        self._ca_file = ca_file
        self._open_limit_s = open_limit_s
        self._router = router
        self._is_single = router.is_single
        self._wanted = settings.http_backend
        self._by_route: dict[Route, Transport] = {}
        self._builtin: Http1Transport | None = None
        is_direct = router.default.is_direct
        if self._wanted in ("", Http1Transport.name) and is_direct:
            self._builtin = Http1Transport(
                _DEFAULT_HEADERS, settings.timeout_s, KEEPALIVE_S
            )
        else:
            # Fails now if it is not installed or does not support the settings.
            self._transport_on(router.default)
        self._by_origin: dict[tuple[str, bool, bool], Route] = {}
        self._fallbacks: dict[Route, Transport] = {}

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
        builtin = self._builtin
        if builtin is not None and route.is_direct and url.startswith("http://"):
            return builtin
        return self._transport_on(route)

    async def fallback_for(
        self, url: str, *, is_cross_origin: bool = False
    ) -> Transport:
        """Return a transport to the same origin that can read every header.

        Raises:
            LocalError: ``network``, there is none for the origin's route.
        """
        route = self._route(url, True, is_cross_origin)
        if route not in self._fallbacks:
            # Loading httpx and the certificates takes some 50 ms: not on the loop.
            self._fallbacks[route] = await asyncio.to_thread(self._make_fallback, route)
        return self._fallbacks[route]

    def proxy_for(self, url: str) -> Proxy | None:
        """Return the proxy to use for ``url``, if any."""
        return self._route(url, False, False).proxy

    async def aclose(self) -> None:
        """Close all connections. Safe to call twice."""
        if self._builtin is not None:
            await self._builtin.aclose()
        for transport in (*self._by_route.values(), *self._fallbacks.values()):
            await transport.aclose()

    def _transport_on(self, route: Route) -> Transport:
        transport = self._by_route.get(route)
        if transport is None:
            # Some 5 ms, once for each route that the settings define; the first time
            # some 20 ms more to load the library.
            make = _fastest(self._wanted)
            transport = self._by_route[route] = self._make(make, route)
        return transport

    def _route(self, url: str, is_range: bool, is_cross_origin: bool) -> Route:
        return self._router.route_for(
            url, is_range=is_range, is_cross_origin=is_cross_origin
        )

    def _make_fallback(self, route: Route) -> Transport:
        from tui.net.transports.httpx import HttpxTransport

        return self._make(HttpxTransport, route)

    def _make(self, make: Callable[..., Transport], route: Route) -> Transport:
        return make(
            _DEFAULT_HEADERS,
            timeout_s=self._timeout_s,
            orphan_timeout_s=self._open_limit_s + 0.5,
            keepalive_s=KEEPALIVE_S,
            ca_file=self._ca_file,
            route=route,
        )


def _fastest(wanted: str) -> Callable[..., Transport]:
    """Return the class of the backend called ``wanted``, or the fastest if it is ""."""
    if wanted != "httpx":
        try:
            from tui.net.transports.pyreqwest import PyreqwestTransport
        except ImportError:
            if wanted == "pyreqwest":
                raise LocalError(
                    ErrorKind.INTERNAL, "pyreqwest is not installed"
                ) from None
        else:
            return PyreqwestTransport
    from tui.net.transports.httpx import HttpxTransport

    return HttpxTransport
