"""The border: what the system says becomes a ``LocalError`` that people understand."""

from __future__ import annotations

import errno
import os

from tui.core.errors import FetchError, LocalError, PermanentError
from tui.core.text.plain_text import plain
from tui.core.text.units import format_size

_KINDS = {
    errno.ENOSPC: "disk_full",
    errno.EDQUOT: "disk_full",
    errno.EROFS: "not_writable",
    errno.EACCES: "not_writable",
    errno.EPERM: "not_writable",
    errno.EEXIST: "not_writable",
    errno.ENOTDIR: "not_writable",
    errno.ELOOP: "not_writable",
    errno.ENOENT: "directory_gone",
    errno.ESTALE: "directory_gone",
    errno.ENAMETOOLONG: "name",
    errno.EILSEQ: "name",
    errno.EISDIR: "name",
}


def translate(
    error: BaseException, doing: str, name: str, needed: int | None = None
) -> FetchError:
    """Turn what a blocking call raised into what the engine deals in.

    Args:
        error: anything; a ``FetchError`` is returned as it is.
        doing: what was tried, ``write`` or ``rename``.
        name: the file or folder; shown through ``plain``.
        needed: bytes that are still to come, told when the disk is full.

    Returns:
        A ``LocalError``; kind ``internal`` when it is no fault of the machine.
    """
    if isinstance(error, FetchError):
        return error
    result: FetchError
    if isinstance(error, OSError):
        kind = _KINDS.get(error.errno or 0, "disk")
        result = LocalError(kind, _message(error, kind, doing, plain(name), needed))
    else:
        told = plain(f"{type(error).__name__}: {error}", 300)
        result = PermanentError("internal", f"cannot {doing} {plain(name)!r}: {told}")
    result.__cause__ = error
    return result


def _message(
    error: OSError, kind: str, doing: str, name: str, needed: int | None
) -> str:
    if kind == "disk_full":
        quota = error.errno == errno.EDQUOT
        what = "your disk quota is used up" if quota else "the disk is full"
        more = "" if needed is None else f"; {format_size(needed)} more are needed"
        return f"{what}: cannot {doing} {name!r}{more}"
    if kind == "directory_gone":
        return f"the folder of {name!r} is gone: cannot {doing} it"
    code = error.errno
    reason = plain(str(error)) if code is None else os.strerror(code)
    return f"cannot {doing} {name!r}: {reason}"
