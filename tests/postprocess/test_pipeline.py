"""The pipeline with a real engine, a real server and real processes."""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from tests.postprocess.archives import tar_of, zip_of
from tests.support.fake_service import FakeService
from tests.support.until import until
from tui.core.download import DownloadState as S
from tui.core.errors import ErrorKind
from tui.core.events import DownloadNotice
from tui.core.notices import Notice, NoticeCode, PauseReason
from tui.core.request import DownloadRequest
from tui.core.settings import Hooks, OnExists, Settings
from tui.demo.script import ResponseScript
from tui.engine import open_engine
from tui.headless.run import run_headless
from tui.messages import notice_text
from tui.postprocess.pipeline import Pipeline, start_pipeline

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from tui.demo.server import ScriptedServer
    from tui.engine.engine import Engine

OLD = "Wed, 21 Oct 2015 07:28:00 GMT"
OLD_AT = 1_445_412_480


@pytest.fixture
def run(tmp_path: Path, server: ScriptedServer) -> Any:
    """Download paths from the server, including post-processing."""

    @asynccontextmanager
    async def running(
        *paths: str, **changes: Any
    ) -> AsyncIterator[tuple[Engine, Pipeline]]:
        settings = Settings(output_dir=tmp_path / "out", retries=0)._replace(**changes)
        engine = await open_engine(settings, chance=lambda: 0.0)
        follower = start_pipeline(engine, settings)
        assert follower is not None
        try:
            engine.add([DownloadRequest((server.url(path),)) for path in paths])
            async with asyncio.timeout(20):
                await engine.wait_idle()
                await follower.drain()
            yield engine, follower
        finally:
            await follower.close()
            await engine.close()

    return running


def note(path: Path) -> Hooks:
    """Write a line for each hook that runs."""
    say = f'echo "$FETCHTUI_EVENT $FETCHTUI_NAME $FETCHTUI_ERROR_KIND" >> {path}'
    return Hooks(*(("sh", "-c", say),) * 3)


async def test_without_post_processing_there_is_no_subscription(tmp_path):
    settings = Settings(output_dir=tmp_path)
    engine = await open_engine(settings)
    try:
        assert start_pipeline(engine, settings) is None
        assert not engine._context.bus._subscribers
    finally:
        await engine.close()


async def test_hooks_run_per_download_and_once_for_all(server, run, tmp_path):
    server.add("/a", ResponseScript(b"a"))
    server.add("/b", ResponseScript(b"b"))
    async with run("/a", "/b", "/gone", hooks=note(tmp_path / "told")) as (_, follower):
        lines = (tmp_path / "told").read_text().splitlines()
        assert sorted(lines[:-1]) == ["done a ", "done b ", "failed gone not_found"]
        assert lines[-1].split() == ["all_done"]
        assert (follower.failures, follower.summary()) == (0, [])
        await follower.drain()
        assert len((tmp_path / "told").read_text().splitlines()) == 4, "told once"


async def test_end_is_announced_again_after_more_downloads(server, run, tmp_path):
    server.add("/a", ResponseScript(b"a"))
    server.add("/b", ResponseScript(b"b"))
    say = f"echo $FETCHTUI_DONE >> {tmp_path}/told"
    hooks = Hooks(on_all_done=("sh", "-c", say))
    async with run("/a", hooks=hooks) as (engine, _):
        engine.add([DownloadRequest((server.url("/b"),))])
        reason = tmp_path / "told"
        await until(lambda: reason.read_text() == "1\n2\n")


FAILED = "hook 'sh' exited with status 7: no"


async def test_failing_hook_affects_nothing_else(server, run, tmp_path):
    for name in "abc":
        server.add(f"/{name}", ResponseScript(name.encode()))
    hooks = Hooks(
        on_done=("sh", "-c", "test $FETCHTUI_NAME != b || { echo no; exit 7; }")
    )
    async with run("/a", "/b", "/c", hooks=hooks) as (engine, follower):
        rows = engine.rows(range(3))
        assert [row.state for row in rows] == [S.DONE] * 3
        assert [notice_text(row.note) for row in rows] == ["", FAILED, ""]
        assert follower.failures == 1
        assert follower.summary() == [
            "post-processing: 1 hook failed",
            f"  b: {FAILED}",
        ]
    assert [(tmp_path / f"out/{name}").read_text() for name in "abc"] == list("abc")


async def test_hanging_hook_is_killed_and_reported(server, run):
    server.add("/a", ResponseScript(b"a"))
    hooks = Hooks(on_done=("sleep", "60"), timeout_s=0.3)
    async with run("/a", hooks=hooks) as (engine, follower):
        assert follower.failures == 1
        assert "took longer than" in notice_text(engine.rows([0])[0].note)


async def test_already_present_file_runs_no_hook(server, run, tmp_path):
    server.add("/a", ResponseScript(b"aaa"))
    hooks = Hooks(on_done=note(tmp_path / "told").on_done)
    for on_exists in (OnExists.RESUME, OnExists.RESUME, OnExists.SKIP):
        async with run("/a", hooks=hooks, on_exists=on_exists):
            pass
    assert (tmp_path / "told").read_text() == "done a \n"


async def test_archives_are_unpacked_before_the_hook(server, run, tmp_path):
    server.add("/box.zip", ResponseScript(zip_of([("a", b"1"), ("b/c", b"2")])))
    server.add("/tar.tgz", ResponseScript(tar_of([("x", b"3")], "gz")))
    server.add("/plain", ResponseScript(b"text"))
    say = f'cd "${{FETCHTUI_UNPACKED:-/}}" && ls > {tmp_path}/told.$FETCHTUI_ID'
    hooks = Hooks(on_done=("sh", "-c", say))
    paths = ("/box.zip", "/tar.tgz", "/plain")
    async with run(*paths, hooks=hooks, unpack=True) as (engine, follower):
        assert follower.summary() == []
        notes = [notice_text(row.note) for row in engine.rows(range(3))]
        assert notes[:2] == [
            "unpacked into box/ (3 entries)",
            "unpacked into tar/ (1 entry)",
        ]
    assert (tmp_path / "told.0").read_text() == "a\nb\n"
    assert sorted(os.listdir(tmp_path / "out")) == [
        *("box", "box.zip", "plain", "tar", "tar.tgz")
    ]
    # The same again: what is here is left as it is.
    async with run("/box.zip", unpack=True) as (_, follower):
        assert follower.failures == 0
    assert "box (1)" not in os.listdir(tmp_path / "out")


async def test_malicious_archive_fails_alone(server, run, tmp_path):
    server.add(
        "/evil.tar", ResponseScript(tar_of([("ok", b"1"), ("../../evil", b"x")]))
    )
    server.add("/good.zip", ResponseScript(zip_of([("a", b"1")])))
    paths = ("/evil.tar", "/good.zip")
    reason = tmp_path / "told"
    hooks = Hooks(on_done=("sh", "-c", f'echo "[$FETCHTUI_UNPACKED]" >> {reason}'))
    async with run(*paths, unpack=True, hooks=hooks) as (engine, follower):
        evil, good = engine.rows(range(2))
        assert evil.state is good.state is S.DONE
        assert notice_text(evil.note) == (
            "not unpacked: the name '../../evil' leaves the folder"
        )
        assert follower.summary()[0] == "post-processing: 1 archive not unpacked"
    assert sorted(os.listdir(tmp_path / "out")) == ["evil.tar", "good", "good.zip"]
    assert not (tmp_path / "evil").exists()
    lines = sorted(reason.read_text().splitlines())
    assert lines == [f"[{tmp_path}/out/good]", "[]"]


@pytest.mark.parametrize("size", [10, 2_000_000], ids=["small", "large"])
async def test_files_get_the_servers_modification_time(server, run, tmp_path, size):
    server.add("/old", ResponseScript(b"x" * size, last_modified=OLD))
    server.add(
        "/future", ResponseScript(b"x", last_modified="Fri, 01 Jan 2100 00:00:00 GMT")
    )
    server.add(
        "/epoch", ResponseScript(b"x", last_modified="Thu, 01 Jan 1970 00:00:00 GMT")
    )
    server.add("/junk", ResponseScript(b"x", last_modified="yesterday"))
    server.add("/none", ResponseScript(b"x"))
    began = time.time() - 60
    paths = ("/old", "/future", "/epoch", "/junk", "/none")
    for _ in range(2):  # the second time all of them are here, and nothing changes
        async with run(*paths, server_time=True) as (engine, follower):
            assert follower.failures == 0
            assert engine.snapshot().counts[S.DONE] == 5
        times = {p: (tmp_path / f"out{p}").stat().st_mtime for p in paths}
        assert times.pop("/old") == OLD_AT
        assert all(began < at <= time.time() for at in times.values())
    assert len(os.listdir(tmp_path / "out")) == 5


async def test_log_includes_post_processing(server, run, tmp_path):
    server.add("/a.zip", ResponseScript(zip_of([("x", b"1")])))
    log = tmp_path / "log"
    async with run("/a.zip", "/gone?token=hunter2", log_file=log, unpack=True):
        pass
    text = log.read_text()
    assert "hunter2" not in text
    for reason in (
        "saves to",
        "queued http",
        "started",
        "done a.zip",
        "failed not_found",
    ):
        assert reason in text
    assert "note unpacked into a/" in text


async def test_unwritable_log_is_reported_once(server, run, tmp_path):
    server.add("/a", ResponseScript(b"a"))
    log = tmp_path / "no" / "log"
    async with run("/a", log_file=log) as (engine, follower):
        assert engine.rows([0])[0].state is S.DONE
        assert follower.failures == 0


async def test_close_stops_hooks_and_reports_unfinished_work(server, tmp_path):
    server.add("/a", ResponseScript(b"a"))
    settings = Settings(
        output_dir=tmp_path,
        hooks=Hooks(
            on_done=("sh", "-c", f"echo $$ >> {tmp_path}/pid; exec sleep 60"), at_once=1
        ),
    )
    engine = await open_engine(settings)
    follower = start_pipeline(engine, settings)
    assert follower is not None
    engine.add([DownloadRequest((server.url("/a"),))] * 3)
    pid = tmp_path / "pid"
    await until(lambda: pid.exists() and len(follower._hooks) == 3)
    assert follower.summary() == ["post-processing: 3 hooks unfinished"]
    async with asyncio.timeout(20):
        await follower.close()
        await engine.close()
    assert len(pid.read_text().split()) == 1, "the others were not begun"
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)


async def test_stopped_run_still_post_processes_finished_downloads(tmp_path):
    service = FakeService()
    say = f"sleep 0.2; echo $FETCHTUI_ERROR > {tmp_path}/told"
    settings = Settings(hooks=Hooks(on_failed=("sh", "-c", say)))
    follower = start_pipeline(service, settings)
    request = DownloadRequest(("http://127.0.0.1/a",))
    nowhere = os.open(os.devnull, os.O_WRONLY)
    run = run_headless(
        service,
        [request, request],
        post_processor=follower,
        stdout_fd=nowhere,
        stderr_fd=nowhere,
    )
    running = asyncio.ensure_future(run)
    await until(lambda: len(service.downloads) == 2)
    service.fail(0, "disk_full", "the disk is full")
    service.pause_for(PauseReason(ErrorKind.DISK_FULL, "the disk is full"))
    async with asyncio.timeout(20):
        assert await running == 1
    os.close(nowhere)
    assert (tmp_path / "told").read_text() == "the disk is full\n"
    assert follower is not None
    assert follower.waiting_for() == ""
    await follower.close()


async def test_unpacking_progress_is_not_an_event(server, run, tmp_path):
    server.add("/a.zip", ResponseScript(zip_of([("x", b"1")])))
    async with run("/a", unpack=True) as (engine, _):
        listener = engine.subscribe()
        progress = Notice(NoticeCode.UNPACKING_PROGRESS, (0.03,))
        unpacked = Notice(NoticeCode.UNPACKED, (3, "a"))
        engine.add_note(0, progress, is_news=False)
        assert engine.rows([0])[0].note == progress
        engine.add_note(0, unpacked)
        events = [e for e in listener.drain() if isinstance(e, DownloadNotice)]
        assert [event.notice for event in events] == [unpacked]
        assert engine.rows([0])[0].note == unpacked
        listener.close()


async def test_notification_waits_for_the_terminal(tmp_path, monkeypatch):
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    service = FakeService()
    (id,) = service.add([DownloadRequest(("http://example.org/a",))])
    pipeline = start_pipeline(service, Settings(output_dir=tmp_path, notify=True))
    assert pipeline is not None
    try:
        service.start(id)
        service.finish(id)
        await pipeline.drain()
        sent: list[str] = []
        pipeline.use_terminal(sent.append)
        await pipeline.drain()
        assert len(sent) == 1
    finally:
        await pipeline.close()


@pytest.mark.parametrize("below", ["", "sub", "sub/deep"])
@pytest.mark.parametrize("is_moved", [True, False], ids=["moved", "removed"])
async def test_a_link_in_place_of_the_folder_is_not_followed(
    server, tmp_path, monkeypatch, below, is_moved
):
    """Neither ``--unpack`` nor ``--server-time`` leaves the download's own folder."""
    body = zip_of([("member", b"1")])
    server.add("/a.zip", ResponseScript(body, last_modified=OLD))
    out, outside = tmp_path / "out", tmp_path / "outside"
    outside.mkdir()
    (outside / "a.zip").write_bytes(zip_of([("evil", b"1")]))
    before = (outside / "a.zip").stat()
    folder, moved = out / below, tmp_path / "moved"

    def swap() -> None:
        if not folder.is_symlink():
            if is_moved:
                folder.rename(moved)
            else:
                (folder / "a.zip").unlink()
                folder.rmdir()
            folder.symlink_to(outside)

    for stage in ("_set_times", "_unpack"):
        monkeypatch.setattr(Pipeline, stage, _after(swap, getattr(Pipeline, stage)))
    settings = Settings(output_dir=out, retries=0, server_time=True, unpack=True)
    engine = await open_engine(settings)
    follower = start_pipeline(engine, settings)
    try:
        url = server.url("/a.zip")
        engine.add([DownloadRequest((url,), directory=below or None)])
        async with asyncio.timeout(20):
            await engine.wait_idle()
            await follower.drain()
        failures = follower.failures
    finally:
        await follower.close()
        await engine.close()
    assert os.listdir(outside) == ["a.zip"]
    after = (outside / "a.zip").stat()
    assert (after.st_mtime_ns, after.st_ctime_ns) == (
        before.st_mtime_ns,
        before.st_ctime_ns,
    )
    if is_moved:
        assert failures == 0
        assert os.listdir(moved / "a") == ["member"]
        assert (moved / "a.zip").stat().st_mtime == OLD_AT
    else:
        assert failures == 2


def _after(first: Callable[[], None], stage: Any) -> Any:
    async def run(self: Pipeline, work: Any) -> None:
        first()
        await stage(self, work)

    return run
