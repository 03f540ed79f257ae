"""The code that runs in the processes of ``UnpackPool``."""

from __future__ import annotations

import os
import signal
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from tui.postprocess.unpack.archive import Stopped, Unpacked, unpack
from tui.postprocess.unpack.extract_dir import UnpackError

if TYPE_CHECKING:
    from collections.abc import MutableSequence

MEMORY_LIMIT = 1 << 30
"""Maximum address space in bytes, because a header may ask for gigabytes."""
_CLEARING_S = 5.0
"""Time for the current job to clean up when the parent is gone."""

_stop: Any = None
_progress: MutableSequence[float] = []
_is_orphan = threading.Event()
_is_clear = threading.Event()


def initialize(stop: Any, shares: MutableSequence[float]) -> None:
    """Initialize a new process (called once in it).

    Args:
        stop: an event that cancels all work.
        shares: an array with the progress of each slot.
    """
    global _stop, _progress
    _stop, _progress = stop, shares
    # Only the parent stops this process, with the event; ignore the terminal.
    ignored = {signal.SIGINT, signal.SIGHUP}
    for number in ignored:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ignored)
    if sys.platform == "linux":
        import resource

        with suppress(OSError, ValueError):
            _, most = resource.getrlimit(resource.RLIMIT_AS)
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT, most))
    _is_clear.set()
    threading.Thread(target=_watch_parent, daemon=True).start()


class OpenFolder(NamedTuple):
    """A folder that the parent has open."""

    path: str
    fd: int
    """Its descriptor in the parent."""
    identity: tuple[int, int]
    """Its device and inode number."""

    @classmethod
    def of(cls, path: str, fd: int) -> OpenFolder:
        """Describe the folder ``path``, open as ``fd``."""
        status = os.fstat(fd)
        return cls(path, fd, (status.st_dev, status.st_ino))

    def enter(self) -> None:
        """Make it the working directory of this process.

        Raises:
            UnpackError: another folder or a link has replaced it.
        """
        # Through the parent's descriptor where the system can: right even if the
        # folder was moved.
        for path in (f"/proc/{os.getppid()}/fd/{self.fd}", self.path):
            with suppress(OSError):
                fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
                try:
                    status = os.fstat(fd)
                    if (status.st_dev, status.st_ino) == self.identity:
                        os.fchdir(fd)
                        return
                finally:
                    os.close(fd)
        raise UnpackError("its folder was moved or replaced meanwhile")


class Archive(NamedTuple):
    """An archive to unpack."""

    name: str
    folder: OpenFolder
    stem: str
    temporary: str


def run_job(archive: Archive, slot: int, is_synced: bool) -> Unpacked:
    """Unpack an archive, as ``archive.unpack`` does.

    All its paths are relative to the working directory: a process does one job at a
    time, so no path is resolved from the root again.

    Raises:
        UnpackError: unpacking failed or was stopped.
    """

    def on_progress(progress: float) -> None:
        _progress[slot] = progress
        if _is_orphan.is_set() or _stop.is_set():
            raise Stopped

    name, folder, stem, temporary = archive
    _is_clear.clear()
    try:
        folder.enter()
        unpacked = unpack(
            name, stem, temporary, is_synced=is_synced, on_progress=on_progress
        )
    except Stopped:
        raise UnpackError("unpacking was stopped") from None
    finally:
        os.chdir("/")
        _is_clear.set()
    path = os.path.join(folder.path, unpacked.directory)
    return unpacked._replace(directory=path)


def _watch_parent() -> None:
    """Exit when the parent has exited, for whatever reason."""
    from multiprocessing import parent_process

    parent = parent_process()
    assert parent is not None
    parent.join()
    _is_orphan.set()
    _is_clear.wait(_CLEARING_S)
    os._exit(1)
