"""Deletes what a removed download left on disk.

Only files that this program wrote are deleted: a finished file as the download left it,
or a part file whose record names the download's URL. A file that another process is
writing to is kept.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tui.core.download import DownloadState
from tui.core.errors import FetchError
from tui.core.notices import NoticeCode
from tui.core.service import Deletion, KeepReason
from tui.disk.part_file import delete_final, delete_part
from tui.disk.resume_record import find_existing
from tui.engine.download.resume_policy import record_matches_urls

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tui.core.download import Download
    from tui.engine.context import EngineContext

_MTIME_MARGIN_S = 2.0
"""File systems store times in steps of up to two seconds (FAT)."""
_NOT_OURS = frozenset({NoticeCode.ALREADY_PRESENT, NoticeCode.EXISTING_KEPT})


async def delete_data(
    context: EngineContext, downloads: Iterable[Download]
) -> Deletion:
    """Delete the data of removed downloads, one after the other."""
    files = nbytes = 0
    kept = []
    for download in downloads:
        result = await _delete_one(context, download)
        if isinstance(result, KeepReason):
            kept.append((download.id, result))
        elif result is not None:
            files += 1
            nbytes += result
    return Deletion(files, nbytes, tuple(kept))


async def _delete_one(
    context: EngineContext, download: Download
) -> int | KeepReason | None:
    """Return the bytes deleted, why the data is kept, or ``None`` if there is none."""
    job = context.registry.jobs.get(download.id)
    while job is not None and job.task is not None:
        # The worker is still saving the part file.
        await asyncio.wait([job.task], timeout=0.05)
    if download.id not in context.registry.removed:
        return KeepReason.RESTORED
    try:
        if download.state is DownloadState.DONE:
            return await _delete_final(context, download)
        return await _delete_part(context, download)
    except (OSError, FetchError):
        return KeepReason.FAILED


async def _delete_final(
    context: EngineContext, download: Download
) -> int | KeepReason | None:
    if download.note is not None and download.note.code in _NOT_OURS:
        return KeepReason.EXISTED
    folder, name = await context.folders.folder(download.directory), download.name
    size, latest = download.received, download.finished_at + _MTIME_MARGIN_S
    run = context.writer.run
    deleted = await run("delete", name, delete_final, folder, name, size, latest)
    if deleted is False:
        return KeepReason.CHANGED
    folder.release(name)
    return size if deleted else None


async def _delete_part(
    context: EngineContext, download: Download
) -> int | KeepReason | None:
    job, run = context.registry.jobs.get(download.id), context.writer.run
    target = job.target if job is not None else None
    if target is not None:
        folder, name = target.folder, target.name
    elif download.received:  # of an earlier run
        folder = await context.folders.folder(download.directory)
        name = download.name
    else:
        return None
    found = await run("look", name, find_existing, folder, name)
    if found.part_size is None:
        return None
    if not record_matches_urls(found, download):
        return KeepReason.CHANGED
    if not await run("delete", name, delete_part, folder, name):
        return KeepReason.IN_USE
    context.registry.set_received(download, 0)
    return found.part_size
