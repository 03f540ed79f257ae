"""Connections opened while the first responses of a far https server arrive."""

from __future__ import annotations

import ssl
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
import trustme

from tests.support.tls_peer import HalfAnswering, serving_tls
from tests.support.until import until
from tui.core.download import DownloadState
from tui.core.request import DownloadRequest
from tui.core.settings import Settings
from tui.engine import open_engine
from tui.engine.autotune import fast_start
from tui.engine.scheduling.queue import HOST_CONNECTIONS, SMALL_CEILING
from tui.net.transports.http1 import client

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tui.engine.engine import Engine


@pytest.fixture(autouse=True)
def no_haste(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that is busy ends the start, and a slow one closes what is unused."""
    monkeypatch.setattr(fast_start, "OTHER_LIMITS", frozenset())
    monkeypatch.setattr(client, "AHEAD_S", 60.0)


@asynccontextmanager
async def fetching(
    script: HalfAnswering, folder: Path, count: int, **settings: int
) -> AsyncIterator[Engine]:
    """Download ``count`` files with automatic concurrency."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    bundle = folder / "ca.pem"
    authority.cert_pem.write_to_path(str(bundle))
    async with serving_tls(context, script) as port:
        given = Settings(
            output_dir=folder / "out",
            ca_file=bundle,
            auto=True,
            concurrency=HOST_CONNECTIONS,
            timeout_s=20.0,
        )
        engine = await open_engine(given._replace(**settings))
        try:
            engine.add(
                DownloadRequest((f"https://localhost:{port}/{number}",))
                for number in range(count)
            )
            await until(lambda: script.requests == HOST_CONNECTIONS)
            yield engine
        finally:
            await engine.close()


async def look_again(engine: Engine) -> None:
    """Let the tuner look at the start of the run a few times."""
    before = engine.snapshot().elapsed_s
    await until(lambda: engine.snapshot().elapsed_s > before + 0.1)


async def test_small_files_find_their_connections_ready(tmp_path: Path) -> None:
    script = HalfAnswering()
    async with fetching(script, tmp_path, 100) as engine:
        await until(lambda: len(script.resumed) == SMALL_CEILING)
        assert script.requests == HOST_CONNECTIONS, "no size is known"
        assert script.resumed == [False] * 16 + [True] * 48
        script.rest.set()
        await until(lambda: engine.snapshot().counts[DownloadState.DONE] == 100)
    assert len(script.resumed) == SMALL_CEILING
    assert script.unused == 0


async def test_a_limit_per_host_holds(tmp_path: Path) -> None:
    script = HalfAnswering()
    async with fetching(script, tmp_path, 100, per_host=20) as engine:
        await until(lambda: len(script.resumed) == 20)
        await look_again(engine)
        assert len(script.resumed) == 20
        script.rest.set()
        await until(lambda: engine.snapshot().counts[DownloadState.DONE] == 100)
    assert len(script.resumed) == 20


async def test_a_short_list_needs_none(tmp_path: Path) -> None:
    script = HalfAnswering()
    async with fetching(script, tmp_path, 40) as engine:
        await look_again(engine)
        assert len(script.resumed) == HOST_CONNECTIONS
        script.rest.set()
        await until(lambda: engine.snapshot().counts[DownloadState.DONE] == 40)


async def test_a_fixed_concurrency_needs_none(tmp_path: Path) -> None:
    script = HalfAnswering()
    async with fetching(script, tmp_path, 100, auto=False) as engine:
        await look_again(engine)
        assert len(script.resumed) == HOST_CONNECTIONS
        script.rest.set()
        await until(lambda: engine.snapshot().counts[DownloadState.DONE] == 100)
