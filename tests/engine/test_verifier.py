"""Sources of expected digests, their requests, and where hashing runs."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.conftest import request_for
from tests.integration.conftest import start as start
from tui.core.download import DownloadState as S
from tui.core.notices import NoticeCode
from tui.core.request import Checksum, DownloadRequest
from tui.core.settings import Verify
from tui.demo.pattern import Pattern
from tui.demo.script import ResponseScript
from tui.demo.server import ScriptedServer
from tui.disk import checksum, part_file, small_files
from tui.disk.resume_record import ResumeRecord, save_record

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.conftest import Start

SMALL, LARGE = Pattern(1000, seed=1), Pattern(1_000_000, seed=2)


@pytest.mark.parametrize(
    ("path", "note"),
    [
        ("/get?file=f", NoticeCode.URL_HAS_QUERY),
        ("/", NoticeCode.URL_HAS_NO_FILE),
        ("", NoticeCode.URL_HAS_NO_FILE),
        ("/f.sha256", None),
        ("/SHA256SUMS", None),
        ("/f.iso.asc", None),
    ],
)
async def test_no_checksum_file_is_asked_for_where_none_can_be(
    server: ScriptedServer, start: Start, path: str, note: NoticeCode | None
) -> None:
    server.add(path or "/", ResponseScript(SMALL))
    async with start(verify=Verify.AUTO) as engine:
        engine.add([request_for(server.url(path), name="f")])
        await engine.wait_idle()
        (row,) = engine.rows([0])
        assert (row.state, row.note and row.note.code) == (S.DONE, note)
    assert len(server.requests) == 1


@pytest.mark.parametrize("known", ["list", "header"])
async def test_no_checksum_file_is_asked_for_where_a_digest_is_known(
    server: ScriptedServer, start: Start, known: str
) -> None:
    expected = Checksum("md5", "0" * 32)
    header = {"Digest": "md5=AAAAAAAAAAAAAAAAAAAAAA=="}
    server.add("/f", ResponseScript(SMALL, headers=header if known == "header" else {}))
    async with start(verify=Verify.AUTO) as engine:
        asked = expected if known == "list" else None
        engine.add([request_for(server.url("/f"), checksum=asked)])
        await engine.wait_idle()
        assert engine.rows([0])[0].error_kind == "checksum"
    assert len(server.requests) == 1


async def test_logins_go_to_checksum_files_of_their_own_server_only(
    server: ScriptedServer, start: Start
) -> None:
    async with ScriptedServer() as other:
        server.add("/private/f", ResponseScript(status=404))
        other.add("/private/f", ResponseScript(SMALL))
        login = (("Authorization", "Bearer secret"),)
        mirrors = (server.url("/private/f"), other.url("/private/f"))
        async with start(verify=Verify.AUTO, headers=(("X-Key", "secret"),)) as engine:
            engine.add(
                [
                    DownloadRequest((server.url("/f"),), headers=login),
                    DownloadRequest(mirrors, headers=login),
                ]
            )
            server.add("/f", ResponseScript(LARGE))
            await engine.wait_idle()
            assert engine.snapshot().counts[S.DONE] == 2
        asked = server.requests_for("/SHA256SUMS") + server.requests_for("/f.sha256")
        assert len(asked) == 2
        for seen in asked:
            assert seen.headers["authorization"] == "Bearer secret"
            assert seen.headers["x-key"] == "secret"
        assert len(other.requests) == 5
        for seen in other.requests:
            assert not {"authorization", "x-key"} & set(seen.headers)


@pytest.mark.parametrize("verify", [Verify.HEADERS, Verify.OFF])
async def test_a_complete_part_file_is_verified_with_the_digest_stored_with_it(
    server: ScriptedServer, start: Start, tmp_path: Path, verify: Verify
) -> None:
    """All bytes were there when the run before ended; nobody is asked any more."""
    async with start(verify=verify) as engine:
        folder = await engine._context.folders.folder("")
        record = ResumeRecord(
            url=server.url("/f"),
            validator='"1"',
            size=LARGE.size,
            ranges=((0, LARGE.size),),
            checksum=f"sha256={SMALL.sha256()}",
        )
        (tmp_path / "out/f.part").write_bytes(LARGE.read())
        save_record(folder, "f", record)
    async with start(verify=verify) as engine:
        engine.add([request_for(server.url("/f"))])
        await engine.wait_idle()
        (row,) = engine.rows([0])
        if verify is Verify.OFF:
            assert row.state is S.DONE
        else:
            assert (row.state, row.error_kind) == (S.FAILED, "checksum")
            assert (tmp_path / "out/f.bad").exists()
    assert server.requests == []


async def test_without_auto_a_file_costs_one_request(
    server: ScriptedServer, start: Start
) -> None:
    server.add("/f", ResponseScript(SMALL))
    for verify in (Verify.HEADERS, Verify.OFF):
        async with start(verify=verify) as engine:
            engine.add([request_for(server.url("/f"), name=verify.value)])
            await engine.wait_idle()
    assert [seen.path for seen in server.requests] == ["/f", "/f"]


async def test_nothing_is_hashed_on_the_loop(
    server: ScriptedServer,
    start: Start,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    threads: dict[str, set[int]] = {"small": set(), "part": set(), "final": set()}

    def watched(kind: str, real: Any) -> Any:
        def run(*arguments: Any) -> Any:
            threads[kind].add(threading.get_ident())
            return real(*arguments)

        return run

    monkeypatch.setattr(
        small_files, "digest_of", watched("small", small_files.digest_of)
    )
    monkeypatch.setattr(part_file, "hash_range", watched("part", part_file.hash_range))
    monkeypatch.setattr(checksum, "hash_range", watched("final", checksum.hash_range))
    server.add("/small", ResponseScript(SMALL))
    server.add("/large", ResponseScript(LARGE))
    requests = [
        request_for(server.url(f"/{name}"), checksum=Checksum("sha256", body.sha256()))
        for name, body in (("small", SMALL), ("large", LARGE))
    ]
    for _ in range(2):
        async with start() as engine:
            engine.add(requests)
            await engine.wait_idle()
            assert engine.snapshot().counts[S.DONE] == 2
    assert all(threads.values())
    assert all(threading.get_ident() not in found for found in threads.values())
