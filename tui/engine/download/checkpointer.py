"""Writes down what is safely on disk, while it is fetched, in the background."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tui.core.errors import FetchError
from tui.disk.resume_record import ResumeRecord

if TYPE_CHECKING:
    from collections.abc import Callable

    from tui.core.download import Download
    from tui.disk.part_file import PartFile
    from tui.engine.context import EngineContext
    from tui.net.resource import ResourceInfo

CHECKPOINT_S = 1.0
"""Between two resume records: what a SIGKILL can cost."""


def record_of(download: Download, answer: ResourceInfo) -> ResumeRecord:
    """Describe whose a part file is; the writer fills in which ranges it has."""
    checksum = download.request.checksum or next(iter(answer.digests), None)
    return ResumeRecord(
        url=download.url,
        validator=answer.validator,
        size=answer.size,
        checksum="" if checksum is None else str(checksum),
    )


class Checkpointer:
    """Keeps the resume record of one running download true."""

    def __init__(
        self,
        context: EngineContext,
        download: Download,
        part: PartFile,
        answer: ResourceInfo,
        failed: Callable[[FetchError], None],
    ) -> None:
        """Watch one part file.

        Args:
            context: the run's tools.
            download: what is fetched.
            part: where to.
            answer: the server's word on size and validator.
            failed: told when the disk refuses: what cannot be kept need not be
                fetched.
        """
        self._context = context
        self._download = download
        self._part = part
        self._answer = answer
        self._failed = failed
        self._task: asyncio.Task[None] | None = None
        self._saved_at = context.clock.monotonic()
        self._saved_bytes = -1

    def save_if_due(self, now: float) -> None:
        """Start a checkpoint if a second has passed and something has come."""
        if (
            now - self._saved_at >= CHECKPOINT_S
            and self._download.received != self._saved_bytes
            and self._answer.validator
            and (self._task is None or self._task.done())
        ):
            self._task = asyncio.create_task(self.save())

    async def save(self) -> None:
        """Flush, sync and record what is there, also when a write failed.

        Failures go to ``failed``.
        """
        self._saved_at = self._context.clock.monotonic()
        self._saved_bytes = self._download.received
        record = record_of(self._download, self._answer)
        try:
            await self._context.writer.checkpoint(self._part, record)
        except FetchError as error:
            self._failed(error)

    async def settle(self) -> None:
        """Wait for a checkpoint that is under way."""
        if self._task is not None:
            await asyncio.wait([self._task])
