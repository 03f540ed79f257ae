from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import stat
import subprocess
import sys

import pytest

from tui.core.download import DownloadState
from tui.core.errors import LocalError
from tui.core.request import Checksum, DownloadRequest
from tui.disk.journal import VERSION, Journal, JournalEntry

REQUEST = DownloadRequest(
    mirrors=("https://user:secret@example.org/a?sig=1", "http://mirror.example/a"),
    name="a.bin",
    directory="d",
    checksum=Checksum("sha256", "0" * 64),
    headers=(("Authorization", "Bearer hunter2"), ("User-Agent", "me")),
    size=7,
    source="list.txt:3",
)


def entry(key, **changes):
    request = DownloadRequest(mirrors=(f"https://example.org/{key}",))
    return JournalEntry(key, request, **changes)


@pytest.fixture
async def journal(tmp_path):
    journal = Journal(tmp_path / "state" / "journal.db", interval_s=0)
    await journal.open()
    yield journal
    await journal.close()


async def reopened(journal):
    await journal.close()
    again = Journal(journal.path)
    await again.open()
    entries = await again.load()
    await again.close()
    return entries


async def test_the_next_run_finds_the_queue_in_its_order(journal):
    journal.put(entry(1, place=2.0, state=DownloadState.PAUSED, received=5, size=9))
    journal.put(entry(2, place=1.0, error="no", error_kind="not_found"))
    journal.put(entry(3, place=3.0, name="x", directory="d", url="http://h/y"))
    assert await reopened(journal) == [
        entry(2, place=1.0, error="no", error_kind="not_found"),
        entry(1, place=2.0, state=DownloadState.PAUSED, received=5, size=9),
        entry(3, place=3.0, name="x", directory="d", url="http://h/y"),
    ]


async def test_no_secret_is_stored_and_what_is_missing_is_told(journal):
    journal.put(JournalEntry(1, REQUEST, url=REQUEST.url))
    (loaded,) = await reopened(journal)
    assert loaded.withheld == ("Authorization", "login")
    assert loaded.request.headers == (("User-Agent", "me"),)
    assert loaded.request.mirrors == (
        "https://example.org/a?sig=1",
        "http://mirror.example/a",
    )
    assert loaded.request.checksum == REQUEST.checksum
    assert loaded.request.source == "list.txt:3"
    assert loaded.url == "https://example.org/a?sig=1"
    for path in journal.path.parent.iterdir():
        data = path.read_bytes()
        assert b"secret" not in data
        assert b"hunter2" not in data


async def test_only_the_user_may_read_it(journal):
    journal.put(entry(1))
    await journal.flush()
    for path in journal.path.parent.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path.name


async def test_the_last_word_about_a_download_counts(journal):
    for received in range(100):
        journal.put(entry(1, received=received))
    journal.put(entry(2))
    journal.forget([2, 7])
    assert await reopened(journal) == [entry(1, received=99)]


async def test_a_new_session_can_begin_without_the_old_entries(journal):
    journal.put(entry(1))
    await journal.flush()
    journal.put(entry(2))
    journal.clear()
    journal.put(entry(3))
    assert await reopened(journal) == [entry(3)]


async def test_entries_are_written_without_anybody_asking(journal):
    journal.put(entry(1))
    while True:
        await asyncio.sleep(0)
        if await journal.load():
            break


async def test_ten_thousand_entries_go_in_one_piece(journal):
    for key in range(10_000):
        journal.put(entry(key, place=float(key)))
    await journal.flush()
    assert len(await journal.load()) == 10_000


async def test_two_runs_do_not_share_a_journal(journal):
    second = Journal(journal.path)
    with pytest.raises(LocalError) as caught:
        await second.open()
    assert caught.value.kind == "in_use"
    await second.close()
    journal.put(entry(1))
    assert await reopened(journal) == [entry(1)]


@pytest.mark.parametrize(
    "data", [b"this is no database at all" * 100, b"SQLite format"]
)
async def test_a_broken_journal_is_set_aside_and_a_new_one_begun(tmp_path, data):
    path = tmp_path / "journal.db"
    path.write_bytes(data)
    (tmp_path / "journal.db-wal").write_bytes(b"its log")
    journal = Journal(path)
    await journal.open()
    assert journal.was_broken
    assert await journal.load() == []
    assert (tmp_path / "journal.db.broken").read_bytes() == data
    await journal.close()


async def test_a_journal_of_a_later_version_is_left_alone(tmp_path):
    path = tmp_path / "journal.db"
    with sqlite3.connect(path) as database:
        database.execute(f"PRAGMA user_version = {VERSION + 1}")
    database.close()
    journal = Journal(path)
    with pytest.raises(LocalError, match="newer"):
        await journal.open()
    await journal.close()


async def test_odd_entries_are_left_out(journal):
    for key in range(6):
        journal.put(entry(key))
    await journal.close()
    with sqlite3.connect(journal.path) as database:
        for key, change in enumerate(
            (
                "state = 99",
                "request = 'junk'",
                "request = '{}'",
                """request = '{"mirrors": [], "headers": [], "checksum": null}'""",
                "withheld = '7'",
            )
        ):
            database.execute(f"UPDATE downloads SET {change} WHERE key = {key}")
    database.close()
    assert await reopened(Journal(journal.path)) == [entry(5)]


async def test_a_place_where_nobody_may_write_is_told(tmp_path):
    (tmp_path / "file").touch()
    journal = Journal(tmp_path / "file" / "journal.db")
    with pytest.raises(LocalError) as caught:
        await journal.open()
    assert caught.value.kind == "not_writable"
    await journal.close()


async def test_what_could_not_be_written_is_kept_for_the_next_time(journal):
    journal.put(entry(1))
    await journal.flush()

    def break_it():
        journal._database.execute("ALTER TABLE downloads RENAME TO elsewhere")

    def mend_it():
        journal._database.execute("ALTER TABLE elsewhere RENAME TO downloads")

    await journal._in_thread(break_it)
    journal.put(entry(1, received=1))
    journal.put(entry(2))
    await journal.flush()
    assert journal.error is not None
    assert journal.error.kind == "disk"
    await journal._in_thread(mend_it)
    journal.put(entry(2, received=2))
    await journal.flush()
    assert journal.error is None
    assert await journal.load() == [entry(1, received=1), entry(2, received=2)]


FILL = """
import asyncio, sys
from pathlib import Path
from tui.core.request import DownloadRequest
from tui.disk.journal import Journal, JournalEntry

async def main():
    journal = Journal(Path(sys.argv[1]))
    await journal.open()
    for key in range(10**6):
        url = f"https://example.org/{key}"
        journal.put(JournalEntry(key, DownloadRequest(mirrors=(url,))))
        if key % 10 == 9:
            await journal.flush()
            print(key, flush=True)

asyncio.run(main())
"""


def test_a_kill_loses_nothing_that_was_flushed(tmp_path):
    path = tmp_path / "journal.db"
    process = subprocess.Popen(
        [sys.executable, "-c", FILL, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    last = [int(process.stdout.readline()) for _ in range(20)][-1]
    os.kill(process.pid, signal.SIGKILL)
    process.wait(30)
    process.stdout.close()
    entries = asyncio.run(reopened(Journal(path)))
    assert [one.key for one in entries[: last + 1]] == list(range(last + 1))
