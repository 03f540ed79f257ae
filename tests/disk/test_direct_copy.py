"""Bytes that a thread moves past the loop: counted once, stopped at once, all kept."""

from __future__ import annotations

import asyncio
import errno
import os
import threading
from pathlib import Path

import pytest

from tests.disk.test_writer import Blocked, hold, turns
from tui.core.clock import SystemClock
from tui.core.errors import LocalError
from tui.disk import direct_copy as pours
from tui.disk import platform
from tui.disk.writer import DiskWriter

WAIT_S = 10


class Spring:
    """Gives the pieces it was made of, whatever their size, and notes how it was asked.

    With ``gate`` the thread waits there, before it gives the piece of that number.
    """

    def __init__(self, *pieces, gate=None, at=0):
        self.pieces = list(pieces)
        self.gate, self.at = gate, at
        self.is_at_gate = threading.Event()
        self.asked = []
        self.waits = []
        self.stops = 0

    def read_into(self, buffer, wait_s):
        if self.gate is not None and len(self.asked) == self.at:
            self.is_at_gate.set()
            hold(self.gate)
        self.asked.append(len(buffer))
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
    """A writer with one slot."""
    writer = DiskWriter(
        writers=1, in_flight_limit=1000, fsync=False, clock=SystemClock()
    )
    yield writer
    await writer.close()


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    """A busy machine takes its time: no pour of these tests ends for that."""
    monkeypatch.setattr(pours, "MAX_COPY_S", 60.0)


def pouring(writer, part, spring, nbytes, landed, offset=0):
    return asyncio.ensure_future(
        writer.direct_copier.run(part, offset, nbytes, spring, landed.append)
    )


def content(part):
    return Path(part.folder.path, part.part_name).read_bytes()


async def test_what_comes_is_in_the_file_and_counted_before_it_returns(lone, part):
    landed = []
    await pouring(lone, part, Spring(b"abc", b"defg", b"h"), 8, landed, offset=2)
    (pour,) = landed
    assert (pour.moved, pour.error) == (8, None)
    assert list(part.flushed) == [(2, 10)]
    assert content(part) == b"\0\0abcdefgh"
    assert lone.snapshot().written == 8
    assert lone.snapshot().in_flight == 0


async def test_it_takes_no_byte_more_than_it_was_told_to(lone, part):
    spring = Spring(b"abcdef", b"ghijkl")
    landed = []
    await pouring(lone, part, spring, 8, landed)
    assert spring.asked == [8, 2]
    assert spring.pieces == [b"ijkl"]
    assert content(part) == b"abcdefgh"


async def test_large_pours_go_through_a_buffer_of_bounded_size(lone, part, monkeypatch):
    monkeypatch.setattr(pours, "_local", threading.local())
    monkeypatch.setattr(pours, "_BUFFER_BYTES", 4)
    spring = Spring(b"abcdefghij")
    await pouring(lone, part, spring, 10, [])
    assert spring.asked == [4, 4, 2]
    assert content(part) == b"abcdefghij"


async def test_it_ends_when_nothing_comes_and_asks_no_more(lone, part):
    spring = Spring(b"abc", b"", b"never")
    landed = []
    await pouring(lone, part, spring, 100, landed)
    assert landed[0].moved == 3
    assert len(spring.asked) == 2
    assert list(part.flushed) == [(0, 3)]


async def test_it_ends_after_its_time_whatever_there_still_is(lone, part, monkeypatch):
    monkeypatch.setattr(pours, "MAX_COPY_S", -1.0)
    spring = Spring(b"abc", b"def")
    await pouring(lone, part, spring, 100, [])
    assert content(part) == b"abc"
    assert spring.pieces == [b"def"]


async def test_a_disk_that_fails_in_the_middle_keeps_what_it_took(
    lone, part, monkeypatch
):
    real, writes = platform.write_at, []

    def write_at(fd, buffers, offset, nbytes):
        writes.append(offset)
        if len(writes) == 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(fd, buffers, offset, nbytes)

    monkeypatch.setattr(platform, "write_at", write_at)
    landed = []
    with pytest.raises(LocalError) as caught:
        await pouring(lone, part, Spring(b"abc", b"def", b"ghi"), 9, landed)
    assert caught.value.kind == "disk_full"
    (pour,) = landed
    assert (pour.moved, pour.error) == (3, caught.value)
    assert list(part.flushed) == [(0, 3)]
    assert writes == [0, 3]
    with pytest.raises(LocalError):
        part.check_open()


async def test_stopped_in_the_middle_it_waits_for_the_thread_and_counts(
    lone, part, event
):
    spring = Spring(b"abc", b"def", gate=event, at=1)
    landed = []
    task = pouring(lone, part, spring, 6, landed)
    await spring.is_reached()
    task.cancel()
    await turns()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert spring.stops == 1
    assert landed[0].moved == 3
    assert list(part.flushed) == [(0, 3)]


async def test_nobody_goes_on_before_a_thread_that_the_disk_holds_up(
    lone, part, event, monkeypatch
):
    """Cancelled twice as well: the socket is the thread's until it is back."""
    real, is_writing = platform.write_at, threading.Event()

    def write_at(*args):
        is_writing.set()
        hold(event)
        real(*args)

    monkeypatch.setattr(platform, "write_at", write_at)
    spring, landed = Spring(b"abc", b"def"), []
    task = pouring(lone, part, spring, 6, landed)
    assert await asyncio.to_thread(is_writing.wait, WAIT_S)
    for _ in range(2):
        task.cancel()
        await turns()
        assert not task.done()
        assert not landed
    event.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (landed[0].moved, content(part)) == (3, b"abc")


async def test_stopped_before_its_turn_it_moves_nothing(lone, part, event):
    blocked = Blocked(lone, event)
    await blocked.is_on()
    spring, landed = Spring(b"abc"), []
    task = pouring(lone, part, spring, 3, landed)
    await turns()
    task.cancel()
    await turns()
    await blocked.end()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (spring.stops, landed[0].moved, list(part.flushed)) == (1, 0, [])


async def test_what_was_given_back_already_is_not_stopped(lone, part):
    """Its connection may be another one's by then."""
    spring = Spring(b"abc")
    task = asyncio.ensure_future(
        lone.direct_copier.run(part, 0, 3, spring, lambda _: task.cancel())
    )
    with pytest.raises(asyncio.CancelledError):
        await task
    assert spring.stops == 0
    assert content(part) == b"abc"


async def test_a_flush_waits_for_the_pour_before_it_and_not_for_the_next(
    writer, folder, event
):
    part = await writer.open_part(folder, "x", size=None, resume=False)
    first, second = Spring(b"abc", gate=event), Spring(b"def", gate=threading.Event())
    pour = pouring(writer, part, first, 3, [])
    await first.is_reached()
    flush = asyncio.ensure_future(writer.flush(part, sync=True))
    later = pouring(writer, part, second, 3, [], offset=3)
    await turns()
    assert not flush.done()
    event.set()
    await pour
    await flush
    assert part.synced == ((0, 3),)
    assert not later.done()
    second.gate.set()
    await later
    await writer.close_part(part)


async def test_a_part_is_not_closed_under_a_pour(lone, part, event):
    spring, landed = Spring(b"abc", gate=event), []
    task = pouring(lone, part, spring, 3, landed)
    await spring.is_reached()
    closing = asyncio.ensure_future(lone.close_part(part))
    await turns()
    assert part.is_open
    event.set()
    await asyncio.gather(task, closing)
    assert (landed[0].error, content(part)) == (None, b"abc")


async def test_the_writer_does_not_end_under_a_pour(lone, part, event):
    spring, landed = Spring(b"abc", gate=event), []
    task = pouring(lone, part, spring, 3, landed)
    await spring.is_reached()
    closing = asyncio.ensure_future(lone.close())
    await turns()
    assert not closing.done()
    event.set()
    await asyncio.gather(task, closing)
    assert content(part) == b"abc"


async def test_pours_and_writes_of_one_trip_go_each_to_their_place(
    lone, part, folder, event, monkeypatch
):
    """Also where one of them fails: the others neither suffer nor take its place."""
    other = await lone.open_part(folder, "y", size=None, resume=False)
    third = await lone.open_part(folder, "z", size=None, resume=False)
    blocked = Blocked(lone, event)
    await blocked.is_on()
    real = platform.write_at

    def write_at(fd, buffers, offset, nbytes):
        if fd == other.fd:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        real(fd, buffers, offset, nbytes)

    monkeypatch.setattr(platform, "write_at", write_at)
    await lone.write(part, 0, [b"ab"], 2)
    landed = [], [], []
    tasks = [
        pouring(lone, part, Spring(b"cd"), 2, landed[0], offset=2),
        pouring(lone, other, Spring(b"AB"), 2, landed[1]),
        pouring(lone, third, Spring(b"12"), 2, landed[2]),
    ]
    await turns()
    await lone.write(part, 4, [b"ef"], 2)
    before = lone.snapshot().batches
    await blocked.end()
    told = await asyncio.gather(*tasks, return_exceptions=True)
    await lone.flush(part, sync=False)
    assert lone.snapshot().batches == before + 2, "the block, and one for all of them"
    assert [type(error) for error in told] == [type(None), LocalError, type(None)]
    assert [pours[0].moved for pours in landed] == [2, 0, 2]
    assert content(part) == b"abcdef"
    assert content(third) == b"12"
    assert lone.snapshot().in_flight == 0
    await lone.close_part(other)
    await lone.close_part(third)


async def test_a_fault_of_ours_on_landing_is_told_and_holds_up_nobody(
    lone, part, folder, event
):
    other = await lone.open_part(folder, "y", size=None, resume=False)
    blocked = Blocked(lone, event)
    await blocked.is_on()

    def wrong(_):
        raise RuntimeError("a fault of ours")

    broken = asyncio.ensure_future(
        lone.direct_copier.run(part, 0, 3, Spring(b"abc"), wrong)
    )
    landed = []
    task = pouring(lone, other, Spring(b"def"), 3, landed)
    await turns()
    await blocked.end()
    with pytest.raises(RuntimeError, match="a fault of ours"):
        await broken
    await task
    assert landed[0].moved == 3
    await lone.flush(part, sync=False)
    await lone.close_part(other)


async def test_a_thread_waits_for_more_only_if_nobody_waits_for_the_thread(
    lone, part, folder, event
):
    alone = Spring(b"a")
    await pouring(lone, part, alone, 5, [])
    assert set(alone.waits) == {pours.LINGER_S}
    blocked = Blocked(lone, event)
    await blocked.is_on()
    crowded = Spring(b"a")
    task = pouring(lone, part, crowded, 5, [])
    waiting = asyncio.ensure_future(lone.run("look", "y", int))
    await turns()
    await blocked.end()
    await asyncio.gather(task, waiting)
    assert set(crowded.waits) == {0.0}


async def test_writes_on_the_loop_take_up_a_pour_that_waits(lone, part, event):
    blocked = Blocked(lone, event)
    await blocked.is_on()
    threads = []

    class Told(Spring):
        def read_into(self, buffer, wait_s):
            threads.append(threading.current_thread())
            return super().read_into(buffer, wait_s)

    landed = []
    task = pouring(lone, part, Told(b"abc"), 3, landed)
    await turns()
    assert lone.direct_copier.is_available
    lone.set_inline(True)
    assert not lone.direct_copier.is_available
    await blocked.end()
    await task
    assert (landed[0].moved, content(part)) == (3, b"abc")
    assert threads == [threading.main_thread()]
