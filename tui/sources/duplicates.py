"""The same download asked for twice: the second time is left out, and that is said."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from tui.core.request import BadRequestLine
from tui.core.text.plain_text import plain_url

if TYPE_CHECKING:
    from tui.core.request import DownloadRequest

Key: TypeAlias = str | tuple[str, str | None, str | None]

COMMAND_LINE = "command line"
"""The source of what was typed, where no number of a line tells which it is."""
_NAMED = 5
"""Duplicates of one run that get a note each; the others are counted."""


def key_of(request: DownloadRequest) -> Key:
    """Return what makes two requests the same: one URL, to one place."""
    if request.name is None and request.directory is None:
        # Most requests: no tuple for each of a million.
        return request.url
    return (request.url, request.directory, request.name)


class Duplicates:
    """Remembers what was asked for in one run."""

    def __init__(self, notes: list[str] | None) -> None:
        self._notes = notes
        self._seen: dict[Key, DownloadRequest] = {}
        self.count = 0

    def judge(
        self, request: DownloadRequest
    ) -> DownloadRequest | BadRequestLine | None:
        """Return the request if it is new, else ``None``.

        If it contradicts the first one, there is a complaint: which of two checksums
        is right cannot be known.
        """
        first = self._seen.setdefault(key_of(request), request)
        if first is request:
            return request
        if request.checksum is not None and first.checksum is not None:
            same_kind = request.checksum.algorithm == first.checksum.algorithm
            if same_kind and request.checksum != first.checksum:
                return BadRequestLine(
                    request.source, f"another checksum for the same as {first.source}"
                )
        self.count += 1
        if self._notes is not None and self.count <= _NAMED:
            self._notes.append(f"{request.source}: {self._same_as(first)}; left out")
        return None

    @staticmethod
    def _same_as(first: DownloadRequest) -> str:
        if first.source == COMMAND_LINE:
            return f"{plain_url(first.url, 200)} is asked for twice"
        return f"the same as {first.source}"

    def finish(self) -> None:
        """Tell how many more there were."""
        if self._notes is not None and self.count > _NAMED:
            more = self.count - _NAMED
            self._notes.append(f"{more:,} more that are asked for twice; left out")
