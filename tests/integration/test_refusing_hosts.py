"""Hosts that refuse: one bad URL, a full host, and a host that is down."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Literal, cast

import pytest

from tests.integration.conftest import request_for, until
from tui.core.diagnosis import LimitCause
from tui.core.download import DownloadState as S
from tui.core.notices import AutoCode, AutoReason
from tui.core.settings import Settings
from tui.demo.pattern import Pattern
from tui.demo.script import RecordedRequest, ResponseScript
from tui.disk.state.host_limits import HostLimits
from tui.engine import open_engine

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.conftest import Start
    from tui.demo.server import ScriptedServer
    from tui.engine.download.ranges.connections import Connections

SLOW = ResponseScript(Pattern(400_000, 1), etag='"1"', rate=400_000)


def full(server: ScriptedServer, capacity: int, size: int) -> ResponseScript:
    """Return a script for a server that serves some requests and answers 429 beyond."""

    def refuse(_: RecordedRequest) -> ResponseScript | None:
        busy = sum(1 for other in server.requests if not other.ended) - 1
        return ResponseScript(status=429) if busy >= capacity else None

    return ResponseScript(Pattern(size, 1), etag='"1"', rate=600_000, answer=refuse)


async def test_one_url_that_answers_503_limits_no_others(
    server: ScriptedServer, start: Start
) -> None:
    bad = server.add("/bad", ResponseScript(status=503))
    good = [server.add(f"/{n}", SLOW) for n in range(20)]
    async with start(concurrency=8, segments=1, retries=2) as engine:
        engine.add(request_for(url) for url in [bad, *good])
        await until(engine, lambda: engine.snapshot().counts[S.FAILED] == 1)
        assert sum(1 for r in server.requests if r.status == 503) == 3
        (host,) = engine.origins()
        assert (host.cap, host.cap_from) == (0, "")


async def test_a_full_host_is_limited_and_nothing_fails(
    server: ScriptedServer, start: Start
) -> None:
    script = full(server, 4, 200_000)
    urls = [server.add(f"/{n}", script) for n in range(30)]
    async with start(concurrency=10, segments=1) as engine:
        engine.add(request_for(url) for url in urls)
        await until(engine, lambda: engine.origins()[0].cap_from == "learned")
        waiting = [row for row in engine.rows(range(30)) if row.host_limit]
        assert waiting
        assert waiting[0].state is S.QUEUED
        detail = engine.detail(waiting[0].id)
        assert detail.diagnosis.cause is LimitCause.HOST_LIMITED
        await engine.wait_idle()
        assert engine.snapshot().counts[S.DONE] == 30


@pytest.mark.parametrize("cut", ["reset", "close"])
async def test_a_full_host_that_closes_further_connections_is_limited_too(
    server: ScriptedServer, start: Start, cut: Literal["reset", "close"]
) -> None:
    def refuse(_: RecordedRequest) -> ResponseScript | None:
        busy = sum(1 for other in server.requests if not other.ended) - 1
        return ResponseScript(raw=b"", cut=cut) if busy >= 2 else None

    script = ResponseScript(Pattern(40_000, 1), rate=400_000, answer=refuse)
    urls = [server.add(f"/{n}", script) for n in range(30)]
    async with start(concurrency=10, segments=1, retries=3) as engine:
        engine.add(request_for(url) for url in urls)
        await engine.wait_idle()
        assert engine.snapshot().counts[S.DONE] == 30
        assert engine.origins()[0].cap_from == "learned"


async def test_one_url_that_is_closed_unanswered_limits_no_others(
    server: ScriptedServer, start: Start
) -> None:
    bad = server.add("/bad", ResponseScript(raw=b"", cut="reset"))
    good = [server.add(f"/{n}", SLOW) for n in range(20)]
    async with start(concurrency=8, segments=1, retries=2) as engine:
        engine.add(request_for(url) for url in [bad, *good])
        await until(engine, lambda: engine.snapshot().counts[S.FAILED] == 1)
        assert engine.rows([0])[0].attempt == 3
        (host,) = engine.origins()
        assert (host.cap, host.cap_from) == (0, "")


async def test_automatic_concurrency_finds_what_a_host_accepts(
    server: ScriptedServer, start: Start
) -> None:
    script = full(server, 10, 100_000)
    urls = [server.add(f"/{n}", script) for n in range(120)]
    async with start(auto=True) as engine:
        engine.add(request_for(url) for url in urls)
        await engine.wait_idle()
        assert engine.snapshot().counts[S.DONE] == 120
        assert engine.origins()[0].cap_from == "learned"
    refused = sum(1 for r in server.requests if r.status == 429)
    assert 0 < refused < 60


async def test_a_host_that_refuses_all_requests_for_a_while_is_left_alone_meanwhile(
    server: ScriptedServer, start: Start
) -> None:
    body = Pattern(100_000, 1)

    def refuse(_: RecordedRequest) -> ResponseScript | None:
        busy = sum(1 for other in server.requests if not other.ended) - 1
        is_refused = len(server.requests) <= 12 or busy >= 6
        return ResponseScript(status=429) if is_refused else None

    script = ResponseScript(body, etag='"1"', rate=600_000, answer=refuse)
    urls = [server.add(f"/{n}", script) for n in range(60)]
    async with start(auto=True) as engine:
        engine.add(request_for(url) for url in urls)
        await engine.wait_idle()
        assert engine.snapshot().counts[S.DONE] == 60
        assert engine.origins()[0].cap >= 5
    refused = sum(1 for r in server.requests if r.status == 429)
    assert refused < 40


async def test_a_refused_further_connection_waits_as_long_as_the_server_asks(
    server: ScriptedServer, start: Start
) -> None:
    busy = ResponseScript(status=503, headers={"Retry-After": "3600"})

    def refuse(request: RecordedRequest) -> ResponseScript | None:
        return busy if "range" in request.headers else None

    script = ResponseScript(
        Pattern(8 << 20, 1), etag='"1"', rate=400_000, answer=refuse
    )
    url = server.add("/f", script)
    async with start(segments=2) as engine:
        engine.add([request_for(url)])
        await until(engine, lambda: engine._context.registry.running)
        (transfer,) = engine._context.registry.running
        connections = cast("Connections", transfer.connections)
        await until(engine, lambda: connections.retry_at)
        wait_s = connections.retry_at - engine._context.clock.monotonic()
        assert 3500 < wait_s <= 3600


async def test_the_next_run_does_not_ask_for_more_than_a_host_accepted(
    server: ScriptedServer, tmp_path: Path
) -> None:
    script = full(server, 4, 60_000)
    limits = HostLimits(tmp_path / "state")
    refused = []
    for name, count in (("first", 40), ("second", 8)):
        urls = [server.add(f"/{name}/{n}", script) for n in range(count)]
        settings = Settings(output_dir=tmp_path / name, auto=True, concurrency=16)
        engine = await open_engine(settings, chance=lambda: 0.0, host_limits=limits)
        engine.add(request_for(url) for url in urls)
        await engine.wait_idle()
        assert engine.snapshot().counts[S.DONE] == count
        await engine.close()
        ours = [r for r in server.requests if r.path.startswith(f"/{name}/")]
        refused.append(sum(1 for r in ours if r.status == 429))
    assert refused[0] > 2
    # A probe for one more slot may be refused, and one download before it: towards its
    # end, the first run may have been given a fifth slot as another one became free.
    assert refused[1] <= 2


async def test_remembered_limits_are_read_in_a_thread(tmp_path: Path) -> None:
    threads = []

    class Limits(HostLimits):
        def load(self, now: float) -> dict[str, int]:
            threads.append(threading.current_thread())
            return {"http://a": 3}

    limits = Limits(tmp_path / "state")
    settings = Settings(output_dir=tmp_path / "out")
    engine = await open_engine(settings, host_limits=limits)
    try:
        assert engine._context.queue.remembered == {"http://a": 3}
    finally:
        await engine.close()
    assert threading.current_thread() not in threads
    assert len(threads) == 1


async def test_automatic_concurrency_opens_16_connections_per_host_at_most(
    server: ScriptedServer, start: Start
) -> None:
    large = ResponseScript(Pattern(100 << 20, 1), etag='"1"', rate=100_000)
    urls = [server.add(f"/{n}", large) for n in range(40)]
    async with start(auto=True) as engine:
        engine.add(request_for(url) for url in urls)
        await server.until(lambda: server.open_connections == 16)
        later = engine.snapshot().elapsed_s + 1.5
        (origin,) = engine._context.queue.origins.values()
        seen: set[int] = set()

        def is_later() -> bool:
            seen.add(origin.connections)
            return engine.snapshot().elapsed_s > later

        await until(engine, is_later)
        assert max(seen) == 16


async def test_a_new_download_gets_a_connection_from_a_large_file(
    server: ScriptedServer, start: Start
) -> None:
    large = ResponseScript(Pattern(400 << 20, 1), etag='"1"', rate=100_000)
    small = ResponseScript(Pattern(300_000, 1), etag='"1"')
    async with start(auto=True, concurrency=16) as engine:
        engine._tuner._trials = None  # whose trials would give some back later
        engine.add([request_for(server.add("/large", large))])
        await server.until(lambda: server.open_connections == 16)
        urls = [server.add(f"/{n}", small) for n in range(3)]
        engine.add(request_for(url) for url in urls)
        await until(engine, lambda: engine.snapshot().counts[S.DONE] == 3)
        (row,) = engine.rows([0])
        assert row.state is S.DOWNLOADING
        # What the others had is used again.
        await until(engine, lambda: engine.rows([0])[0].connections == 16)


@pytest.mark.alone
async def test_a_large_file_gets_its_connections_at_once(
    server: ScriptedServer, start: Start
) -> None:
    large = ResponseScript(Pattern(144 << 20, 1), etag='"1"', rate=200_000)
    url = server.add("/large", large)
    async with start(auto=True) as engine:
        engine.add([request_for(url)])
        await server.until(lambda: server.open_connections == 12)
        assert engine.snapshot().elapsed_s < 1.0


async def test_a_file_that_is_slow_over_each_connection_gets_more(
    server: ScriptedServer, start: Start
) -> None:
    slow = ResponseScript(Pattern(9 << 20, 1), etag='"1"', rate=100_000)
    url = server.add("/slow", slow)
    async with start(auto=True) as engine:
        engine.add([request_for(url)])
        await server.until(lambda: server.open_connections == 3)
        await server.until(lambda: server.open_connections == 6)
        reason = engine.snapshot().auto.reason
        assert reason == AutoReason(AutoCode.TRY_MORE_CONNECTIONS, (3, 6))
        await server.until(lambda: server.open_connections > 6)


async def test_a_host_that_refuses_further_connections_is_asked_no_more(
    server: ScriptedServer, start: Start
) -> None:
    script = full(server, 5, 100 << 20)
    script.rate = 8_000_000
    url = server.add("/large", script)
    async with start(auto=True, segments=0) as engine:
        engine.add([request_for(url)])
        await engine.wait_idle()
        assert engine.snapshot().counts[S.DONE] == 1
        assert engine.origins()[0].cap <= 5
    # Ten were opened together, and five refused. Later a range that ends may still
    # count at the server when the next one is requested; nothing else is refused.
    assert sum(1 for r in server.requests if r.status == 429) <= 8


async def test_the_only_url_that_a_full_host_refuses_is_downloaded_in_the_end(
    server: ScriptedServer, start: Start
) -> None:
    script = full(server, 4, 600_000)
    urls = [server.add(f"/{n}", script) for n in range(5)]
    async with start(concurrency=5, segments=1) as engine:
        engine.add(request_for(url) for url in urls)
        await engine.wait_idle()
        assert engine.snapshot().counts[S.DONE] == 5
