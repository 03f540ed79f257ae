"""A disk slower than the line, and pressed keys that do not stop."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.slow_disk import slow_down_writes
from tests.support.until import until
from tui.core.download import DownloadState as S
from tui.core.request import DownloadRequest
from tui.core.settings import Settings
from tui.demo.pattern import Pattern
from tui.demo.script import ResponseScript
from tui.engine import open_engine

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tui.demo.server import ScriptedServer

BODY = Pattern(12_000_000, 5)
STEPS: dict[str, Callable[[Any, int], object]] = {
    "segments": lambda engine, n: engine.set_segments((1, 8, 2, 6)[n % 4], 0),
    "pause": lambda engine, n: (engine.pause, engine.resume)[n % 2]([0]),
    "both in a turn": lambda engine, _: (engine.cancel([0]), engine.resume([0])),
    "url": lambda engine, n: engine.set_url(0, engine.url[n % 2]),
}


@pytest.fixture
def slow_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    slow_down_writes(monkeypatch, 0.015)


@pytest.mark.parametrize("what", STEPS)
async def test_bytes_that_wait_for_the_disk_are_not_lost(
    server: ScriptedServer, tmp_path: Path, slow_disk: None, what: str
) -> None:
    urls = [server.add(f"/{n}", ResponseScript(BODY, etag='"1"')) for n in "ab"]
    settings = Settings(
        output_dir=tmp_path / "out", in_flight_limit=100_000, segments=6, writers=1
    )
    engine: Any = await open_engine(settings, chance=lambda: 0.0)
    engine.url = urls
    try:
        engine.add([DownloadRequest((urls[0],), name="x")])
        await until(lambda: engine.rows([0])[0].received)
        for number in range(60):
            STEPS[what](engine, number)
            await asyncio.sleep(0.001 * (number % 9))
        engine.resume([0])
        async with asyncio.timeout(20):
            await engine.wait_idle()
        row = engine.rows([0])[0]
        assert (row.state, row.error) == (S.DONE, "")
        assert row.received == BODY.size
    finally:
        await engine.close()
    assert (tmp_path / "out/x").read_bytes() == BODY.read()
