"""A reply: its status and headers, and its body chunk by chunk."""

from __future__ import annotations

from asyncio import CancelledError
from typing import TYPE_CHECKING

from tui.core.errors import TransientError
from tui.core.rules.secret_headers import may_be_secret
from tui.core.text.plain_text import plain
from tui.net.errors import stalled
from tui.net.transports.base import parse_length
from tui.net.url import where

if TYPE_CHECKING:
    from tui.core.errors import FetchError
    from tui.net.idle_timeout import TimeoutWheel
    from tui.net.limiter import Limiter
    from tui.net.transports.base import Chunk, RawResponse, SocketLease


class Response:
    """What came back for a ``Target``; the body is still on the wire.

    Must be closed. Reading to the end, or to the announced length, gives the connection
    back to the pool; closing earlier, a failed or a cancelled read closes it at once.
    """

    __slots__ = (
        "_clock",
        "_exchange",
        "_extra",
        "_is_closed",
        "_is_ended",
        "_left",
        "_read_chunk",
        "_timeout_s",
        "content_length",
        "has_login",
        "http_version",
        "is_identity",
        "redirects",
        "status",
        "table",
        "url",
    )

    def __init__(
        self,
        exchange: RawResponse,
        url: str,
        redirects: int,
        clock: TimeoutWheel,
        timeout_s: float,
        extra: dict[str, str] | None = None,
    ) -> None:
        self._exchange = exchange
        self._extra = extra
        self._clock = clock
        self._timeout_s = timeout_s
        self._read_chunk = exchange.read_chunk
        self._is_ended = False
        self._is_closed = False
        self.status = exchange.status
        self.http_version = exchange.http_version
        self.url = url
        """Where the redirects ended; without credentials."""
        self.redirects = redirects
        """Hops that were followed."""
        self.has_login = False
        """Of a 401: whether the request said who we are."""
        self.table = exchange.table if extra is None else {**exchange.table, **extra}
        """Headers as they came, by name in lower case; several values are joined by
        ``, ``. Bytes outside ASCII are decoded as Latin-1, one character each, so that
        ``filename.name_from_disposition`` can tell what they were. Not fit to be
        shown; ``headers`` is."""
        encodings = self.table.get("content-encoding", "")
        codings = self.table.get("transfer-encoding")
        self.is_identity = (not encodings and not codings) or (
            _tokens(encodings) <= {"identity"} and _tokens(codings or "") <= {"chunked"}
        )
        """The body is the file as it is: no content coding, no transfer coding but
        chunked."""
        # RFC 9112 section 6.3: Content-Length means nothing beside Transfer-Encoding.
        length = self.table.get("content-length") if codings is None else None
        self.content_length = None if length is None else parse_length([length])
        """Bytes of this body; ``None`` when unknown."""
        self._left = -1 if self.content_length is None else self.content_length

    def header(self, name: str) -> str:
        """Return a header's value as it came, "" where it is absent or unreadable."""
        return self.table.get(name.lower(), "")

    def headers(self) -> list[tuple[str, str]]:
        """Return the headers worth showing: no secrets, no control characters."""
        fields = self._exchange.fields()
        if self._extra is not None:
            fields += [(n, v) for n, v in self._extra.items()]
        return [
            (plain(name, 100), plain(_readable(value)))
            for name, value in fields
            if not may_be_secret(name)
        ]

    async def read(self) -> Chunk | None:
        """Wait for the next chunk.

        Returns:
            A buffer of any size but empty, or ``None`` at the orderly end of the
            message: its announced length, the last chunk, or the close of a connection
            that announced neither.

        Raises:
            TransientError: ``truncated``, ``reset``, ``stalled`` (no bytes for
                ``Settings.timeout_s`` of waiting), ``bad_reply`` (broken chunks).
        """
        if self._is_ended:
            return None
        if self._is_closed:
            raise self._fault_of_interruption()
        clock = self._clock
        clock.begin(self._timeout_s)
        try:
            chunk = await self._read_chunk()
            while chunk is not None and not len(chunk):
                chunk = await self._read_chunk()
        except CancelledError:
            clock.end()
            fault = self._fault_of_interruption() if clock.was_struck() else None
            await self._abort()
            if fault is None:
                raise
            raise fault from None
        except Exception as error:
            clock.end()
            clock.was_struck()
            await self._abort()
            raise self._exchange.fault(error, self.url) from None
        if clock.end_well():
            await self._abort()
            raise CancelledError
        if chunk is None:
            self._is_ended = True
        elif self._left > 0:
            self._left -= len(chunk)
            # The message is complete; asking for its end would cost a trip more.
            if self._left <= 0:
                self._is_ended = True
        return chunk

    def take_rest(self) -> list[Chunk] | None:
        """Take the whole rest of the body if it is here already; else ``read`` it."""
        if self._is_closed or self._is_ended:
            return None
        rest = self._exchange.take_rest()
        self._is_ended = rest is not None
        return rest

    def lend(self) -> SocketLease | None:
        """Lend the connection to a thread that reads the body past the loop.

        ``None`` where that is not possible (now): ``read`` it. Between this and
        ``take_back`` nobody may ``read``.
        """
        if self._is_closed or self._is_ended:
            return None
        lent = self._exchange.lend()
        if lent is None:
            return None

        def take_back(nbytes: int) -> None:
            self._left -= nbytes
            self._is_ended = not self._left
            lent.take_back(nbytes)

        return lent._replace(take_back=take_back)

    async def close(self) -> None:
        """Let the connection go, at once; safe to call twice and during a read."""
        if self._is_closed:
            return
        self._is_closed = True
        # Leaving an exchange would wait for a read in progress: interrupt it; the
        # reading task then lets the connection go.
        if not self._clock.strike():
            await self._abort()

    async def _abort(self) -> None:
        self._is_closed = True
        self._clock.stop()
        await self._exchange.close()

    def _fault_of_interruption(self) -> FetchError:
        place = where(self.url)
        if self._is_closed:
            return TransientError("reset", f"the connection to {place} was closed here")
        return stalled(place)


class RateLimitedResponse(Response):
    """A reply whose origin has a rate of its own."""

    __slots__ = ("limiter",)

    limiter: Limiter
    """Shared by all replies of the origin."""

    async def read(self) -> Chunk | None:
        """Wait for the next chunk, and until it may pass; that is no stall."""
        chunk = await super().read()
        if chunk is not None:
            await self.limiter.take(len(chunk))
        return chunk

    def take_rest(self) -> list[Chunk] | None:
        """Never: each chunk has to wait until it may pass."""
        return None

    def lend(self) -> SocketLease | None:
        """Never, for the same reason."""
        return None


def _tokens(values: str) -> set[str]:
    return {token for part in values.split(",") if (token := part.strip().lower())}


def _readable(value: str) -> str:
    """Text out of Latin-1 as which the bytes came: UTF-8 where it is that."""
    if value.isascii():
        return value
    try:
        return value.encode("latin-1").decode()
    except UnicodeError:
        return value
