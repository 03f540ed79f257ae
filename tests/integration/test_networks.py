"""Proxies, credentials and rules for hosts, from request to complete file."""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING

import pytest

from tests.integration.conftest import request_for
from tests.support.command import fetchtui
from tests.support.digest_guard import DigestGuard
from tests.support.socks_server import SocksServer
from tui.core.download import DownloadState as S
from tui.core.errors import LocalError
from tui.core.request import DownloadRequest
from tui.core.settings import HostRule, Login, Scheme
from tui.demo.pattern import Pattern
from tui.demo.script import ResponseScript
from tui.demo.server import ScriptedServer

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.conftest import Start

BODY = Pattern(6_000_000, seed=3)
ME = Login("me", "text:secret", Scheme.DIGEST)


async def test_a_file_in_segments_is_proven_range_by_range(
    backend: str, server: ScriptedServer, start: Start, tmp_path: Path
) -> None:
    guard = DigestGuard(BODY)
    server.add("/f", guard.script())
    async with start(http_backend=backend, login=ME, segments=4) as engine:
        engine.add([request_for(server.url("/f"))])
        await engine.wait_idle()
        assert engine.rows([0])[0].state is S.DONE
    assert (tmp_path / "out/f").read_bytes() == BODY.read()
    assert guard.refusals == 1
    assert len(server.requests) > 2


async def test_credentials_of_the_list_are_not_sent_to_mirrors(
    backend: str, server: ScriptedServer, start: Start
) -> None:
    server.add("/f", ResponseScript(status=404))
    async with ScriptedServer() as other:
        other.add("/f", ResponseScript(b"file"))
        login = Login("me", "text:secret")
        rule = HostRule("*", headers=(("X-Key", "rule"),))
        async with start(
            http_backend=backend, login=login, hosts=(rule,), retries=0
        ) as engine:
            mirrors = (server.url("/f"), other.url("/f"))
            engine.add([DownloadRequest(mirrors, headers=(("X-Own", "1"),))])
            await engine.wait_idle()
            assert engine.rows([0])[0].state is S.DONE
        assert {"authorization", "x-key", "x-own"} <= server.requests[0].headers.keys()
        shown = other.requests[0].headers.keys()
        assert not {"authorization", "x-key", "x-own"} & shown


async def test_a_dead_proxy_of_one_host_leaves_the_others_alone(
    backend: str, server: ScriptedServer, start: Start
) -> None:
    async with await asyncio.start_server(lambda *_: None, "127.0.0.1", 0) as gone:
        port = gone.sockets[0].getsockname()[1]
    server.add("/f", ResponseScript(b"file"))
    server.add("/g", ResponseScript(b"file"))
    rule = HostRule("localhost", proxy=f"http://me:hunter2@127.0.0.1:{port}")
    async with start(http_backend=backend, hosts=(rule,), retries=0) as engine:
        engine.add(
            [
                request_for(server.url("/f", host="localhost")),
                request_for(server.url("/g")),
            ]
        )
        await engine.wait_idle()
        bad, good = engine.rows([0, 1])
        assert good.state is S.DONE
        assert (bad.state, bad.error_kind) == (S.FAILED, "proxy")
        assert f"proxy http://127.0.0.1:{port}" in bad.error
        assert "hunter2" not in bad.error


async def test_many_files_come_through_a_socks_proxy(
    backend: str, server: ScriptedServer, start: Start, tmp_path: Path
) -> None:
    async with SocksServer() as proxy:
        async with start(
            http_backend=backend, proxy=f"socks5h://127.0.0.1:{proxy.port}"
        ) as engine:
            for number in range(20):
                server.add(f"/{number}", ResponseScript(b"x" * number))
            engine.add(
                [
                    request_for(f"http://far.example:{server.port}/{number}")
                    for number in range(20)
                ]
            )
            await engine.wait_idle()
        assert set(proxy.requested) == {("far.example", server.port)}
    sizes = {path.name: path.stat().st_size for path in (tmp_path / "out").iterdir()}
    assert sizes == {str(number): number for number in range(20)}


async def test_a_rule_caps_the_downloads_of_its_host(
    server: ScriptedServer, start: Start
) -> None:
    for number in range(4):
        server.add(f"/{number}", ResponseScript(b"x", latency_s=0.02))
    async with start(hosts=(HostRule("127.*", cap=1),), concurrency=4) as engine:
        engine.add([request_for(server.url(f"/{number}")) for number in range(4)])
        await engine.wait_idle()
    seen = server.requests
    assert len(seen) == 4
    for before, after in itertools.pairwise(seen):
        assert before.ended_at is not None
        assert before.ended_at <= after.at


async def test_a_missing_secret_is_reported_before_anything_is_requested(
    server: ScriptedServer, start: Start
) -> None:
    with pytest.raises(
        LocalError, match="the environment variable in env:NAME is not set"
    ) as caught:
        async with start(login=Login("me", "env:NO_SUCH_SECRET")):
            pass
    assert caught.value.kind == "login"
    assert server.requests == []


async def test_signatures_are_masked_for_people_but_not_for_programs(
    tmp_path: Path, server: ScriptedServer
) -> None:
    signed = server.url("/none.bin?X-Amz-Signature=SECRET&part=1")
    text = await fetchtui("-v", "-o", "out", signed, cwd=tmp_path)
    assert text.status == 1
    assert "SECRET" not in text.out + text.err
    assert "X-Amz-Signature=***&part=1" in text.err
    events = await fetchtui("--json", "-o", "out", signed, cwd=tmp_path)
    assert events.of("failed")[0]["url"] == signed
    assert "SECRET" not in events.err
