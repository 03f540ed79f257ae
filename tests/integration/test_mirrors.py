"""Several URLs for one file: side by side if safe, else one after another."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import pytest

from tui.core.download import DownloadState as S
from tui.core.events import Retrying
from tui.core.request import Checksum, DownloadRequest
from tui.demo.pattern import Pattern
from tui.demo.script import ResponseScript
from tui.demo.server import ScriptedServer
from tui.engine.download.retry import KEEP_TRIES

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.conftest import Start
    from tui.core.events import Event
    from tui.core.snapshot import DownloadSnapshot
    from tui.engine.engine import Engine

BODY = Pattern(12_000_000, seed=11)
SHA = Checksum("sha256", BODY.sha256())


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


async def ended(
    engine: Engine, urls: tuple[str, ...], **fields: Any
) -> DownloadSnapshot:
    """Download a file with mirrors; return its row at the end."""
    engine.add([DownloadRequest(urls, **fields)])
    await engine.wait_idle()
    (row,) = engine.rows([0])
    return row


async def test_a_mirror_that_lacks_the_file_is_left_at_once(
    server: ScriptedServer, start: Start, tmp_path: Path
) -> None:
    async with ScriptedServer() as other:
        server.add("/f", ResponseScript(status=404))
        other.add("/f", ResponseScript(body=BODY))
        async with start(retries=0) as engine:
            row = await ended(engine, (server.url("/f"), other.url("/f")))
            assert row.state is S.DONE
            assert row.url == other.url("/f")
    assert digest(tmp_path / "out/f") == BODY.sha256()


async def test_a_mirror_that_fails_for_now_is_left_for_one_that_was_not_tried(
    server: ScriptedServer, start: Start, tmp_path: Path
) -> None:
    async with ScriptedServer() as other:
        server.add("/f", ResponseScript(status=500))
        other.add("/f", ResponseScript(BODY, etag='"1"'))
        async with start(retries=5) as engine:
            row = await ended(engine, (server.url("/f"), other.url("/f")))
            assert (row.state, row.attempt) == (S.DONE, 2)
        assert len(server.requests) == 1
    assert digest(tmp_path / "out/f") == BODY.sha256()


async def test_when_every_mirror_lacks_it_the_download_fails_once_each(
    server: ScriptedServer, start: Start
) -> None:
    async with ScriptedServer() as other:
        server.add("/f", ResponseScript(status=404))
        other.add("/f", ResponseScript(status=410))
        async with start() as engine:
            row = await ended(engine, (server.url("/f"), other.url("/f")))
            assert (row.state, row.error_kind) == (S.FAILED, "not_found")
        assert (len(server.requests), len(other.requests)) == (1, 1)


async def test_mirrors_share_the_work_when_a_checksum_is_known(
    server: ScriptedServer, start: Start, tmp_path: Path
) -> None:
    async with ScriptedServer() as other:
        # Each server has its own ETag for the same bytes.
        server.add("/f", ResponseScript(body=BODY, etag='"a"', rate=4_000_000))
        other.add("/f", ResponseScript(body=BODY, etag='"b"', rate=4_000_000))
        async with start(segments=4) as engine:
            urls = (server.url("/f"), other.url("/f"))
            row = await ended(engine, urls, checksum=SHA)
            assert row.state is S.DONE
        assert any(seen.bytes_sent > 1_000_000 for seen in other.requests)
    assert digest(tmp_path / "out/f") == BODY.sha256()


async def test_the_ranges_of_one_mirror_are_of_one_file(
    server: ScriptedServer, start: Start, tmp_path: Path
) -> None:
    async with ScriptedServer() as other:
        server.add("/f", ResponseScript(body=BODY, etag='"a"', rate=1_000_000))
        other.add("/f", ResponseScript(body=BODY, etag='"b"', rate=20_000_000))
        async with start(segments=2) as engine:
            urls = (server.url("/f"), other.url("/f"))
            row = await ended(engine, urls, checksum=SHA)
            assert row.state is S.DONE
        tags = [seen.headers.get("if-range") for seen in other.requests]
        assert len(tags) > 1
        # Its tag is known from its first response, whatever the other one's is.
        assert tags == [None, *['"b"'] * (len(tags) - 1)]
    assert digest(tmp_path / "out/f") == BODY.sha256()


async def test_without_a_checksum_two_mirrors_are_never_mixed(
    server: ScriptedServer, start: Start, tmp_path: Path
) -> None:
    async with ScriptedServer() as other:
        server.add("/f", ResponseScript(body=BODY, etag='"a"', rate=20_000_000))
        other.add("/f", ResponseScript(body=Pattern(BODY.size, seed=99), etag='"b"'))
        async with start(segments=4) as engine:
            row = await ended(engine, (server.url("/f"), other.url("/f")))
            assert row.state is S.DONE
        assert other.requests == []
    assert digest(tmp_path / "out/f") == BODY.sha256()


async def test_what_only_one_mirror_can_continue_is_continued_there(
    server: ScriptedServer, start: Start, tmp_path: Path
) -> None:
    """Without a checksum, another mirror would start over for a broken connection."""
    async with ScriptedServer() as other:
        cuts = [ResponseScript(BODY, etag='"a"', cut_after=4_000_000)] * 2
        server.add("/f", ResponseScript(BODY, etag='"a"', first=cuts))
        other.add("/f", ResponseScript(BODY, etag='"b"'))
        async with start(segments=1) as engine:
            row = await ended(engine, (server.url("/f"), other.url("/f")))
            assert row.state is S.DONE, row.error
        assert other.requests == []
        assert [seen.range is None for seen in server.requests] == [True, False, False]
    assert digest(tmp_path / "out/f") == BODY.sha256()


@pytest.mark.parametrize(
    ("first", "second", "is_continued"),
    [
        ('W/"a"', 'W/"b"', False),
        ('W/"a"', 'W/"a"', True),
        ('W/"a"', None, True),
        (None, None, True),
        ('"a"', '"b"', False),
        ('"a"', '"a"', True),
    ],
)
async def test_another_mirror_continues_only_under_a_date_that_no_tag_contradicts(
    server: ScriptedServer,
    start: Start,
    tmp_path: Path,
    first: str | None,
    second: str | None,
    is_continued: bool,
) -> None:
    body = BODY if is_continued else Pattern(BODY.size, seed=99)
    common: dict[str, Any] = {
        "last_modified": "Tue, 01 Oct 2024 10:00:00 GMT",
        "headers": {"Date": "Wed, 30 Oct 2024 10:00:00 GMT"},
    }
    async with ScriptedServer() as other:
        gone = ResponseScript(status=404)
        cut = ResponseScript(BODY, etag=first, cut_after=8_000_000, **common)
        server.add("/f", ResponseScript(status=404, first=[cut, gone]))
        other.add("/f", ResponseScript(body, etag=second, **common))
        async with start(segments=1) as engine:
            row = await ended(engine, (server.url("/f"), other.url("/f")))
            assert row.state is S.DONE, row.error
        if is_continued:
            (seen,) = other.requests
            assert seen.range is not None
            assert seen.range[0] > 7_000_000
    assert digest(tmp_path / "out/f") == body.sha256()


@pytest.mark.parametrize("status", [404, 503])
async def test_a_mirror_that_ends_half_way_is_left(
    server: ScriptedServer, start: Start, tmp_path: Path, status: int
) -> None:
    async with ScriptedServer() as other:
        cut = ResponseScript(BODY, etag='"a"', cut_after=4_000_000)
        server.add("/f", ResponseScript(status=status, first=[cut]))
        other.add("/f", ResponseScript(BODY, etag='"b"'))
        async with start(segments=1) as engine:
            row = await ended(engine, (server.url("/f"), other.url("/f")))
            assert row.state is S.DONE, row.error
        assert len(other.requests) == 1
        assert len(server.requests) <= 2 * (KEEP_TRIES + 1)
    assert digest(tmp_path / "out/f") == BODY.sha256()


async def test_a_retry_begins_where_the_part_file_can_be_continued(
    server: ScriptedServer, start: Start, tmp_path: Path
) -> None:
    async with ScriptedServer() as other:
        cut = ResponseScript(BODY, etag='"a"', cut_after=4_000_000)
        server.add("/f", ResponseScript(BODY, etag='"a"', first=[cut, 503]))
        other.add("/f", ResponseScript(BODY, etag='"b"', first=[503, 503]))
        async with start(segments=1, retries=1) as engine:
            row = await ended(engine, (server.url("/f"), other.url("/f")))
            assert (row.state, row.url) == (S.FAILED, other.url("/f"))
            engine.retry([0])
            await engine.wait_idle()
            assert engine.rows([0])[0].state is S.DONE
        assert len(other.requests) == 2
    assert [seen.range is None for seen in server.requests] == [True, False, False]
    assert digest(tmp_path / "out/f") == BODY.sha256()


async def test_a_mirror_with_other_bytes_is_found_out_and_left(
    server: ScriptedServer, start: Start, tmp_path: Path
) -> None:
    async with ScriptedServer() as other:
        liar = Pattern(BODY.size, seed=99)
        server.add("/f", ResponseScript(body=liar, etag='"a"', rate=20_000_000))
        other.add("/f", ResponseScript(body=BODY, etag='"b"', rate=20_000_000))
        async with start(segments=2) as engine:
            urls = (server.url("/f"), other.url("/f"))
            row = await ended(engine, urls, checksum=SHA)
            assert row.state is S.DONE, row.error
    assert digest(tmp_path / "out/f") == BODY.sha256()


async def test_what_one_mirror_gave_is_continued_from_another_under_a_checksum(
    server: ScriptedServer, start: Start, tmp_path: Path
) -> None:
    async with ScriptedServer() as other:
        gone = ResponseScript(status=404)
        cut = ResponseScript(body=BODY, etag='"a"', cut_after=8_000_000)
        server.add("/f", ResponseScript(status=404, first=[cut, gone]))
        other.add("/f", ResponseScript(body=BODY, etag='"b"'))
        async with start(segments=1) as engine:
            urls = (server.url("/f"), other.url("/f"))
            row = await ended(engine, urls, checksum=SHA)
            assert row.state is S.DONE
        (seen,) = other.requests
        assert seen.range is not None
        assert seen.range[0] > 7_000_000
    assert digest(tmp_path / "out/f") == BODY.sha256()


@pytest.mark.parametrize("status", [404, 403, 503])
async def test_a_mirror_that_fails_last_does_not_take_the_other_one_along(
    server: ScriptedServer, start: Start, tmp_path: Path, status: int
) -> None:
    """The first URL resets once; then the range of the other one fails."""
    async with ScriptedServer() as other:
        cut = ResponseScript(
            body=BODY, etag='"a"', cut_after=1_000_000, cut="reset", rate=10_000_000
        )
        server.add("/f", ResponseScript(body=BODY, etag='"a"', first=[cut]))
        late = ResponseScript(status=status, latency_s=0.4)
        other.add("/f", ResponseScript(status=status, first=[late]))
        async with start(segments=2, retries=1) as engine:
            urls = (server.url("/f"), other.url("/f"))
            row = await ended(engine, urls, checksum=SHA)
            assert row.state is S.DONE
    assert digest(tmp_path / "out/f") == BODY.sha256()


@pytest.mark.parametrize("status", [404, 503])
async def test_the_first_url_sends_what_another_mirror_refuses_at_the_end(
    server: ScriptedServer, start: Start, tmp_path: Path, status: int
) -> None:
    async with ScriptedServer() as other:
        server.add("/f", ResponseScript(body=BODY, etag='"a"'))
        refuse = ResponseScript(
            status=status, latency_s=0.4, retry_after=60 if status == 503 else None
        )
        other.add("/f", refuse)
        async with start(segments=2, retries=0) as engine:
            urls = (server.url("/f"), other.url("/f"))
            row = await ended(engine, urls, checksum=SHA)
            assert (row.state, row.attempt) == (S.DONE, 1)
        assert len(other.requests) == 1
    assert digest(tmp_path / "out/f") == BODY.sha256()


async def test_a_mirror_without_the_file_is_asked_for_no_range_again(
    server: ScriptedServer, start: Start, tmp_path: Path
) -> None:
    async with ScriptedServer() as other:
        cut = ResponseScript(body=BODY, etag='"a"', cut_after=4_000_000, rate=4_000_000)
        server.add("/f", ResponseScript(body=BODY, etag='"a"', first=[cut]))
        other.add("/f", ResponseScript(status=404))
        async with start(segments=2) as engine:
            urls = (server.url("/f"), other.url("/f"))
            row = await ended(engine, urls, checksum=SHA)
            assert row.state is S.DONE
        assert len(other.requests) == 1
    assert digest(tmp_path / "out/f") == BODY.sha256()


async def test_a_login_for_one_mirror_is_not_shown_to_another(
    server: ScriptedServer, start: Start
) -> None:
    async with ScriptedServer() as other:
        server.add("/f", ResponseScript(status=404))
        other.add("/f", ResponseScript(body=b"x"))
        secret = (("Authorization", "Bearer secret"),)
        async with start(headers=secret) as engine:
            urls = (server.url("/f"), other.url("/f"))
            engine.add([DownloadRequest(urls, headers=(("X-Key", "k"),))])
            await engine.wait_idle()
        assert server.requests[0].headers["authorization"] == "Bearer secret"
        assert {"authorization", "x-key"}.isdisjoint(other.requests[0].headers)


@pytest.mark.parametrize("retries", [0, 1, 5])
async def test_every_mirror_is_tried_whatever_the_number_of_retries(
    server: ScriptedServer, start: Start, tmp_path: Path, retries: int
) -> None:
    """A missing file, a host that refuses, one that is broken, one of each kind."""
    async with ScriptedServer() as stopped:
        refused = stopped.url("/f")
    async with ScriptedServer() as broken:
        server.add("/f", ResponseScript(status=404))
        broken.add("/f", ResponseScript(status=503))
        broken.add("/cut", ResponseScript(BODY, etag='"a"', cut_after=5_000_000))
        broken.add("/f?good", ResponseScript(BODY))
        urls = (
            server.url("/f"),
            refused,
            *map(broken.url, ("/f", "/cut", "/f?good")),
        )
        async with start(retries=retries, segments=1) as engine:
            row = await ended(engine, urls, name="f")
            assert row.state is S.DONE, row.error
            assert row.url in urls[-2:]
    assert digest(tmp_path / "out/f") == BODY.sha256()


async def test_retries_count_for_each_mirror(
    server: ScriptedServer, start: Start
) -> None:
    async with ScriptedServer() as other:
        server.add("/f", ResponseScript(status=500))
        other.add("/f", ResponseScript(status=502))
        async with start(retries=2) as engine:
            row = await ended(engine, (server.url("/f"), other.url("/f")))
            assert (row.state, row.error_kind, row.attempt) == (S.FAILED, "http_5xx", 6)
        assert (len(server.requests), len(other.requests)) == (3, 3)


async def test_only_a_mirror_that_was_not_tried_yet_is_asked_at_once(
    server: ScriptedServer, start: Start
) -> None:
    async with ScriptedServer() as other:
        server.add("/f", ResponseScript(status=500))
        other.add("/f", ResponseScript(status=500))
        async with start(retries=1) as engine:
            heard = engine.subscribe()
            engine.add([DownloadRequest((server.url("/f"), other.url("/f")))])
            await engine.wait_idle()
            waits = [e.wait_s for e in heard.drain() if isinstance(e, Retrying)]
    assert len(waits) == 3
    assert waits[0] == 0


async def test_a_planned_attempt_is_one_of_those_that_are_left(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With several mirrors, and if attempts that made progress do not count."""
    monkeypatch.setattr("tui.engine.download.retry.next_wait_s", lambda *_: 0.0)
    async with ScriptedServer() as broken, ScriptedServer() as slow:
        broken.add("/f", ResponseScript(status=500))
        slow.add("/f", ResponseScript(BODY, cut_after=2_000_000, etag='"a"'))
        async with start(retries=2, segments=1) as engine:
            planned: dict[str, list[tuple[int, int]]] = {"one": [], "two": []}
            publish = engine._context.bus.publish

            def look(event: Event) -> None:
                if isinstance(event, Retrying):
                    (row,) = engine.rows([event.id])
                    assert row.state is S.WAITING
                    planned[row.name].append((row.attempt + 1, row.attempts_allowed))
                publish(event)

            engine.subscribe()
            monkeypatch.setattr(engine._context.bus, "publish", look)
            engine.add([DownloadRequest((slow.url("/f"),), name="one")])
            mirrors = (broken.url("/f"), broken.url("/f?2"))
            engine.add([DownloadRequest(mirrors, name="two")])
            await engine.wait_idle()
            one, two = engine.rows([0, 1])
    assert planned["one"] == [(n, n + 1) for n in range(2, 7)]
    assert planned["two"][-1] == (6, 6)
    assert {allowed for _, allowed in planned["two"]} == {6}
    assert (one.state, two.state) == (S.DONE, S.FAILED)
    assert (two.attempt, two.attempts_allowed) == (6, 6)


async def test_too_long_a_wait_leads_to_the_next_mirror(
    server: ScriptedServer, start: Start, tmp_path: Path
) -> None:
    async with ScriptedServer() as other:
        server.add("/f", ResponseScript(status=503, retry_after=99_999_999))
        other.add("/f", ResponseScript(BODY))
        async with start() as engine:
            row = await ended(engine, (server.url("/f"), other.url("/f")))
            assert row.state is S.DONE
    assert digest(tmp_path / "out/f") == BODY.sha256()
