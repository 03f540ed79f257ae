"""The log: one line per event, masked secrets, and no harm from a full disk."""

from __future__ import annotations

import asyncio
import os
import re
from pathlib import Path

from tests.support.fake_service import FakeService
from tui.core import events as e
from tui.core.errors import ErrorKind
from tui.core.notices import LimitName, Notice, NoticeCode, PauseReason
from tui.core.request import DownloadRequest
from tui.postprocess import log_file
from tui.postprocess.log_file import LogFile, line_of


def service_with(*urls: str) -> FakeService:
    service = FakeService()
    service.add([DownloadRequest((url,)) for url in urls])
    return service


def open_log(path: Path, service: FakeService | None = None) -> tuple[LogFile, list]:
    troubles: list[str] = []
    return LogFile(
        path, service or service_with("http://h/a"), troubles.append
    ), troubles


def text(words: str) -> Notice:
    return Notice(NoticeCode.TEXT, (words,))


async def written(log: LogFile, *events: e.Event) -> None:
    log.take(events)
    async with asyncio.timeout(20):
        await log.close()


EVENTS = [
    e.Queued(0, 1.5),
    e.Started(0, 2.0, 1),
    e.Retrying(0, 2.0, 1, 0.25, "reset", "the line\x1b broke"),
    e.DownloadNotice(0, 2.0, text("a note")),
    e.Verified(0, 2.0, "sha256=00"),
    e.Done(0, 3.0),
    e.Failed(0, 3.0, "not_found", "404"),
    e.Paused(0, 3.0),
    e.Cancelled(0, 3.0),
    e.LimitChanged(3.0, LimitName.CONCURRENCY, 4, 8),
    e.QueuePaused(3.0, PauseReason(ErrorKind.DISK_FULL, "the disk is full")),
    e.QueueResumed(3.0),
    e.RunNotice(3.0, text("by the way")),
]


async def test_every_event_is_one_line(tmp_path):
    log, troubles = open_log(tmp_path / "log")
    await written(log, *EVENTS)
    lines = (tmp_path / "log").read_text().splitlines()
    assert troubles == []
    assert lines[0] == "1970-01-01T00:00:01.500Z INFO  0 queued http://h/a"
    assert lines[2].endswith("WARN  0 retry in 0.2 s, reset: the line� broke")
    assert lines[5].endswith("INFO  0 done a (0 bytes)")
    assert lines[6].endswith("ERROR 0 failed not_found: 404 <http://h/a>")
    assert lines[10].endswith("WARN  - queue paused: the disk is full")
    assert len(lines) == len(EVENTS)
    shape = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (INFO |WARN |ERROR) (\d+|-) \S.*"
    assert all(re.fullmatch(shape, line) for line in lines)
    assert (tmp_path / "log").stat().st_mode & 0o777 == 0o600


def test_every_kind_of_event_is_logged():
    bases = (e.DownloadEvent, e.EngineEvent)
    classes = [value for value in vars(e).values() if isinstance(value, type)]
    kinds = {k for k in classes if issubclass(k, bases) and k not in bases}
    assert {type(event) for event in EVENTS} == kinds


async def test_passwords_are_not_logged(tmp_path):
    service = service_with("http://ada:hunter2@h/a?access_token=hunter3")
    log, _ = open_log(tmp_path / "log", service)
    failure = "no answer from http://h/a?access_token=hunter3"
    await written(log, e.Queued(0, 1.0), e.Failed(0, 1.0, "auth", failure))
    assert "hunter" not in (tmp_path / "log").read_text()


async def test_runs_append_to_one_file_until_rotation(tmp_path, monkeypatch):
    path = tmp_path / "log"
    for _ in range(2):
        log, _ = open_log(path)
        await written(log, e.RunNotice(1.0, text("hello")))
    assert len(path.read_text().splitlines()) == 2
    monkeypatch.setattr(log_file, "ROTATE_BYTES", 10)
    log, _ = open_log(path)
    log.take([e.RunNotice(1.0, text("third"))])
    await log.flush()
    await written(log, e.RunNotice(1.0, text("fourth")))
    assert path.read_text().endswith("fourth\n")
    assert (tmp_path / "log.1").read_text().endswith("third\n")


async def test_moved_log_is_recreated(tmp_path):
    path = tmp_path / "log"
    log, _ = open_log(path)
    log.take([e.RunNotice(1.0, text("one"))])
    await log.flush()
    path.rename(tmp_path / "moved")
    await written(log, e.RunNotice(1.0, text("two")))
    assert path.read_text().endswith("two\n")
    assert (tmp_path / "moved").read_text().endswith("one\n")


async def test_full_disk_is_reported_once():
    log, troubles = open_log(Path("/dev/full"))
    for _ in range(3):
        log.take([e.RunNotice(1.0, text("x"))])
        await log.flush()
    await log.close()
    assert troubles == [
        Notice(NoticeCode.LOG_INCOMPLETE, ("/dev/full", "No space left on device"))
    ]


async def test_gap_is_logged_when_there_is_space_again(tmp_path):
    path = tmp_path / "gone" / "log"
    log, troubles = open_log(path)
    log.take([e.RunNotice(1.0, text("x")), e.RunNotice(1.0, text("y"))])
    await log.flush()
    assert len(troubles) == 1
    path.parent.mkdir()
    await written(log, e.RunNotice(1.0, text("z")))
    lost, last = path.read_text().splitlines()
    assert lost.endswith("WARN  - 2 lines lost")
    assert last.endswith("INFO  - z")


async def test_pipe_without_a_reader_does_not_block(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    log, troubles = open_log(tmp_path / "pipe")
    await written(log, e.RunNotice(1.0, text("x")))
    assert len(troubles) == 1


async def test_events_beyond_the_limit_are_dropped_and_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(log_file, "MOST_WAITING", 10)
    log, _ = open_log(tmp_path / "log")
    for n in range(4):
        log.take([e.RunNotice(1.0, text(f"{n}.{m}")) for m in range(4)])
    await log.flush()
    await written(log, e.RunNotice(1.0, text("last")))
    lines = (tmp_path / "log").read_text().splitlines()
    assert sum("lines lost" in line for line in lines) == 1
    assert "8 lines lost" in "".join(lines)
    assert lines[-1].endswith("last")


def test_line_has_no_line_breaks():
    line = line_of(e.RunNotice(1.0, text("a\nb\r\x1b[2Jc")), None)
    assert line.count("\n") == 1
    assert line.rstrip("\n").isprintable()
