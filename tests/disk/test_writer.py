"""The writer as a whole: order, limits, threads, measurements."""

from __future__ import annotations

import asyncio
import os
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tui.core.clock import SystemClock
from tui.core.errors import LocalError, PermanentError
from tui.core.segment import RangeSet
from tui.core.settings import MAX_WRITERS
from tui.disk.backpressure import MAX_SMALL_FILES, Backpressure
from tui.disk.folders import OutputFolders
from tui.disk.small_files import SmallFile
from tui.disk.writer import DiskWriter


async def turns(count=10):
    """Run the loop a few turns: enough for anything that does not wait."""
    for _ in range(count):
        await asyncio.sleep(0)


def wait_for(event: threading.Event) -> None:
    """Block a thread until the event is set; a timeout is an error."""
    if not event.wait(30):
        raise TimeoutError("the event was never set")


class Blocked:
    """Keeps a writer thread busy until its event is set."""

    def __init__(self, writer: DiskWriter, event: threading.Event) -> None:
        self.event = event
        self.started = threading.Event()
        self.task = asyncio.ensure_future(writer.run("block", "thread", self._block))

    def _block(self) -> None:
        self.started.set()
        wait_for(self.event)

    async def wait_started(self) -> None:
        await asyncio.to_thread(self.started.wait, 30)

    async def end(self) -> None:
        self.event.set()
        await self.task


@pytest.fixture
async def lone(tmp_path):
    """A writer with one thread and a limit of 100 bytes."""
    writer = DiskWriter(
        writers=1, in_flight_limit=100, fsync=False, clock=SystemClock()
    )
    yield writer
    await writer.close()


# -- backpressure ----------------------------------------------------------------


async def test_bytes_in_flight_stay_below_the_limit_on_a_blocked_disk(
    lone, part, event
):
    blocked = Blocked(lone, event)
    await blocked.wait_started()
    tasks = [
        asyncio.create_task(lone.write(part, 40 * i, [bytes(40)], 40)) for i in range(9)
    ]
    await turns()
    assert [task.done() for task in tasks] == [True, True] + [False] * 7
    assert lone.snapshot().in_flight == 80
    assert lone.snapshot().queued == 2
    assert not lone.has_room()
    await blocked.end()
    await asyncio.gather(*tasks)
    await lone.flush(part, sync=False)
    assert part.flushed == RangeSet([(0, 360)])
    assert lone.snapshot().in_flight == 0
    assert lone.has_room()


async def test_waiting_writes_are_admitted_in_order(lone, part, event):
    blocked = Blocked(lone, event)
    await blocked.wait_started()
    order = []

    async def write(number, nbytes):
        await lone.write(part, 0, [bytes(nbytes)], nbytes)
        order.append(number)

    await write(0, 50)
    # The second does not fit; the third would, but does not overtake.
    tasks = [
        asyncio.create_task(write(number, nbytes))
        for number, nbytes in enumerate((90, 10, 20), 1)
    ]
    await turns()
    assert order == [0]
    await blocked.end()
    await asyncio.gather(*tasks)
    assert order == [0, 1, 2, 3]


async def test_a_write_larger_than_the_limit_is_admitted_alone(lone, part):
    await asyncio.gather(
        *(lone.write(part, 1000 * i, [bytes(1000)], 1000) for i in range(3)),
        lone.write(part, 3000, [bytes(10)], 10),
    )
    await lone.flush(part, sync=False)
    assert part.flushed == RangeSet([(0, 3010)])


async def test_a_cancelled_wait_admits_the_next(lone, part, event):
    blocked = Blocked(lone, event)
    await blocked.wait_started()
    await lone.write(part, 0, [bytes(50)], 50)
    big = asyncio.create_task(lone.write(part, 0, [bytes(90)], 90))
    small = asyncio.create_task(lone.write(part, 50, [bytes(10)], 10))
    await turns()
    big.cancel()
    await turns()
    assert small.done()
    assert lone.snapshot().in_flight == 60
    await blocked.end()


async def test_a_waiter_cancelled_on_admission_frees_its_bytes():
    backpressure = Backpressure(10)
    backpressure.add(10)
    first = asyncio.create_task(backpressure.acquire(10))
    second = asyncio.create_task(backpressure.acquire(10))
    await turns()
    backpressure.remove(10)
    assert backpressure.in_flight == 10, "the first is admitted, but has not run yet"
    first.cancel()
    await turns()
    assert second.done()
    assert backpressure.in_flight == 10


async def test_small_files_wait_for_room_too(lone, folder, event):
    blocked = Blocked(lone, event)
    await blocked.wait_started()
    done = []

    async def store(number):
        await lone.wait_for_room(40)
        lone.store(
            SmallFile(
                folder,
                f"f{number}",
                [bytes(40)],
                40,
                None,
                False,
                lambda job, error: done.append((job.name, error)),
            )
        )

    tasks = [asyncio.create_task(store(number)) for number in range(9)]
    await turns()
    assert sum(task.done() for task in tasks) == 2
    assert lone.snapshot().in_flight == 80
    await blocked.end()
    await asyncio.gather(*tasks)
    await lone.close()
    assert done == [(f"f{number}", None) for number in range(9)]


async def test_the_number_of_small_files_in_flight_is_limited():
    backpressure = Backpressure(1 << 30)
    for _ in range(MAX_SMALL_FILES):
        assert backpressure.has_room()
        backpressure.add(1, is_small_file=True)
    assert not backpressure.has_room()
    waiting = asyncio.create_task(backpressure.wait_for_room(1))
    await turns()
    assert not waiting.done()
    backpressure.remove(1, 1)
    await waiting
    assert backpressure.small_files == MAX_SMALL_FILES - 1, "counted when stored"


async def test_unused_room_goes_to_the_next_waiter():
    backpressure = Backpressure(10)
    backpressure.add(10)
    unused = asyncio.create_task(backpressure.wait_for_room(10))
    after = asyncio.create_task(backpressure.acquire(10))
    await turns()
    backpressure.remove(10)
    await turns()
    assert unused.done()
    assert after.done()


# -- order and merging ---------------------------------------------------------------


async def test_adjacent_writes_become_one_call(lone, part, event, monkeypatch):
    calls = []
    real = os.pwritev

    def spy(fd, buffers, offset):
        calls.append((offset, len(buffers)))
        return real(fd, buffers, offset)

    blocked = Blocked(lone, event)
    await blocked.wait_started()
    monkeypatch.setattr(os, "pwritev", spy)
    for offset in (10, 0, 5, 30):
        await lone.write(part, offset, [b"ab", b"cde"], 5)
    await blocked.end()
    await lone.flush(part, sync=False)
    assert calls == [(0, 6), (30, 2)]
    assert part.flushed == RangeSet([(0, 15), (30, 35)])


async def test_a_batch_contains_writes_of_several_parts(lone, part, folder, event):
    other = await lone.open_part(folder, "y", size=None)
    blocked = Blocked(lone, event)
    await blocked.wait_started()
    before = lone.snapshot().batches
    for offset in range(5):
        await lone.write(part, offset, [b"x"], 1)
        await lone.write(other, offset, [b"y"], 1)
    await blocked.end()
    await lone.flush(part, sync=False)
    await lone.flush(other, sync=False)
    assert lone.snapshot().batches == before + 2, (
        "the blocking one and one for all writes"
    )
    await lone.discard(other)


async def test_writes_to_different_files_are_never_joined(
    lone, part, folder, event, tmp_path
):
    other = await lone.open_part(folder, "y", size=None)
    # The end of the one is the offset of the other, whichever comes first.
    for first, second, at in ((part, other, 0), (other, part, 8)):
        blocked = Blocked(lone, event)
        await blocked.wait_started()
        await lone.write(first, at, [b"1111"], 4)
        await lone.write(second, at + 4, [b"2222"], 4)
        await blocked.end()
        await lone.flush(part, sync=False)
        await lone.flush(other, sync=False)
    assert part.flushed == RangeSet([(0, 4), (12, 16)])
    assert other.flushed == RangeSet([(4, 12)])
    assert (tmp_path / "x.part").read_bytes() == b"1111" + bytes(8) + b"2222"
    assert (tmp_path / "y.part").read_bytes() == bytes(4) + b"22221111"
    await lone.discard(other)


async def test_only_one_thread_at_a_time_writes_to_a_part(
    writer, folder, event, monkeypatch
):
    part = await writer.open_part(folder, "x", size=None)
    other = await writer.open_part(folder, "y", size=None)
    inside = threading.Event()
    real = os.pwritev

    def hang(fd, buffers, offset):
        if fd == part.fd:
            inside.set()
            wait_for(event)
        return real(fd, buffers, offset)

    monkeypatch.setattr(os, "pwritev", hang)
    await writer.write(part, 0, [b"a"], 1)
    await asyncio.to_thread(inside.wait, 30)
    await writer.write(part, 1, [b"b"], 1)
    await writer.write(other, 0, [b"c"], 1)
    await writer.flush(other, sync=False)
    snapshot = writer.snapshot()
    assert snapshot.queued == 1
    assert [status.operation for status in snapshot.workers].count("write") == 1
    event.set()
    await writer.flush(part, sync=False)
    await writer.discard(part)
    await writer.discard(other)


async def test_flush_waits_only_for_earlier_writes(writer, folder, event, monkeypatch):
    part = await writer.open_part(folder, "x", size=None)
    real = os.pwritev

    def hang_at_ten(fd, buffers, offset):
        if offset == 10:
            wait_for(event)
        return real(fd, buffers, offset)

    monkeypatch.setattr(os, "pwritev", hang_at_ten)
    await writer.write(part, 0, [b"a"], 1)
    flush = asyncio.create_task(writer.flush(part, sync=False))
    await turns(1)
    await writer.write(part, 10, [b"b"], 1)
    await flush
    assert part.flushed == RangeSet([(0, 1)])
    event.set()
    await writer.discard(part)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.integers(1, 40), min_size=1, max_size=12).flatmap(
        lambda sizes: st.tuples(
            st.just(sizes),
            st.permutations(range(len(sizes))),
            st.lists(st.booleans(), min_size=len(sizes), max_size=len(sizes)),
            st.integers(1, 4),
            st.booleans(),
        )
    )
)
def test_any_order_of_writes_gives_the_same_data(tmp_path_factory, case):
    sizes, order, pauses, writers, is_inline = case
    tmp_path = tmp_path_factory.mktemp("mix")
    starts = [sum(sizes[:index]) for index in range(len(sizes))]
    total = sum(sizes)
    data = bytes((7 * i + 3) % 256 for i in range(total))

    async def run() -> None:
        writer = DiskWriter(
            writers=writers, in_flight_limit=64, fsync=False, clock=SystemClock()
        )
        writer.set_inline(is_inline)
        folder = await OutputFolders(tmp_path, writer).folder("")
        part = await writer.open_part(folder, "x", size=total)
        for index in order:
            start, end = starts[index], starts[index] + sizes[index]
            cut = start + sizes[index] // 2
            buffers = [data[start:cut], memoryview(data)[cut:end]]
            await writer.write(part, start, buffers, end - start)
            if pauses[index]:
                await asyncio.sleep(0)
        await writer.finish(part, "x", overwrite=False)
        await writer.close()

    asyncio.run(run())
    assert (tmp_path / "x").read_bytes() == data


# -- cancelling ----------------------------------------------------------------------


async def test_a_cancelled_open_leaves_nothing(tmp_path, lone, folder, event):
    for is_running in (False, True):
        blocked = Blocked(lone, event)
        await blocked.wait_started()
        opening = asyncio.create_task(lone.open_part(folder, "x", size=None))
        await turns()
        if is_running:
            event.set()  # it may be opened before the cancel below takes effect
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
        await blocked.end()
        event.clear()
    await lone.close()
    assert list(tmp_path.iterdir()) == []


async def test_an_open_cancelled_at_its_end_is_closed(
    tmp_path, lone, folder, monkeypatch
):
    opening = asyncio.create_task(lone.open_part(folder, "x", size=None))
    real = lone._scheduler._on_done

    def cancel_when_done(batch):
        real(batch)
        opening.cancel()

    monkeypatch.setattr(lone._scheduler, "_on_done", cancel_when_done)
    with pytest.raises(asyncio.CancelledError):
        await opening
    await lone.close()
    assert list(tmp_path.iterdir()) == []


async def test_a_cancelled_call_that_has_not_started_never_runs(lone, part, event):
    blocked = Blocked(lone, event)
    await blocked.wait_started()
    ran = []
    tasks = [
        asyncio.create_task(lone.run("nothing", "x", ran.append, 1)),
        asyncio.create_task(lone.flush(part, sync=True)),
        asyncio.create_task(lone.finish(part, "x", overwrite=False)),
    ]
    await turns()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await blocked.end()
    await lone.flush(part, sync=False)
    assert ran == []
    assert part.is_open


async def test_a_cancelled_close_still_closes_the_part(lone, folder, event):
    part = await lone.open_part(folder, "y", size=None)
    blocked = Blocked(lone, event)
    await blocked.wait_started()
    await lone.write(part, 0, [b"abc"], 3)
    closing = asyncio.create_task(lone.close_part(part))
    await turns()
    closing.cancel()
    await asyncio.gather(closing, return_exceptions=True)
    await blocked.end()
    await lone.close()
    assert not part.is_open
    assert part.flushed == RangeSet([(0, 3)])


# -- any other call ------------------------------------------------------------------


async def test_a_write_that_waits_for_room_while_its_file_is_closed_takes_none(
    lone, part, folder, event
):
    other = await lone.open_part(folder, "y", size=None)
    blocked = Blocked(lone, event)
    await blocked.wait_started()
    await lone.write(part, 0, [bytes(100)], 100)
    waiting = asyncio.create_task(lone.write(other, 0, [bytes(60)], 60))
    await turns()
    assert not waiting.done()
    closing = asyncio.create_task(lone.close_part(other))
    await turns()
    await blocked.end()
    with pytest.raises(PermanentError, match="closed"):
        await waiting
    await closing
    assert lone.snapshot().in_flight == 0


async def test_nothing_is_written_behind_a_close(lone, folder, event):
    part = await lone.open_part(folder, "y", size=None)
    blocked = Blocked(lone, event)
    await blocked.wait_started()
    closing = asyncio.create_task(lone.close_part(part))
    await turns()
    assert part.is_open
    with pytest.raises(PermanentError, match="closed"):
        await lone.write(part, 0, [b"late"], 4)
    await blocked.end()
    await closing


async def test_run_calls_a_function_in_a_thread(writer):
    thread = await writer.run("look", "x", threading.get_ident)
    assert thread != threading.get_ident()
    assert await writer.run("add", "x", lambda a, b: a + b, 1, 2) == 3


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (OSError(28, "No space left on device"), "disk_full"),
        (PermissionError(13, "Permission denied"), "not_writable"),
        (LocalError("in_use", "busy"), "in_use"),
        (ZeroDivisionError("oops"), "internal"),
    ],
)
async def test_exceptions_of_a_call_are_converted(writer, error, kind):
    def fail():
        raise error

    with pytest.raises(PermanentError) as caught:
        await writer.run("look at", "x\x1b[2J", fail)
    assert caught.value.kind == kind
    assert "\x1b" not in str(caught.value)


async def test_short_calls_share_a_batch(lone, event):
    blocked = Blocked(lone, event)
    await blocked.wait_started()
    before = lone.snapshot().batches
    calls = [asyncio.create_task(lone.run("n", "x", int, n)) for n in range(32)]
    await turns()
    await blocked.end()
    assert await asyncio.gather(*calls) == list(range(32))
    assert lone.snapshot().batches == before + 3


# -- threads -------------------------------------------------------------------------


async def test_the_snapshot_shows_what_a_thread_does(writer, event):
    blocked = Blocked(writer, event)
    await blocked.wait_started()
    first, second = writer.snapshot().workers
    assert first[:3] == ("block", "thread", 1)
    assert first.elapsed_s >= 0
    assert second == ("idle", "", 0, 0, 0.0, 0.0)
    await blocked.end()
    assert [status.operation for status in writer.snapshot().workers] == [
        "idle",
        "idle",
    ]


async def test_more_writers_start_immediately(lone, event):
    blocked = Blocked(lone, event)
    await blocked.wait_started()
    waiting = asyncio.create_task(lone.run("look", "x", int, 7))
    await turns()
    assert not waiting.done()
    lone.set_writers(3)
    assert lone.snapshot().writers == 3
    assert len(lone.snapshot().workers) == 3
    assert await waiting == 7
    await blocked.end()


async def test_fewer_writers_let_busy_ones_finish(writer, event):
    writer.set_writers(3)
    blocked = [Blocked(writer, event), Blocked(writer, event)]
    for one in blocked:
        await one.wait_started()
    writer.set_writers(1)
    waiting = asyncio.create_task(writer.run("look", "x", int, 7))
    await turns()
    operations = [status.operation for status in writer.snapshot().workers]
    assert operations == ["block", "block"]
    assert not waiting.done()
    for one in blocked:
        await one.end()
    assert await waiting == 7
    assert len(writer.snapshot().workers) == 1


@pytest.mark.parametrize(("asked", "got"), [(0, 1), (-3, 1), (1000, MAX_WRITERS)])
async def test_the_number_of_writers_is_limited(writer, asked, got):
    writer.set_writers(asked)
    assert writer.snapshot().writers == got


async def test_one_thread_is_always_left_for_writes(writer, folder, event):
    part = await writer.open_part(folder, "x", size=None)
    blocked = [Blocked(writer, event) for _ in range(3)]
    await blocked[0].wait_started()
    await writer.write(part, 0, [b"abc"], 3)
    await writer.flush(part, sync=False)
    assert part.flushed == RangeSet([(0, 3)])
    assert writer.snapshot().workers[0].operation == "block"
    for one in blocked:
        await one.end()
    await writer.discard(part)


async def test_inline_writes_run_on_the_loop(writer, folder, monkeypatch):
    part = await writer.open_part(folder, "x", size=3)
    threads = []
    real = os.pwritev

    def spy(*args):
        threads.append(threading.current_thread())
        return real(*args)

    monkeypatch.setattr(os, "pwritev", spy)
    writer.set_inline(True)
    assert writer.snapshot().is_inline
    await writer.write(part, 0, [b"abc"], 3)
    await writer.finish(part, "x", overwrite=False)
    done = []
    writer.store(
        SmallFile(folder, "y", [b"a"], 1, None, False, lambda *a: done.append(a[1]))
    )
    await turns()
    assert done == [None]
    assert set(threads) == {threading.main_thread()}
    writer.set_inline(False)
    assert not writer.snapshot().is_inline
    assert await writer.run("look", "x", threading.get_ident) != threading.get_ident()


async def test_a_slow_disk_delays_threads_but_not_the_loop(lone, folder, monkeypatch):
    slept = []
    monkeypatch.setattr(
        "tui.disk.scheduler.time.sleep",
        lambda s: slept.append((s, threading.current_thread())),
    )
    part = await lone.open_part(folder, "x", size=6)
    assert slept == [], "only writes are slow"
    lone.set_delay(0.05)
    await lone.write(part, 0, [b"abc"], 3)
    await lone.flush(part, sync=False)
    ((seconds, thread),) = slept
    assert seconds == 0.05
    assert thread is not threading.main_thread()
    assert lone.snapshot().p50_s >= 0.05
    lone.set_inline(True)
    await lone.write(part, 3, [b"def"], 3)
    await lone.flush(part, sync=False)
    assert slept[1] == (0.05, threading.main_thread())
    lone.set_delay(0)
    await lone.finish(part, "x", overwrite=False)
    assert len(slept) == 2
    assert sum(worker.busy_s for worker in lone.snapshot().workers) > 0


async def test_inline_works_while_every_thread_is_blocked(lone, event):
    blocked = Blocked(lone, event)
    await blocked.wait_started()
    lone.set_inline(True)
    assert await lone.run("look", "x", int, 7) == 7
    await blocked.end()


async def test_closing_finishes_everything_handed_over(tmp_path, lone, folder, event):
    part = await lone.open_part(folder, "x", size=None)
    blocked = Blocked(lone, event)
    await blocked.wait_started()
    writes = [
        asyncio.create_task(lone.write(part, 60 * i, [bytes(60)], 60)) for i in range(4)
    ]
    closing = asyncio.create_task(lone.close())
    await turns()
    assert not closing.done()
    await blocked.end()
    await closing
    await asyncio.gather(*writes)
    assert part.flushed == RangeSet([(0, 240)])
    await lone.close_part(part)
    await lone.close()
    assert (tmp_path / "x.part").stat().st_size == 240


# -- measurements --------------------------------------------------------------------


class HandClock:
    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def wall(self) -> float:
        return 1.7e9


async def test_the_writer_measures_its_throughput(tmp_path):
    clock = HandClock()
    writer = DiskWriter(writers=1, in_flight_limit=1 << 30, fsync=True, clock=clock)
    folder = await OutputFolders(tmp_path, writer).folder("")
    part = await writer.open_part(folder, "x", size=None)
    for _ in range(60):
        await writer.write(part, 0, [bytes(1000)], 1000)
        await writer.flush(part, sync=False)
        clock.now += 0.5
        speed = writer.snapshot().speed
    assert speed == pytest.approx(2000, rel=0.01)
    clock.now += 3.0
    assert writer.snapshot().speed == pytest.approx(2000 / 2.718, rel=0.02)
    snapshot = writer.snapshot()
    assert writer.written == 60_000
    assert snapshot.batches == snapshot.operations == 62
    assert snapshot.p50_s == snapshot.p99_s == 0.0, (
        "the clock did not advance during writes"
    )
    await writer.discard(part)
    await writer.close()


async def test_slow_writes_appear_in_the_percentiles(tmp_path, folder, monkeypatch):
    clock = HandClock()
    writer = DiskWriter(writers=1, in_flight_limit=1 << 30, fsync=True, clock=clock)
    real = os.pwritev

    def slow(fd, buffers, offset):
        clock.now += 0.25 if offset == 0 else 0.001
        return real(fd, buffers, offset)

    part = await writer.open_part(folder, "x", size=None)
    monkeypatch.setattr(os, "pwritev", slow)
    for offset in range(20):
        await writer.write(part, 2 * offset, [b"x"], 1)
        await writer.flush(part, sync=False)
    snapshot = writer.snapshot()
    assert snapshot.p50_s == pytest.approx(0.001)
    assert snapshot.p99_s == pytest.approx(0.25)
    await writer.finish(part, "x", overwrite=False)
    assert writer.snapshot().sync_p99_s == 0.0
    await writer.close()
