"""A response: its status and headers, and its body chunk by chunk."""

from __future__ import annotations

from asyncio import CancelledError
from functools import lru_cache
from typing import TYPE_CHECKING

from tui.core.errors import ErrorKind, TransientError
from tui.core.rules.secret_headers import may_be_secret
from tui.core.text.sanitize import sanitize
from tui.net.errors import stalled
from tui.net.limiter import read_bytes
from tui.net.url import host_port

if TYPE_CHECKING:
    from tui.core.errors import FetchError
    from tui.net.idle_timeout import IdleTimeout
    from tui.net.limiter import Limiter
    from tui.net.transports.base import Chunk, RawResponse, SocketLease


class Response:
    """The response to a ``GetRequest``; its body has not been read yet.

    Must be closed. Reading to the end, or to the announced length, returns the
    connection to the pool; closing earlier, and a failed or cancelled read, close it at
    once.
    """

    limiter: Limiter | None = None
    """Rate limit of the origin, which ``read`` keeps."""

    __slots__ = (
        "_is_closed",
        "_is_complete",
        "_left",
        "_raw",
        "_read_chunk",
        "_timeout",
        "_timeout_s",
        "content_length",
        "has_credentials",
        "has_unsent_credentials",
        "header_map",
        "http_version",
        "is_identity",
        "redirects",
        "status",
        "url",
    )

    def __init__(
        self,
        raw: RawResponse,
        url: str,
        redirects: int,
        timeout: IdleTimeout,
        timeout_s: float,
    ) -> None:
        self._raw = raw
        self._timeout = timeout
        self._timeout_s = timeout_s
        self._read_chunk = raw.read_chunk
        self._is_complete = False
        self._is_closed = False
        self.status = raw.status
        self.http_version = raw.http_version
        self.url = url
        """The last URL of the redirects, without credentials."""
        self.redirects = redirects
        """Number of redirects followed."""
        self.has_credentials = False
        """Of a 401: whether the request carried credentials."""
        self.has_unsent_credentials = False
        """Of a 401: whether there were credentials that the server does not accept in
        the form for which they are meant."""
        self.header_map = raw.header_map
        """Headers as received, by lower-case name; repeated ones are joined by ``, ``.
        Bytes outside ASCII are decoded as Latin-1, one character each, so that
        ``filename.name_from_disposition`` can recover them. Not safe to display;
        ``headers`` is."""
        codings = self.header_map.get("transfer-encoding")
        self.is_identity = not codings or _tokens(codings) <= {"chunked", "identity"}
        """The body is what the server stores: no transfer coding except chunked. It may
        have a content coding (``ResourceInfo.coding``)."""
        self.content_length = raw.content_length
        """Bytes of this body; ``None`` if unknown."""
        self._left = -1 if self.content_length is None else self.content_length

    def header(self, name: str) -> str:
        """Return a header's value as received, "" if it is absent."""
        return self.header_map.get(name.lower(), "")

    def headers(self) -> list[tuple[str, str]]:
        """Return the headers for display: no secrets, no control characters."""
        return [
            # Most values are the same in every response of a server.
            (_displayed if len(value) <= _SHORT else _display)(name, value)
            for name, value in self._raw.fields()
            if not may_be_secret(name)
        ]

    async def read(self) -> Chunk | None:
        """Wait for the next chunk.

        Returns:
            A non-empty buffer of any size, or ``None`` once the message is complete:
            after its announced length, the last chunk, or the close of a connection
            that announced neither.

        Raises:
            TransientError: ``truncated``, ``reset``, ``stalled`` (no bytes within
                ``Settings.timeout_s`` of waiting), ``bad_reply`` (invalid chunks).
        """
        if self._is_complete:
            return None
        if self._is_closed:
            raise self._interruption()
        timeout = self._timeout
        timeout.start(self._timeout_s)
        try:
            chunk = await self._read_chunk()
            while chunk is not None and not len(chunk):
                chunk = await self._read_chunk()
        except CancelledError:
            timeout.stop()
            error = self._interruption() if timeout.expired() else None
            await self._abort()
            if error is None:
                raise
            raise error from None
        except Exception as error:
            timeout.stop()
            timeout.expired()
            await self._abort()
            raise self._raw.to_error(error, self.url) from None
        timeout.stop()
        if chunk is None:
            self._is_complete = True
        elif self._left > 0:
            self._left -= len(chunk)
            # The message is complete; reading its end would cost another round trip.
            if self._left <= 0:
                self._is_complete = True
        return chunk

    read_unlimited = read
    """As ``read``, but without waiting for ``limiter``; the caller does that."""

    def limit_reads(self, nbytes: int | None) -> None:
        """Let at most so many bytes arrive until the next chunk is read.

        ``None`` for the usual number. With HTTP/2 it changes nothing.
        """
        self._raw.limit_reads(nbytes)

    def read_rest_nowait(self) -> list[Chunk] | None:
        """Return the rest of the body if all of it has arrived; else use ``read``."""
        if self._is_closed or self._is_complete:
            return None
        rest = self._raw.read_rest_nowait()
        self._is_complete = rest is not None
        return rest

    def lease(self) -> SocketLease | None:
        """Lease the connection to a thread that reads the body outside the loop.

        ``None`` if that is impossible now: use ``read``. Do not call ``read`` until the
        lease is returned.
        """
        if self._is_closed or self._is_complete:
            return None
        lease = self._raw.lease()
        if lease is None:
            return None

        def return_(nbytes: int) -> None:
            self._left -= nbytes
            self._is_complete = not self._left
            lease.return_(nbytes)

        return lease._replace(return_=return_)

    async def close(self) -> None:
        """Release the connection at once. Safe to call twice and during a read."""
        if self._is_closed:
            return
        self._is_closed = True
        # Closing the raw response would wait for a read in progress, so interrupt it;
        # the reading task then closes the response.
        if not self._timeout.expire():
            await self._raw.close()

    async def _abort(self) -> None:
        self._is_closed = True
        self._timeout.stop()
        await self._raw.close()

    def _interruption(self) -> FetchError:
        """Return the error of a read that was interrupted, or came too late."""
        server = host_port(self.url)
        if self._is_closed:
            return TransientError(ErrorKind.RESET, f"closed the connection to {server}")
        return stalled(server)


class RateLimitedResponse(Response):
    """A response from an origin with a rate limit of its own."""

    __slots__ = ("limiter",)

    limiter: Limiter
    """Shared by all responses of the origin."""

    async def read(self) -> Chunk | None:
        """Wait for the next chunk, and until the limit allows it; never a stall."""
        chunk = await super().read()
        if chunk is not None:
            self.limit_reads(None)
            await self.limiter.take(len(chunk))
        return chunk

    def limit_reads(self, nbytes: int | None) -> None:
        """Let no more arrive than the limit of the origin suggests, either."""
        own = read_bytes(self.limiter.rate)
        if own is not None and (nbytes is None or own < nbytes):
            nbytes = own
        super().limit_reads(nbytes)

    def read_rest_nowait(self) -> list[Chunk] | None:
        """Return ``None``: every chunk has to wait for the limit."""
        return None

    def lease(self) -> SocketLease | None:
        """Return ``None``, for the same reason."""
        return None


def _tokens(values: str) -> set[str]:
    return {token for part in values.split(",") if (token := part.strip().lower())}


def _display(name: str, value: str) -> tuple[str, str]:
    return sanitize(name, 100), sanitize(_to_unicode(value))


_SHORT = 100
_displayed = lru_cache(256)(_display)


def _to_unicode(value: str) -> str:
    """Undo the Latin-1 decoding of a value that is valid UTF-8."""
    if value.isascii():
        return value
    try:
        return value.encode("latin-1").decode()
    except UnicodeError:
        return value
