"""The generated secret of the RPC: a file that only the user can read."""

from __future__ import annotations

import os
import secrets
import stat
from typing import TYPE_CHECKING

from tui.core.errors import ErrorKind, LocalError
from tui.core.text.sanitize import sanitize

if TYPE_CHECKING:
    from pathlib import Path

_NO_LINK = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
_LIMIT = 4096


def load_secret(path: Path) -> str:
    """Return the secret in a file, which is created with a random one if needed.

    The file gets mode 0600. One that others could read or write is refused, since its
    secret may be known.

    Raises:
        LocalError: ``login``, the file cannot be used; the message says why.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            fd = os.open(path, os.O_RDONLY | _NO_LINK)
        except FileNotFoundError:
            return _create(path)
        with os.fdopen(fd, "rb") as file:
            info = os.fstat(file.fileno())
            if not stat.S_ISREG(info.st_mode) or info.st_uid != os.geteuid():
                raise _unusable(path, "it is not a file of this user; remove it")
            if info.st_mode & 0o077:
                raise _unusable(
                    path, "others can read it; remove it to get another secret"
                )
            text = file.read(_LIMIT).decode("ascii", "replace").strip()
    except OSError as error:
        raise _unusable(path, error.strerror or type(error).__name__) from None
    if not text or not text.isprintable():
        raise _unusable(path, "it contains no secret; remove it to get another one")
    return text


def _create(path: Path) -> str:
    text = secrets.token_urlsafe(24)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_LINK
    with os.fdopen(os.open(temporary, flags, 0o600), "w") as file:
        file.write(text + "\n")
    try:
        # Fails if another run has created it meanwhile.
        os.link(temporary, path)
    except FileExistsError:
        return load_secret(path)
    finally:
        os.unlink(temporary)
    return text


def _unusable(path: Path, reason: str) -> LocalError:
    name = sanitize(str(path), 200)
    return LocalError(ErrorKind.LOGIN, f"secret of the RPC, {name}: {reason}")
