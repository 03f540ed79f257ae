"""Other programs in the same directory: processes, foreign files, links."""

from __future__ import annotations

import asyncio
import errno
import os
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.conftest import request_for, until
from tests.integration.test_whole_downloads import digest, names
from tests.support.command import Ended, fetchtui
from tui.core.download import DownloadState as S
from tui.core.errors import ErrorKind
from tui.core.request import Checksum
from tui.core.settings import OnExists
from tui.demo.pattern import Pattern
from tui.demo.script import RecordedRequest, ResponseScript
from tui.disk import platform
from tui.disk.resume_record import ResumeRecord, serialize

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.conftest import Start
    from tui.core.snapshot import DownloadSnapshot
    from tui.demo.server import ScriptedServer

BIG = Pattern(3_000_000, seed=1)
OTHER = Pattern(2_500_000, seed=2)
SMALL = Pattern(5_000, seed=3)


async def fetch(start: Start, *urls: str, **changes: object) -> list[DownloadSnapshot]:
    async with start(**{"segments": 1, "retries": 0, **changes}) as engine:
        ids = engine.add([request_for(url) for url in urls])
        await engine.wait_idle()
        return engine.rows(ids)


# -- two of us -------------------------------------------------------------------------


@pytest.mark.parametrize("etag", ['"1"', None])
async def test_a_second_process_leaves_the_first_ones_file_alone(
    server: ScriptedServer, start: Start, tmp_path: Path, etag: str | None
) -> None:
    stuck = ResponseScript(BIG, etag=etag, stall_after=1_500_000)
    url = server.add("/x", ResponseScript(BIG, etag=etag, first=[stuck]))
    async with start(segments=1, timeout_s=60) as engine:
        engine.add([request_for(url)])
        await until(engine, lambda: engine.rows([0])[0].received == 1_500_000)
        ended = await fetchtui("--json", "-o", "out", url, cwd=tmp_path)
        assert ended.status == 1
        (failed,) = ended.of("failed")
        assert failed["error_kind"] == "in_use"
        assert names(tmp_path / "out") == ["x.part", "x.part.json"]
        engine.pause([0])
        engine.resume([0])
        await engine.wait_idle()
        assert engine.rows([0])[0].state is S.DONE
    assert digest(tmp_path / "out/x") == BIG.sha256()
    assert names(tmp_path / "out") == ["x"]


async def test_two_that_start_at_once_never_spoil_each_other(
    server: ScriptedServer, start: Start, tmp_path: Path
) -> None:
    url = server.add("/x", ResponseScript(BIG, etag='"1"', rate=6_000_000))
    async with start() as one, start() as two:
        for engine in (one, two):
            engine.add([request_for(url)])
        await asyncio.gather(one.wait_idle(), two.wait_idle())
        states = {engine.rows([0])[0].state for engine in (one, two)}
        kinds = {engine.rows([0])[0].error_kind for engine in (one, two)}
    assert S.DONE in states
    assert kinds <= {"", "in_use"}
    assert names(tmp_path / "out") == ["x"]
    assert digest(tmp_path / "out/x") == BIG.sha256()


async def test_two_with_the_same_list_of_small_files_share_it(
    server: ScriptedServer, start: Start, tmp_path: Path
) -> None:
    urls = [server.add(f"/{n}", ResponseScript(Pattern(5000, n))) for n in range(200)]
    async with start() as one, start() as two:
        for engine in (one, two):
            engine.add([request_for(url) for url in urls])
        await asyncio.gather(one.wait_idle(), two.wait_idle())
        for engine in (one, two):
            assert engine.snapshot().counts[S.DONE] == 200
    assert names(tmp_path / "out") == sorted(map(str, range(200)))
    for number in range(200):
        found = (tmp_path / f"out/{number}").read_bytes()
        assert found == Pattern(5000, number).read()


async def test_two_runs_of_one_list_fetch_every_file_once(
    server: ScriptedServer, start: Start, tmp_path: Path
) -> None:
    bodies = {f"{n}.bin": Pattern(1_500_000 + n, n) for n in range(12)}
    urls = [
        server.add(f"/{name}", ResponseScript(body, etag='"1"', rate=6_000_000))
        for name, body in bodies.items()
    ]

    async def run() -> Ended:
        command = ("--headless", "--json", "--retries", "40", "-o", "out", *urls)
        return await fetchtui(*command, cwd=tmp_path)

    for ended in await asyncio.gather(run(), run()):
        assert ended.status == 0, ended.out
    assert names(tmp_path / "out") == sorted(bodies)
    for name, body in bodies.items():
        assert digest(tmp_path / "out" / name) == body.sha256()


@pytest.mark.parametrize("known", [True, False])
async def test_the_same_file_from_another_process_is_not_kept_twice(
    server: ScriptedServer, start: Start, tmp_path: Path, known: bool
) -> None:
    stuck = ResponseScript(BIG, etag='"1"', stall_after=1_500_000)
    length: Any = "exact" if known else "chunked"
    whole = ResponseScript(BIG, etag='"1"', first=[stuck], length=length)
    url = server.add("/x", whole)
    async with start(segments=1) as engine:
        engine.add([request_for(url)])
        await until(engine, lambda: engine.rows([0])[0].received == 1_500_000)
        engine.pause([0])
        (tmp_path / "out/x").write_bytes(BIG.read())
        engine.resume([0])
        await engine.wait_idle()
        row = engine.rows([0])[0]
    assert (row.state, row.name) == (S.DONE, "x")
    assert names(tmp_path / "out") == ["x"]


async def test_a_file_that_is_finished_before_it_is_begun_here_is_used(
    server: ScriptedServer, start: Start, tmp_path: Path
) -> None:
    out = tmp_path / "out"

    def answer(seen: RecordedRequest) -> None:
        # Another process ends between the look at the disk and the response.
        (out / "x").write_bytes(BIG.read())

    url = server.add("/x", ResponseScript(BIG, etag='"1"', answer=answer))
    (row,) = await fetch(start, url)
    assert (row.state, row.name, names(out)) == (S.DONE, "x", ["x"])


# -- one name for different files ------------------------------------------------------


async def test_a_part_file_that_is_removed_before_it_is_locked_is_made_again(
    server: ScriptedServer,
    start: Start,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    part, real = tmp_path / "out/x.part", platform.lock
    removed = []

    def lock(fd: int) -> bool:
        if not removed:  # another process looks at what is left of a killed run
            part.unlink()
            removed.append(part)
        return real(fd)

    monkeypatch.setattr(platform, "lock", lock)
    (row,) = await fetch(start, server.add("/x", ResponseScript(BIG, etag='"1"')))
    assert removed
    assert (row.state, row.name) == (S.DONE, "x")
    assert digest(tmp_path / "out/x") == BIG.sha256()
    assert names(tmp_path / "out") == ["x"]


@pytest.mark.parametrize("etag", ['"1"', None])
async def test_another_url_of_the_same_name_destroys_no_part(
    server: ScriptedServer, start: Start, tmp_path: Path, etag: str | None
) -> None:
    cut = ResponseScript(BIG, etag='"1"', cut_after=2_000_000)
    mine = server.add("/mine/x.bin", ResponseScript(BIG, etag='"1"', first=[cut]))
    yours = server.add("/yours/x.bin", ResponseScript(OTHER, etag=etag))
    assert (await fetch(start, mine))[0].state is S.FAILED
    (row,) = await fetch(start, yours)
    assert (row.state, row.name) == (S.DONE, "x (1).bin")
    (row,) = await fetch(start, mine)
    assert row.state is S.DONE
    assert server.requests[-1].range is not None, "what was there is still there"
    assert digest(tmp_path / "out/x.bin") == BIG.sha256()
    assert digest(tmp_path / "out/x (1).bin") == OTHER.sha256()
    assert names(tmp_path / "out") == ["x (1).bin", "x.bin"]


async def test_a_complete_part_file_of_another_url_is_not_used(
    server: ScriptedServer, start: Start, tmp_path: Path
) -> None:
    mine = server.add("/mine/x.bin", ResponseScript(BIG, etag='"1"'))
    yours = server.add("/yours/x.bin", ResponseScript(OTHER, etag='"1"'))
    out = tmp_path / "out"
    async with start() as engine:
        engine.add([request_for(mine)])
        await engine.wait_idle()
    # A run that was killed between the last checkpoint and the rename.
    record = ResumeRecord(
        url=mine, validator='"1"', size=BIG.size, ranges=((0, BIG.size),)
    )
    (out / "x.bin").rename(out / "x.bin.part")
    (out / "x.bin.part.json").write_bytes(serialize(record))
    (row,) = await fetch(start, yours)
    assert row.state is S.DONE
    assert digest(out / row.name) == OTHER.sha256()
    count = len(server.requests)
    (row,) = await fetch(start, mine)
    assert (row.state, row.name) == (S.DONE, "x.bin")
    assert digest(out / "x.bin") == BIG.sha256()
    assert len(server.requests) == count, "it was whole: nothing is asked"


async def test_signed_urls_continue_and_their_neighbours_do_not(
    server: ScriptedServer, start: Start, tmp_path: Path
) -> None:
    cut = ResponseScript(BIG, etag='"1"', cut_after=2_000_000)
    first = server.add("/get?id=1&sig=a", ResponseScript(BIG, etag='"1"', first=[cut]))
    again = server.add("/get?id=1&sig=b", ResponseScript(BIG, etag='"1"'))
    other = server.add("/get?id=2&sig=c", ResponseScript(OTHER, etag='"2"'))
    assert (await fetch(start, first))[0].state is S.FAILED
    (row,) = await fetch(start, other)
    assert (row.state, row.name) == (S.DONE, "get (1)")
    (row,) = await fetch(start, again)
    assert (row.state, row.name) == (S.DONE, "get")
    assert server.requests[-1].range is not None
    assert digest(tmp_path / "out/get") == BIG.sha256()
    assert digest(tmp_path / "out/get (1)") == OTHER.sha256()


async def test_a_file_under_a_numbered_name_is_found_again_and_resumed(
    server: ScriptedServer, start: Start, tmp_path: Path
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/x.bin").write_bytes(b"not from us")
    cut = ResponseScript(BIG, etag='"1"', cut_after=1_000_000)
    url = server.add("/x.bin", ResponseScript(BIG, etag='"1"', first=[cut]))
    for expected in (S.FAILED, S.DONE, S.DONE):
        (row,) = await fetch(start, url)
        assert (row.state, row.name) == (expected, "x (1).bin")
    assert names(tmp_path / "out") == ["x (1).bin", "x.bin"]
    assert digest(tmp_path / "out/x (1).bin") == BIG.sha256()
    assert (tmp_path / "out/x.bin").read_bytes() == b"not from us"
    assert any(seen.range is not None for seen in server.requests)


@pytest.mark.parametrize("in_the_same_run", [True, False])
async def test_a_file_that_takes_the_name_meanwhile_costs_no_bytes(
    server: ScriptedServer, start: Start, tmp_path: Path, in_the_same_run: bool
) -> None:
    stuck = ResponseScript(BIG, etag='"1"', stall_after=2_000_000)
    url = server.add("/x", ResponseScript(BIG, etag='"1"', first=[stuck]))
    async with start(segments=1) as engine:
        engine.add([request_for(url)])
        await until(engine, lambda: engine.rows([0])[0].received == 2_000_000)
        engine.pause([0])
        (tmp_path / "out/x").write_bytes(b"not from us")
        if in_the_same_run:
            engine.resume([0])
            await engine.wait_idle()
            row = engine.rows([0])[0]
    if not in_the_same_run:
        (row,) = await fetch(start, url)
    assert (row.state, row.name) == (S.DONE, "x (1)")
    assert server.requests[1].range == (2_000_000, None)
    assert digest(tmp_path / "out/x (1)") == BIG.sha256()
    assert (tmp_path / "out/x").read_bytes() == b"not from us"
    assert names(tmp_path / "out") == ["x", "x (1)"]


def take_names(request: RecordedRequest, out: Path) -> None:
    """Let another program make files while the rest of ``x`` is on its way."""
    if request.range is not None:
        for name in ("x", "x (1)", "x (2)"):
            (out / name).write_bytes(name.encode())


@pytest.mark.parametrize("on_exists", [OnExists.RESUME, OnExists.RESUME_ONLY])
async def test_files_that_take_the_next_names_as_well_cost_no_bytes(
    server: ScriptedServer, start: Start, tmp_path: Path, on_exists: OnExists
) -> None:
    out = tmp_path / "out"
    cut = ResponseScript(BIG, etag='"1"', cut_after=2_000_000)
    script = ResponseScript(
        BIG, etag='"1"', first=[cut], answer=lambda request: take_names(request, out)
    )
    url = server.add("/x", script)
    (row,) = await fetch(start, url, retries=1, on_exists=on_exists)
    assert (row.state, row.name) == (S.DONE, "x (3)")
    assert [request.range for request in server.requests] == [None, (2_000_000, None)]
    assert digest(out / "x (3)") == BIG.sha256()
    for name in ("x", "x (1)", "x (2)"):
        assert (out / name).read_bytes() == name.encode()
    assert names(out) == ["x", "x (1)", "x (2)", "x (3)"]


async def test_a_small_file_whose_name_is_taken_meanwhile_has_not_failed(
    server: ScriptedServer, start: Start, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    script = ResponseScript(
        SMALL, answer=lambda _: (out / "x").write_bytes(b"mine") and None
    )
    (row,) = await fetch(start, server.add("/x", script), retries=0)
    assert (row.state, row.name, row.attempt) == (S.DONE, "x (1)", 1)
    assert (out / "x").read_bytes() == b"mine"
    assert names(out) == ["x", "x (1)"]


async def test_a_rename_to_another_name_that_fails_costs_no_bytes(
    server: ScriptedServer,
    start: Start,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = tmp_path / "out"
    cut = ResponseScript(BIG, etag='"1"', cut_after=2_000_000)
    script = ResponseScript(
        BIG, etag='"1"', first=[cut], answer=lambda request: take_names(request, out)
    )
    rename = platform.rename_new

    def fail(old: str, new: str, dir_fd: int) -> None:
        rename(old, new, dir_fd)
        os.rename(new, old, src_dir_fd=dir_fd, dst_dir_fd=dir_fd)
        raise OSError(errno.EIO, "the disk is broken", new)

    async with start(segments=1, retries=1) as engine:
        monkeypatch.setattr(platform, "rename_new", fail)
        engine.add([request_for(server.add("/x", script))])
        await engine.wait_idle()
        assert engine.rows([0])[0].error_kind == ErrorKind.DISK
        assert "x.part" in names(out)
        monkeypatch.undo()
        for name in ("x", "x (1)", "x (2)"):
            (out / name).unlink()
        engine.retry([0])
        await engine.wait_idle()
        assert (engine.rows([0])[0].state, engine.rows([0])[0].name) == (S.DONE, "x")
    assert [request.range for request in server.requests] == [None, (2_000_000, None)]
    assert digest(out / "x") == BIG.sha256()
    assert names(out) == ["x"]


async def test_names_from_servers_are_found_again_in_any_order(
    server: ScriptedServer, start: Start, tmp_path: Path
) -> None:
    named = {"Content-Disposition": 'attachment; filename="f"'}
    urls = [
        server.add("/1", ResponseScript(BIG, etag='"1"', headers=named)),
        server.add("/2", ResponseScript(OTHER, etag='"2"', headers=named)),
    ]
    for order in (urls, urls[::-1]):
        rows = await fetch(start, *order, concurrency=1)
        assert [row.state for row in rows] == [S.DONE] * 2
        assert names(tmp_path / "out") == ["f", "f (1)"]
    assert digest(tmp_path / "out/f") == BIG.sha256()
    assert digest(tmp_path / "out/f (1)") == OTHER.sha256()


async def test_part_files_of_one_name_are_continued_in_any_order(
    server: ScriptedServer, start: Start, tmp_path: Path
) -> None:
    urls = []
    for folder, body in (("/a", BIG), ("/b", OTHER)):
        cut = ResponseScript(body, etag='"1"', cut_after=2_000_000)
        script = ResponseScript(body, etag='"1"', first=[cut])
        urls.append(server.add(f"{folder}/x", script))
    for order, state in ((urls, S.FAILED), (urls[::-1], S.DONE)):
        rows = await fetch(start, *order, concurrency=1)
        assert [row.state for row in rows] == [state] * 2
    assert [request.range for request in server.requests[2:]] == [(2_000_000, None)] * 2
    assert digest(tmp_path / "out/x") == BIG.sha256()
    assert digest(tmp_path / "out/x (1)") == OTHER.sha256()
    assert names(tmp_path / "out") == ["x", "x (1)"]


@pytest.mark.parametrize("retries", [0, 2])
async def test_a_file_that_another_process_writes_is_looked_at_again(
    server: ScriptedServer, start: Start, tmp_path: Path, retries: int
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    with (out / "x.part").open("wb") as part:
        assert platform.lock(part.fileno())
        url = server.add("/x", ResponseScript(BIG, etag='"1"'))
        (row,) = await fetch(start, url, retries=retries)
    assert (row.state, row.error_kind) == (S.FAILED, ErrorKind.IN_USE)
    assert row.attempt == 1 + retries


async def test_a_numbered_part_file_that_was_in_use_is_continued_by_a_retry(
    server: ScriptedServer, start: Start, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "x").write_bytes(b"not from us")
    cut = ResponseScript(BIG, etag='"1"', cut_after=2_000_000)
    url = server.add("/x", ResponseScript(BIG, etag='"1"', first=[cut]))
    assert (await fetch(start, url))[0].name == "x (1)"
    record = (out / "x (1).part.json").read_bytes()
    (out / "x (1).part.json").unlink()  # as if another process were about to end
    async with start(segments=1, retries=0) as engine:
        with (out / "x (1).part").open("rb") as part:
            assert platform.lock(part.fileno())
            engine.add([request_for(url)])
            await engine.wait_idle()
            assert engine.rows([0])[0].error_kind == ErrorKind.IN_USE
        (out / "x (1).part.json").write_bytes(record)
        engine.retry([0])
        await engine.wait_idle()
        row = engine.rows([0])[0]
    assert (row.state, row.name) == (S.DONE, "x (1)")
    assert server.requests[-1].range == (2_000_000, None)
    assert names(out) == ["x", "x (1)"]


async def test_a_name_that_was_looked_at_is_left_to_the_download_of_that_name(
    server: ScriptedServer, start: Start, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "x").write_bytes(b"not from us")
    (out / "x (1)").write_bytes(SMALL.read())
    urls = [
        server.add("/x", ResponseScript(BIG, etag='"1"')),
        server.add("/x%20(1)", ResponseScript(SMALL, etag='"2"')),
    ]
    rows = await fetch(start, *urls, concurrency=1)
    assert [row.name for row in rows] == ["x (2)", "x (1)"]
    assert names(out) == ["x", "x (1)", "x (2)"]


@pytest.mark.parametrize("body", [BIG, SMALL])
async def test_a_copy_under_the_servers_name_is_found_beside_a_foreign_part_file(
    server: ScriptedServer, start: Start, tmp_path: Path, body: Pattern
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "f.part").write_bytes(b"another program's bytes")
    (out / "f").write_bytes(body.read())
    named = {"Content-Disposition": 'attachment; filename="f"'}
    url = server.add("/get", ResponseScript(body, etag='"1"', headers=named))
    (row,) = await fetch(start, url)
    assert (row.state, row.name, names(out)) == (S.DONE, "f", ["f", "f.part"])


async def test_a_file_that_is_continued_keeps_its_name(
    server: ScriptedServer, start: Start, tmp_path: Path
) -> None:
    named = {"Content-Disposition": 'attachment; filename="f"'}
    cut = ResponseScript(BIG, etag='"1"', cut_after=2_000_000)
    script = ResponseScript(BIG, etag='"1"', headers=named, first=[cut])
    url = server.add("/x", script)
    assert (await fetch(start, url))[0].state is S.FAILED
    (row,) = await fetch(start, url)
    assert (row.state, row.name) == (S.DONE, "x")
    assert server.requests[1].range == (2_000_000, None)
    assert digest(tmp_path / "out/x") == BIG.sha256()
    assert names(tmp_path / "out") == ["x"]


async def test_a_name_that_the_server_replaces_is_free_for_the_next_download(
    server: ScriptedServer, start: Start, tmp_path: Path
) -> None:
    named = {"Content-Disposition": 'attachment; filename="f"'}
    urls = [
        server.add("/1/get", ResponseScript(b"one", headers=named)),
        server.add("/2/get", ResponseScript(b"two")),
    ]
    await fetch(start, *urls, concurrency=1)
    assert names(tmp_path / "out") == ["f", "get"]


@pytest.mark.parametrize("rest", [b"", b"somebody's bytes"])
async def test_a_part_file_without_a_record_is_kept_unless_it_is_empty(
    server: ScriptedServer, start: Start, tmp_path: Path, rest: bytes
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/x.part").write_bytes(rest)
    url = server.add("/x", ResponseScript(BIG, etag='"1"'))
    (row,) = await fetch(start, url)
    assert row.state is S.DONE
    if rest:
        assert names(tmp_path / "out") == ["x (1)", "x.part"]
        assert (tmp_path / "out/x.part").read_bytes() == rest
    else:
        assert names(tmp_path / "out") == ["x"]


async def test_overwriting_resumes_where_it_was_interrupted(
    server: ScriptedServer, start: Start, tmp_path: Path
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/x").write_bytes(b"old")
    cut = ResponseScript(BIG, etag='"1"', cut_after=2_000_000)
    url = server.add("/x", ResponseScript(BIG, etag='"1"', first=[cut]))
    (row,) = await fetch(start, url, on_exists=OnExists.OVERWRITE)
    assert row.state is S.FAILED
    assert (tmp_path / "out/x").read_bytes() == b"old"
    (row,) = await fetch(start, url, on_exists=OnExists.OVERWRITE)
    assert row.state is S.DONE
    assert server.requests[-1].range is not None
    assert digest(tmp_path / "out/x") == BIG.sha256()
    assert names(tmp_path / "out") == ["x"]


async def test_a_gap_at_the_beginning_costs_no_more_than_the_gap(
    server: ScriptedServer, start: Start, tmp_path: Path
) -> None:
    # The connection at the beginning hangs, the others bring the rest.
    body = Pattern(8_000_000, seed=9)
    hangs = ResponseScript(body, etag='"1"', stall_after=200_000)
    url = server.add(
        "/x", ResponseScript(body, etag='"1"', rate=6_000_000, first=[hangs])
    )
    (row,) = await fetch(start, url, segments=4, timeout_s=0.5)
    sent = sum(seen.bytes_sent for seen in server.requests)
    if row.state is not S.DONE:
        (row,) = await fetch(start, url)
        sent = sum(seen.bytes_sent for seen in server.requests)
    assert row.state is S.DONE
    assert digest(tmp_path / "out/x") == body.sha256()
    assert sent < 8_000_000 + 2_500_000


async def test_a_gap_at_the_beginning_is_not_filled_from_what_may_be_another_file(
    server: ScriptedServer, start: Start, tmp_path: Path
) -> None:
    """The checksum would only show at the end that old and new bytes were mixed."""
    out = tmp_path / "out"
    out.mkdir()
    url = server.add("/x", ResponseScript(BIG))
    checksum = Checksum("sha256", BIG.sha256())
    record = ResumeRecord(
        url=url,
        validator="",
        size=BIG.size,
        ranges=((1_000_000, BIG.size),),
        checksum=str(checksum),
    )
    (out / "x.part").write_bytes(bytes(BIG.size))
    (out / "x.part.json").write_bytes(serialize(record))
    async with start(segments=1, retries=0) as engine:
        engine.add([request_for(url, checksum=checksum)])
        await engine.wait_idle()
        assert engine.rows([0])[0].state is S.DONE, engine.rows([0])[0].error
    assert digest(out / "x") == BIG.sha256()
    assert names(out) == ["x"]


# -- planted links ---------------------------------------------------------------------


@pytest.mark.parametrize("on_exists", list(OnExists))
@pytest.mark.parametrize("size", [1000, 3_000_000])
@pytest.mark.parametrize("suffix", ["", ".part", ".part.json", ".part.new"])
async def test_a_planted_link_leads_no_byte_elsewhere(
    server: ScriptedServer,
    start: Start,
    tmp_path: Path,
    suffix: str,
    size: int,
    on_exists: OnExists,
) -> None:
    body = Pattern(size, 3)
    (tmp_path / "victim").write_bytes(b"precious")
    (tmp_path / "out").mkdir()
    (tmp_path / f"out/x{suffix}").symlink_to("../victim")
    (row,) = await fetch(
        start, server.add("/x", ResponseScript(body, etag='"1"')), on_exists=on_exists
    )
    assert (tmp_path / "victim").read_bytes() == b"precious"
    if not on_exists.renames and row.state is S.FAILED:
        assert row.error_kind == ErrorKind.FILE_EXISTS
        assert [p.name for p in (tmp_path / "out").iterdir()] == [f"x{suffix}"]
        assert (tmp_path / f"out/x{suffix}").is_symlink()
        return
    assert row.state is S.DONE, row.error
    assert on_exists.renames or row.name == "x"
    saved = tmp_path / "out" / row.name
    assert not saved.is_symlink()
    assert digest(saved) == body.sha256()
    if not (suffix == "" and on_exists.replaces):
        assert (tmp_path / f"out/x{suffix}").is_symlink(), "it is not ours to remove"


@pytest.mark.parametrize("dangles", [True, False])
async def test_a_folder_that_is_a_link_is_refused(
    server: ScriptedServer, start: Start, tmp_path: Path, dangles: bool
) -> None:
    (tmp_path / "out").mkdir()
    if not dangles:
        (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out/sub").symlink_to("../elsewhere")
    url = server.add("/x", ResponseScript(BIG))
    async with start() as engine:
        engine.add([request_for(url, directory="sub")])
        await engine.wait_idle()
        row = engine.rows([0])[0]
    assert (row.state, row.error_kind) == (S.FAILED, "not_writable")
    assert "link" in row.error
    assert (tmp_path / "elsewhere").exists() is not dangles
    assert dangles or names(tmp_path / "elsewhere") == []


async def test_a_part_file_replaced_by_a_link_does_not_become_a_file(
    server: ScriptedServer, start: Start, tmp_path: Path
) -> None:
    (tmp_path / "victim").write_bytes(b"precious")
    url = server.add("/x", ResponseScript(BIG, etag='"1"', rate=3_000_000))
    async with start(segments=1, retries=1) as engine:
        engine.add([request_for(url)])
        await until(engine, lambda: engine.rows([0])[0].received > 1_000_000)
        part = tmp_path / "out/x.part"
        part.unlink()
        part.symlink_to("../victim")
        await engine.wait_idle()
        row = engine.rows([0])[0]
        assert (row.state, row.error_kind) == (S.FAILED, "disk")
        engine.retry([0])
        await engine.wait_idle()
        row = engine.rows([0])[0]
        assert row.error_kind != "internal", row.error
    assert (tmp_path / "victim").read_bytes() == b"precious"
    assert part.is_symlink()


@pytest.mark.parametrize("size", [1000, 3_000_000])
@pytest.mark.parametrize("by_server", [True, False])
async def test_a_directory_is_not_overwritten(
    server: ScriptedServer, start: Start, tmp_path: Path, size: int, by_server: bool
) -> None:
    (tmp_path / "out/x").mkdir(parents=True)
    named = {"Content-Disposition": 'attachment; filename="x"'} if by_server else {}
    script = ResponseScript(Pattern(size, 1), etag='"1"', headers=named)
    url = server.add("/y" if by_server else "/x", script)
    (row,) = await fetch(start, url, on_exists=OnExists.OVERWRITE)
    assert (row.state, row.error_kind) == (S.FAILED, "directory_exists")
    assert row.error == "cannot overwrite 'x': it is a directory"
    assert names(tmp_path / "out") == ["x"]


async def test_a_directory_in_the_way_leads_to_a_numbered_name(
    server: ScriptedServer, start: Start, tmp_path: Path
) -> None:
    (tmp_path / "out/x").mkdir(parents=True)
    url = server.add("/x", ResponseScript(BIG, etag='"1"'))
    for on_exists in (OnExists.RESUME, OnExists.SKIP):
        (row,) = await fetch(start, url, on_exists=on_exists)
        assert (row.state, row.name) == (S.DONE, "x (1)")
    assert digest(tmp_path / "out/x (1)") == BIG.sha256()


async def test_names_that_differ_by_case_only_are_two_files_everywhere(
    server: ScriptedServer, start: Start, tmp_path: Path
) -> None:
    bodies = {"File.bin": BIG, "file.BIN": OTHER, "FILE.bin": Pattern(10, 1)}
    urls = [
        server.add(f"/{n}/{name}", ResponseScript(body, etag=f'"{n}"'))
        for n, (name, body) in enumerate(bodies.items())
    ]
    for _ in range(2):
        rows = await fetch(start, *urls, concurrency=1)
        assert [row.state for row in rows] == [S.DONE] * 3
        assert len({row.name.casefold() for row in rows}) == 3
        for row, body in zip(rows, bodies.values(), strict=True):
            assert digest(tmp_path / "out" / row.name) == body.sha256()
    assert len(names(tmp_path / "out")) == 3
