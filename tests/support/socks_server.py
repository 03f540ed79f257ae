"""A SOCKS5 proxy (RFC 1928, with passwords as in RFC 1929) on loopback."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from ipaddress import ip_address

from tests.support.stream_server import StreamServer

_NO_LOGIN, _PASSWORD, _NO_ACCEPTABLE_METHOD = 0, 2, 0xFF


class SocksServer(StreamServer):
    """Connects to 127.0.0.1 whatever the requested host, and records requests."""

    def __init__(self, *, login: tuple[str, str] | None = None, reply: int = 0) -> None:
        """Configure credentials and replies.

        Args:
            login: user and password that it requires, if any.
            reply: its reply code to a connect request; 0 connects.
        """
        super().__init__(self._answer)
        self.login = login
        self.reply = reply
        self.requested: list[tuple[str, int]] = []
        """Hosts and ports as requested: a name, or an address."""

    async def _answer(
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
