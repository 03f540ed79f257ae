"""The other side of ``unpacker``: what runs in its processes."""

from __future__ import annotations

import os
import signal
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from tui.postprocess.unpack.archive import Stopped, Unpacked, unpack
from tui.postprocess.unpack.names import UnpackError

if TYPE_CHECKING:
    from collections.abc import MutableSequence

MEMORY_LIMIT = 1 << 30
"""Bytes of address space: a header that asks for gigabytes must not get them."""
_CLEARING_S = 5.0
"""For the work at hand to clear up when the parent is gone."""

_stop: Any = None
_shares: MutableSequence[float] = []
_is_orphan = threading.Event()
_is_clear = threading.Event()


def begin(stop: Any, shares: MutableSequence[float]) -> None:
    """Prepare a new process (called once in it).

    Args:
        stop: an event that ends all work.
        shares: where each slot tells how far it is.
    """
    global _stop, _shares
    _stop, _shares = stop, shares
    # The parent decides when to stop, and says so; a terminal does not.
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
    threading.Thread(target=_follow_parent, daemon=True).start()


def unpack_here(
    path: str, stem: str, temporary: str, slot: int, is_synced: bool
) -> Unpacked:
    """Unpack an archive, as ``archive.unpack`` does.

    Raises:
        UnpackError: it is not unpacked, or nobody wants it any more.
    """

    def go_on(share: float) -> None:
        _shares[slot] = share
        if _is_orphan.is_set() or _stop.is_set():
            raise Stopped

    _is_clear.clear()
    try:
        return unpack(path, stem, temporary, is_synced=is_synced, go_on=go_on)
    except Stopped:
        raise UnpackError("it was stopped") from None
    finally:
        _is_clear.set()


def _follow_parent() -> None:
    """End this process when its parent has ended, however that was."""
    from multiprocessing import parent_process

    parent = parent_process()
    assert parent is not None
    parent.join()
    _is_orphan.set()
    _is_clear.wait(_CLEARING_S)
    os._exit(1)
