"""How long a server may make downloads wait, and what a user can do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integration.conftest import request_for, until
from tests.support.stream_server import StreamServer
from tui.core.diagnosis import LimitCause
from tui.core.download import DownloadState as S
from tui.demo.script import ResponseScript

if TYPE_CHECKING:
    import asyncio

    from tests.integration.conftest import Start
    from tui.demo.server import ScriptedServer


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    "asked",
    ["3601", "99999999", "999999999999", "Fri, 31 Dec 2123 23:59:59 GMT"],
)
async def test_a_wait_beyond_the_bound_fails_with_its_length(
    server: ScriptedServer, start: Start, asked: str, status: int
) -> None:
    server.add("/far", ResponseScript(status=status, retry_after=asked))
    server.add("/next", ResponseScript(b"x"))
    async with start(concurrency=1) as engine:
        engine.add([request_for(server.url(path)) for path in ("/far", "/next")])
        await engine.wait_idle()
        far, following = engine.rows([0, 1])
        assert (far.state, far.error_kind, far.attempt) == (S.FAILED, "retry_after", 1)
        assert "asks to wait" in far.error
        assert following.state is S.DONE, "the host is not blocked"


async def test_the_bound_is_a_setting(server: ScriptedServer, start: Start) -> None:
    script = ResponseScript(b"x", first=[ResponseScript(status=503, retry_after=2)])
    async with start(max_retry_after_s=1.0) as engine:
        engine.add([request_for(server.add("/x", script))])
        await engine.wait_idle()
        assert engine.rows([0])[0].error_kind == "retry_after"


async def test_retry_ends_a_wait_and_unblocks_the_host(
    server: ScriptedServer, start: Start
) -> None:
    busy = ResponseScript(status=503, retry_after=1800)
    server.add("/x", ResponseScript(b"x", first=[busy]))
    server.add("/y", ResponseScript(b"y"))
    async with start(concurrency=1) as engine:
        engine.add([request_for(server.url(path)) for path in ("/x", "/y")])
        await until(engine, lambda: engine.rows([0])[0].state is S.WAITING)
        waiting, queued = engine.rows([0, 1])
        assert 1700 < (waiting.retry_in_s or 0) <= 1800
        assert queued.state is S.QUEUED
        assert queued.is_host_blocked
        diagnosis = engine.detail(1).diagnosis
        assert diagnosis.cause is LimitCause.HOST_BLOCKED
        engine.retry([0])
        assert not engine.rows([1])[0].is_host_blocked
        await engine.wait_idle()
        assert [row.state for row in engine.rows([0, 1])] == [S.DONE, S.DONE]


async def test_a_proxy_that_asks_to_wait_is_not_asked_by_the_next_download(
    start: Start,
) -> None:
    asked = 0

    async def refuse(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        nonlocal asked
        await reader.readuntil(b"\r\n\r\n")
        asked += 1
        writer.write(b"HTTP/1.1 503 Busy\r\nRetry-After: 1800\r\n\r\n")
        await writer.drain()

    async with StreamServer(refuse) as proxy:
        settings = {"proxy": f"http://127.0.0.1:{proxy.port}", "concurrency": 1}
        async with start(**settings, per_host=1) as engine:
            urls = [f"https://far.example/{name}" for name in "xy"]
            engine.add([request_for(url) for url in urls])
            await until(engine, lambda: engine.rows([0])[0].state is S.WAITING)
            waiting, queued = engine.rows([0, 1])
            assert 1700 < (waiting.retry_in_s or 0) <= 1800
            assert queued.state is S.QUEUED
            assert queued.is_host_blocked
            assert asked == 1
