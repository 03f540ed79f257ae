"""Build a request from named fields, for rows of CSV and objects of JSON.

The names are those of the plain list: ``url``, ``out``, ``dir``, ``checksum`` and
``header``, plus ``size`` in bytes. Common plurals and other spellings are accepted.
"""

from __future__ import annotations

from math import isnan
from typing import TYPE_CHECKING, Any, NamedTuple

from tui.core.request import (
    ALGORITHMS,
    STRONGEST_FIRST,
    Checksum,
    DownloadRequest,
)
from tui.core.text.sanitize import display_url, sanitize
from tui.sources.patterns import check_pattern
from tui.sources.values import parse_folder, parse_header, parse_output_path, parse_size

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

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
_DIGESTS = {f"digest {kind}": kind for kind in STRONGEST_FIRST}
_DIGEST_KINDS = {32: "md5", 40: "sha1", 64: "sha256", 96: "sha384", 128: "sha512"}
"""The usual kind of a digest that has so many hexadecimal digits."""
_SHOWN_COLUMNS = 20


class Columns(NamedTuple):
    """Names of the columns (or JSON fields) that a list uses instead of the usual ones.

    "" means the usual one.
    """

    url: str = ""
    name: str = ""
    """File names, which may have folders in front."""
    checksum: str = ""
    """``TYPE=HEX`` or a digest alone, whose length shows its kind."""


class FieldReader:
    """Turns fields into requests; notes each unknown field once."""

    def __init__(self, notes: list[str] | None, columns: Columns | None = None) -> None:
        self._notes = notes
        self._ignored: set[str] = set()
        self._chosen: dict[str, str] = {}
        """Names of columns in lower case -> field."""
        self._names: dict[str, str] = NAMES
        if columns is not None:
            pairs = zip(columns, ("url", "out", "digest any"), strict=True)
            self._chosen = {name.strip().lower(): to for name, to in pairs if name}
            replaced = set(self._chosen.values())
            self._names = {
                name: field
                for name, field in NAMES.items()
                if field not in replaced
                and not ("digest any" in replaced and _is_checksum(field))
                and not ("url" in replaced and field == "mirrors")
            }

    def missing_columns(self, names: Iterable[str]) -> str:
        """Return what is wrong with a table's column names, or "" if nothing is."""
        names = list(names)
        present = {name.strip().lower() for name in names}
        for name in self._chosen:
            if name not in present:
                return f"there is no column {sanitize(name, 60)!r}; {_listed(names)}"
        if "url" not in self._chosen.values() and not any(
            self._names.get(name) == "url" for name in present
        ):
            return (
                "no column is called url; choose one with --url-column NAME;"
                f" {_listed(names)}"
            )
        return ""

    def known(self, name: str, where: str) -> str:
        """Return the field for a name, or "" (with a note) if it is unknown."""
        key = name.strip().lower()
        field = self._chosen.get(key) or self._names.get(key, "")
        if not field and name not in self._ignored:
            self._ignored.add(name)
            if self._notes is not None:
                shown = display_url(name.strip(), 40)
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


def _is_checksum(field: str) -> bool:
    return field == "checksum" or field.startswith("digest ")


def _listed(names: list[str]) -> str:
    shown = ", ".join(display_url(name.strip(), 40) for name in names[:_SHOWN_COLUMNS])
    more = len(names) - _SHOWN_COLUMNS
    return f"the columns are {shown}" + (f" and {more:,} more" if more > 0 else "")


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
    if found := fields.get("digest any"):
        text = _text("checksum", found.hex() if isinstance(found, bytes) else found)
        if "=" not in text and ":" not in text and len(text) in _DIGEST_KINDS:
            text = f"{_DIGEST_KINDS[len(text)]}={text}"
    if not text:
        for field, kind in _DIGESTS.items():
            found = fields.get(field)
            if found is None:  # as for nearly all kinds in each of 100,000 rows
                continue
            digest = _text(kind, found.hex() if isinstance(found, bytes) else found)
            if digest:
                text = f"{kind}={digest}"
                break
    return Checksum.parse(text) if text else None


def _size(value: Any) -> int | None:
    # A column of numbers in which some are missing consists of floats, also in text
    # that was made from it, and the missing ones are NaN.
    if isinstance(value, float):
        if isnan(value):
            return None
        value = int(value) if value.is_integer() else value
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError("size must be a whole number of bytes")
    return parse_size("size", str(value).strip().removesuffix(".0"))


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
