"""Read credentials per host from a netrc file, as curl, git and ftp do."""

from __future__ import annotations

import netrc
from typing import TYPE_CHECKING, NamedTuple

from tui.core.errors import ErrorKind, LocalError
from tui.core.text.plain_text import plain

if TYPE_CHECKING:
    from pathlib import Path

FILE_LIMIT = 1 << 20
"""Bytes; enough for ten thousand entries."""


class NetrcLogin(NamedTuple):
    """User and password of one entry."""

    user: str
    password: str


class NetrcFile:
    """The entries of one file.

    Raises:
        LocalError: ``netrc``, with file and line, if it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        hosts = _read(path).hosts
        default = hosts.pop("default", None)
        self._default = _login(default) if default is not None else None
        # RFC 4343: host names are case-insensitive.
        self._logins = {host.lower(): _login(entry) for host, entry in hosts.items()}

    def login_for(self, host: str, *, is_named: bool) -> NetrcLogin | None:
        """Return the entry for ``host``, or ``None``.

        Args:
            host: without port; netrc has none.
            is_named: whether the user's own list names the host. Only then does the
                ``default`` entry apply: otherwise any redirect would get it.
        """
        found = self._logins.get(host.lower())
        return found or (self._default if is_named else None)


def _read(path: Path) -> netrc.netrc:
    try:
        with path.open("rb") as file:
            head = file.read(FILE_LIMIT + 1)
        if len(head) > FILE_LIMIT:
            raise _bad(f"{plain(str(path))}: larger than {FILE_LIMIT >> 20} MiB")
        head.decode()
        # With a path, the parser skips its check of owner and mode: the user has chosen
        # the file.
        return netrc.netrc(str(path))
    except netrc.NetrcParseError as error:
        # Its message quotes a word from the file, which may be the password.
        reason = (
            error.msg.partition("'")[0].partition('"')[0].strip() or "not a netrc file"
        )
        raise _bad(f"{plain(str(path))}:{error.lineno or 1}: {reason}") from None
    except UnicodeDecodeError as error:
        line = head.count(b"\n", 0, error.start) + 1
        raise _bad(f"{plain(str(path))}:{line}: not UTF-8") from None
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise _bad(f"{plain(str(path))}: {reason}") from None


def _login(entry: tuple[str, str | None, str | None]) -> NetrcLogin:
    user, _, password = entry
    return NetrcLogin(user or "", password or "")


def _bad(message: str) -> LocalError:
    return LocalError(ErrorKind.NETRC, message)
