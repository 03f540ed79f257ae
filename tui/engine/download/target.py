"""Where a download's bytes go: the folder, the name, and what is already on disk.

``delete_data`` deletes what a removed download left there. Only files that this program
wrote are deleted: a finished file as the download left it, or a part file whose record
names the download's URL. A file that another process is writing to is kept.
"""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING

from tui.core.download import DownloadState
from tui.core.errors import ErrorKind, FetchError, LocalError
from tui.core.notices import NoticeCode
from tui.core.rules.folders import folder_for
from tui.core.service import Deletion, KeepReason
from tui.core.settings import OnExists
from tui.core.text.sanitize import sanitize
from tui.disk.folders import check_replaceable, final_file, fold, numbered
from tui.disk.part_file import delete_final, delete_part
from tui.disk.resume_record import ExistingFiles, find_existing
from tui.engine.download.resume_policy import record_matches_urls
from tui.engine.job import TargetPath

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tui.core.download import Download
    from tui.core.settings import Settings
    from tui.disk.folders import FinalFile, Folder, OutputFolders
    from tui.disk.writer import DiskWriter
    from tui.engine.context import EngineContext
    from tui.engine.job import Job


_MTIME_MARGIN_S = 2.0
"""File systems store times in steps of up to two seconds (FAT)."""
_NOT_OURS = frozenset({NoticeCode.ALREADY_PRESENT, NoticeCode.EXISTING_KEPT})


class TargetResolver:
    """Reserves a name for every download and looks at what is on disk under it.

    A reserved name stays reserved for the rest of the run, also when the download has
    failed, so that a retry finds its own part file.
    """

    def __init__(
        self,
        settings: Settings,
        folders: OutputFolders,
        writer: DiskWriter,
        unfinished: Callable[[], Iterable[Job]] = tuple,
    ) -> None:
        """Choose names in these folders.

        Args:
            settings: of the run.
            folders: where files go.
            writer: runs what blocks.
            unfinished: returns the jobs of all downloads that are not done.
        """
        self._on_exists = settings.on_exists
        self._rules = settings.folders
        self._folders = folders
        self._writer = writer
        self._unfinished = unfinished
        self._numbers: dict[tuple[str, str], int] = {}
        """Last number given by folder and name: ten thousand ``index.html`` in a
        list must not take n² attempts."""

    def reserve(self, job: Job) -> TargetPath | None:
        """Return the job's target, reserving one if needed, without disk access.

        Returns:
            ``None`` if the folder is not open yet: ``await open_folder`` first.

        Raises:
            LocalError: ``file_exists``: another download has the name.
        """
        target = job.target
        if target is None:
            download = job.download
            if self._rules and not download.directory:
                download.directory = self._folder_by_rules(download, download.name)
            folder = self._folders.cached(download.directory)
            if folder is None:
                return None
            target = job.target = self._reserve(job, folder, download.name)
        return target

    def release(self, job: Job) -> None:
        """Give up the name of a download that gets another one; files are kept."""
        target, job.target = job.target, None
        if target is not None:
            target.release()

    async def open_folder(self, job: Job) -> None:
        """Open the folder that a download goes to, creating it if needed.

        Raises:
            LocalError: it cannot be opened, with the reason.
        """
        await self._folders.folder(job.download.directory)

    async def rename(self, job: Job, name: str) -> TargetPath:
        """Move to the name that the server gives, and to the folder for such names.

        Raises:
            LocalError: that folder cannot be opened, and the target stays as it is; or
                ``file_exists``, and the job has none any more.
        """
        old = job.target
        assert old is not None
        folder, download = old.folder, job.download
        if self._rules and download.request.directory is None:
            directory = self._folder_by_rules(download, name)
            folder = await self._folders.folder(directory)
            download.directory = directory
        old.release()
        job.target = None
        job.target = self._reserve(job, folder, name)
        return job.target

    def use_free_name(self, job: Job) -> TargetPath:
        """Move to a name that no file on disk has and no download reserved."""
        old = job.target
        assert old is not None
        name = old.folder.reserve(old.name)
        job.target = TargetPath(old.folder, name, may_exist=False)
        return job.target

    async def use_numbered_name(
        self, job: Job, accepts: Callable[[ExistingFiles], bool]
    ) -> ExistingFiles | None:
        """Move to the first numbered name that is free or whose files are accepted.

        An earlier run numbered names in the same way: the files that it left under a
        numbered name are found again, neither lost nor downloaded twice.

        Returns:
            The accepted files; ``None`` for a free name.
        """
        old = job.target
        assert old is not None
        for number in itertools.count(1):
            name = numbered(old.name, number)
            may_exist = old.folder.existed_at_start(name)
            if not old.folder.try_reserve(name):
                continue
            target = TargetPath(old.folder, name, may_exist)
            found = await self._find_reserved(job, target) if may_exist else None
            if found is None or accepts(found):
                break
            old.folder.release(name)
        # The files under the old name may be what another download of this run needs.
        old.release()
        job.target = target
        return found

    async def use_numbered_part(
        self, job: Job, accepts: Callable[[ExistingFiles], bool]
    ) -> ExistingFiles | None:
        """Move to the first numbered name whose files are accepted.

        Returns:
            Those files; ``None`` if a free name comes first, and nothing has changed.
        """
        old = job.target
        assert old is not None
        for number in itertools.count(1):
            name = numbered(old.name, number)
            if not old.folder.existed_at_start(name):
                return None
            if not old.folder.try_reserve(name):
                continue
            target = TargetPath(old.folder, name, may_exist=True)
            found = await self._find_reserved(job, target)
            if accepts(found):
                old.release()
                job.target = target
                return found
            old.folder.release(name)
        return None

    async def find_existing(self, job: Job, target: TargetPath) -> ExistingFiles:
        """Look at the files of a target; a file to be overwritten does not count.

        Raises:
            LocalError: ``directory_exists``: a directory cannot be overwritten;
                ``in_use``: another process is about to begin or to end.
        """
        folder, name = target.folder, target.name
        found = await self._writer.run("look", name, find_existing, folder, name)
        if job.on_exists(self._on_exists).replaces:
            if found.final_size == -1:
                await self._writer.run("look", name, check_replaceable, folder, name)
            found = found._replace(final_size=None)
        return found

    async def final_file(self, target: TargetPath) -> FinalFile | None:
        """Return the file that has the final name, if there is one."""
        folder, name = target.folder, target.name
        run = self._writer.run
        found: FinalFile | None = await run("look", name, final_file, folder, name)
        return found

    async def _find_reserved(self, job: Job, target: TargetPath) -> ExistingFiles:
        """Like ``find_existing``; release the name if that fails, for the next try."""
        try:
            return await self.find_existing(job, target)
        except BaseException:
            target.release()
            raise

    def _folder_by_rules(self, download: Download, name: str) -> str:
        """Return the folder that the rules choose, unless the list names one."""
        if download.request.directory is not None:
            return download.request.directory
        return folder_for(self._rules, name)

    def _reserve(self, job: Job, folder: Folder, name: str) -> TargetPath:
        """Reserve ``name``, or a numbered form of it.

        Files of an earlier run do not cause a number, because this download may
        continue them; a name reserved in this run does. Numbers are given in the order
        in which downloads start, so the same list finds its own files again.
        """
        on_exists = job.on_exists(self._on_exists)
        if on_exists is OnExists.RENAME:
            return TargetPath(folder, folder.reserve(name), may_exist=False)
        # The run may be days old: what was there at its start does not count for those
        # that must not touch a file.
        is_strict = not on_exists.renames or on_exists is OnExists.NEWER
        candidate = name
        key = (folder.path, name)
        while True:
            may_exist = is_strict or folder.existed_at_start(candidate)
            if folder.try_reserve(candidate):
                return TargetPath(folder, candidate, may_exist)
            if self._may_share(job, on_exists) and self._is_done(folder, candidate):
                return TargetPath(folder, candidate, True, is_shared=True)
            if not on_exists.renames:
                raise LocalError(
                    ErrorKind.FILE_EXISTS,
                    f"another download is being saved as {sanitize(candidate)!r}",
                )
            self._numbers[key] = self._numbers.get(key, 0) + 1
            candidate = numbered(name, self._numbers[key])

    @staticmethod
    def _may_share(job: Job, on_exists: OnExists) -> bool:
        """Return True if a download may have the name of an earlier one of the run.

        Two files of a list may have one name without the user knowing it, so the
        setting of the run does not count, except for one that changes no file.
        """
        if on_exists is OnExists.FAIL:
            return True
        is_chosen = job.download.request.on_exists is not None
        return is_chosen and (on_exists.replaces or on_exists is OnExists.RESUME_ONLY)

    def _is_done(self, folder: Folder, name: str) -> bool:
        """Return True if the download that reserved a name is done with it."""
        wanted = fold(name)
        if not folder.has_reserved(name):
            return False
        targets = (job.target for job in self._unfinished())
        return not any(
            target is not None
            and target.folder is folder
            and fold(target.name) == wanted
            for target in targets
        )


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
    except OSError:
        return KeepReason.FAILED
    except FetchError as error:
        is_used = error.kind is ErrorKind.IN_USE
        return KeepReason.IN_USE if is_used else KeepReason.FAILED


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
