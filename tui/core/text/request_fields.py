"""A request as JSON values, in our own files and messages.

What other processes send is checked more strictly, in ``background/requests.py``.
"""

from __future__ import annotations

from typing import Any

from tui.core.request import Checksum, DownloadRequest, Pieces
from tui.core.settings import OnExists

_TYPES: dict[str, type] = {
    "mirrors": list,
    "source": str,
    "name": str,
    "directory": str,
    "checksum": str,
    "headers": list,
    "size": int,
    "pieces": list,
    "on_exists": str,
}


def fields_of(request: DownloadRequest) -> dict[str, Any]:
    """Return the fields that are set, as JSON values.

    The result contains all headers and logins.
    """
    values: dict[str, Any] = {"mirrors": list(request.mirrors)}
    if request.source:
        values["source"] = request.source
    if request.name is not None:
        values["name"] = request.name
    if request.directory is not None:
        values["directory"] = request.directory
    if request.checksum is not None:
        values["checksum"] = str(request.checksum)
    if request.headers:
        values["headers"] = [list(pair) for pair in request.headers]
    if request.size is not None:
        values["size"] = request.size
    if request.on_exists is not None:
        values["on_exists"] = request.on_exists.value
    if request.pieces is not None:
        algorithm, length, digests = request.pieces
        values["pieces"] = [algorithm, length, list(digests)]
    return values


def request_from(values: dict[str, Any]) -> DownloadRequest:
    """Return the request with these fields.

    Raises:
        ValueError, TypeError, KeyError, AttributeError: the fields are damaged.
    """
    for name, value in values.items():
        if type(value) is not _TYPES.get(name):
            raise TypeError(name)
    if not values["mirrors"] or {*map(type, values["mirrors"])} != {str}:
        raise TypeError("mirrors")
    found = dict(values, mirrors=tuple(values["mirrors"]))
    if "headers" in found:
        found["headers"] = tuple((str(n), str(v)) for n, v in found["headers"])
    if "checksum" in found:
        found["checksum"] = Checksum.parse(found["checksum"])
    if "on_exists" in found:
        found["on_exists"] = OnExists(found["on_exists"])
    if "pieces" in found:
        algorithm, length, digests = found["pieces"]
        found["pieces"] = Pieces(str(algorithm), int(length), tuple(map(str, digests)))
    return DownloadRequest(**found)
