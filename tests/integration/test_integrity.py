"""Right and wrong bytes: expected digests, mismatches and repairs."""

from __future__ import annotations

import asyncio
import base64
import errno
import hashlib
from typing import TYPE_CHECKING

import pytest

from tests.integration.conftest import held, request_for, until
from tests.support.command import fetchtui
from tui.core.download import DownloadState as S
from tui.core.errors import ErrorKind, LocalError
from tui.core.events import DownloadNotice, Verified
from tui.core.notices import ALREADY_PRESENT, Notice, NoticeCode
from tui.core.request import Checksum, DownloadRequest, Pieces
from tui.core.settings import HostRule, OnExists, Verify
from tui.demo.pattern import Pattern
from tui.demo.script import RecordedRequest, ResponseScript
from tui.demo.server import ScriptedServer
from tui.disk import platform
from tui.disk.writer import DiskWriter

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from tests.integration.conftest import Start
    from tui.core.snapshot import DownloadSnapshot
    from tui.engine.engine import Engine

SMALL = Pattern(5_000, seed=1).read()
LARGE = Pattern(1_000_000, seed=2).read()
LINE = b"0" * 64 + b"  f\n"
PIECE = 65_536
SIZES = pytest.mark.parametrize("body", [SMALL, LARGE], ids=["small", "large"])


def sha(body: bytes) -> Checksum:
    return Checksum("sha256", hashlib.sha256(body).hexdigest())


def repr_digest(body: bytes, name: str = "sha-256", kind: str = "sha256") -> str:
    raw = hashlib.new(kind, body).digest()
    return f"{name}=:{base64.b64encode(raw).decode()}:"


def digest(body: bytes) -> str:
    """The older header of RFC 3230."""
    return f"SHA-256={base64.b64encode(hashlib.sha256(body).digest()).decode()}"


def flipped(body: bytes, at: int) -> bytes:
    return body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :]


def pieces_of(body: bytes, length: int = PIECE) -> Pieces:
    digests = (
        hashlib.sha256(body[at : at + length]).hexdigest()
        for at in range(0, len(body), length)
    )
    return Pieces("sha256", length, tuple(digests))


async def fetch(engine: Engine, *requests: DownloadRequest) -> DownloadSnapshot:
    engine.add(list(requests))
    await engine.wait_idle()
    return engine.rows([0])[0]


def values_of(heard: Any, kind: type) -> list[str]:
    events = [event for event in heard.drain() if isinstance(event, kind)]
    return [getattr(event, "checksum", "") or event.notice.code for event in events]


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


# -- digests in headers --------------------------------------------------------------


@SIZES
@pytest.mark.parametrize(
    ("header", "make"), [("Repr-Digest", repr_digest), ("Digest", digest)]
)
async def test_a_file_is_verified_against_a_digest_in_the_headers(
    server: ScriptedServer,
    start: Start,
    backend: str,
    body: bytes,
    header: str,
    make: Any,
) -> None:
    server.add("/f", ResponseScript(body, headers={header: make(body)}))
    async with start(http_backend=backend) as engine:
        heard = engine.subscribe()
        row = await fetch(engine, request_for(server.url("/f")))
        assert row.state is S.DONE
        assert values_of(heard, Verified) == [str(sha(body))]


@SIZES
@pytest.mark.parametrize(
    ("header", "make"), [("Repr-Digest", repr_digest), ("Digest", digest)]
)
async def test_bytes_that_contradict_the_headers_are_kept_under_another_name(
    server: ScriptedServer, start: Start, tmp_path: Path, body: bytes, header: str,
    make: Any,
) -> None:  # fmt: skip
    wrong = flipped(body, 100)
    server.add("/f.bin", ResponseScript(wrong, headers={header: make(body)}))
    async with start() as engine:
        row = await fetch(engine, request_for(server.url("/f.bin")))
        assert (row.state, row.error_kind) == (S.FAILED, "checksum")
        assert sha(body).digest in row.error
        assert sha(wrong).digest in row.error
        assert "from the server's headers" in row.error
        assert row.error.endswith("the bytes are kept as f.bin.bad")
        assert row.received == engine.snapshot().received == 0
    assert names(tmp_path / "out") == ["f.bin.bad"]
    assert (tmp_path / "out/f.bin.bad").read_bytes() == wrong


@SIZES
async def test_the_bytes_of_an_earlier_mismatch_are_not_overwritten(
    server: ScriptedServer, start: Start, tmp_path: Path, body: bytes
) -> None:
    server.add("/f.bin", ResponseScript(body))
    for _ in range(2):
        async with start() as engine:
            request = request_for(server.url("/f.bin"), checksum=sha(b""))
            row = await fetch(engine, request)
            assert row.state is S.FAILED
    assert names(tmp_path / "out") == ["f.bin (1).bad", "f.bin.bad"]


@SIZES
async def test_files_that_appear_meanwhile_are_not_overwritten_by_bad_bytes(
    server: ScriptedServer, start: Start, tmp_path: Path, body: bytes
) -> None:
    out = tmp_path / "out"
    mine = ("f.bin.bad", "f.bin (1).bad")

    def appear(_seen: RecordedRequest) -> None:
        for name in mine:
            (out / name).write_bytes(b"mine")

    server.add("/f.bin", ResponseScript(body, answer=appear))
    async with start() as engine:
        request = request_for(server.url("/f.bin"), checksum=sha(b""))
        row = await fetch(engine, request)
        assert (row.state, row.error_kind) == (S.FAILED, "checksum")
        assert row.error.endswith("the bytes are kept as f.bin (2).bad")
    assert names(out) == [mine[1], "f.bin (2).bad", mine[0]]
    assert (out / "f.bin (2).bad").read_bytes() == body
    assert {(out / name).read_bytes() for name in mine} == {b"mine"}


@SIZES
async def test_headers_do_not_count_when_verifying_is_off_but_a_checksum_does(
    server: ScriptedServer, start: Start, body: bytes
) -> None:
    server.add("/f", ResponseScript(body, headers={"Repr-Digest": repr_digest(b"")}))
    async with start(verify=Verify.OFF) as engine:
        heard = engine.subscribe()
        row = await fetch(
            engine,
            request_for(server.url("/f")),
            request_for(server.url("/f"), checksum=sha(b""), name="g"),
        )
        assert row.state is S.DONE
        assert engine.rows([1])[0].error_kind == "checksum"
        assert values_of(heard, Verified) == []


async def test_the_checksum_of_the_list_takes_precedence_over_the_headers(
    server: ScriptedServer, start: Start
) -> None:
    server.add("/f", ResponseScript(LARGE, headers={"Repr-Digest": repr_digest(b"")}))
    async with start() as engine:
        request = request_for(server.url("/f"), checksum=sha(LARGE))
        assert (await fetch(engine, request)).state is S.DONE


async def test_a_digest_of_a_range_is_not_used_for_the_file(
    server: ScriptedServer, start: Start, tmp_path: Path
) -> None:
    """Content-Digest of a 206 is about the bytes of that message alone."""
    headers = {"Content-Digest": repr_digest(b"only the rest")}
    whole = ResponseScript(LARGE, etag='"1"', cut_after=500_000)
    server.add("/f", ResponseScript(LARGE, etag='"1"', headers=headers, first=[whole]))
    async with start(segments=1) as engine:
        row = await fetch(engine, request_for(server.url("/f")))
        assert row.state is S.DONE
        assert server.requests[-1].status == 206
    assert (tmp_path / "out/f").read_bytes() == LARGE


async def test_a_file_completed_later_is_verified_against_the_headers(
    server: ScriptedServer, start: Start
) -> None:
    headers = {"Repr-Digest": repr_digest(LARGE)}
    bad = ResponseScript(
        flipped(LARGE, 9), etag='"1"', headers=headers, cut_after=500_000
    )
    server.add("/f", ResponseScript(LARGE, etag='"1"', headers=headers, first=[bad]))
    async with start(segments=1) as engine:
        row = await fetch(engine, request_for(server.url("/f")))
        assert (row.state, row.error_kind) == (S.FAILED, "checksum")


# -- files that are there already ----------------------------------------------------


@SIZES
async def test_an_existing_file_counts_only_with_the_right_digest(
    server: ScriptedServer, start: Start, tmp_path: Path, body: bytes
) -> None:
    server.add("/f.bin", ResponseScript(body))
    (tmp_path / "out").mkdir()
    (tmp_path / "out/f.bin").write_bytes(flipped(body, 7))
    request = request_for(server.url("/f.bin"), checksum=sha(body))
    for notes in ([NoticeCode.FILE_DIFFERS], []):
        async with start() as engine:
            heard = engine.subscribe()
            row = await fetch(engine, request)
            assert (row.state, row.name) == (S.DONE, "f (1).bin")
            assert set(notes) <= set(values_of(heard, DownloadNotice))
    assert names(tmp_path / "out") == ["f (1).bin", "f.bin"]
    assert (tmp_path / "out/f.bin").read_bytes() == flipped(body, 7)
    assert (tmp_path / "out/f (1).bin").read_bytes() == body
    async with start() as engine:
        heard = engine.subscribe()
        (tmp_path / "out/f.bin").write_bytes(body)
        row = await fetch(engine, request)
        assert (row.state, row.name, row.note) == (S.DONE, "f.bin", ALREADY_PRESENT)
        assert values_of(heard, Verified) == [str(sha(body))]


async def test_a_file_that_is_to_be_skipped_is_not_read(
    server: ScriptedServer, start: Start, tmp_path: Path
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/f").write_bytes(b"mine")
    async with start(on_exists=OnExists.SKIP) as engine:
        request = request_for(server.url("/f"), checksum=sha(LARGE))
        assert (await fetch(engine, request)).state is S.DONE
    assert server.requests == []


# -- checksum files beside the file --------------------------------------------------


@SIZES
@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/d/SHA256SUMS", "{other}  other.bin\n{digest}  f 1.bin\n"),
        ("/d/sha256sum.txt", "{digest} *./f 1.bin\n"),
        ("/d/SHA256SUMS", "SHA256 (f 1.bin) = {digest}\nSHA256 (x) = {other}\n"),
        ("/d/f%201.bin.sha256", "{digest}\n"),
        ("/d/f%201.bin.sha256", "{digest}  /build/f 1.bin\n"),
        ("/d/f%201.bin.sha512", "{long}  f 1.bin\n"),
    ],
)
async def test_a_file_is_verified_against_a_checksum_file_beside_it(
    server: ScriptedServer, start: Start, body: bytes, path: str, text: str
) -> None:
    long = hashlib.sha512(body).hexdigest()
    filled = text.format(digest=sha(body).digest, other=sha(b"").digest, long=long)
    server.add(path, ResponseScript(filled.encode()))
    server.add("/d/f%201.bin", ResponseScript(body))
    async with start(verify=Verify.AUTO) as engine:
        heard = engine.subscribe()
        row = await fetch(engine, request_for(server.url("/d/f%201.bin")))
        assert row.state is S.DONE
        (verified,) = values_of(heard, Verified)
        assert verified in (str(sha(body)), f"sha512={long}")


@SIZES
async def test_bytes_that_contradict_a_checksum_file_are_kept_as_bad(
    server: ScriptedServer, start: Start, tmp_path: Path, body: bytes
) -> None:
    server.add("/SHA256SUMS", ResponseScript(f"{sha(b'').digest}  f\n".encode()))
    server.add("/f", ResponseScript(body))
    async with start(verify=Verify.AUTO) as engine:
        row = await fetch(engine, request_for(server.url("/f")))
        assert (row.state, row.error_kind) == (S.FAILED, "checksum")
        assert "from SHA256SUMS" in row.error
        assert sha(b"").digest in row.error
        assert sha(body).digest in row.error
    assert names(tmp_path / "out") == ["f.bad"]


@pytest.mark.parametrize("verb", ["pause", "cancel"])
async def test_a_stop_while_bad_bytes_get_their_name_leaves_no_progress(
    server: ScriptedServer, start: Start, tmp_path: Path, monkeypatch: Any, verb: str
) -> None:
    began, may_end = held(monkeypatch, "keep_as")
    server.add("/f", ResponseScript(LARGE, etag='"1"'))
    async with start() as engine:
        engine.add([request_for(server.url("/f"), checksum=sha(b""))])
        await asyncio.wait_for(began.wait(), 20)
        assert getattr(engine, verb)([0]) == [0]
        may_end.set()
        await until(engine, lambda: engine.snapshot().active == 0)
        assert engine.rows([0])[0].received == engine.snapshot().received == 0
    assert names(tmp_path / "out") == ["f.bad"]


@pytest.mark.parametrize("verb", ["pause", "cancel"])
async def test_a_stop_holds_though_bad_bytes_do_not_get_their_name(
    server: ScriptedServer, start: Start, monkeypatch: Any, verb: str
) -> None:
    async def fail(*_args: Any) -> str:
        raise LocalError(ErrorKind.DISK, "the disk is broken")

    monkeypatch.setattr(DiskWriter, "keep_as", fail)
    began, may_end = held(monkeypatch, "keep_as")
    server.add("/f", ResponseScript(LARGE, etag='"1"'))
    async with start() as engine:
        engine.add([request_for(server.url("/f"), checksum=sha(b""))])
        await asyncio.wait_for(began.wait(), 20)
        assert getattr(engine, verb)([0]) == [0]
        state = engine.rows([0])[0].state
        may_end.set()
        await until(engine, lambda: engine.snapshot().active == 0)
        await engine.wait_idle()
        assert engine.rows([0])[0].state is state


async def test_a_stop_while_bad_bytes_are_discarded_leaves_no_progress(
    server: ScriptedServer, start: Start, tmp_path: Path, monkeypatch: Any
) -> None:
    began, may_end = held(monkeypatch, "discard")
    server.add("/f", ResponseScript(LARGE, etag='"1"'))
    async with start(keeps_corrupt=False) as engine:
        engine.add([request_for(server.url("/f"), checksum=sha(b""))])
        await asyncio.wait_for(began.wait(), 20)
        assert engine.pause([0]) == [0]
        may_end.set()
        await until(engine, lambda: engine.snapshot().active == 0)
        assert engine.rows([0])[0].received == engine.snapshot().received == 0
    assert names(tmp_path / "out") == []


@SIZES
async def test_without_a_checksum_file_the_download_is_done_and_noted(
    server: ScriptedServer, start: Start, body: bytes
) -> None:
    server.add("/f", ResponseScript(body))
    for verify, note in (
        (Verify.AUTO, NoticeCode.NO_CHECKSUM_FILE),
        (Verify.HEADERS, None),
    ):
        async with start(verify=verify, on_exists=OnExists.OVERWRITE) as engine:
            row = await fetch(engine, request_for(server.url("/f")))
            assert (row.state, row.note and row.note.code) == (S.DONE, note)
    assert len(server.requests) == 4 + 1 + 1


async def test_the_checksum_list_of_a_directory_is_requested_once_even_if_missing(
    server: ScriptedServer, start: Start
) -> None:
    bodies = {f"/a/{n}": Pattern(1000, n).read() for n in range(12)}
    lines = [f"{sha(body).digest}  {path[3:]}\n" for path, body in bodies.items()]
    server.add("/a/SHA256SUMS", ResponseScript("".join(lines).encode(), latency_s=0.1))
    bodies |= {f"/b/{n}": Pattern(1000, n).read() for n in range(12)}
    for path, body in bodies.items():
        server.add(path, ResponseScript(body))
    async with start(verify=Verify.AUTO) as engine:
        heard = engine.subscribe()
        engine.add([request_for(server.url(path), name=path.replace("/", "_"))
                    for path in bodies])  # fmt: skip
        await engine.wait_idle()
        assert engine.snapshot().counts[S.DONE] == 24
        assert len(values_of(heard, Verified)) == 12
    for path in ("/a/SHA256SUMS", "/b/SHA256SUMS", "/b/sha256sum.txt"):
        assert len(server.requests_for(path)) == 1


@pytest.mark.parametrize("other_list", [404, 403])
async def test_a_checksum_list_that_fails_once_is_requested_for_the_next_file(
    server: ScriptedServer, start: Start, other_list: int
) -> None:
    line = f"{sha(SMALL).digest}  g\n".encode()
    server.add("/SHA256SUMS", ResponseScript(line, first=[503]))
    server.add("/sha256sum.txt", ResponseScript(status=other_list))
    urls = [server.add(f"/{name}", ResponseScript(SMALL)) for name in "fg"]
    async with start(verify=Verify.AUTO) as engine:
        row = await fetch(engine, request_for(urls[0]))
        assert row.note == Notice(NoticeCode.CHECKSUM_FILE_FAILED)
        heard = engine.subscribe()
        engine.add([request_for(urls[1])])
        await engine.wait_idle()
        assert values_of(heard, Verified) == [str(sha(SMALL))]


@pytest.mark.parametrize(("status", "tries"), [(503, 3), (403, 1), (404, 1)])
async def test_a_checksum_list_that_always_fails_costs_few_requests(
    server: ScriptedServer, start: Start, status: int, tries: int
) -> None:
    for name in ("SHA256SUMS", "sha256sum.txt"):
        server.add(f"/{name}", ResponseScript(status=status))
    urls = [server.add(f"/{n}", ResponseScript(SMALL)) for n in range(6)]
    note = NoticeCode.CHECKSUM_FILE_FAILED
    if status == 404:
        note = NoticeCode.NO_CHECKSUM_FILE
    async with start(verify=Verify.AUTO) as engine:
        await fetch(engine, *map(request_for, urls))
        rows = engine.rows(range(6))
        assert {row.note and row.note.code for row in rows} == {note}
    for name in ("SHA256SUMS", "sha256sum.txt"):
        assert len(server.requests_for(f"/{name}")) == tries


@pytest.mark.parametrize("limit", ["run", "host"])
async def test_a_checksum_file_that_the_rate_limit_slows_down_is_not_late(
    server: ScriptedServer, start: Start, limit: str
) -> None:
    lines = [f"{sha(SMALL).digest}  {n}\n" for n in range(400)]
    server.add("/SHA256SUMS", ResponseScript("".join(lines).encode()))
    server.add("/7", ResponseScript(SMALL))
    limits: dict[str, Any] = (
        {"rate_limit": 30_000}
        if limit == "run"
        else {"hosts": (HostRule("127.0.0.1", rate_limit=30_000),)}
    )
    async with start(verify=Verify.AUTO, timeout_s=0.3, **limits) as engine:
        heard = engine.subscribe()
        row = await fetch(engine, request_for(server.url("/7")))
        assert (row.state, row.note) == (S.DONE, None)
        assert values_of(heard, Verified) == [str(sha(SMALL))]


async def test_a_checksum_file_of_another_server_is_not_believed(
    server: ScriptedServer, start: Start
) -> None:
    async with ScriptedServer() as other:
        wrong = f"{sha(b'').digest}  f\n".encode()
        for path in ("/SHA256SUMS", "/sha256sum.txt", "/f.sha256", "/f.sha512"):
            server.add(path, ResponseScript(redirect=other.url("/sums")))
        other.add("/sums", ResponseScript(wrong))
        server.add("/f", ResponseScript(SMALL))
        async with start(verify=Verify.AUTO) as engine:
            row = await fetch(engine, request_for(server.url("/f")))
            assert row.state is S.DONE
            assert row.note == Notice(NoticeCode.NO_CHECKSUM_FILE)
        assert other.requests


async def test_a_redirected_file_is_verified_with_the_list_beside_its_own_url(
    server: ScriptedServer, start: Start
) -> None:
    async with ScriptedServer() as other:
        other.add("/elsewhere", ResponseScript(LARGE))
        other.add("/SHA256SUMS", ResponseScript(f"{sha(b'').digest}  f\n".encode()))
        server.add("/f", ResponseScript(redirect=other.url("/elsewhere")))
        server.add("/SHA256SUMS", ResponseScript(f"{sha(LARGE).digest}  f\n".encode()))
        async with start(verify=Verify.AUTO) as engine:
            heard = engine.subscribe()
            row = await fetch(engine, request_for(server.url("/f"), name="f"))
            assert row.state is S.DONE
            assert values_of(heard, Verified) == [str(sha(LARGE))]
        assert [seen.path for seen in other.requests] == ["/elsewhere"]


@pytest.mark.parametrize(
    ("script", "note"),
    [
        (ResponseScript(LINE + b"#" * (5 << 20)), NoticeCode.CHECKSUM_FILE_FAILED),
        (ResponseScript(LINE, stall_after=10), NoticeCode.CHECKSUM_FILE_FAILED),
        (ResponseScript(LINE, status=500), NoticeCode.CHECKSUM_FILE_FAILED),
        (ResponseScript(b"<html>Not found</html>"), NoticeCode.NO_CHECKSUM_FILE),
        (ResponseScript(b"\xff\xfe\0\0" * 50), NoticeCode.NO_CHECKSUM_FILE),
        (
            ResponseScript(LINE, content_encoding="gzip"),
            NoticeCode.CHECKSUM_FILE_FAILED,
        ),
        (ResponseScript(raw=b"nonsense\r\n\r\n"), NoticeCode.CHECKSUM_FILE_FAILED),
    ],
    ids=["huge", "stalled", "failing", "page", "binary", "encoded", "garbled"],
)
async def test_a_missing_checksum_file_does_no_harm(
    server: ScriptedServer, start: Start, script: ResponseScript, note: NoticeCode
) -> None:
    server.add("/SHA256SUMS", script)
    server.add("/f", ResponseScript(LARGE))
    async with start(verify=Verify.AUTO, timeout_s=0.5) as engine:
        row = await fetch(engine, request_for(server.url("/f")))
        assert (row.state, row.note and row.note.code) == (S.DONE, note)


async def test_a_download_that_waits_for_a_checksum_file_can_be_cancelled(
    server: ScriptedServer, start: Start, tmp_path: Path
) -> None:
    server.add("/SHA256SUMS", ResponseScript(latency_s=30))
    server.add("/f", ResponseScript(LARGE, etag='"1"'))
    async with start(verify=Verify.AUTO) as engine:
        engine.add([request_for(server.url("/f"))])
        await until(engine, lambda: server.requests_for("/SHA256SUMS"))
        assert engine.rows([0])[0].state is S.VERIFYING
        assert engine.cancel([0]) == [0]
        assert engine.rows([0])[0].state is S.CANCELLED
        await engine.wait_idle()
    assert not (tmp_path / "out/f").exists()
    async with start() as engine:
        row = await fetch(engine, request_for(server.url("/f")))
        assert row.state is S.DONE
    assert len(server.requests_for("/f")) == 1, "all its bytes were kept"


# -- pieces --------------------------------------------------------------------------


@pytest.mark.parametrize("checksum", [None, sha(LARGE)], ids=["pieces", "both"])
async def test_only_the_wrong_piece_is_fetched_again(
    server: ScriptedServer, start: Start, tmp_path: Path, backend: str,
    checksum: Checksum | None,
) -> None:  # fmt: skip
    bad = ResponseScript(flipped(LARGE, 3 * PIECE + 5))
    server.add("/f", ResponseScript(LARGE, first=[bad]))
    async with start(http_backend=backend) as engine:
        heard = engine.subscribe()
        row = await fetch(
            engine,
            request_for(server.url("/f"), checksum=checksum, pieces=pieces_of(LARGE)),
        )
        assert (row.state, row.received, row.attempt) == (S.DONE, len(LARGE), 1)
        assert row.note == Notice(NoticeCode.PIECES_CORRUPT, (65_536, 1_000_000))
        expected = "sha256=16 pieces" if checksum is None else str(checksum)
        assert values_of(heard, Verified) == [expected]
    assert [seen.range for seen in server.requests] == [None, (3 * PIECE, 4 * PIECE)]
    assert (tmp_path / "out/f").read_bytes() == LARGE


async def test_pieces_of_a_file_of_another_size_prove_nothing(
    server: ScriptedServer, start: Start
) -> None:
    server.add("/f", ResponseScript(LARGE))
    pieces = pieces_of(LARGE)
    pieces = pieces._replace(digests=pieces.digests[:-1])
    async with start() as engine:
        heard = engine.subscribe()
        row = await fetch(engine, request_for(server.url("/f"), pieces=pieces))
        assert row.state is S.DONE
        assert values_of(heard, Verified) == []


async def test_a_disk_that_fails_during_a_repair_costs_no_correct_bytes(
    server: ScriptedServer, start: Start, tmp_path: Path, monkeypatch: Any
) -> None:
    real, is_full = platform.write_at, []

    def write_at(*args: Any) -> None:
        if is_full:
            raise OSError(errno.ENOSPC, "full")
        real(*args)

    def fill(seen: RecordedRequest) -> None:
        if seen.range is not None and seen.number == 1:
            is_full.append(seen)

    monkeypatch.setattr(platform, "write_at", write_at)
    bad = ResponseScript(flipped(LARGE, 3 * PIECE + 5), etag='"1"')
    server.add("/f", ResponseScript(LARGE, etag='"1"', first=[bad], answer=fill))
    async with start(segments=1, retries=0) as engine:
        row = await fetch(
            engine, request_for(server.url("/f"), pieces=pieces_of(LARGE))
        )
        assert (row.state, row.error_kind) == (S.FAILED, ErrorKind.DISK_FULL)
        assert names(tmp_path / "out") == ["f.part", "f.part.json"]
        is_full.clear()
        engine.resume_all()
        await engine.wait_idle()
        assert engine.rows([0])[0].state is S.DONE
    assert server.requests[-1].range == (3 * PIECE, None)
    assert (tmp_path / "out/f").read_bytes() == LARGE


async def test_a_server_that_sends_less_than_a_piece_is_asked_for_the_rest(
    server: ScriptedServer, start: Start, tmp_path: Path
) -> None:
    bad = ResponseScript(flipped(LARGE, 3 * PIECE + 5))
    server.add("/f", ResponseScript(LARGE, ranges="short", first=[bad]))
    async with start(retries=0) as engine:
        row = await fetch(
            engine, request_for(server.url("/f"), pieces=pieces_of(LARGE))
        )
        assert (row.state, row.attempt) == (S.DONE, 1), row.error
    assert (tmp_path / "out/f").read_bytes() == LARGE


async def test_wrong_neighbours_share_a_request_and_the_last_piece_is_short(
    server: ScriptedServer, start: Start, tmp_path: Path
) -> None:
    wrong = LARGE
    for at in (0, 5 * PIECE, 6 * PIECE, len(LARGE) - 1):
        wrong = flipped(wrong, at)
    server.add("/f", ResponseScript(LARGE, first=[ResponseScript(wrong)]))
    async with start() as engine:
        request = request_for(server.url("/f"), pieces=pieces_of(LARGE))
        assert (await fetch(engine, request)).state is S.DONE
    assert [seen.range for seen in server.requests[1:]] == [
        (0, PIECE),
        (5 * PIECE, 7 * PIECE),
        (15 * PIECE, len(LARGE)),
    ]
    assert (tmp_path / "out/f").read_bytes() == LARGE


async def test_a_small_file_is_verified_piece_by_piece_too(
    server: ScriptedServer, start: Start, tmp_path: Path
) -> None:
    server.add(
        "/f", ResponseScript(SMALL, first=[ResponseScript(flipped(SMALL, 1500))])
    )
    async with start() as engine:
        request = request_for(server.url("/f"), pieces=pieces_of(SMALL, 1000))
        assert (await fetch(engine, request)).state is S.DONE
    assert server.requests[-1].range == (1000, 2000)
    assert (tmp_path / "out/f").read_bytes() == SMALL


@pytest.mark.parametrize(
    ("script", "requests"),
    [
        (ResponseScript(flipped(LARGE, 3 * PIECE)), 1 + 3),
        (ResponseScript(flipped(LARGE, 3 * PIECE), ranges="ignore"), 1 + 1),
        (ResponseScript(flipped(LARGE, 3 * PIECE), ranges="refuse"), 1 + 1),
        (ResponseScript(bytes(len(LARGE))), 1),
    ],
    ids=["always wrong", "no ranges", "ranges refused", "all wrong"],
)
async def test_a_file_that_cannot_be_repaired_is_kept_as_bad(
    server: ScriptedServer,
    start: Start,
    tmp_path: Path,
    script: ResponseScript,
    requests: int,
) -> None:
    server.add("/f", script)
    async with start() as engine:
        request = request_for(server.url("/f"), pieces=pieces_of(LARGE))
        row = await fetch(engine, request)
        assert (row.state, row.error_kind) == (S.FAILED, "checksum")
    assert len(server.requests) == requests
    assert names(tmp_path / "out") == ["f.bad"]


async def test_a_wrong_piece_comes_from_another_mirror(
    server: ScriptedServer, start: Start, tmp_path: Path
) -> None:
    async with ScriptedServer() as gone, ScriptedServer() as right:
        server.add("/f", ResponseScript(flipped(LARGE, 9), etag='"here"'))
        gone.add("/f", ResponseScript(status=404))
        right.add("/f", ResponseScript(LARGE, etag='"there"'))
        mirrors = (server.url("/f"), gone.url("/f"), right.url("/f"))
        async with start() as engine:
            row = await fetch(engine, DownloadRequest(mirrors, pieces=pieces_of(LARGE)))
            assert (row.state, row.attempt) == (S.DONE, 1)
        assert [seen.range for seen in right.requests] == [(0, PIECE)]
        assert (len(server.requests), len(gone.requests)) == (1, 1)
    assert (tmp_path / "out/f").read_bytes() == LARGE


async def test_a_piece_that_does_not_come_for_now_is_fetched_by_the_next_attempt(
    server: ScriptedServer, start: Start, tmp_path: Path
) -> None:
    bad = ResponseScript(flipped(LARGE, 5 * PIECE), etag='"1"')
    server.add("/f", ResponseScript(LARGE, etag='"1"', first=[bad, 503]))
    async with start(segments=1) as engine:
        request = request_for(server.url("/f"), pieces=pieces_of(LARGE))
        row = await fetch(engine, request)
        assert (row.state, row.attempt) == (S.DONE, 2)
    again = server.requests[2]
    assert again.range is not None
    assert again.range[0] == 5 * PIECE
    assert (tmp_path / "out/f").read_bytes() == LARGE


# -- mirrors and Metalink ------------------------------------------------------------


@SIZES
async def test_after_a_mismatch_another_mirror_gives_the_file(
    server: ScriptedServer, start: Start, tmp_path: Path, body: bytes
) -> None:
    async with ScriptedServer() as right:
        server.add("/f.bin", ResponseScript(flipped(body, 1), etag='"1"'))
        right.add("/f.bin", ResponseScript(body, etag='"1"'))
        mirrors = (server.url("/f.bin"), right.url("/f.bin"))
        async with start(retries=0, segments=1) as engine:
            row = await fetch(engine, DownloadRequest(mirrors, checksum=sha(body)))
            assert (row.state, row.attempt) == (S.DONE, 2)
        assert [seen.range for seen in right.requests] == [None]
    assert (tmp_path / "out/f.bin").read_bytes() == body
    assert (tmp_path / "out/f.bin.bad").read_bytes() == flipped(body, 1)


def metalink(body: bytes, name: str, *urls: str) -> str:
    pieces = "".join(f"<hash>{digest}</hash>" for digest in pieces_of(body).digests)
    places = "".join(
        f'<url priority="{number}">{url}</url>' for number, url in enumerate(urls, 1)
    )
    return (
        '<metalink xmlns="urn:ietf:params:xml:ns:metalink">\n'
        f'<file name="{name}"><size>{len(body)}</size>\n'
        f'<hash type="sha-256">{sha(body).digest}</hash>\n'
        f'<pieces length="{PIECE}" type="sha-256">{pieces}</pieces>\n'
        f"{places}</file></metalink>\n"
    )


async def test_a_metalink_file_is_downloaded_verified_and_repaired_by_the_command(
    server: ScriptedServer, tmp_path: Path
) -> None:
    async with ScriptedServer() as other:
        server.add("/f", ResponseScript(status=404))
        other.add(
            "/f",
            ResponseScript(LARGE, first=[ResponseScript(flipped(LARGE, 9 * PIECE))]),
        )
        (tmp_path / "list.meta4").write_text(
            metalink(LARGE, "isos/big.iso", "ftp://127.0.0.1/f", server.url("/f"),
                     other.url("/f"))
        )  # fmt: skip
        ended = await fetchtui("--json", "-s", "1", "list.meta4", cwd=tmp_path)
        assert ended.status == 0
        assert other.requests[-1].range == (9 * PIECE, 10 * PIECE)
    assert "note: list.meta4: ignoring mirrors that are not http: 1 ftp" in ended.err
    assert [line["id"] for line in ended.of("verified")] == [0]
    (done,) = ended.of("done")
    assert done["path"] == str(tmp_path / "isos/big.iso")
    assert (tmp_path / "isos/big.iso").read_bytes() == LARGE


async def test_a_metalink_file_that_climbs_out_is_refused_before_anything_is_fetched(
    server: ScriptedServer, tmp_path: Path
) -> None:
    url = server.add("/f", ResponseScript(SMALL))
    (tmp_path / "list.meta4").write_text(metalink(SMALL, "../../evil", url))
    ended = await fetchtui("--headless", "list.meta4", cwd=tmp_path)
    assert ended.status == 2
    assert ended.err.startswith(
        "list.meta4:2: the name must not leave the output directory"
    )
    assert server.requests == []


async def test_the_command_looks_for_checksum_files_only_on_request(
    server: ScriptedServer, tmp_path: Path
) -> None:
    server.add("/SHA256SUMS", ResponseScript(f"{sha(b'').digest}  f\n".encode()))
    url = server.add("/f", ResponseScript(SMALL))
    for verify, status in (("off", 0), ("headers", 0), ("auto", 1)):
        ended = await fetchtui(
            "--json", "--verify", verify, "-o", verify, url, cwd=tmp_path
        )
        assert ended.status == status
    assert [line["error_kind"] for line in ended.of("failed")] == ["checksum"]
    assert names(tmp_path / "auto") == ["f.bad"]
