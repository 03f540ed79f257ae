"""Which of several URLs to use: what each origin has shown so far decides."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.core.request import origin_of

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence


class _Standing:
    __slots__ = ("failures", "in_use", "speed")

    def __init__(self) -> None:
        self.failures = 0
        """Failed attempts since the last one that went well."""
        self.in_use = 0
        """Connections to it that we hold for files with mirrors."""
        self.speed = 0.0
        """Bytes per second of one connection, a moving mean; 0 before any."""


class MirrorBook:
    """Results per origin, remembered over all downloads of a run."""

    def __init__(self) -> None:
        self._standings: dict[str, _Standing] = {}

    def choose(self, mirrors: Sequence[str], dead: Collection[str] = ()) -> str | None:
        """Return the mirror to ask next, or ``None`` if all are in ``dead``.

        Fewer failures go first, then fewer connections in use (so that parallel
        ranges spread), then the faster origin, then the order of the list: whoever
        wrote it had a preference.
        """
        alive = [url for url in mirrors if url not in dead]
        return min(alive, key=self._rank, default=None)

    def note_failure(self, url: str) -> None:
        """An attempt at ``url`` failed."""
        self._standing(url).failures += 1

    def note_success(self, url: str, speed: float) -> None:
        """A connection went well at ``speed`` bytes per second."""
        standing = self._standing(url)
        standing.failures = 0
        standing.speed = (standing.speed + speed) / 2 if standing.speed else speed

    def begin(self, url: str) -> None:
        """A connection to ``url`` is opened; ``end`` it."""
        self._standing(url).in_use += 1

    def end(self, url: str) -> None:
        """A connection to ``url`` is given up."""
        self._standing(url).in_use -= 1

    def _rank(self, url: str) -> tuple[int, int, float]:
        standing = self._standings.get(origin_of(url))
        if standing is None:
            return (0, 0, 0.0)
        return (standing.failures, standing.in_use, -standing.speed)

    def _standing(self, url: str) -> _Standing:
        return self._standings.setdefault(origin_of(url), _Standing())
