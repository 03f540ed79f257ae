"""Which wire serves an origin: the one place where that is chosen.

What the wires can do, tried out over sockets (``tests/net``):

=============================  ==========================  ===========================
what                           pyreqwest                   httpx
=============================  ==========================  ===========================
proxy http, https              yes                         yes
proxy socks5h                  yes                         with ``fetchtui[socks]``
proxy socks5                   yes, names resolved here    as socks5h
client certificate             yes                         yes
from a local address           yes                         yes
from an interface by name      Linux, macOS                no
IPv4 or IPv6 alone, DNS pins   yes                         yes
HTTP/2                         yes                         no, HTTP/1.1
header bytes outside ASCII     no                          yes
=============================  ==========================  ===========================

Plain HTTP that needs none of this goes over a third wire, which runs on the loop
(``loop_wire``): it hands nothing between threads, which is half the cost of 10 KiB (30
instead of 55 us), and its sockets can be lent to the threads that write
(``disk.direct_copy``). pyreqwest is the faster one of the others and serves
everything else that it can. httpx's own transport serves where pyreqwest has no build,
and reads the headers that pyreqwest cannot.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tui import __version__
from tui.core.errors import LocalError
from tui.core.request import origin_of
from tui.net.transports.base import Transport
from tui.net.transports.http1.client import Http1Transport

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tui.core.settings import Settings
    from tui.net.routing.proxies import Proxy
    from tui.net.routing.router import Route, Router
    from tui.net.transports.base import RawResponse

KEEPALIVE_S = 4.0
"""Idle connections are dropped before the usual servers drop them (Node and Apache
after 5 s): a request sent into a connection that just closed fails as ``reset``."""

KNOWN_ORIGINS = 4096
"""Whose wire is remembered: redirects may lead to ever new names."""

_DEFAULT_HEADERS = (
    ("Accept", "*/*"),
    ("Accept-Encoding", "identity"),
    ("User-Agent", f"fetchtui/{__version__}"),
)


class TransportSelector(Transport):
    """The wires of a session as one: one for each route, made when it is needed.

    Must be created inside a running loop.

    Raises:
        LocalError: ``internal``, the wire that the settings name is not installed;
            ``network``, the wire that is cannot do what the settings want.
    """

    def __init__(
        self,
        settings: Settings,
        ca_file: str | None,
        open_limit_s: float,
        choice: Router,
    ) -> None:
        """Make the wire of the default route.

        Args:
            settings: what the run starts with.
            ca_file: PEM file with the certificates to trust; ``None`` for the system's.
            open_limit_s: how long the session waits for an answer.
            choice: how origins are reached.
        """
        self._timeout_s = settings.timeout_s
        self._ca_file = ca_file
        self._open_limit_s = open_limit_s
        self._choice = choice
        self._is_single = choice.is_single
        self._wanted = settings.http_backend
        self._by_route: dict[Route, Transport] = {}
        self._plain: Http1Transport | None = None
        if (
            settings.http_backend in ("", Http1Transport.name)
            and choice.default.is_bare
        ):
            self._plain = Http1Transport(
                _DEFAULT_HEADERS, settings.timeout_s, KEEPALIVE_S
            )
        else:
            # Says now if it is not there, or cannot do what the settings want.
            self._wire_on(choice.default)
        self._by_origin: dict[tuple[str, bool, bool], Route] = {}
        self._spares: dict[Route, Transport] = {}

    @property
    def name(self) -> str:  # type: ignore[override]
        """The wire that the settings name, or the one that serves most."""
        return self._wanted or self._wire_on(self._choice.default).name

    def wire_for(
        self, url: str, *, is_range: bool = False, is_foreign: bool = False
    ) -> Transport:
        """Return the wire that serves the origin of ``url``.

        Args:
            url: http or https.
            is_range: a part of a file is asked for.
            is_foreign: another server led here.
        """
        route = self._choice.default
        if not self._is_single:
            key = (origin_of(url), is_range, is_foreign)
            known = self._by_origin.get(key)
            route = known or self._route(url, is_range, is_foreign)
            if known is None and len(self._by_origin) < KNOWN_ORIGINS:
                self._by_origin[key] = route
        plain = self._plain
        if plain is not None and route.is_bare and url.startswith("http://"):
            return plain
        return self._wire_on(route)

    async def spare_for(self, url: str, *, is_foreign: bool = False) -> Transport:
        """Return a wire to the same origin that can give the bytes of every header.

        Raises:
            LocalError: ``network``, there is none for the origin's route.
        """
        route = self._route(url, True, is_foreign)
        if route not in self._spares:
            # Loading httpx and the certificates takes some 50 ms: not on the loop.
            self._spares[route] = await asyncio.to_thread(self._make_spare, route)
        return self._spares[route]

    def proxy_for(self, url: str) -> Proxy | None:
        """The proxy on the way to ``url``, if any."""
        return self._route(url, False, False).proxy

    async def open(self, url: str, headers: Sequence[tuple[str, str]]) -> RawResponse:
        """Send a GET over the wire that serves its origin."""
        return await self.wire_for(url, is_range=_has_range(headers)).open(url, headers)

    async def aclose(self) -> None:
        """Close all connections. Safe to call twice."""
        if self._plain is not None:
            await self._plain.aclose()
        for wire in (*self._by_route.values(), *self._spares.values()):
            await wire.aclose()

    def _wire_on(self, route: Route) -> Transport:
        wire = self._by_route.get(route)
        if wire is None:
            # Some 5 ms, once for each way to connect that the settings name; the first
            # time some 20 ms more to load the library.
            wire = self._by_route[route] = self._make(_fast_wire(self._wanted), route)
        return wire

    def _route(self, url: str, is_range: bool, is_foreign: bool) -> Route:
        return self._choice.route_for(url, is_range=is_range, is_foreign=is_foreign)

    def _make_spare(self, route: Route) -> Transport:
        from tui.net.transports.httpx import HttpxTransport

        return self._make(HttpxTransport, route)

    def _make(self, make: Callable[..., Transport], route: Route) -> Transport:
        return make(
            _DEFAULT_HEADERS,
            timeout_s=self._timeout_s,
            abandon_s=self._open_limit_s + 0.5,
            keepalive_s=KEEPALIVE_S,
            ca_file=self._ca_file,
            route=route,
        )


def _has_range(headers: Sequence[tuple[str, str]]) -> bool:
    return any(name == "Range" for name, _ in headers)


def _fast_wire(wanted: str) -> Callable[..., Transport]:
    """Return what makes the wire called ``wanted``, or the fastest if it is ""."""
    if wanted != "httpx":
        try:
            from tui.net.transports.pyreqwest import PyreqwestTransport
        except ImportError:
            if wanted == "pyreqwest":
                raise LocalError(
                    "internal", "the pyreqwest wire is not installed here"
                ) from None
        else:
            return PyreqwestTransport
    from tui.net.transports.httpx import HttpxTransport

    return HttpxTransport
