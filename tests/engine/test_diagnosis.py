"""What limits a run, measured over real sockets and a real directory."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from tests.support.slow_disk import slow_down_writes
from tests.support.until import until
from tui.core.diagnosis import NO_DIAGNOSIS, Diagnosis, Limit, LimitCause
from tui.core.request import DownloadRequest
from tui.core.settings import Settings
from tui.demo.pattern import Pattern
from tui.demo.script import ResponseScript
from tui.engine import open_engine

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import pytest

    from tui.demo.server import ScriptedServer
    from tui.engine.engine import Engine

SIZE = 20_000_000


@asynccontextmanager
async def running(
    server: ScriptedServer,
    folder: Path,
    count: int = 1,
    script: ResponseScript | None = None,
    **changes: Any,
) -> AsyncIterator[Engine]:
    """Run ``count`` large downloads that do not end before the test does."""
    script = script or ResponseScript(Pattern(SIZE, 1), etag='"1"')
    urls = [server.add(f"/{number}", script) for number in range(count)]
    engine = await open_engine(
        Settings(output_dir=folder, timeout_s=5.0, **changes), chance=lambda: 0.0
    )
    try:
        engine.add(DownloadRequest((url,)) for url in urls)
        yield engine
    finally:
        await engine.close()


def slow(rate: float) -> ResponseScript:
    return ResponseScript(Pattern(SIZE, 1), etag='"1"', rate=rate)


async def test_a_slow_server_is_the_limit(
    server: ScriptedServer, tmp_path: Path
) -> None:
    async with running(server, tmp_path, script=slow(300_000)) as engine:
        await until(lambda: engine.snapshot().diagnosis != NO_DIAGNOSIS)
        assert engine.snapshot().diagnosis.limit is Limit.SERVER
        await until(lambda: engine.detail(0).row.connections)
        one = Diagnosis(Limit.SERVER, LimitCause.CONNECTIONS, (1,))
        assert engine.detail(0).diagnosis == one


async def test_a_rate_limit_is_the_limit(
    server: ScriptedServer, tmp_path: Path
) -> None:
    async with running(server, tmp_path, rate_limit=400_000) as engine:
        limited = Diagnosis(Limit.LIMITER, LimitCause.RATE_LIMIT, (400_000,))
        await until(lambda: engine.snapshot().diagnosis == limited)
        await until(lambda: engine.detail(0).diagnosis.limit is Limit.LIMITER)


async def test_the_rate_limit_of_a_download_is_its_limit(
    server: ScriptedServer, tmp_path: Path
) -> None:
    async with running(server, tmp_path) as engine:
        engine.set_rate_limit(300_000, 0)
        limited = Diagnosis(Limit.LIMITER, LimitCause.OWN_RATE_LIMIT, (300_000,))
        await until(lambda: engine.detail(0).diagnosis == limited)


async def test_a_slow_disk_is_the_limit(
    server: ScriptedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow_down_writes(monkeypatch, 0.1)
    limits: dict[str, Any] = {"in_flight_limit": 200_000, "writers": 1}
    async with running(server, tmp_path, **limits) as engine:
        await until(lambda: engine.snapshot().diagnosis.limit is Limit.DISK)
        assert engine.snapshot().diagnosis.cause is LimitCause.DISK_WAIT_WRITERS
        await until(lambda: engine.detail(0).diagnosis.limit is Limit.DISK)


async def test_concurrency_is_the_limit_while_downloads_wait_for_a_slot(
    server: ScriptedServer, tmp_path: Path
) -> None:
    async with running(
        server, tmp_path, 9, slow(200_000), concurrency=2, segments=1
    ) as engine:
        busy = Diagnosis(Limit.CONCURRENCY, LimitCause.SLOTS_BUSY, (2, 7))
        await until(lambda: engine.snapshot().diagnosis == busy)
        full = Diagnosis(Limit.CONCURRENCY, LimitCause.SLOTS_FULL, (2,))
        assert engine.detail(8).diagnosis == full


async def test_a_queued_download_names_the_limit_of_its_host(
    server: ScriptedServer, tmp_path: Path
) -> None:
    async with running(server, tmp_path, 3, slow(200_000)) as engine:
        (host,) = engine.origins()
        engine.set_origin_cap(host.origin, 1)
        await until(lambda: engine.rows([0])[0].received)
        assert engine.origins()[0].cap == 1
        assert engine.origins()[0].cap_from == "set"
        engine.pause([1, 2])
        engine.resume([1, 2])
        full = Diagnosis(Limit.NOTHING, LimitCause.HOST_FULL, (1,))
        await until(lambda: engine.detail(2).diagnosis == full)


async def test_origins_have_a_protocol_range_support_and_errors(
    server: ScriptedServer, tmp_path: Path
) -> None:
    broken = ResponseScript(Pattern(SIZE, 1), etag='"1"', rate=9e6, first=[500])
    async with running(server, tmp_path, script=broken, segments=2) as engine:
        await until(lambda: engine.origins()[0].ranges == "supported")
        (host,) = engine.origins()
        assert host.protocol == "HTTP/1.1"
        assert host.errors == 1
        assert "500" in host.trouble


async def test_a_server_that_refuses_ranges_is_marked(
    server: ScriptedServer, tmp_path: Path
) -> None:
    body = Pattern(SIZE, 1)
    liar = ResponseScript(
        body,
        etag='"1"',
        rate=9e6,
        change_after=1,
        changed=ResponseScript(body, etag='"1"', ranges="refuse"),
    )
    async with running(server, tmp_path, script=liar, segments=2) as engine:
        await until(lambda: engine.origins()[0].ranges == "refused")


async def test_request_headers_are_shown_without_secrets(
    server: ScriptedServer, tmp_path: Path
) -> None:
    headers = (("User-Agent", "tests"), ("X-Own-Key", "hush"), ("Cookie", "a=hush"))
    async with running(server, tmp_path, headers=headers) as engine:
        asked = engine.detail(0).asked
        assert asked[0] == ("User-Agent", "tests")
        assert [name for name, _ in asked] == ["User-Agent", "X-Own-Key", "Cookie"]
        assert "hush" not in str(asked)


async def test_an_origin_of_small_files_has_a_speed(
    server: ScriptedServer, tmp_path: Path
) -> None:
    small = ResponseScript(bytes(20_000), etag='"1"', latency_s=0.01)
    async with running(server, tmp_path, 300, small, concurrency=2) as engine:
        await until(lambda: engine.origins()[0].done)
        await until(lambda: engine.origins()[0].speed > 10_000)


async def test_an_idle_disk_has_no_speed(
    server: ScriptedServer, tmp_path: Path
) -> None:
    async with running(server, tmp_path, script=slow(40_000_000)) as engine:
        await until(lambda: engine.snapshot().disk.speed)
        async with asyncio.timeout(20):
            await engine.wait_idle()
        assert engine._context.writer.written == SIZE
        assert engine.snapshot().disk.speed == 0.0
        assert engine.snapshot().diagnosis == NO_DIAGNOSIS


async def test_response_details_stay_available_after_the_end(
    server: ScriptedServer, tmp_path: Path
) -> None:
    async with running(server, tmp_path) as engine:
        async with asyncio.timeout(20):
            await engine.wait_idle()
        detail = engine.detail(0)
        assert (detail.validator, detail.http_version) == ('"1"', "HTTP/1.1")
        assert ("accept-ranges", "bytes") in detail.answer
        assert detail.diagnosis == NO_DIAGNOSIS


async def test_slow_writes_on_the_loop_are_the_limit(
    server: ScriptedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow_down_writes(monkeypatch, 0.06)
    fast = ResponseScript(Pattern(1 << 30, 1), etag='"1"')
    async with running(server, tmp_path, script=fast, segments=1) as engine:
        engine.set_inline_writes(True)
        await until(lambda: engine.snapshot().diagnosis.limit is Limit.DISK, 20)
        assert engine.snapshot().diagnosis.cause is LimitCause.DISK_WAIT_INLINE
