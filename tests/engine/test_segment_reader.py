"""Reading a segment: no byte is lost or read twice, whatever the chunks."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.core.clock import SystemClock
from tui.core.download import Download
from tui.core.errors import TransientError
from tui.core.request import DownloadRequest
from tui.engine.download.ranges.segment_reader import SegmentReader
from tui.engine.download.ranges.segments import Segment
from tui.engine.job import Job
from tui.engine.metrics.wait_times import Waits
from tui.engine.registry import DownloadRegistry
from tui.net.limiter import Limiter


class Stream:
    """Gives chunks of the sizes asked for, then ends."""

    def __init__(self, body: bytes, sizes: list[int]) -> None:
        self._chunks = []
        at = 0
        for size in sizes:
            if at < len(body):
                self._chunks.append(body[at : at + size])
            at += size
        if at < len(body):
            self._chunks.append(body[at:])

    async def read(self) -> bytes | None:
        return self._chunks.pop(0) if self._chunks else None


class Sink:
    """A file in memory."""

    def __init__(self, size: int) -> None:
        self.bytes = bytearray(size)
        self.written = 0

    def accepts(self, nbytes: int) -> bool:
        return nbytes % 2 == 0  # it waits for some and for others not

    async def write(
        self, part: object, offset: int, buffers: list[Any], nbytes: int
    ) -> None:
        data = b"".join(bytes(buffer) for buffer in buffers)
        assert len(data) == nbytes
        self.bytes[offset : offset + nbytes] = data
        self.written += nbytes


class SmallBuffers(SegmentReader):
    """Writes every 100 bytes."""

    def _buffer_bytes(self) -> int:
        return 100


def reader_into(sink: Sink) -> SegmentReader:
    clock = SystemClock()
    download = Download(0, DownloadRequest(("http://a/x",)), "http://a", "x")
    registry = DownloadRegistry(clock)
    registry.enter(download)
    context: Any = SimpleNamespace(
        clock=clock,
        registry=registry,
        writer=sink,
        limiter=Limiter(None, clock),
        waits=Waits(),
    )
    part: Any = object()
    return SmallBuffers(context, Job(download), part)


@given(
    body=st.binary(max_size=400),
    sizes=st.lists(st.integers(1, 90), max_size=12),
    cuts=st.lists(st.integers(0, 400), max_size=5),
)
async def test_one_response_read_as_many_segments_is_the_same_file(
    body: bytes, sizes: list[int], cuts: list[int]
) -> None:
    """What a chunk brings beyond a segment's end belongs to the next one.

    It was thrown away once, and the next range was written from the wrong place.
    """
    sink = Sink(len(body))
    transfer = reader_into(sink)
    stream: Any = Stream(body, sizes)
    rest = None
    ends = sorted({cut for cut in cuts if 0 < cut < len(body)} | {len(body)})
    start = 0
    for end in ends:
        if start < end:
            segment = Segment(start, end, "http://a/x", 0.0)
            rest = await transfer.run(stream, segment, rest)
            assert segment.at == end
        start = end
    assert bytes(sink.bytes) == body
    assert sink.written == len(body)


async def test_a_body_that_ends_early_keeps_what_came() -> None:
    sink = Sink(10)
    segment = Segment(0, 10, "http://a/x", 0.0)
    stream: Any = Stream(b"abcdef", [2, 2, 2])
    with pytest.raises(TransientError, match="4 bytes early"):
        await reader_into(sink).run(stream, segment)
    assert bytes(sink.bytes[:6]) == b"abcdef"
    assert segment.at == 6


async def test_a_segment_whose_rest_was_stolen_stops_at_its_new_end() -> None:
    sink = Sink(10)
    segment = Segment(0, 10, "http://a/x", 0.0)

    class Thief(Stream):
        async def read(self) -> bytes | None:
            chunk = await super().read()
            segment.end = 5
            return chunk

    stream: Any = Thief(b"abcdefghij", [4, 4, 2])
    rest = await reader_into(sink).run(stream, segment)
    assert bytes(sink.bytes[:5]) == b"abcde"
    assert rest is not None
    assert bytes(rest) == b"fgh"
    assert sink.written == 5
