"""How httpx's own transport connects where the settings say more than the URL."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import httpcore

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tui.net.routes import Route


class RoutedBackend(httpcore.AnyIOBackend):
    """Connects where the pins say, from where the route says."""

    def __init__(self, route: Route) -> None:
        self._pins = dict(route.pins)
        self._local_address = route.local_address or None
        self.latest: dict[asyncio.Task[object] | None, httpcore.AsyncNetworkStream] = {}
        """Each task's connection, until its request has an answer: httpcore 1.0 leaves
        a connection open whose SOCKS handshake failed."""

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,  # noqa: ARG002  # the route knows better
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Open a TCP connection."""
        address = self._pins.get(host.lower().removesuffix("."), host)
        stream = await super().connect_tcp(
            address, port, timeout, self._local_address, socket_options
        )
        self.latest[asyncio.current_task()] = stream
        return stream
