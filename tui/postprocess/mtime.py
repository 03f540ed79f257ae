"""Set files' modification times from Last-Modified."""

from __future__ import annotations

import os
import stat
import time
from typing import TYPE_CHECKING

from tui.core.text.sanitize import sanitize

if TYPE_CHECKING:
    from collections.abc import Sequence


def is_believable(at: float, now: float) -> bool:
    """Return True if a time is plausible for a file.

    A time in the future confuses build tools and backups (RFC 9110, section 8.8.2.1,
    forbids servers to send one), and servers send the epoch if they do not know.
    """
    return 0 < at <= now


def set_times(
    folder: int, times: Sequence[tuple[int, str, float]]
) -> list[tuple[int, str]]:
    """Set the times of many files in a folder; blocks, so call it in a thread.

    Args:
        folder: descriptor of the folder.
        times: id, name and wall time of each file.

    Returns:
        Id and reason of each failure.
    """
    now = time.time()
    failures = []
    for id, name, at in times:
        if not is_believable(at, now):
            continue
        try:
            status = os.stat(name, dir_fd=folder, follow_symlinks=False)
            if stat.S_ISREG(status.st_mode):
                os.utime(name, (at, at), dir_fd=folder, follow_symlinks=False)
        except OSError as error:
            failures.append((id, sanitize(error.strerror or str(error))))
    return failures
