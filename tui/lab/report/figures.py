"""What is measured, how often it came out how, and whether all agree; no I/O."""

from __future__ import annotations

import statistics
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence


class Status(StrEnum):
    """How one download ended; the values are what people read."""

    OK = "ok"
    NOT_FOUND = "not found"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Stop:
    """How a strategy took it to be cancelled."""

    took_s: float
    """From the wish to the end of the strategy."""
    running: int
    """Downloads that were in flight at that moment."""
    waiting: int
    """Downloads that had not begun."""
    finished: int
    """Of the running ones, those that went on to their end all the same."""


@dataclass(frozen=True, slots=True)
class Figures:
    """One run of one strategy."""

    wall_s: float
    cpu_s: float
    """User and system time of the process and its children."""
    peak_memory: int
    """Bytes; worker processes included."""
    first_s: float | None
    """Until the first result was in the program's hands; ``None`` if there was none."""
    lag_p99_s: float | None
    """How late the event loop was; ``None`` where there is none."""
    lag_max_s: float | None
    counts: Mapping[str, int]
    """Results by ``Status`` value."""
    nbytes: int
    """Bytes of the files that are whole."""
    fingerprint: str
    """One digest over names and bytes of all files; equal means the same bytes."""
    trouble: str = ""
    """The first error in words, if there was one."""
    stop: Stop | None = None
    """Set if it was cancelled; the other figures are then those of a part."""

    @property
    def files(self) -> int:
        """Files that are whole."""
        return self.counts.get(Status.OK.value, 0)

    @property
    def files_per_s(self) -> float:
        """Whole files per second."""
        return self.files / self.wall_s if self.wall_s > 0 else 0.0

    @property
    def speed(self) -> float:
        """Bytes per second."""
        return self.nbytes / self.wall_s if self.wall_s > 0 else 0.0

    @classmethod
    def from_fields(cls, fields: dict[str, Any]) -> Figures:
        """Read what came over a pipe."""
        stop = fields.pop("stop", None)
        return cls(**fields, stop=None if stop is None else Stop(**stop))


class Spread(NamedTuple):
    """Several measurements of one thing."""

    median: float
    low: float
    high: float


def spread(values: Iterable[float | None]) -> Spread | None:
    """Return median and extremes of what was measured; ``None`` if nothing was."""
    known = [value for value in values if value is not None]
    if not known:
        return None
    return Spread(statistics.median(known), min(known), max(known))


@dataclass(slots=True)
class Record:
    """Everything that is known about one strategy."""

    rounds: list[Figures] = field(default_factory=list)
    """Whole runs, in the order in which they were made."""
    stops: list[Stop] = field(default_factory=list)
    """How it ended when it was cancelled."""

    def spread(self, of: Callable[[Figures], float | None]) -> Spread | None:
        """Return median and extremes of one figure over the rounds."""
        return spread(of(figures) for figures in self.rounds)

    @property
    def last(self) -> Figures | None:
        """The newest whole run."""
        return self.rounds[-1] if self.rounds else None


def say_counts(counts: Mapping[str, int]) -> str:
    """Return ``ok 35, not found 3, error 2``, always in that order."""
    return ", ".join(f"{one.value} {counts.get(one.value, 0)}" for one in Status)


def disagreements(runs: Sequence[tuple[str, Figures]]) -> list[str]:
    """Return who counted or fetched otherwise than most, in words; [] if all agree.

    Args:
        runs: strategy titles with their whole runs, all of the same list.
    """
    told = []
    votes = Counter(say_counts(run.counts) for _, run in runs)
    if len(votes) > 1:
        usual = votes.most_common(1)[0][0]
        for title, run in runs:
            if (counts := say_counts(run.counts)) != usual:
                told.append(f"{title} counted {counts}; the others {usual}")
    prints = Counter(run.fingerprint for _, run in runs)
    if len(prints) > 1 and not told:
        usual = prints.most_common(1)[0][0]
        odd = [title for title, run in runs if run.fingerprint != usual]
        told += [f"{title} got other bytes than most" for title in odd]
    return list(dict.fromkeys(told))
