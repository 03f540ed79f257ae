"""Facts from the engine: one small frozen class each, published once, never dropped.

Facts contain codes and values, no sentences; ``tui.messages`` words them. Numbers such
as bytes and speeds are not facts: front ends poll them with ``service.snapshot()``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tui.core.notices import AutoReason, LimitName, Notice, PauseReason


class _Fact:
    """Base of all events, which compare equal by type and field values.

    Written by hand: fourteen frozen dataclasses cost each start of the program more
    than a small download takes (7 ms).
    """

    __slots__ = ()

    def _fields(self) -> list[object]:
        return [
            getattr(self, name)
            for part in reversed(type(self).__mro__)
            for name in getattr(part, "__slots__", ())
        ]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, _Fact) or type(other) is not type(self):
            return NotImplemented
        return other._fields() == self._fields()

    def __hash__(self) -> int:
        return hash((type(self), *self._fields()))

    def __repr__(self) -> str:
        fields = ", ".join(repr(value) for value in self._fields())
        return f"{type(self).__name__}({fields})"


class DownloadEvent(_Fact):
    """Something happened to a download."""

    __slots__ = ("at", "id")

    def __init__(self, id: int, at: float) -> None:
        self.id: Final = id
        self.at: Final = at
        """Wall time, seconds since the epoch."""


class Queued(DownloadEvent):
    """It entered the queue: newly added, resumed or retried by the user."""

    __slots__ = ()


class Started(DownloadEvent):
    """A worker started an attempt."""

    __slots__ = ("attempt",)

    def __init__(self, id: int, at: float, attempt: int) -> None:
        super().__init__(id, at)
        self.attempt: Final = attempt


class Retrying(DownloadEvent):
    """An attempt failed; the next one starts in ``wait_s`` seconds."""

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


class DownloadNotice(DownloadEvent):
    """Something worth showing: changed on the server, file name taken, ..."""

    __slots__ = ("notice",)

    def __init__(self, id: int, at: float, notice: Notice) -> None:
        super().__init__(id, at)
        self.notice: Final = notice


class Verified(DownloadEvent):
    """The digest matches the expected checksum."""

    __slots__ = ("checksum",)

    def __init__(self, id: int, at: float, checksum: str) -> None:
        super().__init__(id, at)
        self.checksum: Final = checksum
        """``sha256=HEX``."""


class Done(DownloadEvent):
    """The file is complete under its final name."""

    __slots__ = ()


class Failed(DownloadEvent):
    """It ended without a file; the bytes downloaded so far are kept."""

    __slots__ = ("error", "error_kind")

    def __init__(self, id: int, at: float, error_kind: str, error: str) -> None:
        super().__init__(id, at)
        self.error_kind: Final = error_kind
        self.error: Final = error


class Paused(DownloadEvent):
    """The user paused it; its bytes are kept."""

    __slots__ = ()


class Cancelled(DownloadEvent):
    """The user cancelled it; its bytes are kept for an undo or a resume."""

    __slots__ = ()


class EngineEvent(_Fact):
    """Something happened to the engine as a whole."""

    __slots__ = ("at",)

    def __init__(self, at: float) -> None:
        self.at: Final = at
        """Wall time, seconds since the epoch."""


class LimitChanged(EngineEvent):
    """A limit changed: concurrency, a cap, a rate or the writers."""

    __slots__ = ("name", "new", "old", "origin", "reason")

    def __init__(
        self,
        at: float,
        name: LimitName,
        old: int | None,
        new: int | None,
        *,
        origin: str = "",
        reason: AutoReason | None = None,
    ) -> None:
        super().__init__(at)
        self.name: Final = name
        self.old: Final = old
        """Before; ``None`` where there was no limit."""
        self.new: Final = new
        self.origin: Final = origin
        """The origin whose cap changed; "" for the other limits."""
        self.reason: Final = reason
        """Why the automatic concurrency chose it; ``None`` when the user did."""


class QueuePaused(EngineEvent):
    """The queue is paused: no new download starts until it is released."""

    __slots__ = ("reason",)

    def __init__(self, at: float, reason: PauseReason | None) -> None:
        super().__init__(at)
        self.reason: Final = reason
        """The error that caused it; ``None`` when the user asked for it."""


class QueueResumed(EngineEvent):
    """Downloads start again."""

    __slots__ = ()


class RunNotice(EngineEvent):
    """Something about the run that the user should know."""

    __slots__ = ("notice",)

    def __init__(self, at: float, notice: Notice) -> None:
        super().__init__(at)
        self.notice: Final = notice


Event = DownloadEvent | EngineEvent
Kinds = frozenset[type[Event]]
"""Event classes that a subscriber does not want (``service.subscribe``)."""
NOT_SHOWN: Kinds = frozenset({Queued})
"""Events that a dashboard does not show: its list and its numbers are polled. A long
list would make as many as it has lines."""
