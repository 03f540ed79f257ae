"""The history of saved sessions: what it lists, opens and clears."""

from __future__ import annotations

import asyncio
import os

import pytest

from tests.engine.test_session import HOST, asked, put, rows, running, settings, state
from tests.support.until import until
from tui.core.download import DownloadState
from tui.core.errors import LocalError
from tui.core.listing.history import SessionSummary
from tui.core.settings import Settings
from tui.disk.state.journal import Journal
from tui.engine.session.history import SavedHistory
from tui.engine.session.session import begin_session, named_session

__all__ = ["settings", "state"]  # fixtures
_S = DownloadState


@pytest.fixture
async def older(state, settings):
    """A session with one download that is done, one that failed and one left."""
    async with running(begin_session(settings, "list.txt")) as engine:
        engine.pause_all()
        engine.add(asked("a", "b", "c", directory="sub"))
        times = {"started_at": 100.0, "finished_at": 102.0}
        put(engine, 0, _S.DONE, size=9, received=9, name="A", **times)
        put(engine, 1, _S.FAILED, error="no", error_kind="not_found")
    (path,) = state.iterdir()
    os.utime(path, (1000, 1000))
    return path


async def test_sessions_and_finished_downloads_are_listed(older, settings):
    session = begin_session(settings, "other.txt")
    async with running(session) as engine:
        history = SavedHistory(session)
        output_dir = str(settings.output_dir)
        earlier = SessionSummary(older.name, "list.txt", 1000, output_dir, 1, 1, 1, 9)
        assert (await history.load()).sessions == (earlier,)
        engine.pause_all()
        engine.add(asked("x"))
        await session.flush()
        current, again = (await history.load()).sessions
        assert (current.title, current.is_current, again) == (
            "other.txt",
            True,
            earlier,
        )
        (done,) = (await history.load()).finished
        assert (done.name, done.url, done.size) == ("A", f"{HOST}/a", 9)
        assert done.path == str(settings.output_dir / "sub" / "A")
        assert (done.finished_at, done.speed) == (102.0, 4.5)
    # The lock of the current session was kept all the time.
    assert older.stat().st_mtime == 1000


async def test_an_earlier_session_is_opened_by_name(older, settings):
    session = begin_session(settings, "other.txt")
    SavedHistory(session).open_next(older.name)
    await session.close()
    found = named_session(Settings(), {"output_dir"}, session.next_session)
    assert found.title == "list.txt"
    assert found.settings.output_dir == settings.output_dir
    async with running(found) as engine:
        assert [row.name for row in rows(engine)] == ["A", "b", "c"]


async def test_a_session_that_is_gone_or_open_gives_a_reason(older, settings):
    held = Journal(older)
    held.open()
    session = begin_session(settings, "")
    (one,) = (await SavedHistory(session).load()).sessions
    assert one.problem == "open in another process"
    assert await SavedHistory(session).forget([one.id]) == 0
    for name, reason in ((older.name, "last_session_open"), ("x", "no longer exists")):
        found = named_session(settings, (), name)
        async with running(found) as engine:
            assert reason in str(engine.restored)
    held.close()
    await session.close()


async def test_sessions_and_finished_downloads_are_cleared(older, settings):
    session = begin_session(settings, "")
    history = SavedHistory(session)
    (done,) = (await history.load()).finished
    assert await history.forget_finished([done, done._replace(session="x")]) == 1
    (one,) = (await history.load()).sessions
    assert (one.done, one.left) == (0, 1)
    assert await history.forget([one.id, "x"]) == 1
    assert await history.load() == ((), ())
    assert not older.exists()
    await session.close()


async def test_a_damaged_session_is_cleared_and_the_current_one_is_not(older, settings):
    session = begin_session(settings, "")
    async with running(session) as engine:
        engine.pause_all()
        engine.add(asked("x"))
        assert await session.flush() == ""
        current = session.journal_path
        older.write_bytes(b"this is no database at all" * 100)
        assert await SavedHistory(session).forget([older.name, current.name]) == 1
        assert (older.exists(), current.exists()) == (False, True)
        with pytest.raises(LocalError):  # it is still locked
            Journal(current).open()


async def test_a_flush_waits_for_a_write_that_begins_as_the_last_one_ends(settings):
    session = begin_session(settings, "")
    async with running(session):
        writer = session._journal_writer
        writes: list[asyncio.Event] = []
        running_now = []

        async def write() -> None:
            assert not running_now, "two writers at once"
            running_now.append(1)
            writes.append(asyncio.Event())
            await writes[-1].wait()
            running_now.pop()

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(writer, "write", write)
            await until(lambda: writes)  # the timer's first
            assert writer._writing is not None
            writer._writing.add_done_callback(lambda _: writer._tick())
            flush = asyncio.ensure_future(session.flush())
            written = 0
            while not flush.done():
                await asyncio.sleep(0)
                for event in writes[written:]:
                    event.set()
                    written += 1
            await flush
        assert writer.trouble == ""
        assert written >= 3
