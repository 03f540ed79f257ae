"""The real command from end to end: complete runs, interrupts, closed pipes."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.command import Ended, fetchtui, finish, start
from tui.core.settings import Settings
from tui.demo import playlist
from tui.demo.server import Pattern, ResponseScript, ScriptedServer
from tui.engine.factory import open_engine
from tui.headless.run import run_headless

LARGE = Pattern(8_000_000, seed=5)


def _digest(body: Pattern | bytes) -> str:
    data = body.read() if isinstance(body, Pattern) else body
    return hashlib.sha256(data).hexdigest()


def _digest_of_file(path: str) -> str:
    return _digest(Path(path).read_bytes())


def _read_all(descriptor: int) -> bytes:
    with open(descriptor, "rb") as pipe:
        return pipe.read()


def saved_in(directory: Path) -> list[str]:
    return [f"{path.relative_to(directory)}" for path in directory.rglob("*")]


def unfinished() -> ResponseScript:
    """A file that can be resumed, and of whose first response the end never comes."""
    begun = ResponseScript(LARGE, rate=8_000_000, etag='"large"', stall_after=6_000_000)
    return replace(begun, stall_after=None, first=[begun])


def saved_bytes(part: Path) -> int:
    """Return how many bytes of a part file its resume record has."""
    record = part.with_name(f"{part.name}.json")
    if not record.exists():
        return 0
    ranges = json.loads(record.read_bytes())["fetchtui"]["ranges"]
    return sum(end - start for start, end in ranges)


async def test_demo_exits_as_documented_with_complete_files(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Run ``--demo --json`` in this process, faster than real time."""
    async with ScriptedServer() as calm, ScriptedServer() as moody:
        requests = playlist.add_scripts(calm, moody, speedup=20)
        settings = Settings(output_dir=tmp_path, concurrency=16, timeout_s=1.0)
        service = await open_engine(settings)
        try:
            status = await run_headless(service, requests, is_json=True)
        finally:
            await service.close()
    ended = Ended(status, *capfd.readouterr())
    assert (ended.status, ended.err) == (1, "")
    summary = ended.objects[-1]
    assert (summary["done"], summary["failed"], summary["cancelled"]) == (
        playlist.DONE,
        playlist.FAILED,
        playlist.CANCELLED,
    )
    kinds = sorted(line["error_kind"] for line in ended.of("failed"))
    assert kinds == ["checksum", "not_found"]
    assert not [name for name in saved_in(tmp_path) if ".part" in name]
    served = {
        _digest(script.body)
        for script in (*calm.scripts.values(), *moody.scripts.values())
        if script.status == 200
    }
    done = ended.of("done")
    digests = {_digest_of_file(line["path"]) for line in done}
    assert len(digests) == len(done) == playlist.DONE
    assert digests < served, "all but the one whose checksum is wrong"


async def test_interrupted_demo_leaves_nothing_behind(tmp_path: Path) -> None:
    process = await start(
        "--demo", "--json", cwd=tmp_path, env={"TMPDIR": f"{tmp_path}"}
    )
    assert process.stdout is not None
    while b'"progress"' not in await process.stdout.readline():
        assert process.returncode is None
    assert any(name.startswith("fetchtui-demo-") for name in saved_in(tmp_path))
    process.send_signal(signal.SIGTERM)
    ended = await finish(process)
    assert ended.status == 130
    assert "The demo keeps no files" in ended.err
    assert saved_in(tmp_path) == []


async def test_list_on_standard_input_is_downloaded(
    server: ScriptedServer, tmp_path: Path
) -> None:
    lines = [
        server.add(f"/{n}.bin", ResponseScript(Pattern(1000, n))) for n in range(20)
    ]
    ended = await fetchtui("--json", "-", cwd=tmp_path, stdin="\n".join(lines).encode())
    assert ended.status == 0
    for number in range(20):
        saved = (tmp_path / f"{number}.bin").read_bytes()
        assert saved == Pattern(1000, number).read()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_interrupted_run_resumes_with_the_same_command(
    server: ScriptedServer, tmp_path: Path, number: signal.Signals
) -> None:
    url = server.add("/large.bin", unfinished())
    command = ("--headless", "-s", "1", url)
    process = await start(*command, cwd=tmp_path)
    await server.until(lambda: saved_bytes(tmp_path / "large.bin.part") > 1_000_000)
    process.send_signal(number)
    ended = await finish(process)
    assert ended.status == 130
    last = ended.err.splitlines()[-1]
    assert last == "Unfinished files are kept; run the same command to resume"
    assert not (tmp_path / "large.bin").exists()
    again = await fetchtui(*command, cwd=tmp_path)
    assert again.status == 0
    assert (tmp_path / "large.bin").read_bytes() == LARGE.read()
    resumed = server.requests[-1].range
    assert resumed is not None
    assert resumed[0] > 1_000_000, "what was fetched is not fetched again"


async def test_the_json_summary_counts_unfinished_downloads(
    server: ScriptedServer, tmp_path: Path
) -> None:
    urls = [server.add(f"/{n}.bin", unfinished()) for n in range(3)]
    process = await start("--json", "-s", "1", "-c", "2", *urls, cwd=tmp_path)
    await server.until(
        lambda: server.requests and server.requests[0].bytes_sent > 1_000_000
    )
    process.send_signal(signal.SIGINT)
    ended = await finish(process)
    (summary,) = ended.of("summary")
    counts = {name: summary[name] for name in ("done", "failed", "cancelled")}
    assert counts == {"done": 0, "failed": 0, "cancelled": 0}
    assert summary["unfinished"] == 3


async def test_closed_pipe_stops_the_run_quietly_and_keeps_progress(
    server: ScriptedServer, tmp_path: Path
) -> None:
    url = server.add("/large.bin", unfinished())
    process = await start("--json", "-s", "1", url, cwd=tmp_path)
    assert process.stdout is not None
    assert b"queued" in await process.stdout.readline()
    process.stdout._transport.close()  # type: ignore[attr-defined]  # the reader leaves
    ended = await finish(process)
    assert ended.status == 130
    assert ended.err == ""
    assert not (tmp_path / "large.bin").exists()
    assert (tmp_path / "large.bin.part").exists()


async def test_closed_terminal_does_not_stop_downloads(
    server: ScriptedServer, tmp_path: Path
) -> None:
    script = ResponseScript(LARGE, rate=100_000, etag='"large"')
    url = server.add("/large.bin", script)
    process = await start("--headless", url, cwd=tmp_path)
    await server.until(lambda: server.requests)
    assert process.stderr is not None
    process.stderr._transport.close()  # type: ignore[attr-defined]
    process.send_signal(signal.SIGHUP)
    script.rate = None
    ended = await finish(process)
    assert ended.status == 0
    assert (tmp_path / "large.bin").read_bytes() == LARGE.read()


async def test_output_on_stdout_is_the_verified_file(tmp_path: Path) -> None:
    async with ScriptedServer() as server:
        server.add("/file", ResponseScript(LARGE))
        arguments = ("-q", "-A", "agent/1", "-O", "-", server.url("/file"))
        env = {"TMPDIR": f"{tmp_path}"}
        process = await start(*arguments, cwd=tmp_path, env=env)
        async with asyncio.timeout(30):
            out, err = await process.communicate()
        assert server.requests[0].headers["user-agent"] == "agent/1"
    assert (process.returncode, err) == (0, b"")
    assert _digest(out) == _digest(LARGE)
    assert saved_in(tmp_path) == []


@pytest.mark.parametrize("unbuffered", ["", "1"])
async def test_output_on_stdout_is_whole_however_little_one_write_takes(
    tmp_path: Path, unbuffered: str
) -> None:
    """With ``PYTHONUNBUFFERED``, as in many containers, Python writes only a part."""
    read_end, write_end = os.pipe()
    # Another program that shares the pipe may have made it so.
    os.set_blocking(write_end, False)
    async with ScriptedServer() as server:
        server.add("/file", ResponseScript(LARGE))
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tui", "-q", "-O", "-", server.url("/file")),
            cwd=tmp_path,
            env=os.environ | {"TMPDIR": f"{tmp_path}", "PYTHONUNBUFFERED": unbuffered},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=write_end,
            stderr=asyncio.subprocess.PIPE,
        )
        os.close(write_end)
        async with asyncio.timeout(30):
            out = await asyncio.to_thread(_read_all, read_end)
            _, err = await process.communicate()
    assert (process.returncode, err) == (0, b"")
    assert _digest(out) == _digest(LARGE)


@pytest.mark.parametrize("body", [LARGE, b"x" * 1000], ids=["large", "small"])
async def test_failed_download_writes_nothing_to_stdout(
    tmp_path: Path, body: bytes | Pattern
) -> None:
    async with ScriptedServer() as server:
        server.add("/file", ResponseScript(body))
        checksum = "sha-256=" + "0" * 64
        arguments = ("-O", "-", "--checksum", checksum, server.url("/file"))
        env = {"TMPDIR": f"{tmp_path}"}
        ended = await fetchtui(*arguments, cwd=tmp_path, env=env)
    assert (ended.status, ended.out) == (1, "")
    assert "checksum" in ended.err or "sha256" in ended.err
    assert ".bad" not in ended.err
    assert saved_in(tmp_path) == []
