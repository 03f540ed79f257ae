"""Read what a response says about the file, or why it is not usable: pure functions.

The probe is the first GET itself, whose body is already arriving meanwhile. The
responses for all later segments are checked by the same functions.
"""

from __future__ import annotations

from base64 import b64decode
from functools import lru_cache
from typing import TYPE_CHECKING, NoReturn, Protocol

from tui.core.errors import ErrorKind, PermanentError, TransientError
from tui.core.quick.named_tuple import NamedTuple
from tui.core.quick.pattern import late_pattern
from tui.core.request import Checksum
from tui.core.text.sanitize import sanitize
from tui.net.auth.digest import schemes
from tui.net.backoff import parse_http_date, read_retry_after
from tui.net.filename import name_from_disposition
from tui.net.url import host_port

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tui.net.request import GetRequest

CLOCK_MARGIN_S = 60
"""Age at which Last-Modified identifies the bytes. It has a resolution of 1 s, and the
clocks behind it and Date may differ; RFC 7232 section 2.2.2 asked for 60 s, RFC 9110
section 8.8.2.2 for "enough"."""

# RFC 9110 section 8.8.3; only ASCII, since it is sent back in If-Range. An empty tag is
# legal, but comes from servers that use it for every file.
_STRONG_ETAG = late_pattern(r'"[\x21\x23-\x7e]{1,1000}"')
_CONTENT_RANGE = late_pattern(r"bytes +([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18}|\*)")
_UNSATISFIED = late_pattern(r"bytes +\*/([0-9]{1,18})")
_DIGEST = late_pattern(r"\s*([A-Za-z0-9*_.-]+)\s*=\s*:?([A-Za-z0-9+/]+={0,2}):?\s*")
_DIGEST_FIELDS = ("repr-digest", "digest", "content-digest")
_DIGEST_NAMES = {
    "sha-512": "sha-512",
    "sha-256": "sha-256",
    "sha": "sha-1",
    "md5": "md5",
}
"""Names in digest headers, best first, and the ones that ``Checksum`` parses."""
_TRANSIENT = {
    408: ErrorKind.HTTP_4XX,
    425: ErrorKind.HTTP_4XX,
    429: ErrorKind.RATE_LIMITED,
}
_MAX_MEDIA_TYPE = 200
"""Characters of Content-Type that are looked at."""
_CODINGS = frozenset(
    {"br", "compress", "deflate", "gzip", "x-compress", "x-gzip", "zstd"}
)
_PERMANENT = {
    401: ErrorKind.AUTH,
    403: ErrorKind.AUTH,
    407: ErrorKind.AUTH,
    404: ErrorKind.NOT_FOUND,
    410: ErrorKind.NOT_FOUND,
}


class ResponseMeta(Protocol):
    """The part of a ``Response`` that is read here."""

    status: int
    url: str
    content_length: int | None
    is_identity: bool
    has_credentials: bool
    has_unsent_credentials: bool
    header_map: Mapping[str, str]


class RangeNotSatisfiable(PermanentError):
    """The server has none of the requested bytes (416)."""

    def __init__(self, message: str, total: int | None) -> None:
        super().__init__(ErrorKind.RANGE, message, status=416)
        self.total = total
        """Size of the file on the server, or ``None`` if it does not say."""


class ResourceInfo(NamedTuple):
    """What a response says about the file and about its own body."""

    status: int
    """200 or 206."""
    size: int | None
    """Bytes of the whole file."""
    start: int
    """Offset of the first byte of the body. If it is 0 although a later one was
    requested, ranges are ignored or the file has changed: start over."""
    end: int | None
    """Offset behind the last byte of the body; ``None`` if the end is unknown."""
    validator: str
    """Proves in If-Range that the file is the same: a strong ETag, else a Last-Modified
    that is old enough, else ""."""
    etag: str
    """As sent, weak ones too."""
    last_modified: str
    accepts_ranges: bool
    suggested_name: str | None
    """Safe file name from Content-Disposition."""
    digests: tuple[Checksum, ...]
    """Digests of the whole file from the headers, best first."""
    content_type: str
    """Media type in lower case without parameters: ``text/html``."""
    coding: str = ""
    """The content coding of the body, which nobody asked for; "" for none."""


def read_resource_info(
    response: ResponseMeta, request: GetRequest, now_wall: float | None = None
) -> ResourceInfo:
    """Check a response by its status and headers, and read what it says.

    Args:
        response: to check.
        request: that it answers.
        now_wall: seconds since the epoch, used when a Retry-After date comes without a
            Date; ``None`` uses the system clock.

    Raises:
        TransientError: 408, 425, 429, 5xx, with ``retry_after_s``.
        RangeNotSatisfiable: 416 to a range request.
        PermanentError: any other status except 200, 203 and 206; ``encoding`` for a
            transfer coding; ``bad_reply`` for a 206 that is not the requested range.
            That one is permanent: it is how this server handles ranges, and the same
            request gives the same result; a request for the whole file may not.
    """
    if response.status not in (200, 203, 206):
        _raise_for_status(response, request, now_wall)
    header = response.header_map.get
    if not response.is_identity:
        coding = header("transfer-encoding", "")
        raise PermanentError(
            ErrorKind.ENCODING,
            f"{host_port(response.url)} sent the file encoded ({sanitize(coding, 50)})",
            status=response.status,
        )
    start, end, size = 0, response.content_length, response.content_length
    if response.status == 206:
        start, end, size = _read_range(response, request)
    disposition = header("content-disposition")
    etag, validator = header("etag", ""), _validator(response)
    return ResourceInfo(
        # 203 is a 200 by way of a proxy that changed something (RFC 9110, 15.3.4).
        206 if response.status == 206 else 200,
        size,
        start,
        end,
        validator,
        # A strong one is harmless.
        etag if etag == validator else sanitize(etag, 1000),
        sanitize(header("last-modified", ""), 100),
        _accepts_ranges(response, request),
        name_from_disposition(disposition) if disposition else None,
        _digests(response),
        _media_type(header("content-type", "")[:_MAX_MEDIA_TYPE]),
        _coding(response),
    )


@lru_cache(64)
def _media_type(value: str) -> str:
    return sanitize(value.partition(";")[0].strip().lower(), 100)


def check_is_plain(info: ResourceInfo, url: str) -> None:
    """Refuse an encoded body, for those who read it themselves.

    Raises:
        PermanentError: ``encoding``.
    """
    if info.coding:
        raise PermanentError(
            ErrorKind.ENCODING,
            f"{host_port(url)} sent the file encoded ({info.coding})",
            status=info.status,
        )


def _coding(response: ResponseMeta) -> str:
    """Return the content coding, which servers add to ``.tar.gz`` files, for example.

    Some values encode nothing: ``none``, ``binary``, ``utf-8``, ``aws-chunked``.
    """
    codings = response.header_map.get("content-encoding")
    if not codings:
        return ""
    values = codings.lower().split(",")
    return ", ".join(value.strip() for value in values if value.strip() in _CODINGS)


def _accepts_ranges(response: ResponseMeta, request: GetRequest) -> bool:
    if response.status == 206:
        return True
    if request.is_range and not request.if_range:
        # The range was ignored, and no validator can be the reason.
        return False
    ranges = response.header_map.get("accept-ranges", "")
    return ranges == "bytes" or "bytes" in ranges.lower().replace(",", " ").split()


def _raise_for_status(
    response: ResponseMeta, request: GetRequest, now_wall: float | None
) -> NoReturn:
    status, server = response.status, host_port(response.url)
    message = f"{server} answered {status}{_phrase(status)}{_auth_detail(response)}"
    if status == 416 and request.is_range:
        value = response.header_map.get("content-range", "").strip()
        match = _UNSATISFIED.fullmatch(value)
        raise RangeNotSatisfiable(message, int(match[1]) if match else None)
    if status in _TRANSIENT or 500 <= status < 600:
        kind = _TRANSIENT.get(status, ErrorKind.HTTP_5XX)
        retry_after_s = read_retry_after(response.header_map, now_wall)
        raise TransientError(kind, message, status=status, retry_after_s=retry_after_s)
    other = ErrorKind.HTTP_4XX if 400 <= status < 500 else ErrorKind.HTTP_STATUS
    kind = _PERMANENT.get(status, other)
    raise PermanentError(kind, message, status=status)


def _auth_detail(response: ResponseMeta) -> str:
    """Say whether a 401 needs or rejected credentials, and which schemes it offers."""
    if response.status != 401:
        return ""
    what = "rejected" if response.has_credentials else "required"
    if response.has_unsent_credentials:
        what = "cannot be sent with the schemes that the server accepts"
    challenge = response.header_map.get("www-authenticate", "")
    offered = ", ".join(dict.fromkeys(schemes([challenge])))
    return f": credentials {what}" + (f" ({sanitize(offered, 60)})" if offered else "")


def _phrase(status: int) -> str:
    """Return the standard phrase for a status; the server's could be anything."""
    from http import HTTPStatus  # late: only errors need it

    try:
        return f" {HTTPStatus(status).phrase}"
    except ValueError:
        return ""


def _read_range(
    response: ResponseMeta, request: GetRequest
) -> tuple[int, int, int | None]:
    """Return start, end and total of a 206 (RFC 9110 section 14.4)."""
    header = response.header_map.get
    if not request.is_range:
        _raise_bad_range(response, "a partial response to a request for the whole file")
    if header("content-type", "").strip().lower().startswith("multipart/"):
        _raise_bad_range(response, "several ranges in one response")
    value = header("content-range", "").strip()
    if not value:
        _raise_bad_range(response, "a partial response without Content-Range")
    match = _CONTENT_RANGE.fullmatch(value)
    if match is None:
        _raise_bad_range(response, f"Content-Range {sanitize(value, 60)!r}")
    start, end = int(match[1]), int(match[2]) + 1
    total = None if match[3] == "*" else int(match[3])
    if end <= start or (total is not None and end > total):
        _raise_bad_range(response, f"an invalid Content-Range {sanitize(value, 60)!r}")
    if start != request.start:
        _raise_bad_range(response, f"bytes from {start} instead of {request.start}")
    # Less than requested is allowed (section 15.3.7), more is not.
    if request.end is not None and end > request.end:
        _raise_bad_range(response, f"bytes up to {end} instead of {request.end}")
    length = response.content_length
    if length is not None and length != end - start:
        _raise_bad_range(response, f"{length} bytes for a range of {end - start} bytes")
    return start, end, total


def _raise_bad_range(response: ResponseMeta, what: str) -> NoReturn:
    message = f"{host_port(response.url)} sent {what}"
    raise PermanentError(ErrorKind.BAD_REPLY, message, status=response.status)


def _validator(response: ResponseMeta) -> str:
    etag = response.header_map.get("etag", "").strip()
    if _STRONG_ETAG.fullmatch(etag) is not None:
        return etag
    value = response.header_map.get("last-modified", "").strip()
    if _coding(response):
        # The file has the same date with and without the coding.
        return ""
    modified = parse_http_date(value)
    date = parse_http_date(response.header_map.get("date", ""))
    if modified is None or date is None or date - modified < CLOCK_MARGIN_S:
        return ""
    return value if value.isascii() and value.isprintable() else ""


def _digests(response: ResponseMeta) -> tuple[Checksum, ...]:
    """Collect the digests of the whole file, without any coding.

    Repr-Digest (RFC 9530) and Digest (RFC 3230) describe the representation, even in a
    206; Content-Digest describes the bytes of this message, so only a 200 counts.
    """
    if response.header_map.keys().isdisjoint(_DIGEST_FIELDS):
        return ()
    names = _DIGEST_FIELDS if response.status == 200 else _DIGEST_FIELDS[:2]
    values = [value for name in names if (value := response.header_map.get(name))]
    found: dict[str, set[Checksum]] = {}
    for part in ",".join(values).split(","):
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
    # Two that contradict each other prove nothing.
    return tuple(
        next(iter(found[name]))
        for name in _DIGEST_NAMES.values()
        if len(found.get(name, ())) == 1
    )
