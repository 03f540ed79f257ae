"""Direct copies: counting, cancelling, errors and order."""

from __future__ import annotations

import asyncio
import errno
import os
import threading
from pathlib import Path

import pytest

from tests.disk.test_writer import Blocked, turns, wait_for
from tui.core.clock import SystemClock
from tui.core.errors import LocalError
from tui.disk import direct_copy, platform
from tui.disk.writer import DiskWriter

WAIT_S = 10


class FakeSource:
    """Returns the given pieces and records how it was read.

    With ``gate``, the thread waits for it before returning piece number ``at``.
    """

    def __init__(self, *pieces, gate=None, at=0):
        self.pieces = list(pieces)
        self.gate, self.at = gate, at
        self.is_at_gate = threading.Event()
        self.read_sizes = []
        self.waits = []
        self.stops = 0

    def read_into(self, buffer, wait_s):
        if self.gate is not None and len(self.read_sizes) == self.at:
            self.is_at_gate.set()
            wait_for(self.gate)
        self.read_sizes.append(len(buffer))
        self.waits.append(wait_s)
        if self.stops or not self.pieces:
            return 0
        piece = self.pieces.pop(0)
        count = min(len(piece), len(buffer))
        buffer[:count] = piece[:count]
        if count < len(piece):
            self.pieces.insert(0, piece[count:])
        return count

    def stop(self):
        self.stops += 1
        if self.gate is not None:
            self.gate.set()

    async def is_reached(self):
        assert await asyncio.to_thread(self.is_at_gate.wait, WAIT_S)


@pytest.fixture
async def lone():
    """A writer with one thread."""
    writer = DiskWriter(
        writers=1, in_flight_limit=1000, fsync=False, clock=SystemClock()
    )
    yield writer
    await writer.close()


@pytest.fixture(autouse=True)
def no_time_limit(monkeypatch):
    """Keep copies from reaching their time limit on a busy machine."""
    monkeypatch.setattr(direct_copy, "MAX_COPY_S", 60.0)


def start_copy(writer, part, source, nbytes, done, offset=0):
    return asyncio.ensure_future(
        writer.direct_copier.run(part, offset, nbytes, source, done.append)
    )


def content(part):
    return Path(part.folder.path, part.part_name).read_bytes()


async def test_copied_data_is_in_the_file_and_counted_on_return(lone, part):
    done = []
    await start_copy(lone, part, FakeSource(b"abc", b"defg", b"h"), 8, done, offset=2)
    (copy,) = done
    assert (copy.moved, copy.error) == (8, None)
    assert list(part.flushed) == [(2, 10)]
    assert content(part) == b"\0\0abcdefgh"
    assert lone.written == 8
    assert lone.snapshot().in_flight == 0


async def test_it_reads_no_more_than_requested(lone, part):
    source = FakeSource(b"abcdef", b"ghijkl")
    done = []
    await start_copy(lone, part, source, 8, done)
    assert source.read_sizes == [8, 2]
    assert source.pieces == [b"ijkl"]
    assert content(part) == b"abcdefgh"


async def test_large_copies_use_a_buffer_of_limited_size(lone, part, monkeypatch):
    monkeypatch.setattr(direct_copy, "_local", threading.local())
    monkeypatch.setattr(direct_copy, "_BUFFER_BYTES", 4)
    source = FakeSource(b"abcdefghij")
    await start_copy(lone, part, source, 10, [])
    assert source.read_sizes == [4, 4, 2]
    assert content(part) == b"abcdefghij"


async def test_it_ends_when_no_data_is_available(lone, part):
    source = FakeSource(b"abc", b"", b"never")
    done = []
    await start_copy(lone, part, source, 100, done)
    assert done[0].moved == 3
    assert len(source.read_sizes) == 2
    assert list(part.flushed) == [(0, 3)]


async def test_it_ends_after_its_time_limit(lone, part, monkeypatch):
    monkeypatch.setattr(direct_copy, "MAX_COPY_S", -1.0)
    source = FakeSource(b"abc", b"def")
    await start_copy(lone, part, source, 100, [])
    assert content(part) == b"abc"
    assert source.pieces == [b"def"]


async def test_a_failed_write_keeps_the_data_before_it(lone, part, monkeypatch):
    real, writes = platform.write_at, []

    def write_at(fd, buffers, offset, nbytes):
        writes.append(offset)
        if len(writes) == 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(fd, buffers, offset, nbytes)

    monkeypatch.setattr(platform, "write_at", write_at)
    done = []
    with pytest.raises(LocalError) as caught:
        await start_copy(lone, part, FakeSource(b"abc", b"def", b"ghi"), 9, done)
    assert caught.value.kind == "disk_full"
    (copy,) = done
    assert (copy.moved, copy.error) == (3, caught.value)
    assert list(part.flushed) == [(0, 3)]
    assert writes == [0, 3]
    with pytest.raises(LocalError):
        part.check_open()


async def test_a_cancelled_copy_waits_for_the_thread_and_counts(lone, part, event):
    source = FakeSource(b"abc", b"def", gate=event, at=1)
    done = []
    task = start_copy(lone, part, source, 6, done)
    await source.is_reached()
    task.cancel()
    await turns()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert source.stops == 1
    assert done[0].moved == 3
    assert list(part.flushed) == [(0, 3)]


async def test_a_cancelled_copy_waits_for_a_blocked_disk(
    lone, part, event, monkeypatch
):
    """Even if cancelled twice: the socket belongs to the thread until it is done."""
    real, is_writing = platform.write_at, threading.Event()

    def write_at(*args):
        is_writing.set()
        wait_for(event)
        real(*args)

    monkeypatch.setattr(platform, "write_at", write_at)
    source, done = FakeSource(b"abc", b"def"), []
    task = start_copy(lone, part, source, 6, done)
    assert await asyncio.to_thread(is_writing.wait, WAIT_S)
    for _ in range(2):
        task.cancel()
        await turns()
        assert not task.done()
        assert not done
    event.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (done[0].moved, content(part)) == (3, b"abc")


async def test_a_copy_cancelled_in_the_queue_copies_nothing(lone, part, event):
    blocked = Blocked(lone, event)
    await blocked.wait_started()
    source, done = FakeSource(b"abc"), []
    task = start_copy(lone, part, source, 3, done)
    await turns()
    task.cancel()
    await turns()
    await blocked.end()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (source.stops, done[0].moved, list(part.flushed)) == (1, 0, [])


async def test_a_finished_copy_does_not_stop_its_source(lone, part):
    """The connection may be in use by another request by then."""
    source = FakeSource(b"abc")
    task = asyncio.ensure_future(
        lone.direct_copier.run(part, 0, 3, source, lambda _: task.cancel())
    )
    with pytest.raises(asyncio.CancelledError):
        await task
    assert source.stops == 0
    assert content(part) == b"abc"


async def test_a_flush_waits_for_earlier_copies_only(writer, folder, event):
    part = await writer.open_part(folder, "x", size=None)
    first, second = (
        FakeSource(b"abc", gate=event),
        FakeSource(b"def", gate=threading.Event()),
    )
    copy = start_copy(writer, part, first, 3, [])
    await first.is_reached()
    flush = asyncio.ensure_future(writer.flush(part, sync=True))
    later = start_copy(writer, part, second, 3, [], offset=3)
    await turns()
    assert not flush.done()
    event.set()
    await copy
    await flush
    assert part.synced == ((0, 3),)
    assert not later.done()
    second.gate.set()
    await later
    await writer.close_part(part)


async def test_a_part_is_not_closed_during_a_copy(lone, part, event):
    source, done = FakeSource(b"abc", gate=event), []
    task = start_copy(lone, part, source, 3, done)
    await source.is_reached()
    closing = asyncio.ensure_future(lone.close_part(part))
    await turns()
    assert part.is_open
    event.set()
    await asyncio.gather(task, closing)
    assert (done[0].error, content(part)) == (None, b"abc")


async def test_the_writer_does_not_close_during_a_copy(lone, part, event):
    source, done = FakeSource(b"abc", gate=event), []
    task = start_copy(lone, part, source, 3, done)
    await source.is_reached()
    closing = asyncio.ensure_future(lone.close())
    await turns()
    assert not closing.done()
    event.set()
    await asyncio.gather(task, closing)
    assert content(part) == b"abc"


async def test_copies_and_writes_share_a_batch(lone, part, folder, event, monkeypatch):
    """If one of them fails, the others are not affected."""
    other = await lone.open_part(folder, "y", size=None)
    third = await lone.open_part(folder, "z", size=None)
    blocked = Blocked(lone, event)
    await blocked.wait_started()
    real = platform.write_at

    def write_at(fd, buffers, offset, nbytes):
        if fd == other.fd:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        real(fd, buffers, offset, nbytes)

    monkeypatch.setattr(platform, "write_at", write_at)
    await lone.write(part, 0, [b"ab"], 2)
    done = [], [], []
    tasks = [
        start_copy(lone, part, FakeSource(b"cd"), 2, done[0], offset=2),
        start_copy(lone, other, FakeSource(b"AB"), 2, done[1]),
        start_copy(lone, third, FakeSource(b"12"), 2, done[2]),
    ]
    await turns()
    await lone.write(part, 4, [b"ef"], 2)
    before = lone.snapshot().batches
    await blocked.end()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    await lone.flush(part, sync=False)
    assert lone.snapshot().batches == before + 2, (
        "the blocking one and one for all of them"
    )
    assert [type(error) for error in results] == [type(None), LocalError, type(None)]
    assert [copies[0].moved for copies in done] == [2, 0, 2]
    assert content(part) == b"abcdef"
    assert content(third) == b"12"
    assert lone.snapshot().in_flight == 0
    await lone.close_part(other)
    await lone.close_part(third)


async def test_an_exception_in_on_done_is_raised_and_delays_nobody(
    lone, part, folder, event
):
    other = await lone.open_part(folder, "y", size=None)
    blocked = Blocked(lone, event)
    await blocked.wait_started()

    def wrong(_):
        raise RuntimeError("oops")

    broken = asyncio.ensure_future(
        lone.direct_copier.run(part, 0, 3, FakeSource(b"abc"), wrong)
    )
    done = []
    task = start_copy(lone, other, FakeSource(b"def"), 3, done)
    await turns()
    await blocked.end()
    with pytest.raises(RuntimeError, match="oops"):
        await broken
    await task
    assert done[0].moved == 3
    await lone.flush(part, sync=False)
    await lone.close_part(other)


async def test_a_thread_lingers_only_if_nothing_else_is_queued(
    lone, part, folder, event
):
    alone = FakeSource(b"a")
    await start_copy(lone, part, alone, 5, [])
    assert set(alone.waits) == {direct_copy.LINGER_S}
    blocked = Blocked(lone, event)
    await blocked.wait_started()
    crowded = FakeSource(b"a")
    task = start_copy(lone, part, crowded, 5, [])
    waiting = asyncio.ensure_future(lone.run("look", "y", int))
    await turns()
    await blocked.end()
    await asyncio.gather(task, waiting)
    assert set(crowded.waits) == {0.0}


async def test_a_queued_copy_runs_on_the_loop_when_inline(lone, part, event):
    blocked = Blocked(lone, event)
    await blocked.wait_started()
    threads = []

    class Watched(FakeSource):
        def read_into(self, buffer, wait_s):
            threads.append(threading.current_thread())
            return super().read_into(buffer, wait_s)

    done = []
    task = start_copy(lone, part, Watched(b"abc"), 3, done)
    await turns()
    assert lone.direct_copier.is_available
    lone.set_inline(True)
    assert not lone.direct_copier.is_available
    await blocked.end()
    await task
    assert (done[0].moved, content(part)) == (3, b"abc")
    assert threads == [threading.main_thread()]
