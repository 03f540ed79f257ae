"""The last files of a list: an idle connection fetches a part of what is left."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.integration.conftest import request_for
from tui.core.download import DownloadState as S
from tui.demo.pattern import Pattern
from tui.demo.script import RecordedRequest, ResponseScript
from tui.engine.autotune.connections import ConnectionGrowth

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.conftest import Start
    from tui.demo.script import Ranges
    from tui.demo.server import ScriptedServer

BODY = Pattern(1_900_000, seed=1)
SMALL = 30
"""More than are requested at first, so that connections are used again."""


@pytest.fixture(autouse=True)
def _no_trials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Try no other number of connections: that takes longer, and may open new ones."""
    monkeypatch.setattr(ConnectionGrowth, "observe", lambda *_: None)


def script(*, ranges: Ranges = "honour") -> ResponseScript:
    """Return a script that sends the file slowly, and parts of it less slowly."""
    fast = ResponseScript(BODY, etag='"1"', ranges=ranges, rate=1_200_000)

    def answer(request: RecordedRequest) -> ResponseScript | None:
        return fast if request.number else None

    return replace(fast, rate=600_000, answer=answer)


async def parts_of_the_slow_file(
    server: ScriptedServer,
    start: Start,
    slow: ResponseScript,
    *,
    auto: bool,
    last: int = 1,
) -> list[RecordedRequest]:
    """Download small files and a slow one; return the further requests for that."""
    urls = [server.add("/slow", slow)]
    # These end when the speed of the slow one is known, and that has more to send.
    late = ResponseScript(b"last", latency_s=0.8)
    urls += [server.add(f"/last{n}", late) for n in range(last)]
    urls += [server.add(f"/{n}", ResponseScript(b"small")) for n in range(SMALL)]
    async with start(auto=auto, concurrency=16, retries=0) as engine:
        engine.add(request_for(url) for url in urls)
        async with asyncio.timeout(30):
            await engine.wait_idle()
        assert engine.snapshot().counts[S.DONE] == len(urls)
    return server.requests_for("/slow")[1:]


async def test_an_idle_connection_fetches_a_part_of_the_last_file(
    server: ScriptedServer, start: Start, tmp_path: Path
) -> None:
    parts = await parts_of_the_slow_file(server, start, script(), auto=True)

    assert parts
    assert parts[0].ended == "sent"
    others = {r.connection for r in server.requests if r.path != "/slow"}
    assert {part.connection for part in parts} <= others
    assert (tmp_path / "out" / "slow").read_bytes() == BODY.read()


async def test_a_large_file_takes_over_the_connections_of_small_ones(
    server: ScriptedServer, start: Start, tmp_path: Path
) -> None:
    body = Pattern(30_000_000, seed=3)
    slow = ResponseScript(body, etag='"1"', rate=2_500_000)
    parts = await parts_of_the_slow_file(server, start, slow, auto=True, last=4)

    # Its size suggests five connections.
    assert len({part.connection for part in parts}) > 5
    assert (tmp_path / "out" / "slow").read_bytes() == body.read()


async def test_a_file_keeps_its_one_connection_under_a_fixed_concurrency(
    server: ScriptedServer, start: Start
) -> None:
    assert not await parts_of_the_slow_file(server, start, script(), auto=False)


async def test_a_server_without_ranges_is_not_asked_for_a_part(
    server: ScriptedServer, start: Start
) -> None:
    slow = script(ranges="ignore")
    assert not await parts_of_the_slow_file(server, start, slow, auto=True)


async def test_idle_connections_to_a_redirecting_host_are_not_those_of_the_file(
    server: ScriptedServer, start: Start
) -> None:
    server.add("/elsewhere", script())
    there = server.url("/elsewhere", "localhost")
    slow = ResponseScript(redirect=there)
    assert not await parts_of_the_slow_file(server, start, slow, auto=True)
