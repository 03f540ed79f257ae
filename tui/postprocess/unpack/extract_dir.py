"""The folder into which an archive is unpacked; nothing is ever written outside it.

The rules for names are stricter than those of ``tarfile``'s data filter, which rewrites
or skips what is refused here, and they also apply to zip files: one bad name refuses
the whole archive, because its author meant harm or another system.

The folder is created under a temporary name and renamed when it is complete. While
files are written, it contains no symbolic links, so no path can be redirected: links
are recorded and created at the very end. Everything blocks; this runs in a separate
process.
"""

from __future__ import annotations

import os
import re
import shutil
from contextlib import suppress
from typing import IO, TYPE_CHECKING

from tui.core.text.sanitize import sanitize
from tui.core.text.units import format_size

if TYPE_CHECKING:
    from collections.abc import Callable

SUFFIXES = (
    ".zip",
    ".tar",
    ".tar.gz",
    ".tgz",
    ".tar.bz2",
    ".tbz2",
    ".tbz",
    ".tar.xz",
    ".txz",
    ".tar.zst",
    ".tzst",
)
"""Suffixes of archives that are unpacked. Formats that are archives internally (.jar,
.docx, .apk) are not."""
DEPTH_LIMIT = 100
"""Maximum depth of nested folders."""

_DASH = re.compile("^-")
_DASHES = re.compile("(^|/)-")
_DRIVE = re.compile(r"[A-Za-z]:(?!:)")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_SHOWN = 80


class UnpackError(Exception):
    """The archive was not unpacked; ``str()`` is the reason, safe to display."""


def stem_of(name: str) -> str | None:
    """Return an archive's name without its suffix; ``None`` for any other file."""
    lowered = name.lower()
    endings = [suffix for suffix in SUFFIXES if lowered.endswith(suffix)]
    if not endings:
        return None
    stem = name[: -max(map(len, endings))].rstrip(". ")
    return stem or None


def quoted(name: str) -> str:
    """Quote a name from an archive for a message."""
    return repr(sanitize(name, _SHOWN))


def parts_of(name: str) -> list[str]:
    """Split the name of an entry into path components below the folder.

    Args:
        name: the name in the archive.

    Returns:
        Its components; an empty list for the folder itself. A dash at the beginning of
        one becomes an underscore: ``rm *`` in the folder would read ``-rf`` as options.

    Raises:
        UnpackError: the name is absolute, contains ``..``, a drive or control
            characters, or is nested too deeply.
    """
    if _CONTROL.search(name):
        raise UnpackError(f"the name {quoted(name)} contains a control character")
    if name.startswith(("/", "\\")) or _DRIVE.match(name):
        raise UnpackError(f"the name {quoted(name)} is outside the folder")
    # A backslash is a letter here and a separator on Windows: suspicious either way.
    if ".." in re.split(r"[/\\]", name):
        raise UnpackError(f"the name {quoted(name)} leaves the folder")
    parts = [_DASH.sub("_", part) for part in name.split("/") if part not in ("", ".")]
    if len(parts) > DEPTH_LIMIT:
        raise UnpackError(f"folders are nested more than {DEPTH_LIMIT} levels deep")
    return parts


def check_link(parts: list[str], target: str) -> str:
    """Return the target of a symbolic link if it stays inside the folder.

    Links are created last, each in a real directory. A target that first ascends at
    most to the folder and then only descends cannot leave it, whatever other links are
    on the way, since those obey the same rule. ``a/../..`` is refused even if it seems
    to stay inside, because ``a`` may be a link.

    Args:
        parts: path components of the link.
        target: the target in the archive.

    Raises:
        UnpackError: the target is outside the folder, or may be.
    """
    reason = f"the link {quoted('/'.join(parts))} leaves the folder: {quoted(target)}"
    if not target or _CONTROL.search(target) or _DRIVE.match(target):
        raise UnpackError(reason)
    if target.startswith(("/", "\\")):
        raise UnpackError(reason)
    climbs, steps = _climb(target)
    if climbs >= len(parts) or ".." in steps:
        raise UnpackError(reason)
    return target


def reaches_top(parts: list[str], target: str) -> bool:
    """Return True if a link inside a folder passes through the archive's top level.

    It would point outside if only that folder were kept.
    """
    return len(parts) > 1 and _climb(target)[0] == len(parts) - 1


def _climb(target: str) -> tuple[int, list[str]]:
    """Return the number of leading ``..`` of a link, and its remaining steps."""
    steps = [step for step in re.split(r"[/\\]", target) if step not in ("", ".")]
    climbs = next((n for n, step in enumerate(steps) if step != ".."), len(steps))
    return climbs, steps[climbs:]


ENTRY_LIMIT = 500_000
"""Maximum entries of an archive; the largest source trees have 400,000. Each of them
costs a third of a millisecond and an inode."""
FLOOR = 1 << 30
"""Bytes that any archive may unpack to; a bomb of this size does little harm."""
RATIO_LIMIT = 100
"""Maximum compression ratio above ``FLOOR``. Text compresses to a tenth, rarely to a
fiftieth; anything better is a bomb or an empty disk image."""
RESERVE = 64 << 20
"""Bytes that stay free on the disk for other downloads."""
_BLOCK = 1 << 20
_CHECK_INTERVAL = 32 << 20
"""Bytes written between two checks of the free space."""
_CREATE = (
    os.O_WRONLY
    | os.O_CREAT
    | os.O_EXCL
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_CLOEXEC", 0)
)


class ExtractDir:
    """The folder, with what has been unpacked so far."""

    def __init__(
        self,
        root: str,
        archive_size: int,
        check_stop: Callable[[], None] = lambda: None,
    ) -> None:
        """Create the folder.

        Args:
            root: its temporary path.
            archive_size: size of the archive in bytes, on which the limit depends.
            check_stop: called often; raises an exception to stop the work.

        Raises:
            OSError: it cannot be created.
        """
        os.mkdir(root, 0o700)
        self._root = root
        self._allowed = max(FLOOR, RATIO_LIMIT * archive_size)
        self._archive_size = archive_size
        self._check_stop = check_stop
        self._made = {""}
        self._links: list[tuple[str, str, str]] = []
        self._next_check = 0
        self.entries = 0
        self.nbytes = 0
        self.needs_top = False
        """True if a link passes through the top level, so no single folder suffices."""

    def folder(self, name: str) -> None:
        """Create a folder, unless it exists.

        Raises:
            UnpackError: the name is refused, or a file is in the way.
        """
        self._folder(parts_of(name))

    def file(
        self, name: str, source: IO[bytes], *, is_program: bool, mtime: float | None
    ) -> None:
        """Write a file.

        Args:
            name: the name in the archive.
            source: its contents, read to the end.
            is_program: make it executable for its owner.
            mtime: wall time of its last modification, or ``None``.

        Raises:
            UnpackError: the name is refused or taken, or a limit is exceeded.
        """
        path = self._new_path(name)
        try:
            fd = os.open(path, _CREATE, 0o777 if is_program else 0o666)
        except FileExistsError:
            raise _duplicate(name) from None
        try:
            while block := source.read(_BLOCK):
                self.count(len(block))
                view = memoryview(block)
                while view:
                    view = view[os.write(fd, view) :]
            if mtime is not None and mtime > 0:
                # Ignore a date that the file system does not support.
                with suppress(OSError, OverflowError):
                    os.utime(fd, (mtime, mtime))
        finally:
            os.close(fd)

    def same_file(self, name: str, target: str) -> None:
        """Create a hard link to an unpacked file.

        Raises:
            UnpackError: either name is refused, or the file does not exist.
        """
        source = self._path(parts_of(target))
        path = self._new_path(name)
        try:
            os.link(source, path, follow_symlinks=False)
        except FileExistsError:
            raise _duplicate(name) from None
        except (FileNotFoundError, PermissionError):
            reason = f"the link {quoted(name)} has no target {quoted(target)}"
            raise UnpackError(reason) from None

    def link(self, name: str, target: str) -> None:
        """Record a symbolic link.

        Raises:
            UnpackError: the name is refused, or the target is outside.
        """
        parts = parts_of(name)
        check_link(parts, target)
        self.needs_top = self.needs_top or reaches_top(parts, target)
        target = _DASHES.sub(r"\1_", target)  # as in the names that it points to
        self._links.append((name, self._new_path(name), target))

    def count(self, nbytes: int) -> None:
        """Count unpacked bytes, whether written or not.

        Raises:
            UnpackError: the size limit is exceeded, or the disk is nearly full.
        """
        self._check_stop()
        self.nbytes += nbytes
        if self.nbytes > self._allowed:
            raise UnpackError(
                f"a {format_size(self._archive_size)} archive that unpacks to more than"
                f" {format_size(self._allowed)}; unpack it by hand if you trust it"
            )
        if self.nbytes >= self._next_check:
            self._next_check = self.nbytes + _CHECK_INTERVAL
            if shutil.disk_usage(self._root).free < RESERVE:
                raise UnpackError("the disk is nearly full")

    def finish(self) -> None:
        """Create the links, and set the folder's permissions by the umask.

        Raises:
            UnpackError: the name of a link is taken.
        """
        for name, path, target in self._links:
            try:
                os.symlink(target, path)
            except FileExistsError:
                raise _duplicate(name) from None
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(self._root, 0o777 & ~umask)

    def _new_path(self, name: str) -> str:
        """Return the path of a new entry, and create its parent folders."""
        parts = parts_of(name)
        if not parts:
            raise UnpackError(f"{quoted(name)} is not a file name")
        self._count_entry()
        self._folder(parts[:-1])
        return self._path(parts)

    def _path(self, parts: list[str]) -> str:
        return os.path.join(self._root, *parts)

    def _folder(self, parts: list[str]) -> None:
        path = "/".join(parts)
        if path in self._made:
            return
        self._folder(parts[:-1])
        self._count_entry()
        try:
            os.mkdir(self._path(parts))
        except FileExistsError:
            raise _duplicate(path) from None
        self._made.add(path)

    def _count_entry(self) -> None:
        self._check_stop()
        self.entries += 1
        check_entries(self.entries)


def check_entries(number: int) -> None:
    """Refuse an archive with this number of entries, if it is too large.

    Raises:
        UnpackError: ``number`` exceeds ``ENTRY_LIMIT``.
    """
    if number > ENTRY_LIMIT:
        raise UnpackError(f"more than {ENTRY_LIMIT:,} files")


def _duplicate(name: str) -> UnpackError:
    # Or two names that this file system does not distinguish.
    return UnpackError(f"duplicate entry {quoted(name)}")
