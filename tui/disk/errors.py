"""Convert errors of the operating system into ``LocalError``."""

from __future__ import annotations

import errno
import os

from tui.core.errors import ErrorKind, FetchError, LocalError, PermanentError
from tui.core.text.sanitize import sanitize
from tui.core.text.units import format_size

_KINDS = {
    errno.ENOSPC: ErrorKind.DISK_FULL,
    errno.EDQUOT: ErrorKind.DISK_FULL,
    # FAT holds 4 GiB in a file; ``ulimit -f`` sets such a limit as well.
    errno.EFBIG: ErrorKind.TOO_LARGE,
    errno.EROFS: ErrorKind.NOT_WRITABLE,
    errno.EACCES: ErrorKind.NOT_WRITABLE,
    errno.EPERM: ErrorKind.NOT_WRITABLE,
    errno.EEXIST: ErrorKind.NOT_WRITABLE,
    errno.ENOTDIR: ErrorKind.NOT_WRITABLE,
    errno.ELOOP: ErrorKind.NOT_WRITABLE,
    errno.ENOENT: ErrorKind.DIRECTORY_GONE,
    errno.ESTALE: ErrorKind.DIRECTORY_GONE,
    errno.ENAMETOOLONG: ErrorKind.NAME,
    errno.EILSEQ: ErrorKind.NAME,
    errno.EISDIR: ErrorKind.DIRECTORY_EXISTS,
    errno.EMFILE: ErrorKind.DESCRIPTORS,
    errno.ENFILE: ErrorKind.DESCRIPTORS,
}


class ChangedOnDiskError(LocalError):
    """The files under a name are not those that the caller saw: look again.

    If they keep changing, it is reported as ``in_use``.
    """

    def __init__(self, name: str) -> None:
        super().__init__(ErrorKind.IN_USE, str(in_use(name)))


def in_use(name: str) -> LocalError:
    """Return the error for a file that another process has locked."""
    message = f"{sanitize(name)!r} is in use by another fetchtui"
    return LocalError(ErrorKind.IN_USE, message)


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
        kind = _KINDS.get(error.errno or 0, ErrorKind.DISK)
        result = LocalError(
            kind, _message(error, kind, operation, sanitize(name), needed)
        )
    else:
        reason = sanitize(f"{type(error).__name__}: {error}", 300)
        result = PermanentError(
            ErrorKind.INTERNAL, f"cannot {operation} {sanitize(name)!r}: {reason}"
        )
    result.__cause__ = error
    return result


def _message(
    error: OSError, kind: ErrorKind, operation: str, name: str, needed: int | None
) -> str:
    if kind is ErrorKind.DISK_FULL:
        is_quota = error.errno == errno.EDQUOT
        reason = "disk quota exceeded" if is_quota else "the disk is full"
        more = "" if needed is None else f"; {format_size(needed)} more needed"
        return f"{reason}: cannot {operation} {name!r}{more}"
    if kind is ErrorKind.DIRECTORY_GONE:
        return f"cannot {operation} {name!r}: its folder no longer exists"
    code = error.errno
    reason = sanitize(str(error)) if code is None else os.strerror(code)
    return f"cannot {operation} {name!r}: {reason}"
