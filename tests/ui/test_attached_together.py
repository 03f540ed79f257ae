"""Two dashboards and three verbs on one engine, at the same time and over sockets."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

from tests.support.attached import Connector, a_server
from tests.support.until import until
from tests.ui.test_attached import board_on, shows
from tui.core.download import DownloadState
from tui.core.request import DownloadRequest
from tui.core.settings import Settings
from tui.demo.pattern import Pattern
from tui.demo.script import ResponseScript
from tui.engine import open_engine

if TYPE_CHECKING:
    from pathlib import Path

    from tests.ui.dashboards import Dashboard
    from tui.core.service import DownloadService
    from tui.demo.server import ScriptedServer

_S = DownloadState


async def run_verb(*arguments: str) -> str:
    """Run a verb in a process of its own; return what it prints."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "tui", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
    return output.decode()


def agree(service: DownloadService, *boards: Dashboard) -> bool:
    """Return True if dashboards show the states and limits of the engine."""
    now, ids = service.snapshot(), range(service.count)
    states = [row.state for row in service.rows(ids)]
    for board in boards:
        replica = board.main.service
        shown = replica.snapshot()
        limits = shown.concurrency, shown.rate_limit, shown.counts, shown.total
        if limits != (now.concurrency, now.rate_limit, now.counts, now.total):
            return False
        if [row.state for row in replica.rows(ids)] != states:
            return False
    return True


def state(board: Dashboard, id: int) -> DownloadState:
    """Return the state of a download that a dashboard shows."""
    (row,) = board.main.service.rows([id])
    return row.state


async def test_dashboards_and_verbs_agree_and_each_undoes_its_own(
    tmp_path: Path, server: ScriptedServer
):
    stalls = ResponseScript(Pattern(1 << 20), stall_after=1 << 16)
    names = [f"file-{number}.bin" for number in range(6)]
    urls = [server.add(f"/{name}", stalls) for name in (*names, "added.bin")]
    settings = Settings(
        output_dir=tmp_path / "out", concurrency=3, segments=1, timeout_s=60.0
    )
    engine = await open_engine(settings)
    engine.add(DownloadRequest((url,)) for url in urls[:-1])
    try:
        async with (
            a_server(engine) as (address, _),
            board_on(Connector(address)) as (one, _),
            board_on(Connector(address)) as (other, _),
        ):
            await shows(one, names[5])
            await shows(other, names[5])
            await other.press("G")
            cancelled, paused = one.list.cursor_row.id, other.list.cursor_row.id
            by_verb = 4
            assert len({cancelled, paused, by_verb}) == 3
            await asyncio.gather(
                run_verb("pause", names[by_verb]),
                run_verb("limit", "-c", "5", "--rate", "1M"),
                run_verb("add", urls[-1]),
                one.press("x"),
                other.press("p"),
            )
            added = engine.count - 1
            await until(lambda: agree(engine, one, other))
            assert engine.snapshot().concurrency == 5
            assert state(other, cancelled) is _S.CANCELLED
            assert state(one, paused) is state(one, by_verb) is _S.PAUSED
            await until(lambda: state(one, added) is _S.DOWNLOADING)
            await shows(one, "added.bin")
            await shows(other, "added.bin")
            await one.press("u")
            await other.press("u")
            await until(lambda: state(other, cancelled) is not _S.CANCELLED)
            await until(lambda: state(one, paused) is not _S.PAUSED)
            await until(lambda: agree(engine, one, other))
            # Each key has undone what its dashboard did, and nothing of the verbs.
            assert state(other, by_verb) is _S.PAUSED
            assert engine.snapshot().rate_limit == 1 << 20
    finally:
        await engine.close()
