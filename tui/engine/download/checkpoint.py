"""The resume record of a running download, saved about once a second."""

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
"""Seconds between two resume records: what a SIGKILL can cost."""


def record_of(download: Download, info: ResourceInfo) -> ResumeRecord:
    """Describe the file that a part file belongs to; the writer adds the ranges."""
    checksum = download.request.checksum or next(iter(info.digests), None)
    return ResumeRecord(
        url=download.url,
        validator=info.validator,
        etag="" if info.validator in ("", info.etag) else info.etag,
        size=info.size,
        checksum="" if checksum is None else str(checksum),
        coding=info.coding,
    )


class Checkpointer:
    """Saves the resume record of one running download in the background."""

    def __init__(
        self,
        context: EngineContext,
        download: Download,
        part: PartFile,
        info: ResourceInfo,
        on_error: Callable[[FetchError], None],
    ) -> None:
        """Watch one part file.

        Args:
            context: the run's tools.
            download: what is downloaded.
            part: where to.
            info: what the server states about size and validator.
            on_error: called when the disk refuses, because bytes that cannot be kept
                need not be downloaded.
        """
        self._context = context
        self._download = download
        self._part = part
        self._info = info
        self._on_error = on_error
        # As in ``resume_policy.resumable_record``: other records continue nothing.
        self._has_proof = bool(info.validator) or download.request.checksum is not None
        self._task: asyncio.Task[None] | None = None
        self._saved_at = context.clock.monotonic()
        self._saved_bytes = -1

    def save_if_due(self, now: float) -> None:
        """Start a checkpoint if a second has passed and bytes have arrived."""
        if (
            now - self._saved_at >= CHECKPOINT_S
            and self._download.received != self._saved_bytes
            and self._has_proof
            and (self._task is None or self._task.done())
        ):
            self._task = asyncio.create_task(self.save())

    async def save(self) -> None:
        """Flush, sync and record what has arrived, also after a failed write."""
        self._saved_at = self._context.clock.monotonic()
        self._saved_bytes = self._download.received
        record = record_of(self._download, self._info)
        try:
            await self._context.writer.checkpoint(self._part, record)
        except FetchError as error:
            self._on_error(error)

    async def close(self) -> None:
        """Wait for a checkpoint that is under way."""
        if self._task is not None:
            await asyncio.wait([self._task])
