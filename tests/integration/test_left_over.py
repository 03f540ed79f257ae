"""Runs that were killed, and records that were damaged: nothing is left behind."""

from __future__ import annotations

import asyncio
import signal
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.integration.conftest import request_for
from tests.integration.test_whole_downloads import digest, names
from tui.core.download import DownloadState as S
from tui.core.request import Checksum
from tui.demo.pattern import Pattern
from tui.demo.script import ResponseScript
from tui.disk.resume_record import ResumeRecord, serialize

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.integration.conftest import Start
    from tui.core.snapshot import DownloadSnapshot
    from tui.demo.server import ScriptedServer

BIG = Pattern(3_000_000, seed=1)
SMALL = Pattern(5_000, seed=2)


async def fetch(
    start: Start, url: str, checksum: Checksum | None = None, **changes: object
) -> DownloadSnapshot:
    async with start(**{"segments": 1, "retries": 0, **changes}) as engine:
        engine.add([request_for(url, checksum=checksum)])
        await engine.wait_idle()
        return engine.rows([0])[0]


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """The output folder, before the run."""
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


# -- damaged records -------------------------------------------------------------------


def cut_record(part: Path, record: Path) -> None:
    record.write_bytes(record.read_bytes()[:100])


def change_digit(part: Path, record: Path) -> None:
    record.write_bytes(record.read_bytes().replace(b"3000000", b"3000001"))


DAMAGES: dict[str, Callable[[Path, Path], object]] = {
    "record emptied": lambda part, record: record.write_bytes(b""),
    "record cut": cut_record,
    "record of one byte": lambda part, record: record.write_bytes(b"{"),
    "record of zeros": lambda part, record: record.write_bytes(bytes(300)),
    "record of text": lambda part, record: record.write_text("some junk"),
    "record of a number": lambda part, record: record.write_text("123456"),
    "record of an empty object": lambda part, record: record.write_text("{}"),
    "record with one digit changed": change_digit,
    "record with a tail": lambda part, record: record.write_bytes(
        record.read_bytes() * 2
    ),
    "part emptied": lambda part, record: part.write_bytes(b""),
    "part shorter": lambda part, record: part.write_bytes(part.read_bytes()[:5000]),
    "part longer": lambda part, record: part.write_bytes(
        part.read_bytes() + bytes(5_000_000)
    ),
    "part removed": lambda part, record: part.unlink(),
    "part removed, record cut": lambda part, record: (
        part.unlink(),
        cut_record(part, record),
    ),
    "record removed and part emptied": lambda part, record: (
        record.unlink(),
        part.write_bytes(b""),
    ),
}


@pytest.mark.parametrize("size", ["large", "small now"])
@pytest.mark.parametrize("damage", DAMAGES)
async def test_a_damaged_record_ends_under_the_name(
    server: ScriptedServer, start: Start, tmp_path: Path, damage: str, size: str
) -> None:
    cut = ResponseScript(BIG, etag='"1"', cut_after=2_000_000)
    body = BIG if size == "large" else SMALL
    url = server.add("/x.bin", ResponseScript(body, etag='"1"', first=[cut]))
    assert (await fetch(start, url)).state is S.FAILED
    part, record = tmp_path / "out/x.bin.part", tmp_path / "out/x.bin.part.json"
    assert part.stat().st_size
    assert record.exists()
    DAMAGES[damage](part, record)
    row = await fetch(start, url)
    assert (row.state, row.name) == (S.DONE, "x.bin")
    assert digest(tmp_path / "out/x.bin") == body.sha256()
    assert names(tmp_path / "out") == ["x.bin"]


@pytest.mark.parametrize("rest", ["", " " * (2 << 20)], ids=["short", "long"])
async def test_files_of_another_program_are_left_alone(
    server: ScriptedServer, start: Start, out: Path, rest: str
) -> None:
    (out / "x.part").write_bytes(b"another program's bytes")
    (out / "x.part.json").write_text('{"of": "another program"' + rest + "}")
    row = await fetch(start, server.add("/x", ResponseScript(BIG, etag='"1"')))
    assert (row.state, row.name) == (S.DONE, "x (1)")
    assert names(out) == ["x (1)", "x.part", "x.part.json"]


@pytest.mark.parametrize(
    ("kept", "sent"), [("", "gzip"), ("gzip", ""), ("gzip", "br"), ("gzip", "gzip")]
)
async def test_bytes_of_another_coding_are_not_continued(
    server: ScriptedServer, start: Start, out: Path, kept: str, sent: str
) -> None:
    """The server gives both codings the same strong ETag, and honors ranges."""
    body = BIG if kept == sent else Pattern(BIG.size, seed=77)
    script = ResponseScript(body, etag='"1"', content_encoding=sent)
    url = server.add("/x", script)
    half = BIG.size // 2
    record = ResumeRecord(
        url=url, validator='"1"', size=BIG.size, ranges=((0, half),), coding=kept
    )
    (out / "x.part").write_bytes(BIG.read()[:half])
    (out / "x.part.json").write_bytes(serialize(record))
    row = await fetch(start, url, segments=4)
    assert (row.state, row.name, names(out)) == (S.DONE, "x", ["x"])
    assert digest(out / "x") == body.sha256()


async def test_an_encoded_download_is_continued_with_its_coding(
    server: ScriptedServer, start: Start, tmp_path: Path
) -> None:
    script = ResponseScript(BIG, etag='"1"', content_encoding="gzip")
    broken = replace(script, cut_after=BIG.size // 2)
    url = server.add("/x", replace(script, first=[broken]))
    assert (await fetch(start, url)).state is S.FAILED
    row = await fetch(start, url)
    assert (row.state, digest(tmp_path / "out" / "x")) == (S.DONE, BIG.sha256())
    assert server.requests[-1].headers["range"].startswith("bytes=")


# -- killed between two system calls ---------------------------------------------------


@pytest.mark.parametrize("rest", [b"", b'{"fet', b'{"fetchtui": {"checksum": ""'])
@pytest.mark.parametrize("size", ["large", "small"])
async def test_an_unfinished_record_does_not_stay(
    server: ScriptedServer, start: Start, out: Path, rest: bytes, size: str
) -> None:
    """SIGKILL after ``NAME.part.new`` was made and before it was renamed."""
    body = BIG if size == "large" else SMALL
    url = server.add("/x", ResponseScript(body, etag='"1"'))
    half = body.size // 2
    record = ResumeRecord(url=url, validator='"1"', size=body.size, ranges=((0, half),))
    (out / "x.part").write_bytes(body.read()[:half])
    (out / "x.part.json").write_bytes(serialize(record))
    (out / "x.part.new").write_bytes(rest)
    row = await fetch(start, url)
    assert (row.state, row.name) == (S.DONE, "x")
    assert names(out) == ["x"]
    assert digest(out / "x") == body.sha256()


async def test_an_unfinished_first_record_does_not_stay(
    server: ScriptedServer, start: Start, out: Path
) -> None:
    (out / "x.part").write_bytes(b"")
    (out / "x.part.new").write_bytes(b"")
    row = await fetch(start, server.add("/x", ResponseScript(SMALL, etag='"1"')))
    assert (row.state, names(out)) == (S.DONE, ["x"])


async def test_records_beside_a_finished_file_do_not_stay(
    server: ScriptedServer, start: Start, out: Path
) -> None:
    """SIGKILL after the rename of the part file."""
    url = server.add("/x", ResponseScript(BIG, etag='"1"'))
    record = ResumeRecord(url=url, validator='"1"', size=BIG.size)
    (out / "x").write_bytes(BIG.read())
    (out / "x.part.json").write_bytes(serialize(record))
    (out / "x.part.new").write_bytes(b'{"fetchtui": {')
    row = await fetch(start, url)
    assert (row.state, row.name, names(out)) == (S.DONE, "x", ["x"])


async def test_a_part_file_linked_to_its_final_name_does_not_stay(
    server: ScriptedServer, start: Start, out: Path
) -> None:
    """SIGKILL between link and unlink, where the system has no better rename."""
    url = server.add("/x", ResponseScript(BIG, etag='"1"'))
    record = ResumeRecord(
        url=url, validator='"1"', size=BIG.size, ranges=((0, BIG.size),)
    )
    (out / "x").write_bytes(BIG.read())
    (out / "x.part").hardlink_to(out / "x")
    (out / "x.part.json").write_bytes(serialize(record))
    row = await fetch(start, url)
    assert (row.state, row.name, names(out)) == (S.DONE, "x", ["x"])
    assert digest(out / "x") == BIG.sha256()


# -- where files without a name are not supported --------------------------------------


NO_UNNAMED_FILES = """
import os, signal, sys
from tui.__main__ import main
from tui.disk import platform

def kill(*_):
    os.kill(os.getpid(), signal.SIGKILL)

platform._HAS_UNNAMED = False
if sys.argv.pop(1) != "never":
    platform.sync_data = platform.start_sync = platform.rename_new = kill
sys.exit(main())
"""


async def test_what_a_kill_left_does_not_cost_a_small_file_its_name(
    server: ScriptedServer, tmp_path: Path
) -> None:
    """As on exFAT, NFS and macOS."""
    url = server.add("/x", ResponseScript(SMALL, etag='"1"'))

    async def run(*arguments: str) -> int:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", NO_UNNAMED_FILES, *arguments),
            *("--headless", "--quiet", "-o", str(tmp_path), url),
        )
        return await process.wait()

    for _ in range(3):
        assert await run("kill") == -signal.SIGKILL
        assert len(names(tmp_path)) == 1
    assert await run("never") == 0
    assert names(tmp_path) == ["x"]


# -- beside the files of others --------------------------------------------------------


@pytest.mark.parametrize("body", [BIG, SMALL])
async def test_a_rerun_beside_a_foreign_part_file_finds_its_copy(
    server: ScriptedServer, start: Start, out: Path, body: Pattern
) -> None:
    (out / "x.part").write_bytes(b"another program's bytes")
    url = server.add("/x", ResponseScript(body, etag='"1"'))
    for _ in range(4):
        row = await fetch(start, url)
        assert (row.state, row.name) == (S.DONE, "x (1)")
    assert names(out) == ["x (1)", "x.part"]
    assert digest(out / "x (1)") == body.sha256()


async def test_a_part_file_beside_a_foreign_one_is_continued_by_one_request(
    server: ScriptedServer, start: Start, out: Path
) -> None:
    (out / "x.part").write_bytes(b"another program's bytes")
    cut = ResponseScript(BIG, etag='"1"', cut_after=2_000_000)
    url = server.add("/x", ResponseScript(BIG, etag='"1"', first=[cut]))
    for expected in (S.FAILED, S.DONE, S.DONE):
        row = await fetch(start, url)
        assert (row.state, row.name) == (expected, "x (1)")
    assert [bool(seen.range) for seen in server.requests] == [False, True, False]
    assert names(out) == ["x (1)", "x.part"]


@pytest.mark.parametrize("body", [BIG, SMALL])
async def test_a_part_file_of_another_url_with_the_same_checksum_is_left_alone(
    server: ScriptedServer, start: Start, out: Path, body: Pattern
) -> None:
    """A request for its missing bytes could not be bound to its ETag."""
    checksum = Checksum("sha256", body.sha256())
    half = body.size // 2
    record = ResumeRecord(
        url=server.url("/elsewhere/x"),
        validator='"elsewhere"',
        size=body.size,
        ranges=((0, half),),
        checksum=str(checksum),
    )
    foreign = {"x.part": body.read()[:half], "x.part.json": serialize(record)}
    for name, data in foreign.items():
        (out / name).write_bytes(data)
    url = server.add("/x", ResponseScript(body, etag='"here"'))
    row = await fetch(start, url, checksum)
    assert (row.state, row.name) == (S.DONE, "x (1)")
    assert {name: (out / name).read_bytes() for name in foreign} == foreign
    assert digest(out / "x (1)") == body.sha256()
    assert [seen.range for seen in server.requests] == [None]


@pytest.mark.parametrize("has_checksum", [False, True])
async def test_a_part_file_of_another_url_is_continued_if_the_server_confirms_it(
    server: ScriptedServer, start: Start, out: Path, has_checksum: bool
) -> None:
    record = ResumeRecord(
        url=server.url("/elsewhere/x"),
        validator='"1"',
        size=BIG.size,
        ranges=((0, 2_000_000),),
    )
    (out / "x.part").write_bytes(BIG.read()[:2_000_000])
    (out / "x.part.json").write_bytes(serialize(record))
    url = server.add("/x", ResponseScript(BIG, etag='"1"'))
    checksum = Checksum("sha256", BIG.sha256()) if has_checksum else None
    row = await fetch(start, url, checksum)
    assert (row.state, row.name) == (S.DONE, "x")
    assert digest(out / "x") == BIG.sha256()
    assert names(out) == ["x"]
    assert server.requests[-1].range == (2_000_000, None)


# -- planted records -------------------------------------------------------------------


@pytest.mark.parametrize("named_by", ["server", "list"])
async def test_a_server_cannot_plant_a_part_file(
    server: ScriptedServer, start: Start, tmp_path: Path, named_by: str
) -> None:
    evil = Pattern(BIG.size, seed=9)
    url = server.add("/big.iso", ResponseScript(BIG, etag='"v1"'))
    size = BIG.size
    record = ResumeRecord(url=url, validator='"v1"', size=size, ranges=((0, size),))
    planted = {"big.iso.part": evil.read(), "big.iso.part.json": serialize(record)}
    requests = []
    for number, (name, body) in enumerate(planted.items()):
        header = {"Content-Disposition": f'attachment; filename="{name}"'}
        headers = header if named_by == "server" else {}
        evil_url = server.add(f"/{number}", ResponseScript(body, headers=headers))
        out = name if named_by == "list" else None
        requests.append(request_for(evil_url, name=out))
    async with start(segments=1, retries=0) as engine:
        engine.add(requests)
        await engine.wait_idle()
    row = await fetch(start, url)
    assert row.state is S.DONE
    assert digest(tmp_path / "out/big.iso") == BIG.sha256()
    assert names(tmp_path / "out") == [
        *("big.iso", "big.iso.part.json_", "big.iso.part_")
    ]
