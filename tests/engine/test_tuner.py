"""Automatic concurrency, with a real engine and a real server."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from tests.support.until import until
from tui.core.download import DownloadState
from tui.core.events import LimitChanged
from tui.core.listing.slices import run_at_once
from tui.core.notices import AutoCode, AutoReason, LimitName
from tui.core.request import DownloadRequest
from tui.core.service import Move
from tui.core.settings import Settings
from tui.demo.pattern import Pattern
from tui.demo.script import ResponseScript
from tui.engine import open_engine
from tui.engine.autotune.controller import Decision

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tui.demo.server import RecordedRequest, ScriptedServer
    from tui.engine.engine import Engine
    from tui.engine.events import EventSubscription

SLOW = ResponseScript(Pattern(5_000_000, 1), etag='"1"', rate=200_000)


@asynccontextmanager
async def steered(
    server: ScriptedServer,
    folder: Path,
    count: int = 60,
    script: ResponseScript = SLOW,
) -> AsyncIterator[Engine]:
    urls = [server.add(f"/{number}", script) for number in range(count)]
    settings = Settings(output_dir=folder, timeout_s=5.0, auto=True, concurrency=2)
    engine = await open_engine(settings, chance=lambda: 0.0)
    try:
        engine.add(DownloadRequest((url,)) for url in urls)
        yield engine
    finally:
        await engine.close()


def steps(heard: EventSubscription) -> list[LimitChanged]:
    """Changes of the concurrency since the last call."""
    return [
        event
        for event in heard.drain()
        if isinstance(event, LimitChanged) and event.name is LimitName.CONCURRENCY
    ]


async def test_it_grows_while_that_helps_and_reports_each_step(
    server: ScriptedServer, tmp_path: Path
) -> None:
    async with steered(server, tmp_path) as engine:
        heard = engine.subscribe()
        assert engine.snapshot().auto.is_on
        await until(lambda: engine.snapshot().concurrency >= 8, timeout_s=30)
        first = steps(heard)[0]
        assert (first.old, first.new) == (2, 4)
        assert first.reason is not None
        assert first.reason.code is AutoCode.TRY_MORE


async def test_a_number_set_by_hand_turns_it_off_until_it_is_turned_on(
    server: ScriptedServer, tmp_path: Path
) -> None:
    async with steered(server, tmp_path) as engine:
        await until(lambda: engine.snapshot().concurrency > 2, timeout_s=20)
        engine.set_concurrency(3)
        auto = engine.snapshot().auto
        assert (auto.is_on, auto.is_pinned) == (False, True)
        assert auto.reason == AutoReason(AutoCode.PINNED)
        beats = engine.snapshot().elapsed_s + 1.0
        await until(lambda: engine.snapshot().elapsed_s > beats)
        assert engine.snapshot().concurrency == 3
        engine.set_auto(True)
        auto = engine.snapshot().auto
        assert (auto.is_on, auto.is_pinned) == (True, False)
        assert auto.reason == AutoReason(AutoCode.MEASURING)
        await until(lambda: engine.snapshot().concurrency > 3, timeout_s=30)


async def test_a_decision_shows_its_reason_also_if_the_number_stays(
    server: ScriptedServer, tmp_path: Path
) -> None:
    async with steered(server, tmp_path, count=1) as engine:
        heard = engine.subscribe()
        for level in (6, 6):
            reason = AutoReason(AutoCode.TRY_MORE, (2, 1.0, level))
            engine._tuner._apply(Decision(level, reason))
            assert engine.snapshot().auto.reason is reason
        assert [(step.old, step.new) for step in steps(heard)] == [(2, 6)]


async def test_turning_it_off_keeps_the_concurrency(
    server: ScriptedServer, tmp_path: Path
) -> None:
    async with steered(server, tmp_path, count=1) as engine:
        engine.set_auto(False)
        auto = engine.snapshot().auto
        assert (auto.is_on, auto.is_pinned) == (False, False)
        assert engine.snapshot().concurrency == 2


async def test_it_follows_a_host_that_refuses_connections(
    server: ScriptedServer, tmp_path: Path
) -> None:
    def refuse(seen: RecordedRequest) -> ResponseScript | None:
        busy = sum(1 for other in server.requests if not other.ended) - 1
        return ResponseScript(status=429) if busy >= 3 else None

    body = Pattern(300_000, 1)
    picky = ResponseScript(body, etag='"1"', rate=600_000, answer=refuse)
    async with steered(server, tmp_path, script=picky) as engine:
        heard = engine.subscribe()
        refused = AutoCode.HOSTS_REFUSE
        await until(
            lambda: any(e.reason and e.reason.code is refused for e in steps(heard)), 30
        )
        # A fourth may still be ending here that has ended for the server.
        await until(lambda: engine.snapshot().concurrency <= 3)
        (host,) = engine.origins()
        assert host.cap_from == "learned"
        assert host.errors >= 1
        assert not engine.snapshot().counts[DownloadState.FAILED]


async def test_a_large_file_gets_more_connections_than_without_it(
    server: ScriptedServer, tmp_path: Path
) -> None:
    large = ResponseScript(Pattern(300 << 20, 1), etag='"1"', rate=100_000)
    async with steered(server, tmp_path, count=1, script=large) as engine:
        engine.set_concurrency(12)
        await until(lambda: engine.rows([0])[0].connections == 4)
        engine.set_auto(True)
        await until(lambda: engine.rows([0])[0].connections >= 12)


async def test_a_dead_host_does_not_slow_the_others_down(
    server: ScriptedServer, tmp_path: Path
) -> None:
    dead = [server.add(f"/dead{n}", ResponseScript(raw=b"")) for n in range(20)]
    async with steered(server, tmp_path, count=20) as engine:
        heard = engine.subscribe()
        await until(lambda: engine.snapshot().elapsed_s > 0.6)
        engine.add(
            DownloadRequest((url.replace("127.0.0.1", "localhost"),)) for url in dead
        )
        run_at_once(engine.reorder_iter(range(20, 40), Move.TOP))
        failed = DownloadState.FAILED
        await until(lambda: engine.snapshot().counts[failed] == 20, timeout_s=30)
        later = engine.snapshot().elapsed_s + 0.6
        await until(lambda: engine.snapshot().elapsed_s > later)
        reasons = [step.reason for step in steps(heard) if step.reason is not None]
        broke = AutoCode.CONNECTIONS_BROKE
        assert not [reason for reason in reasons if reason.code is broke]
