"""How many threads write at the same time on fast, slow and blocked disks."""

from __future__ import annotations

import threading

import pytest

from tests.support.until import until
from tui.core.clock import SystemClock
from tui.disk import platform, scheduler
from tui.disk.batches import Batch, FinishBatch
from tui.disk.small_files import SmallFile
from tui.disk.writer import DiskWriter


@pytest.fixture
async def writer(monkeypatch):
    monkeypatch.setattr(scheduler, "cores", lambda: 1)
    writer = DiskWriter(
        writers=4, in_flight_limit=1 << 30, fsync=False, clock=SystemClock()
    )
    yield writer
    await writer.close()


class Disk:
    """Blocks writes until it is opened, and counts the concurrent ones."""

    def __init__(self, monkeypatch):
        self.active = self.most = 0
        self.is_open = threading.Event()
        self._real = platform.write_at
        monkeypatch.setattr(platform, "write_at", self._write_at)

    def _write_at(self, *args):
        self.active += 1
        self.most = max(self.most, self.active)
        self.is_open.wait(10)
        self._real(*args)
        self.active -= 1


async def parts_of(writer, folder, count):
    return [
        await writer.open_part(folder, f"f{number}", size=None)
        for number in range(count)
    ]


async def test_on_a_fast_disk_writes_use_no_more_threads_than_cores(
    writer, folder, monkeypatch
):
    monkeypatch.setattr(scheduler, "LONG_S", 60)
    monkeypatch.setattr(scheduler, "SLOW_MIB_S", 60)
    parts = await parts_of(writer, folder, 3)
    disk = Disk(monkeypatch)
    # More than fits in a batch, so that each part gets its own.
    for part in parts:
        await writer.write(part, 0, [bytes(5 << 20)], 5 << 20)
    await until(lambda: disk.active)
    assert writer.snapshot().queued == 2
    disk.is_open.set()
    for part in parts:
        await writer.flush(part, sync=False)
    assert disk.most == 1


async def test_a_blocked_disk_does_not_delay_other_writes(writer, folder, monkeypatch):
    monkeypatch.setattr(scheduler, "LONG_S", 0.0)
    parts = await parts_of(writer, folder, 3)
    disk = Disk(monkeypatch)
    for part in parts:
        await writer.write(part, 0, [bytes(5 << 20)], 5 << 20)
    # With nothing new to write, the writer checks again by itself.
    await until(lambda: disk.active == 3)
    disk.is_open.set()
    for part in parts:
        await writer.flush(part, sync=False)


async def test_on_a_slow_disk_all_threads_write(writer, folder, monkeypatch):
    monkeypatch.setattr(scheduler, "LONG_S", 60)
    monkeypatch.setattr(scheduler, "SLOW_MIB_S", 1e-9)
    parts = await parts_of(writer, folder, 4)
    await writer.write(parts[0], 0, [bytes(1 << 20)], 1 << 20)
    await writer.flush(parts[0], sync=False)
    disk = Disk(monkeypatch)
    for part in parts[1:]:
        await writer.write(part, 0, [bytes(5 << 20)], 5 << 20)
    await until(lambda: disk.active == 3)
    disk.is_open.set()
    for part in parts:
        await writer.flush(part, sync=False)


@pytest.mark.parametrize(("limit_s", "most"), [(60.0, 1), (0.0, 2)])
async def test_small_files_use_one_thread_unless_the_disk_is_slow(
    writer, folder, monkeypatch, limit_s, most
):
    monkeypatch.setattr(scheduler, "LONG_S", 60)
    monkeypatch.setattr(scheduler, "SLOW_SMALL_FILE_S", limit_s)
    done = []

    def store(name):
        writer.store(
            SmallFile(
                folder, name, [b"x"], 1, None, False, lambda job, e: done.append(e)
            )
        )

    store("first")
    await until(lambda: done)
    disk = Disk(monkeypatch)
    for number in range(300):
        store(f"s{number}")
    await until(lambda: disk.active == most)
    disk.is_open.set()
    await until(lambda: len(done) == 301)
    assert set(done) == {None}
    assert (disk.most > 1) is (most > 1)


class HandClock(SystemClock):
    """A clock that the test sets."""

    now_s = 100.0

    def monotonic(self):
        return self.now_s


def test_more_threads_than_cores_help_only_where_one_waits(monkeypatch):
    monkeypatch.setattr(scheduler, "cores", lambda: 2)
    clock = HandClock()
    governor = scheduler.ThreadGovernor(clock)
    hashing = Batch([object()], 0, clock)
    governor.start(hashing)
    assert governor.useful(4) == 2
    assert governor.useful(1) == 1
    clock.now_s += 2 * scheduler.LONG_S
    assert governor.useful(4) == 3
    governor.finish(hashing)
    assert governor.useful(4) == 2


@pytest.mark.parametrize(("took_s", "useful"), [(0.001, 2), (0.02, 4)])
def test_where_syncs_take_long_all_threads_help(monkeypatch, took_s, useful):
    monkeypatch.setattr(scheduler, "cores", lambda: 2)
    clock = HandClock()
    governor = scheduler.ThreadGovernor(clock)
    syncing = FinishBatch([object(), object()], clock, fsync=True)
    governor.start(syncing)
    clock.now_s += 2 * took_s
    governor.finish(syncing)
    assert governor.useful(4) == useful
