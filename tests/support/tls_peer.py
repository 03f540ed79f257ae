"""A TLS server that controls every record and every byte on the wire."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable


class TlsPeer:
    """The server's side of one connection."""

    def __init__(
        self,
        context: ssl.SSLContext,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self.reader = reader
        self.writer = writer
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self.object = context.wrap_bio(self._incoming, self._outgoing, server_side=True)

    async def handshake(self) -> None:
        """Shake hands."""
        while True:
            try:
                self.object.do_handshake()
            except ssl.SSLWantReadError:
                await self.flush()
                await self._fill()
            except ssl.SSLError:
                await self.flush()
                raise
            else:
                await self.flush()
                return

    async def request(self) -> bytes:
        """Read until the end of a request head."""
        data = b""
        while not data.endswith(b"\r\n\r\n"):
            data += await self.read()
        return data

    async def read(self) -> bytes:
        """Read a record."""
        while True:
            try:
                return self.object.read(1 << 16)
            except ssl.SSLWantReadError:
                await self.flush()
                await self._fill()

    async def receive(self) -> None:
        """Process bytes that hold no data, such as the rest of a handshake."""
        await self._fill()
        with suppress(ssl.SSLWantReadError):
            self.object.read(1)

    def record(self, data: bytes) -> bytes:
        """Return ``data`` as one record."""
        self.object.write(data)
        return self._outgoing.read()

    async def send(self, data: bytes) -> None:
        """Send ``data`` as one record."""
        self.writer.write(self.record(data))
        await self.writer.drain()

    async def send_close_notify(self) -> None:
        """Announce the end."""
        with suppress(ssl.SSLWantReadError):
            self.object.unwrap()
        await self.flush()

    async def flush(self) -> None:
        """Send what OpenSSL has written."""
        self.writer.write(self._outgoing.read())
        await self.writer.drain()

    async def _fill(self) -> None:
        data = await self.reader.read(1 << 16)
        if not data:
            raise EOFError
        self._incoming.write(data)


@asynccontextmanager
async def serving(
    serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[int]:
    """Run ``serve`` for each connection and close it; yield the port."""
    tasks: set[asyncio.Task[None]] = set()

    async def run(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        # A cancelled task of a stream server is logged as an error.
        with suppress(OSError, EOFError, ssl.SSLError, asyncio.CancelledError):
            await serve(reader, writer)
        writer.close()
        with suppress(OSError, asyncio.CancelledError):
            await writer.wait_closed()

    async with await asyncio.start_server(run, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks)


@asynccontextmanager
async def serving_tls(
    context: ssl.SSLContext, script: Callable[[TlsPeer], Awaitable[None]]
) -> AsyncIterator[int]:
    """Run ``script`` for each connection, after the handshake; yield the port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = TlsPeer(context, reader, writer)
        await peer.handshake()
        await script(peer)

    async with serving(serve) as port:
        yield port
