"""Build a request from named fields, for rows of CSV and objects of JSON.

The names are those of the plain list: ``url``, ``out``, ``dir``, ``checksum`` and
``header``, plus ``size`` in bytes. Common plurals and other spellings are accepted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tui.core.request import (
    ALGORITHMS,
    STRONGEST_FIRST,
    Checksum,
    DownloadRequest,
)
from tui.core.text.sanitize import sanitize
from tui.sources.patterns import check_pattern
from tui.sources.values import parse_folder, parse_header, parse_output_path, parse_size

if TYPE_CHECKING:
    from collections.abc import Mapping

NAMES = {
    "url": "url",
    "urls": "url",
    "uri": "url",
    "mirrors": "mirrors",
    "out": "out",
    "name": "out",
    "filename": "out",
    "dir": "dir",
    "directory": "dir",
    "checksum": "checksum",
    "header": "header",
    "headers": "header",
    "size": "size",
    "comment": "comment",
} | {name: f"digest {kind}" for name, kind in ALGORITHMS.items()}
"""Accepted spellings in lower case -> field. A column named ``sha256`` contains just
the digest."""
_DIGESTS = tuple(f"digest {kind}" for kind in STRONGEST_FIRST)


class FieldReader:
    """Turns fields into requests; notes each unknown field once."""

    def __init__(self, notes: list[str] | None) -> None:
        self._notes = notes
        self._ignored: set[str] = set()

    def known(self, name: str, where: str) -> str:
        """Return the field for a name, or "" (with a note) if it is unknown."""
        field = NAMES.get(name.strip().lower(), "")
        if not field and name not in self._ignored:
            self._ignored.add(name)
            if self._notes is not None:
                shown = sanitize(name.strip(), 40)
                self._notes.append(f"{where}: ignoring the unknown field {shown!r}")
        return field

    def request(self, fields: Mapping[str, Any], where: str) -> DownloadRequest:
        """Build a request from fields under the names that ``known`` returns.

        Args:
            fields: text, lists of text, or for ``header`` also a mapping. Empty fields
                count as missing.
            where: the request's source.

        Raises:
            ValueError: a field is invalid, or there is no URL.
        """
        mirrors = _mirrors(fields)
        folder = name = directory = checksum = size = None
        headers: tuple[tuple[str, str], ...] = ()
        # Fast path: most rows have only a URL, and there may be 100,000 of them.
        if len(fields) > 1:
            if text := _text("out", fields.get("out")):
                folder, name = parse_output_path(text)
            if text := _text("dir", fields.get("dir")):
                directory = parse_folder(text)
            if folder is not None:
                directory = f"{directory}/{folder}" if directory else folder
            checksum = _checksum(fields)
            size = _size(fields.get("size"))
            texts = _headers(fields.get("header"))
            headers = tuple(parse_header(text) for text in texts)
        return DownloadRequest(mirrors, name, directory, checksum, headers, size, where)


def _mirrors(fields: Mapping[str, Any]) -> tuple[str, ...]:
    url = fields.get("url")
    if isinstance(url, str) and "\t" not in url and "mirrors" not in fields:
        urls = [url.strip()] if url.strip() else []
    else:
        urls = [*_texts("url", url), *_texts("mirrors", fields.get("mirrors"))]
    if not urls:
        raise ValueError("url is missing")
    return tuple(dict.fromkeys(check_pattern(text) for text in urls))


def _checksum(fields: Mapping[str, Any]) -> Checksum | None:
    text = _text("checksum", fields.get("checksum"))
    if not text:
        for field in _DIGESTS:
            if digest := _text(field, fields.get(field)):
                text = f"{field.removeprefix('digest ')}={digest}"
                break
    return Checksum.parse(text) if text else None


def _size(value: Any) -> int | None:
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError("size must be a whole number of bytes")
    return parse_size("size", str(value))


def _text(field: str, value: Any) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ValueError(f"{field} must be text")
    return value.strip()


def _texts(field: str, value: Any) -> list[str]:
    if isinstance(value, list):
        texts = [_text(field, item) for item in value]
    else:
        # In a table, all mirrors are in one cell; URLs contain no white space.
        cell = _text(field, value)
        parts = cell.split() if field == "mirrors" else cell.split("\t")
        texts = [part.strip() for part in parts]
    return [text for text in texts if text]


def _headers(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [f"{name}: {_text('header', text)}" for name, text in value.items()]
    return _texts("header", value)
