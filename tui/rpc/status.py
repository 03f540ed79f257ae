"""Downloads as aria2 describes them: all numbers are text, in bytes and bytes/s."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from tui.core.download import DownloadState
from tui.core.errors import ErrorKind
from tui.core.text.sanitize import sanitize, sanitize_url

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from tui.core.service import DownloadService
    from tui.core.snapshot import DownloadSnapshot
    from tui.rpc.gids import Gids

_S = DownloadState
PIECE = 1 << 20
"""Bytes per bit of ``bitfield``; aria2's default."""
ACTIVE_STATES = frozenset({_S.PROBING, _S.DOWNLOADING, _S.VERIFYING, _S.WAITING})
"""aria2 calls a download active also between two attempts."""
WAITING_STATES = frozenset({_S.QUEUED, _S.PAUSED})
STOPPED_STATES = frozenset({_S.DONE, _S.FAILED, _S.CANCELLED})

_WORDS = {
    _S.QUEUED: "waiting",
    _S.PAUSED: "paused",
    _S.DONE: "complete",
    _S.FAILED: "error",
    _S.CANCELLED: "removed",
}
REMOVED = 31
_UNKNOWN = 1
_CODES = {
    ErrorKind.CONNECT_TIMEOUT: 2,
    ErrorKind.STALLED: 2,
    ErrorKind.NOT_FOUND: 3,
    ErrorKind.REFUSED: 6,
    ErrorKind.UNREACHABLE: 6,
    ErrorKind.TLS: 6,
    ErrorKind.PROXY: 6,
    ErrorKind.NETWORK: 6,
    ErrorKind.RESET: 6,
    ErrorKind.TRUNCATED: 6,
    ErrorKind.RANGE: 8,
    ErrorKind.DISK_FULL: 9,
    ErrorKind.TOO_LARGE: 9,
    ErrorKind.DIRECTORY_EXISTS: 13,
    ErrorKind.FILE_EXISTS: 13,
    ErrorKind.IN_USE: 17,
    ErrorKind.NOT_WRITABLE: 17,
    ErrorKind.DIRECTORY_GONE: 17,
    ErrorKind.NAME: 17,
    ErrorKind.DESCRIPTORS: 17,
    ErrorKind.DISK: 17,
    ErrorKind.UNKNOWN_HOST: 19,
    ErrorKind.DNS: 19,
    ErrorKind.BAD_REPLY: 22,
    ErrorKind.BAD_HEADER: 22,
    ErrorKind.BAD_REDIRECT: 22,
    ErrorKind.HTTP_4XX: 22,
    ErrorKind.HTTP_STATUS: 22,
    ErrorKind.HTTP_5XX: 22,
    ErrorKind.RATE_LIMITED: 22,
    ErrorKind.TOO_MANY_REDIRECTS: 23,
    ErrorKind.AUTH: 24,
    ErrorKind.LOGIN: 24,
    ErrorKind.PROXY_AUTH: 24,
    ErrorKind.RETRY_AFTER: 29,
    ErrorKind.CHECKSUM: 32,
}
"""aria2's exit statuses by kind of error (aria2c(1), "EXIT STATUS")."""
_UNAVAILABLE = 503


def word_of(row: DownloadSnapshot) -> str:
    """Return aria2's word for the state of a download."""
    return _WORDS.get(row.state, "active")


def error_code(row: DownloadSnapshot) -> int:
    """Return aria2's error code of a stopped download; 0 for a complete one."""
    if row.state is _S.DONE:
        return 0
    if row.state is _S.CANCELLED:
        return REMOVED
    if row.status == _UNAVAILABLE:
        return 29
    return (
        _CODES.get(ErrorKind(row.error_kind), _UNKNOWN) if row.error_kind else _UNKNOWN
    )


class StatusReader:
    """Builds the structures of ``tellStatus`` and its relatives."""

    def __init__(self, service: DownloadService, gids: Gids, output_dir: str) -> None:
        self._service = service
        self._output_dir = output_dir
        self._fields: dict[str, Callable[[DownloadSnapshot], Any]] = {
            "gid": lambda row: gids.of(row.id),
            "status": word_of,
            "totalLength": lambda row: str(_size(row)),
            "completedLength": lambda row: str(row.received),
            "uploadLength": lambda _: "0",
            "bitfield": self._bitfield,
            "downloadSpeed": lambda row: str(int(row.speed)),
            "uploadSpeed": lambda _: "0",
            "connections": lambda row: str(row.connections),
            "numPieces": lambda row: str(-(-_size(row) // PIECE)),
            "pieceLength": lambda _: str(PIECE),
            "dir": self._directory,
            "files": self.files,
            "errorCode": _error_code,
            "errorMessage": _error_message,
            "verifyIntegrityPending": _verify_pending,
        }

    def status(
        self, row: DownloadSnapshot, keys: Collection[str] = ()
    ) -> dict[str, Any]:
        """Return the fields of a download that were asked for; all without keys.

        Fields without a value for a download are left out, and so are unknown keys.
        """
        names = [key for key in keys if key in self._fields] if keys else self._fields
        values = ((name, self._fields[name](row)) for name in names)
        return {name: value for name, value in values if value is not None}

    def files(self, row: DownloadSnapshot) -> list[dict[str, Any]]:
        """Return the list with the one file of a download."""
        return [
            {
                "index": "1",
                "path": os.path.join(self._directory(row), row.name),
                "length": str(_size(row)),
                "completedLength": str(row.received),
                "selected": "true",
                "uris": self.uris(row),
            }
        ]

    def uris(self, row: DownloadSnapshot) -> list[dict[str, str]]:
        """Return the URL in use and the mirrors, without logins in them."""
        used = row.state not in WAITING_STATES or row.received > 0
        urls = dict.fromkeys(self._service.request(row.id).mirrors)
        if row.url not in urls:
            urls = dict.fromkeys((row.url, *urls))
        return [
            {
                "uri": sanitize_url(url),
                "status": "used" if used and url == row.url else "waiting",
            }
            for url in urls
        ]

    def servers(self, row: DownloadSnapshot) -> list[dict[str, Any]]:
        """Return the connections of an active download."""
        servers = [
            {
                "uri": sanitize_url(segment.url),
                "currentUri": sanitize_url(segment.url),
                "downloadSpeed": str(int(segment.speed)),
            }
            for segment in self._service.detail(row.id).segments
        ]
        return [{"index": "1", "servers": servers}]

    def _directory(self, row: DownloadSnapshot) -> str:
        return os.path.join(self._output_dir, row.directory).rstrip("/") or "/"

    def _bitfield(self, row: DownloadSnapshot) -> str | None:
        size = _size(row)
        if not size or (row.state in WAITING_STATES and not row.received):
            return None
        pieces = -(-size // PIECE)
        bits = bytearray(b"0" * pieces)
        for start, end in self._service.detail(row.id).finished:
            first = -(-start // PIECE)
            last = pieces if end >= size else end // PIECE
            bits[first:last] = b"1" * max(0, last - first)
        digits = -(-pieces // 8) * 2
        return f"{int(bits.ljust(digits * 4, b'0'), 2):0{digits}x}"


def _size(row: DownloadSnapshot) -> int:
    return row.size or 0


def _error_code(row: DownloadSnapshot) -> str | None:
    return str(error_code(row)) if row.state in STOPPED_STATES else None


def _error_message(row: DownloadSnapshot) -> str | None:
    if row.state not in STOPPED_STATES:
        return None
    return sanitize(row.error) if row.state is _S.FAILED else ""


def _verify_pending(row: DownloadSnapshot) -> str | None:
    return "true" if row.state is _S.VERIFYING and row.has_checksum else None
