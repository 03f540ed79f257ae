"""Problems of this machine: no room, no permission, no directory."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.conftest import request_for, until
from tests.integration.small_disk import SmallDisk
from tests.integration.test_whole_downloads import digest, names
from tests.support.command import fetchtui
from tui.core.download import DownloadState as S
from tui.core.errors import ErrorKind, LocalError
from tui.core.events import QueuePaused, QueueResumed
from tui.core.listing.query import DownloadQuery, View
from tui.core.listing.slices import run_at_once
from tui.core.request import DownloadRequest
from tui.core.settings import Settings
from tui.demo.pattern import Pattern
from tui.demo.script import ResponseScript
from tui.disk import platform, resume_record
from tui.engine import open_engine
from tui.engine.download import checkpoint

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.conftest import Start
    from tui.demo.server import ScriptedServer
    from tui.disk.resume_record import ResumeRecord

MIB = 1 << 20
LARGE = Pattern(5 * MIB, 1)


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SmallDisk]:
    with SmallDisk(tmp_path / "out", 3 * MIB, monkeypatch) as made:
        yield made


# -- no room ---------------------------------------------------------------------------


@pytest.mark.parametrize("length", ["exact", "chunked"])
async def test_a_full_disk_pauses_the_queue_and_free_space_resumes_it(
    server: ScriptedServer, start: Start, disk: SmallDisk, length: Any
) -> None:
    small = Pattern(1000, 2)
    server.add(
        "/large", ResponseScript(LARGE, etag='"1"', length=length, rate=40 * MIB)
    )
    server.add("/small", ResponseScript(small))
    async with start(concurrency=1) as engine:
        heard = engine.subscribe()
        engine.add([request_for(server.url(p)) for p in ("/large", "/small")])
        await engine.wait_idle()
        large, waiting = engine.rows([0, 1])
        assert (large.state, large.error_kind) == (S.FAILED, "disk_full")
        assert waiting.state is S.QUEUED
        snapshot = engine.snapshot()
        assert snapshot.is_queue_paused
        assert snapshot.pause_reason.kind is ErrorKind.DISK_FULL
        if length == "exact":
            assert "more needed" in snapshot.pause_reason.detail
        assert names(disk.path) in ([], ["large.part", "large.part.json"])
        disk.grow(20 * MIB)
        engine.resume_all()
        await engine.wait_idle()
        assert [row.state for row in engine.rows([0, 1])] == [S.DONE, S.DONE]
        told = [type(event) for event in heard.drain()]
        assert (told.count(QueuePaused), told.count(QueueResumed)) == (1, 1)
    assert digest(disk.path / "large") == LARGE.sha256()
    assert digest(disk.path / "small") == small.sha256()


async def test_a_size_beyond_the_whole_disk_fails_alone(
    server: ScriptedServer, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server may announce any size: that is no reason to stop all the others."""
    monkeypatch.setattr(platform, "_AMPLE_BYTES", 0)
    server.add("/liar", ResponseScript(LARGE, length=10**15))
    server.add("/x", ResponseScript(LARGE))
    async with start(concurrency=1) as engine:
        engine.add([request_for(server.url(path)) for path in ("/liar", "/x")])
        await engine.wait_idle()
        liar, other = engine.rows([0, 1])
        assert (liar.state, liar.error_kind) == (S.FAILED, "too_large")
        assert "1.00 PB" in liar.error
        assert other.state is S.DONE
        assert not engine.snapshot().is_queue_paused
    assert len(server.requests) == 2


async def test_an_exceeded_quota_pauses_the_queue_as_a_full_disk_does(
    server: ScriptedServer, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_args: object, **_options: object) -> bool:
        raise OSError(errno.EDQUOT, "quota")

    monkeypatch.setattr(platform, "preallocate", refuse)
    urls = [server.add(f"/{n}", ResponseScript(LARGE, etag='"1"')) for n in "ab"]
    async with start(concurrency=1) as engine:
        engine.add([request_for(url) for url in urls])
        await engine.wait_idle()
        assert [row.state for row in engine.rows([0, 1])] == [S.FAILED, S.QUEUED]
        reason = engine.snapshot().pause_reason
        assert reason.kind is ErrorKind.DISK_FULL
        assert "quota" in reason.detail


async def test_a_full_disk_is_no_reason_to_ask_another_mirror(
    server: ScriptedServer, start: Start, disk: SmallDisk
) -> None:
    urls = [server.add(f"/{n}/x", ResponseScript(LARGE, etag='"1"')) for n in range(2)]
    async with start() as engine:
        engine.add([DownloadRequest(tuple(urls))])
        await engine.wait_idle()
        assert engine.rows([0])[0].error_kind == ErrorKind.DISK_FULL
        disk.grow(20 * MIB)
        engine.resume_all()
        await engine.wait_idle()
        assert engine.rows([0])[0].state is S.DONE
    assert server.requests_for("/1/x") == []
    assert digest(disk.path / "x") == LARGE.sha256()


async def test_where_no_record_can_be_saved_no_more_is_downloaded(
    server: ScriptedServer,
    start: Start,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    slow = ResponseScript(LARGE, etag='"1"', rate=2 * MIB)
    url = server.add("/x", ResponseScript(LARGE, etag='"1"', first=[slow]))
    real, refused = resume_record.serialize, []

    def serialize(record: ResumeRecord) -> bytes:
        if record.ranges and not refused:
            refused.append(record)
            raise OSError(errno.ENOSPC, "the disk is full")
        return real(record)

    monkeypatch.setattr(checkpoint, "CHECKPOINT_S", 0.0)
    monkeypatch.setattr(resume_record, "serialize", serialize)
    async with start(segments=1) as engine:
        engine.add([request_for(url)])
        await engine.wait_idle()
        assert engine.rows([0])[0].error_kind == ErrorKind.DISK_FULL
        assert server.requests[0].bytes_sent < LARGE.size
        engine.resume_all()
        await engine.wait_idle()
        assert engine.rows([0])[0].state is S.DONE
    assert digest(tmp_path / "out/x") == LARGE.sha256()


async def test_free_space_does_not_bring_removed_downloads_back(
    server: ScriptedServer, start: Start, disk: SmallDisk
) -> None:
    server.add("/large", ResponseScript(LARGE, etag='"1"'))
    async with start() as engine:
        engine.add([request_for(server.url("/large"))])
        await engine.wait_idle()
        assert engine.snapshot().pause_reason.kind is ErrorKind.DISK_FULL
        assert engine.remove([0]) == [0]
        disk.grow(20 * MIB)
        engine.resume_all()
        await engine.wait_idle()
        assert engine.snapshot().total == 0
        assert engine.rows([0])[0].state is S.FAILED
    assert len(server.requests) == 1


async def test_what_fits_when_the_disk_fills_up_is_not_fetched_again(
    server: ScriptedServer,
    start: Start,
    disk: SmallDisk,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # There is room when it begins, which cannot be set aside; then others take it.
    monkeypatch.setattr(platform, "_fallocate", None)
    body = Pattern(2 * MIB + 700_000, 3)
    server.add("/x", ResponseScript(body, etag='"1"', rate=1.5 * MIB))
    async with start(segments=1, in_flight_limit=200_000) as engine:
        engine.add([request_for(server.url("/x"))])
        await until(engine, lambda: engine.rows([0])[0].received > MIB)
        record = disk.path / "x.part.json"
        await until(engine, lambda: b'"ranges": [[0, ' in record.read_bytes())
        disk.fill()
        await engine.wait_idle()
        row = engine.rows([0])[0]
        assert (row.state, row.error_kind) == (S.FAILED, "disk_full")
        assert row.received > MIB
        disk.grow(20 * MIB)
        engine.resume_all()
        await engine.wait_idle()
        assert engine.rows([0])[0].state is S.DONE
    assert digest(disk.path / "x") == body.sha256()
    (again,) = server.requests[1:]
    assert again.range is not None
    assert again.range[0] > MIB // 2


async def test_many_small_files_on_a_full_disk_are_all_complete_at_the_end(
    server: ScriptedServer, start: Start, disk: SmallDisk
) -> None:
    bodies = [Pattern(10_000, seed) for seed in range(400)]
    urls = [server.add(f"/{n}", ResponseScript(body)) for n, body in enumerate(bodies)]
    async with start(concurrency=16) as engine:
        engine.add([request_for(url) for url in urls])
        await engine.wait_idle()
        counts = engine.snapshot().counts
        assert counts[S.FAILED] > 0
        assert counts[S.DONE] > 100
        causes = run_at_once(engine.by_cause_iter(DownloadQuery(View.FAILED)))
        assert [cause.kind for cause in causes] == ["disk_full"]
        disk.grow(20 * MIB)
        engine.resume_all()
        await engine.wait_idle()
        assert engine.snapshot().counts[S.DONE] == 400
    assert names(disk.path) == sorted(map(str, range(400)))
    for number, body in enumerate(bodies):
        assert (disk.path / str(number)).read_bytes() == body.read()


async def test_the_command_ends_with_a_status_and_says_what_to_do(
    server: ScriptedServer, disk: SmallDisk, tmp_path: Path
) -> None:
    # A size beyond every disk fails on a pretended small disk as well.
    body = Pattern(1 << 55) if not disk.is_real else LARGE
    url = server.add("/large", ResponseScript(body, etag='"1"'))
    ended = await fetchtui("--json", "-o", "out", url, cwd=tmp_path)
    assert ended.status == 1
    (failed,) = ended.of("failed")
    assert failed["error_kind"] == "disk_full"
    assert "more needed" in failed["error"]
    assert "stopped: the disk is full" in ended.err
    assert not (disk.path / "large").exists()
    disk.grow(20 * MIB)
    url = server.add("/large", ResponseScript(LARGE, etag='"1"'))
    assert (await fetchtui("--json", "-o", "out", url, cwd=tmp_path)).status == 0
    assert digest(disk.path / "large") == LARGE.sha256()


async def test_the_command_ends_what_runs_when_another_file_does_not_fit(
    server: ScriptedServer, tmp_path: Path
) -> None:
    # As large as the disk, on which there is something already.
    disk = os.statvfs(tmp_path)
    server.add("/fits", ResponseScript(LARGE, rate=4 * MIB))
    server.add("/huge", ResponseScript(Pattern(disk.f_blocks * disk.f_frsize)))
    urls = [server.url(path) for path in ("/fits", "/huge", "/later")]
    ended = await fetchtui("-c", "2", "-o", "out", "--json", *urls, cwd=tmp_path)
    assert ended.status == 1
    assert "stopped: the disk is full" in ended.err
    assert [one["error_kind"] for one in ended.of("failed")] == ["disk_full"]
    assert [one["path"] for one in ended.of("done")] == [f"{tmp_path / 'out/fits'}"]
    assert ended.of("summary")[0]["unfinished"] == 1
    assert digest(tmp_path / "out/fits") == LARGE.sha256()


# -- no permission, no directory -------------------------------------------------------


@pytest.mark.parametrize("size", [1000, 3_000_000])
async def test_a_directory_that_vanishes_is_reported_and_the_bytes_are_downloaded_again(
    server: ScriptedServer, start: Start, tmp_path: Path, size: int
) -> None:
    body = Pattern(size, 4)
    server.add("/x", ResponseScript(body, etag='"1"', rate=size * 4))
    async with start() as engine:
        engine.add([request_for(server.url("/x"))])
        await until(engine, lambda: engine.rows([0])[0].received > size // 2)
        shutil.rmtree(tmp_path / "out")
        await engine.wait_idle()
        row = engine.rows([0])[0]
        assert row.state is S.FAILED
        assert row.error_kind in ("directory_gone", "disk"), row.error
        assert "x" in row.error
        assert not (tmp_path / "out").exists(), "a mount point must not fill up"
        (tmp_path / "out").mkdir()
        engine.retry([0])
        await engine.wait_idle()
        assert engine.rows([0])[0].state is S.DONE, engine.rows([0])[0].error
    assert digest(tmp_path / "out/x") == body.sha256()


async def test_a_part_file_that_vanishes_does_not_become_a_file(
    server: ScriptedServer, start: Start, tmp_path: Path
) -> None:
    server.add("/x", ResponseScript(LARGE, etag='"1"', rate=20 * MIB))
    async with start(segments=1) as engine:
        engine.add([request_for(server.url("/x"))])
        await until(engine, lambda: engine.rows([0])[0].received > MIB)
        (tmp_path / "out/x.part").unlink()
        await engine.wait_idle()
        row = engine.rows([0])[0]
        assert (row.state, row.error_kind) == (S.FAILED, "disk")
        engine.retry([0])
        await engine.wait_idle()
        assert engine.rows([0])[0].state is S.DONE
    assert digest(tmp_path / "out/x") == LARGE.sha256()


async def test_an_output_directory_that_is_a_file_is_reported_at_once(
    tmp_path: Path,
) -> None:
    (tmp_path / "out").write_text("mine")
    with pytest.raises(LocalError) as caught:
        await open_engine(Settings(output_dir=tmp_path / "out"))
    assert caught.value.kind == "not_writable"
    assert (tmp_path / "out").read_text() == "mine"


UNPRIVILEGED = """
import ctypes, os, sys
import tui.cli.main
if os.getuid() == 0:  # give up what root may do more than others (capset(2))
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    nothing = (ctypes.c_uint32 * 6)()
    assert ctypes.CDLL(None).capset(header, nothing) == 0
tui.cli.main.main(sys.argv[1:])
"""


async def test_a_directory_without_permission_is_reported_before_any_request(
    server: ScriptedServer, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir(mode=stat.S_IRUSR | stat.S_IXUSR)
    url = server.add("/x", ResponseScript(b"abc"))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", UNPRIVILEGED, "--headless", "-o", str(out), url),
        cwd=Path(__file__).parents[2],
        stderr=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    _, err = await process.communicate()
    assert process.returncode == 2, err
    assert b"cannot write" in err
    assert b"choose another" in err
    assert server.requests == []
