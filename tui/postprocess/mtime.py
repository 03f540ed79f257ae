"""Giving files the time at which their server says they were last changed."""

from __future__ import annotations

import os
import stat
import time
from typing import TYPE_CHECKING

from tui.core.text.plain_text import plain

if TYPE_CHECKING:
    from collections.abc import Sequence


def is_believable(at: float, now: float) -> bool:
    """Whether a time may be a file's.

    One in the future makes build tools and backups act up (RFC 9110, section 8.8.2.1,
    forbids servers to send it), and the epoch itself is what servers say that do not
    know.
    """
    return 0 < at <= now


def set_times(wishes: Sequence[tuple[int, str, float]]) -> list[tuple[int, str]]:
    """Set many files' times in one trip to a thread. Blocks.

    Args:
        wishes: id, path and wall time of each.

    Returns:
        Those that could not be set: id and reason.
    """
    now = time.time()
    troubles = []
    for id, path, at in wishes:
        if not is_believable(at, now):
            continue
        try:
            if stat.S_ISREG(os.lstat(path).st_mode):
                os.utime(path, (at, at), follow_symlinks=False)
        except OSError as error:
            troubles.append((id, plain(error.strerror or str(error))))
    return troubles
