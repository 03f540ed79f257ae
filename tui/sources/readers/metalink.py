"""Metalink: files with sizes, digests and mirrors, in versions 4 (RFC 5854) and 3.

The standard library's expat parses the document in chunks. A document type declaration
is refused at once: without one there are no entities, so nothing expands and nothing is
fetched. (defusedxml does the same, but its trees have no line numbers.) Sizes, depth
and counts are bounded, and names stay below the output directory as with ``out=``.
"""

from __future__ import annotations

import re
from collections import Counter, deque
from typing import TYPE_CHECKING
from urllib.parse import urljoin
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
from tui.core.text.sanitize import sanitize
from tui.core.text.units import plural
from tui.sources.values import folder_url, parse_output_path, parse_size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Never

    from tui.sources.readers.lines import Readable

_URL_LIMIT = 1000
"""Maximum mirrors of one file; large projects have a few hundred."""
_PIECE_LIMIT = 1_000_000
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_LAST = 1_000_000
"""Rank of a mirror without a priority: after the lowest one (section 4.2.17.2)."""


class FileElement:
    """The contents of a ``file`` element; ``read_`` methods may raise ValueError."""

    def __init__(
        self, name: str | None, here: Callable[[], str], base_url: str | None
    ) -> None:
        self.where = here()
        self._here = here
        self._base_url = base_url
        self.is_valid = True
        self.foreign: Counter[str] = Counter()
        """Number of unsupported mirrors by scheme or type."""
        self.unknown: set[str] = set()
        """Unsupported digest algorithms."""
        self.damaged: BadRequestLine | None = None
        """A digest that is not one; an error if there is no other digest."""
        self._name = name
        self._size: int | None = None
        self._checksums: dict[str, Checksum] = {}
        self._urls: list[tuple[int, str]] = []
        """Rank and URL; the lowest rank is preferred."""
        self._pieces: dict[str, Pieces] = {}
        self._open: tuple[str, int, dict[int, str]] | None = None
        """Algorithm, length and digests of the open ``pieces`` element."""

    def read_size(self, text: str, _: Mapping[str, str]) -> None:
        """Read the size in bytes."""
        if text:
            self._size = parse_size("size", text)

    def read_hash(self, text: str, attributes: Mapping[str, str]) -> None:
        """Read a digest of the complete file."""
        kind = self._kind(attributes)
        if not kind:
            return
        try:
            checksum = Checksum.parse(f"{kind}={text}")
        except ValueError as error:
            self.damaged = BadRequestLine(self._here(), str(error))
        else:
            self._checksums.setdefault(checksum.algorithm, checksum)

    def read_url(self, text: str, attributes: Mapping[str, str]) -> None:
        """Read a mirror, or count it if it is not http or https."""
        if not text:
            return
        scheme = _SCHEME.match(text)
        # In version 3 the type says what the URL is, for example a torrent.
        kind = attributes.get("type", "").strip().lower()
        if kind in ("", "http", "https"):
            kind = scheme[1].lower() if scheme else ""
        if kind not in ("http", "https", ""):
            self.foreign[sanitize(kind, 20)] += 1
            return
        if len(self._urls) == _URL_LIMIT:
            raise ValueError(f"more than {_URL_LIMIT} URLs for one file")
        rank = _LAST
        if "priority" in attributes:
            rank = parse_size("priority", attributes["priority"])
        elif "preference" in attributes:
            # Version 3 counts in the other direction: 100 is the best.
            rank = _LAST - 1 - parse_size("preference", attributes["preference"])
        if scheme is None:
            if not self._base_url:
                raise ValueError(
                    "the URL is relative; set the URL of its folder with --base-url"
                )
            text = urljoin(folder_url(self._base_url), text)
        self._urls.append((rank, check_url(text)))

    def start_pieces(self, attributes: Mapping[str, str]) -> None:
        """Start a list of piece digests."""
        self._open = None
        length = parse_size("length", attributes.get("length", ""))
        if not length:
            raise ValueError("the length of pieces must not be 0")
        kind = self._kind(attributes)
        if kind and self.is_valid:
            self._open = (ALGORITHMS[kind], length, {})

    def read_piece(self, text: str, attributes: Mapping[str, str]) -> None:
        """Read the digest of the next piece, or of the piece that version 3 numbers."""
        if self._open is None:
            return
        algorithm, _, digests = self._open
        index = len(digests)
        if "piece" in attributes:
            index = parse_size("piece", attributes["piece"])
        if index in digests or index >= _PIECE_LIMIT:
            raise ValueError(f"piece {index:,} is a duplicate or out of range")
        try:
            digests[index] = Checksum.parse(f"{algorithm}={text}").digest
        except ValueError as error:
            self.damaged = BadRequestLine(self._here(), str(error))
            self._open = None

    def end_pieces(self, _: str, __: Mapping[str, str]) -> None:
        """Finish the list of piece digests."""
        if self._open is None:
            return
        (algorithm, length, digests), self._open = self._open, None
        if any(index not in digests for index in range(len(digests))):
            raise ValueError("a piece is missing")
        if digests:
            ordered = tuple(digests[index] for index in range(len(digests)))
            self._pieces.setdefault(algorithm, Pieces(algorithm, length, ordered))

    def request(self) -> DownloadRequest:
        """Return the request for this file.

        Raises:
            ValueError: no name or URL, an unsafe name, or pieces that do not add up to
                the size.
        """
        if self.damaged is not None and not (self._checksums or self._pieces):
            raise self.damaged
        if not self._name:
            raise ValueError("the file has no name")
        folder, name = parse_output_path(self._name, "the name")
        if not self._urls:
            others = ", ".join(sorted(self.foreign))
            listed = f" (only {others})" if others else ""
            raise ValueError(f"the file has no http or https URL{listed}")
        # The sort is stable: mirrors of the same priority keep their order.
        urls = sorted(self._urls, key=lambda ranked: ranked[0])
        sums, pieces = self._checksums, self._pieces
        checksum = next((sums[a] for a in STRONGEST_FIRST if a in sums), None)
        chosen = next((pieces[a] for a in STRONGEST_FIRST if a in pieces), None)
        size = self._size
        if chosen is not None and size is not None and not chosen.covers(size):
            raise ValueError(
                f"{len(chosen.digests):,} pieces of {chosen.length:,} bytes do not"
                f" add up to {size:,} bytes"
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
            self.unknown.add(sanitize(kind, 20) or "(none)")
        return ""


_READS: dict[str, Callable[[FileElement, str, Mapping[str, str]], None]] = {
    "size": FileElement.read_size,
    "hash": FileElement.read_hash,
    "url": FileElement.read_url,
    "pieces/hash": FileElement.read_piece,
    "pieces": FileElement.end_pieces,
}
"""What reads the text of an element below ``file``."""

SIZE_LIMIT = 64 << 20
"""Maximum bytes of a document; enough for the digests of a million pieces."""
_CHUNK = 1 << 20
"""Bytes per read. With small chunks, old versions of expat scan a long token again and
again (CVE-2023-52425)."""
_TEXT_LIMIT = 65536
"""Maximum characters of a URL, a digest or a size."""
_DEPTH_LIMIT = 32

_NAMESPACES = frozenset(
    {"urn:ietf:params:xml:ns:metalink", "http://www.metalinker.org/", ""}
)
_WRAPPERS = frozenset({"files", "resources", "verification"})
"""Elements of version 3 that version 4 does not have."""


class _Rejected(Exception):
    """The rest of the document cannot be read."""


def parse_metalink(
    stream: Readable,
    where: str,
    notes: list[str] | None = None,
    base_url: str | None = None,
) -> Iterator[DownloadRequest | BadRequestLine]:
    """Parse a document; yields requests and errors in its order.

    Mirrors are sorted by priority (version 4) or preference (version 3); those that are
    not http or https are left out, with one note for all. Of several digests, the
    strongest is used.

    Args:
        stream: the document; reading stops at ``SIZE_LIMIT``.
        where: the document's name in messages; a line number is added.
        notes: receives a line for everything that is ignored but not an error.
        base_url: the folder to which URLs without a scheme are relative.

    Returns:
        Requests, and a ``BadRequestLine`` for each error. Raises only what the stream
        raises.
    """
    reader = _Reader(where, base_url)
    read = 0
    is_last = False
    while not is_last:
        chunk = stream.read(_CHUNK)
        is_last = not chunk
        read += len(chunk)
        if not read:
            return
        error = reader.feed(chunk, is_last=is_last)
        if error is None and read > SIZE_LIMIT:
            error = BadRequestLine(where, f"larger than {SIZE_LIMIT >> 20} MiB")
        while reader.items:
            yield reader.items.popleft()
        if error is not None:
            yield error
            return
    if notes is not None:
        notes += reader.notes()


class _Reader:
    """Handles the events of expat and builds requests."""

    def __init__(self, where: str, base_url: str | None) -> None:
        self._where = where
        self._base_url = base_url
        self._damaged = 0
        self.items: deque[DownloadRequest | BadRequestLine] = deque()
        self._foreign: Counter[str] = Counter()
        self._unknown: set[str] = set()
        self._namespace = ""
        self._path: list[str] = []
        """Open elements except the wrappers."""
        self._depth = 0
        self._skipped = 0
        """Depth inside an ignored element."""
        self._attributes: dict[str, str] = {}
        self._texts: list[str] = []
        self._text_size = 0
        self._file = FileElement(None, lambda: "", None)
        self._parser = parser = expat.ParserCreate(namespace_separator=" ")
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        parser.StartDoctypeDeclHandler = self._reject_doctype
        parser.EntityDeclHandler = self._reject_doctype
        parser.ExternalEntityRefHandler = self._reject_doctype

    def feed(self, chunk: bytes, *, is_last: bool) -> BadRequestLine | None:
        """Parse a chunk; return an error if the document is unreadable."""
        try:
            self._parser.Parse(chunk, is_last)
        except _Rejected as refusal:
            return BadRequestLine(self._here(), f"{refusal}")
        except expat.ExpatError as error:
            reason = sanitize(expat.ErrorString(error.code) or "unknown error", 100)
            return BadRequestLine(
                f"{self._where}:{error.lineno}", f"invalid XML: {reason}"
            )
        except (LookupError, ValueError):
            # Python looks up encodings that expat itself does not support.
            return BadRequestLine(
                self._here(), "unsupported encoding; save it as UTF-8"
            )
        return None

    def notes(self) -> list[str]:
        """Return a note for each kind of ignored content."""
        found = []
        if self._foreign:
            kinds = self._foreign.most_common(10)
            listed = ", ".join(f"{count:,} {kind}" for kind, count in kinds)
            found.append(f"{self._where}: ignoring mirrors that are not http: {listed}")
        if self._damaged:
            found.append(
                f"{self._where}: ignoring invalid digests of"
                f" {plural(self._damaged, 'file')} with other, valid ones"
            )
        if self._unknown:
            listed = ", ".join(sorted(self._unknown)[:10])
            found.append(f"{self._where}: ignoring unsupported digests: {listed}")
        return found

    # -- handlers of expat ------------------------------------------------------------

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        namespace, _, name = tag.rpartition(" ")
        self._depth += 1
        if self._depth > _DEPTH_LIMIT:
            raise _Rejected("nested too deeply")
        if self._depth == 1:
            if name != "metalink" or namespace not in _NAMESPACES:
                raise _Rejected("not a Metalink document")
            self._namespace = namespace
        if self._skipped or namespace != self._namespace:
            # Fedora and others add elements in their own namespaces.
            self._skipped += 1
            return
        if name in _WRAPPERS:
            return
        self._path.append(name)
        self._attributes = attributes
        self._clear_text()
        if self._path == ["metalink", "file"]:
            file_name = attributes.get("name")
            self._file = FileElement(file_name, self._here, self._base_url)
        elif self._path == ["metalink", "file", "pieces"]:
            try:
                self._file.start_pieces(attributes)
            except ValueError as error:
                self._reject_file(error)

    def _characters(self, text: str) -> None:
        if self._skipped or len(self._path) < 3:
            return
        self._text_size += len(text)
        if self._text_size > _TEXT_LIMIT:
            raise _Rejected(f"an element contains more than {_TEXT_LIMIT} characters")
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
            read = _READS.get("/".join(self._path[2:]))
            if read is not None:
                text = "".join(self._texts).strip()
                try:
                    read(self._file, text, self._attributes)
                except ValueError as error:
                    self._reject_file(error)
        self._path.pop()
        # The text that follows is white space of the enclosing element.
        self._clear_text()

    def _reject_doctype(self, *_: object) -> Never:
        raise _Rejected("document types and entities are not allowed")

    def _clear_text(self) -> None:
        self._texts.clear()
        self._text_size = 0

    # -- results -----------------------------------------------------------------------

    def _reject_file(self, error: ValueError) -> None:
        self._file.is_valid = False
        self.items.append(BadRequestLine(self._here(), f"{error}"))

    def _end_file(self) -> None:
        file = self._file
        if not file.is_valid:
            return
        if file.foreign:
            self._foreign.update(file.foreign)
        if len(self._unknown) < 100:
            self._unknown |= file.unknown
        try:
            self.items.append(file.request())
            self._damaged += bool(file.damaged)
        except BadRequestLine as error:
            self.items.append(error)
        except ValueError as error:
            self.items.append(BadRequestLine(file.where, f"{error}"))

    def _here(self) -> str:
        return f"{self._where}:{self._parser.CurrentLineNumber}"
