"""Save files in folders by rules for their names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integration.conftest import until
from tui.core.download import DownloadState as S
from tui.core.request import DownloadRequest
from tui.core.settings import FolderRule
from tui.demo.pattern import Pattern
from tui.demo.script import ResponseScript

if TYPE_CHECKING:
    from pathlib import Path

RULES = (
    FolderRule("*.iso", "isos/linux/"),
    FolderRule("report-*", "papers"),
    FolderRule("*.pdf", "pdfs"),
)
BIG = Pattern(600_000, seed=3)


def files(out: Path) -> list[str]:
    return sorted(p.relative_to(out).as_posix() for p in out.rglob("*") if p.is_file())


@pytest.mark.parametrize(
    "directory",
    [
        *("/etc", "..", "a/../b", "~/x", ".ssh", "a/.b", "", "a//b", "a\\b", "a\nb"),
        "x" * 256,
    ],
)
def test_folder_outside_or_hidden_is_refused(directory):
    with pytest.raises(ValueError, match="folder"):
        FolderRule("*", directory)


def test_empty_pattern_is_refused():
    with pytest.raises(ValueError, match="pattern"):
        FolderRule("", "x")


async def test_first_matching_rule_applies(server, start, tmp_path):
    for path in ("/a.ISO", "/report-1.pdf", "/b.pdf", "/c.txt"):
        server.add(path, ResponseScript(b"x"))
    paths = ("/a.ISO", "/report-1.pdf", "/b.pdf", "/c.txt")
    async with start(folders=RULES) as engine:
        engine.add([DownloadRequest((server.url(path),)) for path in paths])
        await engine.wait_idle()
        rows = engine.rows(range(4))
        assert [row.directory for row in rows] == ["isos/linux", "papers", "pdfs", ""]
        path = tmp_path / "out/isos/linux/a.ISO"
        assert engine.detail(0).path == str(path)
    assert files(tmp_path / "out") == [
        *("c.txt", "isos/linux/a.ISO", "papers/report-1.pdf", "pdfs/b.pdf")
    ]


@pytest.mark.parametrize("body", [b"small", BIG], ids=["small", "large"])
async def test_rules_apply_to_the_name_from_the_server(server, start, tmp_path, body):
    says = {"content-disposition": 'attachment; filename="disk.iso"'}
    server.add("/get.pdf", ResponseScript(body, headers=says, etag='"1"'))
    for _ in range(2):
        async with start(folders=RULES) as engine:
            engine.add([DownloadRequest((server.url("/get.pdf"),))])
            await engine.wait_idle()
            row = engine.rows([0])[0]
            assert (row.state, row.directory) == (S.DONE, "isos/linux")
            path = tmp_path / "out/isos/linux/disk.iso"
            assert engine.detail(0).path == str(path)
        assert files(tmp_path / "out") == ["isos/linux/disk.iso"]


async def test_folder_in_the_list_takes_precedence(server, start, tmp_path):
    says = {"content-disposition": 'attachment; filename="disk.iso"'}
    server.add("/a.iso", ResponseScript(b"x", headers=says))
    server.add("/b.iso", ResponseScript(b"x"))
    async with start(folders=RULES) as engine:
        engine.add(
            [
                DownloadRequest((server.url("/a.iso"),), directory="mine"),
                DownloadRequest((server.url("/b.iso"),), name="x.txt"),
            ]
        )
        await engine.wait_idle()
    assert files(tmp_path / "out") == ["mine/disk.iso", "x.txt"]


async def test_part_file_is_resumed_in_its_folder(server, start, tmp_path):
    script = ResponseScript(BIG, etag='"1"', stall_after=400_000)
    server.add("/a.iso", script)
    async with start(folders=RULES, segments=1) as engine:
        engine.add([DownloadRequest((server.url("/a.iso"),))])
        await until(engine, lambda: engine.rows([0])[0].received >= 400_000)
    script.stall_after = None
    async with start(folders=RULES, segments=1) as engine:
        engine.add([DownloadRequest((server.url("/a.iso"),))])
        await engine.wait_idle()
        assert engine.snapshot().fetched < BIG.size
    assert files(tmp_path / "out") == ["isos/linux/a.iso"]


async def test_unusable_folder_fails_only_its_files(server, start, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/isos").write_text("in the way")
    says = {"content-disposition": 'attachment; filename="disk.iso"'}
    server.add("/a.iso", ResponseScript(b"x"))
    server.add("/get", ResponseScript(b"x", headers=says))
    server.add("/b.pdf", ResponseScript(b"x"))
    async with start(folders=RULES) as engine:
        engine.add(
            [DownloadRequest((server.url(p),)) for p in ("/a.iso", "/get", "/b.pdf")]
        )
        await engine.wait_idle()
        rows = engine.rows(range(3))
        assert [row.state for row in rows] == [S.FAILED, S.FAILED, S.DONE]
        assert all("a file with this name exists" in r.error for r in rows[:2])
    assert files(tmp_path / "out") == ["isos", "pdfs/b.pdf"]
