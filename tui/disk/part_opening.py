"""Making, opening, locking part files: never through a link, never another's."""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING

from tui.core.errors import LocalError
from tui.core.plain_text import plain
from tui.disk import resume, system
from tui.disk.destination import PART, RECORD
from tui.disk.directory import check_component
from tui.disk.faults import translate
from tui.disk.part_file import PartFile

if TYPE_CHECKING:
    from tui.disk.destination import Folder
    from tui.disk.directory import Directory
    from tui.disk.resume import ResumeRecord


def open_part_file(
    folder: Folder,
    name: str,
    *,
    size: int | None,
    resume_it: bool,
    record: ResumeRecord | None = None,
) -> PartFile:
    """Create and lock a part file, or open and lock the one that is there.

    Args:
        folder: where.
        name: the final name, one component.
        size: bytes of the whole file; room is made for them.
        resume_it: continue with a part file that is there.
        record: saved beside a new part file, before anything is in it.

    Raises:
        FileExistsError: ``part``: there is one (and it is not to be continued), it is
            no regular file of its own, or somebody else's file has the record's name.
        LocalError: ``in_use``, ``disk_full``, ``not_writable``, ``directory_gone``,
            ``name`` or ``disk``.
    """
    check_component(name)
    try:
        with folder.opened() as directory:
            part = None
            if resume_it:
                part = _open_existing(directory, folder, name, size)
            if part is None:
                part = _create(directory, folder, name, size)
                if record is not None:
                    # A kill leaves an empty part file or one that is known for ours,
                    # so no sync is needed: it claims no bytes yet.
                    _save_first(part, record)
    except FileExistsError as error:
        raise FileExistsError("part") from error
    except OSError as error:
        raise translate(error, "create", name) from error
    try:
        if size is not None:
            part.reserve(size)
    except BaseException:
        part.remove() if part.created_here else part.close()
        raise
    return part


def _create(
    directory: Directory, folder: Folder, name: str, size: int | None
) -> PartFile:
    if resume.is_in_the_way(directory, name):
        raise FileExistsError(errno.EEXIST, "a record of somebody else", name)
    # A record of ours whose part file went would lie about the new one. It goes
    # first, so that no crash leaves both.
    if directory.size(name + PART) is None:
        directory.unlink(name + RECORD)
    fd = directory.create(name + PART)
    return _locked(PartFile(folder, name, fd, size=size, created=True))


def _save_first(part: PartFile, record: ResumeRecord) -> None:
    try:
        resume.save_record(part.folder, part.name, record, sync=False)
    except BaseException:
        part.remove()
        raise


def _open_existing(
    directory: Directory, folder: Folder, name: str, size: int | None
) -> PartFile | None:
    try:
        fd = directory.open_regular(name + PART)
    except FileNotFoundError:
        return None
    part = PartFile(folder, name, fd, size=size, created=False)
    _locked(part)
    # Between open and lock its writer may have given it the final name.
    try:
        found = directory.lstat(part.part_name)
    except FileNotFoundError:
        part.close()
        return None
    if not stat.S_ISREG(found.st_mode) or not os.path.samestat(found, os.fstat(fd)):
        part.close()
        raise FileExistsError(errno.EEXIST, "it was replaced", part.part_name)
    return part


def _locked(part: PartFile) -> PartFile:
    if system.lock(part.fd):
        return part
    part.close()
    told = f"another process is writing {plain(part.part_name)!r}"
    raise LocalError("in_use", told)
