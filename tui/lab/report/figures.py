"""Figures of runs, their medians, and whether the strategies agree; no I/O."""

from __future__ import annotations

import statistics
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence


class Status(StrEnum):
    """Result of one download; the values are shown to users."""

    OK = "ok"
    NOT_FOUND = "not found"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Stop:
    """How a strategy reacted to being cancelled."""

    took_s: float
    """From the request to the end of the strategy."""
    running: int
    """Downloads in progress when it was cancelled."""
    waiting: int
    """Downloads that had not started."""
    finished: int
    """Running downloads that finished nevertheless."""


@dataclass(frozen=True, slots=True)
class Figures:
    """One run of one strategy."""

    wall_s: float
    cpu_s: float
    """User and system time of the process and its children."""
    peak_memory: int
    """Bytes, including worker processes."""
    first_s: float | None
    """Until the program had the first result; ``None`` if there was none."""
    lag_p99_s: float | None
    """Event loop lag; ``None`` without an event loop."""
    lag_max_s: float | None
    counts: Mapping[str, int]
    """Results by ``Status`` value."""
    nbytes: int
    """Bytes of the complete files."""
    fingerprint: str
    """Digest of names and data of all files; equal for equal files."""
    first_error: str = ""
    """The first error, "" for none."""
    stop: Stop | None = None
    """Set if it was cancelled; the other figures are then partial."""

    @property
    def files(self) -> int:
        """Complete files."""
        return self.counts.get(Status.OK.value, 0)

    @property
    def files_per_s(self) -> float:
        """Complete files per second."""
        return self.files / self.wall_s if self.wall_s > 0 else 0.0

    @property
    def speed(self) -> float:
        """Bytes per second."""
        return self.nbytes / self.wall_s if self.wall_s > 0 else 0.0

    @classmethod
    def from_fields(cls, fields: dict[str, Any]) -> Figures:
        """Create figures from a dict that was sent over a pipe."""
        stop = fields.pop("stop", None)
        return cls(**fields, stop=None if stop is None else Stop(**stop))


class Spread(NamedTuple):
    """Median and extremes of several measurements."""

    median: float
    low: float
    high: float


def spread(values: Iterable[float | None]) -> Spread | None:
    """Return median and extremes, ignoring ``None``; ``None`` for no values."""
    known = [value for value in values if value is not None]
    if not known:
        return None
    return Spread(statistics.median(known), min(known), max(known))


@dataclass(slots=True)
class Record:
    """All results of one strategy."""

    rounds: list[Figures] = field(default_factory=list)
    """Complete runs, oldest first."""
    stops: list[Stop] = field(default_factory=list)
    """Its reactions to being cancelled."""

    def spread(self, of: Callable[[Figures], float | None]) -> Spread | None:
        """Return median and extremes of one figure over the rounds."""
        return spread(of(figures) for figures in self.rounds)

    @property
    def last(self) -> Figures | None:
        """The latest complete run."""
        return self.rounds[-1] if self.rounds else None


def format_counts(counts: Mapping[str, int]) -> str:
    """Return ``ok 35, not found 3, error 2``, always in that order."""
    return ", ".join(f"{one.value} {counts.get(one.value, 0)}" for one in Status)


def disagreements(runs: Sequence[tuple[str, Figures]]) -> list[str]:
    """Return one line per strategy that differs from most; [] if all agree.

    Args:
        runs: strategy titles with their complete runs, all of the same list.
    """
    lines = []
    votes = Counter(format_counts(run.counts) for _, run in runs)
    if len(votes) > 1:
        majority = votes.most_common(1)[0][0]
        for title, run in runs:
            if (counts := format_counts(run.counts)) != majority:
                lines.append(f"{title} counted {counts}; the others {majority}")
    prints = Counter(run.fingerprint for _, run in runs)
    if len(prints) > 1 and not lines:
        majority = prints.most_common(1)[0][0]
        odd = [title for title, run in runs if run.fingerprint != majority]
        lines += [f"{title} has different data than most" for title in odd]
    return list(dict.fromkeys(lines))
