"""An engine with a scripted server to download from, and its RPC."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.rpc.client import SECRET, RpcClient
from tui.core.settings import Settings
from tui.demo.pattern import Pattern
from tui.demo.script import ResponseScript
from tui.engine import open_engine
from tui.rpc.config import RpcConfig
from tui.rpc.web.server import RpcServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tui.demo.server import ScriptedServer

SIZE = 3 << 20
BODY = Pattern(SIZE, 7)


class Files(NamedTuple):
    """URLs of the scripted server."""

    whole: str
    stalls: str
    """Sends one piece and then nothing, at the first request only."""
    stalls_too: str
    missing: str


@pytest.fixture
def files(server: ScriptedServer) -> Files:
    half = ResponseScript(BODY, etag='"1"', stall_after=1 << 20)
    script = ResponseScript(BODY, etag='"1"', first=[half])
    return Files(
        server.add("/whole.bin", ResponseScript(BODY, etag='"1"')),
        server.add("/stalls.bin", script),
        server.add("/stalls-too.bin", script),
        server.add("/missing.bin", ResponseScript(status=404)),
    )


def rpc_config(**changes: object) -> RpcConfig:
    return RpcConfig("127.0.0.1", 0, SECRET)._replace(**changes)


@pytest.fixture
def config() -> RpcConfig:
    """What the RPC is started with; tests override it."""
    return rpc_config()


@pytest.fixture
async def rpc(tmp_path: Path, config: RpcConfig) -> AsyncIterator[RpcClient]:
    settings = Settings(
        output_dir=tmp_path / "out", timeout_s=30.0, concurrency=2, segments=1
    )
    engine = await open_engine(settings, chance=lambda: 0.0)
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    server = RpcServer(engine, config, lambda: slept.append(-1.0), sleep)
    await server.open()
    client = RpcClient(server, engine)
    client.slept = slept
    try:
        yield client
    finally:
        await client.http.aclose()
        await server.close()
        await engine.close()
