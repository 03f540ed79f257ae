"""The code that runs in the processes of ``UnpackPool``."""

from __future__ import annotations

import os
import signal
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

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


def run_job(
    path: str, stem: str, temporary: str, slot: int, is_synced: bool
) -> Unpacked:
    """Unpack an archive, as ``archive.unpack`` does.

    Raises:
        UnpackError: unpacking failed or was stopped.
    """

    def on_progress(progress: float) -> None:
        _progress[slot] = progress
        if _is_orphan.is_set() or _stop.is_set():
            raise Stopped

    _is_clear.clear()
    try:
        return unpack(
            path, stem, temporary, is_synced=is_synced, on_progress=on_progress
        )
    except Stopped:
        raise UnpackError("unpacking was stopped") from None
    finally:
        _is_clear.set()


def _watch_parent() -> None:
    """Exit when the parent has exited, for whatever reason."""
    from multiprocessing import parent_process

    parent = parent_process()
    assert parent is not None
    parent.join()
    _is_orphan.set()
    _is_clear.wait(_CLEARING_S)
    os._exit(1)
