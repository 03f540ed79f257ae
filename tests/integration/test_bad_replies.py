"""Bad responses: lies, breaks and nonsense; what is reported, kept and retried."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.conftest import request_for, until
from tests.integration.test_whole_downloads import digest, names
from tui.core.clock import SystemClock
from tui.core.download import DownloadState as S
from tui.core.notices import Notice, NoticeCode
from tui.core.request import Checksum
from tui.core.settings import Settings
from tui.demo.pattern import Pattern
from tui.demo.script import RecordedRequest, ResponseScript
from tui.demo.server import ScriptedServer
from tui.engine import open_engine

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.conftest import Start
    from tui.core.snapshot import DownloadSnapshot
    from tui.demo.script import Ranges

BIG = Pattern(3_000_000, seed=11)
LARGE = Pattern(9_000_000, seed=12)
OLD_DATE = "Tue, 01 Oct 2024 10:00:00 GMT"
NEW_DATE = "Wed, 02 Oct 2024 10:00:00 GMT"
DATED = {"Date": "Wed, 30 Oct 2024 10:00:00 GMT"}


def raw(head: str, body: bytes = b"", **fields: Any) -> ResponseScript:
    """A response as the server sends it; LF for CRLF in the head."""
    lines = head.replace("\n", "\r\n").encode("latin-1") + b"\r\n\r\n"
    return ResponseScript(raw=lines + body, **fields)


async def fetch(
    start: Start, server: ScriptedServer, script: ResponseScript, **changes: Any
) -> DownloadSnapshot:
    """Fetch ``/x.bin``, answered by ``script``, to whatever end it comes."""
    server.add("/x.bin", script)
    fields = {k: changes.pop(k) for k in ("size", "checksum") if k in changes}
    async with start(**{"segments": 1, "retries": 1, **changes}) as engine:
        engine.add([request_for(server.url("/x.bin"), **fields)])
        await engine.wait_idle()
        return engine.rows([0])[0]


# -- no reply at all, or none that ends well -------------------------------------------

CHUNKED = "HTTP/1.1 200 OK\nTransfer-Encoding: chunked"
LENGTH_9 = "HTTP/1.1 200 OK\nContent-Length: 9"


@dataclass(frozen=True)
class Bad:
    """A reply, and what is made of it."""

    script: ResponseScript
    kind: str
    requests: int = 2
    """2 where another try might help, 1 where it cannot."""
    leftovers: tuple[str, ...] = ()


PART = ("x.bin.part", "x.bin.part.json")
BAD = {
    "closed": Bad(ResponseScript(raw=b""), "reset"),
    "reset": Bad(ResponseScript(raw=b"", cut="reset"), "reset"),
    "half a head": Bad(ResponseScript(raw=b"HTTP/1.1 200 OK\r\nContent-Le"), "reset"),
    "short body": Bad(raw(LENGTH_9, b"abc"), "truncated"),
    "short large body": Bad(
        ResponseScript(BIG, length=4_000_000), "truncated", 2, PART
    ),
    "body reset": Bad(
        ResponseScript(BIG, cut_after=500, cut="reset"), "reset", 2, PART
    ),
    "chunks cut": Bad(raw(CHUNKED, b"30\r\nabc"), "truncated", 2, PART),
    "no last chunk": Bad(raw(CHUNKED, b"3\r\nabc\r\n"), "truncated", 2, PART),
    "chunk size is junk": Bad(
        raw(CHUNKED, b"zz\r\nabc\r\n0\r\n\r\n"), "bad_reply", 2, PART
    ),
    "chunk too long": Bad(
        raw(CHUNKED, b"3\r\nabcdef\r\n0\r\n\r\n"), "bad_reply", 2, PART
    ),
    "status line is junk": Bad(raw("SSH-2.0-OpenSSH_9.6"), "bad_reply", 1),
    "page without head": Bad(raw("<html>hello</html>"), "bad_reply", 1),
    "two lengths": Bad(raw(LENGTH_9 + "\nContent-Length: 3", b"abc"), "bad_reply", 1),
    "length below zero": Bad(
        raw("HTTP/1.1 200 OK\nContent-Length: -3"), "bad_reply", 1
    ),
    "line without colon": Bad(
        raw(LENGTH_9 + "\nno colon", b"123456789"), "bad_reply", 1
    ),
    "giant header": Bad(raw(f"{LENGTH_9}\nX: {'a' * 600_000}"), "bad_reply", 1),
    "many headers": Bad(
        raw(LENGTH_9 + "".join(f"\nX-{n}: a" for n in range(300))), "bad_reply", 1
    ),
    "no content": Bad(ResponseScript(status=204), "http_status", 1),
    "not modified": Bad(ResponseScript(status=304), "http_status", 1),
    "a part unasked": Bad(
        raw("HTTP/1.1 206 P\nContent-Range: bytes 0-2/9\nContent-Length: 3", b"abc"),
        "bad_reply",
        1,
    ),
    "redirects in circles": Bad(
        ResponseScript(redirect="/x.bin"), "too_many_redirects", 2
    ),
    "redirect to a file": Bad(
        ResponseScript(redirect="file:///etc/passwd"), "bad_redirect", 1
    ),
}


@pytest.mark.parametrize("name", BAD)
async def test_a_bad_reply_gives_a_reason_and_no_file(
    server: ScriptedServer, start: Start, tmp_path: Path, backend: str, name: str
) -> None:
    bad = BAD[name]
    row = await fetch(start, server, bad.script, http_backend=backend)
    assert (row.state, row.error_kind) == (S.FAILED, bad.kind), row.error
    assert row.error.isprintable()
    assert len(server.requests) == bad.requests
    assert names(tmp_path / "out") == list(bad.leftovers)


async def test_an_encoded_file_is_saved_as_sent_with_a_note(
    server: ScriptedServer, start: Start, tmp_path: Path, backend: str
) -> None:
    script = ResponseScript(BIG, content_encoding="gzip")
    row = await fetch(start, server, script, http_backend=backend)
    assert row.state is S.DONE
    assert row.note == Notice(NoticeCode.SAVED_ENCODED, ("gzip",))
    (saved,) = (tmp_path / "out").iterdir()
    assert saved.read_bytes() == BIG.read()


STALLS = {
    "before the head": ResponseScript(b"abc", latency_s=60),
    "in the head": ResponseScript(b"abc", drip_s=0.05),
    "interim answers without end": ResponseScript(b"abc", informational=-1),
    "in a small body": ResponseScript(Pattern(1000), stall_after=100),
    "in a large body": ResponseScript(BIG, stall_after=1000),
}


@pytest.mark.parametrize("name", STALLS)
async def test_a_server_that_falls_silent_is_left(
    server: ScriptedServer, start: Start, tmp_path: Path, backend: str, name: str
) -> None:
    row = await fetch(start, server, STALLS[name], http_backend=backend, timeout_s=0.2)
    assert (row.state, row.error_kind) == (S.FAILED, "stalled")
    assert len(server.requests) == 2
    assert "x.bin" not in names(tmp_path / "out")


async def test_slow_but_steady_is_not_a_stall(
    server: ScriptedServer, start: Start, tmp_path: Path
) -> None:
    body = Pattern(6000)  # takes twice as long as the timeout
    script = ResponseScript(body, rate=4000)
    row = await fetch(start, server, script, timeout_s=0.75)
    assert row.state is S.DONE
    assert len(server.requests) == 1
    assert digest(tmp_path / "out/x.bin") == body.sha256()


@pytest.mark.parametrize(
    "script",
    [
        raw(LENGTH_9, b"123456789 and more"),
        raw("HTTP/1.0 200 OK", b"123456789"),
        raw("HTTP/1.1 103 Early Hints\n\n" + LENGTH_9, b"123456789"),
        raw(CHUNKED, b"4;x=y\r\n1234\r\n5\r\n56789\r\n0\r\nX-T: y\r\n\r\n"),
    ],
    ids=["more than its length", "HTTP/1.0", "early hints", "trailers"],
)
async def test_odd_but_complete_responses_give_the_file(
    server: ScriptedServer,
    start: Start,
    tmp_path: Path,
    backend: str,
    script: ResponseScript,
) -> None:
    row = await fetch(start, server, script, http_backend=backend)
    assert (row.state, row.received) == (S.DONE, 9)
    assert (tmp_path / "out/x.bin").read_bytes() == b"123456789"
    assert names(tmp_path / "out") == ["x.bin"]


@pytest.mark.parametrize("length", ["none", "chunked"])
@pytest.mark.parametrize("size", [8, 10])
async def test_an_expected_size_is_checked_if_the_server_states_none(
    server: ScriptedServer,
    start: Start,
    tmp_path: Path,
    backend: str,
    length: Any,
    size: int,
) -> None:
    script = ResponseScript(b"123456789", length=length)
    row = await fetch(start, server, script, http_backend=backend, size=size)
    assert (row.state, row.error_kind) == (S.FAILED, "size")
    assert f"{size}" in row.error
    assert "9" in row.error
    assert "x.bin" not in names(tmp_path / "out")


# -- something else than the file ------------------------------------------------------

PAGE = ResponseScript(
    b"<html>please log in</html>", headers={"Content-Type": "text/html; charset=x"}
)


async def test_a_page_instead_of_a_file_of_known_size_is_refused(
    server: ScriptedServer, start: Start, tmp_path: Path
) -> None:
    row = await fetch(start, server, PAGE, size=3_000_000)
    assert (row.state, row.error_kind) == (S.FAILED, "size")
    assert names(tmp_path / "out") == []
    assert len(server.requests) == 1


async def test_a_page_instead_of_a_file_with_a_checksum_is_refused(
    server: ScriptedServer, start: Start, tmp_path: Path
) -> None:
    checksum = Checksum("sha256", BIG.sha256())
    row = await fetch(start, server, PAGE, checksum=checksum)
    assert (row.state, row.error_kind) == (S.FAILED, "checksum")
    assert "x.bin" not in names(tmp_path / "out")


@pytest.mark.parametrize("has_checksum", [True, False])
async def test_a_login_page_instead_of_the_rest_costs_no_bytes(
    server: ScriptedServer,
    start: Start,
    tmp_path: Path,
    backend: str,
    has_checksum: bool,
) -> None:
    cut = ResponseScript(BIG, etag='"v1"', cut_after=2_000_000)
    whole = ResponseScript(BIG, etag='"v1"', first=[cut, PAGE])
    checksum = Checksum("sha256", BIG.sha256()) if has_checksum else None
    row = await fetch(start, server, whole, http_backend=backend, checksum=checksum)
    assert (row.state, row.error_kind) == (S.FAILED, "http_status")
    assert "kept" in row.error
    row = await fetch(start, server, whole, http_backend=backend, checksum=checksum)
    assert row.state is S.DONE
    assert digest(tmp_path / "out/x.bin") == BIG.sha256()
    asked = server.requests[-1].range
    assert asked is not None
    assert asked[0] > 1_000_000


@pytest.mark.parametrize("name", ["x.html", "x.php", "x"])
async def test_a_page_that_has_changed_is_no_login(
    server: ScriptedServer, start: Start, tmp_path: Path, name: str
) -> None:
    page = {"Content-Type": "text/html"}
    new = Pattern(2_500_000, seed=99)
    cut = ResponseScript(BIG, etag='"1"', headers=page, cut_after=2_000_000)
    script = ResponseScript(new, etag='"2"', headers=page, first=[cut])
    async with start(segments=1, retries=2) as engine:
        engine.add([request_for(server.add(f"/{name}", script))])
        await engine.wait_idle()
        assert engine.rows([0])[0].state is S.DONE, engine.rows([0])[0].error
    assert digest(tmp_path / "out" / name) == new.sha256()


# -- continuing ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ranges", "requests"),
    [
        ("honour", 2),
        ("star_total", 2),
        ("ignore", 2),
        ("refuse", 3),
        ("wrong_start", 3),
        ("wrong_total", 3),
        ("no_content_range", 3),
        ("multipart", 3),
    ],
)
async def test_a_rest_of_another_file_is_never_joined(
    server: ScriptedServer,
    start: Start,
    tmp_path: Path,
    backend: str,
    ranges: Ranges,
    requests: int,
) -> None:
    cut = ResponseScript(BIG, etag='"v1"', cut_after=2_000_000)
    script = ResponseScript(BIG, etag='"v1"', ranges=ranges, first=[cut])
    row = await fetch(start, server, script, http_backend=backend)
    assert row.state is S.DONE, row.error
    assert digest(tmp_path / "out/x.bin") == BIG.sha256()
    assert len(server.requests) == requests


async def test_wrong_bytes_under_correct_headers_are_found_by_the_checksum(
    server: ScriptedServer, start: Start, tmp_path: Path, backend: str
) -> None:
    cut = ResponseScript(BIG, etag='"v1"', cut_after=2_000_000)
    script = ResponseScript(BIG, etag='"v1"', ranges="wrong_bytes", first=[cut])
    checksum = Checksum("sha256", BIG.sha256())
    row = await fetch(start, server, script, http_backend=backend, checksum=checksum)
    assert (row.state, row.error_kind) == (S.FAILED, "checksum")
    assert "x.bin" not in names(tmp_path / "out")


def forgets_conditions(seen: RecordedRequest) -> None:
    """Many servers look at Range and not at If-Range."""
    seen.headers.pop("if-range", None)


NEW = Pattern(3_000_000, seed=99)
DATED_BIG = ResponseScript(BIG, last_modified=OLD_DATE, headers=DATED)
DATED_NEW = replace(DATED_BIG, body=NEW)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (ResponseScript(BIG, etag='"v1"'), ResponseScript(NEW, etag='"v2"')),
        (ResponseScript(BIG, etag='"v1"'), ResponseScript(NEW, etag='W/"v2"')),
        (
            ResponseScript(BIG, last_modified=OLD_DATE, headers=DATED),
            ResponseScript(NEW, last_modified=NEW_DATE, headers=DATED),
        ),
        (
            ResponseScript(BIG, last_modified=OLD_DATE, headers=DATED),
            ResponseScript(NEW, last_modified=NEW_DATE),
        ),
        (
            ResponseScript(BIG, etag='"v1"'),
            ResponseScript(Pattern(3_500_000, seed=9), etag='"v1"'),
        ),
        (
            replace(DATED_BIG, etag='W/"v1"'),
            replace(DATED_NEW, etag='W/"v2"'),
        ),
    ],
    ids=["etag", "weak etag", "date", "date without clock", "size alone", "same date"],
)
@pytest.mark.parametrize("segments", [1, 4])
async def test_a_changed_file_is_never_joined_though_if_range_is_ignored(
    server: ScriptedServer,
    start: Start,
    tmp_path: Path,
    old: ResponseScript,
    new: ResponseScript,
    segments: int,
) -> None:
    first = replace(old, cut_after=2_000_000 // segments)
    script = replace(new, first=[first], answer=forgets_conditions)
    row = await fetch(start, server, script, segments=segments, retries=3)
    assert row.state is S.DONE, row.error
    assert isinstance(new.body, Pattern)
    assert digest(tmp_path / "out/x.bin") == new.body.sha256()


@pytest.mark.parametrize("length", [LARGE.size - 1000, LARGE.size + 1000])
async def test_ranges_of_a_file_of_another_size_are_never_joined(
    server: ScriptedServer, start: Start, tmp_path: Path, length: int
) -> None:
    """The tag is the same: it does not depend on the content."""
    other = ResponseScript(Pattern(length, seed=13), etag='"1"')

    def answer(seen: RecordedRequest) -> ResponseScript | None:
        return other if seen.range is not None else None

    script = ResponseScript(LARGE, etag='"1"', rate=20_000_000, answer=answer)
    row = await fetch(start, server, script, segments=4, retries=2)
    assert row.state is S.DONE, row.error
    assert digest(tmp_path / "out/x.bin") == LARGE.sha256()


@pytest.mark.parametrize("honest", [True, False])
async def test_a_file_that_changes_during_the_transfer_is_downloaded_from_the_start(
    server: ScriptedServer, start: Start, tmp_path: Path, backend: str, honest: bool
) -> None:
    new = Pattern(9_000_000, seed=13)
    changed = ResponseScript(
        new, etag='"v2"', answer=None if honest else forgets_conditions, rate=60_000_000
    )
    script = ResponseScript(
        LARGE, etag='"v1"', rate=4_000_000, change_after=3, changed=changed
    )
    row = await fetch(
        start, server, script, http_backend=backend, segments=5, retries=3
    )
    assert row.state is S.DONE, row.error
    assert digest(tmp_path / "out/x.bin") == new.sha256()


async def test_servers_with_tags_of_their_own_behind_one_address_give_the_file(
    server: ScriptedServer, start: Start, tmp_path: Path
) -> None:
    """As Apache's of inodes: to each of them, the other's tag is of another file."""

    def answer(seen: RecordedRequest) -> ResponseScript:
        return ResponseScript(LARGE, etag=f'"{seen.number % 2}"', rate=20_000_000)

    script = ResponseScript(answer=answer)
    row = await fetch(start, server, script, segments=4, retries=2)
    assert row.state is S.DONE, row.error
    assert digest(tmp_path / "out/x.bin") == LARGE.sha256()


@pytest.mark.parametrize("status", [200, 403, 404, 416])
async def test_ranges_refused_half_way_cost_no_file(
    server: ScriptedServer, start: Start, tmp_path: Path, status: int
) -> None:
    refusing = (
        ResponseScript(LARGE, etag='"v1"', ranges="ignore", rate=90_000_000)
        if status == 200
        else ResponseScript(status=status)
    )

    def answer(seen: RecordedRequest) -> ResponseScript | None:
        return refusing if seen.number >= 3 and seen.range is not None else None

    script = ResponseScript(LARGE, etag='"v1"', rate=9_000_000, answer=answer)
    row = await fetch(start, server, script, segments=6, retries=4)
    assert row.state is S.DONE, row.error
    assert digest(tmp_path / "out/x.bin") == LARGE.sha256()


async def test_a_server_that_sends_less_than_the_rest_is_asked_for_what_is_missing(
    server: ScriptedServer, start: Start, tmp_path: Path
) -> None:
    """RFC 9110 section 15.3.7 allows it; some servers cap every range."""
    cut = ResponseScript(BIG, etag='"v1"', cut_after=1_000_000)
    script = ResponseScript(BIG, etag='"v1"', ranges="short", first=[cut])
    row = await fetch(start, server, script)
    assert row.state is S.DONE, row.error
    assert row.attempt == 2
    assert (tmp_path / "out" / "x.bin").read_bytes() == BIG.read()


@pytest.mark.parametrize("etag", [None, '"page"'])
async def test_a_page_instead_of_a_range_costs_no_bytes(
    server: ScriptedServer, start: Start, tmp_path: Path, etag: str | None
) -> None:
    """A login that has expired half-way says nothing about the file."""
    page = replace(PAGE, etag=etag)

    def answer(seen: RecordedRequest) -> ResponseScript | None:
        return page if 2 <= seen.number < 5 else None

    script = ResponseScript(LARGE, etag='"v1"', rate=9_000_000, answer=answer)
    row = await fetch(start, server, script, segments=6, retries=4)
    assert row.state is S.DONE, row.error
    assert digest(tmp_path / "out/x.bin") == LARGE.sha256()
    assert [seen.range is None for seen in server.requests].count(True) == 1


async def test_a_server_that_has_trouble_with_ranges_for_a_while_is_asked_again(
    server: ScriptedServer, start: Start, tmp_path: Path
) -> None:
    def answer(seen: RecordedRequest) -> ResponseScript | None:
        return ResponseScript(status=500) if 3 <= seen.number < 9 else None

    script = ResponseScript(LARGE, etag='"v1"', rate=9_000_000, answer=answer)
    row = await fetch(start, server, script, segments=6, retries=4)
    assert row.state is S.DONE, row.error
    assert digest(tmp_path / "out/x.bin") == LARGE.sha256()


@pytest.mark.parametrize("segments", [1, 4])
async def test_a_range_with_another_coding_is_never_mixed_in(
    server: ScriptedServer,
    start: Start,
    tmp_path: Path,
    backend: str,
    segments: int,
) -> None:
    """A proxy compresses ranges, but not the whole file, under the same ETag."""
    coded = ResponseScript(
        Pattern(LARGE.size, seed=77), etag='"v1"', content_encoding="gzip"
    )

    def answer(seen: RecordedRequest) -> ResponseScript | None:
        return coded if seen.range is not None and seen.range[0] > 0 else None

    script = ResponseScript(LARGE, etag='"v1"', rate=20_000_000, answer=answer)
    row = await fetch(
        start, server, script, http_backend=backend, segments=segments, retries=2
    )
    assert row.state is S.DONE, row.error
    assert digest(tmp_path / "out/x.bin") == LARGE.sha256()


@pytest.mark.parametrize("validator", ["etag", "date"])
@pytest.mark.parametrize("segments", [1, 4, 16])
async def test_a_206_that_lost_its_validator_is_never_mixed_in(
    server: ScriptedServer,
    start: Start,
    tmp_path: Path,
    backend: str,
    segments: int,
    validator: str,
) -> None:
    """The file changes, and from then on the server sends no validator.

    It ignores If-Range, too. RFC 9110 section 15.3.7: a 206 has the ETag of the 200.
    """
    old = (
        {"etag": '"v1"'}
        if validator == "etag"
        else {"last_modified": OLD_DATE, "headers": DATED}
    )
    new = Pattern(LARGE.size, seed=77)
    bare = ResponseScript(new)

    def answer(seen: RecordedRequest) -> ResponseScript | None:
        forgets_conditions(seen)
        return bare if seen.number >= 2 else None

    script = ResponseScript(LARGE, rate=20_000_000, answer=answer, **old)
    row = await fetch(
        start, server, script, http_backend=backend, segments=segments, retries=2
    )
    assert row.state is S.DONE, row.error
    assert digest(tmp_path / "out/x.bin") in (LARGE.sha256(), new.sha256())


async def test_a_206_without_the_validator_continues_nothing(
    server: ScriptedServer, start: Start, tmp_path: Path, backend: str
) -> None:
    """What an earlier run left is downloaded again, from the beginning."""
    new = Pattern(BIG.size, seed=77)
    cut = ResponseScript(BIG, etag='"v1"', cut_after=1_000_000)

    def answer(seen: RecordedRequest) -> ResponseScript | None:
        forgets_conditions(seen)
        return None

    script = ResponseScript(new, first=[cut], answer=answer)
    row = await fetch(start, server, script, http_backend=backend, retries=2)
    assert row.state is S.DONE
    assert digest(tmp_path / "out/x.bin") == new.sha256()
    assert [bool(seen.range) for seen in server.requests] == [False, True, False]


def in_turn(whole: ResponseScript, *ranges: ResponseScript) -> ResponseScript:
    """Answer requests for a range by ``ranges``, one each; the last one stays."""

    def answer(seen: RecordedRequest) -> ResponseScript | None:
        if seen.range is None:
            return None
        return ranges[min(seen.number, len(ranges)) - 1]

    return replace(whole, answer=answer)


DATED_FILE = ResponseScript(
    LARGE, last_modified=OLD_DATE, headers=DATED, rate=9_000_000
)
TAGGED_FILE = replace(DATED_FILE, etag='"v1"')
UNDATED = [("Date", "")]


@pytest.mark.parametrize(
    "script",
    [
        in_turn(TAGGED_FILE, DATED_FILE),
        in_turn(DATED_FILE, TAGGED_FILE),
        in_turn(TAGGED_FILE, replace(TAGGED_FILE, etag='W/"v1"')),
        in_turn(DATED_FILE, replace(DATED_FILE, headers=UNDATED), DATED_FILE),
        in_turn(DATED_FILE, replace(DATED_FILE, headers=UNDATED, ranges="ignore")),
        in_turn(replace(DATED_FILE, headers=UNDATED), DATED_FILE),
        in_turn(replace(DATED_FILE, headers={"Date": OLD_DATE}), DATED_FILE),
        in_turn(replace(DATED_FILE, etag='W/"v1"', headers=UNDATED), TAGGED_FILE),
    ],
    ids=[
        "tag, then date",
        "date, then tag as well",
        "tag, then weak tag",
        "date, then without clock, then with clock",
        "date, then all without clock",
        "without clock, then with clock",
        "new, then old enough",
        "weak tag, then tag",
    ],
)
async def test_another_kind_of_validator_does_not_mean_another_file(
    server: ScriptedServer, start: Start, tmp_path: Path, script: ResponseScript
) -> None:
    """Servers behind one address may state different things of the same file."""
    checksum = Checksum("sha256", LARGE.sha256())
    row = await fetch(start, server, script, segments=4, checksum=checksum)
    assert row.state is S.DONE, row.error
    assert digest(tmp_path / "out/x.bin") == LARGE.sha256()
    assert len(server.requests) > 1
    assert [seen.range is None for seen in server.requests].count(True) == 1


@pytest.mark.parametrize("said", ["weak tag", "date"])
async def test_a_file_without_validator_that_changes_is_downloaded_from_the_start(
    server: ScriptedServer, start: Start, tmp_path: Path, said: str
) -> None:
    new = Pattern(LARGE.size, seed=77)
    before, after = (
        ({"etag": 'W/"v1"'}, {"etag": 'W/"v2"'})
        if said == "weak tag"
        else ({"last_modified": OLD_DATE}, {"last_modified": NEW_DATE})
    )
    common: dict[str, Any] = {"headers": UNDATED, "rate": 9_000_000}
    script = ResponseScript(
        LARGE,
        change_after=1,
        changed=ResponseScript(new, **common, **after),
        **common,
        **before,
    )
    checksum = Checksum("sha256", new.sha256())
    row = await fetch(start, server, script, segments=4, checksum=checksum)
    assert row.state is S.DONE, row.error
    assert digest(tmp_path / "out/x.bin") == new.sha256()


@pytest.mark.parametrize("etag", ['W/"v1"', '""', "v1", None])
async def test_a_weak_validator_is_not_used_to_continue(
    server: ScriptedServer, start: Start, tmp_path: Path, backend: str, etag: str | None
) -> None:
    cut = ResponseScript(BIG, etag=etag, cut_after=2_000_000)
    row = await fetch(
        start,
        server,
        ResponseScript(BIG, etag=etag, first=[cut]),
        http_backend=backend,
        segments=4,
    )
    assert row.state is S.DONE
    assert digest(tmp_path / "out/x.bin") == BIG.sha256()
    assert [seen.range for seen in server.requests] == [None, None]


async def test_an_old_date_proves_it_where_the_etag_is_weak(
    server: ScriptedServer, start: Start, tmp_path: Path, backend: str
) -> None:
    common: dict[str, Any] = {
        "etag": 'W/"v1"',
        "last_modified": OLD_DATE,
        "headers": DATED,
    }
    cut = ResponseScript(BIG, cut_after=2_000_000, **common)
    row = await fetch(
        start, server, ResponseScript(BIG, first=[cut], **common), http_backend=backend
    )
    assert row.state is S.DONE
    assert digest(tmp_path / "out/x.bin") == BIG.sha256()
    assert server.requests[1].headers["if-range"] == OLD_DATE


async def test_a_date_that_proved_it_once_proves_it_again(
    server: ScriptedServer, start: Start, tmp_path: Path
) -> None:
    """Only the first response says how old the file is."""
    first = [
        ResponseScript(BIG, last_modified=OLD_DATE, headers=DATED, cut_after=1_000_000),
        ResponseScript(BIG, last_modified=OLD_DATE, cut_after=1_000_000),
    ]
    script = ResponseScript(BIG, last_modified=OLD_DATE, first=first)
    row = await fetch(start, server, script, segments=1, retries=2)
    assert row.state is S.DONE, row.error
    assert digest(tmp_path / "out/x.bin") == BIG.sha256()
    starts = [seen.range and seen.range[0] for seen in server.requests]
    assert starts == [None, 1_000_000, 2_000_000]


async def test_a_tag_that_one_response_lacks_still_tells_two_files_apart(
    server: ScriptedServer, start: Start, tmp_path: Path
) -> None:
    dated: dict[str, Any] = {"last_modified": OLD_DATE, "headers": DATED}
    new = Pattern(BIG.size, seed=78)
    first = [
        ResponseScript(BIG, etag='W/"v1"', cut_after=1_000_000, **dated),
        ResponseScript(BIG, cut_after=1_000_000, **dated),
    ]
    script = ResponseScript(new, etag='W/"v2"', first=first, **dated)
    row = await fetch(start, server, script, segments=1, retries=3)
    assert row.state is S.DONE, row.error
    assert digest(tmp_path / "out/x.bin") == new.sha256()


async def test_ranges_of_two_files_with_the_same_date_are_not_joined(
    server: ScriptedServer, start: Start, tmp_path: Path
) -> None:
    new = Pattern(LARGE.size, seed=77)
    common: dict[str, Any] = {
        "last_modified": OLD_DATE,
        "headers": DATED,
        "rate": 9_000_000,
        "answer": forgets_conditions,
    }
    changed = ResponseScript(new, etag='W/"v2"', **common)
    script = ResponseScript(
        LARGE, etag='W/"v1"', change_after=1, changed=changed, **common
    )
    row = await fetch(start, server, script, segments=4)
    assert row.state is S.DONE, row.error
    assert digest(tmp_path / "out/x.bin") == LARGE.sha256()


async def test_servers_with_tags_of_their_own_behind_one_address_cost_no_file(
    server: ScriptedServer, start: Start, tmp_path: Path
) -> None:
    """The first response is of one file, whatever the others state."""
    script = in_turn(
        replace(DATED_FILE, etag='W/"first"'), replace(DATED_FILE, etag='W/"other"')
    )
    row = await fetch(start, server, script, segments=4, retries=0)
    assert row.state is S.DONE, row.error
    assert digest(tmp_path / "out/x.bin") == LARGE.sha256()


@pytest.mark.parametrize(
    ("later", "is_continued"),
    [('W/"v1"', True), (None, True), ('W/"v2"', False), ('"v2"', False)],
)
async def test_a_run_continues_under_a_date_unless_the_tag_is_another(
    server: ScriptedServer,
    start: Start,
    tmp_path: Path,
    later: str | None,
    is_continued: bool,
) -> None:
    common: dict[str, Any] = {
        "last_modified": OLD_DATE,
        "headers": DATED,
        "answer": forgets_conditions,
    }
    cut = ResponseScript(BIG, etag='W/"v1"', cut_after=2_000_000, **common)
    row = await fetch(start, server, cut, retries=0)
    assert row.state is S.FAILED
    body = BIG if is_continued else NEW
    server.requests.clear()
    row = await fetch(start, server, ResponseScript(body, etag=later, **common))
    assert row.state is S.DONE, row.error
    assert digest(tmp_path / "out/x.bin") == body.sha256()
    assert server.requests[0].range is not None
    assert len(server.requests) == 1 + (not is_continued)


# -- other places and other times ------------------------------------------------------


async def test_secrets_stay_at_home_whatever_redirects_and_segments_do(
    server: ScriptedServer, start: Start, tmp_path: Path, backend: str
) -> None:
    secrets = {"authorization": "Bearer s3cret", "cookie": "s=1", "x-api-key": "k"}
    async with ScriptedServer() as other:
        cut = ResponseScript(LARGE, etag='"v1"', cut_after=1_000_000)
        target = other.add(
            "/f", ResponseScript(LARGE, etag='"v1"', rate=60_000_000, first=[cut])
        )
        server.add("/x.bin", ResponseScript(redirect="/near"))
        server.add("/near", ResponseScript(redirect=target))
        async with start(
            http_backend=backend, segments=4, headers=tuple(secrets.items())
        ) as engine:
            engine.add([request_for(server.url("/x.bin"))])
            await engine.wait_idle()
            row, detail = engine.rows([0])[0], engine.detail(0)
            assert row.state is S.DONE, row.error
        assert digest(tmp_path / "out/x.bin") == LARGE.sha256()
        assert len(other.requests) > 4
        for seen in other.requests:
            assert not secrets.keys() & seen.headers.keys()
            assert b"s3cret" not in seen.raw_head
        for seen in server.requests:
            assert {name: seen.headers.get(name) for name in secrets} == secrets
    assert "s3cret" not in repr((row, detail))


async def test_secrets_are_in_no_file(
    server: ScriptedServer, start: Start, tmp_path: Path
) -> None:
    server.add("/x", ResponseScript(BIG, etag='"v1"', stall_after=1_000_000))
    url = server.url("/x?token=t0ken").replace("://", "://user:passw0rd@")
    async with start(headers=(("Authorization", "Bearer s3cret"),)) as engine:
        engine.add([request_for(url)])
        await until(engine, lambda: engine.rows([0])[0].received == 1_000_000)
    record = (tmp_path / "out/x.part.json").read_text()
    assert not any(word in record for word in ("s3cret", "t0ken", "passw0rd"))


class LeapingClock(SystemClock):
    """Somebody sets the wall clock, back and forth."""

    def __init__(self) -> None:
        self.looks = 0

    def wall(self) -> float:
        self.looks += 1
        return (4e9, -5.0, 0.0, 1e9)[self.looks % 4]


async def test_a_wall_clock_that_leaps_changes_nothing(
    server: ScriptedServer, tmp_path: Path
) -> None:
    cut = ResponseScript(BIG, etag='"v1"', cut_after=2_000_000)
    script = ResponseScript(BIG, etag='"v1"', first=[503, cut, 500])
    server.add("/x", script)
    settings = Settings(output_dir=tmp_path / "out")
    engine = await open_engine(settings, clock=LeapingClock(), chance=lambda: 0.0)
    engine.add([request_for(server.url("/x"))])
    await engine.wait_idle()
    row = engine.rows([0])[0]
    snapshot = engine.snapshot()
    await engine.close()
    assert row.state is S.DONE
    assert 0 <= snapshot.elapsed_s < 60
    assert digest(tmp_path / "out/x") == BIG.sha256()
    assert server.requests[3].range is not None
