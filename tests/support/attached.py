"""A replica and the service behind it, in one process, over a real Unix socket."""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tui import __version__
from tui.background.address import Address
from tui.background.attach.replica import Replica
from tui.background.client import Connection
from tui.background.handler import ClientHandler, Process
from tui.background.protocol import PROTOCOL, REPLY_LIMIT, Hello
from tui.background.server import BackgroundServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

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

    with tempfile.TemporaryDirectory(prefix="fetchtui-") as folder:
        home = Path(folder)
        address = Address("main", home, home / "main.sock")
        hello = Hello(PROTOCOL, version, os.getpid(), 1_790_000_000.0, "main")
        process = Process(service, lambda: None, read_log)
        server = BackgroundServer(
            address,
            hello,
            lambda client: ClientHandler(process, client),
            notify=notices.append,
        )
        await server.open()
        try:
            yield address, notices
        finally:
            await server.close("stopped")


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
