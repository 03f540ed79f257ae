"""Measure the cost of each piece, to locate a regression.

``python -m tests.bench.pieces`` prints microseconds per file, line, MiB or call: the
CPU time of the loop thread (which limits files per second) and of the process, and wall
time. The best of five; on a busy machine, wall time is still higher.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import platform
import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import uvloop

from tests.bench.cost import Meter
from tests.bench.lists import lists
from tests.bench.machine import describe, scratch
from tests.bench.server import Server
from tests.bench.start import start_up
from tests.bench.work import KIB, MIB, Data, Work
from tui.core.clock import SystemClock
from tui.core.download import Download, DownloadState
from tui.core.events import Done, Started
from tui.core.request import DownloadRequest, origin_of
from tui.core.settings import Settings
from tui.disk.folders import OutputFolders
from tui.disk.small_files import SmallFile
from tui.disk.writer import DiskWriter
from tui.engine import open_engine
from tui.engine.download.target import TargetResolver
from tui.engine.events import EventBus
from tui.engine.job import Job
from tui.engine.registry import DownloadRegistry
from tui.engine.scheduling.queue import DownloadQueue
from tui.net.request import GetRequest
from tui.net.resource import read_resource_info
from tui.net.session import HttpSession

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from tui.disk.folders import Folder

SMALL = Work("small", "small", 2000, 10 * KIB, 16)
LARGE = Work("big", "big", 1, 256 * MIB, 1)
_S = DownloadState


# -- pieces without a network --------------------------------------------------------


def downloads(urls: list[str]) -> list[Download]:
    """Create downloads as the engine does."""
    return [
        Download(number, DownloadRequest((url,)), origin_of(url), f"{number:06d}.bin")
        for number, url in enumerate(urls)
    ]


def bookkeeping(meter: Meter, urls: list[str]) -> None:
    """Measure the loop's work per file, without network and disk."""
    count = len(urls)
    made: list[Download] = []
    registry = DownloadRegistry(SystemClock())
    queue = DownloadQueue(0)

    def enter() -> None:
        nonlocal registry, queue
        made[:] = downloads(urls)
        registry, queue = DownloadRegistry(SystemClock()), DownloadQueue(0)
        for download in made:
            registry.enter(download)

    def move() -> None:
        for download in made:
            registry.move(download, _S.PROBING)
            registry.set_size(download, 10240)
            registry.count(download, 10240)
            registry.move(download, _S.VERIFYING)
            registry.move(download, _S.DONE)

    def pass_on() -> None:
        for download in made:
            queue.push(download)
        while (download := queue.take(1.0)) is not None:  # type: ignore[assignment]
            download.state = _S.PROBING
            queue.release(download.origin)

    bus = EventBus()
    heard = bus.subscribe()

    def publish() -> None:
        for number in range(count):
            bus.publish(Started(number, 1.0, 1))
            bus.publish(Done(number, 1.0))
        heard.drain()

    meter.call("registry: 3 moves, size, count", "file", count, move, enter)
    meter.call("queue: push, take, release", "file", count, pass_on, enter)
    meter.call("events: started, done", "file", count, publish)


async def disk(meter: Meter, home: Path) -> None:
    """Measure name reservations, small files and large writes through the writer."""
    for fsync in (True, False):
        writer = DiskWriter(
            writers=4, in_flight_limit=64 * MIB, fsync=fsync, clock=SystemClock()
        )
        folders = OutputFolders(home / "disk", writer)
        folder = await folders.folder("")
        word = "on" if fsync else "off"
        await _store(meter, f"SmallFile of 10 KiB, fsync {word}", writer, folder)
        await _write(meter, f"writer, fsync {word}", writer, folder)
        if fsync:
            _reserve(meter, TargetResolver(Settings(), folders, writer))
        await folders.close()
        await writer.close()
        shutil.rmtree(home / "disk")


async def _store(meter: Meter, piece: str, writer: DiskWriter, folder: Folder) -> None:
    body = bytes(SMALL.size)
    batches = itertools.count()

    async def store() -> None:
        batch = next(batches)
        stored = asyncio.Semaphore(0)

        def count(_job: SmallFile, error: BaseException | None) -> None:
            assert error is None, error
            stored.release()

        for number in range(SMALL.count):
            name = f"{batch}-{number}"
            if not writer.has_room():
                await writer.wait_for_room(len(body))
            writer.store(SmallFile(folder, name, [body], len(body), None, False, count))
            if number % 16 == 15:
                await asyncio.sleep(0)  # as many as workers bring in one turn
        for _ in range(SMALL.count):
            await stored.acquire()

    await meter.wait(piece, "file", SMALL.count, store)


async def _write(meter: Meter, piece: str, writer: DiskWriter, folder: Folder) -> None:
    block = memoryview(bytes(64 * KIB))
    batches = itertools.count()

    async def write() -> None:
        name = f"large-{next(batches)}"
        part = await writer.open_part(folder, name, size=LARGE.size)
        for at in range(0, LARGE.size, MIB):
            await writer.write(part, at, [block] * 16, MIB)
        await writer.finish(part, name, overwrite=False)
        await writer.close_part(part)

    await meter.wait(piece, "MiB", LARGE.size // MIB, write, 3)


def _reserve(meter: Meter, targets: TargetResolver) -> None:
    made: list[Job] = []
    batches = itertools.count()

    def renew() -> None:
        start = next(batches) * SMALL.count
        urls = [f"http://h/{start + n}" for n in range(SMALL.count)]
        made[:] = map(Job, downloads(urls))
        for number, job in enumerate(made, start):
            job.download.name = f"reserved-{number}"

    def reserve() -> None:
        for job in made:
            assert targets.reserve(job) is not None

    meter.call("reservation of a name", "file", SMALL.count, reserve, renew)


# -- the network ---------------------------------------------------------------------


async def network(meter: Meter, small: list[str], large: str) -> None:
    """Measure requests and the parsing of responses."""
    session = HttpSession(Settings())

    async def read(url: str) -> None:
        reply = await session.open(GetRequest(url))
        while await reply.read() is not None:
            pass
        await reply.close()

    async def one_by_one() -> None:
        for url in small[:1000]:
            await read(url)

    async def sixteen() -> None:
        left = iter(small)

        async def work() -> None:
            for url in left:
                await read(url)

        async with asyncio.TaskGroup() as group:
            for _ in range(16):
                group.create_task(work())

    await meter.wait("session: open, read, close; 1 at once", "file", 1000, one_by_one)
    await meter.wait(
        "session: open, read, close; 16 at once", "file", len(small), sixteen
    )
    target = GetRequest(small[0])
    reply = await session.open(target)
    meter.call(
        "read_resource_info",
        "answer",
        5000,
        lambda: [read_resource_info(reply, target) for _ in range(5000)],
    )
    await reply.close()
    mib = LARGE.size // MIB
    await meter.wait("session: one connection", "MiB", mib, lambda: read(large))
    await session.close()


# -- the whole engine ----------------------------------------------------------------


async def whole(meter: Meter, home: Path, small: list[str], large: str) -> None:
    """Measure the engine from list to files."""
    output = home / "whole"

    async def fetch(urls: list[str], at_once: int, *, is_heard: bool) -> None:
        settings = Settings(output_dir=output, concurrency=at_once, segments=1)
        engine = await open_engine(settings)
        heard = engine.subscribe() if is_heard else None
        engine.add([DownloadRequest((url,)) for url in urls])
        await engine.wait_idle()
        assert engine.snapshot().counts[_S.DONE] == len(urls)
        if heard is not None:
            heard.drain()
        await engine.close()
        shutil.rmtree(output)

    async def unheard() -> None:
        await fetch(small, 16, is_heard=False)

    async def heard() -> None:
        await fetch(small, 16, is_heard=True)

    async def one() -> None:
        await fetch([large], 1, is_heard=False)

    await meter.wait("engine, 16 at once, no events", "file", len(small), unheard)
    await meter.wait("engine, 16 at once, events", "file", len(small), heard)
    await meter.wait("engine, one connection", "MiB", LARGE.size // MIB, one)


# -- all of it -----------------------------------------------------------------------


def run(home: Path) -> str:
    """Measure everything below ``home``; return the report."""
    meter = Meter()
    data = Data(home / "data")
    data.make(SMALL)
    data.make(LARGE)
    with Server(home / "server", data.root) as server:
        small = SMALL.write_list(home / "small.txt", server)
        large = LARGE.write_list(home / "large.txt", server)[0]
        imports = start_up(meter, small[0], home)
        bookkeeping(meter, small)
        stages: list[Coroutine[None, None, None]] = [
            lists(meter, home),
            disk(meter, home),
            network(meter, small, large),
            whole(meter, home, small, large),
        ]
        for stage in stages:
            uvloop.run(stage)
    began = f"# Pieces\n\n{describe(home)}Python {platform.python_version()}.\n\n"
    return began + meter.table() + imports


def main() -> None:
    """Read the options, measure, print, clean up."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.pieces", description=__doc__
    )
    parser.add_argument("--dir", type=Path, help="for data and output (a tmpfs)")
    parser.add_argument("--out", type=Path, help="write the report there as well")
    options = parser.parse_args()
    base = scratch(options.dir, 2 << 30)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="fetchtui-bench-", dir=base) as folder:
        report = run(Path(folder))
    report += f"\nTook {time.monotonic() - began:.0f} s.\n"
    print(report)
    if options.out is not None:
        options.out.write_text(report)


if __name__ == "__main__":
    main()
