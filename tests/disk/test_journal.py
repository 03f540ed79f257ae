from __future__ import annotations

import os
import signal
import sqlite3
import stat
import subprocess
import sys
from contextlib import suppress

import pytest

from tui.core.download import DownloadState
from tui.core.errors import LocalError
from tui.core.request import Checksum, DownloadRequest, Pieces
from tui.core.settings import OnExists
from tui.disk.state.journal import (
    VERSION,
    Journal,
    JournalTooNew,
    JournalUnreadable,
)
from tui.disk.state.journal_rows import ROWS, JournalEntry

_S = DownloadState
REQUEST = DownloadRequest(
    mirrors=("https://user:secret@example.org/a?sig=1", "http://mirror.example/a"),
    name="a.bin",
    directory="d",
    checksum=Checksum("sha256", "0" * 64),
    headers=(("Authorization", "Bearer hunter2"), ("User-Agent", "me")),
    size=7,
    source="list.txt:3",
    pieces=Pieces("sha1", 4, ("a" * 40, "b" * 40)),
)
BLANK = JournalEntry(
    key=0,
    request=DownloadRequest(("https://example.org/0",)),
    state=_S.QUEUED,
    queue_key=0.0,
    url="https://example.org/0",
    name="0",
    directory="",
    size=None,
    received=0,
    status=0,
    error="",
    error_kind="",
    note="",
    segments=0,
    rate_limit=None,
    started_at=0.0,
    finished_at=0.0,
)


def entry(key, **changes):
    url = f"https://example.org/{key}"
    request = DownloadRequest((url,))
    changes = {"url": url, "queue_key": float(key), **changes}
    return BLANK._replace(key=key, request=request, **changes)


@pytest.fixture
def journal(tmp_path):
    journal = Journal(tmp_path / "one.session")
    journal.open()
    yield journal
    journal.close()


def reopened(journal):
    journal.close()
    again = Journal(journal.path)
    again.open()
    entries, _ = again.read(-1, 10**6)
    assert again.count_kept() == len(entries)
    again.close()
    return entries


def test_entries_are_forgotten_together_or_not_at_all(journal):
    journal.write([entry(0), entry(1), entry(2)], [], {})
    with pytest.raises(LocalError):
        journal.forget([0, object()])
    assert journal.count() == 3
    assert journal.forget([0, 2, 7]) == 2
    assert [one.key for one in reopened(journal)] == [1]


def test_entries_round_trip(journal):
    left = [
        entry(1, queue_key=2.5, state=_S.PAUSED, received=5, size=9, segments=4),
        entry(2, state=_S.FAILED, error="no", error_kind="not_found", status=404),
        entry(3, name="x", directory="d", url="http://h/y", note="n", rate_limit=7),
        entry(4, state=_S.DONE, started_at=1.5, finished_at=2.5),
    ]
    journal.write(left, [], {"title": "list.txt", "held": None})
    assert reopened(journal) == left
    again = Journal(journal.path)
    again.open()
    assert again.facts() == {"title": "list.txt", "held": None}
    again.close()


ONE_CHANGE = [
    {"state": _S.DONE},
    {"queue_key": 8.5},
    {"url": "http://h/y"},
    {"name": "x"},
    {"directory": "d"},
    {"size": 7},
    {"received": 3},
    {"status": 404},
    {"error": "no"},
    {"error_kind": "not_found"},
    {"note": "n"},
    {"segments": 4},
    {"rate_limit": 9},
    {"started_at": 1.5},
    {"finished_at": 2.5},
]


@pytest.mark.parametrize("change", ONE_CHANGE, ids=lambda change: next(iter(change)))
def test_each_value_is_written_whatever_the_others_are(journal, change):
    before = [entry(0, **change), entry(1), entry(2, **change), entry(3)]
    journal.write(before, [], {})
    # One gets the value, and one loses it.
    after = [before[0], entry(1, **change), entry(2), before[3]]
    journal.write([], after[1:3], {})
    assert reopened(journal) == after


@pytest.mark.parametrize("count", [1, ROWS - 1, ROWS, ROWS + 1, 3 * ROWS + 7])
def test_any_number_of_entries_is_written_at_once(journal, count):
    new = [entry(key, name=f"{key}.bin") for key in range(count)]
    journal.write(new, [], {})
    changed = [
        one._replace(state=_S.DONE, size=key, received=key, rate_limit=key or None)
        for key, one in enumerate(new)
        if key != 1
    ]
    unknown = entry(count + 5, state=_S.DONE)
    journal.write(new[:2], [*changed, unknown], {})
    assert reopened(journal) == [*changed[:1], *new[1:2], *changed[1:]]


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"source": "a.txt:1"},
        {"source": 'ä "\\\n\u2028.txt:1'},
        {"source": "a:1", "name": ""},
        {"source": "a:1", "directory": "d"},
        {"source": "a:1", "size": 0},
        {"source": "a:1", "on_exists": OnExists.RENAME},
        {"source": "a:1", "mirrors": ("https://h/1", "https://h/2")},
        {"source": "a:1", "mirrors": ('https://h/"\\ü?q=1',)},
    ],
)
def test_each_form_of_a_request_is_restored(journal, fields):
    request = DownloadRequest(**{"mirrors": ("https://h/1",), **fields})
    journal.write([BLANK._replace(request=request)], [], {})
    assert [one.request for one in reopened(journal)] == [request]


def test_a_change_keeps_the_request(journal):
    journal.write([JournalEntry(1, REQUEST, *BLANK[2:])], [], {})
    changed = JournalEntry(1, REQUEST, *BLANK[2:])._replace(state=_S.DONE, received=7)
    journal.write([], [changed], {})
    (found,) = reopened(journal)
    assert (found.state, found.received) == (_S.DONE, 7)
    assert found.request.checksum == REQUEST.checksum


def test_secrets_are_not_stored_and_are_listed_as_withheld(journal):
    asked = BLANK._replace(request=REQUEST, url=REQUEST.url)
    journal.write([asked], [], {})
    (loaded,) = reopened(journal)
    assert loaded.withheld == ("Authorization", "login")
    assert loaded.request == DownloadRequest(
        mirrors=("https://example.org/a?sig=1", "http://mirror.example/a"),
        name="a.bin",
        directory="d",
        checksum=REQUEST.checksum,
        headers=(("User-Agent", "me"),),
        size=7,
        source="list.txt:3",
        pieces=REQUEST.pieces,
    )
    assert loaded.url == "https://example.org/a?sig=1"
    for path in journal.path.parent.iterdir():
        data = path.read_bytes()
        assert b"secret" not in data
        assert b"hunter2" not in data


def test_the_login_of_a_line_of_a_list_is_not_stored(journal):
    url = "https://user:secret@example.org/a"
    request = DownloadRequest((url,), source="list.txt:3")
    journal.write([BLANK._replace(request=request, url=url)], [], {})
    (loaded,) = reopened(journal)
    assert loaded.request.mirrors == ("https://example.org/a",)
    assert loaded.withheld == ("login",)
    for path in journal.path.parent.iterdir():
        assert b"secret" not in path.read_bytes()


def test_credentials_in_a_later_url_are_withheld(journal):
    changed = entry(1, url="https://me:secret@example.org/new")
    journal.write([entry(1)], [changed], {})
    (loaded,) = reopened(journal)
    assert (loaded.url, loaded.withheld) == ("https://example.org/new", ("login",))


def test_a_mirror_with_credentials_is_left_out(journal):
    request = DownloadRequest(("https://h/@a", "https://u:p@h/a", "https://i/a@b"))
    journal.write([BLANK._replace(request=request, url=request.url)], [], {})
    (loaded,) = reopened(journal)
    assert loaded.request.mirrors == ("https://h/@a", "https://i/a@b")
    assert loaded.withheld == ()


def test_only_the_user_can_read_it(journal):
    journal.write([entry(1)], [], {})
    for path in journal.path.parent.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path.name


def test_entries_are_read_in_slices(journal):
    journal.write([entry(key) for key in range(10)], [], {})
    first, reached = journal.read(-1, 4)
    assert ([e.key for e in first], reached) == ([0, 1, 2, 3], 3)
    rest, reached = journal.read(reached, 100)
    assert ([e.key for e in rest], reached) == ([4, 5, 6, 7, 8, 9], 9)
    assert journal.read(reached, 100) == ([], 9)


def test_a_journal_is_locked_against_a_second_run(journal):
    with pytest.raises(LocalError) as caught:
        Journal(journal.path).open()
    assert caught.value.kind == "in_use"
    journal.write([entry(1)], [], {})
    assert reopened(journal) == [entry(1)]


@pytest.mark.parametrize(
    "data", [b"this is no database at all" * 100, b"SQLite format"]
)
def test_a_damaged_journal_is_set_aside(tmp_path, data):
    path = tmp_path / "one.session"
    for number in ("", "-2"):
        path.write_bytes(data)
        journal = Journal(path)
        with pytest.raises(JournalUnreadable):
            journal.open()
        aside = journal.set_aside()
        assert aside.name == f"one.session.unreadable{number}"
        assert aside.read_bytes() == data
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "one.session.unreadable",
        "one.session.unreadable-2",
    ]


def test_a_journal_is_set_aside_with_its_log(tmp_path):
    path = tmp_path / "one.session"
    for suffix in ("", "-wal", "-shm"):
        path.with_name(f"{path.name}{suffix}").write_text(f"content{suffix}")
    aside = Journal(path).set_aside()
    for suffix in ("", "-wal", "-shm"):
        moved = aside.with_name(f"{aside.name}{suffix}")
        assert moved.read_text() == f"content{suffix}"
    assert len(list(tmp_path.iterdir())) == 3


def test_a_journal_of_a_newer_version_is_left_alone(tmp_path):
    path = tmp_path / "one.session"
    with sqlite3.connect(path) as database:
        database.execute(f"PRAGMA user_version = {VERSION + 1}")
    database.close()
    with pytest.raises(JournalTooNew, match="newer"):
        Journal(path).open()


def test_invalid_rows_are_skipped_and_counted(journal):
    journal.write([entry(key) for key in range(6)], [], {})
    journal.close()
    with sqlite3.connect(journal.path) as database:
        for key, change in enumerate(
            (
                "state = 99",
                "asked = 'junk'",
                "asked = '{}'",
                """asked = '{"mirrors": []}'""",
                "withheld = '7'",
            )
        ):
            database.execute(f"UPDATE downloads SET {change} WHERE key = {key}")
    database.close()
    journal.open()
    assert journal.read(-1, 100) == ([entry(5)], 5)
    assert journal.count_kept() == 6


def in_slices(journal, limit):
    """Read everything, as a session does, but not without end.

    Returns the keys, and how many entries were skipped.
    """
    keys, reached = [], -1
    for _ in range(1000):
        entries, following = journal.read(reached, limit)
        if following == reached:
            return keys, journal.count_kept() - len(keys)
        keys += [entry.key for entry in entries]
        reached = following
    pytest.fail("reading has no end")


def spoiled(journal, change):
    """Close a journal, change its bytes, and open it again."""
    journal.close()
    data = bytearray(journal.path.read_bytes())
    change(data)
    journal.path.write_bytes(data)
    journal.open()
    return journal


def leaves(data):
    """Return where the pages with entries begin."""
    pages = range(4096, len(data), 4096)
    return [at for at in pages if data[at] == 13 and b"example" in data[at : at + 4096]]


def test_what_was_read_before_damage_is_not_lost(journal):
    journal.write([entry(key) for key in range(200)], [], {})

    def wipe(data):
        at = leaves(data)[-1]
        data[at : at + 4096] = b"\xff" * 4096

    spoiled(journal, wipe)
    found, reached = [], -1
    for _ in range(3):
        with suppress(JournalUnreadable):
            entries, reached = journal.read(reached, 1000)
            found += [each.key for each in entries]
    with pytest.raises(JournalUnreadable):
        journal.read(reached, 1000)
    assert found == list(range(len(found)))
    assert 100 < len(found) < 200


@pytest.mark.parametrize("limit", [7, 1000])
def test_pages_in_a_wrong_order_are_damage(journal, limit):
    """Rows come again then; a session was restored without end."""
    journal.write([entry(key) for key in range(200)], [], {})

    def repeat(data):
        first, *_, last = leaves(data)
        data[last : last + 4096] = data[first : first + 4096]

    spoiled(journal, repeat)
    try:
        keys, lost = in_slices(journal, limit)
    except JournalUnreadable:
        return
    assert keys == sorted(set(keys))
    assert lost


def test_an_entry_whose_text_is_damaged_is_skipped_alone(journal):
    journal.write([entry(key, name=f"name{key}") for key in range(9)], [], {})

    def garble(data):
        at = data.index(b"name5")
        data[at] = 0xFF

    spoiled(journal, garble)
    assert in_slices(journal, 100) == ([0, 1, 2, 3, 4, 6, 7, 8], 1)


def test_values_of_other_types_are_damage_that_sqlite_does_not_see(journal):
    journal.write(
        [entry(key, name=f"n{key}", state=_S.DONE) for key in range(3)], [], {"a": 1}
    )
    journal.close()
    database = sqlite3.connect(journal.path)
    kept = database.execute("SELECT rowid, sql FROM sqlite_master").fetchall()
    database.execute("PRAGMA writable_schema = ON")
    database.execute(
        "UPDATE sqlite_master SET"
        " sql = replace(replace(sql, 'NOT NULL', ''), 'STRICT', '')"
    )
    database.commit()
    database.close()
    database = sqlite3.connect(journal.path)
    database.execute("UPDATE downloads SET name = NULL WHERE key = 0")
    database.execute("UPDATE downloads SET received = 'x' WHERE key = 1")
    database.execute("UPDATE session SET value = NULL")
    database.execute("PRAGMA writable_schema = ON")
    database.executemany(
        "UPDATE sqlite_master SET sql = ? WHERE rowid = ?",
        [(sql, rowid) for rowid, sql in kept],
    )
    database.commit()
    database.close()
    journal.open()
    assert journal.facts() == {}
    assert in_slices(journal, 100) == ([2], 2)
    assert [each.name for each in journal.finished(10)] == ["n2"]


@pytest.mark.parametrize("at", [1e300, -1e300, 9e999])
def test_a_time_that_cannot_be_shown_is_damage(journal, at):
    done = [entry(key, state=_S.DONE) for key in range(2)]
    journal.write([done[0], done[1]._replace(finished_at=at)], [], {})
    assert in_slices(journal, 100) == ([0], 1)
    assert [each.key for each in journal.finished(10)] == [0]


def test_damage_that_sqlite_cannot_name_is_damage(journal):
    def garble(data):
        # Before the schema; SQLite's message has it, and is not UTF-8 then.
        data[data.index(b"CREATE TABLE downloads") - 55] = 0xBA

    with pytest.raises(JournalUnreadable):
        spoiled(journal, garble)


def test_a_schema_stored_as_bytes_is_read(journal):
    journal.write([entry(0)], [], {})

    def retype(data):
        # The last type in the header of the row: one less is bytes of that length.
        data[data.index(b"tabledownloadsdownloads") - 1] -= 1

    assert in_slices(spoiled(journal, retype), 10) == ([0], 0)


@pytest.mark.parametrize("text", [b"broken", b"garbled"])
def test_a_fact_whose_text_is_damaged_is_left_out_alone(journal, text):
    facts = {"first": 1, "broken": 2, "other": "garbled", "last": 3}
    journal.write([], [], facts)

    def garble(data):
        data[data.index(text, 4096)] = 0xFF

    spoiled(journal, garble)
    assert {"first": 1, "last": 3}.items() <= journal.facts().items()
    assert len(journal.facts()) == 3


def test_an_unwritable_location_is_an_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(LocalError) as caught:
        Journal(tmp_path / "file" / "one.session").open()
    assert caught.value.kind == "not_writable"


def test_a_failed_write_changes_nothing(journal):
    journal.write([entry(1)], [], {})
    with pytest.raises(LocalError):
        journal.write([entry(2), entry(3, note=None)], [], {})
    assert reopened(journal) == [entry(1)]


FILL = """
import sys
from pathlib import Path
from tests.disk.test_journal import entry
from tui.disk.state.journal import Journal

journal = Journal(Path(sys.argv[1]))
journal.open()
for key in range(0, 10**6, 10):
    journal.write([entry(number) for number in range(key, key + 10)], [], {})
    print(key + 9, flush=True)
"""


def test_a_kill_loses_no_written_entries(tmp_path):
    path = tmp_path / "one.session"
    process = subprocess.Popen(
        [sys.executable, "-c", FILL, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    last = [int(process.stdout.readline()) for _ in range(20)][-1]
    os.kill(process.pid, signal.SIGKILL)
    process.wait(30)
    process.stdout.close()
    entries = reopened(Journal(path))
    assert [one.key for one in entries[: last + 1]] == list(range(last + 1))
