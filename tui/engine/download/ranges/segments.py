"""The segments of a file: which connection downloads which part, and from where."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Any

from tui.core.errors import ErrorKind, TransientError
from tui.core.segment import split_range
from tui.engine.metrics.speed import FAST_TAU_S, SpeedMeter

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable

    from tui.net.resource import ResourceInfo
    from tui.net.response import Response

LEAST_SPLIT = 1 << 20
"""Ranges are not split below this at first, and later only on slow connections: a
request costs a round trip, in which a fast link moves about as much."""
SLOW_SHARE = 0.3
"""A segment below this share of the mean speed is requested again, as Surge does."""
SLOW_AFTER_S = 5.0
"""Age from which segments are compared with each other."""
_INITIAL_WINDOW = 14_600
"""Bytes with which a new connection starts (RFC 6928); doubled each round trip."""
RACE_AFTER_S = 2.0
"""A segment that has run this long and needs as long again is worth a race."""
UNANSWERED_S = 0.25
"""Least time after which a segment without a response is worth a race, where others
have one: some servers accept more connections than they serve."""
_LATE = 4
"""How many times longer than the first response of the origin that has to be."""


class Segment:
    """The range given to one connection; ``end`` may shrink while it runs."""

    __slots__ = (
        "_closing",
        "_opening",
        "at",
        "claimed",
        "end",
        "is_interrupted",
        "meter",
        "response",
        "start",
        "started_at",
        "twin",
        "url",
    )

    def __init__(self, start: int, end: int | None, url: str, now: float) -> None:
        self.start = start
        self.end = end
        """Exclusive; ``None`` for a body of unknown length."""
        self.at = start
        """Offset of the next byte to be read from the network."""
        self.claimed = start
        """A thread may already be reading up to here: others start after it."""
        self.url = url
        self.started_at = now
        self.meter = SpeedMeter(FAST_TAU_S, now, start)
        self.response: Response | None = None
        """Where its bytes come from, once there is a response."""
        self.twin: Segment | None = None
        """Another segment racing for the same last bytes; the first to finish wins."""
        self.is_interrupted = False
        self._opening: asyncio.Task[tuple[Response, ResourceInfo]] | None = None

    def __repr__(self) -> str:
        return f"<Segment {self.start}-{self.end} at {self.at}>"

    @property
    def remaining(self) -> int:
        """Bytes still to come; 0 if the length is unknown."""
        return 0 if self.end is None else self.end - self.at

    @property
    def stealable(self) -> int:
        """Remaining bytes that no thread may be reading already."""
        return 0 if self.end is None else self.end - max(self.at, self.claimed)

    def end_body(self) -> None:
        """Note that the body has ended.

        Raises:
            TransientError: bytes are missing.
        """
        if self.end is None:
            self.end = self.at
        elif left := self.remaining:
            raise TransientError(
                ErrorKind.TRUNCATED, f"the body ended {left} bytes early"
            )

    def mean_speed(self, now: float) -> float:
        """Return bytes per second since it started."""
        return (self.at - self.start) / max(0.001, now - self.started_at)

    def speed(self, now: float) -> float:
        """Return recent bytes per second; before the first sample, the mean."""
        return self.meter.speed or self.mean_speed(now)

    def interrupt(self) -> None:
        """Stop it, also while it waits for a response or for bytes of one.

        Its reader gets an error and gives back what is missing.
        """
        self.is_interrupted = True
        if self._opening is not None:
            self._opening.cancel()
        if self.response is not None:
            self._closing = asyncio.ensure_future(self.response.close())

    async def opened(
        self, opening: Coroutine[Any, Any, tuple[Response, ResourceInfo]]
    ) -> tuple[Response, ResourceInfo]:
        """Return what ``opening`` returns, unless ``interrupt`` comes first.

        Raises:
            TransientError: it was interrupted.
        """
        task = self._opening = asyncio.ensure_future(opening)
        try:
            return await task
        except asyncio.CancelledError:
            if task.done() and not task.cancelled() and task.exception() is None:
                # It came at the very moment of the stop, and nobody will read it.
                await task.result()[0].close()
            current = asyncio.current_task()
            if not self.is_interrupted or (current and current.cancelling()):
                raise
            message = "another connection was faster"
            raise TransientError(ErrorKind.STALLED, message) from None
        finally:
            self._opening = None


class SegmentScheduler:
    """Gaps that no connection works on, and segments that one does.

    Together with the bytes that have arrived they tile the file exactly, always.
    """

    __slots__ = ("gaps", "reply_s", "request_s", "segments")

    def __init__(
        self, gaps: Iterable[tuple[int, int | None]], request_s: float = 1.0
    ) -> None:
        """Share the gaps out.

        Args:
            gaps: half-open, by offset; ``None`` ends a body of unknown length.
            request_s: seconds to the first byte on a new connection. What a segment
                loads meanwhile is not worth another connection.
        """
        self.request_s = request_s
        self.reply_s = 0.0
        """Seconds to the first byte on an open connection; 0.0 if that is not known."""
        self.gaps: list[tuple[int, int | None]] = list(gaps)
        self.segments: list[Segment] = []

    def take(
        self,
        position: int,
        *,
        only_there: bool,
        url: str,
        now: float,
        is_warm: bool = False,
        gaps_only: bool = False,
    ) -> Segment | None:
        """Give a connection its next segment, or ``None`` when none is left for it.

        The gap at ``position`` comes first (the open response may continue into it),
        then the first gap, then the end of the largest segment still running.
        At the very end, where that is not worth it, the connection races the slowest
        segment for the last bytes, so that none idles while another is slow.

        Args:
            position: offset of the connection's open response; -1 for none.
            only_there: no other range can be requested (the server ignores ranges).
            url: from which its bytes are requested, unless the open response has them.
            now: monotonic seconds.
            is_warm: a connection is open for it and has left slow start.
            gaps_only: take nothing from segments that run.
        """
        at = next((i for i, gap in enumerate(self.gaps) if gap[0] == position), None)
        if at is None and self.gaps and not only_there:
            at = 0
        if at is not None:
            segment = Segment(*self.gaps.pop(at), url, now)
        elif only_there or gaps_only or self.gaps:
            return None
        else:
            other = self._steal(url, now, is_warm=is_warm) or self._race(url, now)
            if other is None:
                return None
            segment = other
        self.segments.append(segment)
        return segment

    def shorten(self, segment: Segment, end: int) -> None:
        """End a segment at ``end`` already; the rest becomes a gap.

        If the segment is in a race, its twin has the rest, so there is no gap; and the
        segment may not win any more.
        """
        if segment.end is None or end >= segment.end:
            return
        if segment.twin is not None:
            _end_race(segment.twin, segment)
        else:
            self.gaps.append((end, segment.end))
            self.gaps.sort(key=lambda gap: gap[0])
        segment.end = end

    def finish(self, segment: Segment) -> int:
        """Remove a segment that is complete.

        Returns:
            Bytes that it and its twin, which has lost the race, both downloaded.
        """
        self.segments.remove(segment)
        loser = segment.twin
        twice = _end_race(segment, loser)
        if loser is not None:
            loser.end = loser.at
        return twice

    def give_back(self, segment: Segment) -> int:
        """Let others have what a stopped connection did not download.

        Returns:
            Bytes that both it and its twin, which continues alone, have downloaded.
        """
        if segment not in self.segments:
            return 0
        self.segments.remove(segment)
        if segment.twin is not None:
            return _end_race(segment.twin, segment)
        if segment.end is None or segment.at < segment.end:
            self.gaps.append((segment.at, segment.end))
            self.gaps.sort(key=lambda gap: gap[0])
        return 0

    def received_twice(self) -> int:
        """Return the bytes that segments in a race have both downloaded so far."""
        total = 0
        for segment in self.segments:
            twin = segment.twin
            if twin is not None:
                start = max(segment.start, twin.start)
                total += max(0, min(segment.at, twin.at) - start)
        return total // 2  # each pair was seen from both sides

    def stop_all(self) -> None:
        """Make every connection find at its next chunk that its segment is complete."""
        self.gaps.clear()
        for segment in self.segments:
            if segment.end is not None:
                segment.end = segment.at

    def has_work_for(
        self, connections: int, now: float, *, gaps_only: bool = False
    ) -> bool:
        """Return True if another connection would get a segment.

        Args:
            connections: idle connections that get a segment first.
            now: monotonic seconds.
            gaps_only: as for ``take``.
        """
        if len(self.gaps) > connections:
            return True
        if gaps_only:
            return False
        return self._cut() is not None or (
            not self.gaps and self._slowest(now) is not None
        )

    def is_worth_a_request(self) -> bool:
        """Return True if it is faster to fetch a part on an open connection."""
        return not self.gaps and self._cut(is_warm=True) is not None

    def slow_segments(self, now: float) -> list[Segment]:
        """Return segments far slower than the others: better requested again.

        A connection can be stuck on a bad route or a busy server; a new one often is
        not. (The most frequent complaint: "99 %, and the last one crawls".)
        """
        speeds = [
            (segment, segment.speed(now))
            for segment in self.segments
            if now - segment.started_at >= SLOW_AFTER_S
        ]
        mean = sum(speed for _, speed in speeds) / len(speeds) if speeds else 0.0
        return [segment for segment, speed in speeds if speed < SLOW_SHARE * mean]

    def _steal(self, url: str, now: float, *, is_warm: bool) -> Segment | None:
        cut = self._cut(is_warm=is_warm)
        if cut is None:
            return None
        victim, middle, end = cut
        victim.end = middle
        return Segment(middle, end, url, now)

    def _race(self, url: str, now: float) -> Segment | None:
        slowest = self._slowest(now)
        if slowest is None:
            return None
        twin = Segment(slowest.at, slowest.end, url, now)
        twin.twin, slowest.twin = slowest, twin
        return twin

    def _slowest(self, now: float) -> Segment | None:
        """Return the segment worth racing: the last to end, if that takes long."""
        unanswered_s = min(RACE_AFTER_S, max(UNANSWERED_S, _LATE * self.request_s))
        waits = [
            (s.remaining / max(1.0, s.speed(now)), s)
            for s in self.segments
            if s.twin is None
            and s.remaining
            and now - s.started_at >= (RACE_AFTER_S if s.response else unanswered_s)
        ]
        wait_s, segment = max(waits, key=lambda wait: wait[0], default=(0.0, None))
        return segment if wait_s >= RACE_AFTER_S else None

    def _cut(self, *, is_warm: bool = False) -> tuple[Segment, int, int] | None:
        """Return the segment to cut, where, and its end: both parts end together.

        It keeps what it loads while the other connection starts, and half of the rest.
        """
        alone = (s for s in self.segments if s.twin is None)
        victim = max(alone, key=lambda s: s.stealable, default=None)
        if victim is None or victim.end is None:
            return None
        ahead, least = 0, LEAST_SPLIT
        if speed := victim.meter.speed:
            ahead = min(LEAST_SPLIT, int(speed * self._start_s(speed, is_warm=is_warm)))
            least = ahead // 2
        start = min(victim.end, victim.end - victim.stealable + ahead)
        halves = split_range(start, victim.end, least)
        return None if halves is None else (victim, halves[0][1], halves[1][1])

    def _start_s(self, speed: float, *, is_warm: bool) -> float:
        """Return the seconds that another connection loses before it is as fast."""
        round_trip_s = self.request_s / 2
        if is_warm:
            return self.reply_s or round_trip_s
        window = speed * round_trip_s
        rounds = math.log2(max(1.0, window / _INITIAL_WINDOW))
        return self.request_s + max(0.0, rounds - 1.0) * round_trip_s


def _end_race(winner: Segment, loser: Segment | None) -> int:
    """End a race; return the bytes that both segments downloaded."""
    if loser is None:
        return 0
    winner.twin = loser.twin = None
    # The race began where the later of the two did.
    return max(0, loser.at - max(winner.start, loser.start))
