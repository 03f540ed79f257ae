"""Every byte that arrives is charged to the limits that apply to it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.integration.conftest import request_for, until
from tui.core.download import DownloadState as S
from tui.core.settings import HostRule
from tui.demo.pattern import Pattern
from tui.demo.script import ResponseScript
from tui.engine.download.ranges.segments import Segment, SegmentScheduler
from tui.net.limiter import Limiter

if TYPE_CHECKING:
    from tests.integration.conftest import Start
    from tui.demo.server import ScriptedServer

SIZES = [1, 1000, 65_536, 262_144, 262_145, 300_000, 1_048_576, 3_000_001]
GIB = 1 << 30


@pytest.fixture
def charged(monkeypatch: pytest.MonkeyPatch) -> dict[int | None, int]:
    """Bytes by the rate of the limiter that they were charged to; nothing waits."""
    charged: dict[int | None, int] = {}

    async def take(self: Limiter, nbytes: int) -> None:
        charged[self.rate] = charged.get(self.rate, 0) + nbytes

    monkeypatch.setattr(Limiter, "take", take)
    return charged


@pytest.mark.parametrize("segments", [1, 4])
@pytest.mark.parametrize("where", ["all", "one", "host", "all and one"])
async def test_every_byte_of_files_of_every_size_is_charged(
    server: ScriptedServer,
    start: Start,
    backend: str,
    charged: dict[int | None, int],
    where: str,
    segments: int,
) -> None:
    urls = [
        server.add(f"/{size}", ResponseScript(Pattern(size, 1), etag='"1"'))
        for size in SIZES
    ]
    hosts = (HostRule("127.0.0.1", rate_limit=GIB + 1),) if where == "host" else ()
    total = GIB if "all" in where else None
    async with start(
        http_backend=backend, segments=segments, hosts=hosts, rate_limit=total
    ) as engine:
        engine.pause_all()
        ids = engine.add([request_for(url) for url in urls])
        if "one" in where:
            for id in ids:
                engine.set_rate_limit(GIB + 2, id)
        engine.resume_all()
        await engine.wait_idle()
        assert {row.state for row in engine.rows(ids)} == {S.DONE}
        fetched = engine.snapshot().fetched
    assert fetched == sum(SIZES)
    expected = {"all": [GIB], "host": [GIB + 1], "one": [GIB + 2]}
    rates = expected.get(where, [GIB, GIB + 2])
    for rate in rates:
        if where == "host" and segments > 1:
            # What a connection reads past the end of its segment came from the host.
            assert fetched <= charged[rate] < 1.2 * fetched
        else:
            assert charged[rate] == fetched


@pytest.mark.parametrize("where", ["all", "one", "host"])
async def test_bytes_come_evenly_however_low_the_limit_is(
    server: ScriptedServer, start: Start, where: str
) -> None:
    """Not half a MiB on each connection at once, followed by seconds without any."""
    rate, segments = 400_000, 4
    url = server.add("/x", ResponseScript(Pattern(20_000_000, 1), etag='"1"'))
    hosts = (HostRule("127.0.0.1", rate_limit=rate),) if where == "host" else ()
    total = rate if where == "all" else None
    async with start(segments=segments, hosts=hosts, rate_limit=total) as engine:
        engine.pause_all()
        engine.add([request_for(url)])
        if where == "one":
            engine.set_rate_limit(rate, 0)
        engine.resume_all()
        await until(engine, lambda: engine.rows([0])[0].received > 0)
        began = asyncio.get_running_loop().time()
        # What comes in a second, or in more where the machine is busy.
        await until(engine, lambda: engine.rows([0])[0].received > rate)
        received = engine.rows([0])[0].received
        seconds = asyncio.get_running_loop().time() - began
    # The read that brings a head may bring 64 KiB.
    assert received <= rate * (seconds + 0.1) + segments * (64 << 10)


async def test_a_limit_that_is_set_meanwhile_counts_from_then_on(
    server: ScriptedServer, start: Start, charged: dict[int | None, int]
) -> None:
    body = Pattern(6_000_000, 1)
    url = server.add("/x", ResponseScript(body, etag='"1"', rate=20_000_000))
    async with start(segments=1) as engine:
        engine.add([request_for(url)])
        await until(engine, lambda: engine.rows([0])[0].received > 1_000_000)
        engine.set_rate_limit(GIB)
        before = engine.rows([0])[0].received
        await engine.wait_idle()
    # What was on its way when the limit was set is not charged, and one read that was
    # counted as received before may be.
    left = body.size - before
    assert left - (4 << 20) <= charged[GIB] <= left + (512 << 10)
    assert charged[GIB] > 0


@pytest.mark.parametrize("is_throttled", [True, False])
async def test_a_throttled_transfer_requests_no_range_twice(
    server: ScriptedServer,
    start: Start,
    monkeypatch: pytest.MonkeyPatch,
    is_throttled: bool,
) -> None:
    """Its connections wait for the limit: that they are slow shows nothing else."""
    interrupted: list[Segment] = []
    forever = asyncio.Event()

    async def take(self: Limiter, nbytes: int) -> None:
        if is_throttled:
            await forever.wait()

    monkeypatch.setattr(Limiter, "take", take)
    monkeypatch.setattr(Segment, "interrupt", lambda self: interrupted.append(self))
    monkeypatch.setattr(
        SegmentScheduler, "slow_segments", lambda self, now: list(self.segments)
    )
    stuck = ResponseScript(Pattern(4_000_000, 1), etag='"1"', stall_after=100_000)
    async with start(segments=3, rate_limit=GIB) as engine:
        engine.add([request_for(server.add("/stuck", stuck))])
        running = engine._context.registry.running

        def all_began() -> bool:
            seen = [one for transfer in running for one in transfer.segment_snapshots()]
            return len(seen) == 3 and all(one.at > one.start for one in seen)

        await until(engine, all_began)
        (transfer,) = running
        now = engine._context.clock.monotonic()
        for seconds in range(1, 4):
            transfer.tick(now + seconds)
        interrupted.clear()
        transfer.tick(now + 4)
        assert bool(interrupted) is not is_throttled
        forever.set()
