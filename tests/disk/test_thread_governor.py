"""How many trips go out at once, on disks that are fast, slow or dead."""

from __future__ import annotations

import threading

import pytest

from tests.support.until import until
from tui.core.clock import SystemClock
from tui.disk import platform, scheduler
from tui.disk.small_files import SmallFile
from tui.disk.writer import DiskWriter


@pytest.fixture
async def writer(monkeypatch):
    monkeypatch.setattr(scheduler, "_cores", lambda: 1)
    writer = DiskWriter(
        writers=4, in_flight_limit=1 << 30, fsync=False, clock=SystemClock()
    )
    yield writer
    await writer.close()


class Disk:
    """Takes writes when it is told to, and counts who is at it."""

    def __init__(self, monkeypatch):
        self.at_it = self.most = 0
        self.is_open = threading.Event()
        self._real = platform.write_at
        monkeypatch.setattr(platform, "write_at", self._write_at)

    def _write_at(self, *args):
        self.at_it += 1
        self.most = max(self.most, self.at_it)
        self.is_open.wait(10)
        self._real(*args)
        self.at_it -= 1


async def parts_of(writer, folder, count):
    return [
        await writer.open_part(folder, f"f{number}", size=None, resume=False)
        for number in range(count)
    ]


async def test_writes_beyond_the_cores_wait_where_the_disk_is_fast(
    writer, folder, monkeypatch
):
    monkeypatch.setattr(scheduler, "LONG_S", 60)
    monkeypatch.setattr(scheduler, "SLOW_MIB_S", 60)
    parts = await parts_of(writer, folder, 3)
    disk = Disk(monkeypatch)
    # More than a trip takes, so that each part has one of its own.
    for part in parts:
        await writer.write(part, 0, [bytes(5 << 20)], 5 << 20)
    await until(lambda: disk.at_it)
    assert writer.snapshot().queued == 2
    disk.is_open.set()
    for part in parts:
        await writer.flush(part, sync=False)
    assert disk.most == 1


async def test_a_disk_that_does_not_answer_keeps_nobody_else_waiting(
    writer, folder, monkeypatch
):
    monkeypatch.setattr(scheduler, "LONG_S", 0.0)
    parts = await parts_of(writer, folder, 3)
    disk = Disk(monkeypatch)
    for part in parts:
        await writer.write(part, 0, [bytes(5 << 20)], 5 << 20)
    # With nothing new to write, the writer looks again by itself.
    await until(lambda: disk.at_it == 3)
    disk.is_open.set()
    for part in parts:
        await writer.flush(part, sync=False)


async def test_on_a_slow_disk_all_slots_write(writer, folder, monkeypatch):
    monkeypatch.setattr(scheduler, "LONG_S", 60)
    monkeypatch.setattr(scheduler, "SLOW_MIB_S", 1e-9)
    parts = await parts_of(writer, folder, 4)
    await writer.write(parts[0], 0, [bytes(1 << 20)], 1 << 20)
    await writer.flush(parts[0], sync=False)
    disk = Disk(monkeypatch)
    for part in parts[1:]:
        await writer.write(part, 0, [bytes(5 << 20)], 5 << 20)
    await until(lambda: disk.at_it == 3)
    disk.is_open.set()
    for part in parts:
        await writer.flush(part, sync=False)


@pytest.mark.parametrize(("limit_s", "most"), [(60.0, 1), (0.0, 2)])
async def test_small_files_go_in_one_trip_at_a_time_unless_the_disk_is_slow(
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
    await until(lambda: disk.at_it == most)
    disk.is_open.set()
    await until(lambda: len(done) == 301)
    assert set(done) == {None}
    assert (disk.most > 1) is (most > 1)
