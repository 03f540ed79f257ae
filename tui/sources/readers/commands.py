"""Pasted curl and wget commands, converted to the downloads they would make.

Only what a GET needs is used: URLs, headers, cookies, logins and names. Commands that
send data, request part of a file or follow links are refused with a reason, because
fetchtui would download something else. Options about how to transfer are ignored, with
one note that names them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import quote

from tui.core.request import BadRequestLine, DownloadRequest
from tui.core.text.plain_text import plain
from tui.sources.patterns import check_pattern, from_curl
from tui.sources.readers.command_options import CURL, WGET, Program
from tui.sources.readers.shell_words import program_of, split_command
from tui.sources.values import (
    RESERVED_HEADERS,
    parse_folder,
    parse_header,
    parse_output_path,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

_LOGIN = re.compile(r"(://)(?:[^/?#]*@)?")
_OPERATORS = frozenset({"|", "||", ";", "&&", "&"})
_DISCARDED = frozenset({"-", "/dev/null", "NUL", "nul"})


def parse_command(
    text: str, where: str, notes: list[str] | None = None
) -> Iterator[DownloadRequest | BadRequestLine]:
    """Parse one command; yields its requests, or one error.

    Args:
        text: the command with all its lines.
        where: the location of its first line, for messages.
        notes: receives a line that names the ignored options.
    """
    try:
        words = split_command(text)
        command = _Command(CURL if program_of(text) == "curl" else WGET, where)
        command.read(words[1:])
        requests = command.requests()
    except ValueError as error:
        # The message never contains a value, because it may be a password.
        yield BadRequestLine(where, str(error))
        return
    if notes is not None and command.ignored:
        listed = ", ".join(sorted(command.ignored)[:10])
        notes.append(f"{where}: ignoring options of {command.program.name}: {listed}")
    yield from requests


@dataclass
class _Command:
    """The state of parsing one command."""

    program: Program
    where: str
    ignored: set[str] = field(default_factory=set)
    urls: list[str] = field(default_factory=list)
    names: list[str | None] = field(default_factory=list)
    """``-o`` and ``-O`` in their order; ``None`` for the server's name."""
    headers: dict[str, str] = field(default_factory=dict)
    """Lower-case name -> the line ``Name: value``."""
    folder: str = ""
    user: str = ""
    password: str = ""
    is_literal: bool = False
    """curl's ``-g``: brackets and braces in URLs are literal."""

    def read(self, words: list[str]) -> None:
        """Parse the words after the program's name.

        Raises:
            ValueError: the command does not make a plain download.
        """
        rest = iter(words)
        is_option = True
        for word in rest:
            if word in _OPERATORS:
                self.ignored.add(f"everything after {word}")
                return
            if word in (">", ">>", "1>"):
                self._output(next(rest, ""))
            elif word.startswith(("2>", "<", "&>")):
                next(rest, "")
            elif not is_option or not word.startswith("-") or word == "-":
                self.urls.append(word)
            elif word == "--":
                is_option = False
            elif word.startswith("--"):
                self._read_long(word, rest)
            else:
                self._read_short(word, rest)

    def requests(self) -> list[DownloadRequest]:
        """Return the command's downloads.

        Raises:
            ValueError: there is no URL, or a URL or a name is invalid.
        """
        if not self.urls:
            raise ValueError("the command has no URL")
        headers = tuple(parse_header(line) for line in self.headers.values())
        found = []
        for number, text in enumerate(self.urls):
            url = text if "://" in text else f"http://{text}"
            if self.program is CURL and not self.is_literal:
                url = from_curl(url)
            elif "{" in url:
                url = url.replace("{", "%7B").replace("}", "%7D")
            url = check_pattern(self._with_login(url))
            folder, name = self._output_path(number)
            found.append(
                DownloadRequest((url,), name, folder, None, headers, source=self.where)
            )
        return found

    def _output_path(self, number: int) -> tuple[str | None, str | None]:
        """Return the folder and name for one of the URLs."""
        one = self.names[number] if number < len(self.names) else None
        if one is not None and self.program is WGET and len(self.urls) > 1:
            raise ValueError("-O joins several files into one; use one line per URL")
        if one is not None and self.program is CURL and "#1" in one:
            raise ValueError("#1 in -o is not supported; write out the URLs")
        folder = parse_folder(self.folder) if self.folder else None
        if one is None:
            return folder, None
        below, name = parse_output_path(one, "the file name")
        if self.program is WGET or below is None:
            # With -O, wget ignores -P.
            return (below if self.program is WGET else folder), name
        return (f"{folder}/{below}" if folder else below), name

    def _with_login(self, url: str) -> str:
        if not self.user:
            return url
        login = f"{quote(self.user, safe='')}:{quote(self.password, safe='')}@"
        return _LOGIN.sub(lambda match: match[1] + login, url, count=1)

    # -- options ---------------------------------------------------------------------

    def _read_long(self, word: str, rest: Iterator[str]) -> None:
        name, equals, value = word.partition("=")
        if equals and self.program is CURL:
            # curl has no options with =.
            raise ValueError(f"{plain(name, 40)}= is not an option of curl")
        if name in self.program.valued and not equals:
            following = next(rest, None)
            if following is None:
                raise ValueError(f"{plain(name, 40)} needs a value")
            value = following
        self._apply(name, value)

    def _read_short(self, word: str, rest: Iterator[str]) -> None:
        """Read ``-L``, ``-sSLo name``, ``-oname``; wget has ``-nc`` and the like."""
        if self.program is WGET and word[:2] == "-n":
            return
        for at, letter in enumerate(word[1:], 1):
            name = self.program.long_of.get(letter)
            if name is None:
                self.ignored.add(f"-{plain(letter, 1)}")
                continue
            if name not in self.program.valued:
                self._apply(name, "")
                continue
            value = word[at + 1 :] or next(rest, None)
            if value is None:
                raise ValueError(f"-{letter} needs a value")
            self._apply(name, value)
            return

    def _apply(self, name: str, value: str) -> None:
        refused = self.program.refused.get(name)
        if refused is not None:
            raise ValueError(f"{name} {refused}")
        match self.program.meanings.get(name):
            case "header":
                self._header(value)
            case "agent":
                self._header(f"User-Agent: {value}")
            case "referer":
                self._header(f"Referer: {value.removesuffix(';auto')}")
            case "bearer":
                self._header(f"Authorization: Bearer {value}")
            case "cookie":
                if "=" not in value:
                    raise ValueError(f"{name} names a file; use --cookies for it")
                self._header(f"Cookie: {value}")
            case "output":
                self._output(value)
            case "remote-name":
                self.names.append(None)
            case "folder":
                self.folder = value
            case "url":
                self.urls.append(value)
            case "method":
                if value.upper() != "GET":
                    raise ValueError(f"{name} uses a method other than GET")
            case "login":
                self.user, _, self.password = value.partition(":")
            case "user":
                self.user = value
            case "password":
                self.password = value
            case "literal":
                self.is_literal = True
            case "silent":
                pass
            case _:
                self.ignored.add(plain(name, 40))

    def _header(self, line: str) -> None:
        name, colon, value = line.partition(":")
        name = name.strip()
        if not colon or not value.strip():
            # curl: "Name:" removes a header, "Name;" sends it empty.
            return
        if name.lower() in RESERVED_HEADERS:
            # Copied from a browser, it would change which bytes the server returns.
            self.ignored.add(f"the header {plain(name, 40)}")
            return
        self.headers[name.lower()] = line

    def _output(self, name: str) -> None:
        self.names.append(None if name in _DISCARDED else name)
