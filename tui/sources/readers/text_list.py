"""Plain lists: one URL per line, in the format of aria2's ``--input-file``.

::

    # a comment
    https://example.org/a.iso <tab> https://mirror.example.net/a.iso
      out=folder/name.iso
      checksum=sha-256=HEX

Tabs separate mirrors of one file; indented lines are options for the URL above. A line
may also be a curl or wget command, or a pattern for many URLs. Errors are yielded along
with requests, so that all errors of a list are reported at once.
"""

from __future__ import annotations

import re
from base64 import b64encode
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from tui.core.quick.pattern import late_pattern
from tui.core.request import (
    ANY_LOGIN,
    BadRequestLine,
    Checksum,
    DownloadRequest,
    referer_for,
)
from tui.core.text.sanitize import display_url, sanitize
from tui.sources.patterns import check_pattern, expand_requests
from tui.sources.readers.lines import LINE_LIMIT
from tui.sources.readers.shell_words import COMMAND_LIMIT, is_command, is_continued
from tui.sources.values import (
    assumed_url,
    folder_url,
    parse_folder,
    parse_header,
    parse_output_path,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

OPTION_LIMIT = 1000
"""Maximum option lines of one URL, so that reading an endless list stops."""
_SCHEME = late_pattern(r"[A-Za-z][A-Za-z0-9+.-]*:")
_URL_START = late_pattern(r"[A-Za-z][A-Za-z0-9+.-]*://")
_HTTP = ("http://", "https://")
_BARE_HOST = late_pattern(r"(localhost|[\w-]+(\.[\w-]+)+)(:\d+)?([/?].*)?", re.ASCII)
_OPTION_NAME = late_pattern(r"[A-Za-z0-9][A-Za-z0-9-]*")
_HEADER_OPTIONS = {"user-agent": "User-Agent", "referer": "Referer"}
_LOGIN_OPTIONS = frozenset({"http-user", "http-passwd"})
"""As for aria2; the password is only sent if the server asks for one."""
_ONE_SLASH = late_pattern(r"https?:/?[^/]", re.ASCII | re.IGNORECASE)
_SCRIPT = late_pattern(
    r"\$\w+\s*=|(?:Invoke-WebRequest|Invoke-RestMethod|iwr|irm)\s|(?:await\s+)?fetch\(",
    re.IGNORECASE,
)
"""What browsers copy as PowerShell, fetch or Node.js."""
_NOT_TEXT = late_pattern("[\ud800-\udfff\ufffd]")
"""Characters to which undecodable bytes are decoded."""


def parse_text(
    lines: Iterable[str],
    where: str,
    notes: list[str] | None = None,
    base_url: str | None = None,
    *,
    adds_https: bool = False,
) -> Iterator[DownloadRequest | BadRequestLine]:
    """Parse the lines of a list.

    Args:
        lines: text, with or without line endings.
        where: the list's name in messages; a line number is added.
        notes: receives a line for each unsupported aria2 option, at its first use.
        base_url: the folder to which lines without a scheme are relative.
        adds_https: read ``host/path`` as an https URL, with a note.

    Returns:
        In the order of the lines, a request for each valid URL line with its options
        (or all requests of its pattern or command), and a ``BadRequestLine`` for each
        error. Does not raise. Binary data yields one error and ends the list.
    """
    reader = _Reader(where, notes, base_url, adds_https=adds_https)
    return expand_requests(reader.read(lines))


class _Reader:
    """Reads the lines in one pass, with one open entry at a time."""

    def __init__(
        self,
        where: str,
        notes: list[str] | None,
        base_url: str | None,
        *,
        adds_https: bool,
    ) -> None:
        self._where = where
        self._notes = notes
        self._base_url = base_url
        self._adds_https = adds_https
        self._entry: _Entry | None = None
        self._plain: tuple[tuple[str, ...], str] | None = None
        """Mirrors and location of an entry without options, in place of an ``_Entry``:
        most of a million lines have none."""
        self._ignored: set[str] = set()

    def read(self, lines: Iterable[str]) -> Iterator[DownloadRequest | BadRequestLine]:
        numbered = enumerate(lines, 1)
        for number, line in numbered:
            if "\0" in line:
                yield BadRequestLine(
                    self._where,
                    "binary data (or UTF-16 without a byte order mark), not a list;"
                    " save it as UTF-8 text",
                )
                return
            text = line.strip().removeprefix("\ufeff")
            if not text or text[0] == "#":
                continue
            if line[0] not in " \t" or _URL_START.match(text):
                if (request := self._take_entry()) is not None:
                    yield request
                here = f"{self._where}:{number}"
                is_http = text.startswith(_HTTP)
                if not is_http and is_command(text):
                    yield from self._command(text, here, numbered)
                elif not is_http and self._is_script(text):
                    yield BadRequestLine(
                        here,
                        "a script, not a list, skipping the rest; in the browser, use"
                        " Copy as cURL instead",
                    )
                    return
                elif (error := self._begin(text, here)) is not None:
                    yield error
            elif is_command(text):
                if (request := self._take_entry()) is not None:
                    yield request
                here = f"{self._where}:{number}"
                yield from self._command(text, here, numbered)
            else:
                here = f"{self._where}:{number}"
                yield from self._option(text, here)
                entry = self._entry
                if entry is not None and entry.options > OPTION_LIMIT:
                    yield BadRequestLine(
                        here,
                        f"more than {OPTION_LIMIT:,} options for one URL, skipping the"
                        " rest of the list",
                    )
                    return
        if (request := self._take_entry()) is not None:
            yield request

    def _is_script(self, text: str) -> bool:
        # With a base URL, "fetch(1).iso" may be a name.
        return self._base_url is None and _SCRIPT.match(text) is not None

    def _command(
        self, text: str, here: str, numbered: Iterator[tuple[int, str]]
    ) -> Iterator[DownloadRequest | BadRequestLine]:
        """Read a command, including its continuation lines."""
        lines = [text]
        size = len(text)
        while is_continued(lines[-1]) and size <= COMMAND_LIMIT:
            _, line = next(numbered, (0, ""))
            size += len(line)
            lines.append(line.rstrip("\r\n"))
        try:
            for line in lines:
                _check_text(line)
            if size > COMMAND_LIMIT:
                raise ValueError(
                    f"the command is longer than {COMMAND_LIMIT} characters"
                )
        except ValueError as error:
            yield BadRequestLine(here, str(error))
        else:
            from tui.sources.readers.commands import parse_command

            yield from parse_command("\n".join(lines), here, self._notes)

    def _begin(self, text: str, here: str) -> BadRequestLine | None:
        """Begin the entry of a URL; return what is wrong with it, if anything."""
        if self._adds_https and self._base_url is None:
            text = self._with_https(text, here)
        try:
            self._plain = _parse_mirrors(text, self._base_url), here
        except ValueError as error:
            self._entry = entry = _Entry(here)
            entry.is_valid = False
            return BadRequestLine(here, str(error))
        return None

    def _with_https(self, text: str, here: str) -> str:
        url = assumed_url(text)
        if url is None:
            return text
        if self._notes is not None:
            self._notes.append(f"{here}: added https:// to {display_url(text, 200)}")
        return url

    def _option(self, text: str, here: str) -> Iterator[BadRequestLine]:
        if self._plain is not None:
            (mirrors, where), self._plain = self._plain, None
            self._entry = _Entry(where)
            self._entry.mirrors = mirrors
        if self._entry is not None:
            self._entry.options += 1
        try:
            name = _parse_option(self._entry, text)
        except ValueError as error:
            if self._entry is not None:
                self._entry.is_valid = False
            yield BadRequestLine(here, str(error))
            return
        if name and name not in self._ignored:
            self._ignored.add(name)
            if self._notes is not None:
                self._notes.append(f"{here}: ignoring the option {name}")

    def _take_entry(self) -> DownloadRequest | None:
        """End the open entry; return its request, if it is valid."""
        if self._plain is not None:
            (mirrors, where), self._plain = self._plain, None
            return DownloadRequest(mirrors, source=where)
        entry, self._entry = self._entry, None
        return entry.request() if entry is not None and entry.is_valid else None


class _Entry:
    """A URL line and its options."""

    __slots__ = (
        "checksum",
        "directory",
        "folder",
        "headers",
        "is_from_session",
        "is_valid",
        "login",
        "mirrors",
        "name",
        "named_headers",
        "options",
        "where",
    )

    def __init__(self, where: str) -> None:
        self.where = where
        self.mirrors: tuple[str, ...] = ()
        self.is_valid = True
        self.is_from_session = False
        """True if aria2 saved the entry; absolute folders then belong to that run."""
        self.directory: str | None = None
        self.folder: str | None = None
        """Folders in ``out=``, in front of the name."""
        self.name: str | None = None
        self.checksum: Checksum | None = None
        self.headers: list[tuple[str, str]] = []
        self.named_headers: dict[str, str] | None = None
        """Headers that have options of their own, by name."""
        self.login: dict[str, str] | None = None
        """User and password, by option."""
        self.options = 0
        """Number of option lines."""

    def request(self) -> DownloadRequest:
        directory = self.directory
        if self.folder is not None:
            directory = f"{directory}/{self.folder}" if directory else self.folder
        return DownloadRequest(
            self.mirrors,
            self.name,
            directory,
            self.checksum,
            tuple(self.headers)
            if self.named_headers is None and self.login is None
            else self._all_headers(),
            None,
            self.where,
        )

    def _all_headers(self) -> tuple[tuple[str, str], ...]:
        """Return all headers; a line ``header=`` replaces the option for its header."""
        present = {name.lower() for name, _ in self.headers}
        found = [
            (name, value)
            for name, value in (self.named_headers or {}).items()
            if name.lower() not in present
        ]
        login = self.login or {}
        user = login.get("http-user")
        if user and "authorization" not in present:
            pair = f"{user}:{login.get('http-passwd', '')}"
            value = b64encode(pair.encode()).decode("ascii")
            found.append(("Authorization", f"{ANY_LOGIN} {value}"))
        return (*self.headers, *found)


def _parse_mirrors(text: str, base_url: str | None) -> tuple[str, ...]:
    _check_text(text)
    if "\t" not in text:
        return (_parse_url(text, base_url),)
    mirrors: dict[str, None] = {}
    for position, part in enumerate(text.split("\t"), 1):
        url = part.strip()
        if url:
            try:
                mirrors[_parse_url(url, base_url)] = None
            except ValueError as error:
                raise ValueError(f"URL {position} on this line: {error}") from None
    return tuple(mirrors)


def _parse_url(text: str, base_url: str | None) -> str:
    try:
        if base_url and _SCHEME.match(text) is None:
            return check_pattern(urljoin(folder_url(base_url), text))
        return check_pattern(text)
    except ValueError:
        if text[:7].lower() == "magnet:":
            raise ValueError(
                "magnet links are not supported; use an http or https URL"
            ) from None
        if _ONE_SLASH.match(text):
            raise ValueError(
                "not a URL; write two slashes after the scheme, as in https://"
            ) from None
        if _BARE_HOST.fullmatch(text):
            raise ValueError(
                "not a URL; write http:// or https:// in front of the host"
            ) from None
        if text.count("://") > 1 and " " in text:
            raise ValueError(
                "several URLs on one line; write one per line, or separate mirrors of"
                " one file with tabs"
            ) from None
        raise


def _parse_option(entry: _Entry | None, text: str) -> str:
    """Store an option in ``entry``; return its name if it is ignored, else ""."""
    _check_text(text)
    name, separator, value = text.partition("=")
    name = name.strip().lower()
    value = value.strip()
    if not separator or _OPTION_NAME.fullmatch(name) is None:
        raise ValueError("an indented line must be an option, written as name=value")
    if entry is None:
        raise ValueError(f"the option {sanitize(name, 30)}= has no URL above it")
    if name not in ("out", "dir", "checksum", "header"):
        return _parse_other_option(entry, name, value)
    if not value:
        raise ValueError(f"{name}= is empty")
    if name == "out":
        entry.folder, entry.name = parse_output_path(value)
    elif name == "dir":
        if entry.is_from_session and value.startswith("/"):
            return "dir= from another run"
        entry.directory = parse_folder(value)
    elif name == "checksum":
        entry.checksum = Checksum.parse(value)
    else:
        entry.headers.append(parse_header(value))
    return ""


def _parse_other_option(entry: _Entry, name: str, value: str) -> str:
    """Store an option of aria2 that is a header or a login; see ``_parse_option``."""
    if name in _LOGIN_OPTIONS:
        if not value.isprintable():
            raise ValueError(f"{name}= contains a control character")
        entry.login = {**(entry.login or {}), name: value}
        return ""
    header = _HEADER_OPTIONS.get(name)
    if header is None:
        # aria2's ``--save-session`` writes gid= as the first option of every entry.
        entry.is_from_session = entry.is_from_session or name == "gid"
        return f"{sanitize(name, 60)}="
    if name == "referer":
        value = referer_for(entry.mirrors[0] if entry.mirrors else "", value)
    text = parse_header(f"{header}: {value}")[1]
    entry.named_headers = {**(entry.named_headers or {}), header: text}
    return ""


def _check_text(text: str) -> None:
    if len(text) > LINE_LIMIT:
        raise ValueError(f"longer than {LINE_LIMIT} characters")
    if not text.isascii() and _NOT_TEXT.search(text):
        raise ValueError("not UTF-8; save the list as UTF-8 text")
