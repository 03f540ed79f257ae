"""What an answer says about the file, or why it is no answer: pure functions.

The probe is the first GET itself; its body is already flowing while this is read. The
same reading checks the answer of every later segment.
"""

from __future__ import annotations

import re
import time
from base64 import b64decode
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple, NoReturn, Protocol

from tui.core.errors import PermanentError, TransientError
from tui.core.request import Checksum
from tui.core.text.plain_text import plain
from tui.net.auth.digest import schemes
from tui.net.backoff import parse_http_date, parse_retry_after
from tui.net.filename import name_from_disposition
from tui.net.url import where

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tui.net.session import GetRequest

CLOCK_MARGIN_S = 60
"""Age at which Last-Modified identifies the bytes. It has a resolution of 1 s, and the
clocks that made it and Date may differ; RFC 7232 section 2.2.2 asked for 60 s, RFC 9110
section 8.8.2.2 for "enough"."""

# RFC 9110 section 8.8.3; only ASCII, since it must go back in If-Range. An empty tag
# is legal, but comes from servers that give it to everything.
_STRONG_ETAG = re.compile(r'"[\x21\x23-\x7e]{1,1000}"')
_CONTENT_RANGE = re.compile(r"bytes +([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18}|\*)")
_UNSATISFIED = re.compile(r"bytes +\*/([0-9]{1,18})")
_DIGEST = re.compile(r"\s*([A-Za-z0-9*_.-]+)\s*=\s*:?([A-Za-z0-9+/]+={0,2}):?\s*")
_DIGEST_FIELDS = ("repr-digest", "digest", "content-digest")
_DIGEST_NAMES = {
    "sha-512": "sha-512",
    "sha-256": "sha-256",
    "sha": "sha-1",
    "md5": "md5",
}
"""Names in digest headers, best first, and the ones that ``Checksum`` reads."""
_TRANSIENT = {408: "http_4xx", 425: "http_4xx", 429: "rate_limited"}
_PERMANENT = {
    401: "auth",
    403: "auth",
    407: "auth",
    404: "not_found",
    410: "not_found",
}


class Head(Protocol):
    """The part of a ``Reply`` that is judged."""

    status: int
    url: str
    content_length: int | None
    is_identity: bool
    has_login: bool
    table: Mapping[str, str]


class RangeRefused(PermanentError):
    """The server has none of the bytes asked for (416)."""

    def __init__(self, message: str, total: int | None) -> None:
        super().__init__("range", message, status=416)
        self.total = total
        """Bytes of the file that the server has, or ``None`` if it does not say."""


class ResourceInfo(NamedTuple):
    """What the server says about the file and the bytes that follow."""

    status: int
    """200 or 206."""
    size: int | None
    """Bytes of the whole file."""
    start: int
    """Offset of the first byte that follows. 0 although a later one was asked for
    means: ranges are ignored, or the file changed; begin again."""
    end: int | None
    """Offset behind the last byte that follows; ``None`` if only the end will tell."""
    validator: str
    """Proves in If-Range that the file is the same: a strong ETag, else a Last-Modified
    that is old enough, else ""."""
    etag: str
    """As sent, weak ones as well."""
    last_modified: str
    accepts_ranges: bool
    suggested_name: str | None
    """Safe name out of Content-Disposition."""
    digests: tuple[Checksum, ...]
    """Digests of the whole file that the server vouches for, best first."""
    content_type: str
    """Media type in lower case without parameters: ``text/html``."""


def read_answer(
    reply: Head, target: GetRequest, now_wall: float | None = None
) -> ResourceInfo:
    """Judge an answer by its status and headers.

    Args:
        reply: the answer.
        target: what it answers.
        now_wall: seconds since the epoch, used when a Retry-After date comes without a
            Date; ``None`` takes the machine's.

    Raises:
        TransientError: 408, 425, 429, 5xx, with ``retry_after_s``.
        RangeRefused: 416 to a range.
        PermanentError: every other status but 200 and 206; ``encoding`` for a coding
            that nobody asked for; ``bad_reply`` for a 206 that is not the range asked
            for. That one is permanent: it is how this server handles ranges, and
            asking again gives the same; asking for the whole file may not.
    """
    if reply.status not in (200, 206):
        _refuse(reply, target, now_wall)
    told = reply.table.get
    if not reply.is_identity:
        coding = told("content-encoding", "") or told("transfer-encoding", "")
        raise PermanentError(
            "encoding",
            f"{where(reply.url)} sent it encoded ({plain(coding, 50)}) unasked",
            status=reply.status,
        )
    start, end, size = 0, reply.content_length, reply.content_length
    if reply.status == 206:
        start, end, size = _read_range(reply, target)
    disposition = told("content-disposition")
    media_type = told("content-type", "").partition(";")[0].strip().lower()
    return ResourceInfo(
        reply.status,
        size,
        start,
        end,
        _validator(reply),
        plain(told("etag", ""), 1000),
        plain(told("last-modified", ""), 100),
        _accepts_ranges(reply, target),
        name_from_disposition(disposition) if disposition else None,
        _digests(reply),
        plain(media_type, 100),
    )


def _accepts_ranges(reply: Head, target: GetRequest) -> bool:
    if reply.status == 206:
        return True
    if target.is_range and not target.if_range:
        # A range that was ignored without a validator to blame says no by itself.
        return False
    ranges = reply.table.get("accept-ranges", "").lower()
    return ranges == "bytes" or "bytes" in ranges.replace(",", " ").split()


def _refuse(reply: Head, target: GetRequest, now_wall: float | None) -> NoReturn:
    status, place = reply.status, where(reply.url)
    message = f"{place} answered {status}{_phrase(status)}{_wanted_login(reply)}"
    if status == 416 and target.is_range:
        match = _UNSATISFIED.fullmatch(reply.table.get("content-range", "").strip())
        raise RangeRefused(message, int(match[1]) if match else None)
    if status in _TRANSIENT or 500 <= status < 600:
        kind = _TRANSIENT.get(status, "http_5xx")
        raise TransientError(
            kind, message, status=status, retry_after_s=_retry_after(reply, now_wall)
        )
    kind = _PERMANENT.get(status, "http_4xx" if 400 <= status < 500 else "http_status")
    raise PermanentError(kind, message, status=status)


def _wanted_login(reply: Head) -> str:
    """Say of a 401 whether a login is missing or wrong, and what the server takes."""
    if reply.status != 401:
        return ""
    said = ": the login is refused" if reply.has_login else ": it wants a login"
    offered = dict.fromkeys(schemes([reply.table.get("www-authenticate", "")]))
    return said + (f" ({plain(', '.join(offered), 60)})" if offered else "")


def _phrase(status: int) -> str:
    """Our own words for a status; the server's could be anything."""
    try:
        return f" {HTTPStatus(status).phrase}"
    except ValueError:
        return ""


def _retry_after(reply: Head, now_wall: float | None) -> float | None:
    value = reply.table.get("retry-after", "")
    if not value:
        return None
    date = parse_http_date(reply.table.get("date", ""))
    if date is None:
        date = time.time() if now_wall is None else now_wall
    return parse_retry_after(value, date)


def _read_range(reply: Head, target: GetRequest) -> tuple[int, int, int | None]:
    """Return start, end and total of a 206 (RFC 9110 section 14.4)."""
    if not target.is_range:
        _bad_range(reply, "a part although all was asked for")
    if reply.table.get("content-type", "").strip().lower().startswith("multipart/"):
        _bad_range(reply, "several parts in one")
    value = reply.table.get("content-range", "").strip()
    if not value:
        _bad_range(reply, "a part without saying which")
    match = _CONTENT_RANGE.fullmatch(value)
    if match is None:
        _bad_range(reply, f"Content-Range {plain(value, 60)!r}")
    start, end = int(match[1]), int(match[2]) + 1
    total = None if match[3] == "*" else int(match[3])
    if end <= start or (total is not None and end > total):
        _bad_range(reply, f"an impossible Content-Range {plain(value, 60)!r}")
    if start != target.start:
        _bad_range(reply, f"bytes from {start} instead of {target.start}")
    # Less than asked for is allowed (section 15.3.7), more is not.
    if target.end is not None and end > target.end:
        _bad_range(reply, f"bytes up to {end} instead of {target.end}")
    if reply.content_length is not None and reply.content_length != end - start:
        _bad_range(
            reply, f"{reply.content_length} bytes for a part of {end - start} bytes"
        )
    return start, end, total


def _bad_range(reply: Head, what: str) -> NoReturn:
    message = f"{where(reply.url)} sent {what}"
    raise PermanentError("bad_reply", message, status=reply.status)


def _validator(reply: Head) -> str:
    etag = reply.table.get("etag", "").strip()
    if _STRONG_ETAG.fullmatch(etag) is not None:
        return etag
    value = reply.table.get("last-modified", "").strip()
    modified = parse_http_date(value)
    date = parse_http_date(reply.table.get("date", ""))
    if modified is None or date is None or date - modified < CLOCK_MARGIN_S:
        return ""
    return value if value.isascii() and value.isprintable() else ""


def _digests(reply: Head) -> tuple[Checksum, ...]:
    """Collect digests of the whole file, without any coding.

    Repr-Digest (RFC 9530) and Digest (RFC 3230) are about the representation, also in a
    206; Content-Digest is about the bytes of this message, so only a 200 counts.
    """
    names = _DIGEST_FIELDS if reply.status == 200 else _DIGEST_FIELDS[:2]
    told = [value for name in names if (value := reply.table.get(name))]
    if not told:
        return ()
    found: dict[str, set[Checksum]] = {}
    for part in ",".join(told).split(","):
        match = _DIGEST.fullmatch(part)
        spelling = _DIGEST_NAMES.get(match[1].lower()) if match else None
        if match is None or spelling is None:
            continue
        try:
            digest = b64decode(match[2], validate=True).hex()
            checksum = Checksum.parse(f"{spelling}={digest}")
        except ValueError:
            continue
        found.setdefault(spelling, set()).add(checksum)
    # Two that contradict each other vouch for nothing.
    return tuple(
        next(iter(found[name]))
        for name in _DIGEST_NAMES.values()
        if len(found.get(name, ())) == 1
    )
