"""What the user does: give URLs, get complete files, or see why not."""

from __future__ import annotations

import asyncio
import gc
import hashlib
import weakref
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.conftest import held, request_for, until
from tui.core.diagnosis import QueueBlock, QueueStatus
from tui.core.download import DownloadState as S
from tui.core.events import (
    Done,
    DownloadNotice,
    Failed,
    Queued,
    Retrying,
    Started,
    Verified,
)
from tui.core.request import Checksum
from tui.core.settings import OnExists
from tui.demo.pattern import Pattern
from tui.demo.script import RecordedRequest, ResponseScript
from tui.engine import worker_pool
from tui.engine.download.transfer import Transfer

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.conftest import Start
    from tui.demo.script import Ranges
    from tui.demo.server import ScriptedServer

BIG = Pattern(3_000_000, seed=1)


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def names(directory: Path) -> list[str]:
    return sorted(p.name for p in directory.iterdir())


@pytest.mark.parametrize("size", [0, 1, 1000, 262_144, 262_145, 3_000_000])
async def test_a_file_of_any_size_arrives_complete(
    server: ScriptedServer, start: Start, tmp_path: Path, backend: str, size: int
) -> None:
    body = Pattern(size, seed=size)
    server.add("/file.bin", ResponseScript(body=body, etag='"v1"'))
    async with start(http_backend=backend) as engine:
        engine.add([request_for(server.url("/file.bin"))])
        await engine.wait_idle()
        (row,) = engine.rows([0])
        assert (row.state, row.received, row.size) == (S.DONE, size, size)
    assert digest(tmp_path / "out/file.bin") == body.sha256()
    assert names(tmp_path / "out") == ["file.bin"]
    assert len(server.requests) == 1, "the probe is the first GET itself"


async def test_a_transfer_is_freed_when_it_ends_without_a_garbage_collection(
    server: ScriptedServer, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    transfers: list[weakref.ref[Transfer]] = []
    begin = Transfer.begin_finishing

    def note(transfer: Transfer) -> None:
        transfers.append(weakref.ref(transfer))
        begin(transfer)

    monkeypatch.setattr(Transfer, "begin_finishing", note)
    server.add("/x", ResponseScript(body=BIG, etag='"v1"'))
    gc.disable()
    try:
        async with start() as engine:
            engine.add([request_for(server.url("/x"))])
            await engine.wait_idle()
            assert [transfer() for transfer in transfers] == [None]
    finally:
        gc.enable()


@pytest.mark.parametrize("length", ["none", "chunked"])
async def test_a_body_of_unknown_length_ends_with_its_message(
    server: ScriptedServer, start: Start, tmp_path: Path, backend: str, length: str
) -> None:
    server.add("/x", ResponseScript(body=BIG, length=length))
    async with start(http_backend=backend) as engine:
        engine.add([request_for(server.url("/x"))])
        await engine.wait_idle()
        (row,) = engine.rows([0])
        assert (row.state, row.size) == (S.DONE, BIG.size)
    assert digest(tmp_path / "out/x") == BIG.sha256()


async def test_a_run_shorter_than_a_tick_has_a_duration_and_a_speed(
    server: ScriptedServer, start: Start
) -> None:
    server.add("/x", ResponseScript(body=Pattern(1000, seed=1)))
    async with start() as engine:
        engine.add([request_for(server.url("/x"))])
        await engine.wait_idle()
        took_s = engine.snapshot().elapsed_s
        assert took_s > 0
        assert engine.snapshot().average == 1000 / took_s
        await engine.close()
        assert engine.snapshot().elapsed_s == took_s, "rest is not work"


async def test_many_small_files_share_few_executor_calls(
    server: ScriptedServer, start: Start, tmp_path: Path
) -> None:
    bodies = [Pattern(1000 + i, seed=i) for i in range(300)]
    for i, body in enumerate(bodies):
        server.add(f"/{i}.bin", ResponseScript(body=body))
    async with start(concurrency=16) as engine:
        engine.add([request_for(server.url(f"/{i}.bin")) for i in range(300)])
        await engine.wait_idle()
        snapshot = engine.snapshot()
        assert snapshot.counts[S.DONE] == 300
        assert snapshot.disk.batches < snapshot.disk.operations
    for i, body in enumerate(bodies):
        assert digest(tmp_path / f"out/{i}.bin") == body.sha256()


async def test_every_event_arrives_once_and_in_order(
    server: ScriptedServer, start: Start
) -> None:
    body = Pattern(500, seed=3)
    server.add("/a", ResponseScript(body=body))
    checksum = Checksum("sha256", body.sha256())
    async with start() as engine:
        heard = engine.subscribe()
        engine.add([request_for(server.url("/a"), checksum=checksum)])
        await engine.wait_idle()
        assert [type(e) for e in heard.drain()] == [Queued, Started, Verified, Done]


@pytest.mark.parametrize("size", [500, 3_000_000])
async def test_wrong_bytes_never_get_the_final_name(
    server: ScriptedServer, start: Start, tmp_path: Path, size: int
) -> None:
    server.add("/a.bin", ResponseScript(body=Pattern(size, seed=3)))
    wrong = Checksum("sha256", "0" * 64)
    async with start() as engine:
        engine.add([request_for(server.url("/a.bin"), checksum=wrong)])
        await engine.wait_idle()
        (row,) = engine.rows([0])
        assert (row.state, row.error_kind) == (S.FAILED, "checksum")
        assert wrong.digest in row.error
    assert not (tmp_path / "out/a.bin").exists()


async def test_a_busy_server_is_asked_again_and_a_missing_file_is_not(
    server: ScriptedServer, start: Start, backend: str
) -> None:
    server.add("/busy", ResponseScript(body=b"at last", first=[503, 500]))
    server.add("/gone", ResponseScript(status=404))
    async with start(http_backend=backend) as engine:
        heard = engine.subscribe()
        engine.add([request_for(server.url(p)) for p in ("/busy", "/gone")])
        await engine.wait_idle()
        busy, gone = engine.rows([0, 1])
        assert (busy.state, busy.attempt) == (S.DONE, 3)
        assert (gone.state, gone.error_kind, gone.attempt) == (
            S.FAILED,
            "not_found",
            1,
        )
        events = heard.drain()
        assert sum(isinstance(e, Retrying) for e in events) == 2
        assert sum(isinstance(e, Failed) for e in events) == 1


async def test_attempts_are_counted_exactly(
    server: ScriptedServer, start: Start
) -> None:
    server.add("/never", ResponseScript(status=500))
    async with start(retries=3) as engine:
        engine.add([request_for(server.url("/never"))])
        await engine.wait_idle()
        (row,) = engine.rows([0])
        assert (row.state, row.error_kind, row.attempt) == (S.FAILED, "http_5xx", 4)
    assert len(server.requests) == 4


@pytest.mark.parametrize("cut", ["close", "reset"])
async def test_a_broken_connection_is_continued_where_it_broke(
    server: ScriptedServer, start: Start, tmp_path: Path, backend: str, cut: str
) -> None:
    broken = ResponseScript(body=BIG, etag='"v1"', cut_after=2_000_000, cut=cut)
    server.add("/b", ResponseScript(body=BIG, etag='"v1"', first=[broken]))
    async with start(http_backend=backend, segments=1) as engine:
        engine.add([request_for(server.url("/b"))])
        await engine.wait_idle()
        assert engine.rows([0])[0].state is S.DONE
    assert digest(tmp_path / "out/b") == BIG.sha256()
    _, second = server.requests
    assert second.range is not None
    # A reset throws away what the receiver has not read yet; how much, nobody knows.
    least = 1_900_000 if cut == "close" else 1
    assert second.range[0] >= least, "what was there is not fetched again"
    assert second.headers["if-range"] == '"v1"'


async def test_a_changed_file_is_downloaded_again_and_noted(
    server: ScriptedServer, start: Start, tmp_path: Path, backend: str
) -> None:
    new = Pattern(3_000_000, seed=9)
    broken = ResponseScript(body=BIG, etag='"v1"', cut_after=2_000_000)
    server.add("/b", ResponseScript(body=new, etag='"v2"', first=[broken]))
    async with start(http_backend=backend, segments=1) as engine:
        heard = engine.subscribe()
        engine.add([request_for(server.url("/b"))])
        await engine.wait_idle()
        assert engine.rows([0])[0].state is S.DONE
        assert any(isinstance(e, DownloadNotice) for e in heard.drain())
    assert digest(tmp_path / "out/b") == new.sha256()


async def test_without_a_validator_nothing_is_continued(
    server: ScriptedServer, start: Start, tmp_path: Path
) -> None:
    broken = ResponseScript(body=BIG, cut_after=2_000_000)
    server.add("/b", ResponseScript(body=BIG, first=[broken]))
    async with start() as engine:
        engine.add([request_for(server.url("/b"))])
        await engine.wait_idle()
        assert engine.rows([0])[0].state is S.DONE
    assert digest(tmp_path / "out/b") == BIG.sha256()
    assert [seen.range for seen in server.requests] == [None, None]


async def test_a_stop_while_useless_bytes_are_discarded_leaves_no_progress(
    server: ScriptedServer, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    began, may_end = held(monkeypatch, "discard")
    broken = ResponseScript(body=BIG, cut_after=2_000_000)
    server.add("/b", ResponseScript(body=BIG, first=[broken]))
    async with start() as engine:
        engine.add([request_for(server.url("/b"))])
        await asyncio.wait_for(began.wait(), 20)
        engine.pause([0])
        may_end.set()
        await until(engine, lambda: engine.snapshot().active == 0)
        assert engine.rows([0])[0].received == engine.snapshot().received == 0


async def test_bytes_of_a_small_file_that_breaks_do_not_count(
    server: ScriptedServer, start: Start, tmp_path: Path, backend: str
) -> None:
    """They are in memory only, so the next attempt is not one that cannot resume."""
    body = Pattern(200_000, 1)
    cut = ResponseScript(body=body, etag='"1"', cut_after=100_000, cut="reset")
    server.add("/f", ResponseScript(body=body, etag='"1"', first=[cut, cut]))
    async with start(http_backend=backend, retries=1) as engine:
        engine.add([request_for(server.url("/f"))])
        await engine.wait_idle()
        (row,) = engine.rows([0])
        assert (row.state, row.received, row.note) == (S.FAILED, 0, None)
        assert engine.snapshot().received == 0
        engine.retry([0])
        await engine.wait_idle()
        (row,) = engine.rows([0])
        assert (row.state, row.received, row.note) == (S.DONE, body.size, None)
    assert digest(tmp_path / "out/f") == body.sha256()


@pytest.mark.parametrize("verb", ["pause", "cancel"])
async def test_bytes_of_a_small_file_that_is_stopped_do_not_count(
    server: ScriptedServer, start: Start, verb: str
) -> None:
    stall = ResponseScript(Pattern(200_000, 1), etag='"1"', stall_after=100_000)
    server.add("/f", stall)
    async with start() as engine:
        engine.add([request_for(server.url("/f"))])
        await until(engine, lambda: engine.rows([0])[0].received == 100_000)
        getattr(engine, verb)([0])
        await until(engine, lambda: engine.snapshot().active == 0)
        assert engine.rows([0])[0].received == engine.snapshot().received == 0


async def test_several_connections_bring_the_same_bytes(
    server: ScriptedServer, start: Start, tmp_path: Path, backend: str
) -> None:
    body = Pattern(9_000_000, seed=4)
    server.add("/big", ResponseScript(body=body, etag='"v1"', rate=30_000_000))
    async with start(http_backend=backend, segments=4) as engine:
        engine.add([request_for(server.url("/big"))])
        await engine.wait_idle()
        assert engine.rows([0])[0].state is S.DONE
    assert digest(tmp_path / "out/big") == body.sha256()
    assert len({seen.connection for seen in server.requests}) >= 4


async def test_the_rest_of_a_connection_that_is_closed_last_is_requested_at_once(
    server: ScriptedServer,
    start: Start,
    tmp_path: Path,
    backend: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A slow connection may be closed when no other is left to take its rest."""
    plain = ResponseScript(body=BIG, etag='"v1"')

    is_interrupted = False

    def answer(request: RecordedRequest) -> ResponseScript | None:
        """Stop before the last byte of the file: nobody can halve that."""
        start, end = request.range or (0, 0)
        if end != len(BIG) or is_interrupted:
            return None
        return replace(plain, stall_after=end - start - 1)

    # No other connection may race for that byte before it is interrupted.
    monkeypatch.setattr("tui.engine.download.ranges.segments.RACE_AFTER_S", 3600.0)
    server.add("/big", replace(plain, answer=answer))
    wanted: dict[str, Any] = {"segments": 2, "retries": 0, "timeout_s": 60.0}
    async with start(http_backend=backend, **wanted) as engine:
        engine.add([request_for(server.url("/big"))])
        heard = engine.subscribe()

        def last() -> list[Any]:
            return [
                segment
                for transfer in engine._context.registry.running
                for segment in transfer._scheduler.segments  # type: ignore[attr-defined]
                if len(transfer._scheduler.segments) == 1  # type: ignore[attr-defined]
                and segment.remaining == 1
            ]

        await until(engine, last)
        is_interrupted = True
        last()[0].interrupt()
        await engine.wait_idle()
        assert engine.rows([0])[0].state is S.DONE
        assert not [e for e in heard.drain() if isinstance(e, Retrying)]
    assert digest(tmp_path / "out/big") == BIG.sha256()


@pytest.mark.parametrize(
    "ranges",
    [
        "ignore",
        "refuse",
        "wrong_start",
        "wrong_total",
        "short",
        "no_content_range",
        "multipart",
    ],
)
async def test_a_server_that_lies_about_ranges_costs_time_but_no_bytes(
    server: ScriptedServer, start: Start, tmp_path: Path, backend: str, ranges: str
) -> None:
    body = Pattern(9_000_000, seed=4)
    server.add(
        "/big", ResponseScript(body=body, etag='"v1"', ranges=ranges, rate=60_000_000)
    )
    async with start(http_backend=backend, segments=4) as engine:
        engine.add([request_for(server.url("/big"))])
        await engine.wait_idle()
        (row,) = engine.rows([0])
        assert row.state is S.DONE, row.error
    assert digest(tmp_path / "out/big") == body.sha256()


@pytest.mark.parametrize("ranges", ["refuse", "wrong_start", "wrong_total"])
async def test_a_server_that_takes_its_time_to_lie_about_ranges_costs_no_bytes_either(
    server: ScriptedServer, start: Start, tmp_path: Path, ranges: Ranges
) -> None:
    # The first connection has its own share, and asks for more, before the others
    # have their bad answers.
    body = Pattern(9_000_000, seed=4)
    lie = ResponseScript(body=body, etag='"v1"', ranges=ranges, latency_s=0.5)
    server.add(
        "/big",
        ResponseScript(
            body=body, etag='"v1"', answer=lambda seen: lie if seen.range else None
        ),
    )
    async with start(segments=4) as engine:
        engine.add([request_for(server.url("/big"))])
        await engine.wait_idle()
        (row,) = engine.rows([0])
        assert row.state is S.DONE, row.error
    assert digest(tmp_path / "out/big") == body.sha256()


@pytest.mark.parametrize("again", [OnExists.RESUME, OnExists.SKIP])
async def test_the_same_list_again_downloads_nothing_twice(
    server: ScriptedServer, start: Start, tmp_path: Path, again: OnExists
) -> None:
    server.add("/one", ResponseScript(body=BIG, etag='"v1"'))
    for _ in range(2):
        async with start(on_exists=again) as engine:
            engine.add([request_for(server.url("/one"))])
            await engine.wait_idle()
            assert engine.rows([0])[0].state is S.DONE
    assert names(tmp_path / "out") == ["one"]
    assert len(server.requests) == (1 if again is OnExists.SKIP else 2)


async def test_a_file_of_another_size_is_never_touched(
    server: ScriptedServer, start: Start, tmp_path: Path
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/one").write_bytes(b"mine")
    server.add("/one", ResponseScript(body=b"theirs, longer"))
    async with start() as engine:
        engine.add([request_for(server.url("/one"))])
        await engine.wait_idle()
        (row,) = engine.rows([0])
        assert (row.state, row.name) == (S.DONE, "one (1)")
    assert (tmp_path / "out/one").read_bytes() == b"mine"
    assert (tmp_path / "out/one (1)").read_bytes() == b"theirs, longer"


async def test_overwrite_replaces_only_when_the_new_file_is_complete(
    server: ScriptedServer, start: Start, tmp_path: Path
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/one").write_bytes(b"old")
    server.add("/one", ResponseScript(body=b"new", first=[404]))
    for state, content in ((S.FAILED, b"old"), (S.DONE, b"new")):
        async with start(on_exists=OnExists.OVERWRITE) as engine:
            engine.add([request_for(server.url("/one"))])
            await engine.wait_idle()
            assert engine.rows([0])[0].state is state
        assert (tmp_path / "out/one").read_bytes() == content


async def test_two_requests_with_one_name_get_two_files(
    server: ScriptedServer, start: Start, tmp_path: Path
) -> None:
    server.add("/a/x.txt", ResponseScript(body=b"first"))
    server.add("/b/X.TXT", ResponseScript(body=b"second"))
    async with start(concurrency=1) as engine:
        engine.add([request_for(server.url(p)) for p in ("/a/x.txt", "/b/X.TXT")])
        await engine.wait_idle()
    assert (tmp_path / "out/x.txt").read_bytes() == b"first"
    assert (tmp_path / "out/X (1).TXT").read_bytes() == b"second"


async def test_the_server_may_name_the_file_but_not_its_folder(
    server: ScriptedServer, start: Start, tmp_path: Path, backend: str
) -> None:
    value = "attachment; filename*=UTF-8''..%2F..%2Fevil%1B%5B31m.sh"
    header = {"Content-Disposition": value}
    server.add("/get?id=5", ResponseScript(body=b"x", headers=header))
    async with start(http_backend=backend) as engine:
        engine.add([request_for(server.url("/get?id=5"))])
        await engine.wait_idle()
        assert engine.rows([0])[0].state is S.DONE
    (made,) = names(tmp_path / "out")
    assert made.endswith(".sh")
    assert "\x1b" not in made
    assert names(tmp_path) == ["out"]


async def test_the_queue_waits_for_a_slot_of_the_origin(
    server: ScriptedServer, start: Start
) -> None:
    server.add("/slow", ResponseScript(body=BIG, etag='"1"', rate=3_000_000))
    async with start(concurrency=8, per_host=2) as engine:
        engine.add([request_for(server.url("/slow")) for _ in range(5)])
        await until(engine, lambda: len(server.requests) == 2)
        assert engine.snapshot().active == 2
        assert engine.snapshot().waiting_for == QueueStatus(QueueBlock.PER_HOST)
        engine.set_per_host(0)
        assert engine.snapshot().active == 5


async def test_a_server_that_fails_at_ranges_is_finally_asked_for_the_whole_file(
    server: ScriptedServer, start: Start, tmp_path: Path
) -> None:
    def stumbles(seen: RecordedRequest) -> ResponseScript | None:
        return ResponseScript(status=500) if seen.range is not None else None

    broken = ResponseScript(body=BIG, etag='"v1"', cut_after=2_000_000)
    server.add(
        "/b", ResponseScript(body=BIG, etag='"v1"', first=[broken], answer=stumbles)
    )
    async with start(segments=1, retries=2) as engine:
        engine.add([request_for(server.url("/b"))])
        await engine.wait_idle()
        assert engine.rows([0])[0].state is S.DONE
    assert digest(tmp_path / "out/b") == BIG.sha256()
    assert [seen.range is None for seen in server.requests] == [True, False, True]


async def test_a_rename_that_the_exit_waits_for_too_long_is_never_claimed(
    server: ScriptedServer,
    start: Start,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Workers that do not end in time are cancelled once more."""
    monkeypatch.setattr(worker_pool, "STOPPING_S", 0.0)
    began, may_end = held(monkeypatch, "finish")
    async with start() as engine:
        engine.add([request_for(server.add("/f", ResponseScript(BIG)))])
        await asyncio.wait_for(began.wait(), 20)
        task = engine._registry.jobs[0].task
        assert task is not None
        closing = asyncio.ensure_future(engine.close())
        await until(engine, lambda: task.done() or task.cancelling() > 1)
        may_end.set()
        await closing
        assert engine.rows([0])[0].state is S.DONE
        assert names(tmp_path / "out") == ["f"]
