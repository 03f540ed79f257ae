"""Small files, whose bodies are read into memory, over slow connections."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.until import until
from tui.core.download import DownloadState
from tui.core.request import DownloadRequest
from tui.core.settings import Settings
from tui.demo.pattern import Pattern
from tui.demo.script import ResponseScript
from tui.engine import open_engine
from tui.engine.download import attempt

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from tui.demo.server import ScriptedServer

SIZE = 40_000


async def test_one_that_takes_long_is_shown_as_downloading(
    server: ScriptedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempt, "_LONG_S", 0.0)
    url = server.add("/a.bin", ResponseScript(Pattern(SIZE, 1), stall_after=SIZE // 2))
    engine = await open_engine(Settings(output_dir=tmp_path, timeout_s=30.0))
    try:
        (id,) = engine.add([DownloadRequest((url,))])
        await until(lambda: engine.rows([id])[0].received == SIZE // 2)
        (row,) = engine.rows([id])
        assert row.state is DownloadState.DOWNLOADING
        assert row.speed > 0
        assert row.eta_s is not None
        engine.pause([id])
        (row,) = engine.rows([id])
        assert (row.state, row.speed) == (DownloadState.PAUSED, 0.0)
    finally:
        await engine.close()
