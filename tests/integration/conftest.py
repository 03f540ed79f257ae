"""An engine over a real loopback server and a real directory."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from tui.core.request import DownloadRequest
from tui.core.settings import Settings
from tui.disk.writer import DiskWriter
from tui.engine import open_engine

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from tui.engine.engine import Engine


def held(monkeypatch: pytest.MonkeyPatch, name: str) -> tuple[asyncio.Event, ...]:
    """Let a method of the disk writer wait: its beginning, and what ends the wait."""
    real = getattr(DiskWriter, name)
    began, may_end = asyncio.Event(), asyncio.Event()

    async def wait(writer: DiskWriter, *args: Any, **options: Any) -> Any:
        began.set()
        await may_end.wait()
        return await real(writer, *args, **options)

    monkeypatch.setattr(DiskWriter, name, wait)
    return began, may_end


class Start(Protocol):
    def __call__(self, **changes: Any) -> AbstractAsyncContextManager[Engine]: ...


@pytest.fixture(params=["http1", "httpx"])
def backend(request: pytest.FixtureRequest) -> str:
    """Each HTTP backend; all of them must pass the same tests."""
    return request.param


@pytest.fixture
def start(tmp_path: Path) -> Start:
    """Open an engine that saves to ``tmp_path / "out"`` and never waits long."""

    @asynccontextmanager
    async def opened(**changes: Any) -> AsyncIterator[Engine]:
        settings = Settings(output_dir=tmp_path / "out", timeout_s=5.0)
        # Jitter of zero: a retry comes at once.
        engine = await open_engine(settings._replace(**changes), chance=lambda: 0.0)
        try:
            yield engine
        finally:
            await engine.close()

    return opened


def request_for(url: str, **fields: Any) -> DownloadRequest:
    return DownloadRequest((url,), **fields)


async def until(engine: Engine, holds: Any, timeout_s: float = 30.0) -> None:
    """Wait for a fact about the engine, woken by its events and its bytes."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout_s
    while not holds():
        assert loop.time() < deadline, "it never became true"
        await asyncio.sleep(0.002)
