"""The services that must behave alike.

They are the engine, its replica in another process, and the fake of UI tests. Here
the replica is in the same process, but talks to the engine over a Unix socket.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Protocol

import pytest

from tests.support.attached import a_replica
from tests.support.fake_service import FakeService
from tests.support.until import until
from tui.core.download import DownloadState
from tui.core.request import DownloadRequest
from tui.core.settings import Settings
from tui.demo.pattern import Pattern
from tui.demo.script import ResponseScript
from tui.engine import open_engine

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tui.background.attach.replica import Replica
    from tui.core.notices import PauseReason
    from tui.core.service import DashboardService
    from tui.demo.server import ScriptedServer
    from tui.engine.engine import Engine

_S = DownloadState
SIZE = 400_000
"""Bytes of each file."""


class World(Protocol):
    """A service with downloads in states of the test's choice."""

    service: DashboardService

    async def put(self, state: DownloadState, count: int = 1) -> list[int]:
        """Add downloads and return their ids once they are in ``state``."""
        ...

    async def reach(self, ids: list[int], state: DownloadState) -> None:
        """Return once the downloads are in ``state``."""
        ...

    async def sync(self) -> None:
        """Return once everything that the service was asked to do has shown."""
        ...

    async def run_into(self, reason: PauseReason) -> None:
        """Let an error pause the queue."""
        ...


class EngineWorld:
    """The engine over a loopback server that answers as each state needs."""

    def __init__(
        self, service: DashboardService, server: ScriptedServer, engine: Engine
    ) -> None:
        self.service = service
        self._engine = engine
        self._server = server
        self._number = 0

    def _url(self, state: DownloadState) -> str:
        self._number += 1
        path = f"/{self._number}.bin"
        body = Pattern(SIZE, self._number)
        if state is _S.FAILED:
            return self._server.add(path, ResponseScript(status=404))
        if state is _S.DOWNLOADING:
            # Some bytes come, then nothing more.
            stalls = ResponseScript(body, etag='"1"', stall_after=SIZE // 2)
            whole = ResponseScript(body, etag='"1"', first=[stalls])
            return self._server.add(path, whole)
        return self._server.add(path, ResponseScript(body, etag='"1"'))

    async def put(self, state: DownloadState, count: int = 1) -> list[int]:
        is_queue_paused = self.service.snapshot().is_queue_paused
        if state is _S.QUEUED and not is_queue_paused:
            raise ValueError("hold the queue first, so that queued downloads stay")
        urls = [self._url(state) for _ in range(count)]
        requests = [DownloadRequest((url,)) for url in urls]
        ids = list(await self.service.submit(requests))
        if state in (_S.PAUSED, _S.CANCELLED):
            verb = self.service.pause if state is _S.PAUSED else self.service.cancel
            verb(ids)
        await self.reach(ids, state)
        await self.sync()
        return ids

    async def sync(self) -> None:
        pass

    async def run_into(self, reason: PauseReason) -> None:
        self._engine._pause_queue(reason)
        await self.sync()

    async def reach(self, ids: list[int], state: DownloadState) -> None:
        await until(
            lambda: all(row.state is state for row in self.service.rows(ids)), 20
        )


class ReplicaWorld(EngineWorld):
    """The replica of an engine, whose rows and details were looked at before."""

    def __init__(
        self, replica: Replica, server: ScriptedServer, engine: Engine
    ) -> None:
        super().__init__(replica, server, engine)
        self._replica = replica

    async def sync(self) -> None:
        await self._replica.sync()
        ids = self._replica.in_states(frozenset(DownloadState))
        await self._replica.fetch_details(ids)
        self._replica.rows(ids)
        await asyncio.sleep(0)  # asks for them
        await self._replica.sync()


class FakeWorld:
    """The fake, whose states the test sets itself."""

    def __init__(self) -> None:
        self.service = FakeService()

    async def sync(self) -> None:
        pass

    async def run_into(self, reason: PauseReason) -> None:
        self.service.pause_all()
        self.service.pause_reason = reason

    async def put(self, state: DownloadState, count: int = 1) -> list[int]:
        service = self.service
        urls = [
            f"https://example.org/{len(service.downloads)}-{n}" for n in range(count)
        ]
        requests = [DownloadRequest((url,)) for url in urls]
        ids = list(await service.submit(requests))
        for id in ids:
            if state in (_S.DOWNLOADING, _S.DONE):
                service.start(id, size=SIZE)
            if state is _S.DONE:
                service.finish(id)
            elif state is _S.FAILED:
                service.start(id)
                service.fail(id)
        if state is _S.PAUSED:
            service.pause(ids)
        elif state is _S.CANCELLED:
            service.cancel(ids)
        return ids

    async def reach(self, ids: list[int], state: DownloadState) -> None:
        for id in ids:
            if state is _S.DONE and self.service.rows([id])[0].state is not _S.DONE:
                self.service.finish(id)
        assert all(row.state is state for row in self.service.rows(ids))


@contextlib.asynccontextmanager
async def a_world(
    kind: str, server: ScriptedServer, folder: Path
) -> AsyncIterator[World]:
    """A world of a kind."""
    if kind == "fake":
        yield FakeWorld()
        return
    settings = Settings(output_dir=folder, timeout_s=30.0, concurrency=8, segments=1)
    engine = await open_engine(settings, chance=lambda: 0.0)
    try:
        if kind == "engine":
            yield EngineWorld(engine, server, engine)
        else:
            async with a_replica(engine) as replica:
                yield ReplicaWorld(replica, server, engine)
    finally:
        await engine.close()


@pytest.fixture(params=["engine", "replica", "fake"])
async def world(
    request: pytest.FixtureRequest, server: ScriptedServer, tmp_path: Path
) -> AsyncIterator[World]:
    """Each test runs against all services that a dashboard can use."""
    async with a_world(request.param, server, tmp_path) as one:
        yield one


@pytest.fixture(params=["engine", "fake"])
async def local(
    request: pytest.FixtureRequest, server: ScriptedServer, tmp_path: Path
) -> AsyncIterator[World]:
    """The services in this process."""
    async with a_world(request.param, server, tmp_path) as one:
        yield one
