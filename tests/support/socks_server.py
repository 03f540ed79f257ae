"""A SOCKS5 proxy (RFC 1928, with passwords as in RFC 1929) on loopback."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from ipaddress import ip_address
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType

_NO_LOGIN, _PASSWORD, _NO_ACCEPTABLE_METHOD = 0, 2, 0xFF


class SocksServer:
    """Connects to 127.0.0.1 whatever the requested host, and records requests."""

    def __init__(self, *, login: tuple[str, str] | None = None, reply: int = 0) -> None:
        """Configure credentials and replies.

        Args:
            login: user and password that it requires, if any.
            reply: its reply code to a connect request; 0 connects.
        """
        self.login = login
        self.reply = reply
        self.requested: list[tuple[str, int]] = []
        """Hosts and ports as requested: a name, or an address."""
        self.port = 0
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> SocksServer:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.sleep(0)

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            # A cancelled task of a stream server is logged as an error.
            with suppress(OSError, EOFError, asyncio.CancelledError):
                await self._talk(reader, writer)
        finally:
            writer.transport.abort()

    async def _talk(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        _, count = await reader.readexactly(2)
        methods = await reader.readexactly(count)
        wanted = _NO_LOGIN if self.login is None else _PASSWORD
        if wanted not in methods:
            writer.write(bytes((5, _NO_ACCEPTABLE_METHOD)))
            await writer.drain()
            return
        writer.write(bytes((5, wanted)))
        if wanted == _PASSWORD:
            _, length = await reader.readexactly(2)
            user = (await reader.readexactly(length)).decode()
            (length,) = await reader.readexactly(1)
            password = (await reader.readexactly(length)).decode()
            is_right = (user, password) == self.login
            writer.write(bytes((1, 0 if is_right else 1)))
            await writer.drain()
            if not is_right:
                return
        host, port = await _read_request(reader)
        self.requested.append((host, port))
        writer.write(bytes((5, self.reply, 0, 1, 0, 0, 0, 0, 0, 0)))
        await writer.drain()
        if self.reply == 0:
            # Every name resolves to this machine.
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                await asyncio.gather(
                    _forward(reader, far_writer), _forward(far_reader, writer)
                )
            finally:
                far_writer.close()


async def _read_request(reader: asyncio.StreamReader) -> tuple[str, int]:
    *_, kind = await reader.readexactly(4)
    if kind == 3:
        (length,) = await reader.readexactly(1)
        host = (await reader.readexactly(length)).decode()
    else:
        host = str(ip_address(await reader.readexactly(4 if kind == 1 else 16)))
    return host, int.from_bytes(await reader.readexactly(2), "big")


async def _forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while chunk := await reader.read(1 << 16):
            writer.write(chunk)
            await writer.drain()
        writer.write_eof()
