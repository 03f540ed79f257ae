"""One ``file`` element of a Metalink document, on its way to a request."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from tui.core.plain_text import plain
from tui.core.request import (
    ALGORITHMS,
    STRONGEST_FIRST,
    Checksum,
    DownloadRequest,
    Pieces,
    check_url,
)
from tui.sources.options import parse_place, parse_size

if TYPE_CHECKING:
    from collections.abc import Mapping

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
