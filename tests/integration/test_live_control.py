"""What the user does during a run: more, fewer, stop a download, restore it."""

from __future__ import annotations

import asyncio
import hashlib
import os
from typing import TYPE_CHECKING

import pytest

from tests.integration.conftest import request_for, until
from tui.core.diagnosis import QueueBlock, QueueStatus
from tui.core.download import DownloadState as S
from tui.core.listing.query import DownloadQuery, View
from tui.core.listing.slices import run_at_once
from tui.core.service import Deletion, KeepReason, Move
from tui.demo.pattern import Pattern
from tui.demo.script import RecordedRequest, ResponseScript
from tui.disk.resume_record import ResumeRecord, serialize
from tui.disk.writer import DiskWriter
from tui.engine import ticker
from tui.engine.download.checkpoint import Checkpointer
from tui.engine.download.ranges import segments
from tui.engine.scheduling.queue import HOST_CONNECTIONS
from tui.net.response import Response

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.conftest import Start
    from tui.demo.server import ScriptedServer
    from tui.disk.small_files import SmallFile

BODY = Pattern(4_000_000, seed=7)
SLOW = ResponseScript(body=BODY, etag='"v1"', rate=2_000_000)
STUCK = ResponseScript(body=BODY, etag='"v1"', stall_after=1_500_000)


async def test_a_higher_concurrency_starts_downloads_in_the_same_iteration(
    server: ScriptedServer, start: Start
) -> None:
    server.add("/s", STUCK)
    async with start(concurrency=4) as engine:
        engine.add([request_for(server.url("/s")) for _ in range(40)])
        assert engine.snapshot().active == 4
        engine.set_concurrency(32)
        assert engine.snapshot().active == 32
        await server.until(lambda: server.open_connections == 32)


async def test_a_download_that_is_being_paused_opens_no_connection(
    server: ScriptedServer, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Checkpointer.save
    may_end = asyncio.Event()

    async def save(checkpointer: Checkpointer) -> None:
        await may_end.wait()  # a slow disk: the engine ticks meanwhile
        await real(checkpointer)

    large = ResponseScript(Pattern(64 << 20), etag='"v1"', rate=1_000_000)
    server.add("/s", large)
    async with start(segments=4) as engine:
        engine.add([request_for(server.url("/s"))])
        await server.until(lambda: server.open_connections == 4)
        monkeypatch.setattr(Checkpointer, "save", save)
        engine.pause([0])
        await server.until(lambda: server.open_connections == 0)
        requests = len(server.requests)
        engine.set_segments(8)
        (transfer,) = engine._context.registry.running
        transfer.connections.adjust()
        may_end.set()
        await until(engine, lambda: engine.snapshot().active == 0)
        await server.until(lambda: server.open_connections == 0)
        assert len(server.requests) == requests
        assert [o.extra for o in engine._context.queue.origins.values()] == [0]


@pytest.mark.parametrize("is_resumed", [False, True])
async def test_a_large_file_that_starts_later_gets_its_share_of_the_connections(
    server: ScriptedServer,
    start: Start,
    monkeypatch: pytest.MonkeyPatch,
    is_resumed: bool,
) -> None:
    monkeypatch.setattr(ticker, "TICK_S", 0.02)
    for path in ("/first", "/later"):
        script = ResponseScript(Pattern(70 << 20), etag='"v1"', rate=50_000)
        server.add(path, script)

    def connections() -> list[int]:
        return [row.connections for row in engine.rows(ids)]

    def requested() -> list[int]:
        running = [one.path for one in server.requests if not one.ended]
        return [running.count(path) for path in ("/first", "/later")]

    if is_resumed:
        async with start(auto=True) as engine:
            engine.add([request_for(server.url("/later"))])
            await until(engine, lambda: engine.rows([0])[0].received > 100_000)
    async with start(auto=True, concurrency=16) as engine:
        ids = list(engine.add([request_for(server.url("/first"))]))
        await until(engine, lambda: connections() == [HOST_CONNECTIONS])
        ids += engine.add([request_for(server.url("/later"))])
        half = HOST_CONNECTIONS // 2
        await until(engine, lambda: connections() == [half, half])
        # Not their sum, which is right while one is being moved, too.
        await server.until(lambda: requested() == [half, half])
        requests = len(server.requests)
        (origin,) = engine._context.queue.origins.values()
        origin.connection_limit = HOST_CONNECTIONS - 4
        await until(engine, lambda: connections() == [half - 2, half - 2])
        assert len(server.requests) == requests, "none was moved"


async def test_a_lower_concurrency_stops_no_running_download(
    server: ScriptedServer, start: Start
) -> None:
    script = ResponseScript(body=BODY, etag='"v1"', rate=100_000)
    server.add("/s", script)
    async with start(concurrency=6, segments=1) as engine:
        engine.add([request_for(server.url("/s")) for _ in range(8)])
        await server.until(lambda: len(server.requests) == 6)
        engine.set_concurrency(1)
        snapshot = engine.snapshot()
        assert (snapshot.active, snapshot.waiting_for) == (
            6,
            QueueStatus(QueueBlock.OVER_LIMIT, (5, 1)),
        )
        script.rate = None
        await engine.wait_idle()
        assert engine.snapshot().counts[S.DONE] == 8
    assert [seen.ended for seen in server.requests] == ["sent"] * 8


async def test_cancel_closes_the_connection_and_undo_completes_the_file(
    server: ScriptedServer, start: Start, tmp_path: Path, backend: str
) -> None:
    server.add("/s", ResponseScript(body=BODY, etag='"v1"', first=[STUCK]))
    async with start(http_backend=backend, segments=1) as engine:
        engine.add([request_for(server.url("/s"))])
        await until(engine, lambda: engine.rows([0])[0].received > 1_000_000)
        assert engine.cancel([0]) == [0]
        assert engine.rows([0])[0].state is S.CANCELLED
        await server.until(lambda: server.requests[0].ended == "gone")
        assert engine.resume([0]) == [0]
        await engine.wait_idle()
        assert engine.rows([0])[0].state is S.DONE
    assert hashlib.sha256((tmp_path / "out/s").read_bytes()).hexdigest() == (
        BODY.sha256()
    )
    assert server.requests[1].range is not None, "what was there is not fetched again"


async def test_undo_in_the_same_iteration_as_the_cancel_is_safe(
    server: ScriptedServer, start: Start, tmp_path: Path
) -> None:
    server.add("/s", ResponseScript(body=BODY, etag='"v1"', rate=20_000_000))
    async with start() as engine:
        engine.add([request_for(server.url("/s"))])
        await until(engine, lambda: engine.rows([0])[0].received > 0)
        for _ in range(5):
            engine.cancel([0])
            engine.resume([0])
        await engine.wait_idle()
        assert engine.rows([0])[0].state is S.DONE
    assert hashlib.sha256((tmp_path / "out/s").read_bytes()).hexdigest() == (
        BODY.sha256()
    )


async def test_the_peak_of_a_short_run_is_not_below_its_average(
    server: ScriptedServer, start: Start
) -> None:
    server.add("/s", ResponseScript(body=BODY, etag='"v1"'))
    async with start() as engine:
        engine.add([request_for(server.url("/s"))])
        await engine.wait_idle()
        snapshot = engine.snapshot()
    assert 0 < snapshot.average <= snapshot.peak


async def test_cancelling_one_leaves_the_others_alone(
    server: ScriptedServer, start: Start
) -> None:
    server.add("/s", ResponseScript(body=BODY, etag='"v1"', rate=20_000_000))
    async with start(concurrency=3) as engine:
        engine.add([request_for(server.url("/s")) for _ in range(5)])
        await server.until(lambda: len(server.requests) == 3)
        engine.cancel([1, 4])
        await engine.wait_idle()
        states = [row.state for row in engine.rows(range(5))]
    assert states == [S.DONE, S.CANCELLED, S.DONE, S.DONE, S.CANCELLED]


async def test_a_paused_download_keeps_its_bytes_and_its_position(
    server: ScriptedServer, start: Start
) -> None:
    server.add("/s", ResponseScript(body=BODY, etag='"v1"', first=[STUCK]))
    async with start(concurrency=1, segments=1) as engine:
        engine.add([request_for(server.url("/s")) for _ in range(2)])
        await until(engine, lambda: engine.rows([0])[0].received > 1_000_000)
        engine.pause([0])
        await server.until(lambda: len(server.requests) == 2)
        assert engine.rows([0])[0].state is S.PAUSED
        engine.resume([0])
        await engine.wait_idle()
        assert engine.snapshot().counts[S.DONE] == 2


@pytest.mark.parametrize("verb", ["pause", "cancel"])
async def test_the_details_of_a_stopped_download_show_what_is_on_disk(
    server: ScriptedServer, start: Start, verb: str
) -> None:
    server.add("/s", STUCK)
    async with start(segments=2) as engine:
        engine.add([request_for(server.url("/s"))])
        await until(engine, lambda: engine.rows([0])[0].received > 2_000_000)
        getattr(engine, verb)([0])
        await until(engine, lambda: not engine._registry.running)
        detail = engine.detail(0)
    on_disk = sum(end - start for start, end in detail.finished)
    assert on_disk == detail.row.received > 2_000_000
    assert detail.validator == '"v1"'


async def test_a_download_that_starts_over_shows_no_part_of_it(
    server: ScriptedServer, start: Start
) -> None:
    changed = ResponseScript(body=BODY, etag='"v2"', stall_after=0)
    server.add("/s", ResponseScript(body=BODY, etag='"v1"', first=[STUCK, changed]))
    async with start(segments=1) as engine:
        engine.add([request_for(server.url("/s"))])
        await until(engine, lambda: engine.rows([0])[0].received > 1_000_000)
        engine.pause([0])
        engine.resume([0])
        await until(engine, lambda: engine.rows([0])[0].received == 0)
        engine.pause([0])
        await until(engine, lambda: not engine._registry.running)
        assert engine.detail(0).finished == ()


async def test_no_time_passes_while_everything_is_paused(
    server: ScriptedServer, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ticker, "TICK_S", 0.005)
    server.add("/s", STUCK)
    async with start(concurrency=1) as engine:
        engine.add([request_for(server.url("/s")) for _ in range(3)])
        await until(engine, lambda: engine.rows([0])[0].received)
        engine.pause_all()
        await until(engine, lambda: not engine.snapshot().active)
        ticks: list[None] = []
        sample = engine._ticker.meter.sample

        def count(now: float, received: int) -> None:
            ticks.append(None)
            sample(now, received)

        monkeypatch.setattr(engine._ticker.meter, "sample", count)
        await until(engine, lambda: len(ticks) == 1)
        elapsed_s = engine.snapshot().elapsed_s
        await until(engine, lambda: len(ticks) == 5)
        assert engine.snapshot().elapsed_s == elapsed_s
        engine.resume_all()
        await until(engine, lambda: engine.snapshot().elapsed_s > elapsed_s)


async def test_pause_all_pauses_everything_and_resume_all_resumes_it(
    server: ScriptedServer, start: Start
) -> None:
    server.add("/s", ResponseScript(body=BODY, etag='"v1"', first=[STUCK] * 2))
    async with start(concurrency=2, segments=1) as engine:
        engine.add([request_for(server.url("/s")) for _ in range(4)])
        await server.until(lambda: len(server.requests) == 2)
        engine.pause_all()
        await server.until(lambda: server.open_connections == 0)
        snapshot = engine.snapshot()
        assert (snapshot.is_queue_paused, snapshot.counts[S.PAUSED]) == (True, 2)
        engine.resume_all()
        await engine.wait_idle()
        assert engine.snapshot().counts[S.DONE] == 4


async def test_a_moved_download_goes_next(server: ScriptedServer, start: Start) -> None:
    for i in range(6):
        server.add(f"/{i}", ResponseScript(body=b"x"))
    async with start(concurrency=1) as engine:
        engine.pause_all()
        engine.add([request_for(server.url(f"/{i}")) for i in range(6)])
        run_at_once(engine.reorder_iter([4], Move.TOP))
        run_at_once(engine.reorder_iter([0], Move.BOTTOM))
        run_at_once(engine.reorder_iter([3], Move.UP))
        order = run_at_once(engine.select_iter(DownloadQuery(view=View.QUEUED)))
        assert order == [4, 1, 3, 2, 5, 0]
        engine.resume_all()
        await engine.wait_idle()
    assert [seen.path for seen in server.requests] == [f"/{i}" for i in order]


async def test_connections_of_a_running_download_follow_the_keys(
    server: ScriptedServer, start: Start, tmp_path: Path
) -> None:
    body = Pattern(30_000_000, seed=2)
    script = ResponseScript(body=body, etag='"v1"', rate=400_000)
    server.add("/s", script)
    async with start(segments=1) as engine:
        engine.add([request_for(server.url("/s"))])
        await server.until(lambda: server.open_connections == 1)
        await until(engine, lambda: engine.rows([0])[0].state is S.DOWNLOADING)
        engine.set_segments(6, 0)
        await server.until(lambda: server.open_connections == 6)
        engine.set_segments(2, 0)
        await server.until(lambda: server.open_connections == 2)
        engine.set_segments(16, 0)
        script.rate = 4_000_000
        await engine.wait_idle()
        assert engine.rows([0])[0].state is S.DONE
    assert hashlib.sha256((tmp_path / "out/s").read_bytes()).hexdigest() == (
        body.sha256()
    )


async def test_another_url_continues_the_same_file(
    server: ScriptedServer, start: Start, tmp_path: Path
) -> None:
    server.add("/old", STUCK)
    server.add("/new", ResponseScript(body=BODY, etag='"v1"'))
    async with start(segments=1) as engine:
        engine.add([request_for(server.url("/old"))])
        await until(engine, lambda: engine.rows([0])[0].received > 1_000_000)
        engine.set_url(0, server.url("/new"))
        await engine.wait_idle()
        assert engine.rows([0])[0].state is S.DONE
    assert hashlib.sha256((tmp_path / "out/old").read_bytes()).hexdigest() == (
        BODY.sha256()
    )
    assert server.requests[-1].range is not None


async def test_closing_keeps_running_downloads_for_the_next_run(
    server: ScriptedServer, start: Start, tmp_path: Path
) -> None:
    server.add("/s", ResponseScript(body=BODY, etag='"v1"', first=[STUCK]))
    for finishes in (False, True):
        async with start(segments=1) as engine:
            engine.add([request_for(server.url("/s"))])
            if finishes:
                await engine.wait_idle()
            else:
                await until(engine, lambda: engine.rows([0])[0].received > 1_000_000)
    assert hashlib.sha256((tmp_path / "out/s").read_bytes()).hexdigest() == (
        BODY.sha256()
    )
    assert server.requests[1].range is not None
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["s"]


async def test_a_rate_limit_applies_to_all_and_is_lifted_at_once(
    server: ScriptedServer, start: Start
) -> None:
    server.add("/s", ResponseScript(body=BODY, etag='"v1"'))
    async with start(rate_limit=100_000, segments=1) as engine:
        engine.add([request_for(server.url("/s"))])
        await until(engine, lambda: engine.rows([0])[0].received > 0)
        await asyncio.sleep(0)
        assert engine.rows([0])[0].state is S.DOWNLOADING
        engine.set_rate_limit(None)
        await engine.wait_idle()
        assert engine.rows([0])[0].state is S.DONE


async def test_a_connection_stuck_at_the_end_does_not_delay_the_file(
    server: ScriptedServer, start: Start, tmp_path: Path
) -> None:
    """The last bytes are fetched once more by a connection that is free."""
    body = Pattern(3_000_000, seed=5)

    def second_half_sticks(seen: RecordedRequest) -> ResponseScript | None:
        if seen.number == 1:
            return ResponseScript(body=body, etag='"v1"', stall_after=200_000)
        return None

    script = ResponseScript(
        body=body, etag='"v1"', rate=3_000_000, answer=second_half_sticks
    )
    server.add("/s", script)
    async with start(segments=2, timeout_s=60.0) as engine:
        engine.add([request_for(server.url("/s"))])
        await engine.wait_idle()
        (row,) = engine.rows([0])
        assert (row.state, row.received) == (S.DONE, body.size)
    assert hashlib.sha256((tmp_path / "out/s").read_bytes()).hexdigest() == (
        body.sha256()
    )


async def test_a_download_moved_in_the_queue_waits_for_its_last_worker(
    server: ScriptedServer, start: Start, tmp_path: Path
) -> None:
    body = Pattern(2_000_000, seed=4)
    scripts = {n: ResponseScript(body, etag='"1"', rate=200_000) for n in ("/a", "/b")}
    server.scripts |= scripts
    async with start(segments=1, concurrency=4) as engine:
        ids = list(engine.add(request_for(server.url(name)) for name in ("/a", "/b")))
        await until(engine, lambda: engine.rows(ids)[0].received > 0)
        engine.pause(ids)
        engine.resume(ids)
        run_at_once(engine.reorder_iter(ids[:1], Move.BOTTOM))
        assert [row.state for row in engine.rows(ids)] == [S.QUEUED, S.QUEUED]
        for script in scripts.values():
            script.rate = None
        await engine.wait_idle()
        assert [row.state for row in engine.rows(ids)] == [S.DONE, S.DONE]
    data = (tmp_path / "out/a").read_bytes()
    assert hashlib.sha256(data).hexdigest() == body.sha256()


async def test_a_small_file_whose_name_is_taken_waits_for_its_last_worker(
    server: ScriptedServer,
    start: Start,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is queued again while its worker still closes the response."""
    close, store = Response.close, DiskWriter.store
    may_close = asyncio.Event()

    async def close_later(response: Response) -> None:
        await may_close.wait()
        await close(response)

    def store_second(writer: DiskWriter, file: SmallFile) -> None:
        taken = tmp_path / "out" / "f"
        if not taken.exists():
            taken.write_bytes(b"of another program")
        store(writer, file)

    monkeypatch.setattr(Response, "close", close_later)
    monkeypatch.setattr(DiskWriter, "store", store_second)
    server.add("/f", ResponseScript(Pattern(1000, 1)))
    async with start() as engine:
        engine.add([request_for(server.url("/f"))])
        assert engine.rows([0])[0].state is S.PROBING
        await until(engine, lambda: engine.rows([0])[0].state is S.QUEUED)
        may_close.set()
        await asyncio.wait_for(engine.wait_idle(), 20)
        row = engine.rows([0])[0]
        assert (row.state, row.name) == (S.DONE, "f (1)")


async def test_data_of_removed_downloads_is_deleted(
    server: ScriptedServer, start: Start, tmp_path: Path
) -> None:
    server.add("/done", ResponseScript(body=BODY, etag='"v1"'))
    server.add("/partial", STUCK)
    async with start(segments=1) as engine:
        ids = engine.add([request_for(server.url(x)) for x in ("/done", "/partial")])
        await until(engine, lambda: engine.rows([0])[0].state is S.DONE)
        await until(engine, lambda: engine.rows([1])[0].received > 1_000_000)
        engine.cancel(ids)
        engine.remove(ids)
        deletion = await engine.delete_data(ids)
        assert (deletion.files, deletion.kept) == (2, ())
        assert list((tmp_path / "out").iterdir()) == []
        # Undo of an earlier step starts again from zero.
        server.add("/partial", ResponseScript(body=BODY, etag='"v1"'))
        assert engine.resume([1]) == [1]
        await engine.wait_idle()
    assert (tmp_path / "out/partial").read_bytes() == BODY.read()


async def test_a_part_file_of_another_download_is_kept(
    server: ScriptedServer, start: Start, tmp_path: Path
) -> None:
    part, record = tmp_path / "out/x.part", tmp_path / "out/x.part.json"
    async with start(segments=1) as engine:
        ids = engine.add([request_for(server.add("/x", STUCK))])
        await until(engine, lambda: engine.rows(ids)[0].received > 1_000_000)
        engine.cancel(ids)
        await until(engine, record.exists)
        await engine.wait_idle()
        # Meanwhile, another run has replaced it.
        other = ResumeRecord(
            url=server.url("/other/x"), validator='"2"', size=9, ranges=((0, 5),)
        )
        part.write_bytes(b"other")
        record.write_bytes(serialize(other))
        engine.remove(ids)
        deletion = await engine.delete_data(ids)
    assert deletion == Deletion(0, 0, ((0, KeepReason.CHANGED),))
    assert part.read_bytes() == b"other"
    assert record.read_bytes() == serialize(other)


@pytest.mark.parametrize(("later_s", "is_kept"), [(1.9, False), (60.0, True)])
async def test_a_file_that_was_written_again_is_kept(
    server: ScriptedServer,
    start: Start,
    tmp_path: Path,
    later_s: float,
    is_kept: bool,
) -> None:
    async with start() as engine:
        ids = engine.add([request_for(server.add("/x", ResponseScript(BODY)))])
        await engine.wait_idle()
        # Up to two seconds may be the file system's: FAT keeps even ones.
        at = engine.rows(ids)[0].finished_at + later_s
        os.utime(tmp_path / "out/x", (at, at))
        engine.remove(ids)
        deletion = await engine.delete_data(ids)
    assert [reason for _, reason in deletion.kept] == [KeepReason.CHANGED] * is_kept
    assert (tmp_path / "out/x").exists() == is_kept


async def test_files_that_are_not_ours_are_kept(
    server: ScriptedServer, start: Start, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "present").write_bytes(BODY.read())
    names = ("present", "changed", "replaced", "linked", "gone", "back")
    async with start(segments=1) as engine:
        ids = engine.add(
            [
                request_for(server.add(f"/{x}", ResponseScript(BODY, etag='"1"')))
                for x in names
            ]
        )
        await engine.wait_idle()
        (out / "changed").write_bytes(b"edited")
        (out / "replaced").rename(out / "target")
        (out / "replaced").symlink_to(out / "target")
        (out / "elsewhere").hardlink_to(out / "linked")
        (out / "gone").unlink()
        engine.remove(ids[:-1])
        assert await engine.delete_data(ids) == Deletion(
            files=0,
            nbytes=0,
            kept=(
                (0, KeepReason.EXISTED),
                (1, KeepReason.CHANGED),
                (2, KeepReason.CHANGED),
                (3, KeepReason.CHANGED),
                (5, KeepReason.RESTORED),
            ),
        )
    kept = sorted(path.name for path in out.iterdir())
    assert kept == [
        *("back", "changed", "elsewhere", "linked", "present", "replaced", "target")
    ]


async def test_bytes_that_two_connections_in_a_race_download_count_once(
    server: ScriptedServer, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A row of 145 % was shown to clients of the RPC and in JSON events."""
    monkeypatch.setattr(segments, "RACE_AFTER_S", 0.2)
    # As on connections so slow that a part of the rest is not worth a request.
    monkeypatch.setattr(segments, "split_range", lambda *_: None)
    size = 600_000
    server.add("/s", ResponseScript(Pattern(size, 3), etag='"v1"', rate=500_000))
    seen, totals = [], []
    async with start(segments=2) as engine:
        (id,) = engine.add([request_for(server.url("/s"))])

        def is_done() -> bool:
            (row,), now = engine.rows([id]), engine.snapshot()
            seen.append(row.received)
            totals.append((now.received, now.known_received))
            return row.state is S.DONE

        await until(engine, is_done)
        assert engine.snapshot().fetched > size + 10_000, "there was a race"
    assert max(seen) == size
    assert seen == sorted(seen)
    assert max(totals) == (size, size)
