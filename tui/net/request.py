"""What can be requested: a GET of a whole file or of a range, and its headers."""

from __future__ import annotations

from tui.core.errors import ErrorKind, PermanentError
from tui.core.quick.named_tuple import NamedTuple
from tui.core.quick.pattern import late_pattern
from tui.core.text.sanitize import sanitize
from tui.net.url import host_port

# Set by the session: another value would change framing, range or encoding without the
# code that checks the response knowing.
_RESERVED = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-length",
        "expect",
        "if-range",
        "keep-alive",
        "proxy-connection",
        "range",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_TOKEN = late_pattern(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_NO_CONTROLS = late_pattern(r"[^\x00-\x08\x0a-\x1f\x7f]*")


class GetRequest(NamedTuple):
    """A GET request for a URL, or for a range of its bytes."""

    url: str
    headers: tuple[tuple[str, str], ...] = ()
    """Bound to the origin of ``url``: never sent to another one."""
    start: int = 0
    """First byte to request."""
    end: int | None = None
    """Exclusive; ``None`` for the rest. No Range is sent for the whole file."""
    if_range: str = ""
    """Validator for If-Range: a strong ETag or a date; only used with a range."""
    if_modified_since: str = ""
    """Date for If-Modified-Since; the response may then be a 304."""

    @property
    def is_range(self) -> bool:
        """Whether only part of the file is requested."""
        return self.start > 0 or self.end is not None

    def range_headers(self) -> list[tuple[str, str]]:
        """Return ``Range`` and conditions, or nothing (RFC 9110 sections 13 and 14.2).

        They are sent to every origin that the request is redirected to.
        """
        if not self.is_range:
            since = self.if_modified_since
            return [("If-Modified-Since", since)] if since else []
        last = "" if self.end is None else str(self.end - 1)
        headers = [("Range", f"bytes={self.start}-{last}")]
        if self.if_range:
            headers.append(("If-Range", self.if_range))
        return headers


def sendable_headers(
    headers: tuple[tuple[str, str], ...], url: str
) -> list[tuple[str, str]]:
    """Return ``headers`` without the ones that only the session may set.

    Raises:
        PermanentError: ``bad_header`` for a name or value that would break the
            request apart (RFC 9110 section 5.5); the message omits the value.
    """
    for name, value in headers:
        if _TOKEN.fullmatch(name) is None or _NO_CONTROLS.fullmatch(value) is None:
            raise PermanentError(
                ErrorKind.BAD_HEADER,
                f"{host_port(url)}: header {sanitize(name, 50)!r} cannot be sent",
            )
    return [(k, v) for k, v in headers if k.lower() not in _RESERVED]
