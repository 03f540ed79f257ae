"""Facts from the engine: one small frozen class each, pushed once, never dropped.

Numbers are not facts: bytes and speeds are pulled with ``service.snapshot()``.
"""

from __future__ import annotations

from typing import Final

ALREADY_HERE = "was already here"
"""What is noted on a download that needed no byte."""
KEPT = "kept as it is"
"""The same, where the server was not even asked."""


class _Fact:
    """Equal to one that says the same.

    Written by hand: fourteen frozen dataclasses cost each start of the program more
    than a small download takes (7 ms).
    """

    __slots__ = ()

    def _said(self) -> list[object]:
        return [
            getattr(self, name)
            for part in reversed(type(self).__mro__)
            for name in getattr(part, "__slots__", ())
        ]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, _Fact) or type(other) is not type(self):
            return NotImplemented
        return other._said() == self._said()

    def __hash__(self) -> int:
        return hash((type(self), *self._said()))

    def __repr__(self) -> str:
        said = ", ".join(repr(value) for value in self._said())
        return f"{type(self).__name__}({said})"


class DownloadEvent(_Fact):
    """Something happened to one download."""

    __slots__ = ("at", "id")

    def __init__(self, id: int, at: float) -> None:
        self.id: Final = id
        self.at: Final = at
        """Wall time, seconds since the epoch."""


class Queued(DownloadEvent):
    """It is in the queue: newly added, resumed or to be tried again by hand."""

    __slots__ = ()


class Started(DownloadEvent):
    """A worker took it up (each attempt)."""

    __slots__ = ("attempt",)

    def __init__(self, id: int, at: float, attempt: int) -> None:
        super().__init__(id, at)
        self.attempt: Final = attempt


class Retrying(DownloadEvent):
    """An attempt failed; the next comes in ``wait_s`` seconds."""

    __slots__ = ("attempt", "error", "error_kind", "wait_s")

    def __init__(
        self,
        id: int,
        at: float,
        attempt: int,
        wait_s: float,
        error_kind: str,
        error: str,
    ) -> None:
        super().__init__(id, at)
        self.attempt: Final = attempt
        """The attempt that failed."""
        self.wait_s: Final = wait_s
        self.error_kind: Final = error_kind
        self.error: Final = error


class Noticed(DownloadEvent):
    """Worth telling: changed on the server, ranges ignored, name taken, ..."""

    __slots__ = ("text",)

    def __init__(self, id: int, at: float, text: str) -> None:
        super().__init__(id, at)
        self.text: Final = text


class Verified(DownloadEvent):
    """The digest matches the expected checksum."""

    __slots__ = ("checksum",)

    def __init__(self, id: int, at: float, checksum: str) -> None:
        super().__init__(id, at)
        self.checksum: Final = checksum
        """``sha256=HEX``."""


class Done(DownloadEvent):
    """The final name exists and the file is whole."""

    __slots__ = ()


class Failed(DownloadEvent):
    """It ended without a file; what was downloaded is kept."""

    __slots__ = ("error", "error_kind")

    def __init__(self, id: int, at: float, error_kind: str, error: str) -> None:
        super().__init__(id, at)
        self.error_kind: Final = error_kind
        self.error: Final = error


class Paused(DownloadEvent):
    """A user paused it; its bytes are kept."""

    __slots__ = ()


class Cancelled(DownloadEvent):
    """A user cancelled it; its bytes are kept for an undo or a resume."""

    __slots__ = ()


class EngineEvent(_Fact):
    """Something happened to the engine as a whole."""

    __slots__ = ("at",)

    def __init__(self, at: float) -> None:
        self.at: Final = at
        """Wall time, seconds since the epoch."""


class LimitsChanged(EngineEvent):
    """Concurrency, a cap, a rate or the writers were changed."""

    __slots__ = ("text",)

    def __init__(self, at: float, text: str) -> None:
        super().__init__(at)
        self.text: Final = text
        """In words: ``downloads at once 4 -> 32``."""


class QueueHeld(EngineEvent):
    """No new download starts until it is released."""

    __slots__ = ("reason",)

    def __init__(self, at: float, reason: str) -> None:
        super().__init__(at)
        self.reason: Final = reason
        """Why; "" when a user asked for it."""


class QueueReleased(EngineEvent):
    """Downloads start again."""

    __slots__ = ()


class Told(EngineEvent):
    """Something about the run that a person should know."""

    __slots__ = ("text",)

    def __init__(self, at: float, text: str) -> None:
        super().__init__(at)
        self.text: Final = text


Event = DownloadEvent | EngineEvent
Kinds = frozenset[type[Event]]
"""Some of these classes: what a listener does not need (``service.subscribe``)."""
