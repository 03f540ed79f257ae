"""Where a download's bytes go: its folder, its name, and what is already there."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tui.core.rules.folders import folder_for
from tui.core.settings import OnExists
from tui.disk.folders import numbered
from tui.disk.resume_record import ExistingFiles, find_existing

if TYPE_CHECKING:
    from collections.abc import Callable

    from tui.core.download import Download
    from tui.core.settings import Settings
    from tui.disk.folders import Folder, OutputFolders
    from tui.disk.writer import DiskWriter


@dataclass(slots=True)
class TargetPath:
    """The folder and the name that a download has for itself in this run."""

    folder: Folder
    name: str
    may_exist: bool
    """Something of this name was on disk before, or we have begun to write it."""
    is_begun: bool = False
    """The part file there, if any, is of this very download."""


class TargetResolver:
    """Gives every download a place of its own, and looks at what lies there."""

    def __init__(
        self, settings: Settings, folders: OutputFolders, writer: DiskWriter
    ) -> None:
        self._on_exists = settings.on_exists
        self._rules = settings.folders
        self._folders = folders
        self._writer = writer
        self._places: dict[int, TargetPath] = {}
        self._numbers: dict[tuple[str, str], int] = {}
        """Last number given by folder and name: ten thousand ``index.html`` in a
        list must not take n² looks."""

    def find(self, download: Download) -> TargetPath | None:
        """Return the place it has, or give it one, without touching the disk.

        ``None`` means that its folder is not open yet: ``await open_folder`` first.
        """
        place = self._places.get(download.id)
        if place is None:
            if self._rules and not download.directory:
                download.directory = self._sorted(download, download.name)
            folder = self._folders.cached(download.directory)
            if folder is None:
                return None
            place = self._claim(folder, download.name)
            self._places[download.id] = place
        return place

    async def open_folder(self, download: Download) -> None:
        """Open (or make) the folder that a download goes to.

        Raises:
            LocalError: it cannot be, with the reason.
        """
        await self._folders.folder(download.directory)

    async def rename(self, download: Download, name: str) -> TargetPath:
        """Move to the name that the server gives, and to the folder of such names.

        Raises:
            LocalError: that folder cannot be had; the download stays where it is.
        """
        old = self._places[download.id]
        folder = old.folder
        if self._rules and download.request.directory is None:
            directory = self._sorted(download, name)
            folder = await self._folders.folder(directory)
            download.directory = directory
        old.folder.release(old.name)
        place = self._places[download.id] = self._claim(folder, name)
        return place

    def rename_free(self, download: Download) -> TargetPath:
        """Move to a name that nothing on disk has and nobody claimed."""
        old = self._places[download.id]
        name = old.folder.reserve(old.name)
        place = self._places[download.id] = TargetPath(
            old.folder, name, may_exist=False
        )
        return place

    async def step_aside(
        self, download: Download, suits: Callable[[ExistingFiles], bool]
    ) -> tuple[TargetPath, ExistingFiles | None]:
        """Move to the first numbered name that is free, or that suits.

        An earlier run stepped aside in the same way: what it left under a numbered
        name is met again, and neither lost nor fetched twice.
        """
        old = self._places[download.id]
        for number in itertools.count(1):
            name = numbered(old.name, number)
            may_exist = old.folder.existed_at_start(name)
            if not old.folder.try_reserve(name):
                continue
            place = TargetPath(old.folder, name, may_exist)
            found = await self.examine(place) if may_exist else None
            if found is None or suits(found):
                break
            old.folder.release(name)
        # What lies there may be what another download of this run looks for.
        old.folder.release(old.name)
        self._places[download.id] = place
        return place, found

    def forget(self, download: Download) -> None:
        """The download is done; its name stays taken for the rest of the run."""
        self._places.pop(download.id, None)

    async def examine(self, place: TargetPath) -> ExistingFiles:
        """Look at what lies at a place.

        A finished file that is to be overwritten counts as nothing.
        """
        found = await self._writer.run(
            "look", place.name, find_existing, place.folder, place.name
        )
        if self._on_exists is OnExists.OVERWRITE:
            found = found._replace(final_size=None)
        return found

    def _sorted(self, download: Download, name: str) -> str:
        """Return the folder by the rules, unless the list names one."""
        if download.request.directory is not None:
            return download.request.directory
        return folder_for(self._rules, name)

    def _claim(self, folder: Folder, name: str) -> TargetPath:
        """Claim ``name``, or a numbered form of it.

        What an earlier run left is no reason to step aside (it may be ours to go on
        with); what another download of this run has is. Numbers are given in the
        order of starting, so the same list meets its own files again.
        """
        if self._on_exists is OnExists.RENAME:
            return TargetPath(folder, folder.reserve(name), may_exist=False)
        candidate = name
        key = (folder.path, name)
        while True:
            may_exist = folder.existed_at_start(candidate)
            if folder.try_reserve(candidate):
                return TargetPath(folder, candidate, may_exist)
            self._numbers[key] = self._numbers.get(key, 0) + 1
            candidate = numbered(name, self._numbers[key])
