"""Metalink: files with sizes, digests and mirrors, in version 4 (RFC 5854) and 3.

The standard library's expat reads it in pieces. A document type is refused at its first
character: without one there are no entities, so nothing expands and nothing is fetched.
(defusedxml does the same, but its trees know no line numbers.) Sizes, depth and counts
are bounded, and a name stays below the output directory as with ``out=``.
"""

from __future__ import annotations

import re
from collections import Counter, deque
from typing import TYPE_CHECKING
from xml.parsers import expat

from tui.core.request import (
    ALGORITHMS,
    STRONGEST_FIRST,
    BadRequestLine,
    Checksum,
    DownloadRequest,
    Pieces,
    check_url,
)
from tui.core.text.plain_text import plain
from tui.sources.options import parse_place, parse_size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Never

    from tui.sources.readers.lines import Readable

_URL_LIMIT = 1000
"""Mirrors of one file; large projects have some hundreds."""
_PIECE_LIMIT = 1_000_000
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_LAST = 1_000_000
"""Place of a mirror that tells none: behind the lowest priority (section 4.2.17.2)."""


class FileElement:
    """What the parts of a ``file`` say; each ``read_`` raises ValueError if wrong."""

    def __init__(self, name: str | None, where: str) -> None:
        self.where = where
        self.is_good = True
        self.foreign: Counter[str] = Counter()
        """Mirrors that are not fetched, by scheme or type."""
        self.unknown: set[str] = set()
        """Kinds of digest that nothing here computes."""
        self._name = name
        self._size: int | None = None
        self._checksums: dict[str, Checksum] = {}
        self._urls: list[tuple[int, str]] = []
        """Place and URL; the lowest place is preferred."""
        self._pieces: dict[str, Pieces] = {}
        self._open: tuple[str, int, dict[int, str]] | None = None
        """Algorithm, length and digests of the ``pieces`` being read."""

    def read_size(self, text: str, _: Mapping[str, str]) -> None:
        """Take the size in bytes."""
        self._size = parse_size("size", text)

    def read_hash(self, text: str, attributes: Mapping[str, str]) -> None:
        """Take a digest of the whole file."""
        kind = self._kind(attributes)
        if kind:
            checksum = Checksum.parse(f"{kind}={text}")
            self._checksums.setdefault(checksum.algorithm, checksum)

    def read_url(self, text: str, attributes: Mapping[str, str]) -> None:
        """Take a mirror, or count it if it cannot be fetched."""
        if not text:
            return
        scheme = _SCHEME.match(text)
        # In version 3 the type tells what the URL leads to: maybe a torrent.
        kind = attributes.get("type", "").strip().lower()
        if kind in ("", "http", "https"):
            kind = scheme[1].lower() if scheme else ""
        if kind not in ("http", "https", ""):
            self.foreign[plain(kind, 20)] += 1
            return
        if len(self._urls) == _URL_LIMIT:
            raise ValueError(f"more than {_URL_LIMIT} URLs for one file")
        place = _LAST
        if "priority" in attributes:
            place = parse_size("priority", attributes["priority"])
        elif "preference" in attributes:
            # Version 3 counts the other way round: 100 is the best.
            place = _LAST - 1 - parse_size("preference", attributes["preference"])
        self._urls.append((place, check_url(text)))

    def begin_pieces(self, attributes: Mapping[str, str]) -> None:
        """Begin a list of digests of parts."""
        self._open = None
        length = parse_size("length", attributes.get("length", ""))
        if not length:
            raise ValueError("pieces of 0 bytes")
        kind = self._kind(attributes)
        if kind and self.is_good:
            self._open = (ALGORITHMS[kind], length, {})

    def read_piece(self, text: str, attributes: Mapping[str, str]) -> None:
        """Take the digest of the next part, or of the one that version 3 names."""
        if self._open is None:
            return
        algorithm, _, digests = self._open
        index = len(digests)
        if "piece" in attributes:
            index = parse_size("piece", attributes["piece"])
        if index in digests or index >= _PIECE_LIMIT:
            raise ValueError(f"piece {index:,} is there twice, or one too many")
        digests[index] = Checksum.parse(f"{algorithm}={text}").digest

    def end_pieces(self, _: str, __: Mapping[str, str]) -> None:
        """End the list of digests of parts."""
        if self._open is None:
            return
        (algorithm, length, digests), self._open = self._open, None
        if any(index not in digests for index in range(len(digests))):
            raise ValueError("a piece is missing")
        if digests:
            ordered = tuple(digests[index] for index in range(len(digests)))
            self._pieces.setdefault(algorithm, Pieces(algorithm, length, ordered))

    def request(self) -> DownloadRequest:
        """Return what all of it asks for.

        Raises:
            ValueError: there is no name or URL, the name is no safe place, or the
                pieces do not make the size.
        """
        if not self._name:
            raise ValueError("the file has no name")
        folder, name = parse_place(self._name, "the name")
        if not self._urls:
            others = ", ".join(sorted(self.foreign))
            told = f" (only {others})" if others else ""
            raise ValueError(f"there is no http or https URL for the file{told}")
        # A stable sort: mirrors of one priority keep their order.
        urls = sorted(self._urls, key=lambda placed: placed[0])
        sums, pieces = self._checksums, self._pieces
        checksum = next((sums[a] for a in STRONGEST_FIRST if a in sums), None)
        chosen = next((pieces[a] for a in STRONGEST_FIRST if a in pieces), None)
        size = self._size
        if chosen is not None and size is not None and not chosen.covers(size):
            raise ValueError(
                f"{len(chosen.digests):,} pieces of {chosen.length:,} bytes do not"
                f" make {size:,} bytes"
            )
        return DownloadRequest(
            tuple(dict.fromkeys(url for _, url in urls)),
            name,
            folder,
            checksum,
            size=size,
            source=self.where,
            pieces=chosen,
        )

    def _kind(self, attributes: Mapping[str, str]) -> str:
        kind = attributes.get("type", "").strip().lower()
        if kind in ALGORITHMS:
            return kind
        if len(self.unknown) < 10:
            self.unknown.add(plain(kind, 20) or "(none)")
        return ""


SIZE_LIMIT = 64 << 20
"""Bytes of a document; digests of a million pieces fit."""
_CHUNK = 1 << 20
"""Read at once; small ones would let old versions of expat go over one long token
again and again (CVE-2023-52425)."""
_TEXT_LIMIT = 65536
"""Characters of a URL, a digest or a size."""
_DEPTH_LIMIT = 32

_NAMESPACES = frozenset(
    {"urn:ietf:params:xml:ns:metalink", "http://www.metalinker.org/", ""}
)
_WRAPPERS = frozenset({"files", "resources", "verification"})
"""Elements of version 3 that version 4 does without."""


class _Refused(Exception):
    """The document cannot be read on."""


def parse_metalink(
    stream: Readable, where: str, notes: list[str] | None = None
) -> Iterator[DownloadRequest | BadRequestLine]:
    """Turn a document into requests and complaints, in their order.

    Mirrors are sorted by priority (version 4) or preference (3); those that are not
    http or https are left out with one note for all. Of several digests the strongest
    counts.

    Args:
        stream: the document, read to its end but not further than ``SIZE_LIMIT``.
        where: what it is called in messages; a line number is added.
        notes: gets a line for everything that is ignored but not wrong.

    Returns:
        For everything wrong a ``BadRequestLine``; nothing is raised but what the
        stream raises.
    """
    reader = _Reader(where)
    read = 0
    is_last = False
    while not is_last:
        chunk = stream.read(_CHUNK)
        is_last = not chunk
        read += len(chunk)
        if not read:
            return
        fault = reader.feed(chunk, is_last=is_last)
        if fault is None and read > SIZE_LIMIT:
            fault = BadRequestLine(where, f"larger than {SIZE_LIMIT >> 20} MiB")
        while reader.items:
            yield reader.items.popleft()
        if fault is not None:
            yield fault
            return
    if notes is not None:
        notes += reader.notes()


class _Reader:
    """Listens to expat and builds requests."""

    def __init__(self, where: str) -> None:
        self._where = where
        self.items: deque[DownloadRequest | BadRequestLine] = deque()
        self._foreign: Counter[str] = Counter()
        self._unknown: set[str] = set()
        self._namespace = ""
        self._path: list[str] = []
        """Open elements without the wrappers."""
        self._depth = 0
        self._skipped = 0
        """Depth inside an element that means nothing here."""
        self._attributes: dict[str, str] = {}
        self._texts: list[str] = []
        self._text_size = 0
        self._file = FileElement(None, "")
        self._parser = parser = expat.ParserCreate(namespace_separator=" ")
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        parser.StartDoctypeDeclHandler = self._refuse_type
        parser.EntityDeclHandler = self._refuse_type
        parser.ExternalEntityRefHandler = self._refuse_type

    def feed(self, chunk: bytes, *, is_last: bool) -> BadRequestLine | None:
        """Read on; return why that is not possible any more."""
        try:
            self._parser.Parse(chunk, is_last)
        except _Refused as refusal:
            return BadRequestLine(self._here(), f"{refusal}")
        except expat.ExpatError as error:
            reason = plain(expat.ErrorString(error.code) or "unknown fault", 100)
            return BadRequestLine(
                f"{self._where}:{error.lineno}", f"no well-formed XML: {reason}"
            )
        except (LookupError, ValueError):
            # Python looks up encodings that expat does not know by itself.
            return BadRequestLine(
                self._here(), "the encoding cannot be read; save it as UTF-8"
            )
        return None

    def notes(self) -> list[str]:
        """Return what was ignored, a line for each kind of thing."""
        found = []
        if self._foreign:
            kinds = self._foreign.most_common(10)
            told = ", ".join(f"{count:,} {kind}" for kind, count in kinds)
            found.append(
                f"{self._where}: mirrors that are not http are ignored: {told}"
            )
        if self._unknown:
            told = ", ".join(sorted(self._unknown)[:10])
            found.append(f"{self._where}: unknown kinds of digest are ignored: {told}")
        return found

    # -- what expat calls ------------------------------------------------------------

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        namespace, _, name = tag.rpartition(" ")
        self._depth += 1
        if self._depth > _DEPTH_LIMIT:
            raise _Refused("nested too deeply")
        if self._depth == 1:
            if name != "metalink" or namespace not in _NAMESPACES:
                raise _Refused("this is no Metalink document")
            self._namespace = namespace
        if self._skipped or namespace != self._namespace:
            # Fedora and others put elements of their own between.
            self._skipped += 1
            return
        if name in _WRAPPERS:
            return
        self._path.append(name)
        self._attributes = attributes
        self._forget_text()
        if self._path == ["metalink", "file"]:
            self._file = FileElement(attributes.get("name"), self._here())
        elif self._path == ["metalink", "file", "pieces"]:
            self._tell(lambda: self._file.begin_pieces(attributes))

    def _characters(self, text: str) -> None:
        if self._skipped or len(self._path) < 3:
            return
        self._text_size += len(text)
        if self._text_size > _TEXT_LIMIT:
            raise _Refused(f"an element holds more than {_TEXT_LIMIT} characters")
        self._texts.append(text)

    def _end(self, tag: str) -> None:
        self._depth -= 1
        if self._skipped:
            self._skipped -= 1
            return
        if tag.rpartition(" ")[2] in _WRAPPERS:
            return
        if self._path == ["metalink", "file"]:
            self._end_file()
        elif self._path[:2] == ["metalink", "file"]:
            read = {
                "size": self._file.read_size,
                "hash": self._file.read_hash,
                "url": self._file.read_url,
                "pieces/hash": self._file.read_piece,
                "pieces": self._file.end_pieces,
            }.get("/".join(self._path[2:]))
            if read is not None:
                text = "".join(self._texts).strip()
                self._tell(lambda: read(text, self._attributes))
        self._path.pop()
        # What follows is white space of the element around it.
        self._forget_text()

    def _refuse_type(self, *_: object) -> Never:
        raise _Refused("it declares a document type or entities; that is not allowed")

    def _forget_text(self) -> None:
        self._texts.clear()
        self._text_size = 0

    # -- what comes of it ------------------------------------------------------------

    def _tell(self, read: Callable[[], None]) -> None:
        """Let a part of the file be read; what is wrong becomes a complaint."""
        try:
            read()
        except ValueError as error:
            self._file.is_good = False
            self.items.append(BadRequestLine(self._here(), f"{error}"))

    def _end_file(self) -> None:
        file = self._file
        if not file.is_good:
            return
        self._foreign += file.foreign
        if len(self._unknown) < 100:
            self._unknown |= file.unknown
        try:
            self.items.append(file.request())
        except ValueError as error:
            self.items.append(BadRequestLine(file.where, f"{error}"))

    def _here(self) -> str:
        return f"{self._where}:{self._parser.CurrentLineNumber}"
