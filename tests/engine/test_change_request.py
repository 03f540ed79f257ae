"""Changing what a download fetches while it runs, over a real server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.until import until
from tui.core.download import DownloadState
from tui.core.request import DownloadRequest
from tui.core.settings import Settings
from tui.demo.pattern import Pattern
from tui.demo.script import ResponseScript
from tui.engine import open_engine

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tui.demo.server import ScriptedServer
    from tui.engine.engine import Engine

_S = DownloadState
SIZE = 400_000
BODY = Pattern(SIZE, 1)


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[Engine]:
    settings = Settings(output_dir=tmp_path, timeout_s=30.0, segments=1)
    engine = await open_engine(settings, chance=lambda: 0.0)
    yield engine
    await engine.close()


async def stalled(engine: Engine, server: ScriptedServer) -> int:
    """Add a download that receives half of its bytes and then waits."""
    half = ResponseScript(BODY, etag='"1"', stall_after=SIZE // 2)
    script = ResponseScript(BODY, etag='"1"', first=[half])
    (id,) = engine.add([DownloadRequest((server.add("/a.bin", script),))])
    await until(lambda: engine.rows([id])[0].received == SIZE // 2)
    return id


def state(engine: Engine, id: int) -> DownloadState:
    return engine.rows([id])[0].state


async def test_a_running_download_restarts_with_its_new_headers(
    engine, server, tmp_path
):
    id = await stalled(engine, server)
    request = engine.request(id)._replace(headers=(("X-Test", "new"),))
    engine.change_request(id, request)
    await until(lambda: state(engine, id) is _S.DONE)
    last = server.requests_for("/a.bin")[-1]
    assert last.headers["x-test"] == "new"
    assert last.range == (SIZE // 2, None)
    assert (tmp_path / "a.bin").read_bytes() == BODY.read()


async def test_two_changes_in_one_turn_both_count(engine, server, tmp_path):
    id = await stalled(engine, server)
    request = engine.request(id)._replace(headers=(("X-Test", "new"),))
    engine.change_request(id, request)
    engine.change_request(id, engine.request(id)._replace(name="b.bin"))
    await until(lambda: state(engine, id) is _S.DONE)
    last = server.requests_for("/a.bin")[-1]
    assert last.headers["x-test"] == "new"
    assert (tmp_path / "b.bin").read_bytes() == BODY.read()


@pytest.mark.parametrize("verb", ["pause", "cancel"])
async def test_a_download_stopped_right_after_the_change_stays_stopped(
    engine, server, verb
):
    id = await stalled(engine, server)
    request = engine.request(id)._replace(name="b.bin")
    engine.change_request(id, request)
    getattr(engine, verb)([id])
    wanted = _S.PAUSED if verb == "pause" else _S.CANCELLED
    await until(lambda: engine.rows([id])[0].name == "b.bin")
    assert state(engine, id) is wanted
    assert engine.request(id) == request
    assert len(server.requests_for("/a.bin")) == 1


@pytest.mark.parametrize("verb", ["pause", "cancel"])
@pytest.mark.parametrize("is_first", [True, False])
async def test_a_stop_beside_a_new_url_stays(engine, server, verb, is_first):
    id = await stalled(engine, server)
    url = server.add("/b.bin", ResponseScript(BODY, etag='"1"'))
    if is_first:
        getattr(engine, verb)([id])
    engine.set_url(id, url)
    if not is_first:
        getattr(engine, verb)([id])
    wanted = _S.PAUSED if verb == "pause" else _S.CANCELLED
    await until(lambda: engine.rows([id])[0].url == url)
    assert state(engine, id) is wanted
    assert not server.requests_for("/b.bin")


async def test_a_pause_between_two_changes_stays(engine, server):
    id = await stalled(engine, server)
    engine.change_request(id, engine.request(id)._replace(name="b.bin"))
    engine.pause([id])
    engine.change_request(id, engine.request(id)._replace(name="c.bin"))
    await until(lambda: engine.rows([id])[0].name == "c.bin")
    assert state(engine, id) is _S.PAUSED


async def test_a_change_survives_pause_and_resume(engine, server, tmp_path):
    id = await stalled(engine, server)
    url = server.add("/new.bin", ResponseScript(BODY, etag='"1"'))
    engine.change_request(id, engine.request(id)._replace(name="b.bin"))
    engine.set_url(id, url)
    engine.pause([id])
    engine.resume([id])
    await until(lambda: state(engine, id) is _S.DONE)
    assert (tmp_path / "b.bin").read_bytes() == BODY.read()
    (last,) = server.requests_for("/new.bin")
    assert last.range is None, "the part file has the old name"


async def test_pausing_and_resuming_all_does_not_lose_a_changed_download(
    engine, server
):
    id = await stalled(engine, server)
    url = server.add("/new.bin", ResponseScript(BODY, etag='"1"'))
    engine.set_url(id, url)
    engine.pause_all()
    engine.resume_all()
    await until(lambda: state(engine, id) is _S.DONE)
    assert engine.rows([id])[0].url == url


@pytest.mark.parametrize("is_url_first", [True, False])
async def test_two_changes_of_a_paused_download_leave_it_paused(
    engine, server, is_url_first
):
    id = await stalled(engine, server)
    url = server.add("/new.bin", ResponseScript(BODY, etag='"1"'))
    engine.pause([id])
    if is_url_first:
        engine.set_url(id, url)
    request = engine.request(id)._replace(headers=(("X-Test", "new"),))
    engine.change_request(id, request)
    engine.change_request(id, engine.request(id)._replace(mirrors=(url,)))
    if not is_url_first:
        engine.set_url(id, url)
    await until(lambda: engine.rows([id])[0].url == url)
    assert state(engine, id) is _S.PAUSED
    assert engine.request(id) == request._replace(mirrors=(url,))
    assert not server.requests_for("/new.bin")


@pytest.mark.parametrize("is_applied", [True, False])
async def test_new_headers_leave_a_url_that_a_user_set(engine, server, is_applied):
    id = await stalled(engine, server)
    url = server.add("/new.bin", ResponseScript(BODY, etag='"1"'))
    if is_applied:
        engine.pause([id])
    engine.set_url(id, url)
    if is_applied:
        await until(lambda: engine.rows([id])[0].url == url)
    request = engine.request(id)._replace(headers=(("X-Test", "new"),))
    engine.change_request(id, request)
    engine.resume([id])
    await until(lambda: state(engine, id) is _S.DONE)
    assert engine.rows([id])[0].url == url


async def test_new_mirrors_replace_a_url_that_a_user_set(engine, server):
    id = await stalled(engine, server)
    engine.set_url(id, server.url("/old.bin"))
    url = server.add("/new.bin", ResponseScript(BODY, etag='"1"'))
    engine.change_request(id, engine.request(id)._replace(mirrors=(url,)))
    await until(lambda: state(engine, id) is _S.DONE)
    assert engine.rows([id])[0].url == url
    assert not server.requests_for("/old.bin")


async def test_a_change_right_before_the_end_is_not_lost(engine, server):
    id = await stalled(engine, server)
    url = server.add("/new.bin", ResponseScript(BODY, etag='"1"'))
    request = engine.request(id)._replace(headers=(("X-Test", "new"),))
    engine.change_request(id, request)
    engine.set_url(id, url)
    await engine.close()
    row = engine.rows([id])[0]
    assert (row.url, row.state) == (url, _S.QUEUED)
    assert engine.request(id) == request


async def test_a_new_name_leaves_the_old_part_file(engine, server, tmp_path):
    id = await stalled(engine, server)
    engine.change_request(id, engine.request(id)._replace(name="b.bin"))
    await until(lambda: state(engine, id) is _S.DONE)
    assert (tmp_path / "b.bin").read_bytes() == BODY.read()
    assert (tmp_path / "a.bin.part").exists()
