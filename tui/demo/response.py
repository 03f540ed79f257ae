"""Build the header section and body of a response from a script; no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tui.demo.script import Body, RecordedRequest, ResponseScript

_BOUNDARY = "fetchtui-boundary"
_BODILESS = frozenset({204, 304})


@dataclass(slots=True)
class Response:
    """What is sent for one request."""

    status: int
    head: bytes
    body: Body
    start: int
    end: int
    """Half-open range of ``body`` to send."""
    prefix: bytes = b""
    suffix: bytes = b""
    """Sent before and after the body (multipart), and not counted as body bytes."""
    is_chunked: bool = False
    closes: bool = False


def plan_response(script: ResponseScript, request: RecordedRequest) -> Response:
    """Return the response to a request according to a script.

    Except for scripted faults, it follows RFC 9110, sections 13.1.3
    (If-Modified-Since), 13.1.5 (If-Range), 14.2 (Range) and 15.5.17 (416).
    """
    status = script.status
    if status == HTTPStatus.OK and _is_unchanged(script, request):
        status = HTTPStatus.NOT_MODIFIED
    if script.redirect and status == HTTPStatus.OK:
        status = HTTPStatus.FOUND
    response = Response(status, b"", script.body, 0, len(script.body))
    fields: dict[str, str] = {}
    if status == HTTPStatus.OK:
        _apply_range(script, request, response, fields)
    if status in _BODILESS:
        response.end = 0
    _add_metadata(script, fields)
    _add_framing(script, request, response, fields)
    extra = _pairs(script)
    for name, _ in extra:
        fields.pop(name.lower(), None)
    response.head = _head(script, response, [*fields.items(), *extra])
    return response


def parse_range(value: str | None) -> tuple[int, int | None] | None:
    """Parse a ``Range`` header with a single range; ``None`` for anything else."""
    unit, separator, spec = (value or "").strip().partition("=")
    first, dash, last = spec.partition("-")
    if unit.lower() != "bytes" or not separator or not dash:
        return None
    first, last = first.strip(), last.strip()
    if not first:
        return (-int(last), None) if last.isdecimal() and int(last) else None
    if not first.isdecimal() or (last and not last.isdecimal()):
        return None
    end = int(last) + 1 if last else None
    return None if end is not None and end <= int(first) else (int(first), end)


def _is_unchanged(script: ResponseScript, request: RecordedRequest) -> bool:
    since = request.headers.get("if-modified-since")
    if since is None or script.last_modified is None or script.redirect:
        return False
    try:
        modified_at = parsedate_to_datetime(script.last_modified)
        return modified_at <= parsedate_to_datetime(since)
    except ValueError:
        return False


def _apply_range(
    script: ResponseScript,
    request: RecordedRequest,
    response: Response,
    fields: dict[str, str],
) -> None:
    size = len(script.body)
    if script.ranges not in ("ignore", "refuse"):
        fields["accept-ranges"] = "bytes"
    if request.range is None or script.ranges == "ignore":
        return
    if not _if_range_matches(script, request.headers.get("if-range")):
        return
    start, end = request.range
    if start < 0:
        start, end = max(0, size + start), size
    end = size if end is None else min(end, size)
    if script.ranges == "refuse" or start >= size:
        response.status = HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE
        response.end = 0
        fields["content-range"] = f"bytes */{size}"
        return
    response.status = HTTPStatus.PARTIAL_CONTENT
    if script.ranges == "wrong_start":
        start = start - 1 if start else min(1, size - 1)
    elif script.ranges == "short":
        end = start + max(1, (end - start) // 2)
    total = size + 1 if script.ranges == "wrong_total" else size
    total_text = "*" if script.ranges == "star_total" else str(total)
    content_range = f"bytes {start}-{end - 1}/{total_text}"
    response.start, response.end = start, end
    if script.ranges == "wrong_bytes":
        response.start, response.end = 0, end - start
    if script.ranges == "multipart":
        fields["content-type"] = f"multipart/byteranges; boundary={_BOUNDARY}"
        response.prefix = (
            f"--{_BOUNDARY}\r\nContent-Type: application/octet-stream\r\n"
            f"Content-Range: {content_range}\r\n\r\n"
        ).encode()
        response.suffix = f"\r\n--{_BOUNDARY}--\r\n".encode()
    elif script.ranges != "no_content_range":
        fields["content-range"] = content_range


def _if_range_matches(script: ResponseScript, value: str | None) -> bool:
    """Compare as in RFC 9110, 13.1.5: weak ETags never match, dates must be equal."""
    if value is None:
        return True
    if value.startswith(('"', "W/")):
        return value == script.etag and not value.startswith("W/")
    return value == script.last_modified


def _add_metadata(script: ResponseScript, fields: dict[str, str]) -> None:
    fields.setdefault("content-type", "application/octet-stream")
    if script.etag is not None:
        fields["etag"] = script.etag
    if script.last_modified is not None:
        fields["last-modified"] = script.last_modified
    if script.redirect:
        fields["location"] = script.redirect
    if script.retry_after is not None:
        fields["retry-after"] = f"{script.retry_after}"
    if script.content_encoding:
        fields["content-encoding"] = script.content_encoding


def _add_framing(
    script: ResponseScript,
    request: RecordedRequest,
    response: Response,
    fields: dict[str, str],
) -> None:
    length = len(response.prefix) + response.end - response.start + len(response.suffix)
    if script.length == "none":
        response.closes = True
    elif script.length == "chunked":
        response.is_chunked = True
        fields["transfer-encoding"] = "chunked"
    elif script.length == "exact":
        if response.status not in _BODILESS:
            fields["content-length"] = str(length)
    else:
        fields["content-length"] = str(script.length)
        response.closes = script.length != length
    if (
        request.headers.get("connection", "").lower() == "close"
        or not script.keep_alive
    ):
        response.closes = True
    if response.closes:
        fields["connection"] = "close"


def _pairs(script: ResponseScript) -> list[tuple[str, str]]:
    headers = script.headers
    return list(headers.items() if isinstance(headers, Mapping) else headers)


def _head(
    script: ResponseScript, response: Response, fields: list[tuple[str, str]]
) -> bytes:
    reason = script.reason
    if reason is None:
        try:
            reason = HTTPStatus(response.status).phrase
        except ValueError:
            reason = "Unknown"
    version = "1.0" if script.length == "none" else "1.1"
    lines = [f"HTTP/{version} {int(response.status)} {reason}"]
    lines += [f"{name}: {value}" for name, value in fields]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()
