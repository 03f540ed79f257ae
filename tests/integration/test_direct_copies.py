"""Downloads by direct copies in threads, on both event loops, with interruptions."""

from __future__ import annotations

import asyncio
import gc
import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.conftest import request_for, until
from tests.integration.small_disk import SmallDisk
from tests.integration.test_whole_downloads import digest, names
from tests.support.direct_copies import ForcedCopies
from tests.support.loops import LOOPS
from tui.core.download import DownloadState as S
from tui.core.settings import Settings
from tui.demo.pattern import Pattern
from tui.demo.script import ResponseScript
from tui.demo.server import ScriptedServer
from tui.disk import platform
from tui.engine import open_engine

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tui.engine.engine import Engine

MIB = 1 << 20
BODY = Pattern(4 * MIB + 4321, seed=9)
FILE = ResponseScript(BODY, etag='"v1"')


@pytest.fixture(params=LOOPS)
def play(request: pytest.FixtureRequest) -> Callable[[Any], None]:
    """Run a scene on each loop, and check that it leaves no task behind."""
    factory = LOOPS[request.param]

    def run(scene: Callable[[ScriptedServer], Any]) -> None:
        async def within() -> None:
            before = asyncio.all_tasks()
            async with ScriptedServer() as server, asyncio.timeout(30):
                await scene(server)
                await server.until(lambda: not server.open_connections)
            assert asyncio.all_tasks() == before

        with asyncio.Runner(loop_factory=factory) as runner:
            runner.run(within())
        gc.collect()  # so that an unclosed socket is reported here, not in another test

    return run


@pytest.fixture
def copies(monkeypatch: pytest.MonkeyPatch) -> ForcedCopies:
    return ForcedCopies(monkeypatch)


class Run:
    """An engine for a ``with`` block; its counters must be consistent at the end."""

    def __init__(self, path: Path, **changes: Any) -> None:
        changes = {
            "timeout_s": 5.0,
            "segments": 1,
            "http_backend": "http1",
            **changes,
        }
        self.settings = Settings(output_dir=path / "out", **changes)

    async def __aenter__(self) -> Engine:
        self.engine = await open_engine(self.settings, chance=lambda: 0.0)
        return self.engine

    async def __aexit__(self, kind: object, *_: object) -> None:
        await self.engine.close()
        if kind is None:
            context = self.engine._context
            assert context.registry.open_connections == 0
            assert self.engine.snapshot().disk.in_flight == 0
            assert context.registry.received == sum(
                d.received for d in context.registry.downloads
            )


def recorded(path: Path, name: str = "s") -> int:
    """Check the ranges of the resume record; return their total bytes."""
    record = json.loads((path / f"out/{name}.part.json").read_bytes())["fetchtui"]
    data = (path / f"out/{name}.part").read_bytes()
    for start, end in record["ranges"]:
        assert data[start:end] == BODY.read(start, end)
    return sum(end - start for start, end in record["ranges"])


@pytest.mark.parametrize("segments", [1, 3])
def test_directly_copied_files_are_complete_and_reuse_connections(
    play: Any, tmp_path: Path, copies: ForcedCopies, segments: int
) -> None:
    async def scene(server: ScriptedServer) -> None:
        urls = [server.add(f"/{n}", FILE) for n in range(3)]
        async with Run(tmp_path, segments=segments, concurrency=1) as engine:
            engine.add([request_for(url) for url in urls])
            await engine.wait_idle()
            assert engine.snapshot().counts[S.DONE] == 3
            assert engine._context.registry.received == 3 * len(BODY)
            assert engine._context.writer.written == 3 * len(BODY)
        if segments == 1:
            assert {request.connection for request in server.requests} == {0}

    play(scene)
    assert copies.moved > len(BODY)
    assert names(tmp_path / "out") == ["0", "1", "2"]
    assert {digest(tmp_path / f"out/{n}") for n in range(3)} == {BODY.sha256()}


@pytest.mark.parametrize("cut", ["close", "reset"])
def test_a_connection_lost_during_a_copy_is_replaced(
    play: Any, tmp_path: Path, copies: ForcedCopies, cut: Any
) -> None:
    async def scene(server: ScriptedServer) -> None:
        broken = ResponseScript(BODY, etag='"v1"', cut_after=2 * MIB, cut=cut)
        server.add("/s", ResponseScript(BODY, etag='"v1"', first=[broken, broken]))
        async with Run(tmp_path) as engine:
            engine.add([request_for(server.url("/s"))])
            await engine.wait_idle()
            assert engine.rows([0])[0].state is S.DONE
            assert engine._context.registry.received == len(BODY)
        assert all(request.range for request in server.requests[1:])

    play(scene)
    assert copies.moved > MIB
    assert digest(tmp_path / "out/s") == BODY.sha256()


@pytest.mark.parametrize(
    "verbs",
    [("pause", "resume"), ("cancel", "resume"), ("pause_all", "resume_all")],
    ids=["pause", "cancel", "pause_all"],
)
def test_stopping_and_resuming_during_a_copy(
    play: Any, tmp_path: Path, copies: ForcedCopies, verbs: tuple[str, str]
) -> None:
    async def scene(server: ScriptedServer) -> None:
        server.add("/s", FILE)
        async with Run(tmp_path) as engine:

            def press() -> None:
                for verb in verbs:
                    act = getattr(engine, verb)
                    act() if verb in ("pause_all", "resume_all") else act([0])

            for _ in range(2):
                copies.meanwhile(press)
            engine.add([request_for(server.url("/s"))])
            await engine.wait_idle()
            assert engine.rows([0])[0].state is S.DONE
            assert engine._context.registry.received == len(BODY)
        assert len(server.requests) >= 3
        assert all(request.range for request in server.requests[1:])

    play(scene)
    assert digest(tmp_path / "out/s") == BODY.sha256()


def test_pausing_during_a_copy_records_no_more_than_was_received(
    play: Any, tmp_path: Path, copies: ForcedCopies
) -> None:
    async def scene(server: ScriptedServer) -> None:
        server.add("/s", FILE)
        async with Run(tmp_path, segments=3) as engine:
            received = lambda: engine.rows([0])[0].received  # noqa: E731
            copies.meanwhile(lambda: engine.pause([0]), lambda: received() > MIB)
            engine.add([request_for(server.url("/s"))])
            await until(engine, lambda: engine.rows([0])[0].state is S.PAUSED)
            await until(engine, lambda: not engine.snapshot().active)
            assert MIB < received() < len(BODY)
            again = received() - recorded(tmp_path)
            assert again >= 0
            engine.resume([0])
            await engine.wait_idle()
            assert engine.rows([0])[0].state is S.DONE
            assert engine._context.writer.written == len(BODY) + again

    play(scene)
    assert digest(tmp_path / "out/s") == BODY.sha256()


def test_closing_during_a_copy_leaves_a_correct_record(
    play: Any, tmp_path: Path, copies: ForcedCopies
) -> None:
    async def scene(server: ScriptedServer) -> None:
        server.add("/s", FILE)
        closing: list[asyncio.Future[None]] = []
        run = Run(tmp_path, segments=2)
        async with run as engine:
            copies.meanwhile(
                lambda: closing.append(asyncio.ensure_future(engine.close())),
                lambda: engine.rows([0])[0].received > MIB,
            )
            engine.add([request_for(server.url("/s"))])
            await until(engine, lambda: closing)
            await closing[0]
            kept = engine.rows([0])[0].received
        assert MIB < kept == recorded(tmp_path)
        async with run as engine:
            engine.add([request_for(server.url("/s"))])
            await engine.wait_idle()
            assert engine.rows([0])[0].state is S.DONE
            assert engine._context.writer.written == len(BODY) - kept

    play(scene)
    assert digest(tmp_path / "out/s") == BODY.sha256()


@pytest.mark.parametrize("what", ["limit", "own limit", "inline"])
def test_a_rate_limit_or_inline_writes_prevent_further_copies(
    play: Any, tmp_path: Path, copies: ForcedCopies, what: str
) -> None:
    async def scene(server: ScriptedServer) -> None:
        server.add("/s", FILE)
        async with Run(tmp_path) as engine:

            def prevent() -> None:
                if what == "limit":
                    engine.set_rate_limit(1 << 40)
                elif what == "own limit":
                    engine.set_rate_limit(1 << 40, 0)
                else:
                    engine.set_inline_writes(True)

            copies.meanwhile(prevent)
            engine.add([request_for(server.url("/s"))])
            await engine.wait_idle()
            assert engine.rows([0])[0].state is S.DONE
            assert engine._context.registry.received == len(BODY)

    play(scene)
    assert copies.count == 1
    assert digest(tmp_path / "out/s") == BODY.sha256()


def test_a_disk_that_fills_up_during_a_copy_keeps_the_data(
    play: Any, tmp_path: Path, copies: ForcedCopies, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform, "_fallocate", None)

    async def scene(server: ScriptedServer) -> None:
        server.add("/s", FILE)
        with SmallDisk(tmp_path / "out", 8 * MIB, monkeypatch) as disk:
            async with Run(tmp_path) as engine:
                received = lambda: engine.rows([0])[0].received  # noqa: E731
                copies.meanwhile(disk.fill, lambda: received() > MIB)
                engine.add([request_for(server.url("/s"))])
                await engine.wait_idle()
                row = engine.rows([0])[0]
                assert (row.state, row.error_kind) == (S.FAILED, "disk_full")
                assert MIB < row.received < len(BODY)
                await server.until(lambda: not server.open_connections)
                disk.grow(20 * MIB)
                engine.resume_all()
                await engine.wait_idle()
                assert engine.rows([0])[0].state is S.DONE
                assert engine._context.registry.received == len(BODY)
            assert digest(tmp_path / "out/s") == BODY.sha256()

    play(scene)
    assert copies.count > 3


def test_connections_are_added_and_restarted_during_copies(
    play: Any, tmp_path: Path, copies: ForcedCopies
) -> None:
    async def scene(server: ScriptedServer) -> None:
        server.add("/s", FILE)
        async with Run(tmp_path) as engine:

            def restart() -> None:
                (transfer,) = engine._context.registry.running
                for segment in list(transfer._scheduler.segments):  # type: ignore[attr-defined]
                    segment.interrupt()

            for act in (
                lambda: engine.set_segments(4, 0),
                restart,
                lambda: engine.set_segments(1, 0),
                lambda: engine.set_segments(3, 0),
                restart,
            ):
                copies.meanwhile(act)
            engine.add([request_for(server.url("/s"))])
            await engine.wait_idle()
            assert engine.rows([0])[0].state is S.DONE
            assert engine._context.registry.received == len(BODY)
            assert engine._context.writer.written == len(BODY), (
                "nothing was written twice"
            )
        assert len(server.requests) > 3

    play(scene)
    assert digest(tmp_path / "out/s") == BODY.sha256()
