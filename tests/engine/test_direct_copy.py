"""Segments copied by threads: concurrent changes, and what is counted."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from tests.engine.test_segment_reader import Sink, Stream, reader_into
from tui.core.errors import LocalError, PermanentError, TransientError
from tui.engine.download.ranges import segment_reader
from tui.engine.download.ranges.segments import LEAST_SPLIT, Segment, SegmentScheduler
from tui.engine.metrics.wait_times import Wait
from tui.net.transports.base import SocketLease

if TYPE_CHECKING:
    from collections.abc import Callable

    from tui.engine.download.ranges.segment_reader import SegmentReader

URL = "http://a/x"
BODY = bytes(range(256)) * 16


class Lender(Stream):
    """A reply that gives its first 100 bytes to the loop and lends the rest."""

    def __init__(self, body: bytes = BODY) -> None:
        super().__init__(body, [100] * (len(body) // 100))
        self.body = body
        self.at = 0
        self.lent = 0
        self.is_leased = False
        self.stops = 0
        self.taken_back: list[int] = []

    async def read(self) -> bytes | None:
        assert not self.is_leased, "the socket is the thread's"
        if self.stops:
            raise TransientError("reset", "stopped")
        chunk = self.body[self.at : self.at + 100]
        self.at += len(chunk)
        return chunk or None

    def limit_reads(self, nbytes: int | None) -> None:
        """Ignored: each read brings 100 bytes."""

    def lease(self) -> SocketLease | None:
        if self.at >= len(self.body):
            return None
        assert not self.is_leased
        assert not self.stops
        self.is_leased = True
        self.lent += 1
        source: Any = self
        return SocketLease(source, len(self.body) - self.at, self.return_)

    def return_(self, nbytes: int) -> None:
        assert self.is_leased
        self.is_leased = False
        self.at += nbytes
        self.taken_back.append(nbytes)

    def stop(self) -> None:
        self.stops += 1


class FakeCopier:
    """Copies as many bytes as a test sets; others may act before it reports them."""

    def __init__(self, sink: Sink) -> None:
        self.sink = sink
        self.is_available = True
        self.most: list[int] = []
        """Bytes that the next copies return; all of them once it is empty."""
        self.asked: list[tuple[int, int]] = []
        self.meanwhile: list[Callable[[], object]] = []
        self.error: LocalError | None = None

    async def run(
        self,
        part: Any,
        offset: int,
        nbytes: int,
        source: Any,
        on_done: Callable[[Any], None],
    ) -> None:
        self.asked.append((offset, nbytes))
        moved = min(nbytes, self.most.pop(0)) if self.most else nbytes
        data = source.body[source.at : source.at + moved]
        self.sink.bytes[offset : offset + moved] = data
        self.sink.written += moved
        if self.meanwhile:
            self.meanwhile.pop(0)()
        on_done(
            SimpleNamespace(moved=moved, busy_s=0.1, blocked_s=0.1, error=self.error)
        )
        if self.error is not None:
            raise self.error


@pytest.fixture(autouse=True)
def fast_data(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every transfer fast enough for direct copies of 1000 bytes."""
    monkeypatch.setattr(segment_reader, "FAST_FILL_S", float("inf"))
    monkeypatch.setattr(segment_reader, "LEAST_COPY_BYTES", 10)
    monkeypatch.setattr(segment_reader, "MAX_COPY_BYTES", 1000)


class Scene:
    def __init__(self, size: int = len(BODY)) -> None:
        self.sink = Sink(size)
        self.reader: SegmentReader = reader_into(self.sink)
        self.context: Any = self.reader._context
        self.copier = FakeCopier(self.sink)
        sink: Any = self.sink
        sink.direct_copier = self.copier
        part: Any = SimpleNamespace(check_open=lambda: None)
        self.reader._part = part

    @property
    def received(self) -> int:
        (download,) = self.context.registry.downloads
        assert self.context.registry.received == download.received
        return int(download.received)

    async def run(self, reply: Any, segment: Segment) -> memoryview | None:
        return await self.reader.run(reply, segment)


async def test_directly_copied_bytes_are_at_their_offset_and_counted_once() -> None:
    scene, reply = Scene(), Lender()
    segment = Segment(0, len(BODY), URL, 0.0)
    assert await scene.run(reply, segment) is None
    assert bytes(scene.sink.bytes) == BODY
    assert scene.received == scene.sink.written == segment.at == len(BODY)
    assert scene.copier.asked == [(100, 1000), (1100, 1000), (2100, 1000), (3100, 996)]
    assert segment.claimed == len(BODY)
    assert scene.reader.waits.total(Wait.DISK, scene.context.clock.monotonic()) > 0


async def test_the_loop_reads_again_when_the_data_comes_slowly() -> None:
    scene, reply = Scene(), Lender()
    scene.copier.most = [700, 9, 0]
    segment = Segment(0, len(BODY), URL, 0.0)
    await scene.run(reply, segment)
    assert bytes(scene.sink.bytes) == BODY
    assert scene.received == scene.sink.written == len(BODY)
    assert scene.copier.asked[:5] == [
        (100, 1000),
        (800, 1000),
        (909, 1000),
        (1009, 1000),
        (2009, 1000),
    ]


@pytest.mark.parametrize("end", [1500, len(BODY) + 500])
async def test_a_body_of_another_length_than_the_segment(end: int) -> None:
    scene, reply = Scene(), Lender()
    segment = Segment(0, end, URL, 0.0)
    if end > len(BODY):
        with pytest.raises(TransientError, match="500 bytes early"):
            await scene.run(reply, segment)
    else:
        assert await scene.run(reply, segment) is None
    there = min(end, len(BODY))
    assert max(offset + nbytes for offset, nbytes in scene.copier.asked) == there
    assert scene.received == segment.at == reply.at == there
    assert bytes(scene.sink.bytes[:there]) == BODY[:there]
    assert not reply.stops


async def test_a_body_of_unknown_length_is_not_copied_directly() -> None:
    scene, reply = Scene(), Lender()
    await scene.run(reply, Segment(0, None, URL, 0.0))
    assert bytes(scene.sink.bytes) == BODY
    assert not reply.lent


@pytest.mark.parametrize("why", ["limit", "own limit", "inline"])
async def test_limited_or_inline_data_is_not_copied_directly(why: str) -> None:
    """Also in the middle, after the copy that is under way."""
    scene, reply = Scene(), Lender()

    def forbid() -> None:
        if why == "limit":
            scene.context.limiter.set_rate(1e9)
        elif why == "own limit":
            scene.reader._job.limiter = scene.context.limiter
        else:
            scene.copier.is_available = False

    scene.copier.meanwhile = [forbid]
    await scene.run(reply, Segment(0, len(BODY), URL, 0.0))
    assert reply.lent == 1
    assert bytes(scene.sink.bytes) == BODY
    assert scene.received == len(BODY)


async def test_a_part_file_that_cannot_be_written_leases_no_socket() -> None:
    scene, reply = Scene(), Lender()

    def check_open() -> None:
        raise PermanentError("internal", "closed")

    part: Any = SimpleNamespace(check_open=check_open)
    scene.reader._part = part
    with pytest.raises(PermanentError):
        await scene.run(reply, Segment(0, len(BODY), URL, 0.0))
    assert not reply.lent


async def test_a_failing_disk_counts_written_bytes_and_ends_the_connection() -> None:
    """The thread has read more than it wrote: where the reply stands, nobody knows."""
    scene, reply = Scene(), Lender()
    scene.copier.most = [600]
    scene.copier.error = LocalError("disk_full", "full")
    segment = Segment(0, len(BODY), URL, 0.0)
    with pytest.raises(LocalError):
        await scene.run(reply, segment)
    assert scene.received == segment.at == segment.claimed == 700
    assert reply.stops == 1
    assert reply.taken_back == [600]


async def test_stopping_during_a_direct_copy_discards_the_response() -> None:
    scene, reply = Scene(), Lender()
    pool = SegmentScheduler([(0, len(BODY))])
    segment = pool.take(-1, only_there=False, url=URL, now=0.0)
    assert segment is not None
    scene.copier.meanwhile = [pool.stop_all]
    assert await scene.run(reply, segment) is None
    assert scene.received == segment.at == segment.end == segment.claimed == 100
    assert reply.stops == 1, "it stands behind bytes that nobody counted"
    assert reply.taken_back == [1000]


async def test_a_twin_that_wins_during_a_direct_copy_keeps_the_count_right() -> None:
    scene, reply = Scene(), Lender()
    pool = SegmentScheduler([(0, len(BODY))])
    slow = pool.take(-1, only_there=False, url=URL, now=0.0)
    assert slow is not None
    registry = scene.context.registry
    (download,) = registry.downloads

    def win() -> None:
        twin = pool.take(-1, only_there=False, url=URL, now=100.0)
        assert twin is not None
        assert (twin.start, twin.end) == (1100, len(BODY))
        registry.count(download, twin.remaining)
        twin.at = len(BODY)
        registry.set_received(download, download.received - pool.finish(twin))

    scene.copier.meanwhile = [lambda: None, win]
    await scene.run(reply, slow)
    assert scene.received == len(BODY)
    assert reply.stops == 1
    pool.finish(slow)
    assert not pool.segments
    assert not pool.gaps


async def test_stealing_during_a_direct_copy_loses_and_repeats_no_byte(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(segment_reader, "MAX_COPY_BYTES", 5 * LEAST_SPLIT)
    body = BODY * (8 * LEAST_SPLIT // len(BODY))
    scene, reply = Scene(len(body)), Lender(body)
    pool = SegmentScheduler([(0, len(body))])
    victim, thieves = taken(pool), []
    scene.copier.meanwhile = [lambda: thieves.append(taken(pool))]
    await scene.run(reply, victim)
    (thief,) = thieves
    assert thief.start >= 5 * LEAST_SPLIT + 100
    assert victim.at == victim.end == thief.start
    assert scene.received == scene.sink.written == thief.start
    assert scene.sink.bytes[: thief.start] == body[: thief.start]
    assert not reply.stops


# -- who may take what -----------------------------------------------------------------


def taken(pool: SegmentScheduler) -> Segment:
    segment = pool.take(-1, only_there=False, url=URL, now=0.0)
    assert segment is not None
    return segment


def test_stealing_starts_after_what_a_thread_may_be_reading() -> None:
    pool = SegmentScheduler([(0, 8 * LEAST_SPLIT)])
    victim = taken(pool)
    victim.claimed = 4 * LEAST_SPLIT
    thief = taken(pool)
    assert victim.end == thief.start == 6 * LEAST_SPLIT
    assert thief.end == 8 * LEAST_SPLIT
    victim.claimed = 5 * LEAST_SPLIT
    thief.claimed = 7 * LEAST_SPLIT
    assert not pool.has_work_for(0, 0.0)
    victim.at = victim.claimed = LEAST_SPLIT
    assert pool.has_work_for(0, 0.0)


def test_stealing_prefers_the_most_stealable_bytes() -> None:
    """What a thread may be reading is nothing to share."""
    pool = SegmentScheduler([(0, 5 * LEAST_SPLIT), (5 * LEAST_SPLIT, 9 * LEAST_SPLIT)])
    first, second = taken(pool), taken(pool)
    first.claimed = 4 * LEAST_SPLIT
    thief = taken(pool)
    assert (thief.start, thief.end) == (7 * LEAST_SPLIT, 9 * LEAST_SPLIT)
    assert (first.end, second.end) == (5 * LEAST_SPLIT, 7 * LEAST_SPLIT)


def test_nothing_is_stolen_from_a_stopped_segment() -> None:
    pool = SegmentScheduler([(0, 8 * LEAST_SPLIT)])
    segment = taken(pool)
    segment.claimed = 4 * LEAST_SPLIT
    pool.stop_all()
    assert pool.take(-1, only_there=False, url=URL, now=0.0) is None
    assert segment.end == 0
