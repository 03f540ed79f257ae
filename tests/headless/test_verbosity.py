"""``--quiet`` prints only errors, ``--verbose`` also starts."""

from __future__ import annotations

from tests.support.command import fetchtui
from tui.demo.server import Pattern, ResponseScript


async def test_quiet_prints_nothing_if_all_succeeds(server, tmp_path):
    url = server.add("/a.bin", ResponseScript(Pattern(5000)))
    ended = await fetchtui("-q", url, cwd=tmp_path)
    assert (ended.status, ended.out, ended.err) == (0, "", "")
    assert (tmp_path / "a.bin").stat().st_size == 5000


async def test_quiet_prints_failures_with_reasons(server, tmp_path):
    good = server.add("/a.bin", ResponseScript(Pattern(5000)))
    bad = server.add("/b.bin", ResponseScript(b"no", 404))
    ended = await fetchtui("--quiet", good, bad, cwd=tmp_path)
    assert ended.status == 1
    (line,) = ended.err.splitlines()
    assert line.startswith("failed  b.bin: ")
    assert "the server has no such file" in line


async def test_verbose_prints_starts_and_setting_sources(server, tmp_path):
    url = server.add("/a.bin", ResponseScript(Pattern(5000)))
    ended = await fetchtui(
        "-v", "-c", "3", url, cwd=tmp_path, env={"FETCHTUI_RETRIES": "2"}
    )
    assert ended.status == 0
    lines = ended.err.splitlines()
    assert "setting concurrency = 3  (--concurrency)" in lines
    assert "setting retries = 2  (FETCHTUI_RETRIES)" in lines
    assert f"start   a.bin  <{url}>" in lines
    assert any(line.startswith("done    a.bin") for line in lines)
