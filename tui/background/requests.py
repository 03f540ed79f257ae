"""Requests for downloads as JSON values; what arrives is checked like a list."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tui.core.request import Checksum, DownloadRequest, Pieces, check_url
from tui.core.settings import OnExists
from tui.core.text.request_fields import fields_of
from tui.sources.values import parse_folder, parse_header, parse_output_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_CALL_REQUESTS: Final = 5_000
_CALL_BYTES: Final = 2 << 20
"""Most requests of a call, and about the bytes of it, which one longer request may
exceed: far below the limit of a line, since signed URLs can have some thousand
characters."""
_MAX_SIZE: Final = 10**18


def encode_request(request: DownloadRequest) -> dict[str, Any]:
    """Return a request as JSON values, with its headers and logins.

    They stay on this machine or on ``ssh``, and are needed for the download.
    """
    fields = fields_of(request)
    return {"urls": fields.pop("mirrors"), **fields}


def encoded_calls(requests: Iterable[DownloadRequest]) -> Iterator[list[Any]]:
    """Yield requests as JSON values, as many at a time as fit into a call."""
    records: list[Any] = []
    size = 0
    for request in requests:
        record = encode_request(request)
        # Four times as fast as JSON, which has at most twice the length: of quotes.
        length = len(ascii(record))
        if len(records) == _CALL_REQUESTS or (records and size + length > _CALL_BYTES):
            yield records
            records, size = [], 0
        records.append(record)
        size += length
    if records:
        yield records


def decode_requests(values: object) -> list[DownloadRequest]:
    """Return the requests in a list of JSON values.

    Raises:
        ValueError: one of them is wrong; the message says which, and what.
    """
    if not isinstance(values, list):
        raise ValueError("requests must be a list")
    requests = []
    for number, value in enumerate(values, 1):
        try:
            requests.append(_decode(value))
        except ValueError as error:
            raise ValueError(f"request {number}: {error}") from None
    return requests


def _decode(value: object) -> DownloadRequest:
    if not isinstance(value, dict):
        raise ValueError("must be an object")
    urls = value.get("urls")
    if not isinstance(urls, list) or not urls:
        raise ValueError("urls must be a list of at least one URL")
    name, directory = _text(value, "name"), _text(value, "directory")
    if name is not None:
        folder, name = parse_output_path(name, "name")
        directory = directory if folder is None else folder
    checksum, size = _text(value, "checksum"), value.get("size")
    if size is not None and (type(size) is not int or not 0 <= size < _MAX_SIZE):
        raise ValueError("size must be a whole number of bytes")
    on_exists = _text(value, "on_exists")
    return DownloadRequest(
        tuple(check_url(_string(url, "urls")) for url in urls),
        name,
        None if directory is None else parse_folder(directory),
        None if checksum is None else Checksum.parse(checksum),
        tuple(_headers(value.get("headers", []))),
        size,
        _text(value, "source") or "",
        _pieces(value.get("pieces")),
        None if on_exists is None else OnExists(on_exists),
    )


def _string(value: object, name: str) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{name} must be text")
    return value


def _text(fields: dict[str, Any], name: str) -> str | None:
    value = fields.get(name)
    return None if value is None else _string(value, name)


def _headers(pairs: object) -> Iterable[tuple[str, str]]:
    if not isinstance(pairs, list):
        raise ValueError("headers must be a list")
    for pair in pairs:
        if not isinstance(pair, list) or len(pair) != 2:
            raise ValueError("a header must be a pair of name and value")
        name, content = (_string(part, "headers") for part in pair)
        # The credentials of a pasted command are a header, too; only its form counts.
        parse_header(f"{name}: {content}")
        yield name, content


def _pieces(value: object) -> Pieces | None:
    if value is None:
        return None
    if not isinstance(value, list) or len(value) != 3:
        raise ValueError("pieces must be [algorithm, length, digests]")
    algorithm, length, digests = value
    if type(length) is not int or length < 1 or not isinstance(digests, list):
        raise ValueError("pieces must be [algorithm, length, digests]")
    parsed = [Checksum.parse(f"{algorithm}={digest}") for digest in digests]
    if not parsed:
        return None
    return Pieces(parsed[0].algorithm, length, tuple(each.digest for each in parsed))
