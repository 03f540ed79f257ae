"""Convert errors of the operating system into ``LocalError``."""

from __future__ import annotations

import errno
import os

from tui.core.errors import FetchError, LocalError, PermanentError
from tui.core.text.sanitize import sanitize
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
    errno.EISDIR: "directory_exists",
    errno.EMFILE: "descriptors",
    errno.ENFILE: "descriptors",
}


def from_os_error(
    error: BaseException, operation: str, name: str, needed: int | None = None
) -> FetchError:
    """Return the ``FetchError`` for an exception raised by a blocking call.

    Args:
        error: any exception; a ``FetchError`` is returned unchanged.
        operation: the verb that failed, such as ``write`` or ``rename``.
        name: the file or folder; sanitized for display.
        needed: bytes still to be written, mentioned when the disk is full.

    Returns:
        A ``LocalError``, or a ``PermanentError`` of kind ``internal`` for anything
        but an ``OSError``.
    """
    if isinstance(error, FetchError):
        return error
    result: FetchError
    if isinstance(error, OSError):
        kind = _KINDS.get(error.errno or 0, "disk")
        result = LocalError(
            kind, _message(error, kind, operation, sanitize(name), needed)
        )
    else:
        reason = sanitize(f"{type(error).__name__}: {error}", 300)
        result = PermanentError(
            "internal", f"cannot {operation} {sanitize(name)!r}: {reason}"
        )
    result.__cause__ = error
    return result


def _message(
    error: OSError, kind: str, operation: str, name: str, needed: int | None
) -> str:
    if kind == "disk_full":
        is_quota = error.errno == errno.EDQUOT
        reason = "disk quota exceeded" if is_quota else "the disk is full"
        more = "" if needed is None else f"; {format_size(needed)} more needed"
        return f"{reason}: cannot {operation} {name!r}{more}"
    if kind == "directory_gone":
        return f"cannot {operation} {name!r}: its folder no longer exists"
    code = error.errno
    reason = sanitize(str(error)) if code is None else os.strerror(code)
    return f"cannot {operation} {name!r}: {reason}"
