"""Output folders, and the reservation of file names in them.

Names are reserved in memory, on the loop and without I/O: each folder is listed once
when it is opened, and from then on every download of the run reserves its name before
it writes. Two names count as the same if they differ only in case or Unicode
normalization, because some file systems treat them so.
"""

from __future__ import annotations

import asyncio
import os
import stat
import unicodedata
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from tui.core.errors import ErrorKind, LocalError
from tui.core.quick.named_tuple import NamedTuple
from tui.core.text.file_name import split_extension
from tui.core.text.joiners import without_joiners
from tui.core.text.sanitize import sanitize
from tui.disk import platform
from tui.disk.errors import from_os_error
from tui.disk.safe_dir import (
    OpenDirs,
    SafeDir,
    check_component,
    components,
    open_directory,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PART = ".part"
"""Suffix of an incomplete file."""
RECORD = ".part.json"
"""Suffix of the resume record."""
NEW_RECORD = ".part.new"
"""Suffix of the next resume record, while it is being written."""
TEMPORARY = ".fetchtui-"
"""Prefix of a small file while it is written, where files without a name are not
supported. What follows is random, so such a file is never anybody else's."""
_SUFFIXES = (PART, RECORD, NEW_RECORD)
_NAME_BYTES = 255 - len(RECORD)


class BlockingRunner(Protocol):
    """Runs blocking functions in threads; the writer is one."""

    fsync: bool
    """Whether created directories must survive a power failure."""

    async def run(
        self, operation: str, name: str, function: Callable[..., Any], *args: Any
    ) -> Any:
        """Call ``function`` in a thread and return its result."""
        ...


class Folder:
    """One directory at or below the output directory.

    Reservations belong to the loop; only ``opened`` may be called in threads.
    """

    __slots__ = (
        "_existing",
        "_has_suffixed",
        "_next",
        "_open_dirs",
        "_reserved",
        "_root",
        "directory",
        "path",
    )

    def __init__(
        self,
        root: str,
        directory: str,
        existing: set[str],
        open_dirs: OpenDirs,
        resolved_root: str = "",
    ) -> None:
        """Describe a directory that is open.

        Args:
            root: the output directory as the user named it.
            directory: path below it, ``/``-separated.
            existing: folded names in it.
            open_dirs: the open descriptors.
            resolved_root: ``root`` without links, if it has some.
        """
        self.path = os.path.join(root, *components(directory))
        self.directory = directory
        """Path below the output directory, ``/``-separated; "" for that itself."""
        self._root = resolved_root or root
        self._open_dirs = open_dirs
        self._existing = existing
        self._reserved: set[str] = set()
        self._has_suffixed = False
        """A reserved name ends like a part file or a record; hardly any does."""
        self._next: dict[str, int] = {}

    def __repr__(self) -> str:
        return f"<Folder {self.directory or '.'} {len(self._reserved)} reserved>"

    def existed_at_start(self, name: str) -> bool:
        """Return True if the name, or its part file, existed at the first listing."""
        existing = self._existing
        if not existing:
            return False
        key = fold(name)
        return key in existing or key + PART in existing or key + RECORD in existing

    def reserve(self, name: str) -> str:
        """Reserve a free name, as close to ``name`` as possible.

        Returns:
            ``name``, or the first free ``stem (n).ext``, shortened so that it fits the
            file system together with the suffixes of the part file.

        Raises:
            LocalError: ``name``: it is not a valid file name.
        """
        stem, extension = split_extension(check_component(name))
        candidate = _fit(stem, "", extension)
        key = fold(candidate)
        first = key
        while self._is_taken(key):
            # Count on per name: ten thousand index.html must not take n² lookups.
            number = self._next.get(first, 0) + 1
            self._next[first] = number
            candidate = _fit(stem, f" ({number})", extension)
            key = fold(candidate)
        self._add(candidate, key)
        return candidate

    def try_reserve(self, name: str) -> bool:
        """Reserve exactly this name, whatever exists on disk.

        Returns:
            False if another download of this run has reserved it.

        Raises:
            LocalError: ``name``: it is not a valid file name.
        """
        key = fold(check_component(name))
        if self._is_reserved(key):
            return False
        self._add(name, key)
        return True

    def has_reserved(self, name: str) -> bool:
        """Return True if exactly this name is reserved, not one of its suffixes."""
        return fold(name) in self._reserved

    def release(self, name: str) -> None:
        """Give up a reservation, if no file was left under the name."""
        self._reserved.discard(fold(name))

    def _add(self, name: str, key: str) -> None:
        # Most names are their own key: one string instead of two.
        self._reserved.add(name if key == name else key)
        if key.endswith(_SUFFIXES):
            self._has_suffixed = True

    def _is_reserved(self, key: str) -> bool:
        reserved = self._reserved
        if key in reserved:
            return True
        # The part file or record of another download could get this name, or the
        # other way round. Only names are stored: four keys each would cost memory.
        if self._has_suffixed and any(key + suffix in reserved for suffix in _SUFFIXES):
            return True
        return key.endswith(_SUFFIXES) and any(
            key.removesuffix(suffix) in reserved for suffix in _SUFFIXES
        )

    def _is_taken(self, key: str) -> bool:
        existing = self._existing
        if key in existing or any(key + suffix in existing for suffix in _SUFFIXES):
            return True
        return self._is_reserved(key)

    @contextmanager
    def opened(self) -> Iterator[SafeDir]:
        """Lend the open directory to a thread. Blocks.

        Raises:
            OSError: it cannot be opened.
        """
        entry = self._open_dirs.acquire(self.path, self._reopen)
        is_stale = False
        try:
            yield entry.directory
        except FileNotFoundError:
            # The directory may have been removed and recreated: reopen it next time.
            is_stale = True
            raise
        finally:
            self._open_dirs.release(self.path, entry, is_stale=is_stale)

    def duplicate(self) -> int:
        """Return a descriptor of the directory, for the caller to close. Blocks.

        Raises:
            OSError: it cannot be opened.
        """
        with self.opened() as directory:
            return os.dup(directory.fd)

    def _reopen(self) -> SafeDir:
        # Never create it here: with the disk unmounted, the mount point would fill.
        parts = components(self.directory)
        return open_directory(self._root, parts, create=False, sync=False)


def check_replaceable(folder: Folder, name: str) -> None:
    """Check that a file can be renamed to a name. Blocks.

    Raises:
        LocalError: ``directory_exists``.
    """
    with folder.opened() as directory:
        if stat.S_ISDIR(directory.lstat(name).st_mode):
            raise LocalError(
                ErrorKind.DIRECTORY_EXISTS,
                f"cannot overwrite {sanitize(name)!r}: it is a directory",
            )


def size_of(folder: Folder, name: str) -> int | None:
    """Return the bytes of a regular file, -1 for anything else, None if missing.

    Blocks.
    """
    with folder.opened() as directory:
        return directory.size(name)


class FinalFile(NamedTuple):
    """A regular file under a final name."""

    size: int
    """Bytes."""
    modified_at: float
    """Wall time, seconds since the epoch."""


def final_file(folder: Folder, name: str) -> FinalFile | None:
    """Return the regular file that has a name, if there is one. Blocks."""
    with folder.opened() as directory:
        try:
            status = directory.lstat(name)
        except FileNotFoundError:
            return None
        if not stat.S_ISREG(status.st_mode):
            return None
        return FinalFile(status.st_size, status.st_mtime)


class OutputFolders:
    """The output directory and the folders below it."""

    def __init__(self, output_dir: Path, runner: BlockingRunner) -> None:
        self._root = os.path.abspath(output_dir)
        self._resolved = ""
        """The output directory when it was first opened, without links: the user may
        name a link, but a link that replaces it later is not followed."""
        self._runner = runner
        self._open_dirs = OpenDirs()
        self._folders: dict[str, Folder] = {}
        self._same: dict[tuple[int, int], Folder] = {}
        self._opening: dict[str, asyncio.Task[Folder]] = {}

    def cached(self, directory: str) -> Folder | None:
        """Return the folder if it is already open; does no I/O."""
        return self._folders.get(directory)

    async def folder(self, directory: str) -> Folder:
        """Open a folder; create it and the output directory if missing.

        Args:
            directory: path below the output directory, ``/``-separated; "" for that
                itself.

        Raises:
            LocalError: ``not_writable``, ``directory_gone``, ``name`` or ``disk``.
        """
        folder = self._folders.get(directory)
        if folder is not None:
            return folder
        # One task for concurrent callers: two folders would not share reservations.
        task = self._opening.get(directory)
        if task is None:
            task = asyncio.get_running_loop().create_task(self._open(directory))
            self._opening[directory] = task
            task.add_done_callback(lambda _: self._opening.pop(directory, None))
        return await asyncio.shield(task)

    async def _open(self, directory: str) -> Folder:
        components(directory)
        identity, existing = await self._runner.run(
            "open folder", directory or self._root, self._open_and_list, directory
        )
        # Another spelling (case, "a/") may mean the same directory. File systems
        # without inode numbers are compared by spelling.
        folder = self._same.get(identity) if identity[1] else None
        if folder is None:
            folder = Folder(
                self._root, directory, existing, self._open_dirs, self._resolved
            )
            self._same[identity] = folder
        self._folders[directory] = folder
        return folder

    def _open_and_list(self, directory: str) -> tuple[tuple[int, int], set[str]]:
        """Create, open and list a folder. Blocks.

        Returns:
            Device and inode number, and the folded names in it.
        """
        parts = components(directory)
        try:
            if not self._resolved:
                os.makedirs(self._root, exist_ok=True)
                self._resolved = os.path.realpath(self._root)
            opened = open_directory(
                self._resolved, parts, create=True, sync=self._runner.fsync
            )
        except OSError as error:
            raise _open_error(error, self._resolved or self._root, directory) from error
        try:
            status = os.stat(opened.fd)
            if not os.access(".", os.W_OK | os.X_OK, dir_fd=opened.fd):
                raise LocalError(
                    ErrorKind.NOT_WRITABLE,
                    f"cannot write in {sanitize(opened.path)!r}: permission denied or"
                    " read-only file system",
                )
            with os.scandir(opened.fd) as entries:
                names = [entry.name for entry in entries]
            existing = {fold(name) for name in names}
            for name in names:
                if name.startswith(TEMPORARY) and name.endswith(PART):
                    _remove_abandoned(opened, name)
        except OSError as error:
            raise from_os_error(error, "read", opened.path) from error
        finally:
            opened.close()
        return (status.st_dev, status.st_ino), existing

    async def close(self) -> None:
        """Close all directory descriptors; a folder reopens if it is used again."""
        for task in list(self._opening.values()):
            task.cancel()
        await self._runner.run("close", self._root, self._open_dirs.close)


def _remove_abandoned(directory: SafeDir, name: str) -> None:
    """Remove a temporary file that no process has locked: its run was killed."""
    try:
        fd = directory.open_regular(name, os.O_RDONLY)
    except OSError:
        return
    try:
        if platform.lock_surely(fd):
            directory.unlink(name)
    except OSError:
        return
    finally:
        os.close(fd)


def fold(name: str) -> str:
    """Return a key that is equal for names which some file system treats as equal."""
    if name.isascii():
        return name.lower()
    # HFS+ ignores joiners.
    name = unicodedata.normalize("NFC", without_joiners(name, all_of_them=True))
    return unicodedata.normalize("NFC", name.casefold())


def numbered(name: str, number: int) -> str:
    """Return ``stem (number).ext``, shortened as in ``Folder.reserve``.

    Keys of object stores have the number at the same place, but are neither shortened
    nor compared without case (``cloud.upload.Uploader.upload``).
    """
    stem, extension = split_extension(check_component(name))
    return _fit(stem, f" ({number})", extension)


def _fit(stem: str, number: str, extension: str) -> str:
    """Join the parts; cut the stem so that the record name fits in 255 bytes."""
    name = f"{stem}{number}{extension}"
    if len(name) * 4 <= _NAME_BYTES or len(os.fsencode(name)) <= _NAME_BYTES:
        return name
    room = _NAME_BYTES - len(os.fsencode(number + extension))
    raw = stem.encode(errors="surrogateescape")[:room]
    return f"{raw.decode(errors='ignore').rstrip()}{number}{extension}"


def _open_error(error: OSError, root: str, directory: str) -> LocalError:
    path = sanitize(os.path.join(root, directory) if directory else root)
    if os.path.islink(os.path.join(root, directory) if directory else root):
        reason = "it is a symbolic link"
        return LocalError(
            ErrorKind.NOT_WRITABLE, f"cannot use folder {path!r}: {reason}"
        )
    if os.path.islink(root):
        reason = "the output directory was replaced by a symbolic link"
        return LocalError(
            ErrorKind.NOT_WRITABLE, f"cannot use folder {path!r}: {reason}"
        )
    if isinstance(error, NotADirectoryError | FileExistsError):
        reason = "a file with this name exists"
        return LocalError(
            ErrorKind.NOT_WRITABLE, f"cannot use folder {path!r}: {reason}"
        )
    result = from_os_error(error, "open folder", path)
    assert isinstance(result, LocalError)
    return result
