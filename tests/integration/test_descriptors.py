"""Few file descriptors: downloads wait for them instead of failing."""

from __future__ import annotations

import asyncio
import errno
import json
import resource
import sys
from functools import partial
from typing import TYPE_CHECKING

import pytest

from tests.integration.conftest import request_for
from tests.integration.test_whole_downloads import digest, names
from tui.core.download import DownloadState as S
from tui.core.errors import ErrorKind
from tui.demo.pattern import Pattern
from tui.demo.script import ResponseScript
from tui.disk.errors import from_os_error
from tui.disk.safe_dir import SafeDir
from tui.engine.download import retry
from tui.messages import remedy

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.conftest import Start
    from tui.demo.server import ScriptedServer


@pytest.mark.parametrize(
    ("soft", "hard", "may_wait"), [(70, 70, True), (70, 1000, False)]
)
@pytest.mark.parametrize("size", [400_000, 3_000])
async def test_many_downloads_with_few_descriptors(
    server: ScriptedServer,
    tmp_path: Path,
    soft: int,
    hard: int,
    may_wait: bool,
    size: int,
) -> None:
    bodies = {f"{n}.bin": Pattern(size + n, n) for n in range(90)}
    urls = [
        server.add(f"/{name}", ResponseScript(body, etag='"1"', latency_s=0.1))
        for name, body in bodies.items()
    ]
    limit = partial(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tui", "--headless", "--json", "--retries", "0"),
        *("-c", "80", "-o", str(tmp_path), *urls),
        preexec_fn=limit,
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()
    lines = [json.loads(line) for line in out.splitlines()]
    assert process.returncode == 0, lines[-1]
    waits = {line["error_kind"] for line in lines if line["event"] == "retry"}
    assert waits <= ({"descriptors"} if may_wait else set())
    for name, body in bodies.items():
        assert digest(tmp_path / name) == body.sha256()


async def test_early_connections_leave_descriptors_for_the_program_itself(
    server: ScriptedServer, tmp_path: Path
) -> None:
    urls = [
        server.add(f"/{n}.bin", ResponseScript(Pattern(3_000 + n, n)))
        for n in range(20)
    ]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tui", "--headless", "--json"),
        *("-c", "16", "-o", str(tmp_path), *urls),
        preexec_fn=partial(resource.setrlimit, resource.RLIMIT_NOFILE, (24, 24)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    _, err = await process.communicate()
    assert process.returncode == 0, err
    assert len(names(tmp_path)) == 20


async def test_waits_for_descriptors_that_nobody_frees_end(
    server: ScriptedServer, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_args: object) -> int:
        raise OSError(errno.EMFILE, "too many")

    monkeypatch.setattr(retry, "DESCRIPTOR_WAIT_S", 0.0)
    monkeypatch.setattr(retry, "DESCRIPTOR_WAITS", (3, 1_000_000_000))
    monkeypatch.setattr(SafeDir, "create", refuse)
    url = server.add("/x", ResponseScript(Pattern(400_000), etag='"1"'))
    async with start(retries=0) as engine:
        engine.add([request_for(url)])
        async with asyncio.timeout(20):
            await engine.wait_idle()
        row = engine.rows([0])[0]
    assert (row.state, row.error_kind) == (S.FAILED, ErrorKind.DESCRIPTORS)
    assert row.attempt == 1 + 3


def test_the_cause_is_named() -> None:
    error = from_os_error(OSError(24, "Too many open files"), "create", "x")
    assert error.kind is ErrorKind.DESCRIPTORS
    assert "Too many open files" in str(error)
    assert "ulimit" in remedy(error.kind)
