"""Read credentials per host from a netrc file, as curl reads it.

CPython's ``netrc`` is not used: of several entries for one host it returns the last one
and cannot choose by login, it fails on comments such as ``#sample netrc file`` and on a
macro at the end of the file, and it does not know the escapes in quoted values.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from tui.core.errors import ErrorKind, LocalError
from tui.core.rules.hosts import ascii_host
from tui.core.text.sanitize import sanitize

if TYPE_CHECKING:
    from pathlib import Path

FILE_LIMIT = 1 << 20
"""Bytes; enough for ten thousand entries."""
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}
# A quoted value may contain escapes and must end in its line; an unquoted one cannot.
_TOKEN = re.compile(r'"((?:[^"\\\n]|\\[^\n])*)"|("[^\n]*)|([^ \t\r\n]+)|(\n)')
_WORDS = ("login", "password", "account")
_OTHER_WORDS = ("port", "protocol")
"""What other programs write into the same file; skipped with its value, as by curl."""


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
        self._entries = _read(path)
        """Host as from ``ascii_host`` (``None``: ``default``) and login, in order."""

    def login_for(
        self, host: str, *, is_named: bool, user: str = ""
    ) -> NetrcLogin | None:
        """Return the first entry for ``host``, or ``None``.

        Args:
            host: without port; netrc has none.
            is_named: whether the user's own list names the host. Only then does the
                ``default`` entry apply: otherwise any redirect would get it.
            user: only entries with this login, or without any, count; "" for all.
        """
        host = ascii_host(host)
        for name, login in self._entries:
            is_host = name == host or (name is None and is_named)
            if is_host and (not user or login.user in ("", user)):
                return NetrcLogin(user or login.user, login.password)
        return None


def _read(path: Path) -> list[tuple[str | None, NetrcLogin]]:
    shown = sanitize(str(path))
    try:
        with path.open("rb") as file:
            head = file.read(FILE_LIMIT + 1)
    except OSError as error:
        raise _bad(f"{shown}: {error.strerror or type(error).__name__}") from None
    if len(head) > FILE_LIMIT:
        raise _bad(f"{shown}: larger than {FILE_LIMIT >> 20} MiB")
    try:
        text = head.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = head.count(b"\n", 0, error.start) + 1
        raise _bad(f"{shown}:{line}: not UTF-8") from None
    try:
        return _Parser(text).entries()
    except _Invalid as error:
        raise _bad(f"{shown}:{error.line}: {error}") from None


class _Invalid(Exception):
    """The file has an error; the message contains no word of it."""

    def __init__(self, reason: str, line: int) -> None:
        super().__init__(reason)
        self.line = line


class _Parser:
    """Splits a file into words, and those into entries."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def entries(self) -> list[tuple[str | None, NetrcLogin]]:
        """Return the entries in their order."""
        found: list[tuple[str | None, dict[str, str]]] = []
        while (name := self._word()) is not None:
            word = name.lower()
            if word == "machine":
                host = ascii_host(self._value(word)).removesuffix(".")
                found.append((host, {}))
            elif word == "default":
                found.append((None, {}))
            elif word == "macdef":
                self._skip_macro()
            elif word in _WORDS and found:
                found[-1][1].setdefault(word, self._value(word))
            elif word in _OTHER_WORDS and found:
                self._value(word)
            else:
                raise _Invalid("expected machine, login or password", self._line())
        return [
            (host, NetrcLogin(values.get("login", ""), values.get("password", "")))
            for host, values in found
        ]

    def _word(self) -> str | None:
        """Return the next word; a comment extends to the end of its line."""
        while (token := _TOKEN.search(self._text, self._at)) is not None:
            self._at = token.end()
            if token[4] is not None:
                continue
            if token[2] is not None:
                raise _Invalid("a quoted value has no end", self._line())
            if token[1] is not None:
                return re.sub(r"\\(.)", lambda m: _ESCAPES.get(m[1], m[1]), token[1])
            if token[3].startswith("#"):
                end = self._text.find("\n", self._at)
                self._at = len(self._text) if end < 0 else end
                continue
            return token[3]
        return None

    def _value(self, word: str) -> str:
        """Return the value after a word; a password may begin with ``#``."""
        line = self._line()
        token = _TOKEN.search(self._text, self._at)
        while token is not None and token[4] is not None:
            token = _TOKEN.search(self._text, token.end())
        if token is None:
            raise _Invalid(f"{word} has no value", line)
        if token[3] is not None:
            self._at = token.end()
            return token[3]
        value = self._word()
        assert value is not None
        return value

    def _skip_macro(self) -> None:
        """Skip a macro, up to an empty line or the end of the file."""
        end = re.compile(r"\n[ \t\r]*(?:\n|\Z)").search(self._text, self._at)
        self._at = len(self._text) if end is None else end.end()

    def _line(self) -> int:
        return self._text.count("\n", 0, self._at) + 1


def _bad(message: str) -> LocalError:
    return LocalError(ErrorKind.NETRC, message)
