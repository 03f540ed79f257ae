"""Which of several URLs to use: what each origin has shown so far decides."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.core.request import origin_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence


class _Standing:
    __slots__ = ("failures", "speed")

    def __init__(self) -> None:
        self.failures = 0
        """Failed attempts since the last one that went well."""
        self.speed = 0.0
        """Bytes per second of one connection, a moving mean; 0 before any."""


class MirrorSelector:
    """Results per origin, remembered over all downloads of a run."""

    def __init__(self) -> None:
        self._standings: dict[str, _Standing] = {}

    def choose(
        self,
        mirrors: Sequence[str],
        dead: Collection[str] = (),
        load: Mapping[str, int] | None = None,
    ) -> str | None:
        """Return the mirror to ask next, or ``None`` if all are in ``dead``.

        Fewer failures go first, then fewer of our own connections, so that parallel
        ranges spread; then the faster origin, then the order of the list: whoever
        wrote it had a preference.

        Args:
            mirrors: URLs with the same bytes.
            dead: those not to be asked.
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
        """An attempt at ``url`` failed."""
        self._standing(url).failures += 1

    def note_success(self, url: str, speed: float) -> None:
        """A connection went well at ``speed`` bytes per second."""
        standing = self._standing(url)
        standing.failures = 0
        standing.speed = (standing.speed + speed) / 2 if standing.speed else speed

    def _rank(self, url: str, load: int) -> tuple[int, int, float]:
        standing = self._standings.get(origin_of(url))
        if standing is None:
            return (0, load, 0.0)
        return (standing.failures, load, -standing.speed)

    def _standing(self, url: str) -> _Standing:
        return self._standings.setdefault(origin_of(url), _Standing())
