"""Metalink: files with sizes, digests and mirrors, in version 4 (RFC 5854) and 3.

The standard library's expat reads it in pieces. A document type is refused at its first
character: without one there are no entities, so nothing expands and nothing is fetched.
(defusedxml does the same, but its trees know no line numbers.) Sizes, depth and counts
are bounded, and a name stays below the output directory as with ``out=``.
"""

from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING
from xml.parsers import expat

from tui.core.plain_text import plain
from tui.core.request import BadRequestLine, DownloadRequest
from tui.sources.metalink_file import FileElement

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Never

    from tui.sources.lines import Readable

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
