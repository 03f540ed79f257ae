"""Names that are taken: to fail, to resume only, or to ask whether there is news."""

from __future__ import annotations

import hashlib
import os
import time
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

import pytest

from tests.integration.conftest import request_for, until
from tui.core.download import DownloadState as S
from tui.core.errors import ErrorKind
from tui.core.notices import EXISTING_KEPT
from tui.core.request import Checksum
from tui.core.settings import OnExists
from tui.demo.pattern import Pattern
from tui.demo.script import RecordedRequest, ResponseScript
from tui.demo.server import ScriptedServer

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.conftest import Start

STRICT = [OnExists.FAIL, OnExists.RESUME_ONLY]
MODIFIED = "Sat, 01 Aug 2026 10:00:00 GMT"
MODIFIED_AT = 1_785_578_400.0
BIG = Pattern(3_000_000, seed=1)


def existing(folder: Path, name: str, content: bytes, modified_at: float = 0) -> Path:
    """Create a file in the output directory."""
    folder.joinpath("out").mkdir(exist_ok=True)
    path = folder / "out" / name
    path.write_bytes(content)
    if modified_at:
        os.utime(path, (modified_at, modified_at))
    return path


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.joinpath("out").iterdir())


# -- fail ------------------------------------------------------------------------------


@pytest.mark.parametrize("on_exists", STRICT)
async def test_another_file_of_that_name_is_an_error_and_stays_untouched(
    server: ScriptedServer, start: Start, tmp_path: Path, on_exists: OnExists
) -> None:
    mine = existing(tmp_path, "one", b"mine")
    server.add("/one", ResponseScript(body=b"theirs, longer"))
    async with start(on_exists=on_exists) as engine:
        engine.add([request_for(server.url("/one"))])
        await engine.wait_idle()
        (row,) = engine.rows([0])
        assert (row.state, row.error_kind) == (S.FAILED, ErrorKind.FILE_EXISTS)
        assert row.error == "one already exists"
        assert engine.snapshot().pause_reason is None
    assert mine.read_bytes() == b"mine"
    assert names(tmp_path) == ["one"]
    assert len(server.requests) == (0 if on_exists is OnExists.FAIL else 1)


@pytest.mark.parametrize("on_exists", STRICT)
async def test_a_name_that_the_server_gives_may_be_taken_as_well(
    server: ScriptedServer, start: Start, tmp_path: Path, on_exists: OnExists
) -> None:
    existing(tmp_path, "named.bin", b"mine")
    header = {"Content-Disposition": 'attachment; filename="named.bin"'}
    server.add("/get", ResponseScript(body=b"theirs", headers=header))
    async with start(on_exists=on_exists) as engine:
        engine.add([request_for(server.url("/get"))])
        await engine.wait_idle()
        (row,) = engine.rows([0])
        assert (row.state, row.error_kind) == (S.FAILED, ErrorKind.FILE_EXISTS)
        # Once it is gone, a retry succeeds.
        (tmp_path / "out/named.bin").unlink()
        engine.retry([0])
        await engine.wait_idle()
        assert engine.rows([0])[0].state is S.DONE, engine.rows([0])[0].error
    assert names(tmp_path) == ["named.bin"]


async def test_a_file_that_appeared_during_the_run_counts(
    server: ScriptedServer, start: Start, tmp_path: Path
) -> None:
    server.add("/first", ResponseScript(body=b"first"))
    server.add("/one", ResponseScript(body=b"theirs"))
    async with start(on_exists=OnExists.FAIL) as engine:
        engine.add([request_for(server.url("/first"))])
        await engine.wait_idle()
        existing(tmp_path, "one", b"mine")
        engine.add([request_for(server.url("/one"))])
        await engine.wait_idle()
        assert engine.rows([1])[0].error_kind == ErrorKind.FILE_EXISTS
    assert (tmp_path / "out/one").read_bytes() == b"mine"
    assert server.requests_for("/one") == []


async def test_a_newer_file_that_appeared_during_the_run_is_kept(
    server: ScriptedServer, start: Start, tmp_path: Path
) -> None:
    def modified(request: RecordedRequest) -> ResponseScript | None:
        since = request.headers.get("if-modified-since", "")
        is_newer = since and parsedate_to_datetime(since).timestamp() > MODIFIED_AT
        return ResponseScript(status=304) if is_newer else None

    server.add("/first", ResponseScript(body=b"first"))
    script = ResponseScript(b"theirs", last_modified=MODIFIED, answer=modified)
    server.add("/one", script)
    async with start(on_exists=OnExists.NEWER) as engine:
        engine.add([request_for(server.url("/first"))])
        await engine.wait_idle()
        existing(tmp_path, "one", b"mine", MODIFIED_AT + 60)
        engine.add([request_for(server.url("/one"))])
        await engine.wait_idle()
        row = engine.rows([1])[0]
        assert (row.state, row.note) == (S.DONE, EXISTING_KEPT)
    assert (tmp_path / "out/one").read_bytes() == b"mine"
    assert names(tmp_path) == ["first", "one"]


@pytest.mark.parametrize("on_exists", STRICT)
async def test_a_name_of_another_download_of_the_run_is_taken(
    server: ScriptedServer, start: Start, tmp_path: Path, on_exists: OnExists
) -> None:
    stalls = ResponseScript(body=BIG, stall_after=1000)
    server.add("/a/x", ResponseScript(body=BIG, etag='"1"', first=[stalls]))
    server.add("/b/x", ResponseScript(body=b"second"))
    async with start(on_exists=on_exists, timeout_s=60.0) as engine:
        engine.add([request_for(server.url("/a/x"))])
        await until(engine, lambda: engine.rows([0])[0].received)
        engine.add([request_for(server.url("/b/x"))])
        await until(engine, lambda: engine.rows([1])[0].state is S.FAILED)
        assert engine.rows([1])[0].error_kind == ErrorKind.FILE_EXISTS
        engine.pause([0])
        engine.resume([0])
        await engine.wait_idle()
        assert engine.rows([0])[0].state is S.DONE
        engine.retry([1])
        await engine.wait_idle()
        assert engine.rows([1])[0].error_kind == ErrorKind.FILE_EXISTS
    assert names(tmp_path) == ["x"]


@pytest.mark.parametrize("on_exists", STRICT)
async def test_its_own_part_file_is_continued(
    server: ScriptedServer, start: Start, tmp_path: Path, on_exists: OnExists
) -> None:
    stalls = ResponseScript(body=BIG, etag='"1"', stall_after=2_000_000)
    server.add("/x", ResponseScript(body=BIG, etag='"1"', first=[stalls]))
    async with start(on_exists=on_exists, timeout_s=60.0) as engine:
        engine.add([request_for(server.url("/x"))])
        await until(engine, lambda: engine.rows([0])[0].received == 2_000_000)
        engine.pause([0])
        await engine.wait_idle()
    assert "x.part" in names(tmp_path)
    async with start(on_exists=on_exists) as engine:
        engine.add([request_for(server.url("/x"))])
        await engine.wait_idle()
        assert engine.rows([0])[0].state is S.DONE, engine.rows([0])[0].error
    assert names(tmp_path) == ["x"]
    assert (tmp_path / "out/x").stat().st_size == BIG.size
    assert server.requests[-1].range is not None


async def test_resume_only_accepts_a_complete_file_and_nothing_else(
    server: ScriptedServer, start: Start, tmp_path: Path
) -> None:
    existing(tmp_path, "one", b"mine")
    server.add("/one", ResponseScript(body=b"same"))
    other = Checksum.parse("sha-256=" + "0" * 64)
    async with start(on_exists=OnExists.RESUME_ONLY) as engine:
        engine.add([request_for(server.url("/one"))])
        await engine.wait_idle()
        assert engine.rows([0])[0].state is S.DONE
    async with start(on_exists=OnExists.RESUME_ONLY) as engine:
        engine.add([request_for(server.url("/one"), checksum=other)])
        await engine.wait_idle()
        (row,) = engine.rows([0])
        assert row.error == "one already exists with other content"
    assert (tmp_path / "out/one").read_bytes() == b"mine"
    assert names(tmp_path) == ["one"]


# -- newer -----------------------------------------------------------------------------


async def test_a_file_is_replaced_only_by_a_newer_one(
    server: ScriptedServer, start: Start, tmp_path: Path, backend: str
) -> None:
    newer = OnExists.NEWER
    path = existing(tmp_path, "one", b"mine", MODIFIED_AT)
    server.add("/one", ResponseScript(body=b"theirs", last_modified=MODIFIED))
    async with start(http_backend=backend) as engine:
        engine.add([request_for(server.url("/one"), on_exists=newer)])
        await engine.wait_idle()
        (row,) = engine.rows([0])
        assert (row.state, row.size, row.received) == (S.DONE, 4, 4), row.error
        assert row.note == EXISTING_KEPT
        assert path.read_bytes() == b"mine"
        existing(tmp_path, "one", b"mine", MODIFIED_AT - 1)
        engine.add([request_for(server.url("/one"), on_exists=newer)])
        await engine.wait_idle()
        (row,) = engine.rows([1])
        assert (row.state, row.name, row.size) == (S.DONE, "one", 6), row.error
    assert path.read_bytes() == b"theirs"
    assert names(tmp_path) == ["one"]
    sent = [request.headers.get("if-modified-since") for request in server.requests]
    assert sent == [MODIFIED, "Sat, 01 Aug 2026 09:59:59 GMT"]


async def test_a_server_that_compares_dates_for_equality_only_replaces_nothing(
    server: ScriptedServer, start: Start, tmp_path: Path, backend: str
) -> None:
    # nginx answers 304 only if the date is that of its file (if_modified_since exact).
    path = existing(tmp_path, "one", b"mine", MODIFIED_AT + 60)
    headers = {"last-modified": MODIFIED}
    server.add("/one", ResponseScript(body=b"theirs", headers=headers))
    async with start(on_exists=OnExists.NEWER, http_backend=backend) as engine:
        engine.add([request_for(server.url("/one"))])
        await engine.wait_idle()
        (row,) = engine.rows([0])
        assert (row.state, row.note) == (S.DONE, EXISTING_KEPT), row.error
        assert path.read_bytes() == b"mine"
        existing(tmp_path, "one", b"mine", MODIFIED_AT - 1)
        engine.add([request_for(server.url("/one"), on_exists=OnExists.NEWER)])
        await engine.wait_idle()
        assert engine.rows([1])[0].state is S.DONE, engine.rows([1])[0].error
    assert path.read_bytes() == b"theirs"


@pytest.mark.parametrize("is_expected", [True, False])
@pytest.mark.parametrize("by", ["size", "checksum"])
async def test_a_current_file_must_be_the_expected_one_to_be_kept(
    server: ScriptedServer, start: Start, tmp_path: Path, by: str, is_expected: bool
) -> None:
    path = existing(
        tmp_path, "one", b"mine" if is_expected else b"damaged", MODIFIED_AT
    )
    server.add("/one", ResponseScript(body=b"mine", last_modified=MODIFIED))
    digest = hashlib.sha256(b"mine").hexdigest()
    expected = {
        "size": {"size": 4},
        "checksum": {"checksum": Checksum("sha256", digest)},
    }
    async with start(on_exists=OnExists.NEWER) as engine:
        engine.add([request_for(server.url("/one"), **expected[by])])
        await engine.wait_idle()
        (row,) = engine.rows([0])
        assert (row.state, row.name) == (S.DONE, "one"), row.error
    assert path.read_bytes() == b"mine"
    assert len(server.requests) == (1 if is_expected else 2)


@pytest.mark.parametrize("on_exists", [OnExists.NEWER, OnExists.OVERWRITE])
async def test_files_of_one_run_do_not_replace_each_other_unless_that_is_asked_for(
    server: ScriptedServer, start: Start, tmp_path: Path, on_exists: OnExists
) -> None:
    for folder in "abc":
        server.add(f"/{folder}/x", ResponseScript(body=folder.encode()))
    async with start(on_exists=on_exists) as engine:
        for folder in "ab":
            engine.add([request_for(server.url(f"/{folder}/x"))])
            await engine.wait_idle()
        assert names(tmp_path) == ["x", "x (1)"]
        engine.add([request_for(server.url("/c/x"), on_exists=on_exists)])
        await engine.wait_idle()
    assert names(tmp_path) == ["x", "x (1)"]
    assert (tmp_path / "out/x").read_bytes() == b"c"
    assert (tmp_path / "out/x (1)").read_bytes() == b"b"


@pytest.mark.parametrize("modified_at", [-5e9, 3e11])
async def test_a_time_that_no_date_can_have_is_brought_into_range(
    server: ScriptedServer, start: Start, tmp_path: Path, modified_at: float
) -> None:
    path = existing(tmp_path, "one", b"mine", modified_at)
    modified = "Thu, 01 Jan 1970 00:00:00 GMT"
    server.add("/one", ResponseScript(body=b"theirs", last_modified=modified))
    async with start(on_exists=OnExists.NEWER) as engine:
        engine.add([request_for(server.url("/one"))])
        await engine.wait_idle()
        assert engine.rows([0])[0].state is S.DONE, engine.rows([0])[0].error
    assert path.read_bytes() == b"mine"
    (request,) = server.requests
    sent = parsedate_to_datetime(request.headers["if-modified-since"]).timestamp()
    assert 0 <= sent <= time.time()


async def test_the_date_is_sent_to_the_origin_of_a_redirect_too(
    server: ScriptedServer, start: Start, tmp_path: Path, backend: str
) -> None:
    path = existing(tmp_path, "one", b"mine", MODIFIED_AT)
    async with ScriptedServer() as mirror:
        there = mirror.add("/one", ResponseScript(b"theirs", last_modified=MODIFIED))
        server.add("/one", ResponseScript(redirect=there))
        async with start(on_exists=OnExists.NEWER, http_backend=backend) as engine:
            engine.add([request_for(server.url("/one"))])
            await engine.wait_idle()
            assert engine.rows([0])[0].state is S.DONE, engine.rows([0])[0].error
        (request,) = mirror.requests
        assert request.headers["if-modified-since"] == MODIFIED
    assert path.read_bytes() == b"mine"


async def test_without_a_file_or_with_a_part_file_no_date_is_sent(
    server: ScriptedServer, start: Start, tmp_path: Path
) -> None:
    stalls = ResponseScript(
        body=BIG, etag='"1"', last_modified=MODIFIED, stall_after=2_000_000
    )
    whole = ResponseScript(body=BIG, etag='"1"', last_modified=MODIFIED, first=[stalls])
    server.add("/x", whole)
    async with start(on_exists=OnExists.NEWER, timeout_s=60.0) as engine:
        engine.add([request_for(server.url("/x"))])
        await until(engine, lambda: engine.rows([0])[0].received == 2_000_000)
        engine.pause([0])
        existing(tmp_path, "x", b"appeared meanwhile", MODIFIED_AT + 1000)
        engine.resume([0])
        await engine.wait_idle()
        assert engine.rows([0])[0].state is S.DONE, engine.rows([0])[0].error
    assert (tmp_path / "out/x").stat().st_size == BIG.size
    assert names(tmp_path) == ["x"]
    assert len(server.requests) == 2
    assert not any("if-modified-since" in r.headers for r in server.requests)


async def test_the_date_of_a_link_is_not_sent(
    server: ScriptedServer, start: Start, tmp_path: Path
) -> None:
    target = existing(tmp_path, "target", b"mine", MODIFIED_AT + 1000)
    (tmp_path / "out/x").symlink_to(target)
    server.add("/x", ResponseScript(b"theirs", last_modified=MODIFIED))
    async with start(on_exists=OnExists.NEWER) as engine:
        engine.add([request_for(server.url("/x"))])
        await engine.wait_idle()
        assert engine.rows([0])[0].state is S.DONE, engine.rows([0])[0].error
    assert "if-modified-since" not in server.requests[0].headers
    assert (tmp_path / "out/x").read_bytes() == b"theirs"
    assert target.read_bytes() == b"mine"


async def test_a_server_that_answers_304_without_being_asked_fails(
    server: ScriptedServer, start: Start, tmp_path: Path
) -> None:
    server.add("/one", ResponseScript(status=304))
    async with start(on_exists=OnExists.NEWER) as engine:
        engine.add([request_for(server.url("/one"))])
        await engine.wait_idle()
        (row,) = engine.rows([0])
        assert (row.state, row.error_kind) == (S.FAILED, ErrorKind.HTTP_STATUS)
    assert names(tmp_path) == []
