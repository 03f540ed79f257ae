from __future__ import annotations

import os
import pathlib
import sqlite3
import stat
import subprocess
import sys
import time

import pytest

from tests.disk.test_journal import entry
from tui.core.errors import LocalError
from tui.core.notices import NoticeCode
from tui.disk.state import sessions as sessions_module
from tui.disk.state.journal import Journal
from tui.disk.state.location import state_dir
from tui.disk.state.sessions import KEPT, SPARE, Sessions


@pytest.fixture
def sessions(tmp_path):
    return Sessions(tmp_path / "state")


def left(sessions, at, output_dir="/data"):
    """Leave a session that was used last at a time; return its path."""
    journal = sessions.begin()
    journal.write([entry(0)], [], {"output_dir": output_dir})
    journal.close()
    os.utime(journal.path, (at, at))
    return journal.path


def killed(sessions, name, at, log_at):
    """Leave a session whose run was killed, with its log; return its path."""
    journal = sessions.begin()
    journal.write([entry(0)], [], {})
    path = journal.path.with_name(f"{name}.session")
    for suffix, used_at in (("", at), ("-wal", log_at)):
        data = pathlib.Path(f"{journal.path}{suffix}").read_bytes()
        pathlib.Path(f"{path}{suffix}").write_bytes(data)
        os.utime(f"{path}{suffix}", (used_at, used_at))
    journal.remove()
    return path


def test_the_state_directory_can_be_chosen(monkeypatch, tmp_path, clean_environment):
    assert state_dir().is_relative_to(clean_environment)
    monkeypatch.setenv("FETCHTUI_STATE_DIR", str(tmp_path))
    assert state_dir() == tmp_path


def test_without_a_session_nothing_is_created(sessions):
    assert sessions.last() == (None, 0.0, None)
    assert not sessions.folder.exists()


def test_only_the_user_can_read_the_folder(sessions):
    sessions.begin().close()
    assert stat.S_IMODE(sessions.folder.stat().st_mode) == 0o700


def test_the_most_recently_used_session_is_opened(sessions):
    paths = [left(sessions, at) for at in (10, 30, 20)]
    last = sessions.last()
    assert last.journal is not None
    assert (last.journal.path, last.used_at) == (paths[1], 30)
    last.journal.close()


def test_after_a_kill_the_log_says_when_a_session_was_used(sessions):
    path = killed(sessions, "killed", at=10, log_at=30)
    left(sessions, 20)
    last = sessions.last()
    assert last.journal is not None
    assert (last.journal.path, last.used_at) == (path, 30)
    last.journal.close()


def test_a_session_that_is_taken_over_after_a_kill_comes_with_its_log(
    sessions, tmp_path
):
    path = killed(Sessions(tmp_path / "process"), "killed", at=10, log_at=10)
    assert path.with_name("killed.session-wal").stat().st_size
    left(sessions, 20)
    taken = sessions.take_over(path)
    last = sessions.last()
    assert last.journal is not None
    assert last.journal.path == taken
    assert last.journal.count() == 1
    last.journal.close()
    assert list(path.parent.iterdir()) == []


def test_a_look_at_a_killed_session_does_not_make_it_the_last_one(sessions):
    killed(sessions, "killed", at=10, log_at=10)
    newest = left(sessions, 20)
    for used_at, journal in sessions.all(None):
        with sessions.borrowed(journal, used_at):
            assert not journal.is_empty()
    last = sessions.last()
    assert last.journal is not None
    assert (last.journal.path, last.used_at) == (newest, 20)
    last.journal.close()


def test_a_session_with_another_output_dir_is_skipped_untouched(sessions):
    wanted = left(sessions, 10, "/data")
    left(sessions, 20, "/other")
    last = sessions.last("/data")
    assert last.journal is not None
    assert last.journal.path == wanted
    last.journal.close()
    again = sessions.last()
    assert again.journal is not None
    assert again.used_at == 20
    again.journal.close()


def test_a_session_in_use_does_not_hide_an_older_one_of_the_directory(sessions):
    wanted = left(sessions, 10, "/data")
    other = sessions.begin()
    other.write([entry(0)], [], {"output_dir": "/other"})
    last = sessions.last("/data")
    assert last.journal is not None
    assert (last.journal.path, last.notice) == (wanted, None)
    last.journal.close()
    other.close()


def test_an_empty_session_does_not_hide_the_previous_one(sessions):
    path = left(sessions, 10)
    empty = sessions.begin()
    empty.close()
    last = sessions.last()
    assert last.journal is not None
    assert last.journal.path == path
    assert not empty.path.exists()
    last.journal.close()


def test_a_session_open_in_another_window_is_left_alone(sessions):
    running = sessions.begin()
    last = sessions.last()
    assert last.journal is None
    assert last.notice.code is NoticeCode.LAST_SESSION_OPEN
    second = sessions.begin()
    assert second.path != running.path
    second.close()
    running.close()


def test_a_damaged_session_is_set_aside_and_reported(sessions):
    path = left(sessions, 10)
    path.write_bytes(b"\0" * 5000)
    last = sessions.last()
    assert last.journal is None
    assert last.notice.code is NoticeCode.LAST_SESSION_SET_ASIDE
    assert str(path) in last.notice.values[0]
    aside = path.with_name(f"{path.name}.unreadable")
    assert aside.read_bytes() == b"\0" * 5000
    assert sessions.last() == (None, 0.0, None)


@pytest.mark.parametrize("value", [0x00, 0x20, 0x58, 0x80, 0xC3, 0xFF])
def test_damage_in_the_schema_is_set_aside(sessions, value):
    path = left(sessions, 10)
    intact = path.read_bytes()
    at = intact.index(b"state INTEGER")
    path.write_bytes(intact[:at] + bytes([value]) + intact[at + 1 :])
    assert sessions.last().notice.code is NoticeCode.LAST_SESSION_SET_ASIDE
    assert sessions.last() == (None, 0.0, None)


def test_a_damaged_fact_does_not_keep_a_session_from_being_restored(sessions):
    path = left(sessions, 10)
    data = path.read_bytes()
    path.write_bytes(data.replace(b"/data", b"/\xffata"))
    last = sessions.last("/data")
    assert last == (None, 0.0, None)
    last = sessions.last()
    assert last.journal is not None
    last.journal.close()


def test_a_session_of_a_newer_version_is_kept_and_reported(sessions, monkeypatch):
    monkeypatch.setattr("tui.disk.state.journal.VERSION", 2)
    path = left(sessions, 10)
    monkeypatch.setattr("tui.disk.state.journal.VERSION", 1)
    last = sessions.last()
    assert last.journal is None
    assert last.notice.code is NoticeCode.LAST_SESSION_NEWER
    assert path.exists()


def test_old_sessions_are_deleted_unless_in_use(sessions):
    paths = [left(sessions, at) for at in range(1, KEPT + SPARE + 1)]
    assert all(path.exists() for path in paths)
    held = Journal(paths[2])
    held.open()
    for path in sessions.folder.glob(f"{paths[2].name}*"):
        os.utime(path, (3, 3))
    newest = sessions.begin()
    there = set(sessions.folder.glob("*.session"))
    assert there == {paths[2], *paths[SPARE + 1 :], newest.path}
    newest.close()
    held.close()


def test_deleting_old_sessions_costs_killed_ones_neither_time_nor_log(
    sessions, monkeypatch
):
    now = time.time()
    paths = [killed(sessions, name, now - 9, now - 9) for name in ("looked-at", "open")]
    newest = left(sessions, now)
    oldest = left(sessions, 1)
    for at in range(2, KEPT + SPARE - 2):
        left(sessions, at)
    assert oldest.exists()
    log = paths[1].with_name(f"{paths[1].name}-wal")
    content = log.read_bytes()
    script = (
        "import fcntl, sys; file = open(sys.argv[1], 'rb+');"
        "fcntl.lockf(file, fcntl.LOCK_EX, 510, 0x40000002); print(flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(paths[1])],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as holder:
        assert holder.stdout.readline()
        monkeypatch.setattr(sessions_module, "_ORPHAN_AGE_S", -60.0)
        sessions.begin().remove()
        assert not oldest.exists()
        assert all(path.exists() for path in paths)
        assert log.read_bytes() == content
        holder.communicate(b"\n")
    last = sessions.last()
    assert last.journal is not None
    assert last.journal.path == newest
    last.journal.close()


def test_logs_without_their_session_are_deleted_with_old_sessions(
    sessions, monkeypatch
):
    """Earlier versions left them behind."""
    for at in range(1, KEPT + SPARE):
        left(sessions, at)
    newest = left(sessions, KEPT + SPARE)
    logs = [sessions.folder / f"gone.session{end}" for end in ("-wal", "-shm")]
    for path in logs:
        path.touch()
        os.utime(path, (1, 1))
    others = [
        *(sessions.folder / name for name in ("notes-wal", "x.session.unreadable")),
        newest.with_name(f"{newest.name}-shm"),
    ]
    for path in others:
        path.touch()
    sessions.begin().close()
    # It may belong to a session that is being moved here.
    assert all(path.exists() for path in logs)
    later = time.time() + 2 * 86_400
    monkeypatch.setattr(sessions_module.time, "time", lambda: later)
    for number in range(SPARE + 1):
        left(sessions, later + number)
    assert not any(path.exists() for path in logs)
    assert all(path.exists() for path in others[:2])
    assert newest.exists()


def test_a_folder_that_cannot_be_created_is_an_error(tmp_path):
    (tmp_path / "state").touch()
    with pytest.raises(sessions_module.LocalError, match="cannot create"):
        Sessions(tmp_path / "state").begin()


def test_no_session_is_deleted_for_an_empty_one(sessions):
    real = [left(sessions, at) for at in range(1, KEPT)]
    for number in range(3 * KEPT):
        path = sessions.folder / f"empty-{number}.session"
        if number % 2:
            path.touch()
        else:
            journal = Journal(path)
            journal.open()
            journal.close()
    newest = sessions.begin()
    assert set(sessions.folder.glob("*.session")) == {*real, newest.path}
    newest.close()
    assert [at for at, _ in sessions._newest_first()][1:] == [*range(KEPT - 1, 0, -1)]


def test_a_session_that_is_deleted_leaves_no_log(sessions):
    """SQLite leaves the log of a file that is no longer there."""
    journal = sessions.begin()
    journal.write([entry(0)], [], {})
    journal.remove()
    assert list(sessions.folder.iterdir()) == []


def test_a_session_that_was_killed_before_it_started_leaves_no_file(sessions):
    code = (
        "import os, pathlib, sys\n"
        "from tui.disk.state.sessions import Sessions\n"
        "journal = Sessions(pathlib.Path(sys.argv[1])).begin()\n"
        "os._exit(0)\n"
    )
    argv = [sys.executable, "-c", code, str(sessions.folder.parent)]
    subprocess.run(argv, check=True)
    assert list(sessions.folder.glob("*.session"))
    assert sessions.last() == (None, 0.0, None)
    assert list(sessions.folder.iterdir()) == []


def test_a_session_that_cannot_begin_leaves_no_file(sessions, monkeypatch):
    """As on a full disk, where it is tried again every second."""
    path = left(sessions, 10)

    def fail(self, database):
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(Journal, "_prepare", fail)
    for _ in range(20):
        with pytest.raises(LocalError):
            sessions.begin()
    assert list(sessions.folder.iterdir()) == [path]


def test_a_new_session_is_locked_against_other_processes(sessions):
    left(sessions, 10)
    journal = sessions.begin()
    look = "import sys, pathlib; from tui.disk.state.journal import Journal; "
    look += "Journal(pathlib.Path(sys.argv[1])).open()"
    command = [sys.executable, "-c", look, str(journal.path)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "another process is using" in ended.stderr
    journal.close()
