"""A replica and the service behind it, in one process, over a real Unix socket."""

from __future__ import annotations

import asyncio
import contextlib
import os
from typing import TYPE_CHECKING

from tui import __version__
from tui.background.address import Lock, address_of
from tui.background.attach.replica import Replica
from tui.background.client import Connection, ConnectionLost, NotRunning
from tui.background.handler import ClientHandler, Process
from tui.background.protocol import PROTOCOL, REPLY_LIMIT, Hello
from tui.background.server import BackgroundServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from tui.background.address import Address
    from tui.background.protocol import Notification
    from tui.core.notices import Notice
    from tui.core.service import DownloadService


@contextlib.asynccontextmanager
async def a_server(
    service: DownloadService, *, version: str = __version__
) -> AsyncIterator[tuple[Address, list[Notice]]]:
    """Serve ``service``; yield the address, and the notices that it logs."""
    notices: list[Notice] = []

    async def read_log(_limit: int) -> str:
        return ""

    address = address_of("main")
    lock = Lock(address)
    assert lock.acquire()
    hello = Hello(PROTOCOL, version, os.getpid(), 1_790_000_000.0, "main")
    process = Process(service, lambda: None, read_log, settings=lambda: SETTINGS)
    server = BackgroundServer(
        address,
        hello,
        lambda client: ClientHandler(process, client),
        notify=notices.append,
    )
    await server.open()
    lock.write(hello)
    try:
        yield address, notices
    finally:
        await server.close("stopped")
        lock.release()


SETTINGS = {"retries": "7", "output-dir": '"far"'}
"""What the process was started with."""


class Connector:
    """The way to a server, which the test can close and open."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._connections: list[Connection] = []
        self._error: Exception | None = None
        self.started_at = 0.0
        """Added to the start time of the process, as if another one answered."""

    async def connect(
        self, on_notification: Callable[[Notification], None]
    ) -> Connection:
        """Open a connection, unless the connector is closed."""
        if self._error is not None:
            raise self._error
        reader, writer = await asyncio.open_unix_connection(
            self._address.socket, limit=REPLY_LIMIT
        )
        connection = _Connection(reader, writer, on_notification)
        connection.started_at = self.started_at
        self._connections.append(connection)
        return connection

    def open(self) -> None:
        """Let connections through again."""
        self._error = None

    def close(self, reason: str) -> None:
        """End all connections, and refuse new ones for a reason."""
        self._error = ConnectionLost(reason)
        self._cut()

    def refuse(self, error: Exception) -> None:
        """End all connections, and refuse new ones with an error."""
        self._error = error
        self._cut()

    async def stop(self) -> None:
        """Do what a process does that ends in the usual way."""
        self._error = NotRunning("main")
        for connection in self._connections:
            connection.goodbye = "stopped"
        self._cut()

    def _cut(self) -> None:
        for connection in self._connections:
            connection._channel.abort()
        self._connections.clear()


class _Connection(Connection):
    """A connection that may say that another process answers."""

    started_at = 0.0

    async def greet(self, client: str, *, watch: bool = False) -> Hello:
        hello = await super().greet(client, watch=watch)
        return hello._replace(started_at=hello.started_at + self.started_at)


@contextlib.asynccontextmanager
async def attached(
    address: Address, *, is_watching: bool = False
) -> AsyncIterator[Replica]:
    """Attach one more replica to a server."""
    replica = Replica(is_watching=is_watching)
    reader, writer = await asyncio.open_unix_connection(
        address.socket, limit=REPLY_LIMIT
    )
    async with Connection(reader, writer, replica.on_notification) as connection:
        await connection.greet("test", watch=is_watching)
        await replica.attach(connection)
        yield replica


@contextlib.asynccontextmanager
async def a_replica(service: DownloadService) -> AsyncIterator[Replica]:
    """Serve ``service`` and attach a replica to it."""
    async with a_server(service) as (address, _), attached(address) as replica:
        yield replica
