"""Where files go: folders below the output directory, and who has which name in them.

Names are claimed in memory, on the loop and without I/O: one look at each folder tells
what is there, and every download of the run then claims its name before it writes. Two
names are the same if they differ only by case or by Unicode form, since some file
systems think so.
"""

from __future__ import annotations

import asyncio
import os
import unicodedata
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tui.core.errors import LocalError
from tui.core.text.plain_text import plain
from tui.disk.errors import translate
from tui.disk.safe_dir import (
    OpenDirs,
    SafeDir,
    check_component,
    components,
    open_directory,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tui.disk.writer import DiskWriter

PART = ".part"
"""Behind the name while it is not whole."""
RECORD = ".part.json"
"""Behind the name: the resume record."""
NEW_RECORD = ".part.new"
"""Behind the name: the next resume record, for as long as it is written."""
_SUFFIXES = (PART, RECORD, NEW_RECORD)
_NAME_BYTES = 255 - len(RECORD)


class Folder:
    """One directory at or below the output directory.

    The names are the loop's; only ``opened`` is for threads.
    """

    __slots__ = (
        "_claimed",
        "_handles",
        "_next",
        "_present",
        "_root",
        "directory",
        "path",
    )

    def __init__(
        self, root: str, directory: str, present: set[str], handles: OpenDirs
    ) -> None:
        self.path = os.path.join(root, *components(directory))
        self.directory = directory
        """Below the output directory, ``/``-separated; "" for itself."""
        self._root = root
        self._handles = handles
        self._present = present
        self._claimed: set[str] = set()
        self._next: dict[str, int] = {}

    def __repr__(self) -> str:
        return f"<Folder {self.directory or '.'} {len(self._claimed)} claimed>"

    def existed_at_start(self, name: str) -> bool:
        """Whether the name, or a part file of it, was there when it was opened."""
        present = self._present
        if not present:
            return False
        key = fold(name)
        return key in present or key + PART in present or key + RECORD in present

    def reserve(self, name: str) -> str:
        """Claim a name that nobody has, as near to ``name`` as possible.

        Returns:
            ``name``, or the first free ``stem (n).ext``, shortened to fit the file
            system together with the part file's suffixes.

        Raises:
            LocalError: ``name``: it is no file name at all.
        """
        stem, extension = _split(check_component(name))
        candidate = _fit(stem, "", extension)
        key = fold(candidate)
        first = key
        while self._is_taken(key):
            # Counted on per name: ten thousand index.html must not take n² looks.
            number = self._next.get(first, 0) + 1
            self._next[first] = number
            candidate = _fit(stem, f" ({number})", extension)
            key = fold(candidate)
        self._claimed.add(candidate if key == candidate else key)
        return candidate

    def try_reserve(self, name: str) -> bool:
        """Claim this very name, whatever is on disk.

        Returns:
            ``False`` if another download of this run has it.

        Raises:
            LocalError: ``name``: it is no file name at all.
        """
        key = fold(check_component(name))
        if self._is_claimed(key):
            return False
        self._claimed.add(name if key == name else key)
        return True

    def release(self, name: str) -> None:
        """Give a claimed name back, when nothing was left under it."""
        self._claimed.discard(fold(name))

    def _is_claimed(self, key: str) -> bool:
        claimed = self._claimed
        if key in claimed:
            return True
        # Somebody's part file or record could come to have this name, or the
        # other way round. Only names are stored: four keys each would be dear.
        for suffix in _SUFFIXES:
            if key + suffix in claimed:
                return True
            if key.endswith(suffix) and key.removesuffix(suffix) in claimed:
                return True
        return False

    def _is_taken(self, key: str) -> bool:
        present = self._present
        if key in present or any(key + suffix in present for suffix in _SUFFIXES):
            return True
        return self._is_claimed(key)

    @contextmanager
    def opened(self) -> Iterator[SafeDir]:
        """Lend the open directory to a thread. Blocks.

        Raises:
            OSError: it cannot be opened (any more).
        """
        entry = self._handles.enter(self.path, self._reopen)
        is_stale = False
        try:
            yield entry.directory
        except FileNotFoundError:
            # Perhaps removed and made again meanwhile: the next one looks afresh.
            is_stale = True
            raise
        finally:
            self._handles.leave(self.path, entry, is_stale=is_stale)

    def _reopen(self) -> SafeDir:
        # Never created here: if a disk was unmounted, its mount point would fill.
        parts = components(self.directory)
        return open_directory(self._root, parts, create=False, sync=False)


class OutputFolders:
    """The output directory and its folders."""

    def __init__(self, output_dir: Path, writer: DiskWriter) -> None:
        self._root = os.path.abspath(output_dir)
        self._writer = writer
        self._handles = OpenDirs()
        self._folders: dict[str, Folder] = {}
        self._same: dict[tuple[int, int], Folder] = {}
        self._opening: dict[str, asyncio.Task[Folder]] = {}

    def cached(self, directory: str) -> Folder | None:
        """Return the folder if it was opened before, without I/O."""
        return self._folders.get(directory)

    async def folder(self, directory: str) -> Folder:
        """Open a folder, making it (and the output directory) if it is missing.

        Args:
            directory: below the output directory, ``/``-separated; "" for itself.

        Raises:
            LocalError: ``not_writable``, ``directory_gone``, ``name`` or ``disk``.
        """
        folder = self._folders.get(directory)
        if folder is not None:
            return folder
        # One opener for all who ask at once: two would not see each other's claims.
        task = self._opening.get(directory)
        if task is None:
            task = asyncio.get_running_loop().create_task(self._open(directory))
            self._opening[directory] = task
            task.add_done_callback(lambda _: self._opening.pop(directory, None))
        return await asyncio.shield(task)

    async def _open(self, directory: str) -> Folder:
        components(directory)
        identity, present = await self._writer.run(
            "open folder", directory or self._root, self._look, directory
        )
        # Another spelling of the same place (case, "a/") is the same folder. Where
        # the system numbers nothing, the spelling has to do.
        folder = self._same.get(identity) if identity[1] else None
        if folder is None:
            folder = Folder(self._root, directory, present, self._handles)
            self._same[identity] = folder
        self._folders[directory] = folder
        return folder

    def _look(self, directory: str) -> tuple[tuple[int, int], set[str]]:
        """Make, open and list a folder, in a thread."""
        parts = components(directory)
        try:
            here = open_directory(
                self._root, parts, create=True, sync=self._writer.fsync
            )
        except OSError as error:
            raise _refusal(error, self._root, directory) from error
        try:
            found = os.stat(here.path if here.fd is None else here.fd)
            if not os.access(here.at("."), os.W_OK | os.X_OK, dir_fd=here.fd):
                told = plain(here.path)
                raise LocalError(
                    "not_writable",
                    f"cannot write in {told!r}: no permission, or it is read-only",
                )
            with os.scandir(here.path if here.fd is None else here.fd) as entries:
                present = {fold(entry.name) for entry in entries}
        except OSError as error:
            raise translate(error, "read", here.path) from error
        finally:
            here.close()
        return (found.st_dev, found.st_ino), present

    async def close(self) -> None:
        """Give the descriptors back; the folders open again if they are used."""
        for task in list(self._opening.values()):
            task.cancel()
        await self._writer.run("close", self._root, self._handles.close)


def fold(name: str) -> str:
    """Return what two names share that some file system takes for the same."""
    if name.isascii():
        return name.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def numbered(name: str, number: int) -> str:
    """Return ``stem (number).ext``, shortened to fit as ``Folder.claim`` does."""
    stem, extension = _split(check_component(name))
    return _fit(stem, f" ({number})", extension)


def _split(name: str) -> tuple[str, str]:
    stem, extension = os.path.splitext(name)
    if stem.lower().endswith(".tar") and len(stem) > 4:
        stem, extension = stem[:-4], stem[-4:] + extension
    # A long "extension" is just a name with a dot in it.
    return (stem, extension) if len(os.fsencode(extension)) <= 32 else (name, "")


def _fit(stem: str, number: str, extension: str) -> str:
    """Join, cutting the stem so that the record's name stays within 255 bytes."""
    name = f"{stem}{number}{extension}"
    if len(name) * 4 <= _NAME_BYTES or len(os.fsencode(name)) <= _NAME_BYTES:
        return name
    room = _NAME_BYTES - len(os.fsencode(number + extension))
    raw = stem.encode(errors="surrogateescape")[:room]
    return f"{raw.decode(errors='ignore').rstrip()}{number}{extension}"


def _refusal(error: OSError, root: str, directory: str) -> LocalError:
    """Say why a folder cannot be had."""
    path = plain(os.path.join(root, directory) if directory else root)
    if os.path.islink(os.path.join(root, directory)) and directory:
        reason = "it is a link, and nothing is written through links"
        return LocalError("not_writable", f"cannot use folder {path!r}: {reason}")
    if isinstance(error, NotADirectoryError | FileExistsError):
        reason = "a file is in the way"
        return LocalError("not_writable", f"cannot use folder {path!r}: {reason}")
    result = translate(error, "open folder", path)
    assert isinstance(result, LocalError)
    return result
