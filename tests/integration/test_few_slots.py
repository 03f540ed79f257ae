"""A server that accepts more connections than it serves, such as haproxy's maxconn."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

import pytest

from tests.integration.conftest import request_for
from tui.core.download import DownloadState as S
from tui.demo.pattern import Pattern
from tui.demo.script import ResponseScript
from tui.net.transports import selector

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.integration.conftest import Start
    from tui.demo.server import ScriptedServer


class Proxy:
    """Passes TCP connections on, only ``slots`` at a time; the others wait."""

    def __init__(self, slots: int, upstream_port: int) -> None:
        self._free = asyncio.Semaphore(slots)
        self._upstream_port = upstream_port
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0
        """Of the proxy, once it listens."""

    def accept(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        task = asyncio.ensure_future(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        async with closed(writer), self._free:
            upstream = await asyncio.open_connection("127.0.0.1", self._upstream_port)
            async with closed(upstream[1]):
                back = asyncio.ensure_future(_copy(upstream[0], writer))
                try:
                    await _copy(reader, upstream[1])
                finally:
                    back.cancel()
                    await asyncio.wait([back])

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)


@asynccontextmanager
async def closed(writer: asyncio.StreamWriter) -> AsyncIterator[None]:
    try:
        yield
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()


@asynccontextmanager
async def proxied(server: ScriptedServer, slots: int) -> AsyncIterator[Proxy]:
    proxy = Proxy(slots, int(server.url("").rpartition(":")[2]))
    listening = await asyncio.start_server(proxy.accept, "127.0.0.1", 0)
    proxy.port = listening.sockets[0].getsockname()[1]
    yield proxy
    listening.close()
    await proxy.close()


@pytest.fixture(autouse=True)
def _idle_connections_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no slot become free because an idle connection expires."""
    monkeypatch.setattr(selector, "KEEPALIVE_S", 300.0)


async def test_two_connections_that_are_served_download_the_whole_file(
    server: ScriptedServer, start: Start, tmp_path: Path
) -> None:
    body = Pattern(12_000_000, seed=3)
    server.add("/x", ResponseScript(body, etag='"1"'))
    async with proxied(server, 2) as proxy:
        url = f"http://127.0.0.1:{proxy.port}/x"
        async with start(segments=8, retries=0, timeout_s=60.0) as engine:
            engine.add([request_for(url)])
            async with asyncio.timeout(30):
                await engine.wait_idle()
            assert engine.rows([0])[0].state is S.DONE
    assert (tmp_path / "out" / "x").read_bytes() == body.read()


async def test_many_files_share_two_slots(server: ScriptedServer, start: Start) -> None:
    for n in range(12):
        server.add(f"/{n}", ResponseScript(Pattern(100_000, seed=n)))
    async with proxied(server, 2) as proxy:
        urls = [f"http://127.0.0.1:{proxy.port}/{n}" for n in range(12)]
        async with start(concurrency=6, retries=0, timeout_s=60.0) as engine:
            engine.add(request_for(url) for url in urls)
            async with asyncio.timeout(30):
                await engine.wait_idle()
            assert engine.snapshot().counts[S.DONE] == 12
