"""The wires as ``httpx.AsyncClient`` sees them: redirect chains go through one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tui.net.transports.base import RawResponse
    from tui.net.transports.selector import TransportSelector

FOREIGN = "foreign"
"""Extension of a request whose place another server named."""


class HttpxFace(httpx.AsyncBaseTransport):
    """Sends httpx's requests over the wires of a session."""

    def __init__(self, wires: TransportSelector) -> None:
        self._wires = wires

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a GET; the exchange stands in the response's extensions."""
        wire = self._wires.wire_for(
            str(request.url),
            is_range="range" in request.headers,
            is_foreign=bool(request.extensions.get(FOREIGN)),
        )
        headers = [
            (name.decode("ascii"), value.decode())
            for name, value in request.headers.raw
        ]
        exchange = await wire.open(str(request.url), headers)
        return httpx.Response(
            exchange.status,
            headers=[
                (k.encode("latin-1"), v.encode("latin-1")) for k, v in exchange.fields()
            ],
            stream=ExchangeStream(exchange),
            extensions={"exchange": exchange},
        )


class ExchangeStream(httpx.AsyncByteStream):
    """The body of an exchange for code that wants httpx's streams.

    The session reads the exchange itself; this keeps the transport whole for httpx.
    """

    def __init__(self, exchange: RawResponse) -> None:
        self._exchange = exchange

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while (chunk := await self._exchange.read_chunk()) is not None:
            yield bytes(chunk)

    async def aclose(self) -> None:
        """Close the exchange."""
        await self._exchange.close()
