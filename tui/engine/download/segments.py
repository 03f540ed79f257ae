"""What is missing of one file, and which connection is on which part of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.core.segment import split_range
from tui.engine.download.segment_reader import Segment

if TYPE_CHECKING:
    from collections.abc import Iterable

LEAST_SPLIT = 1 << 20
"""Ranges are not split below this: a request costs a round trip, in which a fast link
moves about as much."""
SLOW_SHARE = 0.3
"""A segment under this share of the mean pace is started anew, as Surge does it."""
SLOW_AFTER_S = 5.0
RACE_AFTER_S = 2.0
"""A segment that has run this long and needs as long again is worth a race."""


class SegmentScheduler:
    """Gaps that nobody works on, and segments that somebody does.

    Together with what has arrived they tile the file exactly, always.
    """

    __slots__ = ("gaps", "segments")

    def __init__(self, gaps: Iterable[tuple[int, int | None]]) -> None:
        self.gaps: list[tuple[int, int | None]] = list(gaps)
        """Half-open, in order; ``None`` ends a body of unknown length."""
        self.segments: list[Segment] = []

    def take(
        self, position: int, *, only_there: bool, url: str, now: float
    ) -> Segment | None:
        """Give a connection its next segment, or ``None`` when nothing is left for it.

        The gap at ``position`` goes first (the reply at hand may go on into it), then
        the first gap, then the second half of the largest segment still running. At
        the very end, where halving is not worth it, it races the slowest one for the
        last bytes: so no connection idles while another drags.

        Args:
            position: where the connection's reply stands; -1 for none.
            only_there: no other range can be asked for (the server ignores ranges).
            url: for showing.
            now: monotonic seconds.
        """
        at = next((i for i, gap in enumerate(self.gaps) if gap[0] == position), None)
        if at is None and self.gaps and not only_there:
            at = 0
        if at is not None:
            segment = Segment(*self.gaps.pop(at), url, now)
        elif only_there or self.gaps:
            return None
        else:
            other = self._steal(url, now) or self._race(url, now)
            if other is None:
                return None
            segment = other
        self.segments.append(segment)
        return segment

    def _steal(self, url: str, now: float) -> Segment | None:
        halves = self._halves()
        if halves is None:
            return None
        victim, middle, end = halves
        victim.end = middle
        return Segment(middle, end, url, now)

    def _race(self, url: str, now: float) -> Segment | None:
        slowest = self._slowest(now)
        if slowest is None:
            return None
        rival = Segment(slowest.at, slowest.end, url, now)
        rival.rival, slowest.rival = slowest, rival
        return rival

    def _slowest(self, now: float) -> Segment | None:
        """Return the segment worth racing: the last to end, if that takes long."""
        waits = [
            (s.remaining / max(1.0, s.speed(now)), s)
            for s in self.segments
            if s.rival is None and s.remaining and now - s.started_at >= RACE_AFTER_S
        ]
        wait_s, segment = max(waits, key=lambda wait: wait[0], default=(0.0, None))
        return segment if wait_s >= RACE_AFTER_S else None

    def shorten(self, segment: Segment, end: int) -> None:
        """Let a segment end at ``end`` already; the rest becomes a gap.

        Of two rivals the other one has the rest, so there it is no gap; and this one
        may not win any more.
        """
        if segment.end is None or end >= segment.end:
            return
        if segment.rival is not None:
            _part_ways(segment.rival, segment)
        else:
            self.gaps.append((end, segment.end))
            self.gaps.sort(key=lambda gap: gap[0])
        segment.end = end

    def finish(self, segment: Segment) -> int:
        """The segment has arrived.

        Returns:
            Bytes that it and a rival, which has lost by that, both fetched.
        """
        self.segments.remove(segment)
        loser = segment.rival
        twice = _part_ways(segment, loser)
        if loser is not None:
            loser.end = loser.at
        return twice

    def give_back(self, segment: Segment) -> int:
        """Let others have what a stopped connection did not fetch.

        Returns:
            Bytes that it and a rival, who goes on for both, fetch twice.
        """
        if segment not in self.segments:
            return 0
        self.segments.remove(segment)
        if segment.rival is not None:
            return _part_ways(segment.rival, segment)
        if segment.end is None or segment.at < segment.end:
            self.gaps.append((segment.at, segment.end))
            self.gaps.sort(key=lambda gap: gap[0])
        return 0

    def abandon(self) -> None:
        """Let every running connection find at its next chunk that it has all."""
        self.gaps.clear()
        for segment in self.segments:
            if segment.end is not None:
                segment.end = segment.at

    def has_work_for(self, connections: int, now: float) -> bool:
        """Whether one more than ``connections`` idle ones would find work."""
        if len(self.gaps) > connections or self._halves() is not None:
            return True
        return not self.gaps and self._slowest(now) is not None

    def laggards(self, now: float) -> list[Segment]:
        """Return segments that drag far behind their siblings: better started anew.

        A connection can be stuck on a bad route or a tired server; a fresh one often
        is not. (The most repeated complaint: "99 %, and the last one crawls".)
        """
        paces = [
            (segment, segment.speed(now))
            for segment in self.segments
            if now - segment.started_at >= SLOW_AFTER_S
        ]
        mean = sum(pace for _, pace in paces) / len(paces) if paces else 0.0
        return [segment for segment, pace in paces if pace < SLOW_SHARE * mean]

    def _halves(self) -> tuple[Segment, int, int] | None:
        alone = (s for s in self.segments if s.rival is None)
        victim = max(alone, key=lambda s: s.unclaimed, default=None)
        if victim is None or victim.end is None:
            return None
        halves = split_range(victim.end - victim.unclaimed, victim.end, LEAST_SPLIT)
        return None if halves is None else (victim, halves[0][1], halves[1][1])


def _part_ways(winner: Segment, loser: Segment | None) -> int:
    """End a race; return the bytes that both fetched."""
    if loser is None:
        return 0
    winner.rival = loser.rival = None
    # The race began where the later of the two did.
    return max(0, loser.at - max(winner.start, loser.start))
