"""Facts from the engine: one small frozen class each, pushed once, never dropped.

Numbers are not facts: bytes and speeds are pulled with ``service.snapshot()``.
"""

from __future__ import annotations

from dataclasses import dataclass

ALREADY_HERE = "was already here"
"""What is noted on a download that needed no byte."""
KEPT = "kept as it is"
"""The same, where the server was not even asked."""


@dataclass(frozen=True, slots=True)
class DownloadEvent:
    """Something happened to one download."""

    id: int
    at: float
    """Wall time, seconds since the epoch."""


@dataclass(frozen=True, slots=True)
class Queued(DownloadEvent):
    """It is in the queue: newly added, resumed or to be tried again by hand."""


@dataclass(frozen=True, slots=True)
class Started(DownloadEvent):
    """A worker took it up (each attempt)."""

    attempt: int


@dataclass(frozen=True, slots=True)
class Retrying(DownloadEvent):
    """An attempt failed; the next comes in ``wait_s`` seconds."""

    attempt: int
    """The attempt that failed."""
    wait_s: float
    error_kind: str
    error: str


@dataclass(frozen=True, slots=True)
class Noticed(DownloadEvent):
    """Worth telling: changed on the server, ranges ignored, name taken, ..."""

    text: str


@dataclass(frozen=True, slots=True)
class Verified(DownloadEvent):
    """The digest matches the expected checksum."""

    checksum: str
    """``sha256=HEX``."""


@dataclass(frozen=True, slots=True)
class Done(DownloadEvent):
    """The final name exists and the file is whole."""


@dataclass(frozen=True, slots=True)
class Failed(DownloadEvent):
    """It ended without a file; what was downloaded is kept."""

    error_kind: str
    error: str


@dataclass(frozen=True, slots=True)
class Paused(DownloadEvent):
    """A user paused it; its bytes are kept."""


@dataclass(frozen=True, slots=True)
class Cancelled(DownloadEvent):
    """A user cancelled it; its bytes are kept for an undo or a resume."""


@dataclass(frozen=True, slots=True)
class EngineEvent:
    """Something happened to the engine as a whole."""

    at: float
    """Wall time, seconds since the epoch."""


@dataclass(frozen=True, slots=True)
class LimitsChanged(EngineEvent):
    """Concurrency, a cap, a rate or the writers were changed."""

    text: str
    """In words: ``downloads at once 4 -> 32``."""


@dataclass(frozen=True, slots=True)
class QueueHeld(EngineEvent):
    """No new download starts until it is released."""

    reason: str
    """Why; "" when a user asked for it."""


@dataclass(frozen=True, slots=True)
class QueueReleased(EngineEvent):
    """Downloads start again."""


@dataclass(frozen=True, slots=True)
class Told(EngineEvent):
    """Something about the run that a person should know."""

    text: str


Event = DownloadEvent | EngineEvent
