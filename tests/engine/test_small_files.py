"""Small files, whose bodies are read into memory, over slow connections."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.attached import a_replica
from tests.support.until import until
from tui.core.diagnosis import LimitCause
from tui.core.download import DownloadState
from tui.core.request import DownloadRequest
from tui.core.settings import Settings
from tui.demo.pattern import Pattern
from tui.demo.script import ResponseScript
from tui.engine import open_engine, registry
from tui.engine.download import attempt

if TYPE_CHECKING:
    from pathlib import Path

    from tui.demo.server import ScriptedServer

SIZE = 40_000


@pytest.mark.parametrize("long_s", [0.0, 60.0])
@pytest.mark.parametrize("arrived", [0, SIZE // 2])
async def test_one_whose_body_has_begun_is_shown_as_downloading(
    server: ScriptedServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    long_s: float,
    arrived: int,
) -> None:
    monkeypatch.setattr(attempt, "_LONG_S", long_s)
    monkeypatch.setattr(registry, "_SPEED_S", long_s)
    url = server.add("/a.bin", ResponseScript(Pattern(SIZE, 1), stall_after=arrived))
    engine = await open_engine(Settings(output_dir=tmp_path, timeout_s=30.0))
    try:
        (id,) = engine.add([DownloadRequest((url,))])
        await until(lambda: engine.rows([id])[0].status)
        await until(lambda: engine.rows([id])[0].received == arrived)
        (row,) = engine.rows([id])
        assert row.state is DownloadState.DOWNLOADING
        assert row.has_speed is (arrived > 0 and long_s == 0)
        assert row.has_speed is (row.speed > 0)
        assert row.has_speed is (row.eta_s is not None)
        assert engine.detail(id).diagnosis.cause is not LimitCause.PROBING
        engine.pause([id])
        (row,) = engine.rows([id])
        assert (row.state, row.speed) == (DownloadState.PAUSED, 0.0)
    finally:
        await engine.close()


async def test_one_that_is_requested_again_is_shown_as_connecting(
    server: ScriptedServer, tmp_path: Path
) -> None:
    url = server.add("/a.bin", ResponseScript(Pattern(SIZE, 1), stall_after=SIZE // 2))
    engine = await open_engine(Settings(output_dir=tmp_path, timeout_s=30.0))
    try:
        (id,) = engine.add([DownloadRequest((url,))])
        await until(lambda: engine.rows([id])[0].received == SIZE // 2)
        engine.pause([id])
        await until(lambda: engine.rows([id])[0].received == 0)
        server.add("/a.bin", ResponseScript(Pattern(SIZE, 1), latency_s=60.0))
        engine.resume([id])
        await until(lambda: len(server.requests) == 2)
        assert engine.rows([id])[0].state is DownloadState.PROBING
    finally:
        await engine.close()


async def test_an_attached_dashboard_shows_it_as_downloading_too(
    server: ScriptedServer, tmp_path: Path
) -> None:
    url = server.add("/a.bin", ResponseScript(Pattern(SIZE, 1), stall_after=SIZE // 2))
    engine = await open_engine(Settings(output_dir=tmp_path, timeout_s=30.0))
    try:
        async with a_replica(engine) as replica:
            (id,) = await replica.submit([DownloadRequest((url,))])
            await until(lambda: replica.rows([id])[0].received == SIZE // 2)
            assert replica.rows([id])[0].state is DownloadState.DOWNLOADING
    finally:
        await engine.close()
