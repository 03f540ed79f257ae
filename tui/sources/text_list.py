"""Plain lists: one URL a line, in the format of aria2's ``--input-file``.

::

    # a comment
    https://example.org/a.iso <tab> https://mirror.example.net/a.iso
      out=folder/name.iso
      checksum=sha-256=HEX

Tabs separate mirrors of one file; indented lines are options of the URL above. What is
wrong becomes a value beside what is right, so that a list is judged as a whole.
"""

from __future__ import annotations

import codecs
import io
import re
from typing import TYPE_CHECKING

from tui.core.plain_text import plain
from tui.core.request import BadRequestLine, Checksum, DownloadRequest, check_url
from tui.sources.options import parse_folder, parse_header, parse_place

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import BinaryIO

LINE_LIMIT = 65536
"""Characters of one line; longer ones are refused. Servers take URLs of 8 KiB."""

_READ_SIZE = 65536
_URL_START = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_BARE_HOST = re.compile(r"(localhost|[\w-]+(\.[\w-]+)+)(:\d+)?([/?].*)?", re.ASCII)
_OPTION_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*")
_NOT_TEXT = re.compile("[\ud800-\udfff\ufffd]")
"""What becomes of bytes that are not in the encoding they should be in."""
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def read_lines(stream: BinaryIO) -> Iterator[str]:
    """Read text in pieces, so that no line takes unbounded memory.

    Takes UTF-8, with or without a byte order mark, and UTF-16 with one, as PowerShell
    writes it. Bytes that are neither stay visible as lone surrogates, which
    ``parse_text`` refuses where they matter: a comment may hold anything.

    Returns:
        Lines without their line end, each cut at ``LINE_LIMIT`` + 1 characters. A
        NUL anywhere ends the reading with a line that holds nothing else.

    Raises:
        OSError: the stream cannot be read.
    """
    chunk = stream.read(_READ_SIZE)
    encoding = next((name for bom, name in _BOMS if chunk.startswith(bom)), "utf-8")
    decoder = codecs.getincrementaldecoder(encoding)(
        "surrogateescape" if encoding != "utf-16" else "replace"
    )
    # "\r\n" and a lone "\r", of old Macs, become "\n"; the pair may be torn apart.
    newlines = io.IncrementalNewlineDecoder(decoder, translate=True)
    pending = ""
    while chunk:
        text = newlines.decode(chunk)
        if "\0" in text:
            # No text holds it; the lines around it would only be noise.
            yield "\0"
            return
        first, *lines = text.split("\n")
        pending = (pending + first)[: LINE_LIMIT + 1]
        if lines:
            yield pending
            pending = lines.pop()
            yield from lines
        chunk = stream.read(_READ_SIZE)
    pending += newlines.decode(b"", final=True)
    if pending:
        yield pending


def parse_text(
    lines: Iterable[str], where: str, notes: list[str] | None = None
) -> Iterator[DownloadRequest | BadRequestLine]:
    """Turn the lines of a list into requests and complaints, in their order.

    Args:
        lines: text, with or without line ends.
        where: what the list is called in messages; a line number is added.
        notes: gets one line for each of aria2's options that has no meaning here,
            at its first use.

    Returns:
        A request for each URL line that is right together with its options; for
        everything wrong a ``BadRequestLine``. Nothing is raised. Binary data gets one
        complaint and ends the reading.
    """
    entry: _Entry | None = None
    ignored: set[str] = set()
    for number, line in enumerate(lines, 1):
        if "\0" in line:
            yield BadRequestLine(
                where,
                "this is binary data (or UTF-16 without its mark), not a list;"
                " save it as UTF-8 text",
            )
            return
        text = line.strip().removeprefix("\ufeff")
        if not text or text[0] == "#":
            continue
        if line[0] not in " \t" or _URL_START.match(text):
            if entry is not None and entry.is_good:
                yield entry.request()
            entry = _Entry(f"{where}:{number}")
            try:
                entry.mirrors = _parse_mirrors(text)
            except ValueError as error:
                entry.is_good = False
                yield BadRequestLine(entry.where, str(error))
        else:
            here = f"{where}:{number}"
            try:
                name = _parse_option(entry, text)
            except ValueError as error:
                if entry is not None:
                    entry.is_good = False
                yield BadRequestLine(here, str(error))
            else:
                if name and name not in ignored:
                    ignored.add(name)
                    if notes is not None:
                        notes.append(f"{here}: the option {name}= is ignored")
    if entry is not None and entry.is_good:
        yield entry.request()


class _Entry:
    """A URL line and the options below it, until the next one comes."""

    __slots__ = (
        "checksum",
        "directory",
        "folder",
        "headers",
        "is_good",
        "mirrors",
        "name",
        "where",
    )

    def __init__(self, where: str) -> None:
        self.where = where
        self.mirrors: tuple[str, ...] = ()
        self.is_good = True
        self.directory: str | None = None
        self.folder: str | None = None
        """Folders that ``out=`` puts in front of the name."""
        self.name: str | None = None
        self.checksum: Checksum | None = None
        self.headers: tuple[tuple[str, str], ...] = ()

    def request(self) -> DownloadRequest:
        directory = self.directory
        if self.folder is not None:
            directory = f"{directory}/{self.folder}" if directory else self.folder
        return DownloadRequest(
            self.mirrors,
            self.name,
            directory,
            self.checksum,
            self.headers,
            None,
            self.where,
        )


def _parse_mirrors(text: str) -> tuple[str, ...]:
    _check_text(text)
    if "\t" not in text:
        return (_parse_url(text),)
    mirrors: dict[str, None] = {}
    for position, part in enumerate(text.split("\t"), 1):
        url = part.strip()
        if url:
            try:
                mirrors[_parse_url(url)] = None
            except ValueError as error:
                raise ValueError(f"URL {position} of the line: {error}") from None
    return tuple(mirrors)


def _parse_url(text: str) -> str:
    try:
        return check_url(text)
    except ValueError:
        if _BARE_HOST.fullmatch(text):
            raise ValueError(
                "not a URL: it has no scheme; write https:// in front of the host"
            ) from None
        if len(_URL_START.findall(text)) > 1 and " " in text:
            raise ValueError(
                "several URLs on one line; give each a line of its own, or a tab"
                " between them if they are mirrors of one file"
            ) from None
        raise


def _parse_option(entry: _Entry | None, text: str) -> str:
    """Put an option into ``entry``; return its name if it means nothing here."""
    _check_text(text)
    name, separator, value = text.partition("=")
    name = name.strip().lower()
    value = value.strip()
    if not separator or _OPTION_NAME.fullmatch(name) is None:
        raise ValueError("an indented line is an option, written as name=value")
    if entry is None:
        raise ValueError(f"the option {plain(name, 30)}= has no URL line above it")
    if name not in ("out", "dir", "checksum", "header"):
        return plain(name, 60)
    if not value:
        raise ValueError(f"{name}= is empty")
    if name == "out":
        entry.folder, entry.name = parse_place(value)
    elif name == "dir":
        entry.directory = parse_folder(value)
    elif name == "checksum":
        entry.checksum = Checksum.parse(value)
    else:
        entry.headers = (*entry.headers, parse_header(value))
    return ""


def _check_text(text: str) -> None:
    if len(text) > LINE_LIMIT:
        raise ValueError(f"the line is longer than {LINE_LIMIT} characters")
    if not text.isascii() and _NOT_TEXT.search(text):
        raise ValueError("the line is not UTF-8; save the list as UTF-8 text")
