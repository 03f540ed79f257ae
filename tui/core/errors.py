"""Errors that end an attempt, classified by what to do about them.

::

    FetchError
    +-- TransientError        may pass: retried with backoff, honours retry_after_s
    +-- PermanentError        will not pass: fails at once
        +-- LocalError        a problem of this machine: disk full, no permission, ...
        +-- IntegrityError    the bytes are not the expected ones

There is no class per cause: the two branches decide what happens next, and ``kind``
names the cause for counting, scripts and tests. Only ``net`` knows the exceptions of
the HTTP libraries and only ``disk`` knows ``OSError``; each converts them at its
border.
What the user can do about a kind is worded in ``tui.messages``.
"""

from __future__ import annotations

from enum import StrEnum


class ErrorKind(StrEnum):
    """Causes of failures.

    The values are stable: JSON events, hooks and session journals contain them.
    """

    # connecting
    UNKNOWN_HOST = "unknown_host"
    DNS = "dns"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    CONNECT_TIMEOUT = "connect_timeout"
    TLS = "tls"
    CA_FILE = "ca_file"
    PROXY = "proxy"
    PROXY_AUTH = "proxy_auth"
    NETWORK = "network"
    CLIENT_CERT = "client_cert"
    # the exchange
    STALLED = "stalled"
    RESET = "reset"
    TRUNCATED = "truncated"
    BAD_REPLY = "bad_reply"
    NO_HTTP1 = "no_http1"
    ENCODING = "encoding"
    TOO_MANY_REDIRECTS = "too_many_redirects"
    BAD_REDIRECT = "bad_redirect"
    BAD_HEADER = "bad_header"
    # the response, and what it takes to be let in
    AUTH = "auth"
    LOGIN = "login"
    NETRC = "netrc"
    COOKIES = "cookies"
    SECRET = "secret"
    NOT_FOUND = "not_found"
    HTTP_4XX = "http_4xx"
    RATE_LIMITED = "rate_limited"
    RETRY_AFTER = "retry_after"
    HTTP_5XX = "http_5xx"
    HTTP_STATUS = "http_status"
    RANGE = "range"
    # the bytes
    CHANGED = "changed"
    CHECKSUM = "checksum"
    SIZE = "size"
    # this machine
    DISK_FULL = "disk_full"
    TOO_LARGE = "too_large"
    NOT_WRITABLE = "not_writable"
    DIRECTORY_GONE = "directory_gone"
    NAME = "name"
    DIRECTORY_EXISTS = "directory_exists"
    FILE_EXISTS = "file_exists"
    IN_USE = "in_use"
    DESCRIPTORS = "descriptors"
    DISK = "disk"
    INTERNAL = "internal"


class FetchError(Exception):
    """An attempt failed. ``str()`` is safe to show: what happened, in one line."""

    is_unanswered = False
    """Whether there was no response to the request, not even an error status."""

    def __init__(
        self,
        kind: ErrorKind,
        message: str,
        *,
        status: int = 0,
        retry_after_s: float | None = None,
    ) -> None:
        """Describe what happened.

        Args:
            kind: the cause.
            message: what happened, in one line.
            status: HTTP status that caused it, or 0.
            retry_after_s: seconds that the server asked to wait, if it did.

        Raises:
            ValueError: ``kind`` is not the value of an ``ErrorKind``.
        """
        super().__init__(message)
        self.kind = ErrorKind(kind)
        self.status = status
        self.retry_after_s = retry_after_s


class TransientError(FetchError):
    """May pass by itself: timeouts, resets, 408 425 429 5xx."""


class PermanentError(FetchError):
    """Repeating the same request gives the same result."""


class LocalError(PermanentError):
    """This machine prevents the download; what was downloaded is kept."""


class IntegrityError(PermanentError):
    """The bytes are complete but not the expected ones."""
