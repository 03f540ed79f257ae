"""What is missing of one file, and which connection is on which part of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.core.segment import split_range
from tui.engine.transfer import Segment

if TYPE_CHECKING:
    from collections.abc import Iterable

LEAST_SPLIT = 1 << 20
"""Ranges are not split below this: a request costs a round trip, in which a fast link
moves about as much."""
SLOW_SHARE = 0.3
"""A segment under this share of the mean pace is started anew, as Surge does it."""
SLOW_AFTER_S = 5.0


class RangePool:
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
        the first gap, then the second half of the largest segment still running: so
        no connection idles while another drags.

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
            halves = self._halves()
            if halves is None:
                return None
            victim, middle, end = halves
            victim.end = middle
            segment = Segment(middle, end, url, now)
        self.segments.append(segment)
        return segment

    def shorten(self, segment: Segment, end: int) -> None:
        """Let a segment end at ``end`` already; the rest becomes a gap."""
        if segment.end is not None and end < segment.end:
            self.gaps.append((end, segment.end))
            self.gaps.sort(key=lambda gap: gap[0])
            segment.end = end

    def finish(self, segment: Segment) -> None:
        """The segment has arrived."""
        self.segments.remove(segment)

    def give_back(self, segment: Segment | None) -> None:
        """Let others have what a stopped connection did not fetch."""
        if segment is None or segment not in self.segments:
            return
        self.segments.remove(segment)
        if segment.end is None or segment.at < segment.end:
            self.gaps.append((segment.at, segment.end))
            self.gaps.sort(key=lambda gap: gap[0])

    def abandon(self) -> None:
        """Let every running connection find at its next chunk that it has all."""
        self.gaps.clear()
        for segment in self.segments:
            if segment.end is not None:
                segment.end = segment.at

    def has_work_for(self, connections: int) -> bool:
        """Whether one more than ``connections`` idle ones would find work."""
        return len(self.gaps) > connections or self._halves() is not None

    def laggards(self, now: float) -> list[Segment]:
        """Return segments that drag far behind their siblings: better started anew.

        A connection can be stuck on a bad route or a tired server; a fresh one often
        is not. (The most repeated complaint: "99 %, and the last one crawls".)
        """
        paces = [
            (segment, segment.pace(now))
            for segment in self.segments
            if now - segment.started_at >= SLOW_AFTER_S
        ]
        mean = sum(pace for _, pace in paces) / len(paces) if paces else 0.0
        return [segment for segment, pace in paces if pace < SLOW_SHARE * mean]

    def _halves(self) -> tuple[Segment, int, int] | None:
        victim = max(self.segments, key=lambda s: s.remaining, default=None)
        if victim is None or victim.end is None:
            return None
        halves = split_range(victim.at, victim.end, LEAST_SPLIT)
        return None if halves is None else (victim, halves[0][1], halves[1][1])
