"""Sizes of queued files: asked for over spare connections, and politely."""

from __future__ import annotations

from contextlib import asynccontextmanager

import pytest

from tests.support.until import until
from tui.core.request import DownloadRequest
from tui.core.settings import Settings
from tui.demo.pattern import Pattern
from tui.demo.script import ResponseScript
from tui.engine.factory import open_engine

BIG = Pattern(3_000_000, seed=3)
STUCK = ResponseScript(BIG, etag='"1"', stall_after=500_000)
WHOLE = ResponseScript(BIG, etag='"1"')


@asynccontextmanager
async def an_engine(server, tmp_path, names, script=WHOLE, **settings):
    """One stuck download, and others in the queue behind it."""
    requests = [DownloadRequest((server.add("/stuck.iso", STUCK),))]
    requests += [DownloadRequest((server.add(name, script),)) for name in names]
    wanted = {"sizes_ahead": True, "concurrency": 1, "segments": 1, **settings}
    engine = await open_engine(Settings(output_dir=tmp_path, timeout_s=30, **wanted))
    try:
        engine.add(requests)
        yield engine
    finally:
        await engine.close()


def sizes(engine):
    return [row.size for row in engine.rows(range(1, engine.snapshot().total))]


async def ticks(engine, number):
    """Wait until the engine has asked for nothing in a number of ticks."""
    lookahead, seen = engine._lookahead, 0
    tick = engine._ticker._ask_for_sizes

    def count():
        nonlocal seen
        before = lookahead.sent
        tick()
        seen = 0 if lookahead.sent != before else seen + 1

    engine._ticker._ask_for_sizes = count
    await until(lambda: seen >= number)


async def test_sizes_of_queued_files_become_known(server, tmp_path):
    names = ["/a.iso", "/b.iso", "/c.iso?sig=1", "/d.txt"]
    async with an_engine(server, tmp_path, names) as engine:
        await until(lambda: sizes(engine) == [len(BIG), len(BIG), None, len(BIG)])
        await ticks(engine, 2)
        asked = server.requests[1:]
        assert [request.path for request in asked] == ["/a.iso", "/b.iso", "/d.txt"]
        assert {request.range for request in asked} == {(0, 1)}
        assert len({request.connection for request in asked}) == 1
        assert engine.snapshot().counts_files, "one size is still unknown"


@pytest.mark.parametrize(
    "settings", [{"sizes_ahead": False}, {"per_host": 1}], ids=["off", "at its limit"]
)
async def test_no_request_exceeds_the_limit_of_a_host(server, tmp_path, settings):
    async with an_engine(server, tmp_path, ["/a.iso"], **settings) as engine:
        await until(lambda: engine.rows([0])[0].received)
        await ticks(engine, 3)
        assert len(server.requests) == 1
        assert sizes(engine) == [None]


async def test_nothing_is_asked_while_the_queue_is_paused(server, tmp_path):
    names = [f"/{number}.iso" for number in range(9)]
    async with an_engine(server, tmp_path, names) as engine:
        await until(lambda: len(server.requests) > 1)
        engine.pause_all()
        asked = engine._lookahead.sent
        await ticks(engine, 3)
        assert engine._lookahead.sent == asked
        engine.resume_all()
        await until(lambda: None not in sizes(engine))


@pytest.mark.parametrize(
    ("script", "known"),
    [
        (ResponseScript(BIG, ranges="ignore"), len(BIG)),
        (ResponseScript(status=503), None),
        (ResponseScript(status=403), None),
    ],
)
async def test_a_host_that_does_not_like_it_is_asked_once(
    server, tmp_path, script, known
):
    names = [f"/{number}.iso" for number in range(5)]
    async with an_engine(server, tmp_path, names, script) as engine:
        await until(lambda: len(server.requests) == 2)
        await ticks(engine, 3)
        assert len(server.requests) == 2
        assert sizes(engine) == [known, None, None, None, None]


async def test_small_files_are_sampled_only(server, tmp_path):
    names = [f"/{number}.txt" for number in range(9)]
    small = ResponseScript(Pattern(2000, seed=1), etag='"1"')
    async with an_engine(server, tmp_path, names, small) as engine:
        await until(lambda: len(server.requests) == 4)
        await ticks(engine, 3)
        assert len(server.requests) == 4, "three of a kind tell how large the rest is"
