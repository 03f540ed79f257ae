"""Which wire serves an origin: the one place where that is chosen.

``pyreqwest`` is the fast wire and serves everything it can; ``httpx``'s own transport
serves where pyreqwest has no build, and reads the headers that pyreqwest cannot.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tui import __version__
from tui.core.errors import LocalError
from tui.net.exchange import WireTransport
from tui.net.httpx_transport import HttpxTransport

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tui.core.settings import Settings
    from tui.net.exchange import Exchange

KEEPALIVE_S = 4.0
"""Idle connections are dropped before the usual servers drop them (Node and Apache
after 5 s): a request sent into a connection that just closed fails as ``reset``."""

_DEFAULT_HEADERS = (
    ("Accept", "*/*"),
    ("Accept-Encoding", "identity"),
    ("User-Agent", f"fetchtui/{__version__}"),
)


class Wires(WireTransport):
    """The wires of a session as one, each made when it is needed.

    Must be created inside a running loop.

    Raises:
        LocalError: ``internal``, the wire that the settings name is not installed.
    """

    def __init__(
        self, settings: Settings, ca_file: str | None, open_limit_s: float
    ) -> None:
        """Make the main wire.

        Args:
            settings: what the run starts with.
            ca_file: PEM file with the certificates to trust; ``None`` for the system's.
            open_limit_s: how long the session waits for an answer.
        """
        self._settings = settings
        self._ca_file = ca_file
        self._open_limit_s = open_limit_s
        self._main = self._make(_fast_wire(settings.wire))
        self.name = self._main.name
        self._spare: WireTransport | None = None

    def wire_for(self, url: str) -> WireTransport:  # noqa: ARG002
        """The wire that serves the origin of ``url``."""
        return self._main

    async def spare_for(self, url: str) -> WireTransport:  # noqa: ARG002
        """A wire for the same origin that can give the bytes of every header."""
        if self._spare is None:
            # Loading the certificates takes some 20 ms: not on the loop.
            self._spare = await asyncio.to_thread(self._make, HttpxTransport)
        return self._spare

    async def open(self, url: str, headers: Sequence[tuple[str, str]]) -> Exchange:
        """Send a GET over the wire that serves its origin."""
        return await self.wire_for(url).open(url, headers)

    async def aclose(self) -> None:
        """Close all connections. Safe to call twice."""
        await self._main.aclose()
        if self._spare is not None:
            await self._spare.aclose()

    def _make(self, make: Callable[..., WireTransport]) -> WireTransport:
        return make(
            _DEFAULT_HEADERS,
            timeout_s=self._settings.timeout_s,
            abandon_s=self._open_limit_s + 0.5,
            keepalive_s=KEEPALIVE_S,
            ca_file=self._ca_file,
        )


def _fast_wire(wanted: str) -> Callable[..., WireTransport]:
    """Return what makes the wire called ``wanted``, or the fastest if it is ""."""
    if wanted != "httpx":
        try:
            from tui.net.transport import PyreqwestTransport
        except ImportError:
            if wanted == "pyreqwest":
                raise LocalError(
                    "internal", "the pyreqwest wire is not installed here"
                ) from None
        else:
            return PyreqwestTransport
    return HttpxTransport
