"""Choose among the mirrors of a file by the results of each origin so far."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.core.request import origin_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence


class _OriginResults:
    __slots__ = ("failures", "speed")

    def __init__(self) -> None:
        self.failures = 0
        """Failed attempts since the last success."""
        self.speed = 0.0
        """Bytes per second of one connection, a moving mean; 0 before the first."""


class MirrorSelector:
    """Chooses mirrors by results per origin, over all downloads of a run."""

    def __init__(self) -> None:
        self._results: dict[str, _OriginResults] = {}

    def choose(
        self,
        mirrors: Sequence[str],
        dead: Collection[str] = (),
        load: Mapping[str, int] | None = None,
    ) -> str | None:
        """Return the mirror to use next, or ``None`` if all are in ``dead``.

        Prefers the fewest failures, then the fewest connections in use, which spreads
        parallel ranges; then the fastest origin, then the order of the list, whose
        author had a preference.

        Args:
            mirrors: URLs with the same bytes.
            dead: those to skip.
            load: connections in use, by URL.
        """
        alive = [url for url in mirrors if url not in dead]
        in_use = load or {}
        return min(
            alive,
            key=lambda url: self._rank(url, in_use.get(url, 0)),
            default=None,
        )

    def note_failure(self, url: str) -> None:
        """Record a failed attempt at ``url``."""
        self._results_of(url).failures += 1

    def note_success(self, url: str, speed: float) -> None:
        """Record a successful connection at ``speed`` bytes per second."""
        results = self._results_of(url)
        results.failures = 0
        results.speed = (results.speed + speed) / 2 if results.speed else speed

    def _rank(self, url: str, load: int) -> tuple[int, int, float]:
        results = self._results.get(origin_of(url))
        if results is None:
            return (0, load, 0.0)
        return (results.failures, load, -results.speed)

    def _results_of(self, url: str) -> _OriginResults:
        return self._results.setdefault(origin_of(url), _OriginResults())
