"""A session across runs, with real engines, a real journal and no server."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import asynccontextmanager

import pytest

from tests.support.until import until
from tui.core.download import DownloadState
from tui.core.errors import LocalError
from tui.core.events import RunNotice
from tui.core.listing.query import DownloadQuery, View
from tui.core.listing.slices import run_at_once
from tui.core.notices import Notice, NoticeCode
from tui.core.request import Checksum, DownloadRequest
from tui.core.service import Move
from tui.core.settings import MAX_RATE, OnExists, Settings
from tui.disk.state.journal import Journal
from tui.engine.factory import open_engine
from tui.engine.session import journal_writer as chronicle_module
from tui.engine.session import session as session_module
from tui.engine.session.session import begin_session, last_session

_S = DownloadState
# Nothing listens on port 9 of loopback; held queues do not even try.
HOST = "http://127.0.0.1:9"


@pytest.fixture
def state(tmp_path, monkeypatch):
    monkeypatch.setenv("FETCHTUI_STATE_DIR", str(tmp_path / "state"))
    return tmp_path / "state" / "sessions"


@pytest.fixture
def settings(tmp_path):
    return Settings(output_dir=tmp_path / "out", retries=0)


@asynccontextmanager
async def running(session):
    """An engine of a session that has begun; all is written at the end."""
    engine = await open_engine(session.settings, session=session)
    engine.restored = await session.restore()
    try:
        yield engine
    finally:
        await engine.close()
        await session.close()


def asked(*names, **fields):
    return [DownloadRequest((f"{HOST}/{name}",), **fields) for name in names]


def put(engine, id, state, **fields):
    """Bring a download to a state on a legal way, as workers would."""
    download = engine._registry.downloads[id]
    ways = {
        _S.DONE: (_S.PROBING, _S.DONE),
        _S.FAILED: (_S.FAILED,),
        _S.DOWNLOADING: (_S.PROBING, _S.DOWNLOADING),
        _S.VERIFYING: (_S.PROBING, _S.VERIFYING),
        _S.WAITING: (_S.PROBING, _S.WAITING),
    }
    for name, value in fields.items():
        setattr(download, name, value)
    for step in ways[state]:
        engine._registry.move(download, step)


def stamp_of(path):
    """What the system stamps on a file that is written now."""
    path.write_text("now")
    return path.stat().st_mtime_ns


def rows(engine):
    return engine.rows(range(engine.snapshot().total))


def states(engine):
    return [row.state for row in rows(engine)]


def queue(engine):
    return run_at_once(engine.select_iter(DownloadQuery(View.QUEUED)))


# -- as it was left --------------------------------------------------------------------


async def test_a_session_is_restored_as_it_was_left(state, settings):
    async with running(begin_session(settings, "list.txt")) as first:
        first.pause_all()
        checksum = Checksum("md5", "0" * 32)
        first.add(asked("a", "b", "c", "d", checksum=checksum, directory="sub"))
        put(first, 0, _S.DONE, size=9, received=9, name="A (1)", status=200)
        put(first, 1, _S.FAILED, error="no", error_kind="not_found", status=404)
        first.cancel([2])
        first.pause([3])
        first.set_url(3, f"{HOST}/other")
        first.set_segments(5, 3)
        first.set_rate_limit(1000, 3)
        before = rows(first)
    async with running(last_session(Settings(), ())) as second:
        after = rows(second)
        detail = second.detail(3)
        snapshot = second.snapshot()
        ended = (_S.PAUSED, _S.DONE, _S.FAILED, _S.CANCELLED)
        assert [second.restored.counts[state] for state in ended] == [1, 1, 1, 1]
    for old, new in zip(before, after, strict=True):
        assert new._replace(version=0) == old._replace(version=0)
    assert snapshot.received == 9
    assert detail.checksum == str(checksum)
    assert detail.row.url == f"{HOST}/other"
    assert detail.rate_limit == 1000
    assert detail.path == str(settings.output_dir / "sub" / "d")


async def test_running_downloads_resume_first_and_the_rest_in_order(state, settings):
    async with running(begin_session(settings, "")) as first:
        first.pause_all()
        first.add(asked(*"abcdef"))
        run_at_once(first.reorder_iter([4], Move.TOP))
        put(first, 3, _S.DOWNLOADING)
        put(first, 5, _S.VERIFYING)
        put(first, 2, _S.WAITING, error="x")
        assert queue(first) == [4, 0, 1]
    async with running(last_session(Settings(), ())) as second:
        second.pause_all()
        assert states(second) == [_S.QUEUED] * 6
        assert queue(second) == [3, 5, 4, 0, 1, 2]
        assert [row.error for row in rows(second)] == [""] * 6


async def test_what_waits_for_the_end_of_others_is_restored_queued(state, settings):
    session = begin_session(settings, "")
    async with running(session) as first:
        first.pause_all()
        first.add(asked("a", "b", "c"))
        first.pause([0, 1])
        session.set_aside([1])
        assert states(first) == [_S.PAUSED, _S.PAUSED, _S.QUEUED]
        # As after a kill: nothing resumes it.
    async with running(last_session(Settings(), ())) as second:
        second.pause_all()
        assert states(second) == [_S.PAUSED, _S.QUEUED, _S.QUEUED]


async def test_a_paused_queue_is_restored_paused_and_can_be_resumed(state, settings):
    async with running(begin_session(settings, "")) as first:
        first.pause_all()
        first.add(asked("a", "b"))
        first.pause([0, 1])
        first._paused_ids = [1]
    async with running(last_session(Settings(), ())) as second:
        assert second.snapshot().is_queue_paused
        second.set_concurrency(1)
        second.resume_all()
        assert [row.state for row in rows(second)] == [_S.PAUSED, _S.PROBING]


async def test_cancelled_and_failed_downloads_can_be_resumed(state, settings):
    async with running(begin_session(settings, "")) as first:
        first.pause_all()
        first.add(asked("a", "b"))
        first.cancel([0])
        put(first, 1, _S.FAILED)
    async with running(last_session(Settings(), ())) as second:
        assert states(second) == [_S.CANCELLED, _S.FAILED]
        second.pause_all()
        assert second.resume([0]) == [0]
        assert second.retry([1]) == [1]


async def test_what_is_done_is_not_looked_at_again(state, settings):
    async with running(begin_session(settings, "")) as first:
        first.pause_all()
        first.add(asked("vanished"))
        put(first, 0, _S.DONE, size=5, received=5)
    async with running(last_session(Settings(), ())) as second:
        await asyncio.wait_for(second.wait_idle(), 20)
        assert states(second) == [_S.DONE]
        assert second.snapshot().fetched == 0


async def test_limits_are_restored_and_the_command_line_takes_precedence(
    state, settings
):
    left = settings._replace(on_exists=OnExists.SKIP, headers=(("Accept", "a/b"),))
    async with running(begin_session(left, "two.txt")) as first:
        first.pause_all()
        first.add(asked("a"))
        first.set_concurrency(33)
        first.set_rate_limit(5000)
        first.set_per_host(3)
    session = last_session(Settings(per_host=7), {"per_host"})
    now = session.settings
    assert session.title == "two.txt"
    assert (now.concurrency, now.rate_limit, now.per_host) == (33, 5000, 7)
    assert (now.on_exists, now.headers) == (OnExists.SKIP, (("Accept", "a/b"),))
    assert now.output_dir == settings.output_dir.absolute()
    await session.close()


async def test_a_rate_limit_beyond_all_networks_is_saved_as_the_highest_one(
    state, settings
):
    """SQLite stores no number above 2^63; one such number kept all from being saved."""
    session = begin_session(settings, "")
    async with running(session) as first:
        first.pause_all()
        first.add(asked("a", "b"))
        first.set_rate_limit(1 << 70)
        first.set_rate_limit(1 << 70, 0)
        first.set_rate_limit(1, 1)
        first.set_rate_limit(1 << 70, 1)
        await session.flush()
        assert session.unsaved() == ""
    session = last_session(Settings(), ())
    async with running(session) as second:
        limits = [second.detail(id).rate_limit for id in (0, 1)]
        limits.append(second.snapshot().rate_limit)
    assert limits == [MAX_RATE] * 3


async def test_a_fixed_concurrency_is_restored_and_an_automatic_one_begins_again(
    state, settings
):
    async with running(begin_session(settings._replace(auto=True), "")) as first:
        first.pause_all()
        first.add(asked("a"))
    automatic = last_session(Settings(auto=True), ())
    assert (automatic.settings.auto, automatic.settings.concurrency) == (True, 8)
    await automatic.close()
    given = last_session(Settings(concurrency=3), {"concurrency"})
    assert (given.settings.auto, given.settings.concurrency) == (False, 3)
    async with running(given) as second:
        second.pause_all()
        second.set_concurrency(33)
    pinned = last_session(Settings(auto=True), ())
    assert (pinned.settings.auto, pinned.settings.concurrency) == (False, 33)
    await pinned.close()


async def test_invalid_settings_are_ignored(state, settings):
    async with running(begin_session(settings, "")) as first:
        first.pause_all()
        first.add(asked("a"))
    (path,) = state.glob("*.session")
    journal = Journal(path)
    journal.open()
    odd = {"concurrency": 10**9, "retries": "no", "fsync": 1, "timeout_s": 0.0}
    facts = {"settings": {**odd, "headers": [1], "on_exists": "x"}, "held": 7}
    journal.write([], [], {**facts, "title": 3, "withheld": "x", "output_dir": 1})
    journal.close()
    async with running(last_session(settings, ())) as second:
        assert second._context.settings == settings
        assert len(rows(second)) == 1


async def test_three_runs_later_everything_is_still_there_once(state, settings):
    names = iter("abcdef")
    async with running(begin_session(settings, "")) as engine:
        engine.pause_all()
        engine.add(asked(next(names)))
    for count in (2, 3, 4):
        session = last_session(Settings(), ())
        engine = await open_engine(session.settings, session=session)
        # Something is added while the old ones are still on their way back.
        restoring = asyncio.ensure_future(session.restore())
        engine.add(asked(next(names)))
        await restoring
        assert len(rows(engine)) == count
        await engine.close()
        await session.close()
    async with running(last_session(Settings(), ())) as engine:
        assert sorted(row.name for row in rows(engine)) == list("abcd")


# -- secrets ---------------------------------------------------------------------------


SECRET = (("Cookie", "id=7"), ("X-Key", "k"))


async def test_a_download_without_its_secret_fails_without_a_request(state, settings):
    async with running(begin_session(settings, "")) as first:
        first.pause_all()
        first.add(asked("queued", "paused", "off", "done", headers=SECRET))
        first.add([DownloadRequest(("http://me:pw@127.0.0.1:9/x",))])
        first.pause([1])
        first.cancel([2])
        put(first, 3, _S.DONE)
    async with running(last_session(Settings(), ())) as second:
        found = rows(second)
        failed = _S.FAILED
        assert states(second) == [failed, failed, _S.CANCELLED, _S.DONE, failed]
        assert found[0].error == "needs its headers again: Cookie, X-Key"
        assert found[4].error == "needs its login again"
        assert found[0].error_kind == "secret"
        assert found[1].error_kind == found[4].error_kind == "secret"
        assert second.retry([0]) == []
        assert second.resume([2]) == []
        assert states(second)[:3] == [failed, failed, failed]
        # Another address is a word from the user: that one may be fetched.
        second.pause_all()
        second.set_url(0, f"{HOST}/signed?key=1")
        assert second.retry([0]) == [0]
    assert b"id=7" not in b"".join(path.read_bytes() for path in state.iterdir())


async def test_a_download_resumes_when_its_secret_is_given_again(state, settings):
    async with running(begin_session(settings, "")) as first:
        first.pause_all()
        first.add(asked("a", headers=SECRET))
    async with running(last_session(Settings(), ())) as second:
        assert states(second) == [_S.FAILED]
    given = Settings(headers=(("cookie", "id=8"), ("x-key", "k2")))
    async with running(last_session(given, {"headers"})) as third:
        assert states(third) == [_S.QUEUED]
        assert third.snapshot().is_queue_paused


async def test_a_secret_header_of_the_command_line_is_missed_as_well(state, settings):
    secret = settings._replace(headers=(("Authorization", "Bearer x"),))
    async with running(begin_session(secret, "")) as first:
        first.pause_all()
        first.add(asked("a"))
    async with running(last_session(Settings(), ())) as second:
        assert rows(second)[0].error == "needs its header again: Authorization"


# -- the journal -----------------------------------------------------------------------


async def test_changes_reach_the_journal_by_themselves(state, settings, monkeypatch):
    monkeypatch.setattr(chronicle_module, "INTERVAL_S", 0.01)
    session = begin_session(settings, "")
    async with running(session) as engine:
        engine.pause_all()
        engine.add(asked("a"))
        put(engine, 0, _S.DOWNLOADING)
        journal_writer = session._journal_writer
        await until(lambda: journal_writer._known == 1)
        engine.cancel([0])
        await until(
            lambda: not journal_writer._watch and journal_writer._writing.done()
        )
        entries, _ = session._journal_writer.journal.read(-1, 9)
        assert [entry.state for entry in entries] == [_S.CANCELLED]


async def test_a_changed_request_is_restored_as_it_was_changed(state, settings):
    session = begin_session(settings, "")
    async with running(session) as engine:
        engine.pause_all()
        engine.add(asked("a", "b"))
        await session._journal_writer.write()
        changed = engine.request(0)._replace(
            mirrors=(f"{HOST}/c",), name="c.bin", on_exists=OnExists.OVERWRITE
        )
        engine.change_request(0, changed)
    async with running(last_session(Settings(), ())) as engine:
        assert [engine.request(id).url for id in range(2)] == [f"{HOST}/c", f"{HOST}/b"]
        assert engine.request(0).name == "c.bin"
        assert engine.request(0).on_exists is OnExists.OVERWRITE


async def test_long_lists_are_written_in_short_pieces(state, settings, monkeypatch):
    sizes = []
    real = Journal.write

    def write(journal, new, changed, facts):
        sizes.append(len(new) + len(changed))
        real(journal, new, changed, facts)

    monkeypatch.setattr(Journal, "write", write)
    count = chronicle_module.SLICE * 3 + 1
    async with running(begin_session(settings, "")) as engine:
        engine.pause_all()
        engine.add(asked(*map(str, range(count))))
    assert sum(sizes) == count
    assert max(sizes) <= chronicle_module.SLICE
    async with running(last_session(Settings(), ())) as engine:
        assert len(queue(engine)) == count


async def test_a_new_download_is_written_once_however_it_has_changed(
    state, settings, monkeypatch
):
    written = []
    real = Journal.write

    def write(journal, new, changed, facts):
        written.extend(entry.key for entry in (*new, *changed))
        real(journal, new, changed, facts)

    monkeypatch.setattr(Journal, "write", write)
    count = chronicle_module.SLICE + 10
    async with running(begin_session(settings, "")) as engine:
        engine.pause_all()
        engine.add(asked(*map(str, range(count))))
        for id in range(count - 5):
            put(engine, id, _S.DONE, size=9, received=9, name=str(id))
    assert sorted(written) == [*range(count)]
    async with running(last_session(Settings(), ())) as engine:
        assert states(engine) == [_S.DONE] * (count - 5) + [_S.QUEUED] * 5


async def test_changes_that_could_not_be_written_are_written_later(
    state, settings, monkeypatch
):
    def refuse(*_):
        raise LocalError("disk_full", "the disk is full")

    session = begin_session(settings, "")
    async with running(session) as engine:
        engine.pause_all()
        engine.add(asked("a", "b"))
        assert await session.flush() == ""
        put(engine, 0, _S.DONE, size=9, received=9)
        changed = engine.request(1)._replace(mirrors=(f"{HOST}/c",))
        engine.change_request(1, changed)
        with monkeypatch.context() as patch:
            patch.setattr(Journal, "write", refuse)
            assert await session.flush() == "the disk is full"
        assert await session.flush() == ""
    async with running(last_session(Settings(), ())) as engine:
        engine.pause_all()
        assert states(engine) == [_S.DONE, _S.QUEUED]
        assert engine.request(1).url == f"{HOST}/c"


async def test_what_is_added_during_a_restore_is_saved_to_its_end(
    state, settings, monkeypatch
):
    async with running(begin_session(settings, "")) as first:
        first.pause_all()
        first.add(asked("a", "b"))
    monkeypatch.setattr(session_module, "SLICE", 1)
    session = last_session(Settings(), ())
    engine = await open_engine(session.settings, session=session)
    engine.pause_all()
    real = engine.add_restored

    def add_restored(downloads, missing):
        real(downloads, missing)
        if engine.snapshot().total == 1:  # the user is faster than the disk
            engine.add(asked("new"))

    monkeypatch.setattr(engine, "add_restored", add_restored)
    await session.restore()
    assert [row.name for row in rows(engine)] == ["a", "new", "b"]
    assert await session.flush() == ""
    put(engine, 1, _S.DONE, size=9, received=9)
    await engine.close()
    await session.close()
    async with running(last_session(Settings(), ())) as third:
        third.pause_all()
        found = {row.name: row.state for row in rows(third)}
    assert found == {"a": _S.QUEUED, "b": _S.QUEUED, "new": _S.DONE}


async def test_a_session_without_downloads_leaves_no_file(state, settings):
    async with running(begin_session(settings, "")):
        pass
    assert not state.exists()


async def test_a_journal_error_is_reported_once_and_the_changes_are_written_later(
    state, settings, monkeypatch
):
    monkeypatch.setattr(chronicle_module, "INTERVAL_S", 0.01)
    real = Journal.write
    tries = []

    def refuse(*_):
        tries.append(1)
        raise LocalError("disk_full", "the disk is full")

    async def next_notices(heard):
        async with asyncio.timeout(20):
            while True:
                await heard.wait()
                found = [e.notice for e in heard.drain() if isinstance(e, RunNotice)]
                if found:
                    return found

    async with running(begin_session(settings, "")) as engine:
        engine.pause_all()
        heard = engine.subscribe()
        monkeypatch.setattr(Journal, "write", refuse)
        engine.add(asked("a"))
        assert await next_notices(heard) == [
            Notice(NoticeCode.SESSION_NOT_SAVED, ("the disk is full",))
        ]
        await until(lambda: len(tries) > 4)
        monkeypatch.setattr(Journal, "write", real)
        assert await next_notices(heard) == [Notice(NoticeCode.SESSION_SAVED_AGAIN)]
    async with running(last_session(Settings(), ())) as engine:
        assert len(rows(engine)) == 1


async def test_the_readable_part_of_a_damaged_journal_is_restored_to_a_new_one(
    state, settings
):
    async with running(begin_session(settings, "")) as engine:
        engine.pause_all()
        engine.add(asked(*map(str, range(2000))))
    (path,) = state.glob("*.session")
    data = bytearray(path.read_bytes())
    half = len(data) // 2 // 4096 * 4096
    data[half : half + 8192] = b"\xff" * 8192
    path.write_bytes(data)
    async with running(last_session(Settings(), ())) as engine:
        readable = len(rows(engine))
        assert 0 < readable < 2000
        assert engine.restored.problem.code is NoticeCode.REST_SET_ASIDE
    assert path.with_name(f"{path.name}.unreadable").read_bytes() == bytes(data)
    async with running(last_session(Settings(), ())) as engine:
        assert len(rows(engine)) == readable
        assert engine.restored.problem is None


async def test_entries_that_a_damaged_journal_does_not_show_are_counted(
    state, settings
):
    async with running(begin_session(settings, "")) as engine:
        engine.pause_all()
        engine.add(asked(*map(str, range(60))))
        engine.cancel([59])
        engine.remove([59])
    (path,) = state.glob("*.session")
    data = bytearray(path.read_bytes())
    end = len(data) // 4096 * 4096
    (at,) = [
        at for at in range(0, end, 4096) if b"127.0.0.1:9/57" in data[at : at + 4096]
    ]
    data[at + 3000 : at + 4096] = bytes(1096)  # SQLite reads NULL
    path.write_bytes(data)
    async with running(last_session(Settings(), ())) as engine:
        lost = 59 - len(rows(engine))
        assert lost > 0
        assert engine.restored.problem == Notice(NoticeCode.ENTRIES_LOST, (lost,))


async def test_two_concurrent_sessions_are_separate(state, settings):
    async with running(begin_session(settings, "one")) as one:
        one.pause_all()
        one.add(asked("a"))
        await until(lambda: list(state.glob("*.session-wal")))
        other = last_session(settings, ())
        async with running(other) as two:
            assert two.restored == Notice(NoticeCode.LAST_SESSION_OPEN)
            two.pause_all()
            two.add(asked("b"))
        # The system's stamps move on every few milliseconds only.
        newest = max(path.stat().st_mtime_ns for path in state.iterdir())
        await until(lambda: stamp_of(state.parent / "now") > newest)
    assert len(list(state.glob("*.session"))) == 2
    async with running(last_session(Settings(), ())) as last:
        assert [row.name for row in rows(last)] == ["a"], "it was closed last"


# -- another URL -----------------------------------------------------------------------


async def test_a_queued_download_with_another_url_starts_once(state, settings):
    async with running(begin_session(settings, "")) as engine:
        engine.pause_all()
        engine.add(asked("a"))
        engine.set_url(0, "http://localhost:9/a")
        context = engine._context
        assert context.queue.take(0.0) is engine._registry.downloads[0]
        assert context.queue.take(0.0) is None
        assert context.queue.origin_state("http://localhost:9").active == 1
        assert context.queue.origin_state(HOST).active == 0


async def test_removed_downloads_are_not_restored_unless_the_removal_was_undone(
    state, settings
):
    async with running(begin_session(settings, "list")) as engine:
        engine.pause_all()
        engine.add(asked("a", "b", "c"))
        engine.cancel([0, 1])
        engine.remove([0, 1])
        engine.restore([1])
    async with running(last_session(settings, frozenset())) as engine:
        assert [row.name for row in rows(engine)] == ["b", "c"]
        engine.add(asked("d"))
        engine.remove([0])
    async with running(last_session(settings, frozenset())) as engine:
        assert [row.name for row in rows(engine)] == ["c", "d"]


async def test_a_session_whose_downloads_were_all_removed_is_empty(state, settings):
    async with running(begin_session(settings, "list")) as engine:
        engine.add(asked("a"))
        engine.cancel([0])
        engine.remove([0])
    async with running(last_session(settings, frozenset())) as engine:
        assert engine.snapshot().total == 0


async def test_a_session_that_cannot_be_saved_says_so_before_anything_is_added(
    tmp_path, monkeypatch, settings
):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("FETCHTUI_STATE_DIR", str(tmp_path / "file" / "state"))
    session = begin_session(settings, "list")
    async with running(session) as engine:
        (reason,) = engine.restored.values
        assert "is not writable" in reason
        assert session.unsaved() == reason


async def test_a_session_that_a_bug_keeps_from_being_saved_says_so(state, settings):
    session = begin_session(settings, "list")
    async with running(session) as engine:
        engine.pause_all()
        engine.add(asked("a"))
        engine._registry.downloads[0].size = 1 << 70
        await session.flush()
        assert "internal error: OverflowError" in session.unsaved()
        engine._registry.downloads[0].size = 1
        await session.flush()
        assert session.unsaved() == ""


async def test_an_empty_session_leaves_no_file(state, settings):
    session = begin_session(settings, "list")
    async with running(session):
        assert session.unsaved() == ""
    assert not state.exists()


# -- killed early ----------------------------------------------------------------------


@pytest.mark.parametrize("written", [1, 250, 999])
async def test_a_session_says_what_a_kill_kept_from_being_saved(
    state, settings, written
):
    """The dashboard adds a long list bit by bit; a kill may come before its end."""
    session = begin_session(settings, "list.txt", expected=1000)
    async with running(session) as first:
        first.pause_all()
        first.add(asked(*map(str, range(written))))
    for _ in range(2):
        async with running(last_session(settings, ())) as second:
            second.pause_all()
            notice = second.restored.problem
            assert notice.code is NoticeCode.ENTRIES_UNSAVED
            assert notice.values == (1000 - written, 1000, "list.txt")
    async with running(last_session(settings, ())) as third:
        third.pause_all()
        third.add(asked(*map(str, range(written, 1000))))
    async with running(last_session(settings, ())) as fourth:
        fourth.pause_all()
        assert fourth.restored.problem is None


@pytest.mark.parametrize("restored", [False, True])
async def test_a_session_says_what_it_lacks_of_a_pasted_list(state, settings, restored):
    session = begin_session(settings, "list.txt", expected=10)
    async with running(session) as first:
        first.pause_all()
        first.add(asked(*map(str, range(10))))
        if not restored:
            session.expect(500)
            session.expect(100)
            first.add(asked(*map(str, range(10, 90))))
    if restored:
        session = last_session(settings, ())
        async with running(session) as second:
            second.pause_all()
            assert second.restored.problem is None
            session.expect(600)
            second.add(asked(*map(str, range(10, 90))))
    async with running(last_session(settings, ())) as third:
        third.pause_all()
        assert third.restored.problem.values == (610 - 90, 610, "list.txt")


async def test_what_another_entry_of_the_list_saves_is_not_restored_already(
    state, settings
):
    async with running(begin_session(settings, "list.txt")) as first:
        first.pause_all()
        first.add(asked("a", name="one"))
    session = last_session(settings, ())
    async with running(session) as second:
        second.pause_all()
        entries = [
            *asked("a", name="one"),
            *asked("a", name="two"),
            *asked("a", name="one", directory="sub"),
        ]
        assert await session.new_requests(entries) == entries[1:]


async def test_before_anything_is_written_there_is_no_session(state, settings):
    async with running(begin_session(settings, "list.txt", expected=1000)):
        pass
    assert last_session(settings, ()).title == ""


# -- tables and values of other types --------------------------------------------------


def spoil(path, *statements):
    database = sqlite3.connect(path)
    for statement in statements:
        database.execute(statement)
    database.commit()
    database.close()


OTHER_TABLES = {
    "not strict": (
        "ALTER TABLE downloads RENAME TO old",
        "CREATE TABLE downloads AS SELECT * FROM old",
        "UPDATE downloads SET size = 'big', received = x'00', state = 'done'",
    ),
    "another column": ("ALTER TABLE downloads RENAME COLUMN place TO position",),
    "a column more": ("ALTER TABLE downloads ADD COLUMN more TEXT",),
    "facts of any type": (
        "DROP TABLE session",
        "CREATE TABLE session (fact, value)",
        "INSERT INTO session VALUES (1, 2)",
    ),
    "no facts": ("DROP TABLE session",),
    "no downloads": ("DROP TABLE downloads",),
}


@pytest.mark.parametrize("statements", OTHER_TABLES.values(), ids=OTHER_TABLES)
async def test_a_session_with_other_tables_is_set_aside(state, settings, statements):
    async with running(begin_session(settings, "list.txt")) as first:
        first.pause_all()
        first.add(asked("a", "b"))
    (path,) = state.glob("*.session")
    spoil(path, *statements)
    async with running(last_session(settings, ())) as second:
        assert second.restored.code is NoticeCode.LAST_SESSION_SET_ASIDE
        assert rows(second) == []
    assert path.with_name(f"{path.name}.unreadable").exists()
    async with running(last_session(settings, ())) as third:
        assert third.restored is None


WRONG_VALUES = [
    'asked = \'{"mirrors": "http://a/b", "source": ""}\'',
    'asked = \'{"mirrors": [1], "source": ""}\'',
    'asked = \'{"mirrors": [], "source": ""}\'',
    'asked = \'{"mirrors": ["http://a/b"], "source": 5}\'',
    'asked = \'{"mirrors": ["http://a/b"], "source": "", "name": {}}\'',
    'asked = \'{"mirrors": ["http://a/b"], "source": "", "size": "1"}\'',
    'asked = \'{"mirrors": ["http://a/b"], "source": "", "pieces": [1]}\'',
    'asked = \'{"mirrors": ["http://a/b"], "source": "", "headers": [1]}\'',
    "asked = '[]'",
    "asked = '5'",
    "asked = 'no JSON'",
    "withheld = '5'",
    "state = 99",
    "size = -1",
    "received = -1",
    "segments = -1",
    "rate_limit = -1",
    "place = 9e999",
    "started_at = 9e999",
    "started_at = 1e300",
    "finished_at = 1e300",
    "finished_at = -1",
]


@pytest.mark.parametrize(
    ("stored", "name"),
    [("../evil", "evil"), (".hidden", "hidden"), ("a.part", "a.part_"), ("..", "a")],
)
async def test_names_in_a_journal_are_made_safe(state, settings, stored, name):
    async with running(begin_session(settings, "")) as first:
        first.pause_all()
        first.add(asked("a"))
    (path,) = state.glob("*.session")
    spoil(path, f"UPDATE downloads SET name = '{stored}'")
    async with running(last_session(settings, ())) as second:
        second.pause_all()
        assert [row.name for row in rows(second)] == [name]


async def test_a_rate_limit_that_nobody_can_set_is_brought_into_range(state, settings):
    async with running(begin_session(settings, "")) as first:
        first.pause_all()
        first.add(asked("a"))
    (path,) = state.glob("*.session")
    spoil(path, "UPDATE downloads SET rate_limit = 0")
    async with running(last_session(settings, ())) as second:
        second.pause_all()
        assert second.restored.problem is None
        assert second.detail(0).rate_limit == 1


@pytest.mark.parametrize("change", WRONG_VALUES)
async def test_an_entry_with_wrong_values_is_left_out(state, settings, change):
    async with running(begin_session(settings, "list.txt")) as first:
        first.pause_all()
        first.add(asked("a", "b"))
    (path,) = state.glob("*.session")
    spoil(path, f"UPDATE downloads SET {change} WHERE key = 0")
    async with running(last_session(settings, ())) as second:
        second.pause_all()
        assert len(rows(second)) == 1
        assert second.restored.problem == Notice(NoticeCode.ENTRIES_LOST, (1,))


@pytest.mark.parametrize("value", ["5", "[]", "{}", "[[]]", "null", "'"])
async def test_facts_of_wrong_types_are_ignored(state, settings, value):
    async with running(begin_session(settings, "list.txt")) as first:
        first.pause_all()
        first.add(asked("a"))
    (path,) = state.glob("*.session")
    names = ("on_exists", "verify", "ca_file", "headers", "concurrency", "fsync")
    pairs = ", ".join(f'"{name}": {value}' for name in names)
    nested = f"{{{pairs}}}"
    spoil(
        path,
        f"UPDATE session SET value = '{value.replace(chr(39), chr(39) * 2)}'",
        f"UPDATE session SET value = '{nested.replace(chr(39), chr(39) * 2)}'"
        " WHERE fact = 'settings'",
    )
    async with running(last_session(settings, ())) as second:
        assert len(rows(second)) == 1
